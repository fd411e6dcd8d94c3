//! What a step minimizes, measures and shows: the interface between the training loop and the kinds
//! of training.

pub mod augment;
pub mod autoencoder;
pub mod coder;
pub mod cyclegan;
pub mod gan;
#[cfg(feature = "gpu")]
mod gpu;
pub mod loss;
pub mod metric;
pub mod picture;
pub mod pix2pix;
pub mod translation;
pub mod vae;

use burn::tensor::{Device, Tensor};

pub use metric::{Batch, Measured, Metric};
use picture::Picture;

use crate::config::{Config, Objective, Penalty};
use crate::data::{DataError, DataSet};
use crate::networks::State;

/// The metrics that every step of a run returns, in order.
pub fn metrics(cfg: &Config) -> &'static [Metric] {
    match (cfg.objective, cfg.penalty) {
        (Objective::Gan, Penalty::None) => gan::METRICS,
        (Objective::Gan, Penalty::R1 | Penalty::R2 | Penalty::R1r2) => gan::PENALIZED,
        (Objective::Autoencoder, _) => autoencoder::METRICS,
        (Objective::Vae, _) => vae::METRICS,
        (Objective::Pix2pix, _) => varied(pix2pix::METRICS, cfg),
        (Objective::Cyclegan, _) => varied(cyclegan::METRICS, cfg),
    }
}

/// The metrics of a translator, the last of which is variety: one image has none.
fn varied(metrics: &'static [Metric], cfg: &Config) -> &'static [Metric] {
    &metrics[..metrics.len() - usize::from(cfg.batch == 1)]
}

/// One training step on a batch of real images: updates networks, optimizers, average and the
/// number of images seen. Returns one value per metric, `[n]`, left on the device: reading them
/// every step would stall a GPU.
pub fn step(state: &mut State, batch: Batch, cfg: &Config, device: &Device) -> Tensor<1> {
    match cfg.objective {
        Objective::Gan => gan::step(state, batch, cfg, device),
        Objective::Autoencoder => autoencoder::step(state, batch, cfg, device),
        Objective::Vae => vae::step(state, batch, cfg, device),
        Objective::Pix2pix => pix2pix::step(state, batch, cfg),
        Objective::Cyclegan => cyclegan::step(state, batch, cfg),
    }
}

/// The pictures that a run writes beside its samples, of training images `data[0]` and unseen
/// images `data[1]`.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
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
        Objective::Pix2pix => pix2pix::pictures(state, data[1], device),
        Objective::Cyclegan => cyclegan::pictures(state, data[1], device),
    }
}

/// A translator's translations of the images `which` of `data`, `[n, c, h, w]` in [-1, 1]; none for
/// other objectives.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn translations(
    state: &State,
    cfg: &Config,
    data: &DataSet,
    which: &[usize],
    device: &Device,
) -> Result<Option<Tensor<4>>, DataError> {
    Ok(match cfg.objective {
        Objective::Gan | Objective::Autoencoder | Objective::Vae => None,
        Objective::Pix2pix | Objective::Cyclegan => {
            Some(translation::translations(state, data, which, device)?)
        }
    })
}

/// Measures a run on unseen images `data[1]`, beside training images `data[0]`. Empty for a GAN,
/// whose samples are scored instead.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn measure(
    state: &State,
    cfg: &Config,
    data: [&DataSet; 2],
    device: &Device,
) -> Result<Vec<Measured>, DataError> {
    match cfg.objective {
        Objective::Gan => Ok(Vec::new()),
        Objective::Autoencoder => autoencoder::measure(state, cfg, data[1], device),
        Objective::Vae => vae::measure(state, cfg, data[1], device),
        Objective::Pix2pix => pix2pix::measure(state, cfg, data, device),
        Objective::Cyclegan => cyclegan::measure(state, cfg, data[1], device),
    }
}
