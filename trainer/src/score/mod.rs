//! How good samples are: figures that need no download ([`swd`], [`ssim`], [`neighbours`]), and those of features that
//! the user brings ([`features`], [`frechet`], [`kernel`], [`manifold`]).
//!
//! Everything here takes bytes, as a PNG would hold them: what is scored is what people see.

pub mod classifier;
pub mod extractor;
pub mod features;
pub mod frechet;
pub mod kernel;
pub mod manifold;
pub mod neighbours;
pub mod ssim;
pub mod swd;

use std::fmt;

use image::RgbImage;
use serde::Serialize;

use crate::data::{DataError, DataSet, Form};

/// Images of one form, a plane of bytes after the other.
#[derive(Clone, Debug)]
pub struct Pictures {
    form: Form,
    bytes: Vec<u8>,
}

impl Pictures {
    /// None yet.
    pub fn new(form: Form) -> Pictures {
        let bytes = Vec::new();
        Pictures { form, bytes }
    }

    /// The images `which` of a set.
    ///
    /// # Errors
    /// [`DataError`] where an image's file has gone.
    pub fn of(data: &DataSet, which: &[usize]) -> Result<Pictures, DataError> {
        let mut pictures = Pictures::new(*data.form());
        for &i in which {
            data.with(i, |pixels| pictures.push(pixels))?;
        }
        Ok(pictures)
    }

    /// One more, planes of bytes, [`Form::values`] long.
    pub fn push(&mut self, planes: &[u8]) {
        debug_assert_eq!(planes.len(), self.form.values());
        self.bytes.extend_from_slice(planes);
    }

    /// Images of values in [-1, 1], planes first, rounded as [`crate::report::picture`] does.
    pub fn push_values(&mut self, values: &[f32]) {
        self.bytes.extend(values.iter().map(|&v| crate::report::byte(v)));
    }

    /// What every image is.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.form.values()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The planes of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.bytes.chunks_exact(self.form.values())
    }

    /// The planes of one.
    pub fn get(&self, i: usize) -> &[u8] {
        let values = self.form.values();
        &self.bytes[i * values..][..values]
    }

    /// The first `count`.
    pub fn first(&self, count: usize) -> Pictures {
        let bytes = &self.bytes[..count.min(self.len()) * self.form.values()];
        Pictures { form: self.form, bytes: bytes.to_vec() }
    }

    /// One as a picture, grey in three equal channels.
    pub fn picture(&self, i: usize) -> RgbImage {
        let (planes, side) = (self.get(i), self.form.size);
        let (plane, last) = (self.form.pixels(), self.form.planes() - 1);
        RgbImage::from_fn(side, side, |x, y| {
            let at = (y * side + x) as usize;
            image::Rgb([0, 1, 2].map(|c: usize| planes[c.min(last) * plane + at]))
        })
    }

    /// The first half and the second.
    pub fn halves(&self) -> [Pictures; 2] {
        let at = self.len() / 2 * self.form.values();
        [&self.bytes[..at], &self.bytes[at..2 * at]]
            .map(|bytes| Pictures { form: self.form, bytes: bytes.to_vec() })
    }
}

/// Too few of something to say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// For what.
    pub score: &'static str,
    /// How many there are.
    pub got: usize,
    /// How many it takes.
    pub need: usize,
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooFew { score, got, need } = self;
        write!(f, "{score} of {got} images: it takes {need} or more")
    }
}

impl std::error::Error for TooFew {}

/// The two scores that a run computes of itself while it trains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quick {
    /// Images of each kind.
    pub count: usize,
    /// Sliced Wasserstein distance, the mean over its levels, times 1000.
    pub swd: f64,
    /// MS-SSIM over pairs of fakes.
    pub ms_ssim: f64,
    /// The same over pairs of real images.
    pub ms_ssim_real: f64,
}

/// Scores `fakes` against as many of `reals`.
///
/// # Errors
/// [`TooFew`] below four images of each.
pub fn quick(fakes: &Pictures, reals: &Pictures, seed: u64) -> Result<Quick, TooFew> {
    let pairs = fakes.len().min(reals.len()) / 2;
    Ok(Quick {
        count: fakes.len().min(reals.len()),
        swd: swd::distance(fakes, reals, seed)?.mean(),
        ms_ssim: ssim::diversity(fakes, pairs, seed)?.mean,
        ms_ssim_real: ssim::diversity(reals, pairs, seed)?.mean,
    })
}
