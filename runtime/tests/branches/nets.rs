//! Networks with branches, and what they make with every output in memory of its own.

use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{self, Activation, Op, Shape, Window};
use runtime::{Input, Latent};

/// Deterministic numbers between -1 and 1 that look random.
pub fn numbers(n: usize, salt: u64) -> Vec<f32> {
    let mut state = salt;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

const NONE: Activation = Activation::None;
const RELU: Activation = Activation::Relu;
const LEAKY: Activation = Activation::LeakyRelu(0.2);
pub const NORM: Op = Op::InstanceNorm { epsilon: 1e-5 };

fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    Window { kernel, stride, padding }
}

fn conv(out: usize, kernel: usize, stride: usize, padding: usize) -> Op {
    Op::Conv { out, window: window(kernel, stride, padding) }
}

fn reflect(out: usize, kernel: usize, padding: usize) -> Op {
    Op::ReflectConv { out, window: window(kernel, 1, padding) }
}

fn up(out: usize) -> Op {
    Op::ConvTranspose { out, window: window(4, 2, 1) }
}

/// `NAME OPERATION ACTIVATION FROM WITH`; an empty name is none.
type Line = (&'static str, Op, Activation, &'static str, &'static str);

/// A graph with weights that keep the magnitude of values.
pub fn graph(input: Input, lines: &[Line]) -> Graph {
    let mut graph = Graph { input, layers: vec![], facts: Facts::default() };
    let mut shapes: Vec<(&str, Shape)> = vec![("input", input.shape())];
    for (i, (name, op, activation, from, with)) in lines.iter().enumerate() {
        let before = shapes[i].1;
        let shape = shapes.iter().rfind(|(n, _)| n == from).map_or(before, |(_, s)| *s);
        let sides = op.weight(shape);
        let weights: usize = sides.map_or(0, |sides| sides.iter().product());
        let fan = match op {
            Op::Affine | Op::InstanceNorm { .. } => 1,
            Op::ConvTranspose { .. } => 4 * shape.c,
            _ => (weights / op.bias(shape).unwrap_or(1)).max(1),
        };
        let gain = 1.7 / (fan as f32).sqrt();
        let named = |name: &str| Some(name).filter(|n| !n.is_empty()).map(String::from);
        let bias = op.bias(shape).filter(|_| i % 3 != 1).unwrap_or(0);
        graph.layers.push(Layer {
            activation: *activation,
            from: named(from),
            with: named(with),
            weight: match op {
                // Far from 0, as trained scales are.
                Op::Affine | Op::InstanceNorm { .. } => {
                    numbers(weights, i as u64).iter().map(|w| 1.0 + 0.5 * w).collect()
                }
                _ => numbers(weights, i as u64).iter().map(|w| w * gain).collect(),
            },
            bias: numbers(bias, 3 + i as u64).iter().map(|b| b * 0.2).collect(),
            ..Layer::new(*name, *op)
        });
        shapes.push((*name, op.output(shape).unwrap()));
    }
    graph
}

/// Networks with branches of every kind.
pub fn cases() -> Vec<(&'static str, Graph)> {
    [usual(), unusual(), vec![widths()]].concat()
}

fn picture(c: usize, side: usize) -> Input {
    Input::Picture(Shape::new(c, side, side))
}

/// Small forms of networks that people train.
fn usual() -> Vec<(&'static str, Graph)> {
    let stem = ("stem", Op::ConvTranspose { out: 10, window: window(4, 1, 0) }, RELU, "", "");
    vec![
        (
            "residual blocks",
            graph(
                Input::Latent(12),
                &[
                    stem,
                    ("a1", conv(10, 3, 1, 1), RELU, "", ""),
                    ("a2", conv(10, 3, 1, 1), NONE, "", ""),
                    ("a", Op::Add, NONE, "", "stem"),
                    ("b1", up(7), RELU, "", ""),
                    ("b2", conv(7, 3, 1, 1), NONE, "", ""),
                    // A shortcut with layers of its own.
                    ("s1", Op::Resize { factor: 2 }, NONE, "a", ""),
                    ("s2", conv(7, 1, 1, 0), NONE, "", ""),
                    ("b", Op::Add, RELU, "b2", ""),
                    ("out", conv(3, 3, 1, 1), Activation::Tanh, "", ""),
                ],
            ),
        ),
        (
            "u-net",
            graph(
                picture(3, 16),
                &[
                    ("e1", conv(6, 4, 2, 1), LEAKY, "", ""),
                    ("e2", conv(9, 4, 2, 1), NONE, "", ""),
                    ("n2", NORM, LEAKY, "", ""),
                    ("e3", conv(11, 4, 2, 1), RELU, "", ""),
                    ("d3", up(9), NONE, "", ""),
                    ("m3", NORM, NONE, "", ""),
                    ("c2", Op::Concat { channels: 9 }, RELU, "n2", ""),
                    ("d2", up(6), NONE, "", ""),
                    ("m2", NORM, RELU, "", ""),
                    ("c1", Op::Concat { channels: 6 }, NONE, "", "e1"),
                    ("out", up(3), Activation::Tanh, "", ""),
                ],
            ),
        ),
        (
            "resnet",
            graph(
                picture(1, 12),
                &[
                    ("c1", reflect(5, 7, 3), NONE, "", ""),
                    ("n1", NORM, RELU, "", ""),
                    ("c2", conv(18, 3, 2, 1), NONE, "", ""),
                    ("n2", NORM, RELU, "", ""),
                    ("r1", reflect(18, 3, 1), NONE, "", ""),
                    ("r2", NORM, RELU, "", ""),
                    ("r3", reflect(18, 3, 1), NONE, "", ""),
                    ("r4", NORM, NONE, "", ""),
                    ("r", Op::Add, NONE, "n2", "r4"),
                    ("u", up(5), NONE, "", ""),
                    ("nu", NORM, RELU, "", ""),
                    ("out", reflect(3, 7, 3), Activation::Tanh, "", ""),
                ],
            ),
        ),
    ]
}

/// Convolutions of one channel, and norms and concatenations of channels around the lengths of registers.
fn widths() -> (&'static str, Graph) {
    let lines = [
        ("gray", conv(19, 4, 2, 1), LEAKY, "", ""),
        ("n1", NORM, LEAKY, "", ""),
        ("one", conv(1, 1, 1, 0), NONE, "", ""),
        ("odd", conv(33, 3, 1, 1), NONE, "", ""),
        ("n2", NORM, RELU, "", ""),
        ("eight", reflect(65, 7, 3), NONE, "one", ""),
        ("n3", NORM, Activation::Tanh, "", ""),
        ("both", Op::Concat { channels: 33 }, NONE, "", "n2"),
        ("five", reflect(20, 5, 2), RELU, "one", ""),
        ("three", Op::Concat { channels: 98 }, NONE, "", "both"),
        ("last", conv(16, 3, 1, 1), NONE, "", ""),
        ("n4", NORM, NONE, "", ""),
        ("out", up(1), Activation::Tanh, "", ""),
    ];
    ("widths", graph(picture(1, 22), &lines))
}

/// What no network has, and a plan must hold all the same.
fn unusual() -> Vec<(&'static str, Graph)> {
    vec![
        (
            // The input is read again, an output by three layers, one joined with itself, and the
            // last layer joins.
            "far and twice",
            graph(
                picture(3, 9),
                &[
                    ("a", conv(3, 3, 1, 1), Activation::Sigmoid, "", ""),
                    ("b", conv(3, 5, 1, 2), NONE, "input", ""),
                    ("c", Op::Add, LEAKY, "a", "b"),
                    ("d", Op::Add, NONE, "a", "a"),
                    ("e", Op::Concat { channels: 3 }, NONE, "c", "d"),
                    ("f", conv(3, 2, 2, 0), NONE, "", ""),
                    ("g", Op::Affine, NONE, "e", ""),
                    ("h", conv(3, 2, 2, 0), RELU, "", ""),
                    ("i", Op::Add, NONE, "", "f"),
                    ("j", conv(3, 3, 2, 0), NONE, "a", ""),
                    ("k", Op::Concat { channels: 3 }, Activation::Tanh, "", "i"),
                    ("l", conv(3, 3, 1, 1), NONE, "", ""),
                    ("m", Op::Add, Activation::Tanh, "l", "i"),
                ],
            ),
        ),
        (
            "scales",
            graph(
                Input::Latent(5),
                &[
                    ("a", Op::ConvTranspose { out: 70, window: window(3, 1, 0) }, RELU, "", ""),
                    ("b", Op::Affine, LEAKY, "", ""),
                    ("c", Op::Add, NONE, "a", ""),
                    ("d", NORM, Activation::Tanh, "", ""),
                    ("e", Op::Resize { factor: 2 }, RELU, "", ""),
                    ("f", conv(70, 3, 1, 1), NONE, "", ""),
                    ("g", Op::Add, Activation::Sigmoid, "", "e"),
                    ("h", conv(1, 3, 1, 1), Activation::Tanh, "", ""),
                ],
            ),
        ),
        (
            "activations",
            graph(
                picture(3, 8),
                &[
                    ("a", reflect(6, 3, 1), Activation::Silu, "", ""),
                    ("b", NORM, Activation::Gelu, "", ""),
                    ("c", Op::Add, Activation::Mish, "", "a"),
                    ("d", Op::Concat { channels: 6 }, Activation::Elu(0.7), "", "b"),
                    ("e", conv(6, 3, 1, 1), Activation::Selu, "", ""),
                    ("f", Op::Add, Activation::GeluTanh, "", "c"),
                    ("g", NORM, Activation::Softplus, "", ""),
                    ("h", Op::Concat { channels: 6 }, Activation::Clip(-1.0, 2.0), "", "f"),
                    ("i", NORM, Activation::Clip(-0.5, 1.5), "", ""),
                    ("out", up(4), Activation::Tanh, "", ""),
                ],
            ),
        ),
    ]
}

/// The pixels of a test picture.
pub fn pixels(shape: Shape, seed: u64) -> Vec<u8> {
    let noise = numbers(shape.values(), 40 + seed);
    let side = shape.w * shape.c;
    (0..shape.values())
        .map(|at| {
            let wave = ((at / side) as f32 * 0.7 + (at % side / shape.c) as f32 * 0.4).sin();
            (127.5 + 80.0 * wave + 40.0 * noise[at]).clamp(0.0, 255.0) as u8
        })
        .collect()
}

/// The values of every layer, each in memory of its own.
pub fn by_hand(graph: &Graph, seed: u64) -> Vec<Vec<f32>> {
    let shape = graph.input.shape();
    let mut input = vec![0.0; shape.values()];
    match graph.input {
        Input::Latent(_) => Latent::from_seed(seed).fill(&mut input).unwrap(),
        Input::Picture(_) => {
            for (at, byte) in pixels(shape, seed).into_iter().enumerate() {
                let place = at % shape.c * shape.plane() + at / shape.c;
                input[place] = f32::from(byte) / 127.5 - 1.0;
            }
        }
    }
    let mut made = vec![("input".to_string(), shape, input)];
    for layer in &graph.layers {
        let find = |name: &Option<String>| match name {
            None => made.last().unwrap(),
            Some(name) => made.iter().rfind(|(n, ..)| n == name).unwrap(),
        };
        let (x, other) = (find(&layer.from), find(&layer.with));
        let output = layer.op.output(x.1).unwrap();
        let mut y = vec![f32::NAN; output.values()];
        let inputs = [&x.2[..], &other.2[..]];
        op::reference(&layer.op, [x.1, output], inputs, &layer.weight, &layer.bias, &mut y);
        layer.activation.apply(&mut y);
        made.push((layer.name.clone(), output, y));
    }
    made.into_iter().skip(1).map(|(.., y)| y).collect()
}
