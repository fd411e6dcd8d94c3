//! Other people's generators: nodes from one latent or picture to one image become a graph.
//!
//! They are walked once, tracking the current tensor and its shape. Constants may be
//! initializers or nodes; the few integer operations with which exporters compute the target of a
//! reshape are evaluated along the way.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use onnx_protobuf::tensor_shape_proto::dimension;
use onnx_protobuf::{GraphProto, ModelProto, ValueInfoProto, type_proto};
use protobuf::Message;

use super::budget::Budget;
use super::chain::{Chain, Tensor};
use super::error::OnnxError;
use super::node::Node;
use super::scan::scan;
use super::tensor::Constant;
use crate::graph::{Facts, Graph};
use crate::layer::Input;
use crate::limits::Limits;
use crate::model::key;
use crate::op::{Activation, LARGEST, Shape};

/// The oldest operation set whose rules are implemented.
const OLDEST: i64 = 11;

/// Reads a generator from an ONNX file of any exporter: supported operations from a latent `[N, n]`
/// or `[N, n, 1, 1]`, or from a picture `[N, 1 or 3, h, w]` of -1 to 1, to an image. Branches may be
/// added or concatenated. Batch norm becomes a scale and shift per channel;
/// see [`Graph::fold`].
///
/// # Errors
/// [`OnnxError`] names the unsupported node or tensor.
pub fn read(bytes: &[u8]) -> Result<Graph, OnnxError> {
    read_within(bytes, &Limits::DEFAULT)
}

