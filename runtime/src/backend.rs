//! What executes a model.

use crate::image::Image;
use crate::latent::{Latent, LatentLength};

/// Makes images of latents.
pub trait Backend {
    /// Makes one image. It borrows the backend's memory until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] where a latent of given values is not as long as the model's.
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength>;
}
