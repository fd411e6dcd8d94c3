//! Other people's generators: a chain of nodes from one latent to one image becomes a graph.
//!
//! The chain is walked once, with the tensor at hand and its shape. Constants may be initialisers or nodes; the few
//! integer operations with which exporters compute the target of a reshape are evaluated on the way.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use onnx_protobuf::tensor_proto::DataType;
use onnx_protobuf::tensor_shape_proto::dimension;
use onnx_protobuf::{GraphProto, ModelProto, NodeProto, ValueInfoProto, type_proto};
use protobuf::{Enum, Message};

use super::OnnxError;
use super::tensor::{Constant, Values};
use crate::graph::{Facts, Graph, Layer};
use crate::model::key;
use crate::op::{Activation, Op, Shape, Window};

/// The oldest operation set whose rules are followed here.
const OLDEST: i64 = 11;

/// The generator in an ONNX file: any chain of the operations below from a latent `[N, n]` or `[N, n, 1, 1]` to an
/// image, whoever exported it. Batch norm is left as a scale and shift of each channel; see [`Graph::fold`].
///
/// # Errors
/// [`OnnxError`] names the node or tensor that is not supported.
pub fn read(bytes: &[u8]) -> Result<Graph, OnnxError> {
    let mut model = ModelProto::parse_from_bytes(bytes).map_err(|e| {
        let what = e.to_string();
        OnnxError::NotOnnx(what)
    })?;
    let Some(mut graph) = model.graph.take() else {
        return Err(OnnxError::NotOnnx("there is no graph in it".into()));
    };
    let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let opset = model.opset_import.iter().find(|o| standard(&o.domain));
    let opset = opset.map_or(1, |o| o.version);
    if opset < OLDEST {
        return Err(OnnxError::Model(format!(
            "operation set {opset} is not supported: export with {OLDEST} or newer"
        )));
    }
    let (name, latent) = input(&graph)?;
    let mut uses = BTreeMap::new();
    for name in graph.node.iter().flat_map(|node| &node.input) {
        *uses.entry(name.clone()).or_default() += 1;
    }
    let mut chain = Chain {
        constants: BTreeMap::new(),
        uses,
        graph: Graph { latent, layers: Vec::new(), facts: facts(&model, &graph.name) },
        at: name,
        shape: Shape::new(latent, 1, 1),
        rank: input_rank(&graph)?,
        used: BTreeSet::new(),
        clipped: None,
    };
    // Each is given up once it is read: what comes after takes its room.
    for mut tensor in core::mem::take(&mut graph.initializer) {
        let constant = Constant::read(&tensor)?;
        let name = core::mem::take(&mut tensor.name);
        chain.constants.insert(name, constant);
    }
    for node in &graph.node {
        if !standard(&node.domain) {
            let what = format!("operations of {:?} are not supported", node.domain);
            return Err(Node(node).fail(what));
        }
        chain.node(&Node(node))?;
    }
    match graph.output.iter().any(|o| o.name == chain.at) {
        true if graph.output.len() == 1 => {}
        true => return Err(OnnxError::Model("more than one output".into())),
        false => {
            return Err(OnnxError::Model(format!(
                "the chain of nodes ends at {:?}, which is not the output",
                chain.at
            )));
        }
    }
    if let Some(range) = chain.clipped {
        chain.graph.facts.range = range;
    } else if chain.graph.layers.last().map(|l| l.activation) == Some(Activation::Sigmoid)
        && !has(&model, key::RANGE)
    {
        chain.graph.facts.range = (0.0, 1.0);
    }
    chain.graph.shapes()?;
    Ok(chain.graph)
}

fn has(model: &ModelProto, key: &str) -> bool {
    model.metadata_props.iter().any(|p| p.key == key)
}

