//! Settings that are one of a few names.

use serde::{Deserialize, Serialize};

/// What is drawn without data, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drawing {
    /// [`drawn::face`].
    Faces,
    /// [`drawn::digits`].
    Digits,
}

/// Arithmetic on a GPU, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit floats on matrix units, summed in 32 bits; weights have 32 bits.
    Mixed,
}

/// The kinds of training, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// [`crate::objective::gan`].
    Gan,
    /// [`crate::objective::autoencoder`].
    Autoencoder,
    /// [`crate::objective::vae`].
    Vae,
    /// [`crate::objective::pix2pix`].
    Pix2pix,
    /// [`crate::objective::cyclegan`].
    Cyclegan,
}

/// What an autoencoder has to undo, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Corruption {
    /// Nothing.
    None,
    /// Noise on every value (Vincent et al. 2008).
    Noise,
    /// Without colors.
    Gray,
}

/// The pairs of networks, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// [`models::dcgan`].
    Dcgan,
    /// [`models::mlp`].
    Mlp,
    /// [`models::translate::unet`].
    Unet,
    /// [`models::translate::resnet`].
    Resnet,
}

impl Network {
    /// The image sizes it takes, in words, if `size` is not one of them.
    pub(super) fn refuses(self, size: usize) -> Option<&'static str> {
        let (takes, want) = match self {
            Network::Dcgan => {
                (models::dcgan::SIZES.contains(&size), "16, 32, 64 or 128 for the network dcgan")
            }
            Network::Mlp => {
                let [least, most] = models::mlp::SIZES;
                ((least..=most).contains(&size), "8 to 64 for the network mlp")
            }
            Network::Unet | Network::Resnet => (
                models::translate::SIZES.contains(&size),
                "32, 64, 128 or 256 for the networks unet and resnet",
            ),
        };
        (!takes).then_some(want)
    }
}

/// How the generator doubles the size of a map, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upsample {
    /// Transposed convolution.
    Transposed,
    /// Repeated pixels, then a convolution.
    Resize,
}

/// The last activation of the generator, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Hyperbolic tangent.
    Tanh,
    /// Nothing.
    Linear,
    /// Logistic function, for autoencoders.
    Sigmoid,
}

/// Where the discriminator's gradient is penalized, by name (Mescheder et al. 2018, eq. 9; Huang et
/// al. 2025, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Penalty {
    /// Nowhere.
    None,
    /// At real images.
    R1,
    /// At fakes.
    R2,
    /// At both.
    R1r2,
}

impl Penalty {
    /// Whether there is one at real images, and one at fakes.
    pub fn at(self) -> [bool; 2] {
        match self {
            Penalty::None => [false, false],
            Penalty::R1 => [true, false],
            Penalty::R2 => [false, true],
            Penalty::R1r2 => [true, true],
        }
    }
}

/// The rates of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Learning rate of the generator.
    pub lr: f64,
    /// Decay of Adam's second moment.
    pub beta2: f64,
    /// Weight of the gradient penalty.
    pub gamma: f64,
    /// Probability of an augmentation.
    pub augment_p: f64,
    /// Standard deviation of the noise on images.
    pub noise: f64,
}
