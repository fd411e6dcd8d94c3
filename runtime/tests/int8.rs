//! Promises of int8: every instruction set makes the same bytes as the obvious loop, and the
//! pictures are those of f32.
#![cfg(feature = "std")]

use runtime::Input;
use runtime::cpu::Cpu;
use runtime::crew::{Crew, CrewError};
use runtime::graph::{Facts, Graph, GraphError, Layer};
use runtime::latent::Latent;
use runtime::model::{Model, ModelError, Precision};
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::Buffer;
use runtime::simd::Isa;

/// Numbers between -1 and 1 that look random and are not.
fn numbers(n: usize, salt: usize) -> Vec<f32> {
    let at = |i: usize| ((i + 1) * (salt + 7) * 2_654_435_761) % 100_003;
    (0..n).map(|i| at(i) as f32 / 50_001.5 - 1.0).collect()
}

fn graph(latent: usize, ops: &[(Op, Activation)]) -> Graph {
    let mut shape = Shape::new(latent, 1, 1);
    let mut layers = Vec::new();
    for (i, (op, activation)) in ops.iter().enumerate() {
        let sides = op.weight(shape);
        let weights = sides.map_or(0, |sides| sides.iter().product());
        let taps = match op {
            Op::Conv { window, .. } | Op::ReflectConv { window, .. } => window.kernel,
            Op::ConvTranspose { window, .. } => window.kernel.div_ceil(window.stride).min(2),
            Op::Dense { .. }
            | Op::Affine
            | Op::InstanceNorm { .. }
            | Op::Add
            | Op::Concat { .. }
            | Op::Resize { .. }
            | Op::Reshape { .. }
            | Op::Activate => 1,
        };
        let inputs = match op {
            Op::Dense { .. } => shape.values(),
            Op::Affine => 1,
            _ => shape.c,
        };
        let gain = 1.5 / (taps as f32 * (inputs as f32).sqrt());
        let bias = op.bias(shape).filter(|_| i % 2 == 0).unwrap_or(0);
        layers.push(Layer {
            name: format!("l{i}"),
            op: *op,
            activation: *activation,
            from: None,
            with: None,
            weight: numbers(weights, i).iter().map(|w| w * gain).collect(),
            bias: numbers(bias, 3).iter().map(|b| b * 0.2).collect(),
        });
        shape = op.output(shape).unwrap();
    }
    Graph { input: Input::Latent(latent), layers, facts: Facts::default() }
}

fn conv(out: usize, kernel: usize, stride: usize, padding: usize) -> Op {
    let window = Window { kernel, stride, padding };
    Op::Conv { out, window }
}

fn up(out: usize, kernel: usize, stride: usize, padding: usize) -> Op {
    let window = Window { kernel, stride, padding };
    Op::ConvTranspose { out, window }
}

fn pixels(record: &[u8], isa: Option<Isa>, seed: u64) -> Vec<[u8; 3]> {
    let model = Model::parse(record).unwrap();
    // Earlier contents of the arena must not matter.
    let mut arena = vec![f32::from_bits(0x5a5a_a5a5 ^ seed as u32); model.arena_len()];
    let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
    let image = cpu.generate(&Latent::from_seed(seed)).unwrap();
    image.pixels().collect()
}

fn psnr(a: &[[u8; 3]], b: &[[u8; 3]]) -> f64 {
    let off = a.as_flattened().iter().zip(b.as_flattened());
    let squares = off.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    let mean = squares.sum::<f64>() / (3 * a.len()) as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-3)).log10()
}

/// Every kind of layer, with numbers of channels that do not fill registers.
fn cases() -> Vec<(&'static str, Graph)> {
    [convolutions(), others()].concat()
}