/// What our own files say about themselves; of others, the graph's name.
fn facts(model: &ModelProto, graph: &str) -> Facts {
    let get = |key: &str| {
        let found = model.metadata_props.iter().find(|p| p.key == key);
        found.map(|p| p.value.clone()).unwrap_or_default()
    };
    let range = get(key::RANGE);
    let range = range.split_once(' ').and_then(|(black, white)| {
        let (black, white): (f32, f32) = (black.parse().ok()?, white.parse().ok()?);
        (black.is_finite() && white.is_finite() && black != white).then_some((black, white))
    });
    let name = match get(key::NAME) {
        name if name.is_empty() => graph.into(),
        name => name,
    };
    Facts {
        name,
        license: get(key::LICENSE),
        data: get(key::DATA),
        trained: get(key::TRAINED),
        range: range.unwrap_or((-1.0, 1.0)),
        labels: get(key::LABELS).lines().map(ToOwned::to_owned).collect(),
    }
}

/// The sides of an input or output: `None` for a symbolic one.
fn sides(value: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    let Some(type_proto::Value::TensorType(tensor)) = &value.type_.value else {
        return None;
    };
    let side = |d: &onnx_protobuf::tensor_shape_proto::Dimension| match &d.value {
        Some(dimension::Value::DimValue(n)) => Some(*n),
        Some(dimension::Value::DimParam(_)) | None => None,
        #[allow(unreachable_patterns, reason = "the enum is marked as one that may grow")]
        Some(_) => None,
    };
    Some(tensor.shape.dim.iter().map(side).collect())
}

fn the_input(graph: &GraphProto) -> Result<&ValueInfoProto, OnnxError> {
    // Old exporters list initialisers among the inputs.
    let inputs: Vec<_> = graph
        .input
        .iter()
        .filter(|i| !graph.initializer.iter().any(|t| t.name == i.name))
        .collect();
    match inputs[..] {
        [input] => Ok(input),
        _ => Err(OnnxError::Model(format!(
            "a generator has one input, this model has {}: {:?}",
            inputs.len(),
            inputs.iter().map(|i| &i.name).collect::<Vec<_>>()
        ))),
    }
}

fn input_rank(graph: &GraphProto) -> Result<usize, OnnxError> {
    Ok(sides(the_input(graph)?).map_or(0, |sides| sides.len()))
}

/// The input's name, and the length of the latent.
fn input(graph: &GraphProto) -> Result<(String, usize), OnnxError> {
    let input = the_input(graph)?;
    let sides = sides(input).unwrap_or_default();
    let latent = match sides[..] {
        [_, Some(n)] | [_, Some(n), Some(1), Some(1)] => usize::try_from(n).ok(),
        _ => None,
    };
    match latent {
        Some(n) if (1..=crate::op::LARGEST).contains(&n) => Ok((input.name.clone(), n)),
        _ => Err(OnnxError::Model(format!(
            "the input {:?} is of shape {}; [N, n] and [N, n, 1, 1] are supported",
            input.name,
            show(&sides)
        ))),
    }
}

fn show(sides: &[Option<i64>]) -> String {
    let sides = sides.iter().map(|s| s.map_or("?".into(), |n| n.to_string()));
    format!("[{}]", sides.collect::<Vec<_>>().join(", "))
}

/// A node, and errors that name it.
struct Node<'a>(&'a NodeProto);

impl Node<'_> {
    fn name(&self) -> String {
        match (self.0.name.as_str(), self.0.output.first()) {
            ("", Some(output)) => output.clone(),
            (name, _) => name.into(),
        }
    }

    fn fail(&self, what: impl Into<String>) -> OnnxError {
        OnnxError::Node { node: self.name(), op: self.0.op_type.clone(), what: what.into() }
    }

    fn attribute(&self, name: &str) -> Option<&onnx_protobuf::AttributeProto> {
        self.0.attribute.iter().find(|a| a.name == name)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    fn string(&self, name: &str, default: &str) -> String {
        self.attribute(name).map_or(default.into(), |a| String::from_utf8_lossy(&a.s).into_owned())
    }

    fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| &a.ints[..])
    }

    /// The name of input `i`; an empty name is one left out.
    fn input(&self, i: usize) -> Option<&str> {
        let name = self.0.input.get(i)?;
        (!name.is_empty()).then_some(name)
    }
}

