//! Promises about kernels: the obvious loops and the fast ones compute the textbook's sums, written
//! here once more, from the definition, in `f64`.
#![cfg(feature = "std")]

use runtime::Input;
use runtime::cpu::Cpu;
use runtime::graph::{Facts, Graph, Layer};
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::Buffer;
use runtime::simd::Isa;

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

/// The row of the input that row `k` of the kernel joins with row `out` of the output, if any; the same
/// for columns.
fn joined(op: &Op, out: usize, k: usize, length: usize) -> Option<usize> {
    let at = match *op {
        Op::Conv { window: v, .. } => (out * v.stride + k).checked_sub(v.padding),
        Op::ConvTranspose { window: v, .. } => {
            let at = (out + v.padding).checked_sub(k);
            at.filter(|at| at % v.stride == 0).map(|at| at / v.stride)
        }
        _ => unreachable!(),
    };
    at.filter(|at| *at < length)
}

/// The places of the weight and the value of each product that output channel `o` sums at row `r` and
/// column `c`.
fn products(op: &Op, [input, output]: [Shape; 2], [o, r, c]: [usize; 3]) -> Vec<(usize, usize)> {
    let kernel = match *op {
        Op::Dense { .. } => {
            let n = input.values();
            return (0..n).map(|at| (o * n + at, at)).collect();
        }
        Op::Conv { window: v, .. } | Op::ConvTranspose { window: v, .. } => v.kernel,
        _ => unreachable!(),
    };
    let mut places = Vec::new();
    for (row, col) in (0..kernel * kernel).map(|tap| (tap / kernel, tap % kernel)) {
        let (y, x) = (joined(op, r, row, input.h), joined(op, c, col, input.w));
        let (Some(y), Some(x)) = (y, x) else { continue };
        places.extend((0..input.c).map(|i| {
            let plane = match op {
                Op::ConvTranspose { .. } => i * output.c + o,
                _ => o * input.c + i,
            };
            ((plane * kernel + row) * kernel + col, (i * input.h + y) * input.w + x)
        }));
    }
    places
}

/// Every output value from the definition, and the sum of the magnitudes of its terms, which bounds
/// rounding.
fn textbook(
    op: &Op,
    input: Shape,
    output: Shape,
    x: &[f32],
    w: &[f32],
    b: &[f32],
) -> Vec<(f64, f64)> {
    let mut sums = Vec::new();
    for o in 0..output.c {
        for (r, c) in (0..output.plane()).map(|at| (at / output.w, at % output.w)) {
            let bias = b.get(o).map_or(0.0, |b| f64::from(*b));
            let mut sum = (bias, bias.abs());
            for (weight, value) in products(op, [input, output], [o, r, c]) {
                let term = f64::from(w[weight]) * f64::from(x[value]);
                sum = (sum.0 + term, sum.1 + term.abs());
            }
            sums.push(sum);
        }
    }
    sums
}

