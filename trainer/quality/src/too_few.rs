//! The error of every score.

use std::fmt;

/// Too few images for a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// The score.
    pub score: &'static str,
    /// Number of images.
    pub got: usize,
    /// Number of images needed.
    pub need: usize,
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooFew { score, got, need } = self;
        write!(f, "{score} of {got} images: it takes {need} or more")
    }
}

impl std::error::Error for TooFew {}
