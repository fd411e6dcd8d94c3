//! What a step takes and returns: a batch of images, and metrics.

use burn::tensor::{Device, Distribution, Tensor, TensorData};

use crate::config::{Config, Objective};
use crate::data::Ready;

/// One of the values that a step returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// Its key in `stats.jsonl`.
    pub key: &'static str,
    /// Heading of its column in the log.
    pub label: &'static str,
    /// Name of its curve.
    pub name: &'static str,
    /// Decimals.
    pub digits: usize,
    /// The chart that has its curve.
    pub chart: Option<Chart>,
}

impl Metric {
    /// Width of its column in the log.
    pub fn width(&self) -> usize {
        // Three digits before the point.
        self.label.len().max(self.digits + 4)
    }
}

/// A chart: curves that share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chart {
    /// Losses.
    Loss,
    /// Probabilities.
    Probability,
    /// The balance of the two networks.
    Health,
    /// Gradient penalties.
    Penalty,
    /// Quality of reconstructions.
    Likeness,
}

impl Chart {
    /// Its title.
    pub fn caption(self) -> &'static str {
        match self {
            Chart::Loss => "losses",
            Chart::Probability => "mean of D, as a probability",
            Chart::Health => "health",
            Chart::Penalty => "gradient penalties, unweighted",
            Chart::Likeness => "likeness in dB",
        }
    }
}

/// Training images of one step.
#[derive(Clone)]
pub struct Batch {
    /// `[n, c, h, w]` in [-1, 1].
    pub images: Tensor<4>,
    /// What each image is to be made from, `[n, c', h, w]` in [-1, 1], if the data has pairs.
    pub inputs: Option<Tensor<4>>,
    /// As many images of the data's other set, if it has one.
    pub others: Option<Tensor<4>>,
    /// The class of each image; empty if the data has none.
    pub labels: Vec<usize>,
}

impl Batch {
    /// Moves images to a device.
    pub fn new(ready: Ready, cfg: &Config, device: &Device) -> Batch {
        let Ready { values, inputs, others, labels } = ready;
        let move_ = |values: Vec<f32>, channels: usize| {
            let one = channels * cfg.size * cfg.size;
            let shape = [values.len() / one, channels, cfg.size, cfg.size];
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        let inputs = (!inputs.is_empty()).then(|| move_(inputs, cfg.input_form().planes()));
        let others = (!others.is_empty()).then(|| move_(others, cfg.channels));
        Batch { images: move_(values, cfg.channels), inputs, others, labels }
    }

    /// Noise in the place of images, for measurements of time.
    pub fn noise(cfg: &Config, device: &Device) -> Batch {
        let random = |channels: usize| {
            let shape = [cfg.step(), channels, cfg.size, cfg.size];
            Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
        };
        let [paired, unpaired] = match cfg.objective {
            Objective::Gan | Objective::Autoencoder | Objective::Vae => [false; 2],
            Objective::Pix2pix => [true, false],
            Objective::Cyclegan => [false, true],
        };
        Batch {
            images: random(cfg.channels),
            inputs: paired.then(|| random(cfg.input_form().planes())),
            others: unpaired.then(|| random(cfg.channels)),
            labels: (0..cfg.step()).map(|i| i % cfg.labels.len().max(1)).collect(),
        }
    }
}

/// A metric.
pub const fn metric(
    key: &'static str,
    label: &'static str,
    name: &'static str,
    digits: usize,
    chart: Option<Chart>,
) -> Metric {
    Metric { key, label, name, digits, chart }
}

/// A value by name.
pub type Measured = (&'static str, f64);

/// Values as text: `psnr 21.34  psnr_before 13.98`.
pub fn line(measured: &[Measured]) -> String {
    let each = measured.iter().map(|(name, value)| match value.abs() {
        v if v < 0.1 => format!("{name} {value:.5}"),
        _ => format!("{name} {value:.2}"),
    });
    each.collect::<Vec<_>>().join("  ")
}