/// The chain as far as it was walked.
struct Chain {
    constants: BTreeMap<String, Constant>,
    /// How many inputs of nodes each tensor is.
    uses: BTreeMap<String, usize>,
    graph: Graph,
    /// The tensor at hand, the shape of one sample of it, and how many axes it has, the batch among them.
    at: String,
    shape: Shape,
    rank: usize,
    /// Tensors of the chain that lie behind: another use of one is a branch.
    used: BTreeSet<String>,
    /// The limits of a clip, which only the image may have.
    clipped: Option<(f32, f32)>,
}

/// The batch axis in an evaluated shape.
const BATCH: i64 = -1;

impl Chain {
    fn node(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if let Some(name) = node.0.input.iter().find(|n| self.used.contains(*n)) {
            return Err(node.fail(format!(
                "uses {name:?}, which another node uses too; branches are not supported"
            )));
        }
        let uses = node.0.input.iter().filter(|n| **n == self.at).count();
        let op = node.0.op_type.as_str();
        match (uses, op) {
            (0, _) => return self.constant(node),
            (1, "Shape") => return self.shape_of(node),
            (1, _) => {}
            _ => return Err(node.fail("uses one tensor twice")),
        }
        if self.clipped.is_some() {
            return Err(node.fail("comes behind a Clip, which is supported at the end only"));
        }
        match op {
            "Identity" | "Dropout" | "Cast" => {}
            "Gemm" => self.gemm(node)?,
            "MatMul" => self.matmul(node)?,
            "Conv" | "ConvTranspose" => self.convolution(node)?,
            "BatchNormalization" => self.batch_norm(node)?,
            "Add" | "Sub" | "Mul" | "Div" => self.affine(node)?,
            "Relu" => self.activation(node, Activation::Relu),
            "LeakyRelu" => {
                let slope = node.float("alpha", 0.01);
                self.activation(node, Activation::LeakyRelu(slope));
            }
            "Tanh" => self.activation(node, Activation::Tanh),
            "Sigmoid" => self.activation(node, Activation::Sigmoid),
            "Clip" => self.clip(node)?,
            "Reshape" => self.reshape(node)?,
            "Flatten" => {
                if node.int("axis", 1) != 1 {
                    return Err(node.fail("only axis 1 is supported"));
                }
                let to = Shape::new(self.shape.values(), 1, 1);
                self.push(node, Op::Reshape { to }, vec![], vec![])?;
                self.rank = 2;
            }
            "Squeeze" | "Unsqueeze" => self.squeeze(node)?,
            "Resize" => self.resize(node)?,
            _ => return Err(node.fail("this operation is not supported")),
        }
        let Some(output) = node.0.output.first() else {
            return Err(node.fail("has no output"));
        };
        let before = core::mem::replace(&mut self.at, output.clone());
        self.used.insert(before);
        Ok(())
    }

