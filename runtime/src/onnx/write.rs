//! A graph as an ONNX model of standard operations.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::tensor_proto::DataType;
use onnx_protobuf::tensor_shape_proto::{Dimension, dimension};
use onnx_protobuf::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use protobuf::{Message, MessageField};

use super::error::OnnxError;
use crate::graph::{Graph, Layer};
use crate::layer::{Input, Source};
use crate::model::key;
use crate::op::{Activation, Op, Shape, Window};

/// The oldest operation set with all operations written here, which every current runtime reads.
const OPSET: i64 = 13;
/// The version of the file format of that operation set.
const IR: i64 = 7;
/// Name of the batch axis.
const BATCH: &str = "N";

/// The bytes of an ONNX model with input `z` `[N, latent]` or `picture` `[N, c, h, w]`, output `image` `[N, c, h, w]`, and the
/// facts as metadata.
///
/// # Errors
/// [`OnnxError::Graph`] if the graph is not a generator.
pub fn write(graph: &Graph) -> Result<Vec<u8>, OnnxError> {
    model(graph, false)
}

/// [`write()`] with images of bytes, 0 for black and 255 for white, as evaluation tools such as
/// torch-fidelity expect.
///
/// # Errors
/// As [`write()`].
pub fn write_bytes(graph: &Graph) -> Result<Vec<u8>, OnnxError> {
    model(graph, true)
}

fn model(graph: &Graph, bytes: bool) -> Result<Vec<u8>, OnnxError> {
    let flows = graph.checked()?;
    let mut to = Nodes {
        graph: GraphProto {
            name: match graph.facts.name.as_str() {
                "" => "generator".into(),
                name => name.into(),
            },
            ..GraphProto::default()
        },
        at: String::new(),
        flat: false,
    };
    let (name, flat) = match graph.input {
        Input::Latent(_) => ("z", true),
        Input::Picture(_) => ("picture", false),
    };
    // Name of each output, and whether it is flat.
    let mut made: Vec<(String, bool)> = Vec::with_capacity(flows.len());
    for (layer, flow) in graph.layers.iter().zip(&flows) {
        let find = |source: Source| match source {
            Source::Input => (name.to_string(), flat),
            Source::Layer(of) => made[usize::from(of)].clone(),
        };
        (to.at, to.flat) = find(flow.from);
        to.layer(layer, flow.input, flow.other.map(find));
        made.push((to.at.clone(), to.flat));
    }
    let output = flows.last().map_or(Shape::new(0, 0, 0), |flow| flow.output);
    if to.flat {
        to.unflatten("output", output);
    }
    if to.graph.node.last().is_none_or(|node| node.output[0] != to.at) {
        to.node("Identity", "copy", &[], vec![]);
    }
    if bytes {
        to.bytes(graph.facts.range);
    }
    // Users look for an output of this name.
    match to.graph.node.last_mut() {
        Some(node) => node.output = vec!["image".into()],
        None => return Err(OnnxError::Model("the generator has no layers".into())),
    }
    let image = [output.c, output.h, output.w];
    let kind = match bytes {
        true => DataType::UINT8,
        false => DataType::FLOAT,
    };
    to.graph.input = vec![match graph.input {
        Input::Latent(n) => value(name, &[n], DataType::FLOAT),
        Input::Picture(Shape { c, h, w }) => value(name, &[c, h, w], DataType::FLOAT),
    }];
    to.graph.output = vec![value("image", &image, kind)];
    let model = ModelProto {
        ir_version: IR,
        producer_name: "pocket-gan".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        opset_import: vec![OperatorSetIdProto { version: OPSET, ..OperatorSetIdProto::default() }],
        graph: MessageField::some(to.graph),
        metadata_props: facts(graph),
        ..ModelProto::default()
    };
    model.write_to_bytes().map_err(|e| OnnxError::Model(e.to_string()))
}

/// The facts, under the keys of records.
fn facts(graph: &Graph) -> Vec<StringStringEntryProto> {
    let facts = &graph.facts;
    let entries = [
        (key::NAME, facts.name.clone()),
        (key::LICENSE, facts.license.clone()),
        (key::DATA, facts.data.clone()),
        (key::TRAINED, facts.trained.clone()),
        (key::LABELS, facts.labels.join("\n")),
        (key::RANGE, format!("{} {}", facts.range.0, facts.range.1)),
    ];
    entries
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| StringStringEntryProto {
            key: key.into(),
            value,
            ..StringStringEntryProto::default()
        })
        .collect()
}

