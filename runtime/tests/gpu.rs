//! Promises of the GPU backend: every kernel computes what the obvious loops do, for every kind of
//! layer, on every adapter. Without an adapter the tests print a line and pass, unless the variable
//! `POCKET_GAN_GPU` is `required`.

#[path = "branches/nets.rs"]
mod nets;

use runtime::Input;
use runtime::cpu::Cpu;
use runtime::gpu::{Adapter, Gpu, GpuError, Kind, adapters};
use runtime::graph::{Facts, Graph, Layer};
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::Buffer;

/// The adapters, and each software one once more as if it were a card, for which other kernels are
/// chosen. None is a failure if they are required.
fn found() -> Vec<Adapter> {
    let mut all = adapters();
    if all.is_empty() {
        let required = std::env::var("POCKET_GAN_GPU").is_ok_and(|v| v == "required");
        assert!(!required, "Vulkan finds no adapter, and one is required");
        eprintln!("no adapter: not tested");
    }
    let mut cards: Vec<Adapter> = all.clone();
    cards.retain(|a| a.kind == Kind::Software);
    for card in &mut cards {
        card.kind = Kind::Discrete;
    }
    all.extend(cards);
    all
}

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

fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    Window { kernel, stride, padding }
}

fn conv(out: usize, k: usize, s: usize, p: usize) -> Op {
    Op::Conv { out, window: window(k, s, p) }
}

fn convt(out: usize, k: usize, s: usize, p: usize) -> Op {
    Op::ConvTranspose { out, window: window(k, s, p) }
}

fn reflect(out: usize, k: usize, s: usize, p: usize) -> Op {
    Op::ReflectConv { out, window: window(k, s, p) }
}

fn up(out: usize) -> Op {
    convt(out, 4, 2, 1)
}

fn dense(out: usize) -> Op {
    Op::Dense { out }
}

fn to(c: usize, h: usize, w: usize) -> Op {
    Op::Reshape { to: Shape::new(c, h, w) }
}

/// A record of operations on a latent, with weights that keep the magnitude of values. Every other
/// layer has a bias.
fn record(latent: usize, ops: &[(Op, Activation)]) -> Buffer {
    let mut shape = Shape::new(latent, 1, 1);
    let mut layers = Vec::new();
    for (i, (op, activation)) in ops.iter().enumerate() {
        let weights = op.weight(shape).map_or(0, |sides| sides.iter().product());
        let terms = match op {
            Op::Dense { .. } => shape.values(),
            Op::Conv { .. } | Op::ConvTranspose { .. } => 4 * shape.c,
            Op::ReflectConv { .. }
            | Op::Affine
            | Op::InstanceNorm { .. }
            | Op::Add
            | Op::Concat { .. }
            | Op::Resize { .. }
            | Op::Reshape { .. }
            | Op::Activate => 1,
        };
        let size = (3.0 / terms as f32).sqrt();
        let weight = numbers(weights, 3 + i as u64);
        layers.push(Layer {
            name: format!("l{i}"),
            op: *op,
            activation: *activation,
            from: None,
            with: None,
            weight: weight.iter().map(|w| w * size).collect(),
            bias: match op.bias(shape) {
                Some(n) if i % 2 == 0 => numbers(n, 5),
                _ => vec![],
            },
        });
        shape = op.output(shape).unwrap();
    }
    let graph = Graph { input: Input::Latent(latent), layers, facts: Facts::default() };
    Buffer::from(graph.to_record().unwrap())
}