/// [`read`] with limits of the caller's own on the constants. See [`Graph::check`] for what an
/// image takes.
///
/// # Errors
/// As [`read`].
pub fn read_within(bytes: &[u8], limits: &Limits) -> Result<Graph, OnnxError> {
    scan(bytes, &Budget::of_fields(bytes.len(), limits))?;
    let budget = Budget::new(bytes.len(), limits);
    let mut model = ModelProto::parse_from_bytes(bytes).map_err(|e| {
        let what = e.to_string();
        OnnxError::NotOnnx(what)
    })?;
    let Some(mut graph) = model.graph.take() else {
        return Err(OnnxError::NotOnnx("it has no graph".into()));
    };
    let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let opset = model.opset_import.iter().find(|o| standard(&o.domain));
    let opset = opset.map_or(1, |o| o.version);
    if opset < OLDEST {
        return Err(OnnxError::Model(format!(
            "operation set {opset} is not supported: export with {OLDEST} or newer"
        )));
    }
    let (name, input, rank) = input(&graph)?;
    let tensor = Tensor { shape: input.shape(), rank, layer: None, pad: None };
    let mut uses = BTreeMap::new();
    for name in graph.node.iter().flat_map(|node| &node.input) {
        *uses.entry(name.clone()).or_default() += 1;
    }
    let mut chain = Chain {
        constants: BTreeMap::new(),
        uses,
        graph: Graph { input, layers: Vec::new(), facts: facts(&model, &graph.name) },
        tensors: BTreeMap::from([(name.clone(), tensor)]),
        at: name,
        shape: input.shape(),
        rank,
        layer: None,
        pad: None,
        names: BTreeSet::new(),
        budget,
        clipped: None,
    };
    // Each is freed once it is read, to make room for the next.
    for mut tensor in core::mem::take(&mut graph.initializer) {
        let constant = Constant::read(&tensor)?;
        chain.budget.take(constant.size(), 1)?;
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
    // A branch may come after the node that makes the image.
    match graph.output.iter().find(|o| chain.tensors.contains_key(&o.name)) {
        Some(output) if graph.output.len() == 1 => chain.go_to(&output.name),
        Some(_) => return Err(OnnxError::Model("the model has more than one output".into())),
        None => {
            return Err(OnnxError::Model(format!(
                "the chain of nodes ends at {:?}, which is not the output",
                chain.at
            )));
        }
    }
    if chain.pad.is_some() {
        return Err(OnnxError::Model("the image is padded, which is not supported".into()));
    }
    if chain.layer != chain.graph.layers.len().checked_sub(1) {
        return Err(OnnxError::Model(format!(
            "{:?} is not the output, but nothing reads it",
            chain.name_of(chain.graph.layers.len().checked_sub(1))
        )));
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

/// The facts in our own files; otherwise the name of the graph.
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

/// The dimensions of an input or output; `None` for a symbolic one.
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
    // Old exporters list initializers among the inputs.
    let initializers: BTreeSet<&str> = graph.initializer.iter().map(|t| &t.name[..]).collect();
    let is_free = |i: &&ValueInfoProto| !initializers.contains(&i.name[..]);
    let inputs: Vec<_> = graph.input.iter().filter(is_free).collect();
    match inputs[..] {
        [input] => Ok(input),
        _ => Err(OnnxError::Model(format!(
            "a generator has one input; this model has {}: {:?}",
            inputs.len(),
            inputs.iter().map(|i| &i.name).collect::<Vec<_>>()
        ))),
    }
}

/// The input's name, what it is, and its number of axes.
fn input(graph: &GraphProto) -> Result<(String, Input, usize), OnnxError> {
    let input = the_input(graph)?;
    let sides = sides(input).unwrap_or_default();
    let side = |n: i64| usize::try_from(n).ok().filter(|n| (1..=LARGEST).contains(n));
    let found = match sides[..] {
        [_, Some(n)] | [_, Some(n), Some(1), Some(1)] => side(n).map(Input::Latent),
        [_, Some(c @ (1 | 3)), Some(h), Some(w)] => {
            let shape = |(h, w)| Shape::new(c as usize, h, w);
            let shape = side(h).zip(side(w)).map(shape);
            shape.filter(|shape| shape.checked_values().is_some()).map(Input::Picture)
        }
        _ => None,
    };
    match found {
        Some(found) => Ok((input.name.clone(), found, sides.len())),
        _ => Err(OnnxError::Model(format!(
            "the input {:?} has shape {}; only latents [N, n] and [N, n, 1, 1] and pictures [N, 1 or \
             3, rows, columns] of a fixed size are supported",
            input.name,
            show(&sides)
        ))),
    }
}

fn show(sides: &[Option<i64>]) -> String {
    let sides = sides.iter().map(|s| s.map_or("?".into(), |n| n.to_string()));
    format!("[{}]", sides.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use std::time::{Duration, Instant};

    use onnx_protobuf::tensor_proto::DataType;
    use onnx_protobuf::tensor_shape_proto::Dimension;
    use onnx_protobuf::{NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto};

    use super::*;
    use crate::limits::Limit;

    fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: op.into(),
            input: inputs.iter().map(|i| (*i).into()).collect(),
            output: vec![output.into()],
            ..NodeProto::default()
        }
    }

    fn tensor(name: &str, values: &[f32]) -> TensorProto {
        TensorProto {
            name: name.into(),
            dims: vec![values.len() as i64],
            data_type: DataType::FLOAT as i32,
            float_data: values.to_vec(),
            ..TensorProto::default()
        }
    }

    fn input(name: &str, sides: &[i64]) -> ValueInfoProto {
        let dim = |n: &i64| Dimension {
            value: Some(dimension::Value::DimValue(*n)),
            ..Dimension::default()
        };
        let shape = TensorShapeProto {
            dim: sides.iter().map(dim).collect(),
            ..TensorShapeProto::default()
        };
        let tensor =
            type_proto::Tensor { shape: Some(shape).into(), ..type_proto::Tensor::default() };
        let kind = TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        };
        ValueInfoProto { name: name.into(), type_: Some(kind).into(), ..Default::default() }
    }

    /// The bytes of a model that takes a latent of `latent` values.
    fn file(latent: i64, constants: Vec<TensorProto>, nodes: Vec<NodeProto>) -> Vec<u8> {
        file_of(vec![input("z", &[1, latent])], constants, nodes)
    }

    fn file_of(
        input: Vec<ValueInfoProto>,
        constants: Vec<TensorProto>,
        nodes: Vec<NodeProto>,
    ) -> Vec<u8> {
        let output = nodes.last().map_or("z".into(), |n| n.output[0].clone());
        let graph = GraphProto {
            input,
            output: vec![ValueInfoProto { name: output, ..ValueInfoProto::default() }],
            initializer: constants,
            node: nodes,
            ..GraphProto::default()
        };
        let opset = OperatorSetIdProto { version: 17, ..OperatorSetIdProto::default() };
        let model = ModelProto {
            graph: Some(graph).into(),
            opset_import: vec![opset],
            ..ModelProto::default()
        };
        model.write_to_bytes().unwrap()
    }

    /// The limit at which a file is refused by default.
    fn refused(file: &[u8]) -> Option<Limit> {
        match read(file) {
            Err(OnnxError::Limit(exceeded)) => Some(exceeded.limit),
            _ => None,
        }
    }

    #[test]
    fn constants_are_not_multiplied() {
        // 2^26 times the first constant.
        let doubling = (0..26).map(|i| {
            let from = format!("c{i}");
            node("Concat", &[&from, &from], &format!("c{}", i + 1))
        });
        let bytes = file(4, vec![tensor("c0", &[1.0; 4])], doubling.collect());
        assert_eq!(refused(&bytes), Some(Limit::Expansion));
        for op in ["Identity", "Unsqueeze", "Cast"] {
            let copies = (0..2000).map(|i| {
                let mut node = node(op, &["c"], &format!("d{i}"));
                if op == "Cast" {
                    node.attribute.push(onnx_protobuf::AttributeProto {
                        name: "to".into(),
                        i: DataType::FLOAT as i64,
                        ..Default::default()
                    });
                }
                node
            });
            let bytes = file(4, vec![tensor("c", &[1.0; 10_000])], copies.collect());
            assert_eq!(refused(&bytes), Some(Limit::Expansion), "{op}");
        }
        // No values, but many dimensions.
        let mut empty = tensor("c", &[]);
        empty.dims = vec![0; 10_000];
        let copies = (0..2000).map(|i| node("Identity", &["c"], &format!("d{i}")));
        let bytes = file(4, vec![empty], copies.collect());
        assert_eq!(refused(&bytes), Some(Limit::Expansion));
        let scale = node("Mul", &["z", "c"], "y");
        let bytes = file(1 << 28, vec![tensor("c", &[2.0])], vec![scale]);
        assert_eq!(refused(&bytes), Some(Limit::Expansion));
    }

    #[test]
    fn the_constants_of_a_file_are_limited_at_their_edge() {
        // A constant of 3 values and one dimension, which are copied, and a scale and shift of 3.
        let nodes = vec![node("Identity", &["c"], "d"), node("Add", &["z", "d"], "y")];
        let bytes = file(3, vec![tensor("c", &[1.0; 3])], nodes);
        let within = |constants| read_within(&bytes, &Limits { constants, ..Limits::DEFAULT });
        let needs = 4 * (3 + 3 + 2 * 3) + 2 * size_of::<usize>() as u64;
        assert!(within(needs).is_ok(), "{:?}", within(needs));
        assert!(matches!(within(needs - 1), Err(OnnxError::Limit(_))));
    }

    #[test]
    fn layers_before_folding_are_limited() {
        let chain = |n: usize| {
            let nodes = (0..n).map(|i| {
                let from = if i == 0 { "z".into() } else { format!("x{i}") };
                node("Relu", &[&from], &format!("x{}", i + 1))
            });
            read(&file(3, vec![], nodes.collect()))
        };
        assert!(chain(384).is_ok());
        let error = chain(385).unwrap_err().to_string();
        assert!(error.ends_with("is layer 384; at most 384 are supported"), "{error}");
    }

    #[test]
    fn time_grows_with_the_file_and_not_its_square() {
        // 40,000 inputs that are initializers, and as many nodes that are evaluated.
        let names: Vec<String> = (0..40_000).map(|i| format!("{i:0>40}")).collect();
        let constants = names.iter().map(|name| tensor(name, &[])).collect();
        let nodes = names.iter().map(|name| node("Identity", &[name], &format!("{name}x")));
        let mut inputs: Vec<ValueInfoProto> = names.iter().map(|n| input(n, &[1])).collect();
        inputs.push(input("z", &[1, 3]));
        let bytes = file_of(inputs, constants, nodes.collect());
        let start = Instant::now();
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains("the chain of nodes ends at \"z\""), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}
