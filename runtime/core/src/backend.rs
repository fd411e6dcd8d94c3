//! What executes a model.

use crate::image::Image;
use crate::latent::{Latent, LatentLength};

/// Makes images from latents.
pub trait Backend {
    /// Makes one image, which borrows the backend's memory until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] if a latent of given values does not have the model's length.
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength>;
}
