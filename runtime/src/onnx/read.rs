//! Other people's generators: nodes from one latent or picture to one image become a graph.
//!
//! They are walked once, tracking the current tensor and its shape. Constants may be initializers or
//! nodes; what exporters compute from them is evaluated along the way.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::fs::File;
use std::path::Path;

use onnx_protobuf::{GraphProto, ModelProto, NodeProto};
use protobuf::Message;

use super::budget::Budget;
use super::chain::Chain;
use super::cut::{Cut, cut};
use super::data::Data;
use super::error::OnnxError;
use super::external;
use super::inputs::{Inputs, inputs};
use super::node::Node;
use super::output;
use super::range::{self, Known};
use super::refused;
use super::scan::scan;
use super::source::{Part, Source};
use super::tensor::Constant;
use crate::graph::{Facts, Graph};
use crate::limits::Limits;
use crate::model::key;

/// The oldest operation set whose rules are implemented: since it, constants are broadcast from
/// their last dimension.
const OLDEST: i64 = 7;

/// What an ONNX file does not say, and how much it may ask for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// How much the file may ask for.
    pub limits: Limits,
    /// The folder of the file, in which the values of its tensors may lie in other files; without
    /// it, such a file is an error.
    pub folder: Option<&'a Path>,
    /// Output values of black and white; without them they follow from the file.
    pub range: Option<(f32, f32)>,
    /// Dimensions of the image of a generator whose output is a vector: channels, height, width,
    /// or height, width, channels. Without them a square is assumed.
    pub image: Option<[usize; 3]>,
    /// Leaves it to whatever is made of the graph to look whether all weights are finite, which then
    /// happens once.
    pub unchecked: bool,
}

/// A generator that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The generator.
    pub graph: Graph,
    /// What the file does not say and was assumed: sentences for the user.
    pub assumed: Vec<String>,
}

/// Reads a generator from an ONNX file of any exporter: supported operations from a latent `[N, n]`
/// or `[N, n, 1, 1]`, and possibly a label, or from a picture of -1 to 1 to an image. A picture has 1
/// or 3 channels and is `[N, c, h, w]` or `[N, h, w, c]`. Branches may be added or concatenated.
/// Batch norm becomes a scale and shift per channel; see [`Graph::fold`].
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
    let options = Options { limits: *limits, ..Options::default() };
    import(bytes, &options).map(|found| found.graph)
}

/// [`read`] with what the file does not say.
///
/// # Errors
/// As [`read`].
pub fn import(bytes: &[u8], options: &Options<'_>) -> Result<Import, OnnxError> {
    let parsed = parse(&Part::of(bytes), options);
    parsed.and_then(|parsed| build(parsed, bytes.len(), options))
}

/// [`import`] of a file of `len` bytes that reads only what it needs: its weights take memory
/// once.
///
/// # Errors
/// As [`read`], and [`OnnxError::Read`] if the file cannot be read.
pub fn import_file(file: File, len: usize, options: &Options<'_>) -> Result<Import, OnnxError> {
    let parsed = parse(&Part { source: Source::disk(file), at: 0, len }, options);
    parsed.and_then(|parsed| build(parsed, len, options))
}

/// A model, and the data that was cut out of its initializers.
type Parsed<'a> = (ModelProto, BTreeMap<usize, Part<'a>>);

fn parse<'a>(file: &Part<'a>, options: &Options<'_>) -> Result<Parsed<'a>, OnnxError> {
    let failed = |e: std::io::Error| OnnxError::Read(e.to_string());
    let budget = Budget::of_fields(file.len, &options.limits);
    let (bytes, data) = match cut(&file.source, file.len as u64).map_err(failed)? {
        Some(Cut { message, data }) => (Cow::Owned(message), data),
        None => (file.bytes().map_err(failed)?, Vec::new()),
    };
    for (_, part) in &data {
        budget.take(part.len, 1)?;
    }
    scan(&bytes, &budget)?;
    let model = ModelProto::parse_from_bytes(&bytes);
    let model = model.map_err(|e| OnnxError::NotOnnx(e.to_string()))?;
    Ok((model, data.into_iter().collect()))
}