/// Checks the faces of a batch against the obvious loops.
fn check(adapter: &Adapter, latent: usize, ops: &[(Op, Activation)], batch: u64) {
    let record = record(latent, ops);
    let model = Model::parse(record.bytes()).unwrap();
    let mut gpu = Gpu::new(&model, adapter, false).unwrap();
    let latents: Vec<Latent<'_>> = (0..batch).map(Latent::from_seed).collect();
    let values = gpu.values(&latents).unwrap();
    gpu.generate_all(&latents).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::reference(&model, &mut arena).unwrap();
    // The obvious loops are slow: some of the faces, the first and the last among them.
    for i in (0..latents.len()).rev().step_by(23).chain([0]) {
        let want = cpu.generate(&latents[i]).unwrap();
        let got = &values[i * want.values().len()..];
        for (at, (want, got)) in want.values().iter().zip(got).enumerate() {
            assert!(
                (want - got).abs() <= 1e-4 * want.abs().max(1.0),
                "{ops:?}, face {i} of {batch}, value {at}: {got}, not {want}, on {} ({})",
                adapter.name,
                adapter.kind
            );
        }
        let image = gpu.image(i);
        let mut off = 0;
        for (want, got) in want.pixels().zip(image.pixels()) {
            for c in 0..3 {
                let apart = want[c].abs_diff(got[c]);
                assert!(apart <= 1, "{ops:?}, face {i} of {batch}: {got:?}, not {want:?}");
                off += usize::from(apart);
            }
        }
        // Values that differ slightly may round to different bytes.
        assert!(off * 100 <= 3 * want.pixels().len() + 200, "{off} bytes differ: {ops:?}");
    }
}

const NONE: Activation = Activation::None;
const RELU: Activation = Activation::Relu;
const LEAKY: Activation = Activation::LeakyRelu(0.2);
const TANH: Activation = Activation::Tanh;
const SIGMOID: Activation = Activation::Sigmoid;
const ALL: [Activation; 13] = [
    NONE,
    RELU,
    LEAKY,
    TANH,
    SIGMOID,
    Activation::Elu(0.7),
    Activation::Selu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Mish,
    Activation::Softplus,
    Activation::Clip(-0.5, 0.5),
];

#[test]
fn single_layers() {
    // The latent as a feature map, one operation, and its values as a gray image.
    let cases = [
        (Shape::new(5, 1, 1), dense(7)),
        (Shape::new(100, 1, 1), dense(3)),
        (Shape::new(3, 4, 5), dense(100)),
        (Shape::new(7, 3, 3), conv(3, 3, 1, 1)),
        (Shape::new(3, 9, 7), conv(7, 3, 2, 1)),
        (Shape::new(100, 5, 5), conv(100, 1, 1, 0)),
        (Shape::new(2, 5, 4), conv(1, 5, 3, 2)),
        (Shape::new(4, 6, 6), conv(40, 6, 1, 0)),
        (Shape::new(3, 2, 2), conv(5, 20, 1, 10)),
        (Shape::new(10, 1, 1), convt(13, 4, 1, 0)),
        (Shape::new(7, 1, 1), convt(3, 5, 3, 2)),
        (Shape::new(7, 1, 1), up(100)),
        (Shape::new(7, 3, 5), up(3)),
        (Shape::new(3, 5, 3), up(7)),
        (Shape::new(100, 4, 4), up(20)),
        (Shape::new(33, 8, 8), up(70)),
        (Shape::new(5, 4, 3), convt(6, 5, 3, 2)),
        (Shape::new(5, 4, 3), convt(9, 3, 1, 1)),
        // Phases without taps, and more rows than are left.
        (Shape::new(3, 3, 3), convt(4, 2, 3, 0)),
        (Shape::new(2, 3, 4), convt(3, 18, 17, 4)),
        (Shape::new(3, 4, 5), Op::Affine),
        (Shape::new(5, 7, 6), reflect(9, 3, 1, 1)),
        (Shape::new(3, 9, 8), reflect(3, 7, 1, 3)),
        (Shape::new(8, 6, 6), reflect(20, 4, 2, 2)),
        (Shape::new(7, 9, 20), Op::InstanceNorm { epsilon: 1e-5 }),
        (Shape::new(4, 1, 3), Op::InstanceNorm { epsilon: 0.1 }),
        (Shape::new(6, 2, 3), Op::Resize { factor: 3 }),
        (Shape::new(6, 2, 3), Op::Activate),
        (Shape::new(6, 2, 3), to(4, 1, 9)),
    ];
    for adapter in found() {
        for (at, (input, op)) in cases.into_iter().enumerate() {
            let activation = ALL[at % ALL.len()];
            let row = op.output(input).unwrap().values();
            let ops =
                [(to(input.c, input.h, input.w), NONE), (op, activation), (to(1, 1, row), NONE)];
            check(&adapter, input.values(), &ops, [1, 3, 70][at % 3]);
        }
    }
}

