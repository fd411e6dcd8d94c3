//! Other people's generators: a chain of nodes from one latent to one image becomes a graph.
//!
//! The chain is walked once, tracking the current tensor and its shape. Constants may be
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

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::tensor::Constant;
use crate::graph::{Facts, Graph};
use crate::model::key;
use crate::op::{Activation, LARGEST, Shape};

/// The oldest operation set whose rules are implemented.
const OLDEST: i64 = 11;

/// Reads a generator from an ONNX file of any exporter: a chain of supported operations from a
/// latent `[N, n]` or `[N, n, 1, 1]` to an image. Batch norm becomes a scale and shift per channel;
/// see [`Graph::fold`].
///
/// # Errors
/// [`OnnxError`] names the unsupported node or tensor.
pub fn read(bytes: &[u8]) -> Result<Graph, OnnxError> {
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
    // Each is freed once it is read, to make room for the next.
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
        true => return Err(OnnxError::Model("the model has more than one output".into())),
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
    let inputs: Vec<_> = graph
        .input
        .iter()
        .filter(|i| !graph.initializer.iter().any(|t| t.name == i.name))
        .collect();
    match inputs[..] {
        [input] => Ok(input),
        _ => Err(OnnxError::Model(format!(
            "a generator has one input; this model has {}: {:?}",
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
        Some(n) if (1..=LARGEST).contains(&n) => Ok((input.name.clone(), n)),
        _ => Err(OnnxError::Model(format!(
            "the input {:?} has shape {}; only [N, n] and [N, n, 1, 1] are supported",
            input.name,
            show(&sides)
        ))),
    }
}

fn show(sides: &[Option<i64>]) -> String {
    let sides = sides.iter().map(|s| s.map_or("?".into(), |n| n.to_string()));
    format!("[{}]", sides.collect::<Vec<_>>().join(", "))
}
