//! Images to batches: a folder, a zip archive, IDX files or the built-in drawn faces, as numbers in [-1, 1].
//!
//! In the order that an image goes through them: [`DataSet::open`] finds files and decodes them, [`Order`] says which
//! comes next, [`Batches`] prepares batches on worker threads ahead of the training step. [`drawn`] draws faces, so that
//! a first run needs no download; [`sheet`] shows images side by side.

mod archive;
mod batches;
mod crop;
mod decode;
pub mod digits;
pub mod drawn;
mod error;
mod folder;
mod idx;
pub mod inspect;
mod labels;
mod order;
mod rng;
mod set;
pub mod sheet;
mod source;

pub use batches::{Batches, Ready};
pub use crop::{Crop, UnknownCrop};
pub use decode::FORMATS;
pub use error::{DataError, Reason, Skipped};
pub use idx::IdxFault;
pub use order::Order;
pub use rng::Rng;
pub use set::{BUDGET, DataSet};

/// What every image is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Side in pixels.
    pub size: u32,
    /// 1 for grey; anything else is colour, 3.
    pub channels: usize,
    /// What is cut out of an image before it is resized.
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

    /// Interleaved pixels of 1 or 3 bytes as planes of this form: a grey picture fills all three planes.
    fn planar(&self, pixels: &[u8], step: usize) -> Box<[u8]> {
        (0..self.planes())
            .flat_map(|c| pixels.iter().skip(c.min(step - 1)).step_by(step).copied())
            .collect()
    }
}
