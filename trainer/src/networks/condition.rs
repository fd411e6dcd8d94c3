//! The classes of a batch in a conditional run.

use burn::tensor::{Device, Tensor};
use models::conditional;

use crate::config::{Config, Network};

/// The classes of a batch, one-hot.
pub struct Condition {
    classes: Tensor<4>,
    network: Network,
}

impl Condition {
    /// The classes `labels` of a batch; none if the run is not conditional.
    pub fn new(cfg: &Config, labels: Option<&[usize]>, device: &Device) -> Option<Condition> {
        let labels = labels.filter(|_| !cfg.labels.is_empty())?;
        Some(Condition {
            classes: conditional::one_hot(labels, cfg.labels.len(), device),
            network: cfg.network,
        })
    }

    /// Images with their classes, as the discriminator takes them.
    pub fn beside(&self, x: Tensor<4>) -> Tensor<4> {
        match self.network {
            Network::Dcgan | Network::Unet | Network::Resnet => {
                conditional::planes(x, self.classes.clone())
            }
            Network::Mlp => conditional::values(x, self.classes.clone()),
        }
    }

    /// Number of planes that [`Condition::beside`] adds.
    pub fn planes(&self) -> usize {
        self.classes.dims()[1]
    }
}

/// Latents followed by their classes, if there are any.
pub fn with_condition(z: Tensor<4>, condition: &Option<Condition>) -> Tensor<4> {
    match condition {
        Some(condition) => conditional::latents(z, condition.classes.clone()),
        None => z,
    }
}
