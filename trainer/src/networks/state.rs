//! Everything that a training step changes.

use burn::optim::ModuleOptimizer;
use models::Sequential;

use super::adam::Decay;
use super::inputs::inputs;
use super::pool::Pool;
use super::spectral::Spectral;
use crate::config::{Config, Rates};

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
    /// The way back of a CycleGAN.
    pub back: Option<Back>,
    /// Singular vectors of the discriminator, with spectral normalization.
    pub spectral: Option<Spectral>,
    /// Decay of both optimizers' second moment.
    pub beta2: Decay,
    /// Images seen so far.
    pub images: u64,
    /// How often the run diverged and returned to a checkpoint.
    pub retries: u32,
}

/// The second direction of a CycleGAN, from the set B to the set A, and what only it has.
pub struct Back {
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
    /// Earlier translations to B, and to A.
    pub pools: [Pool; 2],
}

impl State {
    /// The averaged generators, in the order of [`Config::exports`].
    pub fn averages(&self) -> Vec<&Sequential> {
        let back = self.back.iter().map(|back| &back.ema);
        std::iter::once(&self.ema).chain(back).collect()
    }

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
        let [of_g, of_d] = inputs(cfg);
        let image = self.g.largest_map(of_g).max(self.d.largest_map(of_d));
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
