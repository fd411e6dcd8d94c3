//! Sliced Wasserstein distance over patches of a Laplacian pyramid (Karras et al. 2018,
//! "Progressive growing", section 5): small if two sets have the same textures at every scale. It
//! needs no trained network.
//!
//! Random directions depend only on the seed, so that two models are compared along the same ones.

use nalgebra::{DMatrix, DMatrixView};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde::Serialize;

use crate::pictures::Pictures;
use crate::too_few::TooFew;

/// Side of a patch.
const SIDE: usize = 7;
/// Patches per image.
const PATCHES: usize = 128;
/// Directions that patches are projected on: the paper's four times 128.
const DIRECTIONS: usize = 512;
/// How many of them are one matrix product.
const TOGETHER: usize = 32;
/// Side of the pyramid's last level.
const LAST: usize = 16;
/// Burt and Adelson's filter, as in the paper's code.
const FILTER: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];

/// The distances of the pyramid's levels, times 1000.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Levels {
    /// Side in pixels, and distance.
    pub levels: Vec<(usize, f64)>,
}

impl Levels {
    /// The mean over levels, as reported in papers.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.levels.iter().map(|(_, distance)| distance).sum();
        sum / self.levels.len().max(1) as f64
    }
}

/// The distance between two sets of images, both cut to the size of the smaller one.
///
/// # Errors
/// [`TooFew`] below four images.
pub fn distance(a: &Pictures, b: &Pictures, seed: u64) -> Result<Levels, TooFew> {
    let n = a.len().min(b.len());
    if n < 4 {
        return Err(TooFew { score: "the sliced Wasserstein distance", got: n, need: 4 });
    }
    let (side, planes) = (a.size() as usize, a.planes());
    let mut levels = Vec::new();
    for (level, size) in sizes(side).into_iter().enumerate() {
        let rng = |set: u64| {
            let stream = (level as u64) << 8 | set;
            StdRng::seed_from_u64(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        };
        let describe = |set: &Pictures, which| {
            let places = places(n, size, &mut rng(which));
            descriptors(set, n, level, &places)
        };
        let [a, b] = [describe(a, 1), describe(b, 2)];
        let length = SIDE * SIDE * planes;
        let directions = directions(length, &mut rng(3));
        levels.push((size, 1e3 * sliced(&a, &b, length, &directions)));
    }
    Ok(Levels { levels })
}

/// Sides of the pyramid's levels: halved while at least 16.
fn sizes(side: usize) -> Vec<usize> {
    let mut sizes = vec![side];
    let mut size = side;
    while size.is_multiple_of(2) && size / 2 >= LAST {
        size /= 2;
        sizes.push(size);
    }
    sizes
}

/// The upper left corners of the patches of every image.
fn places(n: usize, size: usize, rng: &mut StdRng) -> Vec<[usize; 2]> {
    let span = size - SIDE + 1;
    (0..n * PATCHES).map(|_| [rng.random_range(0..span), rng.random_range(0..span)]).collect()
}

/// Directions of unit length, `[DIRECTIONS, length]`.
fn directions(length: usize, rng: &mut StdRng) -> Vec<f32> {
    let mut all: Vec<f32> = rng.sample_iter(StandardNormal).take(DIRECTIONS * length).collect();
    for one in all.chunks_exact_mut(length) {
        let norm = one.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        one.iter_mut().for_each(|v| *v /= norm);
    }
    all
}

/// Patches of a level of every image, `[n * PATCHES, planes * 49]`, each channel normalized to mean
/// 0 and deviation 1 over the set.
fn descriptors(set: &Pictures, n: usize, level: usize, places: &[[usize; 2]]) -> Vec<f32> {
    let (side, planes) = (set.size() as usize, set.planes());
    let length = SIDE * SIDE * planes;
    let mut all = vec![0.0; n * PATCHES * length];
    all.par_chunks_exact_mut(PATCHES * length)
        .zip(places.par_chunks_exact(PATCHES))
        .enumerate()
        .for_each(|(i, (out, places))| {
            let planes: Vec<Plane> = set
                .get(i)
                .chunks_exact(side * side)
                .map(|plane| laplacian(Plane::of(plane, side), level))
                .collect();
            for (out, [y, x]) in out.chunks_exact_mut(length).zip(places) {
                for (out, plane) in out.chunks_exact_mut(SIDE * SIDE).zip(&planes) {
                    for (row, out) in out.chunks_exact_mut(SIDE).enumerate() {
                        let from = (y + row) * plane.side + x;
                        out.copy_from_slice(&plane.values[from..from + SIDE]);
                    }
                }
            }
        });
    for channel in 0..planes {
        standardize(&mut all, length, channel);
    }
    all
}

/// Normalizes one channel of all patches to mean 0 and deviation 1.
fn standardize(all: &mut [f32], length: usize, channel: usize) {
    let part = channel * SIDE * SIDE..(channel + 1) * SIDE * SIDE;
    // Summed in order: the last bits of a parallel reduction would depend on the number of threads.
    let each: Vec<(f64, f64)> = all
        .par_chunks_exact(length)
        .map(|patch| {
            let patch = &patch[part.clone()];
            let sum: f64 = patch.iter().map(|&v| f64::from(v)).sum();
            let squares: f64 = patch.iter().map(|&v| f64::from(v).powi(2)).sum();
            (sum, squares)
        })
        .collect();
    let count = (each.len() * part.len()) as f64;
    let sum: f64 = each.iter().map(|(sum, _)| sum).sum();
    let squares: f64 = each.iter().map(|(_, squares)| squares).sum();
    let mean = sum / count;
    let deviation = (squares / count - mean * mean).max(0.0).sqrt().max(1e-8);
    let (mean, scale) = (mean as f32, (1.0 / deviation) as f32);
    all.par_chunks_exact_mut(length).for_each(|patch| {
        patch[part.clone()].iter_mut().for_each(|v| *v = (*v - mean) * scale);
    });
}

/// Mean over directions of the distance between sorted projections of two sets of the same size:
/// rows of `length` values.
pub fn sliced(a: &[f32], b: &[f32], length: usize, directions: &[f32]) -> f64 {
    let each = |some: &[f32]| -> Vec<f64> {
        let some = DMatrixView::from_slice(some, length, some.len() / length).transpose();
        let [a, b] = [a, b].map(|set| projections(&some, set));
        let pairs = a.iter().zip(&b);
        pairs.map(|(a, b)| apart(a, b) / a.len().max(1) as f64).collect()
    };
    let distances: Vec<f64> =
        directions.par_chunks(TOGETHER * length).flat_map_iter(each).collect();
    distances.iter().sum::<f64>() / distances.len().max(1) as f64
}

/// The sorted projections of a set's rows on each of some directions.
fn projections(directions: &DMatrix<f32>, set: &[f32]) -> Vec<Vec<f32>> {
    let length = directions.ncols();
    let all = directions * DMatrixView::from_slice(set, length, set.len() / length);
    let mut rows: Vec<Vec<f32>> = all.row_iter().map(|row| row.iter().copied().collect()).collect();
    rows.iter_mut().for_each(|row| radsort::sort(row));
    rows
}

/// The sum of the distances of values at the same place.
fn apart(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).sum()
}