/// The name of a way of computing, and its values.
type Run = (&'static str, Vec<f32>);

/// The textbook's values of one layer, and those of the obvious loops and of each instruction set.
/// The latent is first reshaped into `input`, and at the end the output into one row of a gray
/// image.
fn run(op: Op, input: Shape, bias: bool) -> (Vec<(f64, f64)>, Vec<Run>) {
    run_as(op, input, bias, |graph| graph.to_record().unwrap())
}

/// The same with a record in another precision.
fn run_as(
    op: Op,
    input: Shape,
    bias: bool,
    record: impl Fn(&Graph) -> Vec<u8>,
) -> (Vec<(f64, f64)>, Vec<Run>) {
    let output = op.output(input).unwrap();
    let weight = numbers(op.weight(input).unwrap().iter().product(), 3);
    let bias = numbers(if bias { output.c } else { 0 }, 5);
    let x = numbers(input.values(), 7);
    let want = match op {
        Op::ReflectConv { .. } => vec![],
        _ => textbook(&op, input, output, &x, &weight, &bias),
    };
    let plain = |name: &str, op| Layer {
        name: name.into(),
        op,
        activation: Activation::None,
        from: None,
        with: None,
        weight: vec![],
        bias: vec![],
    };
    let graph = Graph {
        input: Input::Latent(input.values()),
        layers: vec![
            plain("from", Op::Reshape { to: input }),
            Layer { weight, bias, ..plain("op", op) },
            // All values as one row of a gray image.
            plain("to", Op::Reshape { to: Shape::new(1, 1, output.values()) }),
        ],
        facts: Facts::default(),
    };
    let record = Buffer::from(record(&graph));
    let model = Model::parse(record.bytes()).unwrap();
    let isas = [None].into_iter().chain(Isa::all().into_iter().filter(Option::is_some));
    let got = isas.map(|isa| {
        // Earlier contents of the arena must not matter.
        let mut arena = vec![f32::NAN; model.arena_len()];
        let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
        let image = cpu.generate(&Latent::from_values(&x)).unwrap();
        (isa.map_or("reference", Isa::name), image.values().to_vec())
    });
    (want, got.collect())
}

fn check(op: Op, input: Shape, bias: bool) {
    compare(op, input, run(op, input, bias), |_| 2e-6);
}

/// `unit`: how far the values of an instruction set may be off, in terms of the magnitudes that were summed.
fn compare(
    op: Op,
    input: Shape,
    (want, got): (Vec<(f64, f64)>, Vec<Run>),
    unit: impl Fn(&str) -> f64,
) {
    for (isa, got) in got {
        assert_eq!(got.len(), want.len());
        for (at, (got, (want, size))) in got.iter().zip(&want).enumerate() {
            let off = (*got as f64 - want).abs();
            // n roundings of 2^-24 each, with n below 3000 here, and most cancel out.
            assert!(
                off <= unit(isa) * size + 1e-7,
                "{isa}, {op:?} of {input}, value {at}: {got}, not {want}"
            );
        }
    }
}

fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    Window { kernel, stride, padding }
}

#[test]
fn upsampling() {
    let sizes = [
        (1, 1),
        (1, 2),
        (2, 1),
        (1, 17),
        (17, 1),
        (3, 5),
        (5, 3),
        (7, 15),
        (8, 16),
        (4, 31),
        (3, 66),
    ];
    for (h, w) in sizes {
        for (c, out) in [(1, 1), (3, 5), (2, 6), (5, 7), (1, 13)] {
            let op = Op::ConvTranspose { out, window: window(4, 2, 1) };
            check(op, Shape::new(c, h, w), out % 2 == 1);
        }
    }
}

#[test]
fn widths_around_registers_and_channels_around_blocks() {
    // Registers hold 4, 8 or 16 floats, up to 4 side by side; blocks have 6, 4, 2 or 1 channels.
    for w in 1..=36 {
        check(Op::ConvTranspose { out: 3, window: window(4, 2, 1) }, Shape::new(2, 3, w), true);
        check(Op::Conv { out: 3, window: window(3, 1, 1) }, Shape::new(2, 3, w), true);
    }
    for out in 1..=20 {
        check(Op::Conv { out, window: window(3, 1, 1) }, Shape::new(2, 4, 5), true);
    }
}

#[test]
fn windows_of_every_kind() {
    // 8 is the largest kernel of the fast loop; 9 takes the obvious one.
    for kernel in 1..=9 {
        for stride in 1..=3 {
            for padding in [0, 1, kernel / 2, kernel - 1, kernel + 1] {
                // Of a pixel, some phases have no outputs.
                for (h, w) in [(9, 9), (10, 7), (1, 12), (1, 1)] {
                    let input = Shape::new(3, h, w);
                    let window = window(kernel, stride, padding);
                    for op in [Op::Conv { out: 4, window }, Op::ConvTranspose { out: 4, window }] {
                        if op.output(input).is_ok() {
                            check(op, input, padding % 2 == 0);
                        }
                    }
                }
            }
        }
    }
}

/// `input` with its edges reflected, value by value.
fn reflected(x: &[f32], input: Shape, padding: usize) -> (Vec<f32>, Shape) {
    let to = Shape::new(input.c, input.h + 2 * padding, input.w + 2 * padding);
    let mirrored = |at: usize, n: usize| {
        let at = at as isize - padding as isize;
        let last = n as isize - 1;
        (if at < 0 { -at } else { last - (last - at).abs() }) as usize
    };
    let value = |at: usize| {
        let (c, y, x_) = (at / to.plane(), at / to.w % to.h, at % to.w);
        x[(c * input.h + mirrored(y, input.h)) * input.w + mirrored(x_, input.w)]
    };
    ((0..to.values()).map(value).collect(), to)
}

