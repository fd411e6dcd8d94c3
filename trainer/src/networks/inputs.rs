//! What the networks of a run take.

use crate::config::{Config, Corruption, Network, Objective};

/// Channels and side of what the generator takes, and of what the second network takes.
pub fn inputs(cfg: &Config) -> [[usize; 2]; 2] {
    let (size, labels) = (cfg.size, cfg.labels.len());
    let planes = match cfg.corruption {
        Corruption::Gray => 1,
        Corruption::None | Corruption::Noise => cfg.channels,
    };
    let of_d = match (cfg.network, labels) {
        (Network::Mlp, 1..) => [planes * size * size + labels, 1],
        (Network::Dcgan | Network::Unet | Network::Resnet, _) | (Network::Mlp, 0) => {
            [planes + labels, size]
        }
    };
    match cfg.objective {
        Objective::Gan | Objective::Autoencoder | Objective::Vae => [[cfg.nz + labels, 1], of_d],
        Objective::Pix2pix => {
            let inputs = cfg.input_form().planes();
            [[inputs, size], [inputs + cfg.channels, size]]
        }
        Objective::Cyclegan => [[cfg.channels, size], of_d],
    }
}
