//! Models to try: one with every operation, one that takes a picture, and any that bytes choose.

use runtime::Input;
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Activation, Op, Shape, Window};

use crate::bytes::Choices;

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

/// A small U-Net with a picture as its input, a skip connection and a residual.
pub fn translator() -> Graph {
    let window = Window { kernel: 4, stride: 2, padding: 1 };
    let (none, leaky) = (Activation::None, Activation::LeakyRelu(0.2));
    let down = Op::Conv { out: 4, window };
    let up = |out| Op::ConvTranspose { out, window };
    let both = Op::Concat { channels: 4 };
    let last = Op::Conv { out: 3, window: Window { kernel: 3, stride: 1, padding: 1 } };
    let layers = vec![
        layer("e1", down, leaky, 192, 4), // 4 x 4 x 4
        layer("e2", down, none, 256, 4),  // 4 x 2 x 2
        layer("n2", Op::InstanceNorm { epsilon: 0.01 }, Activation::Relu, 4, 4), // 4 x 2 x 2
        layer("d2", up(4), none, 256, 4), // 4 x 4 x 4
        Layer { from: Some("e1".into()), ..layer("c1", both, none, 0, 0) }, // 8 x 4 x 4
        layer("d1", up(3), none, 384, 3), // 3 x 8 x 8
        Layer { with: Some("input".into()), ..layer("sum", Op::Add, none, 0, 0) },
        layer("last", last, Activation::Tanh, 81, 3), // 3 x 8 x 8
    ];
    Graph { input: Input::Picture(Shape::new(3, 8, 8)), layers, facts: Facts::default() }
}

/// Any graph, most of them small: a few milliseconds for all that is done with one.
pub fn any_graph(choices: &mut Choices<'_>) -> Graph {
    // Wide layers have kernels of their own.
    let widest = [6, 20, 20, 70][choices.below(4)];
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
            false => 1 + choices.below(widest),
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
    // More often if nothing reads the output yet.
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
