//! The form that all images of a set have.

use super::crop::Crop;

/// Size and channels of every image, and the crop before resizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Side in pixels.
    pub size: u32,
    /// 1 for gray; anything else means color, 3.
    pub channels: usize,
    /// The part of an image that is kept before it is resized.
    pub crop: Crop,
}

impl Form {
    /// Planes of an image: 1 or 3.
    pub fn planes(&self) -> usize {
        match self.channels {
            1 => 1,
            _ => 3,
        }
    }

    /// Pixels of one plane.
    pub fn pixels(&self) -> usize {
        self.size as usize * self.size as usize
    }

    /// Values of an image, all planes.
    pub fn values(&self) -> usize {
        self.planes() * self.pixels()
    }

    /// Interleaved pixels of `step` bytes, 1 or 3, as planes of this form. A gray picture fills all
    /// three planes.
    pub(super) fn planar(&self, pixels: &[u8], step: usize) -> Box<[u8]> {
        (0..self.planes())
            .flat_map(|c| pixels.iter().skip(c.min(step - 1)).step_by(step).copied())
            .collect()
    }
}