/// The generator of a file of `len` bytes.
fn build(
    (mut model, mut data): Parsed<'_>,
    len: usize,
    options: &Options<'_>,
) -> Result<Import, OnnxError> {
    let Some(mut graph) = model.graph.take() else {
        return Err(OnnxError::NotOnnx("it has no graph".into()));
    };
    let opset = operation_set(&model)?;
    if let Some(error) = refused::model(&graph) {
        return Err(error);
    }
    let folder = options.folder;
    let values = graph.node.iter().flat_map(|n| n.attribute.iter().filter_map(|a| a.t.as_ref()));
    let outside = external::length(graph.initializer.iter().chain(values), folder);
    let budget = Budget::new(len.saturating_add(outside as usize), &options.limits);
    let mut constants = BTreeMap::new();
    // Each is freed once it is read, to make room for the next.
    for (i, mut tensor) in core::mem::take(&mut graph.initializer).into_iter().enumerate() {
        let constant = match data.remove(&i) {
            Some(raw) => Constant::read_from(&tensor, &raw, folder, &budget)?,
            None => Constant::read(&tensor, folder, &budget)?,
        };
        budget.take(constant.size(), 1)?;
        let name = core::mem::take(&mut tensor.name);
        constants.insert(name, constant);
    }
    let Inputs { name, input, view, label } = inputs(&graph, &constants, &budget)?;
    let uses = uses(&graph);
    let left = uses.get(&name).copied().unwrap_or(0);
    let data = Data::input(input.shape(), view.clone());
    let mut chain = Chain {
        opset,
        folder,
        constants,
        uses,
        ahead: &graph.node,
        graph: Graph { input, layers: Vec::new(), facts: facts(&model, &graph.name) },
        tensors: [(name.clone(), (data, left))].into(),
        at: name,
        view,
        shape: input.shape(),
        layer: None,
        pad: None,
        cut: None,
        rounded: None,
        names: BTreeSet::new(),
        budget,
        used: BTreeMap::new(),
        functions: Vec::new(),
        label: None,
        bytes: false,
    };
    if let Some((label, constant)) = label {
        chain.budget.take(constant.size(), 1)?;
        chain.constants.insert(label.name.clone(), constant);
        chain.label = Some(label);
    }
    walk(&mut chain, &graph.node)?;
    let mut assumed = output::settle(&mut chain, &graph, options.image)?;
    let stated = has(&model, key::RANGE).then_some(chain.graph.facts.range);
    let known = Known { given: options.range, stated, rounded: chain.rounded, bytes: chain.bytes };
    let channels = chain.shape.c;
    let note = range::settle(&mut chain.graph, channels, &known).map_err(OnnxError::Model)?;
    assumed.extend(note);
    match options.unchecked {
        true => chain.graph.flow()?,
        false => chain.graph.checked()?,
    };
    Ok(Import { graph: chain.graph, assumed })
}

/// Takes the chain through all nodes.
fn walk<'a>(chain: &mut Chain<'a>, nodes: &'a [NodeProto]) -> Result<(), OnnxError> {
    for (i, node) in nodes.iter().enumerate() {
        if !is_standard(&node.domain) {
            let what = format!(
                "operations of {:?} are not supported: export without optimizing for one runtime",
                node.domain
            );
            return Err(Node(node).fail(what));
        }
        chain.ahead = &nodes[i..];
        chain.node(&Node(node))?;
    }
    Ok(())
}

/// Whether operations of `domain` are those of ONNX itself.
fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// The version of the standard operations in a file.
fn operation_set(model: &ModelProto) -> Result<i64, OnnxError> {
    let opset = model.opset_import.iter().find(|o| is_standard(&o.domain));
    match opset.map_or(1, |o| o.version) {
        old if old < OLDEST => Err(OnnxError::Model(format!(
            "operation set {old} is not supported: export with opset_version={OLDEST} or newer"
        ))),
        opset => Ok(opset),
    }
}

