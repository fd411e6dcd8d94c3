//! The distribution of activations, measured on a few latents or pictures.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::cpu::Cpu;
use crate::latent::Latent;
use crate::op::Activation;

/// Bins of a histogram.
const BINS: usize = 2048;

/// The distribution of a layer's output values.
pub(super) struct Spread {
    /// The least and the largest value, counting 0.
    least: f64,
    most: f64,
    /// Histogram from `least` to `most`.
    bins: Vec<u64>,
}

impl Spread {
    /// Scale and zero point of bytes with the least squared error: a few large values may be
    /// clamped.
    pub fn scale(&self) -> (f64, u8) {
        let width = (self.most - self.least).max(1e-9);
        let of = |part: f64| {
            let scale = width * part / 255.0;
            let zero = round(-self.least * part / scale).clamp(0, 255);
            let error = |(i, n): (usize, &u64)| {
                let v = self.least + (i as f64 + 0.5) * width / BINS as f64;
                let q = (round(v / scale) + zero).clamp(0, 255) - zero;
                let off = v - q as f64 * scale;
                off * off * *n as f64
            };
            let error: f64 = self.bins.iter().enumerate().map(error).sum();
            (error, (scale, zero as u8))
        };
        let all = (0..40).map(|i| of(1.0 - 0.02 * i as f64));
        let best = all.min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or((width / 255.0, 0), |(_, best)| best)
    }

    /// Largest magnitude of values before an activation that is linear on both sides of 0, limited
    /// to what `range` can show.
    pub fn reach(&self, activation: Activation, range: Option<(f32, f32)>) -> f64 {
        let slope = match activation {
            Activation::LeakyRelu(slope) if slope != 0.0 => slope.abs().min(1.0) as f64,
            Activation::LeakyRelu(_)
            | Activation::None
            | Activation::Relu
            | Activation::Tanh
            | Activation::Sigmoid
            | Activation::Elu(_)
            | Activation::Selu
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu
            | Activation::Mish
            | Activation::Softplus
            | Activation::Clip(..) => 1.0,
        };
        let far = self.most.max(-self.least / slope).max(1e-9);
        let seen = range.map_or(f64::MAX, |(a, b)| a.abs().max(b.abs()) as f64 / slope);
        far.min(seen).max(1e-9) * 1.01
    }
}

/// What the distributions are measured on.
pub(super) enum Examples<'a> {
    Seeds(Range<u64>),
    /// The pixels of pictures; see [`Cpu::translate`].
    Pictures(&'a [Vec<u8>]),
}

impl Examples<'_> {
    /// Makes an image from each of them. A latent from a seed fits any length, and pictures have
    /// been checked.
    fn run(&self, cpu: &mut Cpu<'_>, mut watch: impl FnMut(usize, &[f32])) {
        match self {
            Examples::Seeds(seeds) => {
                for seed in seeds.clone() {
                    let _ = cpu.watched(&Latent::from_seed(seed), &mut watch);
                }
            }
            Examples::Pictures(pictures) => {
                for picture in *pictures {
                    let _ = cpu.translate_watched(picture, &mut watch);
                }
            }
        }
    }
}

/// The distributions of each of `layers` layers.
pub(super) fn spreads(cpu: &mut Cpu<'_>, layers: usize, examples: &Examples<'_>) -> Vec<Spread> {
    let mut spreads: Vec<Spread> =
        (0..layers).map(|_| Spread { least: 0.0, most: 0.0, bins: vec![0; BINS] }).collect();
    // Once for the ends, once for the histogram.
    examples.run(cpu, |i, values| {
        let spread = &mut spreads[i];
        for v in values.iter().map(|v| *v as f64) {
            spread.least = spread.least.min(v);
            spread.most = spread.most.max(v);
        }
    });
    examples.run(cpu, |i, values| {
        let spread = &mut spreads[i];
        let bins = BINS as f64 / (spread.most - spread.least).max(1e-9);
        for v in values {
            let bin = (*v as f64 - spread.least) * bins;
            spread.bins[(bin as usize).min(BINS - 1)] += 1;
        }
    });
    spreads
}

/// The nearest integer.
pub(super) fn round(x: f64) -> i64 {
    (if x < 0.0 { x - 0.5 } else { x + 0.5 }) as i64
}
