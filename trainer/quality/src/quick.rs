//! The scores that a run computes while it trains.

use serde::Serialize;

use crate::pictures::Pictures;
use crate::too_few::TooFew;
use crate::{ssim, swd};

/// The scores that a run computes while it trains.
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