    /// A node that the data does not go through: integers that exporters compute shapes with.
    fn constant(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let value = match node.0.op_type.as_str() {
            "Constant" => match node.0.attribute.first() {
                Some(a) if a.name == "value" && a.t.is_some() => Constant::read(&a.t)?,
                Some(a) if a.name == "value_int" => {
                    Constant { dims: vec![], values: Values::Ints(vec![a.i]) }
                }
                Some(a) if a.name == "value_ints" => Constant::list(Values::Ints(a.ints.clone())),
                Some(a) if a.name == "value_float" => {
                    Constant { dims: vec![], values: Values::Floats(vec![a.f]) }
                }
                Some(a) if a.name == "value_floats" => {
                    Constant::list(Values::Floats(a.floats.clone()))
                }
                _ => return Err(node.fail("a constant of a kind that is not supported")),
            },
            "Identity" => self.input(node, 0)?.clone(),
            "Gather" => {
                let from = self.integers(node, 0)?;
                let index = self.input(node, 1)?;
                let scalar = index.dims.is_empty();
                let index = self.integers(node, 1)?.to_vec();
                let pick = |i: &i64| {
                    let i = if *i < 0 { i + from.len() as i64 } else { *i };
                    usize::try_from(i).ok().and_then(|i| from.get(i).copied())
                };
                let picked: Option<Vec<i64>> = index.iter().map(pick).collect();
                let picked = picked.ok_or_else(|| node.fail("an index outside of its list"))?;
                Constant {
                    dims: if scalar { vec![] } else { vec![picked.len()] },
                    values: Values::Ints(picked),
                }
            }
            "Unsqueeze" | "Squeeze" => {
                let values = self.input(node, 0)?.values.clone();
                Constant::list(values)
            }
            "Cast" => {
                let from = self.input(node, 0)?;
                let to = DataType::from_i32(node.int("to", 0) as i32);
                let values = match (&from.values, to) {
                    (Values::Floats(v), Some(DataType::FLOAT)) => Values::Floats(v.clone()),
                    (Values::Ints(v), Some(DataType::FLOAT)) => {
                        Values::Floats(v.iter().map(|v| *v as f32).collect())
                    }
                    (Values::Ints(v), Some(DataType::INT64 | DataType::INT32)) => {
                        Values::Ints(v.clone())
                    }
                    (Values::Floats(_) | Values::Ints(_), to) => {
                        return Err(node.fail(format!("a cast to {to:?} is not supported")));
                    }
                };
                Constant { dims: from.dims.clone(), values }
            }
            "Concat" => {
                let inputs = (0..node.0.input.len()).map(|i| self.input(node, i));
                let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
                let floats: Option<Vec<&[f32]>> = inputs.iter().map(|c| c.floats()).collect();
                let ints: Option<Vec<&[i64]>> = inputs.iter().map(|c| c.as_ints()).collect();
                Constant::list(match (floats, ints) {
                    (Some(floats), _) => Values::Floats(floats.concat()),
                    (None, Some(ints)) => Values::Ints(ints.concat()),
                    (None, None) => return Err(node.fail("of floats and integers")),
                })
            }
            _ => {
                let what = "is not part of one chain from the latent to the image, which is what is supported";
                return Err(node.fail(what));
            }
        };
        if let Some(output) = node.0.output.first() {
            self.constants.insert(output.clone(), value);
        }
        Ok(())
    }

    fn shape_of(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let s = self.shape;
        let all = [BATCH, s.c as i64, s.h as i64, s.w as i64];
        let shape = match self.rank {
            2 => vec![BATCH, s.values() as i64],
            _ => all.to_vec(),
        };
        if let Some(output) = node.0.output.first() {
            self.constants.insert(output.clone(), Constant::list(Values::Ints(shape)));
        }
        Ok(())
    }

    /// A constant input.
    fn input(&self, node: &Node<'_>, i: usize) -> Result<&Constant, OnnxError> {
        let name = node.input(i).ok_or_else(|| node.fail(format!("has no input {i}")))?;
        self.constants
            .get(name)
            .ok_or_else(|| node.fail(format!("input {name:?} is not a constant")))
    }

    fn integers(&self, node: &Node<'_>, i: usize) -> Result<&[i64], OnnxError> {
        self.input(node, i)?
            .as_ints()
            .ok_or_else(|| node.fail(format!("input {i} is not of integers")))
    }

    fn floats(&self, node: &Node<'_>, i: usize) -> Result<&[f32], OnnxError> {
        self.input(node, i)?
            .floats()
            .ok_or_else(|| node.fail(format!("input {i} is not of floats")))
    }

    /// Floats that are the layer's from now on: those of a constant that nothing else uses are not copied.
    fn take(&mut self, node: &Node<'_>, i: usize) -> Result<Vec<f32>, OnnxError> {
        let floats = self.floats(node, i)?;
        let name = node.input(i).unwrap_or_default();
        if self.uses.get(name) != Some(&1) {
            return Ok(floats.to_vec());
        }
        match self.constants.remove(name).map(|c| c.values) {
            Some(Values::Floats(values)) => Ok(values),
            Some(Values::Ints(_)) | None => Ok(vec![]),
        }
    }