#[test]
fn reflected_edges() {
    for kernel in 1..=9 {
        for stride in 1..=3 {
            for padding in [0, 1, kernel / 2, kernel - 1] {
                for (h, w) in [(9, 9), (10, 7), (2, 12), (17, 34)] {
                    let input = Shape::new(3, h, w);
                    let op = Op::ReflectConv { out: 4, window: window(kernel, stride, padding) };
                    let Ok(output) = op.output(input) else { continue };
                    let x = numbers(input.values(), 7);
                    let (padded, shape) = reflected(&x, input, padding);
                    let plain = Op::Conv { out: 4, window: window(kernel, stride, 0) };
                    let weight = numbers(op.weight(input).unwrap().iter().product(), 3);
                    let want = textbook(&plain, shape, output, &padded, &weight, &[]);
                    let (_, got) = run(op, input, false);
                    for (isa, got) in got {
                        for (got, (want, size)) in got.iter().zip(&want) {
                            let off = (*got as f64 - want).abs();
                            assert!(off <= 2e-6 * size + 1e-7, "{isa}, {op:?}: {got}, not {want}");
                        }
                    }
                }
            }
        }
    }
}

/// Sizes around those of tiles of 16 positions and 32 channels, with fewer and more blocks of 16 outputs than are
/// computed at a time.
#[test]
fn packed_layers_of_many_channels() {
    // A float as the sum of two with 8 bits each: what is left of it is below 2^-16, as is the product of
    // the second ones, which is left out. At least 16 terms are summed, and most of it cancels out.
    let of_pairs = |isa: &str| if isa == "amx" { 1.0 / 65536.0 } else { 2e-6 };
    let cases = [
        ((4, 4), (64, 33)),
        ((3, 5), (33, 70)),
        ((8, 8), (32, 16)),
        ((1, 17), (70, 49)),
        ((7, 9), (17, 20)),
        ((13, 16), (33, 5)),
        ((2, 33), (31, 17)),
    ];
    for ((h, w), (c, out)) in cases {
        let input = Shape::new(c, h, w);
        let mut ops = vec![
            Op::ConvTranspose { out, window: window(4, 2, 1) },
            Op::ConvTranspose { out, window: window(3, 1, 1) },
            Op::Conv { out, window: window(3, 1, 1) },
            Op::Conv { out, window: window(4, 2, 1) },
        ];
        if c == 33 {
            let more = [(2, 1, 0), (1, 1, 0), (5, 3, 2), (3, 2, 3)];
            ops.extend(more.map(|(k, s, p)| Op::Conv { out, window: window(k, s, p) }));
            ops.push(Op::ConvTranspose { out, window: window(5, 3, 2) });
        }
        for op in ops.into_iter().filter(|op| op.output(input).is_ok()) {
            let bias = out % 2 == 1;
            let runs = run_as(op, input, bias, |graph| graph.pack().unwrap());
            compare(op, input, runs, of_pairs);
        }
        let op = Op::ReflectConv { out, window: window(3, 1, 1) };
        let Ok(output) = op.output(input) else { continue };
        let weight = numbers(op.weight(input).unwrap().iter().product(), 3);
        let (padded, shape) = reflected(&numbers(input.values(), 7), input, 1);
        let plain = Op::Conv { out, window: window(3, 1, 0) };
        let want = textbook(&plain, shape, output, &padded, &weight, &[]);
        let (_, got) = run_as(op, input, false, |graph| graph.pack().unwrap());
        compare(op, input, (want, got), of_pairs);
    }
}

#[test]
fn products_of_matrix_and_vector() {
    for n in [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 63, 64, 65, 100, 129] {
        for out in [1, 2, 7, 16, 33] {
            let input = Shape::new(n, 1, 1);
            check(Op::Dense { out }, input, out % 2 == 0);
            // The first layer of a DCGAN; with one pixel, other strides and kernels are the same
            // sum.
            for (kernel, stride) in [(4, 1), (3, 2), (1, 1), (5, 7)] {
                check(Op::ConvTranspose { out, window: window(kernel, stride, 0) }, input, true);
            }
        }
    }
    // A dense layer takes all values of an image, in their order.
    check(Op::Dense { out: 5 }, Shape::new(3, 4, 5), true);
}

