//! Fidelity and diversity as separate scores: precision and recall (Kynkaanniemi et al. 2019,
//! section 2), density and coverage (Naeem et al. 2020, section 3), over balls around each image up
//! to its k-th neighbor.

use rayon::prelude::*;
use serde::Serialize;

use crate::features::Features;
use crate::too_few::TooFew;

/// The neighbor that is the radius of a ball.
const NEIGHBOUR: usize = 5;

/// Shares in [0, 1], except for the density, which may exceed 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Manifold {
    /// Fakes within a ball of a real image.
    pub precision: f64,
    /// Real images within a ball of a fake.
    pub recall: f64,
    /// Balls of real images that a fake lies in, by k.
    pub density: f64,
    /// Real images with a fake in their ball.
    pub coverage: f64,
}

/// Precision, recall, density and coverage of `fake` against `real`, k = 5.
///
/// # Errors
/// [`TooFew`] below six images of each.
pub fn measure(real: &Features, fake: &Features) -> Result<Manifold, TooFew> {
    let got = real.len().min(fake.len());
    if got < NEIGHBOUR + 1 {
        return Err(TooFew { score: "precision and recall", got, need: NEIGHBOUR + 1 });
    }
    let (of_real, of_fake) = (radii(real), radii(fake));
    // For every real image: the fakes in its ball, and whether it is in the ball of a fake; and the
    // fakes in any ball.
    let each: Vec<(Vec<usize>, bool)> = (0..real.len())
        .into_par_iter()
        .map(|i| {
            let (mut inside, mut found) = (Vec::new(), false);
            for (j, row) in fake.rows().enumerate() {
                let far = distance(real.row(i), row);
                if far < of_real[i] {
                    inside.push(j);
                }
                found |= far < of_fake[j];
            }
            (inside, found)
        })
        .collect();
    let (n, m) = (real.len() as f64, fake.len() as f64);
    let mut balls = vec![0usize; fake.len()];
    for &j in each.iter().flat_map(|(inside, _)| inside) {
        balls[j] += 1;
    }
    let count = |n: usize| n as f64;
    Ok(Manifold {
        precision: count(balls.iter().filter(|&&b| b > 0).count()) / m,
        recall: count(each.iter().filter(|(_, found)| *found).count()) / n,
        density: count(balls.iter().sum()) / (NEIGHBOUR as f64 * m),
        coverage: count(each.iter().filter(|(inside, _)| !inside.is_empty()).count()) / n,
    })
}

/// The distance of every row to its k-th neighbor among the others.
fn radii(x: &Features) -> Vec<f64> {
    (0..x.len())
        .into_par_iter()
        .map(|i| {
            let mut all: Vec<f64> = x.rows().map(|row| distance(x.row(i), row)).collect();
            // The first one is the row itself.
            let (_, kth, _) = all.select_nth_unstable_by(NEIGHBOUR, f64::total_cmp);
            *kth
        })
        .collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let squared: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    squared.sqrt()
}