/// A tensor `[N, ...dims]`.
fn value(name: &str, dims: &[usize], kind: DataType) -> ValueInfoProto {
    let dim = |value| Dimension { value: Some(value), ..Dimension::default() };
    let mut shape = TensorShapeProto {
        dim: vec![dim(dimension::Value::DimParam(BATCH.into()))],
        ..TensorShapeProto::default()
    };
    let dims = dims.iter().map(|n| dimension::Value::DimValue(*n as i64));
    shape.dim.extend(dims.map(dim));
    let tensor = type_proto::Tensor {
        elem_type: kind as i32,
        shape: MessageField::some(shape),
        ..type_proto::Tensor::default()
    };
    ValueInfoProto {
        name: name.into(),
        type_: MessageField::some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

/// The nodes so far.
struct Nodes {
    graph: GraphProto,
    /// The current tensor, which the next node reads.
    at: String,
    /// Whether that is `[N, c]` rather than `[N, c, h, w]`.
    flat: bool,
}

impl Nodes {
    /// `other` is the second input of a layer that joins: its name, and whether it is flat.
    fn layer(&mut self, layer: &Layer, input: Shape, other: Option<(String, bool)>) {
        let name = &layer.name;
        match layer.op {
            Op::Add => self.join("Add", vec![], layer, input, other),
            Op::Concat { .. } => self.join("Concat", vec![int("axis", 1)], layer, input, other),
            Op::InstanceNorm { epsilon } => self.instance_norm(layer, input, epsilon),
            Op::ReflectConv { out, window } => {
                self.need_plane(name, input);
                self.reflect(name, window.padding);
                let dims = [out, input.c, window.kernel, window.kernel];
                let window = Window { padding: 0, ..window };
                self.convolution("Conv", layer, window, input, &dims, out);
            }
            Op::Dense { out } => {
                if !self.flat {
                    self.node("Flatten", &format!("{name}.flat"), &[], vec![int("axis", 1)]);
                    self.flat = true;
                }
                let mut constants =
                    vec![self.floats(name, "weight", &[out, input.values()], &layer.weight)];
                constants.extend(self.bias(layer, out));
                self.node("Gemm", name, &constants, vec![int("transB", 1)]);
            }
            Op::Conv { out, window } => {
                let dims = [out, input.c, window.kernel, window.kernel];
                self.convolution("Conv", layer, window, input, &dims, out);
            }
            Op::ConvTranspose { out, window } => {
                let dims = [input.c, out, window.kernel, window.kernel];
                self.convolution("ConvTranspose", layer, window, input, &dims, out);
            }
            Op::Affine => self.affine(layer, input),
            Op::Resize { factor } => {
                self.need_plane(name, input);
                self.resize(name, factor);
            }
            Op::Reshape { to } => self.unflatten(name, to),
            Op::Activate => {}
        }
        self.activation(name, layer.activation);
    }

    /// An operation on two tensors, both as planes unless both are flat.
    fn join(
        &mut self,
        op: &str,
        attributes: Vec<AttributeProto>,
        layer: &Layer,
        input: Shape,
        other: Option<(String, bool)>,
    ) {
        let Some((mut second, flat)) = other else { return };
        let name = &layer.name;
        if flat && !self.flat {
            let shape = layer.op.other(input).unwrap_or(input);
            let first = core::mem::replace(&mut self.at, second);
            self.unflatten(&format!("{name}.second"), shape);
            second = core::mem::replace(&mut self.at, first);
        }
        if self.flat && !flat {
            self.unflatten(&format!("{name}.first"), input);
        }
        self.node(op, name, &[second], attributes);
    }

    fn instance_norm(&mut self, layer: &Layer, input: Shape, epsilon: f32) {
        let name = &layer.name;
        self.need_plane(name, input);
        let dims = [input.c];
        let scale = self.floats(name, "weight", &dims, &layer.weight);
        // ONNX requires the second constant.
        let shift = match layer.bias.is_empty() {
            true => self.floats(name, "bias", &dims, &vec![0.0; input.c]),
            false => self.floats(name, "bias", &dims, &layer.bias),
        };
        let attributes = vec![float("epsilon", epsilon)];
        self.node("InstanceNormalization", name, &[scale, shift], attributes);
    }

    /// Mirrors `padding` rows and columns outward on each side.
    fn reflect(&mut self, name: &str, padding: usize) {
        let by = padding as i64;
        let pads = self.integers(name, "pads", &[0, 0, by, by, 0, 0, by, by]);
        self.node("Pad", &format!("{name}.padded"), &[pads], vec![string("mode", "reflect")]);
    }

    fn affine(&mut self, layer: &Layer, input: Shape) {
        let name = &layer.name;
        let dims: &[usize] = if self.flat { &[input.c] } else { &[input.c, 1, 1] };
        let scale = self.floats(name, "weight", dims, &layer.weight);
        self.node("Mul", &format!("{name}.scaled"), &[scale], vec![]);
        if !layer.bias.is_empty() {
            let shift = self.floats(name, "bias", dims, &layer.bias);
            self.node("Add", name, &[shift], vec![]);
        }
    }

    fn resize(&mut self, name: &str, factor: usize) {
        let factor = factor as f32;
        let scales = self.floats(name, "scales", &[4], &[1.0, 1.0, factor, factor]);
        let attributes = vec![
            string("mode", "nearest"),
            string("coordinate_transformation_mode", "asymmetric"),
            string("nearest_mode", "floor"),
        ];
        // An empty name omits the second input, the regions of interest.
        self.node("Resize", name, &[String::new(), scales], attributes);
    }

    fn activation(&mut self, name: &str, activation: Activation) {
        let activated = format!("{name}.activated");
        match activation {
            Activation::None => {}
            Activation::Relu => self.node("Relu", &activated, &[], vec![]),
            Activation::LeakyRelu(slope) => {
                self.node("LeakyRelu", &activated, &[], vec![float("alpha", slope)]);
            }
            Activation::Tanh => self.node("Tanh", &activated, &[], vec![]),
            Activation::Sigmoid => self.node("Sigmoid", &activated, &[], vec![]),
            Activation::Elu(alpha) => {
                self.node("Elu", &activated, &[], vec![float("alpha", alpha)]);
            }
            Activation::Selu => self.node("Selu", &activated, &[], vec![]),
            Activation::Softplus => self.node("Softplus", &activated, &[], vec![]),
            Activation::Clip(least, most) => {
                let least = self.floats(name, "least", &[], &[least]);
                let most = self.floats(name, "most", &[], &[most]);
                self.node("Clip", &activated, &[least, most], vec![]);
            }
            Activation::Silu => {
                let x = self.at.clone();
                self.node("Sigmoid", &format!("{name}.gate"), &[], vec![]);
                self.node("Mul", &activated, &[x], vec![]);
            }
            Activation::Mish => {
                let x = self.at.clone();
                self.node("Softplus", &format!("{name}.softplus"), &[], vec![]);
                self.node("Tanh", &format!("{name}.gate"), &[], vec![]);
                self.node("Mul", &activated, &[x], vec![]);
            }
            Activation::Gelu => self.gelu(name),
            Activation::GeluTanh => self.gelu_tanh(name),
        }
    }

    /// `0.5 * x * (1 + erf(x / sqrt(2)))`: operation sets before 20 have no GELU.
    fn gelu(&mut self, name: &str) {
        let x = self.at.clone();
        let root = self.floats(name, "root", &[], &[core::f32::consts::FRAC_1_SQRT_2]);
        self.node("Mul", &format!("{name}.narrow"), &[root], vec![]);
        self.node("Erf", &format!("{name}.erf"), &[], vec![]);
        self.half_gate(name, x);
    }

    /// `0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.
    fn gelu_tanh(&mut self, name: &str) {
        let x = self.at.clone();
        let three = self.floats(name, "three", &[], &[3.0]);
        let part = self.floats(name, "part", &[], &[0.044_715]);
        let root = self.floats(name, "root", &[], &[0.797_884_6]);
        self.node("Pow", &format!("{name}.cube"), &[three], vec![]);
        self.node("Mul", &format!("{name}.part_of_cube"), &[part], vec![]);
        self.node("Add", &format!("{name}.sum"), core::slice::from_ref(&x), vec![]);
        self.node("Mul", &format!("{name}.scaled_sum"), &[root], vec![]);
        self.node("Tanh", &format!("{name}.tanh"), &[], vec![]);
        self.half_gate(name, x);
    }

    /// `0.5 * x * (1 + current)`, the end of both forms of GELU.
    fn half_gate(&mut self, name: &str, x: String) {
        let one = self.floats(name, "one", &[], &[1.0]);
        let half = self.floats(name, "half", &[], &[0.5]);
        self.node("Add", &format!("{name}.gate"), &[one], vec![]);
        self.node("Mul", &format!("{name}.gated"), &[x], vec![]);
        self.node("Mul", &format!("{name}.activated"), &[half], vec![]);
    }

    /// Maps black and white to 0 and 255 and rounds: a cast truncates.
    fn bytes(&mut self, (black, white): (f32, f32)) {
        let scale = 255.0 / (white - black);
        let factor = self.floats("bytes", "scale", &[1], &[scale]);
        let shift = self.floats("bytes", "shift", &[1], &[0.5 - black * scale]);
        let least = self.floats("bytes", "least", &[], &[0.0]);
        let most = self.floats("bytes", "most", &[], &[255.0]);
        self.node("Mul", "bytes.scaled", &[factor], vec![]);
        self.node("Add", "bytes.shifted", &[shift], vec![]);
        self.node("Clip", "bytes.clipped", &[least, most], vec![]);
        self.node("Cast", "bytes", &[], vec![int("to", DataType::UINT8 as i64)]);
    }

    fn convolution(
        &mut self,
        op: &str,
        layer: &Layer,
        window: Window,
        input: Shape,
        dims: &[usize; 4],
        out: usize,
    ) {
        self.need_plane(&layer.name, input);
        let mut constants = vec![self.floats(&layer.name, "weight", dims, &layer.weight)];
        constants.extend(self.bias(layer, out));
        let attributes = vec![
            ints("kernel_shape", &[window.kernel; 2]),
            ints("strides", &[window.stride; 2]),
            ints("pads", &[window.padding; 4]),
        ];
        self.node(op, &layer.name, &constants, attributes);
    }

    /// Makes the current tensor `[N, c, h, w]`.
    fn need_plane(&mut self, name: &str, input: Shape) {
        if self.flat {
            self.unflatten(&format!("{name}.plane"), input);
        }
    }

    fn unflatten(&mut self, name: &str, to: Shape) {
        // 0 keeps the batch axis.
        let dims = [0, to.c as i64, to.h as i64, to.w as i64];
        let constant = self.integers(name, "shape", &dims);
        self.node("Reshape", name, &[constant], vec![]);
        self.flat = false;
    }

    /// Adds a node that maps the current tensor and constants to a tensor of its own name.
    fn node(&mut self, op: &str, name: &str, constants: &[String], attribute: Vec<AttributeProto>) {
        let mut input = vec![core::mem::replace(&mut self.at, name.into())];
        input.extend_from_slice(constants);
        self.graph.node.push(NodeProto {
            name: name.into(),
            op_type: op.into(),
            input,
            output: vec![name.into()],
            attribute,
            ..NodeProto::default()
        });
    }

    fn bias(&mut self, layer: &Layer, out: usize) -> Option<String> {
        match layer.bias.is_empty() {
            true => None,
            false => Some(self.floats(&layer.name, "bias", &[out], &layer.bias)),
        }
    }

    fn integers(&mut self, layer: &str, what: &str, values: &[i64]) -> String {
        let name = format!("{layer}.{what}");
        self.graph.initializer.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: DataType::INT64 as i32,
            raw_data: values.iter().flat_map(|n| n.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        name
    }

    fn floats(&mut self, layer: &str, what: &str, dims: &[usize], values: &[f32]) -> String {
        let name = format!("{layer}.{what}");
        self.graph.initializer.push(TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|n| *n as i64).collect(),
            data_type: DataType::FLOAT as i32,
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        name
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        type_: AttributeType::INT.into(),
        i: value,
        ..AttributeProto::default()
    }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        type_: AttributeType::FLOAT.into(),
        f: value,
        ..AttributeProto::default()
    }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        type_: AttributeType::INTS.into(),
        ints: values.iter().map(|v| *v as i64).collect(),
        ..AttributeProto::default()
    }
}

fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        type_: AttributeType::STRING.into(),
        s: value.as_bytes().to_vec(),
        ..AttributeProto::default()
    }
}
