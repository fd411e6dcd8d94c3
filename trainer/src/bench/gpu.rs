//! How fast a step is on a GPU, and what its transposed convolutions take of it: as they are computed there
//! (`models::conv`), and by burn's own, whose gradient by the weight has no fast kernel.

use std::hint::black_box;
use std::time::Duration;

use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Device, Distribution, Tensor, module};
use models::{Layer, Sequential, conv, dcgan};
use serde::Serialize;

use super::{label, median, whole};
use crate::config::Config;
use crate::networks;

/// What was measured.
#[derive(Serialize)]
pub struct Report {
    /// Images a step.
    pub batch: usize,
    /// Seconds of a whole step, the median.
    pub step: f64,
    /// G's transposed convolutions.
    pub rows: Vec<Row>,
}

/// A transposed convolution of a batch: seconds of a forward pass and of both gradients, the median.
#[derive(Serialize)]
pub struct Row {
    /// Which.
    pub name: String,
    /// As the networks compute it.
    pub ours: f64,
    /// As burn does.
    pub generic: f64,
}

impl Report {
    /// Images a second.
    pub fn images_per_s(&self) -> f64 {
        self.batch as f64 / self.step
    }
}

/// Measures whole steps of `cfg` on its device, for at least `span`, then the transposed convolutions.
///
/// # Errors
/// [`dcgan::Unsupported`] names what there is no network for.
pub fn measure(cfg: &Config, span: Duration) -> Result<Report, dcgan::Unsupported> {
    let device = cfg.device.open();
    let mut state = networks::fresh(cfg, &device)?;
    let step = whole(cfg, &mut state, span);
    let rows = rows(&state.g, cfg, span / 4, &device);
    Ok(Report {
        batch: cfg.step(),
        step,
        rows,
    })
}

fn rows(g: &Sequential, cfg: &Config, span: Duration, device: &Device) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut side = 1;
    for layer in &g.layers {
        let (weight, stride, padding) = match layer {
            Layer::ConvTranspose(l) => (l.weight.dims(), l.stride, l.padding),
            Layer::ResizeConv(l) => (l.folded().dims(), 2, 1),
            Layer::Conv(_) | Layer::BatchNorm(_) | Layer::Activation(_) | Layer::Dropout(_) => {
                continue;
            }
        };
        let random = |shape| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), device);
        let (x, w) = (random([cfg.batch, weight[0], side, side]), random(weight));
        let ours = both(span, &x, &w, |x, w| {
            conv::conv_transpose2d(x, w, None, stride, padding)
        });
        let generic = both(span, &x, &w, |x, w| {
            let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1);
            module::conv_transpose2d(x, w, None, options)
        });
        rows.push(Row {
            name: label(layer),
            ours,
            generic,
        });
        side = (side - 1) * stride + weight[2] - 2 * padding;
    }
    rows
}

/// The median of the seconds of an operation and of its gradients.
fn both(
    span: Duration,
    x: &Tensor<4>,
    w: &Tensor<4>,
    of: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> f64 {
    median(span, || {
        let (x, w) = (x.clone().require_grad(), w.clone().require_grad());
        let gradients = of(x.clone(), w.clone()).sum().backward();
        // Reading waits for all of it.
        for gradient in [x.grad(&gradients), w.grad(&gradients)] {
            black_box(gradient.map(|g| g.sum().into_scalar::<f32>()));
        }
    })
}
