//! Kernel distance between two sets of features (Binkowski et al. 2018, section 3; KID if the
//! features are those of Inception): the squared maximum mean discrepancy under a cubic kernel,
//! unbiased, and so reliable with few images.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index::sample;
use rayon::prelude::*;
use serde::Serialize;

use crate::features::Features;
use crate::too_few::TooFew;

/// Subsets, and largest number of images of each, as in the reference code.
const SUBSETS: usize = 100;
const SIZE: usize = 1000;

/// Mean and deviation over subsets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kernel {
    /// The distance.
    pub mean: f64,
    /// Standard deviation over subsets.
    pub deviation: f64,
    /// Images per subset.
    pub size: usize,
}

/// The distance between two sets of features of the same length.
///
/// # Errors
/// [`TooFew`] below two images of each.
pub fn distance(a: &Features, b: &Features, seed: u64) -> Result<Kernel, TooFew> {
    let size = a.len().min(b.len()).min(SIZE);
    if size < 2 {
        return Err(TooFew { score: "the kernel distance", got: size, need: 2 });
    }
    let each: Vec<f64> = (0..SUBSETS)
        .into_par_iter()
        .map(|subset| {
            let mut rng = StdRng::seed_from_u64(seed.wrapping_add(subset as u64) ^ 0x41d);
            let draw = |of: &Features, rng: &mut StdRng| sample(rng, of.len(), size).into_vec();
            let (i, j) = (draw(a, &mut rng), draw(b, &mut rng));
            discrepancy(a, &i, b, &j)
        })
        .collect();
    let mean = each.iter().sum::<f64>() / SUBSETS as f64;
    let variance = each.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / SUBSETS as f64;
    Ok(Kernel { mean, deviation: variance.sqrt(), size })
}

/// The squared discrepancy of the rows `i` of `a` and as many rows `j` of `b`, without pairs of a
/// row with itself.
pub fn discrepancy(a: &Features, i: &[usize], b: &Features, j: &[usize]) -> f64 {
    let (n, d) = (i.len() as f64, a.dimension() as f64);
    let kernel = |x: &[f64], y: &[f64]| {
        let dot: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
        (dot / d + 1.0).powi(3)
    };
    let within = |of: &Features, rows: &[usize]| -> f64 {
        let mut sum = 0.0;
        for (at, &x) in rows.iter().enumerate() {
            for &y in &rows[at + 1..] {
                sum += 2.0 * kernel(of.row(x), of.row(y));
            }
        }
        sum / (n * (n - 1.0))
    };
    let between: f64 =
        i.iter().map(|&x| j.iter().map(|&y| kernel(a.row(x), b.row(y))).sum::<f64>()).sum();
    within(a, i) + within(b, j) - 2.0 * between / (n * n)
}
