//! How good samples are: scores that need no download ([`swd`], [`ssim`], [`edges`],
//! [`neighbors`]), and scores of features from a network of the user ([`features`], [`frechet`], [`kernel`],
//! [`manifold`]).
//!
//! All of them take bytes, as in a PNG: what is scored is what people see.

pub mod edges;
pub mod features;
pub mod frechet;
pub mod kernel;
pub mod manifold;
pub mod neighbors;
mod pictures;
mod quick;
pub mod ssim;
pub mod swd;
mod too_few;

pub use pictures::{Pictures, byte};
pub use quick::{Quick, quick};
pub use too_few::TooFew;
