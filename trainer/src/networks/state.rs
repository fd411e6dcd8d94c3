//! Everything that a training step changes.

use burn::optim::ModuleOptimizer;
use models::Sequential;

use super::adam::Decay;
use super::spectral::Spectral;
use crate::config::{Config, Network, Objective, Rates};

/// Networks, optimizers and progress of a run.
pub struct State {
    /// The generator.
    pub g: Sequential,
    /// The discriminator.
    pub d: Sequential,
    /// The average of the generator, without gradients.
    pub ema: Sequential,
    /// The generator's optimizer.
    pub opt_g: ModuleOptimizer,
    /// The discriminator's optimizer.
    pub opt_d: ModuleOptimizer,
    /// Singular vectors of the discriminator, with spectral normalization.
    pub spectral: Option<Spectral>,
    /// Decay of both optimizers' second moment.
    pub beta2: Decay,
    /// Images seen so far.
    pub images: u64,
    /// How often the run diverged and returned to a checkpoint.
    pub retries: u32,
}

impl State {
    /// The seed of the run's random numbers: a new one after every divergence, since the same
    /// numbers would diverge again.
    pub fn seed(&self, cfg: &Config) -> u64 {
        cfg.seed ^ u64::from(self.retries).rotate_right(16)
    }

    /// The rates of the next step; every divergence halves the learning rate.
    pub fn rates(&self, cfg: &Config) -> Rates {
        let mut rates = cfg.rates(self.images);
        rates.lr *= 0.5f64.powi(self.retries as i32);
        rates
    }

    /// The largest batch whose largest map fits into the device's limit on tensors; none without a
    /// limit.
    pub fn largest_batch(&self, cfg: &Config) -> Option<usize> {
        let limit = cfg.device.largest()?;
        let labels = cfg.labels.len();
        let latent = match cfg.objective {
            Objective::Pix2pix => [cfg.input_form().planes(), cfg.size],
            Objective::Gan | Objective::Autoencoder | Objective::Vae => [cfg.nz + labels, 1],
        };
        let seen = match (cfg.network, labels) {
            (Network::Mlp, 1..) => [cfg.channels * cfg.size * cfg.size + labels, 1],
            (Network::Dcgan, _) | (Network::Mlp, 0) => [cfg.channels + labels, cfg.size],
            (Network::Unet | Network::Resnet, _) => {
                [cfg.input_form().planes() + cfg.channels, cfg.size]
            }
        };
        let image = self.g.largest_map(latent).max(self.d.largest_map(seen));
        Some((limit / (image * size_of::<f32>()) as u64) as usize)
    }

    /// `d` with spectral normalization, if the run has it.
    pub fn normalized(&self, d: Sequential) -> Sequential {
        match &self.spectral {
            Some(spectral) => spectral.normalized(&d),
            None => d,
        }
    }
}

/// Moves a network out, to be put back updated: with a single owner its weights are updated in
/// place.
pub fn take(net: &mut Sequential) -> Sequential {
    std::mem::replace(net, Sequential { layers: Vec::new() })
}