#[test]
fn one_image_does_not_show_in_the_next() {
    let op = Op::ConvTranspose { out: 3, window: window(4, 2, 1) };
    let input = Shape::new(5, 3, 4);
    let layer = |name: &str, op, weight| Layer {
        name: name.into(),
        op,
        activation: Activation::Tanh,
        from: None,
        with: None,
        weight,
        bias: vec![],
    };
    let graph = Graph {
        input: Input::Latent(60),
        layers: vec![
            layer("a", Op::Reshape { to: input }, vec![]),
            layer("b", op, numbers(5 * 3 * 16, 1)),
        ],
        facts: Facts::default(),
    };
    let record = Buffer::from(graph.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).unwrap();
    let mut picture = |seed| cpu.generate(&Latent::from_seed(seed)).unwrap().values().to_vec();
    let (first, second) = (picture(1), picture(2));
    assert_ne!(first, second);
    assert_eq!(picture(1), first);
}

#[test]
fn resize_and_convolution_fold_at_every_size() {
    for (h, w) in [(1, 1), (1, 2), (2, 1), (3, 7), (8, 8)] {
        let input = Shape::new(4, h, w);
        let layer = |name: &str, op: Op, weight, bias| Layer {
            name: name.into(),
            op,
            activation: Activation::None,
            from: None,
            with: None,
            weight: numbers(weight, 2),
            bias: numbers(bias, 4),
        };
        let conv = Op::Conv { out: 3, window: window(3, 1, 1) };
        let mut graph = Graph {
            input: Input::Latent(input.values()),
            layers: vec![
                layer("shape", Op::Reshape { to: input }, 0, 0),
                layer("twice", Op::Resize { factor: 2 }, 0, 0),
                layer("conv", conv, 4 * 3 * 9, 3),
            ],
            facts: Facts::default(),
        };
        let picture = |graph: &Graph| {
            let record = Buffer::from(graph.to_record().unwrap());
            let model = Model::parse(record.bytes()).unwrap();
            let mut arena = vec![f32::NAN; model.arena_len()];
            let mut cpu = Cpu::reference(&model, &mut arena).unwrap();
            cpu.generate(&Latent::from_seed(3)).unwrap().values().to_vec()
        };
        let want = picture(&graph);
        graph.fold();
        assert_eq!(
            graph.layers.last().unwrap().op,
            Op::ConvTranspose { out: 3, window: window(4, 2, 1) }
        );
        for (got, want) in picture(&graph).iter().zip(&want) {
            assert!((got - want).abs() < 1e-5, "{h} x {w}: {got}, not {want}");
        }
    }
}

#[test]
fn other_layers_do_not_fold() {
    let layer = |name: &str, op: Op, activation, weight: usize| Layer {
        name: name.into(),
        op,
        activation,
        from: None,
        with: None,
        weight: numbers(weight, 2),
        bias: vec![],
    };
    let (none, relu) = (Activation::None, Activation::Relu);
    let conv =
        |kernel, stride, padding| Op::Conv { out: 3, window: window(kernel, stride, padding) };
    let to = Op::Reshape { to: Shape::new(3, 2, 2) };
    let cases: [(&str, Vec<Layer>); 6] = [
        (
            "a norm after an activation",
            vec![
                layer("a", Op::Dense { out: 12 }, relu, 144),
                layer("b", to, none, 0),
                layer("c", Op::Affine, none, 3),
            ],
        ),
        (
            "an activation after an activation",
            vec![layer("a", to, relu, 0), layer("b", Op::Activate, Activation::Tanh, 0)],
        ),
        (
            "an activation between resize and convolution",
            vec![
                layer("a", to, none, 0),
                layer("b", Op::Resize { factor: 2 }, relu, 0),
                layer("c", conv(3, 1, 1), none, 81),
            ],
        ),
        (
            "resize by 3",
            vec![
                layer("a", to, none, 0),
                layer("b", Op::Resize { factor: 3 }, none, 0),
                layer("c", conv(3, 1, 1), none, 81),
            ],
        ),
        (
            "another window",
            vec![
                layer("a", to, none, 0),
                layer("b", Op::Resize { factor: 2 }, none, 0),
                layer("c", conv(3, 2, 1), none, 81),
            ],
        ),
        (
            "a norm after a resize",
            vec![
                layer("a", to, none, 0),
                layer("b", Op::Resize { factor: 2 }, none, 0),
                layer("c", Op::Affine, none, 3),
            ],
        ),
    ];
    for (what, layers) in cases {
        let mut graph = Graph { input: Input::Latent(12), layers, facts: Facts::default() };
        graph.shapes().expect(what);
        let before = graph.clone();
        graph.fold();
        assert_eq!(graph, before, "{what}");
    }
}
