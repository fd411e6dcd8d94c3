//! How good a run's samples are. The scores themselves are those of the package `quality`; here are
//! what they are computed from ([`samples`], [`extractor`], [`classifier`]) and the whole evaluation
//! ([`evaluate`]).

pub mod classifier;
pub mod evaluate;
pub mod extractor;
pub mod samples;
pub mod scores;
mod target;

pub use quality::{Pictures, TooFew, features, frechet, kernel, manifold, neighbors, ssim, swd};
pub use target::Target;