    /// Adds a layer.
    fn push(
        &mut self,
        node: &Node<'_>,
        op: Op,
        weight: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<(), OnnxError> {
        self.shape = op.output(self.shape).map_err(|e| node.fail(e.to_string()))?;
        let name = self.name(node);
        self.graph.layers.push(Layer { name, op, activation: Activation::None, weight, bias });
        Ok(())
    }

    /// A name of its own without spaces.
    fn name(&self, node: &Node<'_>) -> String {
        let name: String =
            node.name().chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
        let taken = |name: &str| self.graph.layers.iter().any(|l| l.name == name);
        match name.is_empty() || taken(&name) {
            true => format!("{name}#{}", self.graph.layers.len()),
            false => name,
        }
    }

    fn activation(&mut self, node: &Node<'_>, activation: Activation) {
        let name = self.name(node);
        self.graph.layers.push(Layer {
            name,
            op: Op::Activate,
            activation,
            weight: vec![],
            bias: vec![],
        });
    }

    fn gemm(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) || node.int("transA", 0) != 0 {
            return Err(node.fail("only the first operand, not transposed, can be the data"));
        }
        let weight = self.matrix(node, node.int("transB", 0) != 0)?;
        let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        let out = weight.len() / self.shape.values();
        let bias = match node.input(2) {
            None => vec![],
            Some(_) => match self.floats(node, 2)? {
                [one] => vec![one * beta; out],
                all => all.iter().map(|b| b * beta).collect(),
            },
        };
        let weight = weight.iter().map(|w| w * alpha).collect();
        self.push(node, Op::Dense { out }, weight, bias)?;
        self.rank = 2;
        Ok(())
    }

