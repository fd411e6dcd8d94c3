//! Records: their bytes, and models of every shape in every precision.

use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::{Buffer, Record};
use runtime::{Cpu, Crew, Isa, Latent, Limits, Model, Precision, plan};

use crate::bytes::Choices;

/// What a model may take to be run: some milliseconds.
pub const LIMITS: Limits = Limits {
    file: 1 << 20,
    layers: 32,
    arena: 1 << 20,
    multiply_adds: 1 << 21,
    pixels: 1 << 16,
    constants: 1 << 24,
    expansion: 16,
};

/// The bytes of a record, and of the model in it.
pub fn metadata(bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes) {
        for key in ["pocket-gan.layers", "pocket-gan.labels", ""] {
            let _ = record.get(key);
        }
        assert!(record.tensor(|_| false).is_none());
    }
    let buffer = Buffer::from(bytes);
    let checked = Model::parse(buffer.bytes()).is_ok();
    let model = Model::parse_unverified(buffer.bytes());
    assert!(!checked || model.is_ok(), "the checksum is one check more");
    if let Ok(model) = model {
        run(&model);
    }
}

/// A record of every operation in one of the precisions, with some bytes changed: the first byte
/// chooses, and every three are a place and a value.
pub fn record(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let graph = every_operation();
    let mut record = match choices.below(4) {
        0 => graph.to_record(),
        1 => graph.pack(),
        2 => graph.halve(),
        _ => graph.quantize(0..1),
    }
    .expect("the graph is a generator");
    while !choices.0.is_empty() {
        let at = choices.short() % record.len();
        record[at] = choices.byte();
    }
    let buffer = Buffer::from(record);
    if let Ok(model) = Model::parse_unverified(buffer.bytes()) {
        run(&model);
    }
}

/// A model of any layers, through every precision: faces of all instruction sets and of two threads
/// agree with those of the obvious loops.
///
/// # Panics
/// If they do not.
pub fn graph(bytes: &[u8]) {
    let graph = any_graph(&mut Choices(bytes));
    if graph.check(&LIMITS).is_err() {
        return;
    }
    let Ok(record) = graph.to_buffer() else { return };
    let model = Model::parse_within(record.bytes(), &LIMITS).expect("it was checked");
    assert_eq!(Graph::from_model(&model), graph, "a record keeps the graph");
    agree(&model);
    let mut folded = graph.clone();
    folded.fold();
    let all = [folded.to_record(), graph.pack(), graph.halve(), graph.quantize(0..2)];
    for record in all.into_iter().flatten() {
        let record = Buffer::from(record);
        agree(&Model::parse_within(record.bytes(), &Limits::NONE).expect("it was just written"));
    }
}

/// Runs a model that may have any weights, if that is quick; then those that are made from it.
pub fn run(model: &Model<'_>) {
    if plan::check(model.layers(), model.latent(), &LIMITS).is_err() {
        return;
    }
    face(model);
    if model.precision() == Precision::F32 {
        let mut graph = Graph::from_model(model);
        graph.fold();
        for record in [graph.pack(), graph.halve(), graph.quantize(0..1)].into_iter().flatten() {
            let record = Buffer::from(record);
            if let Ok(model) = Model::parse(record.bytes()) {
                face(&model);
            }
        }
    }
}

/// One face with the fastest kernels.
///
/// # Panics
/// If it has another number of pixels than the model states.
pub fn face(model: &Model<'_>) {
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::new(model, &mut arena).expect("the arena has the stated length");
    let image = cpu.generate(&Latent::from_seed(1)).expect("seeds have any length");
    assert_eq!(image.pixels().len(), model.output().plane());
    assert!(model.labels().count() == model.classes() && model.multiply_adds() < 1 << 40);
}

fn agree(model: &Model<'_>) {
    // Kernels must not read what they have not written.
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut pixels = |isa: Option<Isa>| -> Vec<[u8; 3]> {
        arena.fill(f32::NAN);
        let mut cpu = Cpu::with(model, &mut arena, isa).expect("the arena has the stated length");
        cpu.generate(&Latent::from_seed(1)).expect("seeds have any length").pixels().collect()
    };
    let want = pixels(None);
    for isa in Isa::all().into_iter().flatten() {
        close(model, &pixels(Some(isa)), &want, isa.name());
    }
    let mut arena = vec![f32::NAN; model.arena_len_of(2)];
    let got = Crew::with(model, &mut arena, Isa::best(), 2, |crew| {
        let image = crew.generate(&Latent::from_seed(1)).expect("seeds have any length");
        image.pixels().collect::<Vec<_>>()
    });
    close(model, &got.expect("the arena has the stated length"), &want, "two threads");
}

