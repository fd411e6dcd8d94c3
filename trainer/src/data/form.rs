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
    /// Whether rows become columns: EMNIST's images lie that way.
    pub transpose: bool,
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

    /// Planes with rows and columns exchanged, if the form asks for it.
    pub(super) fn turned(&self, planes: Box<[u8]>) -> Box<[u8]> {
        if !self.transpose {
            return planes;
        }
        let (side, plane) = (self.size as usize, self.pixels());
        let from = |at: usize| at / plane * plane + at % side * side + at % plane / side;
        (0..planes.len()).map(|at| planes[from(at)]).collect()
    }

    /// Interleaved pixels of `step` bytes, 1 or 3, as planes of this form. A gray picture fills all
    /// three planes.
    pub(super) fn planar(&self, pixels: &[u8], step: usize) -> Box<[u8]> {
        (0..self.planes())
            .flat_map(|c| pixels.iter().skip(c.min(step - 1)).step_by(step).copied())
            .collect()
    }
}