fn convolutions() -> Vec<(&'static str, Graph)> {
    use Activation::{LeakyRelu, None, Relu, Sigmoid, Tanh};
    let dcgan = |latent, ngf: usize| {
        graph(
            latent,
            &[
                (up(4 * ngf, 4, 1, 0), Relu),
                (up(2 * ngf, 4, 2, 1), Relu),
                (up(ngf, 4, 2, 1), Relu),
                (up(3, 4, 2, 1), Tanh),
            ],
        )
    };
    vec![
        ("dcgan of 8", dcgan(16, 8)),
        ("dcgan of 13", dcgan(10, 13)),
        ("dcgan of 32", dcgan(100, 32)),
        // A dense generator as exported: a window as large as the image, applied to one pixel.
        (
            "window of 28",
            graph(8, &[(Op::Dense { out: 40 }, LeakyRelu(0.2)), (up(1, 28, 1, 0), Sigmoid)]),
        ),
        // More tiles than are computed at a time, half tiles, and channels around register sizes.
        (
            "odd sides",
            graph(
                7,
                &[
                    (up(70, 5, 1, 0), Relu),
                    (up(37, 4, 2, 1), Relu),
                    (conv(21, 2, 1, 0), Relu),
                    (up(19, 4, 2, 1), Sigmoid),
                    (up(3, 4, 2, 1), Tanh),
                ],
            ),
        ),
        // Bytes by Winograd with AVX2: padding that is not zero, an odd side, two chunks of channels,
        // more tiles than are computed at a time, a block of lanes that is not full.
        (
            "many channels",
            graph(
                9,
                &[
                    (up(96, 5, 1, 0), LeakyRelu(0.2)),
                    (up(64, 4, 2, 1), LeakyRelu(0.2)),
                    (conv(32, 3, 1, 1), Relu),
                    (up(21, 4, 2, 1), Tanh),
                    (conv(3, 4, 2, 1), Tanh),
                ],
            ),
        ),
        // Maps of one and two columns, with blocks of lanes that fill no whole group of them.
        (
            "narrow maps",
            graph(
                9,
                &[
                    (up(20, 4, 1, 0), Relu),
                    (conv(70, 4, 2, 1), LeakyRelu(0.2)),
                    (conv(100, 4, 2, 1), Relu),
                    (up(90, 4, 2, 1), Relu),
                    (up(36, 4, 2, 1), Relu),
                    (up(3, 4, 2, 1), Tanh),
                ],
            ),
        ),
        ("gray", graph(9, &[(up(7, 4, 1, 0), LeakyRelu(0.2)), (up(1, 4, 2, 1), Sigmoid)])),
        ("many to the image", graph(6, &[(up(5, 3, 1, 0), Tanh), (up(3, 3, 1, 1), None)])),
        (
            "windows",
            graph(
                8,
                &[
                    (up(9, 5, 3, 1), Relu),
                    (up(6, 3, 3, 0), Relu),
                    (up(6, 2, 3, 0), LeakyRelu(0.3)),
                    (conv(20, 5, 2, 2), Sigmoid),
                    (conv(3, 1, 1, 0), Tanh),
                ],
            ),
        ),
    ]
}

/// Layers that are not convolutions, among some that are.
fn others() -> Vec<(&'static str, Graph)> {
    use Activation::{LeakyRelu, None, Relu, Sigmoid, Tanh};
    let to = |c, h, w| Op::Reshape { to: Shape::new(c, h, w) };
    vec![
        (
            "dense",
            graph(
                12,
                &[
                    (Op::Dense { out: 30 }, Relu),
                    (Op::Dense { out: 27 }, Tanh),
                    (to(3, 3, 3), None),
                ],
            ),
        ),
        (
            "moved",
            graph(
                8,
                &[
                    (Op::Dense { out: 54 }, LeakyRelu(0.1)),
                    (to(6, 3, 3), None),
                    (Op::Resize { factor: 2 }, Relu),
                    (conv(5, 3, 1, 1), Relu),
                    (to(180, 1, 1), None),
                    (Op::Dense { out: 48 }, Tanh),
                    (to(3, 4, 4), None),
                ],
            ),
        ),
        (
            "scales",
            graph(
                8,
                &[
                    (up(9, 4, 1, 0), Tanh),
                    (Op::Affine, LeakyRelu(0.2)),
                    (up(3, 4, 2, 1), None),
                    (Op::Activate, Tanh),
                ],
            ),
        ),
        (
            // Too many channels to be the diagonal of a matrix; 70 is no multiple of 4.
            "scales of many channels",
            graph(
                8,
                &[
                    (up(70, 4, 1, 0), Tanh),
                    (Op::Affine, LeakyRelu(0.2)),
                    (Op::Reshape { to: Shape::new(280, 2, 2) }, Sigmoid),
                    (Op::Affine, None),
                    (Op::Resize { factor: 2 }, None),
                    (conv(3, 3, 1, 1), Tanh),
                ],
            ),
        ),
    ]
}