#[test]
fn whole_generators() {
    let resize = Op::Resize { factor: 2 };
    let stem = |out| (convt(out, 4, 1, 0), RELU);
    let nets: [(usize, Vec<(Op, Activation)>); 7] = [
        (7, vec![stem(13), (up(7), LEAKY), (up(1), TANH)]),
        (100, vec![stem(100), (up(36), RELU), (up(3), TANH)]),
        (10, vec![stem(24), (up(12), RELU), (up(8), RELU), (up(7), RELU), (up(3), TANH)]),
        (
            9,
            vec![
                stem(8),
                (up(8), RELU),
                (up(4), RELU),
                (up(4), RELU),
                (up(4), RELU),
                (up(3), TANH),
            ],
        ),
        (11, vec![(dense(40), LEAKY), (dense(28 * 28), SIGMOID), (to(1, 28, 28), NONE)]),
        (
            8,
            vec![
                (dense(5 * 16), RELU),
                (to(5, 4, 4), NONE),
                (Op::Affine, LEAKY),
                (resize, NONE),
                (conv(6, 3, 1, 1), RELU),
            ]
            .into_iter()
            .chain([(resize, NONE), (conv(3, 3, 1, 1), SIGMOID)])
            .collect(),
        ),
        // The last layer moves values: the image is planar too.
        (6, vec![stem(3), (resize, NONE), (Op::Activate, TANH)]),
    ];
    for adapter in found() {
        for (latent, ops) in &nets {
            for batch in [1, 3, 70] {
                check(&adapter, *latent, ops, batch);
            }
        }
    }
}

#[test]
fn branches_and_pictures() {
    for adapter in found() {
        for (name, graph) in nets::cases() {
            let record = Buffer::from(graph.to_record().unwrap());
            let model = Model::parse(record.bytes()).unwrap();
            let seeds = 0..9;
            let want: Vec<f32> =
                seeds.clone().flat_map(|seed| nets::by_hand(&graph, seed).pop().unwrap()).collect();
            for half in [false, true].into_iter().filter(|half| !half || adapter.half) {
                let mut gpu = Gpu::new(&model, &adapter, half).unwrap();
                let got = match graph.input {
                    Input::Latent(_) => {
                        let latents: Vec<_> = seeds.clone().map(Latent::from_seed).collect();
                        let pictures = gpu.translate_all(&[&[0; 3]]);
                        assert!(matches!(pictures, Err(GpuError::Picture(_))));
                        gpu.generate_all(&latents).unwrap();
                        gpu.values(&latents).unwrap()
                    }
                    Input::Picture(shape) => {
                        let pictures: Vec<_> =
                            seeds.clone().map(|seed| nets::pixels(shape, seed)).collect();
                        let pictures: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
                        let latent = gpu.generate_all(&[Latent::from_seed(0)]);
                        assert!(matches!(latent, Err(GpuError::Latent(_))));
                        assert!(gpu.translate_all(&[&[0; 5]]).is_err());
                        gpu.translate_all(&pictures).unwrap();
                        gpu.translated_values(&pictures).unwrap()
                    }
                };
                assert_eq!(got.len(), want.len());
                let off = got.iter().zip(&want).map(|(a, b)| (a - b).abs());
                let worst = off.fold(0.0, |most: f32, off| if off <= most { most } else { off });
                let most = if half { 0.05 } else { 5e-5 };
                assert!(worst < most, "{name}, half {half}: {worst} on {}", adapter.name);
                // The bytes of the last face.
                let (black, white) = model.range();
                let (output, last) = (model.output(), &got[got.len() - model.output().values()..]);
                for (at, byte) in gpu.image(8).bytes().iter().enumerate() {
                    let value = last[at % output.c * output.plane() + at / output.c];
                    let exact = ((value - black) / (white - black) * 255.0).clamp(0.0, 255.0);
                    let off = (f32::from(*byte) - exact).abs();
                    // Half a step, and the rounding of a feature map of 16 bits.
                    let most = if half { 0.5 + 127.5 / 2048.0 } else { 0.501 };
                    assert!(off < most, "{name}, half {half}, byte {at}: off by {off}");
                }
            }
        }
    }
}

