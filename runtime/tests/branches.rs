//! Promises about branches and pictures: layers that read earlier outputs compute what they would
//! with every output in memory of its own, in every precision, and a model that takes a picture makes
//! the same picture everywhere.
#![cfg(feature = "std")]

use runtime::graph::{Facts, Graph, GraphError, Layer};
use runtime::model::key;
use runtime::op::{self, Activation, Op, Shape, Window};
use runtime::record::Buffer;
use runtime::{Cpu, Crew, Image, Input, Isa, Latent, Limits, Model, ModelError, PictureLength};

/// Deterministic numbers between -1 and 1 that look random.
fn numbers(n: usize, salt: u64) -> Vec<f32> {
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
const NORM: Op = Op::InstanceNorm { epsilon: 1e-5 };

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
fn graph(input: Input, lines: &[Line]) -> Graph {
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
fn cases() -> Vec<(&'static str, Graph)> {
    let stem = ("stem", Op::ConvTranspose { out: 10, window: window(4, 1, 0) }, RELU, "", "");
    let picture = |c, side| Input::Picture(Shape::new(c, side, side));
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
    ]
}

/// The pixels of a test picture.
fn pixels(shape: Shape, seed: u64) -> Vec<u8> {
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
fn by_hand(graph: &Graph, seed: u64) -> Vec<Vec<f32>> {
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

/// Makes the image of a seed with `cpu`.
fn image<'c>(cpu: &'c mut Cpu<'_>, model: &Model<'_>, seed: u64) -> Image<'c> {
    match model.input() {
        Input::Latent(_) => cpu.generate(&Latent::from_seed(seed)).unwrap(),
        Input::Picture(shape) => cpu.translate(&pixels(shape, seed)).unwrap(),
    }
}

fn values(record: &[u8], isa: Option<Isa>, seed: u64) -> Vec<f32> {
    let model = Model::parse(record).unwrap();
    // Earlier contents of the arena must not matter.
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
    image(&mut cpu, &model, seed).values().to_vec()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let off = |(a, b): (&f32, &f32)| match (a - b).abs() {
        off if off.is_finite() => off,
        _ => f32::INFINITY,
    };
    a.iter().zip(b).map(off).fold(0.0, f32::max)
}

fn int8(graph: &Graph) -> Vec<u8> {
    match graph.input {
        Input::Latent(_) => graph.quantize(100..132).unwrap(),
        Input::Picture(shape) => {
            let pictures: Vec<_> = (100..132).map(|seed| pixels(shape, seed)).collect();
            graph.quantize_on_pictures(&pictures).unwrap()
        }
    }
}

fn isas() -> impl Iterator<Item = Option<Isa>> {
    Isa::all().into_iter().filter(Option::is_some).chain([None])
}

#[test]
fn every_output_is_as_in_memory_of_its_own() {
    for (name, graph) in cases() {
        let record = Buffer::from(graph.to_record().unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        for seed in 0..2 {
            let want = by_hand(&graph, seed);
            for isa in isas() {
                let mut arena = vec![f32::NAN; model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                let mut worst = (0.0, 0);
                let watch = |i: usize, values: &[f32]| {
                    let off = furthest(values, &want[i]);
                    worst = if off > worst.0 { (off, i) } else { worst };
                };
                match model.input() {
                    Input::Latent(_) => {
                        cpu.watched(&Latent::from_seed(seed), watch).unwrap();
                    }
                    Input::Picture(shape) => {
                        cpu.translate_watched(&pixels(shape, seed), watch).unwrap();
                    }
                }
                assert!(worst.0 < 2e-5, "{name}, {isa:?}: off by {} in layer {}", worst.0, worst.1);
            }
        }
    }
}

#[test]
fn folded_packed_and_halved_they_make_the_same_pictures() {
    for (name, graph) in cases() {
        let want = by_hand(&graph, 3).pop().unwrap();
        let mut folded = graph.clone();
        folded.fold();
        let records = [
            ("folded", folded.to_record().unwrap(), 2e-5),
            ("packed", graph.pack().unwrap(), 3e-5),
            ("f16", graph.halve().unwrap(), 2e-2),
        ];
        for (precision, record, most) in records {
            let record = Buffer::from(record);
            for isa in isas() {
                let off = furthest(&values(record.bytes(), isa, 3), &want);
                assert!(off < most, "{name}, {precision}, {isa:?}: {off}");
            }
        }
    }
}

#[test]
fn bytes_are_the_same_on_every_kernel_and_near_the_floats() {
    for (name, graph) in cases() {
        let record = Buffer::from(int8(&graph));
        let model = Model::parse(record.bytes()).unwrap();
        let (black, white) = model.range();
        let mut squares = Vec::new();
        for seed in 0..4 {
            let mut want: Vec<u8> = vec![];
            for isa in isas() {
                let mut arena = vec![f32::from_bits(0x5a5a_a5a5); model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                let got = image(&mut cpu, &model, seed).bytes().to_vec();
                assert!(want.is_empty() || got == want, "{name}, {isa:?}, seed {seed}");
                want = got;
            }
            let floats = by_hand(&graph, seed).pop().unwrap();
            let shape = model.output();
            squares.extend(want.iter().enumerate().map(|(at, byte)| {
                let value = floats[at % shape.c * shape.plane() + at / shape.c];
                let exact = ((value - black) / (white - black) * 255.0).clamp(0.0, 255.0);
                (f64::from(*byte) - f64::from(exact)).powi(2)
            }));
        }
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        let psnr = 10.0 * (255.0 * 255.0 / mean).log10();
        assert!(psnr > 28.0, "{name}: {psnr} dB");
    }
}

#[test]
fn any_number_of_threads_makes_the_same_picture() {
    for (name, graph) in cases() {
        let records = [
            graph.to_record().unwrap(),
            graph.pack().unwrap(),
            graph.halve().unwrap(),
            int8(&graph),
        ];
        for record in records {
            let record = Buffer::from(record);
            let model = Model::parse(record.bytes()).unwrap();
            for isa in Isa::all().into_iter().flatten() {
                let mut arena = vec![f32::NAN; model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, Some(isa)).unwrap();
                let want: Vec<[u8; 3]> = image(&mut cpu, &model, 5).pixels().collect();
                for threads in [1, 2, 3, 7] {
                    let mut arena = vec![f32::NAN; model.arena_len_of(threads)];
                    let got: Vec<[u8; 3]> = Crew::with(&model, &mut arena, isa, threads, |crew| {
                        let image = match model.input() {
                            Input::Latent(_) => crew.generate(&Latent::from_seed(5)).unwrap(),
                            Input::Picture(shape) => crew.translate(&pixels(shape, 5)).unwrap(),
                        };
                        image.pixels().collect()
                    })
                    .unwrap();
                    assert!(got == want, "{name}, {threads} threads, {}", isa.name());
                }
            }
        }
    }
}

#[test]
fn worked_by_hand() {
    let plain = |name: &str, op| Layer::new(name, op);
    let named = |name: &str| Some(name.to_string());
    // x = (1, -2, 3, -4) as 2 x 2; y = 2 x + 1; the sum with x, rectified: max(3 x + 1, 0).
    let graph = Graph {
        input: Input::Latent(4),
        layers: vec![
            plain("x", Op::Reshape { to: Shape::new(1, 2, 2) }),
            Layer { weight: vec![2.0], bias: vec![1.0], ..plain("y", Op::Affine) },
            Layer { with: named("x"), activation: RELU, ..plain("sum", Op::Add) },
        ],
        facts: Facts::default(),
    };
    let record = Buffer::from(graph.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    // While y is made, x is kept, and while the sum is, both are.
    assert_eq!(model.arena_len(), 12);
    assert_eq!(model.fact(key::FORMAT), "2");
    assert_eq!(model.fact(key::LAYERS), "x Reshape 1 2 2 None\ny Affine None\nsum Add Relu with x");
    for isa in isas() {
        let mut arena = vec![f32::NAN; 12];
        let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
        let latent = Latent::from_values(&[1.0, -2.0, 3.0, -4.0]);
        assert_eq!(cpu.generate(&latent).unwrap().values(), [4.0, 0.0, 10.0, 0.0]);
    }
    // Channels of the first input, then of the second.
    let mut graph = graph;
    graph.layers[2] = Layer { from: named("x"), ..plain("both", Op::Concat { channels: 1 }) };
    graph.layers.push(Layer {
        weight: vec![1.0, 10.0],
        ..plain("out", Op::Conv { out: 1, window: window(1, 1, 0) })
    });
    let record = Buffer::from(graph.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    for isa in isas() {
        let mut arena = vec![f32::NAN; model.arena_len()];
        let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
        let latent = Latent::from_values(&[1.0, -2.0, 3.0, -4.0]);
        assert_eq!(cpu.generate(&latent).unwrap().values(), [31.0, -32.0, 73.0, -74.0]);
    }
}

#[test]
fn arenas_are_exact_and_skips_take_no_more_than_themselves() {
    for (name, graph) in cases() {
        for record in [graph.to_record().unwrap(), graph.pack().unwrap(), int8(&graph)] {
            let record = Buffer::from(record);
            let model = Model::parse(record.bytes()).unwrap();
            let need = model.arena_len();
            let mut short = vec![0.0; need - 1];
            assert!(Cpu::new(&model, &mut short).is_err(), "{name}");
            const CANARY: f32 = 123.456;
            let mut arena = vec![CANARY; need + 64];
            for isa in isas() {
                let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                image(&mut cpu, &model, 0);
            }
            assert!(arena[need..].iter().all(|v| *v == CANARY), "{name}");
        }
    }
    // Two blocks in a row need no more than one: input, middle and output of the second layer.
    let blocks = |n: usize| {
        let mut lines =
            vec![("x0", Op::ConvTranspose { out: 8, window: window(8, 1, 0) }, RELU, "", "")];
        for (a, b, c, from) in
            [("a1", "b1", "x1", "x0"), ("a2", "b2", "x2", "x1"), ("a3", "b3", "x3", "x2")]
        {
            lines.push((a, Op::Affine, RELU, "", ""));
            lines.push((b, Op::Affine, RELU, "", ""));
            lines.push((c, Op::Add, NONE, "", from));
        }
        lines.truncate(1 + 3 * n);
        lines.push(("out", Op::Conv { out: 1, window: window(1, 1, 0) }, NONE, "", ""));
        let record = Buffer::from(graph(Input::Latent(4), &lines).to_record().unwrap());
        Model::parse(record.bytes()).unwrap().arena_len()
    };
    assert_eq!([1, 2, 3].map(blocks), [3 * 8 * 64; 3]);
}

#[test]
fn records_read_back_and_chains_keep_their_version() {
    for (name, graph) in cases() {
        let record = Buffer::from(graph.to_record().unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        let again = Graph::from_model(&model);
        assert_eq!(again.input, graph.input);
        assert_eq!(by_hand(&again, 1), by_hand(&graph, 1), "{name}");
        // The layer before is not named, so a second time nothing changes.
        let second = Buffer::from(again.to_record().unwrap());
        assert_eq!(Graph::from_model(&Model::parse(second.bytes()).unwrap()), again, "{name}");
        assert_eq!(model.fact(key::FORMAT), "2");
    }
    let chain = graph(Input::Latent(3), &[("a", Op::Dense { out: 3 }, Activation::Tanh, "", "")]);
    let record = Buffer::from(chain.to_record().unwrap());
    assert_eq!(Model::parse(record.bytes()).unwrap().fact(key::FORMAT), "1");
}

/// What the layers of a record, replaced by others of the same length, are refused with.
fn refused(from: &str, to: &str) -> String {
    let record = cases()[1].1.to_record().unwrap();
    assert_eq!(from.len(), to.len(), "{from}, {to}");
    let at = record.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
    let mut bytes = record;
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let buffer = Buffer::from(bytes);
    let error = Model::parse_unverified(buffer.bytes()).unwrap_err();
    error.to_string()
}

#[test]
fn hostile_branches_are_errors() {
    let cases = [
        // A later layer, the layer itself, one that is not there.
        ("Relu from n2\n", "Relu from d2\n", "layer 6 (c2): reads \"d2\", which no earlier layer"),
        ("Relu from n2\n", "Relu from c2\n", "layer 6 (c2): reads \"c2\", which no earlier layer"),
        ("Relu from n2\n", "Relu from zz\n", "layer 6 (c2): reads \"zz\", which no earlier layer"),
        // Another shape: half as wide, other channels.
        (
            "Relu from n2\n",
            "Relu from e1\n",
            "layer 6 (c2): the second input is 9 x 4 x 4, not 9 x",
        ),
        ("Concat 9", "Concat 8", "layer 6 (c2): the second input is 9 x 4 x 4, not 8 x 4 x 4"),
        ("Concat 9", "Concat 0", "layer 6 (c2): the number of channels is 0"),
        // No source at all.
        ("Relu from n2", "Relu        ", "is not a layer"),
        ("m2 InstanceNorm 0.00001", "m2 InstanceNorm -.00001", "is not a layer"),
        ("m2 InstanceNorm 0.00001", "m2 InstanceNorm     inf", "is not a layer"),
        ("3 16 16", "2 16 16", "\"pocket-gan.picture\" has the invalid value \"2 16 16\""),
        ("3 16 16", "3 16  0", "\"pocket-gan.picture\" has the invalid value \"3 16  0\""),
    ];
    for (from, to, want) in cases {
        let got = refused(from, to);
        assert!(got.contains(want), "{from} -> {to}: {got}");
    }
}

#[test]
fn graphs_that_do_not_fit_are_errors() {
    let (_, unet) = cases().remove(1);
    let damage: [(fn(&mut Graph), &str); 8] = [
        (|g| g.layers[6].from = Some("out".into()), "reads \"out\", which no earlier layer makes"),
        (|g| g.layers[6].from = Some("e1".into()), "the second input is 9 x 4 x 4, not 9 x 8 x 8"),
        (|g| g.layers[6].from = None, "the inputs that it names are too few or too many"),
        (|g| g.layers[7].with = Some("e1".into()), "too few or too many"),
        (|g| g.layers[5].from = Some("n2".into()), "no later layer reads its output"),
        (|g| g.layers[5].op = Op::InstanceNorm { epsilon: f32::NAN }, "a value that is not finite"),
        (|g| g.input = Input::Picture(Shape::new(4, 16, 16)), "not that of a picture"),
        (|g| g.facts.labels = vec!["a".into()], "1 classes are too many"),
    ];
    for (damage, want) in damage {
        let mut graph = unet.clone();
        damage(&mut graph);
        let error = graph.to_record().unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        assert!(graph.check(&Limits::NONE).is_err(), "{want}");
    }
    assert!(matches!(unet.quantize(0..2), Err(GraphError::Examples(_))));
    let error = unet.quantize_on_pictures(&[vec![0; 3 * 16 * 15]]).unwrap_err();
    assert!(matches!(error, GraphError::Examples(_)), "{error}");
    assert!(unet.quantize_on_pictures(&[]).is_err());
}

#[test]
fn pictures_and_latents_are_not_confused() {
    let all = cases();
    let (latent, picture) = (&all[0].1, &all[1].1);
    let record = Buffer::from(latent.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).unwrap();
    let error = cpu.translate(&[0; 12]).unwrap_err();
    assert_eq!(error, PictureLength { need: None, got: 12 });
    assert_eq!(error.to_string(), "the model takes a latent, not a picture: generate from one");
    let record = Buffer::from(picture.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    assert_eq!((model.latent(), model.input().shape()), (0, Shape::new(3, 16, 16)));
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).unwrap();
    for latent in [Latent::from_seed(1), Latent::from_values(&[0.0; 768])] {
        let error = cpu.generate(&latent).unwrap_err().to_string();
        assert_eq!(error, "the model takes a picture, not a latent: translate one");
    }
    let error = cpu.translate(&[0; 767]).unwrap_err().to_string();
    assert_eq!(error, "the picture has 767 bytes, the model needs 768: 16 rows of 16 pixels of 3");
}

#[test]
fn pictures_come_through_unchanged() {
    for c in [1, 3] {
        let shape = Shape::new(c, 5, 7);
        let mut weight = vec![0.0; c * c];
        (0..c).for_each(|i| weight[i * c + i] = 1.0);
        let same = Layer { weight, ..Layer::new("same", conv(c, 1, 1, 0)) };
        let graph =
            Graph { input: Input::Picture(shape), layers: vec![same], facts: Facts::default() };
        let bytes: Vec<u8> = pixels(shape, 8);
        let every: Vec<u8> = (0..shape.values()).map(|i| (i * 37 % 256) as u8).collect();
        let int8 = graph.quantize_on_pictures(&[bytes.clone(), every.clone()]).unwrap();
        let records = [
            (graph.to_record().unwrap(), 0),
            (graph.pack().unwrap(), 0),
            (graph.halve().unwrap(), 0),
            (int8, 2),
        ];
        for (record, most) in records {
            let record = Buffer::from(record);
            let model = Model::parse(record.bytes()).unwrap();
            for isa in isas() {
                let mut arena = vec![f32::NAN; model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                for picture in [&bytes, &every] {
                    let got: Vec<u8> = cpu
                        .translate(picture)
                        .unwrap()
                        .pixels()
                        .flat_map(|p| p.into_iter().take(c))
                        .collect();
                    let off = got.iter().zip(picture).map(|(a, b)| a.abs_diff(*b)).max();
                    assert!(off <= Some(most), "{c} channels, {:?}: {off:?}", model.precision());
                }
            }
        }
    }
}

#[test]
fn damage_to_branches_never_panics() {
    let (_, graph) = cases().remove(1);
    let record = int8(&graph);
    let text = record.windows(6).position(|w| w == b"Concat").unwrap();
    for at in text.saturating_sub(400)..(text + 400).min(record.len()) {
        for bit in [0, 2, 4, 6] {
            let mut bytes = record.clone();
            bytes[at] ^= 1 << bit;
            let buffer = Buffer::from(&bytes);
            let Ok(model) = Model::parse_unverified(buffer.bytes()) else { continue };
            let mut arena = vec![0.0; model.arena_len()];
            let mut cpu = Cpu::new(&model, &mut arena).unwrap();
            if let Input::Picture(shape) = model.input() {
                cpu.translate(&pixels(shape, 1)).unwrap();
            }
        }
    }
    assert!(matches!(Model::parse(&[]), Err(ModelError::Record(_))));
}
