//! Multi-scale structural similarity (Wang et al. 2003) over pairs of a set: near 1 if all images
//! look alike. A generator has collapsed if its pairs are more similar than those of real images
//! (Odena et al. 2017, section 4.2).

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;

use crate::pictures::Pictures;
use crate::too_few::TooFew;

/// Side and standard deviation of the Gaussian window.
const WINDOW: usize = 11;
const DEVIATION: f32 = 1.5;
/// The weights of five scales (Wang et al. 2003, section 3.2). With fewer scales, the first ones,
/// normalized.
const WEIGHTS: [f32; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// The two constants, for values from 0 to 255.
const C1: f32 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f32 = (0.03 * 255.0) * (0.03 * 255.0);

/// Similarity of pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diversity {
    /// Mean over pairs and channels.
    pub mean: f64,
    /// Number of pairs.
    pub pairs: usize,
    /// Number of scales that the window fits into, at most five.
    pub scales: usize,
}

/// The mean similarity over `pairs` random pairs of different images.
///
/// # Errors
/// [`TooFew`] below two images, or if the window does not fit into an image.
pub fn diversity(set: &Pictures, pairs: usize, seed: u64) -> Result<Diversity, TooFew> {
    let side = set.size() as usize;
    let n = set.len();
    if n < 2 || side < WINDOW {
        return Err(TooFew { score: "MS-SSIM", got: n, need: 2 });
    }
    let mut rng = StdRng::seed_from_u64(seed ^ 0x5551);
    let drawn: Vec<(usize, usize)> = (0..pairs.max(1))
        .map(|_| {
            let a = rng.random_range(0..n);
            (a, (a + rng.random_range(1..n)) % n)
        })
        .collect();
    // Summed in order, so that the result does not depend on the number of threads.
    let each: Vec<f64> =
        drawn.par_iter().map(|&(a, b)| f64::from(ms_ssim(set.get(a), set.get(b), side))).collect();
    Ok(Diversity {
        mean: each.iter().sum::<f64>() / drawn.len() as f64,
        pairs: drawn.len(),
        scales: scales(side),
    })
}

/// The structural similarity of two images of `side` pixels, planes of bytes, as a mean over the
/// planes (Wang et al. 2004, section III); NaN if the window does not fit.
pub fn similarity(a: &[u8], b: &[u8], side: usize) -> f32 {
    if side < WINDOW {
        return f32::NAN;
    }
    let planes = a.chunks_exact(side * side).zip(b.chunks_exact(side * side));
    let count = planes.len() as f32;
    let floats = |plane: &[u8]| plane.iter().map(|&v| f32::from(v)).collect::<Vec<_>>();
    planes.map(|(a, b)| ssim(&floats(a), &floats(b), side).0).sum::<f32>() / count
}

/// How often a side can be halved before the window does not fit.
fn scales(side: usize) -> usize {
    (1..=WEIGHTS.len()).take_while(|scale| side >> (scale - 1) >= WINDOW).count()
}

/// The similarity of two images of `side` pixels, planes of bytes, as a mean over the planes.
pub fn ms_ssim(a: &[u8], b: &[u8], side: usize) -> f32 {
    let scales = scales(side);
    let total: f32 = WEIGHTS[..scales].iter().sum();
    let planes = a.chunks_exact(side * side).zip(b.chunks_exact(side * side));
    let count = planes.len() as f32;
    let each = planes.map(|(a, b)| {
        let floats = |plane: &[u8]| plane.iter().map(|&v| f32::from(v)).collect::<Vec<_>>();
        let (mut a, mut b, mut side) = (floats(a), floats(b), side);
        let mut product = 1.0f32;
        for (scale, weight) in WEIGHTS[..scales].iter().enumerate() {
            let (similarity, contrast) = ssim(&a, &b, side);
            let factor = match scale + 1 == scales {
                true => similarity,
                false => contrast,
            };
            // Negative similarities count as 0.
            product *= factor.max(0.0).powf(weight / total);
            (a, b) = (halved(&a, side), halved(&b, side));
            side /= 2;
        }
        product
    });
    each.sum::<f32>() / count
}

/// Means over all windows: similarity, and its contrast-structure term.
fn ssim(a: &[f32], b: &[f32], side: usize) -> (f32, f32) {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<_>>();
    let [ma, mb] = [blurred(a, side), blurred(b, side)];
    let [aa, bb, ab] = [product(a, a), product(b, b), product(a, b)].map(|p| blurred(&p, side));
    let (mut similarity, mut contrast) = (0.0f64, 0.0f64);
    for i in 0..ma.len() {
        let (ma, mb) = (ma[i], mb[i]);
        let (va, vb, cov) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
        let cs = (2.0 * cov + C2) / (va + vb + C2);
        contrast += f64::from(cs);
        similarity += f64::from(cs * (2.0 * ma * mb + C1) / (ma * ma + mb * mb + C1));
    }
    let count = ma.len() as f64;
    ((similarity / count) as f32, (contrast / count) as f32)
}

/// The weighted mean under the window at every position where it fits.
fn blurred(x: &[f32], side: usize) -> Vec<f32> {
    let window = window();
    let small = side - WINDOW + 1;
    let mut rows = vec![0.0; side * small];
    for (row, out) in x.chunks_exact(side).zip(rows.chunks_exact_mut(small)) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = row[i..i + WINDOW].iter().zip(window).map(|(v, w)| v * w).sum();
        }
    }
    let mut all = vec![0.0; small * small];
    for (y, out) in all.chunks_exact_mut(small).enumerate() {
        for (k, w) in window.iter().enumerate() {
            let row = &rows[(y + k) * small..][..small];
            out.iter_mut().zip(row).for_each(|(out, v)| *out += w * v);
        }
    }
    all
}

fn window() -> [f32; WINDOW] {
    let each: [f32; WINDOW] = std::array::from_fn(|i| {
        let x = i as f32 - (WINDOW / 2) as f32;
        (-x * x / (2.0 * DEVIATION * DEVIATION)).exp()
    });
    let sum: f32 = each.iter().sum();
    each.map(|v| v / sum)
}

/// Means of two by two pixels.
fn halved(x: &[f32], side: usize) -> Vec<f32> {
    let half = side / 2;
    (0..half * half)
        .map(|i| {
            let at = i / half * 2 * side + i % half * 2;
            (x[at] + x[at + 1] + x[at + side] + x[at + side + 1]) / 4.0
        })
        .collect()
}