/// A square matrix.
#[derive(Clone, Debug)]
struct Plane {
    side: usize,
    values: Vec<f32>,
}

impl Plane {
    fn of(bytes: &[u8], side: usize) -> Plane {
        let values = bytes.iter().map(|&b| f32::from(b)).collect();
        Plane { side, values }
    }

    /// Filtered along rows and columns, borders mirrored (the border pixel is not repeated).
    fn filtered(&self, gain: f32) -> Plane {
        let n = self.side as isize;
        let at = |i: isize| {
            let i = i.abs();
            (if i >= n { 2 * (n - 1) - i } else { i }) as usize
        };
        let taps = |i: usize| (-2..=2).map(move |k| i as isize + k);
        let side = self.side;
        let mut rows = vec![0.0; side * side];
        for (i, out) in rows.iter_mut().enumerate() {
            let (y, x) = (i / side, i % side);
            *out = taps(x).zip(FILTER).map(|(x, f)| f * self.values[y * side + at(x)]).sum();
        }
        let mut values = vec![0.0; side * side];
        for (i, out) in values.iter_mut().enumerate() {
            let (y, x) = (i / side, i % side);
            let sum: f32 = taps(y).zip(FILTER).map(|(y, f)| f * rows[at(y) * side + x]).sum();
            *out = gain * sum;
        }
        Plane { side, values }
    }

    fn halved(&self) -> Plane {
        let smooth = self.filtered(1.0);
        let side = self.side / 2;
        let values = (0..side * side)
            .map(|i| smooth.values[(i / side * 2) * self.side + i % side * 2])
            .collect();
        Plane { side, values }
    }

    fn doubled(&self) -> Plane {
        let side = self.side * 2;
        let mut values = vec![0.0; side * side];
        for (i, &v) in self.values.iter().enumerate() {
            values[(i / self.side * 2) * side + i % self.side * 2] = v;
        }
        Plane { side, values }.filtered(4.0)
    }
}

/// The levels of the Laplacian pyramid of a plane of bytes, `side` x `side`, finest first; the last
/// is the downsampled plane.
pub fn pyramid(plane: &[u8], side: usize) -> Vec<f32> {
    (0..sizes(side).len())
        .flat_map(|level| laplacian(Plane::of(plane, side), level).values)
        .collect()
}

/// One level of the Laplacian pyramid of a plane; the last is the downsampled plane.
fn laplacian(plane: Plane, level: usize) -> Plane {
    let levels = sizes(plane.side).len();
    let mut plane = plane;
    for _ in 0..level {
        plane = plane.halved();
    }
    if level + 1 == levels {
        return plane;
    }
    let coarse = plane.halved().doubled();
    for (v, coarse) in plane.values.iter_mut().zip(&coarse.values) {
        *v -= coarse;
    }
    plane
}