#[test]
fn sixteen_bits_are_near() {
    let ops = [(convt(24, 4, 1, 0), RELU), (up(10), LEAKY), (Op::Affine, NONE), (up(3), TANH)];
    let record = record(20, &ops);
    let model = Model::parse(record.bytes()).unwrap();
    for adapter in found().into_iter().filter(|a| a.half) {
        for batch in [1, 40] {
            let latents: Vec<Latent<'_>> = (0..batch).map(Latent::from_seed).collect();
            let [full, half] = [false, true].map(|half| {
                let mut gpu = Gpu::new(&model, &adapter, half).unwrap();
                gpu.values(&latents).unwrap()
            });
            let off = full.iter().zip(&half).map(|(a, b)| (a - b).abs());
            let worst = off.fold(0.0, f32::max);
            assert!(worst > 0.0 && worst < 0.01, "{worst} on {}", adapter.name);
        }
    }
}

#[test]
fn parts_times_and_refusals() {
    let record = record(6, &[(convt(8, 4, 1, 0), RELU), (up(3), TANH)]);
    let model = Model::parse(record.bytes()).unwrap();
    let latents: Vec<Latent<'_>> = (0..100).map(Latent::from_seed).collect();
    for adapter in found() {
        let mut gpu = Gpu::new(&model, &adapter, false).unwrap();
        gpu.generate_all(&latents).unwrap();
        // An adapter that takes a few faces at once makes the same ones.
        let mut narrow = adapter.clone();
        narrow.largest_buffer = 30_000;
        let mut parts = Gpu::new(&model, &narrow, false).unwrap();
        assert!(parts.at_once() < 100);
        parts.generate_all(&latents).unwrap();
        for i in [0, 50, 99] {
            let pairs = parts.image(i).bytes().iter().zip(gpu.image(i).bytes());
            assert!(pairs.clone().count() == 3 * 64, "bytes of face {i}");
            assert!(pairs.clone().all(|(a, b)| a.abs_diff(*b) <= 1), "face {i}");
        }
        let [parts, whole] = [&mut parts, &mut gpu].map(|gpu| gpu.values(&latents).unwrap());
        let off = parts.iter().zip(&whole).map(|(a, b)| (a - b).abs());
        let worst = off.fold(0.0, f32::max);
        assert!(worst < 1e-5, "{worst} on {}", adapter.name);
        let times = gpu.layer_seconds(&latents).unwrap();
        assert_eq!(times.len(), 2);
        assert!(times.iter().all(|s| (0.0..60.0).contains(s)), "{times:?}");
        gpu.generate_all(&latents[..1]).unwrap();
        assert!(gpu.peak().unwrap() > 1e6);
        narrow.largest_buffer = 100;
        let error = Gpu::new(&model, &narrow, false).err().unwrap();
        assert!(matches!(error, GpuError::TooLarge(_, 100)), "{error}");
        let error = gpu.generate_all(&[Latent::from_values(&[1.0])]).unwrap_err();
        assert!(matches!(error, GpuError::Latent(_)), "{error}");
        gpu.generate_all(&latents[..2]).unwrap();
        let int8 = Buffer::from(&Graph::from_model(&model).quantize(0..2).unwrap());
        let error = Gpu::new(&Model::parse(int8.bytes()).unwrap(), &adapter, false);
        assert!(matches!(error, Err(GpuError::Precision(_))));
    }
}
