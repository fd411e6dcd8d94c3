//! Faces drawn by the program.

use image::RgbImage;

/// Changes whenever a seed's face does.
pub const VERSION: u64 = 0;

/// The face of a seed.
pub fn face(seed: u64, size: u32) -> RgbImage {
    RgbImage::from_fn(size, size, |x, y| {
        image::Rgb([x as u8, y as u8, seed as u8])
    })
}
