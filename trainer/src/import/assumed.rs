//! What is assumed about a state dict.

use runtime::op::Activation;

use super::steps::{Meeting, Step};

/// What a state dict does not contain.
#[derive(Clone, Debug)]
pub struct Assumed {
    /// Activation after every layer but the last; `None` is that of a known network, or ReLU.
    pub inner: Option<Activation>,
    /// Activation after the last layer.
    pub output: Activation,
    /// Epsilon of batch norm: one for all, or one for each; empty is that of a known network, or
    /// 1e-5.
    pub epsilons: Vec<f32>,
    /// Part of the names of the wanted network, if there are several.
    pub key: Option<String>,
    /// Rows of the image.
    pub size: Option<usize>,
    /// Strides of the convolutions: one for all, or one for each.
    pub strides: Vec<usize>,
    /// Their paddings.
    pub paddings: Vec<usize>,
    /// Their output paddings.
    pub output_paddings: Vec<usize>,
    /// Channels, height and width of an image that is made as a vector.
    pub image: Option<[usize; 3]>,
    /// Where the row of a label meets the latent.
    pub label: Option<Meeting>,
    /// All steps, instead of guesses.
    pub layers: Option<Vec<Step>>,
}

impl Default for Assumed {
    fn default() -> Self {
        Assumed {
            inner: None,
            output: Activation::Tanh,
            epsilons: Vec::new(),
            key: None,
            size: None,
            strides: Vec::new(),
            paddings: Vec::new(),
            output_paddings: Vec::new(),
            image: None,
            label: None,
            layers: None,
        }
    }
}