#[test]
fn every_kernel_makes_the_same_bytes() {
    for (name, graph) in cases() {
        let record = Buffer::from(graph.quantize(0..8).unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        assert_eq!(model.precision(), Precision::Int8);
        for seed in 0..2 {
            let want = pixels(record.bytes(), None, seed);
            assert!(want.iter().any(|p| *p != want[0]), "{name}: one color");
            for isa in Isa::all().into_iter().flatten() {
                let got = pixels(record.bytes(), Some(isa), seed);
                assert!(got == want, "{name}, seed {seed}: {}", isa.name());
            }
        }
    }
}

/// The largest bytes times the largest weights, of either sign: no partial sum may overflow.
#[test]
fn the_largest_sums_are_exact() {
    for weight in [1.0, -1.0] {
        let convolution =
            [(up(21, 3, 1, 0), Activation::None), (conv(40, 3, 1, 1), Activation::Relu)];
        let winograd = [(up(64, 5, 1, 0), Activation::None), (up(40, 4, 2, 1), Activation::Relu)];
        let all = [4, 5, 12, 16, 37].map(|depth| (depth, convolution));
        for (depth, layers) in all.into_iter().chain([(4, winograd)]) {
            let [first, second] = layers;
            let last = (conv(3, 1, 1, 0), Activation::Tanh);
            let mut graph = graph(depth, &[first, second, last]);
            for layer in &mut graph.layers[..2] {
                layer.weight.fill(weight);
            }
            let record = Buffer::from(graph.quantize(0..2).unwrap());
            let model = Model::parse(record.bytes()).unwrap();
            for latent in [[9.0, 9.0], [-9.0, -9.0], [9.0, -9.0]] {
                let latent: Vec<f32> = latent.into_iter().cycle().take(depth).collect();
                let of = |isa| {
                    let mut arena = vec![f32::NAN; model.arena_len()];
                    let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                    let image = cpu.generate(&Latent::from_values(&latent)).unwrap();
                    image.bytes().to_vec()
                };
                let want = of(None);
                for isa in Isa::all().into_iter().flatten() {
                    assert!(of(Some(isa)) == want, "{weight}, {depth}: {}", isa.name());
                }
            }
        }
    }
}

/// Kernels may rely on weights of -127 to 127.
#[test]
fn a_weight_of_minus_128_is_refused() {
    let (_, graph) = &cases()[0];
    let record = graph.quantize(0..2).unwrap();
    // The first weight of 127 becomes -128, with the record's checksum as it is: weights come first.
    let at = record.iter().rposition(|b| *b == 127).unwrap();
    let refused = (256..=at).filter(|at| record[*at] == 127).any(|at| {
        let mut damaged = record.clone();
        damaged[at] = 0x80;
        let damaged = Buffer::from(damaged);
        let error = Model::parse(damaged.bytes()).map(|_| ()).map_err(|e| e.to_string());
        error == Err("layer 0 (l0): a weight is -128; int8 weights are -127 to 127".into())
    });
    assert!(refused);
}

#[test]
fn packed_floats_make_the_same_pictures() {
    for (name, graph) in cases() {
        let packed = Buffer::from(graph.pack().unwrap());
        let floats = Buffer::from(graph.to_record().unwrap());
        let model = Model::parse(packed.bytes()).unwrap();
        assert_eq!(model.precision(), Precision::Packed);
        let plain = Model::parse(floats.bytes()).unwrap();
        let latent = Latent::from_seed(3);
        let mut arena = vec![f32::NAN; plain.arena_len()];
        let mut cpu = Cpu::reference(&plain, &mut arena).unwrap();
        let want = cpu.generate(&latent).unwrap().values().to_vec();
        for isa in Isa::all().into_iter().chain([None]) {
            let mut arena = vec![f32::NAN; model.arena_len()];
            let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
            let got = cpu.generate(&latent).unwrap().values().to_vec();
            let off = got.iter().zip(&want).map(|(a, b)| (a - b).abs());
            // NaN counts as infinitely far.
            assert!(
                off.clone().all(|off| off < 2e-5),
                "{name}, {isa:?}: {:?}",
                off.reduce(f32::max)
            );
            assert_eq!(got.len(), want.len());
        }
    }
}

#[test]
fn pictures_are_those_of_floats() {
    for (name, graph) in cases() {
        let record = Buffer::from(graph.quantize(100..132).unwrap());
        let floats = Buffer::from(graph.to_record().unwrap());
        let of = |seed| {
            let best = Some(Isa::best());
            psnr(&pixels(record.bytes(), best, seed), &pixels(floats.bytes(), best, seed))
        };
        let mean = (0..16).map(of).sum::<f64>() / 16.0;
        assert!(mean > 30.0, "{name}: {mean} dB");
    }
}

/// The shipped faces as int8: at least 30 dB, within their memory.
#[test]
fn shipped_faces() {
    let floats = runtime::include_record!("../../models/pretrained/faces64.bpk");
    let model = Model::parse(floats).unwrap();
    let record = Graph::from_model(&model).quantize(1000..1008).unwrap();
    assert!(record.len() < floats.len() / 3);
    let record = Buffer::from(record);
    let small = Model::parse(record.bytes()).unwrap();
    assert!(4 * small.arena_len() <= 80 << 10, "{}", small.arena_len());
    for seed in 0..8 {
        let best = Some(Isa::best());
        let close = psnr(&pixels(record.bytes(), best, seed), &pixels(floats, best, seed));
        assert!(close > 30.0, "seed {seed}: {close} dB");
    }
}

#[test]
fn widths_of_arenas() {
    // (ngf, pixels, most bytes)
    for (ngf, side, most) in [(64, 64, 160 << 10), (64, 32, 48 << 10), (16, 64, 32 << 10)] {
        let mut ops = vec![(up(ngf * side / 8, 4, 1, 0), Activation::Relu)];
        let mut width = ngf * side / 8;
        while width > ngf {
            width /= 2;
            ops.push((up(width, 4, 2, 1), Activation::Relu));
        }
        ops.push((up(3, 4, 2, 1), Activation::Tanh));
        let record = Buffer::from(graph(100, &ops).quantize(0..1).unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        assert_eq!(model.output(), Shape::new(3, side, side));
        let bytes = 4 * model.arena_len();
        assert!(bytes <= most, "{ngf} wide, {side} pixels: {bytes} bytes");
    }
}

/// Replaces text in the metadata of a record by text of the same length, and parses it.
fn damaged(record: &[u8], from: &str, to: &str) -> Option<String> {
    assert_eq!(from.len(), to.len());
    let at = record.windows(from.len()).position(|w| w == from.as_bytes())?;
    let mut bytes = record.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let buffer = Buffer::from(bytes);
    Model::parse(buffer.bytes()).err().map(|e| e.to_string())
}

#[test]
fn damaged_int8_records() {
    let (_, graph) = &cases()[0];
    let record = graph.quantize(0..2).unwrap();
    let cases = [
        ("pocket-gan.int8", "pocket-gan.intx", "no \"pocket-gan.int8\""),
        ("32 128\n", "32 999\n", "\"pocket-gan.int8\" has the invalid value \"32 999\""),
        ("32 128\n", "-3 128\n", "\"pocket-gan.int8\" has the invalid value \"-3 128\""),
        (
            "precisiondint8",
            "precisiondint9",
            "\"pocket-gan.precision\" has the invalid value \"int9\"",
        ),
        ("l0.scale", "l0.skale", "layer 0 (l0): the record has no scale"),
        ("l2.weight", "l2.waight", "layer 2 (l2): the record has no weight"),
        ("l3.table", "l3.tafel", "layer 3 (l3): the record has no table"),
        ("l1 ConvTranspose 16", "l1 ConvTranspose 17", "layer 1 (l1)"),
    ];
    for (from, to, want) in cases {
        let got = damaged(&record, from, to).unwrap_or_else(|| panic!("{from}: no error"));
        assert!(got.contains(want), "{from}: {got}");
    }
    // A layer without its shift.
    let text = String::from_utf8_lossy(&record).into_owned();
    let at = text.find("32 128\n").unwrap() + 7;
    let line = text[at..].split('\n').next().unwrap();
    let gone = "x".repeat(line.len());
    let from = format!("32 128\n{line}");
    let got = damaged(&record, &from, &format!("32 128\n{gone}")).unwrap();
    assert!(got.contains("layer 0 (l0)"), "{got}");
}

#[test]
fn unsupported_layers_are_refused() {
    let window = [(up(2, 4, 1, 0), Activation::None), (up(3, 17, 1, 0), Activation::Tanh)];
    let large = graph(4, &window);
    assert!(matches!(large.quantize(0..1), Err(GraphError::Blocks(1, _, _))));
    let mut nan = cases().remove(0).1;
    nan.layers[1].weight[5] = f32::NAN;
    let error = nan.quantize(0..1).unwrap_err();
    assert!(matches!(error, GraphError::NotFinite(1, _, "weight")), "{error}");
    let long = graph(70_000, &[(Op::Dense { out: 3 }, Activation::Tanh)]);
    assert!(matches!(long.quantize(0..1), Err(GraphError::Blocks(0, _, _))));
    assert!(matches!(Model::parse(&[]), Err(ModelError::Record(_))));
}

#[test]
fn halves_make_the_same_pictures_on_every_kernel() {
    for (name, graph) in cases() {
        let record = Buffer::from(graph.halve().unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        assert_eq!(model.precision(), Precision::F16, "{name}");
        let packed = graph.pack().unwrap();
        let least = graph.to_record().unwrap().len() / 2;
        assert!(
            (least / 2..packed.len()).contains(&record.bytes().len()),
            "{name}: {} bytes of {}",
            record.bytes().len(),
            packed.len()
        );
        let want = values(&record, None);
        let exact = values(&Buffer::from(packed), None);
        let off = furthest(&want, &exact);
        assert!(off < 1e-2, "{name}: {off} from 32 bits");
        for isa in Isa::all().into_iter().flatten() {
            let off = furthest(&values(&record, Some(isa)), &want);
            assert!(off < most(isa), "{name}, {}: {off}", isa.name());
        }
    }
}

/// How far the values of an f16 model may be from those of the obvious loop: where 16-bit floats are
/// added up, half a step of a picture whose values are -1 to 1.
fn most(isa: Isa) -> f32 {
    if isa.has_halves() { 1.0 / 255.0 } else { 2e-5 }
}

fn values(record: &Buffer, isa: Option<Isa>) -> Vec<f32> {
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
    cpu.generate(&Latent::from_seed(3)).unwrap().values().to_vec()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    // NaN counts as infinitely far.
    let off = |(a, b): (&f32, &f32)| match (a - b).abs() {
        off if off.is_finite() => off,
        _ => f32::INFINITY,
    };
    a.iter().zip(b).map(off).fold(0.0, f32::max)
}

/// Weights and activations far from 1 must not leave the range of 16-bit floats.
#[test]
fn halves_of_any_size() {
    for factor in [1.0 / 4096.0, 64.0, 65536.0] {
        let (_, mut graph) = cases().into_iter().nth(2).unwrap();
        // A rectifier passes the factor on, and the next layer undoes it.
        for (i, by) in [(1, factor), (2, 1.0 / factor)] {
            graph.layers[i].weight.iter_mut().for_each(|w| *w *= by);
        }
        graph.layers[1].bias.iter_mut().for_each(|b| *b *= factor);
        let record = Buffer::from(graph.halve().unwrap());
        let want = values(&record, None);
        for isa in Isa::all().into_iter().flatten() {
            let off = furthest(&values(&record, Some(isa)), &want);
            assert!(off < most(isa), "{factor}, {}: {off}", isa.name());
        }
    }
}

#[test]
fn any_number_of_threads_makes_the_same_face() {
    for (name, graph) in cases() {
        let records = [
            graph.to_record().unwrap(),
            graph.pack().unwrap(),
            graph.halve().unwrap(),
            graph.quantize(0..2).unwrap(),
        ];
        for record in records.map(Buffer::from) {
            let model = Model::parse(record.bytes()).unwrap();
            for isa in Isa::all().into_iter().flatten() {
                let mut arena = vec![f32::NAN; model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, Some(isa)).unwrap();
                let want = [3, 4].map(|seed| {
                    let image = cpu.generate(&Latent::from_seed(seed)).unwrap();
                    (image.values().to_vec(), image.bytes().to_vec())
                });
                for threads in [0, 5] {
                    let mut arena = vec![f32::NAN; model.arena_len_of(threads.max(1))];
                    Crew::with(&model, &mut arena, isa, threads, |crew| {
                        for turn in 0..3 {
                            let seed = 3 + turn % 2;
                            let image = crew.generate(&Latent::from_seed(seed)).unwrap();
                            let want = &want[turn as usize % 2];
                            let same = image.values() == want.0 && image.bytes() == want.1;
                            let what = model.precision().name();
                            assert!(same, "{name}, {what}, {}, {threads}", isa.name());
                        }
                        // A latent of the wrong length is an error, and the next one works.
                        assert!(crew.generate(&Latent::from_values(&[0.0; 999])).is_err());
                        assert!(crew.generate(&Latent::from_seed(1)).is_ok());
                    })
                    .unwrap();
                }
            }
        }
    }
}

#[test]
fn a_crew_needs_one_scratch_per_thread() {
    let record = Buffer::from(cases()[0].1.pack().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    assert!(model.arena_len_of(3) > model.arena_len());
    let mut arena = vec![0.0; model.arena_len_of(3) - 1];
    let error = Crew::with(&model, &mut arena, Isa::best(), 3, |_| ()).unwrap_err();
    let CrewError::Arena(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.need, error.got + 1);
    // A panic in the work ends the other threads.
    let mut arena = vec![0.0; model.arena_len_of(3)];
    let work = || {
        Crew::with(&model, &mut arena, Isa::best(), 3, |crew| {
            crew.generate(&Latent::from_seed(1)).unwrap();
            panic!("in the work");
        })
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
}

#[test]
fn weights_beyond_halves_are_refused() {
    let (_, mut graph) = cases().into_iter().next().unwrap();
    let weight = &mut graph.layers[0].weight;
    weight[1] = -70_000.0;
    let error = graph.halve().unwrap_err().to_string();
    assert!(error.contains("-70000 is beyond the range of 16-bit floats"), "{error}");
    graph.layers[0].weight[1] = 0.5;
    // The first weight of the record, made infinite.
    let whole = graph.halve().unwrap();
    let half = runtime::half::narrow(0.5).to_le_bytes();
    let name = graph.layers[0].name.clone();
    let places = whole.windows(2).enumerate();
    let named = places
        .filter(|(_, pair)| *pair == half)
        .map(|(at, _)| {
            let mut damaged = whole.clone();
            damaged[at..at + 2].copy_from_slice(&0x7c00u16.to_le_bytes());
            let damaged = Buffer::from(damaged);
            Model::parse(damaged.bytes()).map(|_| ()).map_err(|e| e.to_string())
        })
        .filter(|parsed| parsed == &Err(format!("layer 0 ({name}): a weight is not finite")));
    assert!(named.count() > 0);
}