/// How often each tensor is read.
fn uses(graph: &GraphProto) -> BTreeMap<String, usize> {
    let mut uses = BTreeMap::new();
    let reading = graph.node.iter().filter(|node| node.op_type != "Shape");
    let outputs = graph.output.iter().map(|output| &output.name);
    for name in reading.flat_map(|node| &node.input).chain(outputs) {
        *uses.entry(name.clone()).or_default() += 1;
    }
    uses
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

#[cfg(test)]
mod tests {
    use alloc::vec;
    use std::time::{Duration, Instant};

    use onnx_protobuf::tensor_proto::DataType;
    use onnx_protobuf::tensor_shape_proto::{Dimension, dimension};
    use onnx_protobuf::{
        OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
    };

    use super::*;
    use crate::layer::{Input, LAYERS};
    use crate::limits::Limit;
    use crate::op::{Activation, Shape};

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
        let within = |constants| {
            let limits = Limits { constants, ..Limits::DEFAULT };
            import(&bytes, &Options { limits, image: Some([3, 1, 1]), ..Options::default() })
        };
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
            let options = Options { image: Some([3, 1, 1]), ..Options::default() };
            import(&file(3, vec![], nodes.collect()), &options)
        };
        let most = 8 * LAYERS;
        assert!(chain(most).is_ok());
        let error = chain(most + 1).unwrap_err().to_string();
        let want = format!("is layer {most}; at most {most} are supported");
        assert!(error.ends_with(&want), "{error}");
    }

    #[test]
    fn pictures_may_have_their_channels_last() {
        let turned = |input: &str, output: &str, axes: [i64; 4]| {
            let mut node = node("Transpose", &[input], output);
            node.attribute.push(onnx_protobuf::AttributeProto {
                name: "perm".into(),
                ints: axes.to_vec(),
                ..Default::default()
            });
            node
        };
        let mut concat = node("Concat", &["x", "a"], "b");
        concat.attribute.push(onnx_protobuf::AttributeProto {
            name: "axis".into(),
            i: 3,
            ..Default::default()
        });
        // Both halves of the picture as they lie, and once from channels first.
        let nodes = vec![
            turned("x", "t", [0, 3, 1, 2]),
            node("Tanh", &["t"], "u"),
            turned("u", "a", [0, 2, 3, 1]),
            concat,
            node("Mul", &["b", "c"], "d"),
            node("Add", &["x", "a"], "y"),
        ];
        let read = |nodes: Vec<NodeProto>| {
            read(&file_of(vec![input("x", &[1, 4, 5, 1])], vec![tensor("c", &[2.0, 3.0])], nodes))
        };
        let error = read(nodes.clone()).unwrap_err().to_string();
        assert!(error.contains("(d): no later layer reads its output"), "{error}");
        let graph = read([&nodes[..3], &nodes[5..]].concat()).unwrap();
        assert_eq!(graph.input, Input::Picture(Shape::new(1, 4, 5)));
        assert_eq!(graph.layers[0].activation, Activation::Tanh);
        assert_eq!(graph.layers[1].from.as_deref(), Some("input"));
        assert_eq!(graph.layers[1].with.as_deref(), Some("u"));
        // The rows of one channel can be channels.
        let mut rows = nodes[..4].to_vec();
        rows[3].attribute[0].i = 1;
        let shapes = read(rows).unwrap().shapes().unwrap();
        assert_eq!(shapes.last(), Some(&Shape::new(1, 8, 5)));
    }

    /// A generator of 3 x 2 x 2 values: a matrix, a batch norm and an activation.
    fn generator(kind: DataType, value: impl Fn(f32) -> Vec<u8>) -> Vec<u8> {
        let bytes = (0..3600).flat_map(|i| value((i as f32).sin())).collect();
        let weight = TensorProto {
            name: "w".into(),
            dims: vec![300, 12],
            data_type: kind as i32,
            raw_data: bytes,
            ..TensorProto::default()
        };
        let shape = TensorProto {
            name: "shape".into(),
            dims: vec![4],
            data_type: DataType::INT64 as i32,
            int64_data: vec![-1, 3, 2, 2],
            ..TensorProto::default()
        };
        let four = ["gamma", "beta", "mean", "variance"];
        let mut constants = vec![shape, weight];
        constants.extend(four.map(|name| tensor(name, &[0.5, 1.5, 2.5])));
        let nodes = vec![
            node("MatMul", &["z", "w"], "a"),
            node("Reshape", &["a", "shape"], "b"),
            node("BatchNormalization", &["b", "gamma", "beta", "mean", "variance"], "c"),
            node("Tanh", &["c"], "y"),
        ];
        file(300, constants, nodes)
    }

    /// [`import`] of a message that protobuf parses as a whole.
    fn import_whole(bytes: &[u8], options: &Options<'_>) -> Result<Import, OnnxError> {
        scan(bytes, &Budget::of_fields(bytes.len(), &options.limits))?;
        let model = ModelProto::parse_from_bytes(bytes);
        let model = model.map_err(|e| OnnxError::NotOnnx(e.to_string()))?;
        build((model, BTreeMap::new()), bytes.len(), options)
    }

    #[test]
    fn weights_that_are_cut_out_make_the_same_graph() {
        let files = [
            generator(DataType::FLOAT, |v| v.to_le_bytes().into()),
            generator(DataType::DOUBLE, |v| f64::from(v).to_le_bytes().into()),
            generator(DataType::FLOAT16, |v| ((v.abs() * 1000.0) as u16).to_le_bytes().into()),
            generator(DataType::INT64, |v| (v as i64).to_le_bytes().into()),
            generator(DataType::FLOAT, |v| v.to_le_bytes()[..3].into()),
            generator(DataType::UINT8, |v| vec![v as u8; 4]),
        ];
        let folder = std::env::temp_dir();
        for (i, bytes) in files.iter().enumerate() {
            let (options, path) = (Options::default(), folder.join(format!("cut-{i}.onnx")));
            let cut = cut(&Source::Memory(bytes), bytes.len() as u64).unwrap();
            assert!(cut.is_some(), "{i}");
            let want = import_whole(bytes, &options).map(|found| found.graph);
            assert_eq!(want.is_ok(), i < 3, "{want:?}");
            assert_eq!(import(bytes, &options).map(|found| found.graph), want);
            std::fs::write(&path, bytes).unwrap();
            let file = || File::open(&path).unwrap();
            let read = import_file(file(), bytes.len(), &options).map(|found| found.graph);
            assert_eq!(read, want);
            let error = import_file(file(), bytes.len() + 1, &options).unwrap_err();
            assert!(matches!(error, OnnxError::Read(_)), "{error}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn limits_are_the_same_with_and_without_cutting() {
        let bytes = generator(DataType::FLOAT, |v| v.to_le_bytes().into());
        for constants in (0..80_000).step_by(151) {
            let limits = Limits { constants, ..Limits::DEFAULT };
            let options = Options { limits, ..Options::default() };
            let graph = |found: Import| found.graph;
            let (cut, whole) = (import(&bytes, &options), import_whole(&bytes, &options));
            assert_eq!(cut.map(graph), whole.map(graph), "{constants}");
        }
    }

    #[test]
    fn damage_is_found_with_and_without_cutting() {
        let bytes = generator(DataType::FLOAT, |v| v.to_le_bytes().into());
        let options = Options::default();
        for at in (0..bytes.len()).filter(|at| at % 131 == 0 || at + 400 > bytes.len() || *at < 90)
        {
            for change in [0x01, 0x08, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                let (cut, whole) = (import(&bytes, &options), import_whole(&bytes, &options));
                // NaN is not equal to itself; to print all weights takes long.
                let same = matches!((&cut, &whole), (Ok(a), Ok(b)) if a == b);
                assert!(same || format!("{cut:?}") == format!("{whole:?}"), "{at}: {whole:?}");
            }
        }
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
