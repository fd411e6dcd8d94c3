//! Whether samples of a conditional generator show the requested class, according to a classifier
//! trained on real images (the reverse of Ravuri and Vinyals 2019, who train on samples).

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData, activation};
use models::dcgan::{self, Shape};
use models::{Sequential, conditional};
use quality::Pictures;
use rand::RngExt;
use serde::Serialize;

use crate::networks::adam::{Adam, Decay};
use crate::networks::noise::{self, Stream};
use crate::networks::take;
use crate::objective::augment::Augment;

/// Training steps and images per step: about a minute on two cores for digits.
const STEPS: u64 = 2_000;
const BATCH: usize = 64;
/// Initial learning rate of Adam; it falls linearly to 0.
const LR: f64 = 1e-3;
/// Width of the network after the image.
const WIDTH: usize = 32;
/// Images per forward pass when it classifies.
const PASS: usize = 256;

/// Accuracies of the classifier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// Its accuracy on unseen real images.
    pub real: f64,
    /// Number of unseen real images.
    pub real_count: usize,
    /// Share of samples that it assigns to the requested class.
    pub asked: f64,
    /// Number of samples.
    pub count: usize,
    /// That share for each class.
    pub classes: Vec<f64>,
}

/// Images and their classes.
#[derive(Clone, Copy)]
pub struct Labeled<'a> {
    /// The images.
    pub images: &'a Pictures,
    /// The class of each image.
    pub labels: &'a [usize],
}

/// Trains a classifier of `classes` classes on `train` and applies it to the real images `test` and
/// to `samples`, all of one form.
///
/// # Errors
/// [`dcgan::Unsupported`] if the images are larger than 128 pixels.
pub fn read(
    train: Labeled<'_>,
    test: Labeled<'_>,
    samples: Labeled<'_>,
    classes: usize,
    seed: u64,
) -> Result<Reading, dcgan::Unsupported> {
    let device = Device::flex().autodiff();
    let network = learn(train, classes, seed, &device)?;
    let right = |of: Labeled<'_>| -> Vec<bool> {
        let read = classify(&network, of.images, &device.clone().inner());
        read.iter().zip(of.labels).map(|(a, b)| a == b).collect()
    };
    let share = |of: &[bool]| of.iter().filter(|r| **r).count() as f64 / of.len().max(1) as f64;
    let (real, asked) = (right(test), right(samples));
    let of_class = |class: usize| {
        let each = asked.iter().zip(samples.labels);
        let of: Vec<bool> = each.filter(|(_, l)| **l == class).map(|(r, _)| *r).collect();
        share(&of)
    };
    Ok(Reading {
        real: share(&real),
        real_count: real.len(),
        asked: share(&asked),
        count: asked.len(),
        classes: (0..classes).map(of_class).collect(),
    })
}

/// The classifier: DCGAN's discriminator with one output per class.
fn learn(
    train: Labeled<'_>,
    classes: usize,
    seed: u64,
    device: &Device,
) -> Result<Sequential, dcgan::Unsupported> {
    let shape = Shape { size: side(train.images), channels: train.images.planes() };
    let mut network = dcgan::encoder(&shape, [0, classes], WIDTH, true, seed, device)?;
    let mut optimizer = ModuleOptimizer::from(Adam::new(0.9, Decay::new(0.999)));
    // Samples are not centered as exactly as real images are.
    let shifted: Augment = "translation".parse().expect("it is one of them");
    let all: Vec<&[u8]> = train.images.iter().collect();
    for step in 0..STEPS {
        let mut rng = noise::rng(seed, Stream::Augment, step);
        let which: Vec<usize> = (0..BATCH).map(|_| rng.random_range(0..all.len())).collect();
        let images: Vec<&[u8]> = which.iter().map(|&i| all[i]).collect();
        let labels: Vec<usize> = which.iter().map(|&i| train.labels[i]).collect();
        let x = shifted.apply(tensor(&images, train.images, device), 1.0, &mut rng);
        let truth = conditional::one_hot(&labels, classes, device);
        let logits = network.forward(x);
        let loss = (activation::log_softmax(logits, 1) * truth).sum() / -(BATCH as f64);
        let grads = GradientsParams::from_grads(loss.backward(), &network);
        let lr = LR * (1.0 - step as f64 / STEPS as f64);
        network = optimizer.step(lr, take(&mut network), grads);
    }
    network.settle();
    Ok(network.valid())
}

/// The class that each image is assigned to.
fn classify(network: &Sequential, images: &Pictures, device: &Device) -> Vec<usize> {
    let all: Vec<&[u8]> = images.iter().collect();
    let mut read = Vec::with_capacity(all.len());
    for part in all.chunks(PASS) {
        let logits = network.forward(tensor(part, images, device));
        let classes = logits.dims()[1];
        let values: Vec<f32> =
            logits.into_data().try_to_vec().expect("a float tensor holds floats");
        read.extend(values.chunks_exact(classes).map(|of| {
            let best = of.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.map_or(0, |(class, _)| class)
        }));
    }
    read
}

/// The smallest side of the network's input that the images fit into.
fn side(images: &Pictures) -> usize {
    let size = images.size() as usize;
    let fits = dcgan::SIZES.into_iter().find(|side| *side >= size);
    fits.unwrap_or(size)
}

/// Images in [-1, 1], with a black border up to [`side`].
fn tensor(part: &[&[u8]], images: &Pictures, device: &Device) -> Tensor<4> {
    let (size, side) = (images.size() as usize, side(images));
    let planes = images.planes();
    let border = (side - size) / 2;
    let mut values = vec![-1.0f32; part.len() * planes * side * side];
    for (image, to) in part.iter().zip(values.chunks_exact_mut(planes * side * side)) {
        for (row, pixels) in image.chunks_exact(size).enumerate() {
            let (plane, y) = (row / size, row % size + border);
            let at = (plane * side + y) * side + border;
            for (v, &pixel) in to[at..at + size].iter_mut().zip(pixels) {
                *v = f32::from(pixel) / 127.5 - 1.0;
            }
        }
    }
    Tensor::from_data(TensorData::new(values, [part.len(), planes, side, side]), device)
}
