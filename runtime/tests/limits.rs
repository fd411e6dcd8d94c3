//! Promises about files that ask for much: they are refused at a limit, before the memory or time is
//! spent.
#![cfg(feature = "std")]

use runtime::graph::{Facts, Graph, GraphError, Layer};
use runtime::limits::Exceeded;
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::Buffer;
use runtime::{Cpu, Input, Latent, Limit, Limits, Model, ModelError};

fn layer(name: &str, op: Op, activation: Activation, weight: usize, bias: usize) -> Layer {
    Layer {
        name: name.into(),
        op,
        activation,
        from: None,
        with: None,
        weight: vec![0.25; weight],
        bias: vec![0.5; bias],
    }
}

fn graph(latent: usize, layers: Vec<Layer>) -> Graph {
    Graph { input: Input::Latent(latent), layers, facts: Facts::default() }
}

/// The limit at which a record is refused by default.
fn refused(graph: &Graph) -> Option<Limit> {
    let record = graph.to_buffer().unwrap();
    match Model::parse(record.bytes()) {
        Ok(_) => None,
        Err(ModelError::Limit(exceeded)) => Some(exceeded.limit),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_small_record_cannot_ask_for_much() {
    let resize = Op::Resize { factor: 16384 };
    let large = graph(1, vec![layer("a", resize, Activation::None, 0, 0)]);
    assert_eq!(refused(&large), Some(Limit::Arena));
    let to = Op::Reshape { to: Shape::new(1, 16384, 16384) };
    let long = vec![
        layer("a", Op::Activate, Activation::Tanh, 0, 0),
        layer("b", to, Activation::None, 0, 0),
    ];
    assert_eq!(refused(&graph(1 << 28, long)), Some(Limit::Arena));
    let conv = Op::Conv { out: 1, window: Window { kernel: 17, stride: 1, padding: 8 } };
    let slow = |convolutions: usize| {
        let mut layers = vec![layer("r", Op::Resize { factor: 4096 }, Activation::None, 0, 0)];
        for i in 0..convolutions {
            layers.push(layer(&format!("c{i}"), conv, Activation::None, 289, 1));
        }
        graph(1, layers)
    };
    assert_eq!(refused(&slow(20)), Some(Limit::MultiplyAdds));
    // 4,848,615,424 each, counted as for 8 channels, and what they write.
    assert_eq!(refused(&slow(2)), Some(Limit::MultiplyAdds));
    assert_eq!(refused(&slow(1)), None);
    // Without multiplications, but not without work.
    let mut moves = vec![layer("r", Op::Resize { factor: 8192 }, Activation::None, 0, 0)];
    for i in 0..31 {
        moves.push(layer(&format!("a{i}"), Op::Activate, Activation::Tanh, 0, 0));
    }
    let moves = graph(1, moves);
    assert_eq!(refused(&moves), None);
    let half = Limits { multiply_adds: 1 << 33, ..Limits::DEFAULT };
    let error = moves.check(&half).unwrap_err();
    assert!(matches!(error, GraphError::Limit(e) if e.limit == Limit::MultiplyAdds), "{error}");
}

#[test]
fn every_limit_of_a_model_holds_at_its_edge() {
    // 2 values, 12 values, 3 x 4 x 4.
    let graph = graph(
        2,
        vec![
            layer("dense", Op::Dense { out: 12 }, Activation::Relu, 24, 12),
            layer("shape", Op::Reshape { to: Shape::new(3, 2, 2) }, Activation::None, 0, 0),
            layer("wide", Op::Resize { factor: 2 }, Activation::None, 0, 0),
        ],
    );
    let record = graph.to_buffer().unwrap();
    let edges = [
        (Limit::Layers, 3),
        // The input and output of the last layer.
        (Limit::Arena, 4 * (12 + 48)),
        (Limit::MultiplyAdds, 24 + 32 * (12 + 12 + 48)),
        (Limit::Pixels, 16),
    ];
    for (limit, need) in edges {
        let within = |most: u64| {
            let mut limits = Limits::NONE;
            limits.set(limit, most);
            limits
        };
        let model = Model::parse_within(record.bytes(), &within(need)).unwrap();
        let mut arena = vec![0.0; model.arena_len()];
        Cpu::new(&model, &mut arena).unwrap().generate(&Latent::from_seed(1)).unwrap();
        graph.check(&within(need)).unwrap();
        let exceeded = Exceeded { limit, need, most: need - 1 };
        let error = Model::parse_within(record.bytes(), &within(need - 1)).unwrap_err();
        assert_eq!(error, ModelError::Limit(exceeded));
        assert_eq!(graph.check(&within(need - 1)), Err(GraphError::Limit(exceeded)));
    }
}

/// A dense layer, an activation and a batch norm of many channels, as in a fully connected
/// generator.
fn wide(channels: usize) -> Graph {
    let window = Window { kernel: 4, stride: 2, padding: 1 };
    let side = channels / 16;
    graph(
        4,
        vec![
            layer("fc", Op::Dense { out: channels }, Activation::Relu, 4 * channels, channels),
            layer("bn", Op::Affine, Activation::Tanh, channels, channels),
            layer("to", Op::Reshape { to: Shape::new(side, 4, 4) }, Activation::None, 0, 0),
            layer("up", Op::ConvTranspose { out: 3, window }, Activation::Tanh, side * 48, 3),
        ],
    )
}

#[test]
fn records_grow_with_the_channels_of_a_scale_and_not_their_square() {
    let graph = wide(8192);
    let floats = graph.to_record().unwrap().len();
    let packed = [graph.pack(), graph.halve(), graph.quantize(0..2)];
    for (record, what) in packed.into_iter().zip(["packed", "f16", "int8"]) {
        let record = Buffer::from(record.unwrap());
        assert!(record.bytes().len() < 2 * floats, "{what}: {}", record.bytes().len());
        let model = Model::parse(record.bytes()).unwrap();
        assert_eq!(model.layers()[1].op, Op::Affine, "{what}");
    }
    // A lone activation of 65,536 values, which was a matrix of 16 GiB.
    let to = Op::Reshape { to: Shape::new(1, 256, 256) };
    let layers = vec![
        layer("a", Op::Activate, Activation::Tanh, 0, 0),
        layer("b", to, Activation::None, 0, 0),
    ];
    assert!(self::graph(65536, layers).quantize(0..1).unwrap().len() < 1 << 21);
}

#[test]
fn scales_of_few_channels_are_stored_as_before() {
    // The bytes of records that exist must not change: 64 channels are the diagonal of a matrix.
    let op = |channels| {
        let record = Buffer::from(wide(channels).pack().unwrap());
        Model::parse(record.bytes()).unwrap().layers()[1].op
    };
    let window = Window { kernel: 1, stride: 1, padding: 0 };
    assert_eq!(op(64), Op::Conv { out: 64, window });
    assert_eq!(op(80), Op::Affine);
}

#[test]
fn a_scale_as_the_image_of_a_packed_record_is_refused() {
    let from = "up ConvTranspose 3 4 2 1 Tanh";
    let rest = " Affine Tanh";
    let to = format!("{:x<width$}{rest}", "up", width = from.len() - rest.len());
    for record in [wide(80).pack(), wide(80).halve()] {
        let mut bytes = record.unwrap();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        let buffer = Buffer::from(bytes);
        let error = Model::parse_unverified(buffer.bytes()).unwrap_err();
        assert!(matches!(error, ModelError::Blocks(3, _, "this operation")), "{error}");
    }
}
