//! The trainer's generator, its record, its ONNX model and an independent engine agree, for every
//! size that can be trained.

use std::ops::Range;

use burn::tensor::Device;
use models::dcgan::{self, SIZES, Shape};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use runtime::Input;
use runtime::graph::{Facts, Graph, Layer};
use runtime::latent::Latent;
use runtime::op::{Activation, Op, Window};
use runtime::{cpu::Cpu, model::Model, onnx, record::Buffer};
use trainer::networks::noise;

const SEEDS: usize = 3;

/// The images of an independent engine, from an ONNX model and the first seeds.
fn engine(model: Vec<u8>, latent: usize, labels: usize) -> Vec<f32> {
    let mut z = vec![0.0; SEEDS * latent];
    for (seed, z) in z.chunks_exact_mut(latent).enumerate() {
        let latent = Latent::from_seed(seed as u64);
        latent.fill_for(z, labels).unwrap();
    }
    let z = NdTensor::from_data([SEEDS, latent], z);
    let model = rten::Model::load(model).unwrap();
    let image = model.run_one(z.view().into(), None).unwrap();
    let image: NdTensor<f32, 4> = image.try_into().unwrap();
    assert_eq!(image.size(0), SEEDS, "the batch axis is symbolic");
    image.to_vec()
}

/// The images of our runtime.
fn ours(record: &[u8]) -> Vec<f32> {
    let record = Buffer::from(record);
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).unwrap();
    let mut all = Vec::new();
    for seed in 0..SEEDS as u64 {
        all.extend_from_slice(cpu.generate(&Latent::from_seed(seed)).unwrap().values());
    }
    all
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    off.fold(0.0, |most, off| if off <= most { most } else { off })
}

#[test]
fn every_size_that_can_be_trained() {
    let device = Device::flex();
    let training = device.clone().autodiff();
    for size in SIZES {
        for channels in [1, 3] {
            let shape = Shape { size, channels };
            let g = dcgan::generator(&shape, 10, 5, 1, &training).unwrap();
            // Statistics other than those of a fresh network.
            let mut rng = noise::rng(1, noise::Stream::Statistics, 0);
            let batches = [0, 1].map(|_| noise::latents(8, 10, &mut rng, &training));
            let g = burn::module::Module::valid(&g.restandardize(batches));
            let mut graph = trainer::export::graph(&g, 10, Facts::default());
            graph.fold();
            let want: Vec<f32> =
                g.forward(noise::seeds(0, SEEDS, 10, 0, &device)).into_data().try_to_vec().unwrap();
            assert!(want.iter().any(|v| v.abs() > 0.01), "no blank pictures");
            let record = ours(&graph.to_record().unwrap());
            let other = engine(onnx::write(&graph).unwrap(), 10, 0);
            assert!(furthest(&record, &want) < 1e-5, "record, {shape:?}");
            assert!(furthest(&other, &want) < 1e-5, "another engine, {shape:?}");
        }
    }
}

#[test]
fn every_operation_and_activation() {
    let numbers =
        |n: usize| (0..n).map(|i| ((i * 37 + 11) % 101) as f32 / 101.0 - 0.5).collect::<Vec<f32>>();
    let window = |kernel, stride, padding| Window { kernel, stride, padding };
    let to = runtime::op::Shape::new(4, 3, 3);
    let ops = [
        (Op::Dense { out: 36 }, Activation::LeakyRelu(0.3)),
        (Op::Affine, Activation::None),
        (Op::Reshape { to }, Activation::Relu),
        (Op::Resize { factor: 2 }, Activation::None),
        (Op::Conv { out: 5, window: window(3, 1, 1) }, Activation::Tanh),
        (Op::Affine, Activation::None),
        (Op::ConvTranspose { out: 3, window: window(5, 3, 2) }, Activation::None),
        (Op::Conv { out: 1, window: window(2, 2, 0) }, Activation::None),
        (Op::Activate, Activation::Sigmoid),
    ];
    let mut shape = runtime::op::Shape::new(6, 1, 1);
    let mut layers = Vec::new();
    for (i, (op, activation)) in ops.into_iter().enumerate() {
        let weights = op.weight(shape).map_or(0, |sides| sides.iter().product());
        layers.push(Layer {
            name: format!("l{i}"),
            op,
            activation,
            from: None,
            with: None,
            weight: numbers(weights),
            bias: numbers(op.bias(shape).unwrap_or(0)),
        });
        shape = op.output(shape).unwrap();
    }
    let facts = Facts {
        name: "every".into(),
        labels: vec!["a".into(), "b".into()],
        range: (0.0, 1.0),
        ..Facts::default()
    };
    let graph = Graph { input: Input::Latent(6), layers, facts };
    let model = onnx::write(&graph).unwrap();
    let want = ours(&graph.to_record().unwrap());
    let off = furthest(&engine(model.clone(), 6, 2), &want);
    assert!(off < 1e-5, "another engine is off by {off}");
    let mut read = onnx::read(&model).unwrap();
    assert_eq!(read.facts, graph.facts);
    let off = furthest(&ours(&read.to_record().unwrap()), &want);
    assert!(off < 1e-6, "read back, off by {off}");
    read.fold();
    let off = furthest(&ours(&read.to_record().unwrap()), &want);
    assert!(off < 1e-5, "read back and folded, off by {off}");
}

