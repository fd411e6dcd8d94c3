//! Records: their bytes, and models of every shape in every precision.

use runtime::graph::{Facts, Graph, GraphError, Layer};
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::{Buffer, Record};
use runtime::{Cpu, Crew, Image, Input, Isa, Latent, Limits, Model, Precision, plan};

use crate::bytes::Choices;

/// What a model may take to be run: some milliseconds.
pub const LIMITS: Limits = Limits {
    file: 1 << 20,
    layers: 48,
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
    let all = [folded.to_record(), graph.pack(), graph.halve(), quantize(&graph, 2)];
    for record in all.into_iter().flatten() {
        let record = Buffer::from(record);
        agree(&Model::parse_within(record.bytes(), &Limits::NONE).expect("it was just written"));
    }
}

/// Runs a model that may have any weights, if that is quick; then those that are made from it.
pub fn run(model: &Model<'_>) {
    if plan::check(model.layers(), model.input(), &LIMITS).is_err() {
        return;
    }
    face(model);
    if model.precision() == Precision::F32 {
        let mut graph = Graph::from_model(model);
        graph.fold();
        for record in [graph.pack(), graph.halve(), quantize(&graph, 1)].into_iter().flatten() {
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
    let picture = picture(model);
    let image = made(&mut cpu, &picture);
    assert_eq!(image.pixels().len(), model.output().plane());
    assert!(model.labels().count() == model.classes() && model.multiply_adds() < 1 << 40);
}

/// A picture for a model that takes one; empty for others.
fn picture(model: &Model<'_>) -> Vec<u8> {
    match model.input() {
        Input::Latent(_) => vec![],
        Input::Picture(shape) => pattern(shape),
    }
}

fn pattern(shape: Shape) -> Vec<u8> {
    (0..shape.values()).map(|i| (i * 37 % 256) as u8).collect()
}

/// The image of a seed, or of a picture if there is one.
fn made<'c>(cpu: &'c mut Cpu<'_>, picture: &[u8]) -> Image<'c> {
    match picture {
        [] => cpu.generate(&Latent::from_seed(1)).expect("seeds have any length"),
        picture => cpu.translate(picture).expect("the picture has the right size"),
    }
}

/// The int8 record of a graph.
fn quantize(graph: &Graph, seeds: u64) -> Result<Vec<u8>, GraphError> {
    match graph.input {
        Input::Latent(_) => graph.quantize(0..seeds),
        Input::Picture(shape) => graph.quantize_on_pictures(&[pattern(shape)]),
    }
}

fn agree(model: &Model<'_>) {
    let picture = picture(model);
    // Kernels must not read what they have not written.
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut pixels = |isa: Option<Isa>| -> Vec<[u8; 3]> {
        arena.fill(f32::NAN);
        let mut cpu = Cpu::with(model, &mut arena, isa).expect("the arena has the stated length");
        made(&mut cpu, &picture).pixels().collect()
    };
    let want = pixels(None);
    for isa in Isa::all().into_iter().flatten() {
        close(model, &pixels(Some(isa)), &want, isa.name());
    }
    let mut arena = vec![f32::NAN; model.arena_len_of(2)];
    let got = Crew::with(model, &mut arena, Isa::best(), 2, |crew| {
        let image = match &picture[..] {
            [] => crew.generate(&Latent::from_seed(1)).expect("seeds have any length"),
            picture => crew.translate(picture).expect("the picture has the right size"),
        };
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
    Layer { activation, weight, bias: vec![0.125; bias], ..Layer::new(name, op) }
}

/// A small model with each operation.
pub fn every_operation() -> Graph {
    let window = |kernel, stride, padding| Window { kernel, stride, padding };
    let (none, leaky) = (Activation::None, Activation::LeakyRelu(0.2));
    let up = Op::ConvTranspose { out: 2, window: window(4, 2, 1) };
    let same = Op::Conv { out: 3, window: window(3, 1, 1) };
    let to = Shape::new(4, 2, 2);
    let edge = Op::ReflectConv { out: 3, window: window(3, 1, 1) };
    let inst = Op::InstanceNorm { epsilon: 0.01 };
    let both = Op::Concat { channels: 3 };
    let layers = vec![
        layer("dense", Op::Dense { out: 16 }, none, 48, 16), // 16 x 1 x 1
        layer("shape", Op::Reshape { to }, none, 0, 0),      // 4 x 2 x 2
        layer("norm", Op::Affine, leaky, 4, 4),              // 4 x 2 x 2
        layer("up", up, Activation::Relu, 128, 2),           // 2 x 4 x 4
        layer("wide", Op::Resize { factor: 2 }, none, 0, 0), // 2 x 8 x 8
        layer("same", same, leaky, 54, 3),                   // 3 x 8 x 8
        layer("edge", edge, none, 81, 3),                    // 3 x 8 x 8
        layer("inst", inst, Activation::Relu, 3, 3),         // 3 x 8 x 8
        Layer { with: Some("same".into()), ..layer("sum", Op::Add, leaky, 0, 0) },
        Layer { from: Some("wide".into()), ..layer("both", both, none, 0, 0) }, // 5 x 8 x 8
        layer("last", same, Activation::Tanh, 135, 3),                          // 3 x 8 x 8
    ];
    let input = Input::Latent(3);
    Graph { input, layers, facts: Facts { labels: vec!["a".into()], ..Facts::default() } }
}

fn any_graph(choices: &mut Choices<'_>) -> Graph {
    let side = choices.below(80);
    let input = match side {
        40.. => {
            let c = [1, 3][choices.below(2)];
            Input::Picture(Shape::new(c, 1 + side % 8, 1 + choices.below(9)))
        }
        _ => Input::Latent(1 + side),
    };
    let mut graph = Graph { input, layers: Vec::new(), facts: Facts::default() };
    // What can be read, by name, and whether something does.
    let mut made = vec![("input".to_string(), input.shape(), true)];
    let count = 1 + choices.below(9);
    for i in 0..count {
        let last = i + 1 == count;
        let name = format!("layer{i}");
        let of = choices.below(made.len());
        if join(&mut graph, &mut made, (of, &name), choices) {
            continue;
        }
        // Rarely, and only if the output before is read by another layer already.
        let far = of < i && made[i].2 && choices.below(3) == 0;
        let from = if far { of } else { i };
        let shape = made[from].1;
        let out = match last {
            true => [1, 3][choices.below(2)],
            false => 1 + choices.below(70),
        };
        let kernel = 1 + choices.below(6);
        let window =
            Window { kernel, stride: 1 + choices.below(4), padding: choices.below(kernel) };
        let op = match choices.below(if last { 3 } else { 9 }) {
            0 => Op::ConvTranspose { out, window },
            1 => Op::Conv { out, window },
            2 => Op::ReflectConv { out, window },
            7 => Op::InstanceNorm { epsilon: 1.0 + choices.unit().abs() },
            8 => Op::Dense { out: out * (1 + choices.below(4)) },
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
            activation,
            from: far.then(|| made[of].0.clone()),
            weight: values(weight),
            bias: values(bias),
            ..Layer::new(&name, op)
        });
        made[from].2 = true;
        made.push((name, output, false));
    }
    graph
}

/// Joins the last output with number `of`, if that can be done and is chosen.
fn join(
    graph: &mut Graph,
    made: &mut Vec<(String, Shape, bool)>,
    (of, name): (usize, &str),
    choices: &mut Choices<'_>,
) -> bool {
    let before = made.len() - 1;
    let (x, other) = (made[before].1, made[of].1);
    if (x.h, x.w) != (other.h, other.w) || x.c + other.c > 200 {
        return false;
    }
    // An output that nothing reads makes it likely.
    if choices.below(4) > if made[of].2 { 0 } else { 2 } {
        return false;
    }
    let add = x == other && choices.below(2) == 0;
    let first = !add && of < before && choices.below(2) == 0;
    let named = Some(made[of].0.clone());
    let (op, from, with) = match (add, first) {
        (true, _) => (Op::Add, None, named),
        (false, false) => (Op::Concat { channels: other.c }, None, named),
        (false, true) => (Op::Concat { channels: x.c }, named, None),
    };
    let activation = [Activation::None, Activation::LeakyRelu(0.5), Activation::Relu];
    let activation = activation[choices.below(3)];
    let output = op.output(if first { other } else { x }).expect("a few channels");
    graph.layers.push(Layer { activation, from, with, ..Layer::new(name, op) });
    (made[of].2, made[before].2) = (true, true);
    made.push((name.into(), output, false));
    true
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
        Op::Conv { out, window }
        | Op::ReflectConv { out, window }
        | Op::ConvTranspose { out, window } => [out * input.c * window.kernel * window.kernel, out],
        Op::Affine | Op::InstanceNorm { .. } => [input.c, input.c],
        Op::Add | Op::Concat { .. } | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => {
            [0, 0]
        }
    }
}