/// int8 to the byte; floats are added in another order.
fn close(model: &Model<'_>, got: &[[u8; 3]], want: &[[u8; 3]], what: &str) {
    let most = if model.precision() == Precision::Int8 { 0 } else { 1 };
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().flatten().zip(want.iter().flatten()).enumerate() {
        assert!(got.abs_diff(*want) <= most, "{what}: value {i} is {got}, not {want}: {model:?}");
    }
}

fn layer(name: &str, op: Op, activation: Activation, weight: usize, bias: usize) -> Layer {
    let weight = (0..weight).map(|i| (i % 5) as f32 * 0.25 - 0.5).collect();
    Layer { name: name.into(), op, activation, weight, bias: vec![0.125; bias] }
}

/// A small model with each operation.
pub fn every_operation() -> Graph {
    let window = |kernel, stride, padding| Window { kernel, stride, padding };
    let (none, leaky) = (Activation::None, Activation::LeakyRelu(0.2));
    let up = Op::ConvTranspose { out: 2, window: window(4, 2, 1) };
    let same = Op::Conv { out: 3, window: window(3, 1, 1) };
    let to = Shape::new(4, 2, 2);
    let layers = vec![
        layer("dense", Op::Dense { out: 16 }, none, 48, 16), // 16 x 1 x 1
        layer("shape", Op::Reshape { to }, none, 0, 0),      // 4 x 2 x 2
        layer("norm", Op::Affine, leaky, 4, 4),              // 4 x 2 x 2
        layer("up", up, Activation::Relu, 128, 2),           // 2 x 4 x 4
        layer("wide", Op::Resize { factor: 2 }, none, 0, 0), // 2 x 8 x 8
        layer("same", same, Activation::Tanh, 54, 3),        // 3 x 8 x 8
    ];
    Graph { latent: 3, layers, facts: Facts { labels: vec!["a".into()], ..Facts::default() } }
}

fn any_graph(choices: &mut Choices<'_>) -> Graph {
    let latent = 1 + choices.below(40);
    let mut graph = Graph { latent, layers: Vec::new(), facts: Facts::default() };
    let mut shape = Shape::new(latent, 1, 1);
    let count = 1 + choices.below(7);
    for i in 0..count {
        let last = i + 1 == count;
        let out = match last {
            true => [1, 3][choices.below(2)],
            false => 1 + choices.below(70),
        };
        let kernel = 1 + choices.below(6);
        let window =
            Window { kernel, stride: 1 + choices.below(4), padding: choices.below(kernel) };
        let op = match choices.below(if last { 2 } else { 7 }) {
            0 => Op::ConvTranspose { out, window },
            1 => Op::Conv { out, window },
            2 => Op::Dense { out: out * (1 + choices.below(4)) },
            3 => Op::Affine,
            4 => Op::Resize { factor: 1 + choices.below(3) },
            5 => Op::Reshape { to: reshaped(shape, choices) },
            _ => Op::Activate,
        };
        let Ok(output) = op.output(shape) else { break };
        let [weight, bias] = lengths(&op, shape);
        let activation = match choices.below(6) {
            0 => Activation::None,
            1 => Activation::Relu,
            2 => Activation::LeakyRelu(choices.unit().abs()),
            3 => Activation::Sigmoid,
            _ => Activation::Tanh,
        };
        // A few values chosen, the others follow from them.
        let few: [f32; 7] = std::array::from_fn(|_| choices.unit());
        let values = |n: usize| (0..n).map(|j| few[j % 7] * few[(j / 7 + i) % 7]).collect();
        let bias = if choices.below(4) == 0 { 0 } else { bias };
        graph.layers.push(Layer {
            name: format!("layer{i}"),
            op,
            activation,
            weight: values(weight),
            bias: values(bias),
        });
        shape = output;
    }
    graph
}

/// The same values in another shape.
fn reshaped(from: Shape, choices: &mut Choices<'_>) -> Shape {
    let mut to = [from.c * from.h * from.w, 1, 1];
    for _ in 0..4 {
        let (by, side) = ([2, 3, 5][choices.below(3)], 1 + choices.below(2));
        if to[0].is_multiple_of(by) {
            to[0] /= by;
            to[side] *= by;
        }
    }
    Shape::new(to[0], to[1], to[2])
}

/// Numbers of weights and biases.
fn lengths(op: &Op, input: Shape) -> [usize; 2] {
    match *op {
        Op::Dense { out } => [out * input.values(), out],
        Op::Conv { out, window } | Op::ConvTranspose { out, window } => {
            [out * input.c * window.kernel * window.kernel, out]
        }
        Op::Affine => [input.c, input.c],
        Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => [0, 0],
    }
}