#[test]
fn networks_with_branches_that_take_pictures() {
    for name in ["unet", "resnet"] {
        let path = tests::root().join(format!("tests/fixtures/branches/{name}.onnx"));
        let mut graph = onnx::read(&std::fs::read(path).unwrap()).unwrap();
        for folded in [false, true] {
            if folded {
                graph.fold();
            }
            let shape = graph.input.shape();
            let pixels: Vec<u8> = (0..shape.values()).map(|i| (i * 37 % 256) as u8).collect();
            let value = |at: usize| {
                let place = at % shape.plane() * shape.c + at / shape.plane();
                f32::from(pixels[place]) / 127.5 - 1.0
            };
            let x: Vec<f32> = (0..shape.values()).map(value).collect();
            let x = NdTensor::from_data([1, shape.c, shape.h, shape.w], x);
            let model = rten::Model::load(onnx::write(&graph).unwrap()).unwrap();
            let image = model.run_one(x.view().into(), None).unwrap();
            let image: NdTensor<f32, 4> = image.try_into().unwrap();
            let record = Buffer::from(graph.to_record().unwrap());
            let model = Model::parse(record.bytes()).unwrap();
            let mut arena = vec![0.0; model.arena_len()];
            let mut cpu = Cpu::new(&model, &mut arena).unwrap();
            let off = furthest(&image.to_vec(), cpu.translate(&pixels).unwrap().values());
            assert!(off < 1e-5, "{name}, folded {folded}: {off}");
        }
    }
}

/// One byte in five is damaged, and every byte if `POCKET_GAN_FUZZ` is set.
fn stride() -> usize {
    if std::env::var("POCKET_GAN_FUZZ").is_ok() { 1 } else { 5 }
}

/// Damaged files with branches are errors or generators whose layers fit, and never a panic.
#[test]
fn damaged_branches() {
    let path = tests::root().join("tests/fixtures/branches/resnet.onnx");
    let model = std::fs::read(path).unwrap();
    let whole = onnx::read(&model).unwrap();
    // Weights are all alike to the reader: fewer of their bytes.
    let weights: Vec<Range<usize>> = whole
        .layers
        .iter()
        .filter_map(|layer| {
            let bytes: Vec<u8> = layer.weight.iter().flat_map(|v| v.to_le_bytes()).collect();
            let at = model.windows(bytes.len().max(1)).position(|window| *window == bytes)?;
            Some(at..at + bytes.len())
        })
        .collect();
    assert!(weights.iter().map(Range::len).sum::<usize>() > model.len() / 2);
    for at in (0..model.len()).step_by(stride()) {
        if at % 16 != 0 && weights.iter().any(|weights| weights.contains(&at)) {
            continue;
        }
        let mut model = model.clone();
        model[at] ^= 1 << (at % 7);
        if let Ok(mut graph) = onnx::read(&model) {
            graph.shapes().unwrap();
            graph.fold();
            graph.shapes().unwrap();
        }
    }
}

#[test]
fn damaged_onnx_is_an_error_and_never_a_panic() {
    let device = Device::flex();
    let shape = Shape { size: 16, channels: 1 };
    let g = dcgan::generator(&shape, 3, 2, 1, &device).unwrap();
    let model = onnx::write(&trainer::export::graph(&g, 3, Facts::default())).unwrap();
    let whole = onnx::read(&model).unwrap();
    for len in 0..model.len() {
        // Cut between two facts at the end of the file, a model still parses, with fewer facts.
        if let Ok(graph) = onnx::read(&model[..len]) {
            assert_eq!(graph.layers, whole.layers, "cut at {len}");
        }
    }
    assert!(onnx::read(&model[..model.len() / 2]).is_err());
    for at in (0..model.len()).step_by(stride()) {
        for bit in [0, 3, 6] {
            let mut model = model.clone();
            model[at] ^= 1 << bit;
            // Most flips are errors; whatever still parses must be a generator.
            if let Ok(graph) = onnx::read(&model) {
                graph.shapes().unwrap();
            }
        }
    }
}

#[test]
fn images_of_bytes_are_the_pictures() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pretrained/faces-tiny.onnx");
    let mut graph = onnx::read(&std::fs::read(path).unwrap()).unwrap();
    graph.fold();
    let model = rten::Model::load(onnx::write_bytes(&graph).unwrap()).unwrap();
    let mut z = vec![0.0; SEEDS * graph.latent()];
    for (seed, z) in z.chunks_exact_mut(graph.latent()).enumerate() {
        Latent::from_seed(seed as u64).fill(z).unwrap();
    }
    let z = NdTensor::from_data([SEEDS, graph.latent()], z);
    let image = model.run_one(z.view().into(), None).unwrap();
    let image: NdTensor<u8, 4> = image.try_into().unwrap();
    let got = image.to_vec();
    let want = ours(&graph.to_record().unwrap());
    let apart = got.iter().zip(&want).map(|(byte, value)| {
        let exact = (value + 1.0) * 127.5;
        (f32::from(*byte) - exact).abs()
    });
    let worst = apart.fold(0.0, f32::max);
    // Half a step from rounding, and a little from the other engine's arithmetic.
    assert!(worst < 0.502, "{worst}");
}
