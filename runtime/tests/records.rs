//! Promises about records as files: alignment in memory, facts, and compatibility with burn.
#![cfg(feature = "std")]

use burn_pack::{Bytes, DType, Reader, Tensor, Writer};
use runtime::checksum::checksum;
use runtime::graph::{Facts, Graph, GraphError, Layer, Ready};
use runtime::model::{Model, ModelError, key};
use runtime::op::{Activation, Op};
use runtime::record::{ALIGNMENT, Buffer};
use runtime::{Cpu, Input, Latent, Limits};

fn graph(facts: Facts) -> Graph {
    let layer = Layer {
        name: "only".into(),
        op: Op::Dense { out: 3 },
        activation: Activation::Sigmoid,
        from: None,
        with: None,
        weight: vec![0.5, -0.25, 1.5, 2.0, -1.0, 0.0],
        bias: vec![1.0, 2.0, 3.0],
    };
    Graph { input: Input::Latent(2), layers: vec![layer], facts }
}

#[test]
fn included_bytes_are_aligned_and_whole() {
    // Any file will do.
    let bytes: &'static [u8] = runtime::include_record!("records.rs");
    assert_eq!(bytes, include_bytes!("records.rs"));
    assert_eq!(bytes.as_ptr() as usize % ALIGNMENT, 0);
}

#[test]
fn buffers_are_aligned_and_whole() {
    for len in [0, 1, 255, 256, 257, 1000] {
        let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let buffer = Buffer::from(&bytes);
        assert_eq!(buffer.bytes(), bytes);
        assert_eq!(buffer.bytes().as_ptr() as usize % ALIGNMENT, 0);
    }
}

#[test]
fn facts_come_back_as_they_were() {
    let text = |s: &str| s.to_string();
    let cases = [
        Facts::default(),
        Facts {
            name: text("faces"),
            license: text("CC0-1.0"),
            data: text("two lines\nof \"quoted\" text, é and 顔"),
            trained: text(&"long ".repeat(20_000)),
            range: (0.0, 1.0),
            labels: vec![text("with a space, ü")],
        },
        Facts { range: (1.0, -0.333_333_34), ..Facts::default() },
    ];
    for facts in cases {
        let graph = graph(facts);
        let buffer = Buffer::from(graph.to_record().unwrap());
        assert_eq!(Graph::from_model(&Model::parse(buffer.bytes()).unwrap()), graph);
    }
}

#[test]
fn classes_leave_room_for_a_seed() {
    let labels = ["smiling", "not"].map(str::to_string).into();
    let graph = graph(Facts { labels, ..Facts::default() });
    let error = graph.to_record().unwrap_err().to_string();
    assert!(error.contains("2 classes") && error.contains("latent of 2"), "{error}");
}

#[test]
fn a_missing_fact_is_empty() {
    let buffer = Buffer::from(graph(Facts::default()).to_record().unwrap());
    let model = Model::parse(buffer.bytes()).unwrap();
    for key in [key::NAME, key::LICENSE, key::DATA, key::TRAINED, key::LABELS, "no.such.key"] {
        assert_eq!(model.fact(key), "");
    }
    assert_eq!(model.labels().count(), 0);
}

#[test]
fn burn_finds_our_keys_names_and_shapes() {
    let bytes = graph(Facts::default()).to_record().unwrap();
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes.clone())).unwrap();
    let buffer = Buffer::from(&bytes);
    let model = Model::parse(buffer.bytes()).unwrap();
    for (key, value) in reader.metadata() {
        assert_eq!(model.fact(key), value);
    }
    let want = [key::CHECKSUM, key::FORMAT, key::LATENT, key::LAYERS, key::RANGE];
    assert!(reader.metadata().keys().map(String::as_str).eq(want));
    assert_eq!(model.fact(key::LAYERS), "only Dense 3 Sigmoid");
    let shapes: Vec<_> =
        reader.into_tensors().unwrap().into_iter().map(|t| (t.name, t.shape.to_vec())).collect();
    assert_eq!(shapes, [("only.bias".into(), vec![3]), ("only.weight".into(), vec![3, 2])]);
}

/// A record by burn's writer, with the metadata of a graph except for `key`, and these tensors.
fn burns(key: &str, value: &str, tensors: Vec<Tensor>) -> Vec<u8> {
    let buffer = Buffer::from(graph(Facts::default()).to_record().unwrap());
    let model = Model::parse(buffer.bytes()).unwrap();
    let mut writer = Writer::new(tensors);
    for k in [key::FORMAT, key::LATENT, key::LAYERS, key::RANGE, key::CHECKSUM] {
        writer = writer.with_metadata(k, if k == key { value } else { model.fact(k) });
    }
    writer.into_bytes().unwrap().to_vec()
}

fn tensor(name: &str, dtype: DType, shape: &[usize], bytes: usize) -> Tensor {
    Tensor::new(name.into(), dtype, shape.to_vec(), None, Bytes::from_bytes_vec(vec![0; bytes]))
}

#[test]
fn the_checksum_of_burns_own_layout_is_that_of_its_data_section() {
    let tensors = || {
        vec![
            tensor("only.weight", DType::F32, &[3, 2], 24),
            tensor("only.bias", DType::F32, &[3], 12),
        ]
    };
    let data = |bytes: &[u8]| {
        let metadata = u32::from_le_bytes(bytes[6..10].try_into().unwrap()) as usize;
        bytes[(10 + metadata).next_multiple_of(ALIGNMENT)..].to_vec()
    };
    let sum = checksum(&data(&burns("", "", tensors())));
    let right = Buffer::from(burns(key::CHECKSUM, &format!("{sum:08x}"), tensors()));
    let model = Model::parse(right.bytes()).unwrap();
    assert_eq!(model.layers()[0].floats().0, [0.0; 6]);
    let wrong = Buffer::from(burns(key::CHECKSUM, &format!("{:08x}", sum ^ 1), tensors()));
    assert_eq!(Model::parse(wrong.bytes()).unwrap_err(), ModelError::Checksum(sum ^ 1, sum));
}

