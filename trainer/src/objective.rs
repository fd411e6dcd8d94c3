//! What a step minimises, and what it says of itself and shows: the seam between the loop, which does not know what it
//! trains, and the kinds of training.

use burn::tensor::{Device, Tensor};

use crate::checkpoint::State;
use crate::config::{Config, Objective, Penalty};
use crate::data::{DataError, DataSet, Ready};
use crate::picture::Picture;
use crate::{autoencoder, gan, vae};

/// One of the numbers that a step returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauge {
    /// Its key in `stats.jsonl`.
    pub key: &'static str,
    /// What stands before it in a line of the log, spaces included.
    pub label: &'static str,
    /// What its curve is called.
    pub name: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// Where its curve is drawn.
    pub panel: Option<Panel>,
}

/// Curves of one scale, drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    /// What is minimised.
    Loss,
    /// Numbers from 0 to 1.
    Probability,
    /// Whether the two networks are a match for each other.
    Health,
    /// Lengths of gradients.
    Penalty,
    /// Likeness of a reconstruction.
    Likeness,
}

impl Panel {
    /// What stands above it.
    pub fn caption(self) -> &'static str {
        match self {
            Panel::Loss => "losses",
            Panel::Probability => "mean of D, as a probability",
            Panel::Health => "health",
            Panel::Penalty => "gradient penalties, unweighted",
            Panel::Likeness => "likeness in dB",
        }
    }
}

/// Images that a step learns from.
pub struct Batch {
    /// `[n, c, h, w]` in [-1, 1].
    pub images: Tensor<4>,
    /// The class of each; empty where the data has none.
    pub labels: Vec<usize>,
}

impl Batch {
    /// Images of a run's form on a device.
    pub fn new(ready: Ready, cfg: &Config, device: &Device) -> Batch {
        let Ready { values, labels } = ready;
        let one = cfg.channels * cfg.size * cfg.size;
        let shape = [values.len() / one, cfg.channels, cfg.size, cfg.size];
        let data = burn::tensor::TensorData::new(values, shape);
        Batch { images: Tensor::from_data(data, device), labels }
    }
}

/// The numbers that every step of a run returns, in their order.
pub fn gauges(cfg: &Config) -> &'static [Gauge] {
    match (cfg.objective, cfg.penalty) {
        (Objective::Gan, Penalty::None) => gan::GAUGES,
        (Objective::Gan, Penalty::R1 | Penalty::R2 | Penalty::R1r2) => gan::PENALISED,
        (Objective::Autoencoder, _) => autoencoder::GAUGES,
        (Objective::Vae, _) => vae::GAUGES,
    }
}

/// One step on one batch of real images: changes the networks, their optimisers and the average, and counts the images.
/// Returns a value for each of [`gauges`], left on the device: reading them every step would stall a GPU.
pub fn step(state: &mut State, batch: Batch, cfg: &Config, device: &Device) -> Tensor<1> {
    match cfg.objective {
        Objective::Gan => gan::step(state, batch, cfg, device),
        Objective::Autoencoder => autoencoder::step(state, batch, cfg, device),
        Objective::Vae => vae::step(state, batch, cfg, device),
    }
}

/// What a run shows from time to time beside its samples: pictures of what it makes of images it learns from, and of
/// such that it has not seen, where there are any.
///
/// # Errors
/// [`DataError`] where an image's file has gone.
pub fn pictures(
    state: &State,
    cfg: &Config,
    data: [&DataSet; 2],
    device: &Device,
) -> Result<Vec<Picture>, DataError> {
    match cfg.objective {
        Objective::Gan => Ok(Vec::new()),
        Objective::Autoencoder => autoencoder::pictures(state, cfg, data, device),
        Objective::Vae => vae::pictures(state, cfg, data, device),
    }
}

/// A number by its name.
pub type Measured = (&'static str, f64);

/// How well a run does on images of `data`, which it has not seen; nothing of a GAN, whose samples are scored instead.
///
/// # Errors
/// [`DataError`] where an image's file has gone.
pub fn measure(
    state: &State,
    cfg: &Config,
    data: &DataSet,
    device: &Device,
) -> Result<Vec<Measured>, DataError> {
    match cfg.objective {
        Objective::Gan => Ok(Vec::new()),
        Objective::Autoencoder => autoencoder::measure(state, cfg, data, device),
        Objective::Vae => vae::measure(state, cfg, data, device),
    }
}