    fn matmul(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("only the first operand can be the data"));
        }
        let weight = self.matrix(node, false)?;
        let out = weight.len() / self.shape.values();
        self.push(node, Op::Dense { out }, weight, vec![])?;
        self.rank = 2;
        Ok(())
    }

    /// The second input as `[out, in]`; it is stored so where `transposed`, as `[in, out]` otherwise.
    fn matrix(&self, node: &Node<'_>, transposed: bool) -> Result<Vec<f32>, OnnxError> {
        if self.rank != 2 {
            return Err(node.fail("the data has more than two axes"));
        }
        let values = self.floats(node, 1)?;
        let dims = &self.input(node, 1)?.dims;
        let [rows, columns] = dims[..] else {
            return Err(node.fail(format!("the weight has sides {dims:?}, not two")));
        };
        let inputs = if transposed { columns } else { rows };
        if inputs != self.shape.values() || values.is_empty() {
            return Err(node.fail(format!(
                "the weight has sides {dims:?}, the data {} values",
                self.shape.values()
            )));
        }
        Ok(match transposed {
            true => values.to_vec(),
            false => {
                (0..columns).flat_map(|o| (0..rows).map(move |i| values[i * columns + o])).collect()
            }
        })
    }

    fn convolution(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let transposed = node.0.op_type == "ConvTranspose";
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("the data is not the first input"));
        }
        let dims = &self.input(node, 1)?.dims;
        let [a, b, kh, kw] = dims[..] else {
            return Err(node.fail(format!("the weight has sides {dims:?}, not four")));
        };
        if kh != kw {
            return Err(
                node.fail(format!("a kernel of {kh} x {kw} is not supported: only square ones"))
            );
        }
        let (inputs, out) = if transposed { (a, b) } else { (b, a) };
        if inputs != self.shape.c {
            return Err(node.fail(format!(
                "the weight has sides {dims:?}, the data {} channels",
                self.shape.c
            )));
        }
        let window = self.window(node, kh)?;
        let weight = self.take(node, 1)?;
        let bias = match node.input(2) {
            Some(_) => self.floats(node, 2)?.to_vec(),
            None => vec![],
        };
        let op = match transposed {
            true => Op::ConvTranspose { out, window },
            false => Op::Conv { out, window },
        };
        self.push(node, op, weight, bias)?;
        self.rank = 4;
        Ok(())
    }

    /// Kernel, stride and padding; what else a convolution can have is refused.
    fn window(&self, node: &Node<'_>, kernel: usize) -> Result<Window, OnnxError> {
        let refuse =
            |name: &str, value: String| Err(node.fail(format!("{name} {value} is not supported")));
        let same = |name: &str, default: usize| -> Result<usize, OnnxError> {
            let Some(values) = node.ints(name) else {
                return Ok(default);
            };
            match values {
                [first, rest @ ..] if rest.iter().all(|v| v == first) => {
                    usize::try_from(*first).map_err(|_| node.fail(format!("{name} {values:?}")))
                }
                _ => Err(node.fail(format!("{name} {values:?} is not supported: only equal ones"))),
            }
        };
        if same("kernel_shape", kernel)? != kernel {
            return refuse("kernel_shape", format!("{:?}", node.ints("kernel_shape")));
        }
        if same("dilations", 1)? != 1 {
            return refuse(
                "dilations",
                format!("{:?}", node.ints("dilations").unwrap_or_default()),
            );
        }
        if same("output_padding", 0)? != 0 {
            let value = node.ints("output_padding").unwrap_or_default();
            return refuse("output_padding", format!("{value:?}"));
        }
        if let Some(shape) = node.ints("output_shape") {
            return refuse("output_shape", format!("{shape:?}"));
        }
        if node.int("group", 1) != 1 {
            return refuse("group", node.int("group", 1).to_string());
        }
        let padding = match node.string("auto_pad", "NOTSET").as_str() {
            "NOTSET" => same("pads", 0)?,
            "VALID" => 0,
            other => return refuse("auto_pad", other.into()),
        };
        Ok(Window { kernel, stride: same("strides", 1)?, padding })
    }

    fn batch_norm(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.int("training_mode", 0) != 0 {
            return Err(node.fail("training_mode 1 is not supported: export for inference"));
        }
        let mut four = [&[][..]; 4];
        for (i, values) in four.iter_mut().enumerate() {
            *values = self.floats(node, i + 1)?;
            if values.len() != self.shape.c {
                return Err(node.fail(format!(
                    "input {} has {} values, the data {} channels",
                    i + 1,
                    values.len(),
                    self.shape.c
                )));
            }
        }
        let [gamma, beta, mean, variance] = four;
        let epsilon = node.float("epsilon", 1e-5);
        let layer = Layer::batch_norm(self.name(node), gamma, beta, mean, variance, epsilon);
        self.graph.layers.push(layer);
        Ok(())
    }

    /// A sum, difference, product or quotient with a constant of one value, or one a channel.
    fn affine(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let data = usize::from(node.input(0) != Some(&self.at));
        let constant = self.input(node, 1 - data)?;
        let values = self.floats(node, 1 - data)?;
        let c = self.shape.c;
        // Sides count from the last: a channel is the last but two, or the last of a flat tensor.
        let behind = if self.rank == 2 { 0 } else { 2 };
        let sides = &constant.dims;
        let channel = sides.len().checked_sub(behind + 1);
        let by_channel = values.len() == c
            && channel.is_some_and(|at| sides[at] == c)
            && sides.iter().filter(|s| **s != 1).count() <= 1;
        let values = match values {
            [one] => vec![*one; c],
            _ if by_channel => values.to_vec(),
            _ => {
                return Err(node.fail(format!(
                    "a constant of sides {sides:?} is not supported: one value, or one of {c} channels"
                )));
            }
        };
        let ones = vec![1.0; c];
        let (scale, shift) = match (node.0.op_type.as_str(), data) {
            ("Add", _) => (ones, values),
            ("Sub", 0) => (ones, values.iter().map(|v| -v).collect()),
            ("Sub", _) => (vec![-1.0; c], values),
            ("Mul", _) => (values, vec![]),
            ("Div", 0) => (values.iter().map(|v| 1.0 / v).collect(), vec![]),
            _ => return Err(node.fail("the data as a divisor is not supported")),
        };
        // A flat tensor has a value a channel; any other shape would need its plane.
        self.push(node, Op::Affine, scale, shift)
    }

    fn clip(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let limit = |i: usize, name: &str| -> Result<f32, OnnxError> {
            match (node.input(i), node.attribute(name)) {
                (Some(_), _) => match self.floats(node, i)? {
                    [one] => Ok(*one),
                    _ => Err(node.fail(format!("{name} is not one value"))),
                },
                (None, Some(a)) => Ok(a.f),
                (None, None) => Err(node.fail(format!("has no {name}"))),
            }
        };
        let (low, high) = (limit(1, "min")?, limit(2, "max")?);
        if low.is_nan() || high.is_nan() || low >= high {
            return Err(node.fail(format!("clips to {low} and {high}")));
        }
        self.clipped = Some((low, high));
        Ok(())
    }

    fn reshape(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let target = self.integers(node, 1)?.to_vec();
        let values = self.shape.values() as i64;
        let refuse = || node.fail(format!("a reshape to {target:?} is not supported"));
        let [batch, rest @ ..] = &target[..] else {
            return Err(refuse());
        };
        if *batch < -1 || rest.iter().any(|n| *n < -1) {
            return Err(refuse());
        }
        let now = [self.shape.c, self.shape.h, self.shape.w];
        let mut sides: Vec<i64> = rest.to_vec();
        for (i, side) in sides.iter_mut().enumerate() {
            // 0 copies the input's side.
            if *side == 0 {
                *side = now.get(i).map_or(0, |n| *n as i64);
            }
        }
        let known: Option<i64> =
            sides.iter().filter(|n| **n != -1).try_fold(1i64, |p, n| p.checked_mul(*n));
        let open = sides.iter().filter(|n| **n == -1).count();
        match (known, open) {
            (Some(known), 0) if known == values => {}
            (Some(known), 1) if known > 0 && values % known == 0 => {
                for side in sides.iter_mut().filter(|n| **n == -1) {
                    *side = values / known;
                }
            }
            _ => return Err(refuse()),
        }
        let to = match sides[..] {
            [n] => Shape::new(n as usize, 1, 1),
            [c, h, w] => Shape::new(c as usize, h as usize, w as usize),
            _ => return Err(refuse()),
        };
        let rank = sides.len() + 1;
        self.push(node, Op::Reshape { to }, vec![], vec![])?;
        self.rank = rank;
        Ok(())
    }

    /// Adds or removes the axes of one pixel.
    fn squeeze(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let axes = match (node.ints("axes"), node.input(1)) {
            (Some(axes), _) => axes.to_vec(),
            (None, Some(_)) => self.integers(node, 1)?.to_vec(),
            (None, None) => vec![2, 3],
        };
        let removes = node.0.op_type == "Squeeze";
        let spatial = axes.iter().all(|a| [2, 3, -1, -2].contains(a));
        if !spatial || self.shape.plane() != 1 {
            return Err(node.fail(format!("axes {axes:?} are not supported here")));
        }
        let rank = match removes {
            true => self.rank.checked_sub(axes.len()),
            false => Some(self.rank + axes.len()),
        };
        match rank {
            Some(rank @ 2..=4) => self.rank = rank,
            _ => return Err(node.fail(format!("axes {axes:?} of {} axes", self.rank))),
        }
        Ok(())
    }

    fn resize(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let mode = node.string("mode", "nearest");
        if mode != "nearest" {
            return Err(node.fail(format!("mode {mode:?} is not supported: only \"nearest\"")));
        }
        let position = node.string("coordinate_transformation_mode", "half_pixel");
        let nearest = node.string("nearest_mode", "round_prefer_floor");
        let repeats = match (position.as_str(), nearest.as_str()) {
            ("asymmetric", "floor") => true,
            ("half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric", rounding) => {
                ["round_prefer_floor", "round_prefer_ceil"].contains(&rounding)
            }
            _ => false,
        };
        if !repeats {
            return Err(node.fail(format!(
                "{position:?} with {nearest:?} does not repeat pixels: not supported"
            )));
        }
        let factors: Vec<f64> = match node.input(3) {
            Some(_) => {
                let now = [1, self.shape.c, self.shape.h, self.shape.w];
                let sizes = self.integers(node, 3)?;
                // Whatever the batch axis says, it is not resized.
                let side = |(i, (size, now)): (usize, (&i64, usize))| match i {
                    0 => 1.0,
                    _ => *size as f64 / now as f64,
                };
                sizes.iter().zip(now).enumerate().map(side).collect()
            }
            None => self.floats(node, 2)?.iter().map(|f| *f as f64).collect(),
        };
        match factors[..] {
            [1.0, 1.0, h, w]
                if h == w && (1.0..=4096.0).contains(&h) && h == (h as usize) as f64 =>
            {
                let factor = h as usize;
                self.push(node, Op::Resize { factor }, vec![], vec![])
            }
            _ => Err(node.fail(format!(
                "factors {factors:?} are not supported: whole ones, the same in both directions"
            ))),
        }
    }
}