#[test]
fn burn_records_that_are_not_generators() {
    let weight = |dtype, shape: &[usize], bytes| vec![tensor("only.weight", dtype, shape, bytes)];
    let whole = || weight(DType::F32, &[3, 2], 24);
    let cases = [
        (burns(key::FORMAT, "3", whole()), "\"pocket-gan.format\" has the invalid value \"3\""),
        (burns(key::LATENT, "0", whole()), "\"pocket-gan.latent\" has the invalid value \"0\""),
        (burns(key::LATENT, "-2", whole()), "\"pocket-gan.latent\" has the invalid value \"-2\""),
        (
            burns(key::LATENT, "99999999999999999999", whole()),
            "\"pocket-gan.latent\" has the invalid value \"99999999999999999999\"",
        ),
        (burns(key::RANGE, "1 1", whole()), "\"pocket-gan.range\" has the invalid value \"1 1\""),
        (
            burns(key::RANGE, "0 inf", whole()),
            "\"pocket-gan.range\" has the invalid value \"0 inf\"",
        ),
        (
            burns(key::CHECKSUM, "none", whole()),
            "\"pocket-gan.checksum\" has the invalid value \"none\"",
        ),
        (
            burns(key::LAYERS, &"x Activate Relu\n".repeat(65), whole()),
            "65 layers; at most 64 are supported",
        ),
        (burns("", "", vec![]), "layer 0 (only): the record has no weight"),
        (
            burns("", "", weight(DType::F16, &[3, 2], 12)),
            "layer 0 (only): values of type \"F16\", the model's precision needs \"F32\"",
        ),
        (
            burns("", "", weight(DType::F32, &[2, 2], 16)),
            "layer 0 (only): the weight has 4 values, the layer needs 6",
        ),
        (
            burns(
                "",
                "",
                vec![
                    tensor("only.weight", DType::F32, &[3, 2], 24),
                    tensor("only.bias", DType::F32, &[2], 8),
                ],
            ),
            "layer 0 (only): the bias has 2 values, the layer needs 3",
        ),
    ];
    for (bytes, want) in cases {
        let buffer = Buffer::from(&bytes);
        assert_eq!(Model::parse(buffer.bytes()).unwrap_err().to_string(), want);
    }
}

#[test]
fn a_graph_that_is_ready_makes_the_faces_of_its_record() {
    let tiny = runtime::include_record!("../../models/pretrained/faces-tiny.bpk");
    let graph = Graph::from_model(&Model::parse(tiny).unwrap());
    let record = graph.to_buffer().unwrap();
    let limits = Limits::DEFAULT;
    let ready = Ready::new(graph, &limits).unwrap();
    let models = [Model::parse(record.bytes()).unwrap(), ready.model(&limits).unwrap()];
    let faces = models.each_ref().map(|model| {
        let mut arena = vec![0.0; model.arena_len()];
        let mut cpu = Cpu::new(model, &mut arena).unwrap();
        let image = cpu.generate(&Latent::from_seed(7)).unwrap();
        image.rgba().flatten().collect::<Vec<u8>>()
    });
    assert_eq!(faces[0], faces[1]);
    let [stored, lent] = models;
    assert_eq!(Graph::from_model(&stored), Graph::from_model(&lent));
    let none = Limits { multiply_adds: 1, ..limits };
    assert!(matches!(ready.model(&none), Err(ModelError::Limit(_))));
}

#[test]
fn weights_that_become_infinite_are_found() {
    let one = |op, scale: f32| Layer { weight: vec![scale; 3], ..Layer::new("", op) };
    let named = |name: &str, layer: Layer| Layer { name: name.into(), ..layer };
    for (scale, fits) in [(1e10, true), (1e30, false)] {
        let graph = Graph {
            input: Input::Latent(1),
            layers: vec![
                named("dense", one(Op::Dense { out: 3 }, 1e20)),
                named("scale", one(Op::Affine, scale)),
                named("again", one(Op::Affine, 1e-5)),
            ],
            facts: Facts::default(),
        };
        graph.checked().unwrap();
        let mut folded = graph.clone();
        folded.fold();
        assert_eq!(folded.layers.len(), 1);
        let ready = Ready::new(graph, &Limits::DEFAULT).map(|_| ());
        assert_eq!(ready, folded.to_record().map(|_| ()));
        assert_eq!(ready.is_ok(), fits);
    }
}

#[test]
fn what_is_no_record_is_not_ready() {
    let tiny = runtime::include_record!("../../models/pretrained/faces-tiny.bpk");
    let mut graph = Graph::from_model(&Model::parse(tiny).unwrap());
    graph.layers[0].weight[5] = f32::NAN;
    let Err(error) = Ready::new(graph.clone(), &Limits::DEFAULT) else { panic!() };
    assert!(matches!(error, GraphError::NotFinite(0, _, "weight")), "{error}");
    assert_eq!(graph.to_record(), Err(error));
    graph.layers[0].weight.pop();
    assert!(matches!(Ready::new(graph, &Limits::DEFAULT), Err(GraphError::Tensor { .. })));
}
