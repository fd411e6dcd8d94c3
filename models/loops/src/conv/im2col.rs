//! Any convolution as a matrix product over its unrolled windows (im2col; Chellapilla et al. 2006,
//! section 2).
//!
//! If the kernel covers the whole image, nothing is unrolled: channels last, an image already is
//! its only window.

use super::gemm::{COLUMNS, Gemm, Left, PANEL, Panels, Right, packed_len};
use super::scratch::Scratch;
use crate::ConvShape;
use crate::parallel::{self, chunk};

/// Rows of the unrolled matrix in one block: enough to be worth a pass over the weight.
const BLOCK: usize = 256;

/// `y` from `x` and the weight.
pub fn forward(s: &ConvShape, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let (inner, pixels) = (s.taps() * s.channels, s.rows() * s.columns());
    let right = by_feature(s, weight);
    let mut y = vec![0.0; s.images * s.y_len()];
    let images = block(s);
    parallel::chunks(&mut y, images * s.y_len(), &|i, y| {
        let x = chunk(x, i, images * s.x_len());
        let rows = y.len() / s.features;
        let mut product = |values| {
            let left = Left::Rows { values, stride: inner };
            multiply(rows, inner, s.features, left, &right, y);
        };
        if s.covers_image() {
            product(x);
        } else {
            let mut unrolled = Scratch::of(rows * inner);
            let windows = unrolled.chunks_exact_mut(pixels * inner);
            for (to, x) in windows.zip(x.chunks_exact(s.x_len())) {
                each_tap(s, |pixel, tap, from| {
                    let to = &mut to[pixel * inner + tap * s.channels..][..s.channels];
                    match from {
                        Some(from) => to.copy_from_slice(&x[from..][..s.channels]),
                        None => to.fill(0.0),
                    }
                });
            }
            product(&unrolled);
        }
    });
    y
}

/// The gradient by `x`, from the gradient by `y`. Also the transposed convolution of `y`.
pub fn data(s: &ConvShape, y: &[f32], weight: &[f32]) -> Vec<f32> {
    let (outer, pixels) = (s.taps() * s.channels, s.rows() * s.columns());
    let right = by_tap(s, weight);
    let mut x = vec![0.0; s.images * s.x_len()];
    let images = block(s);
    parallel::chunks(&mut x, images * s.x_len(), &|i, x| {
        let y = chunk(y, i, images * s.y_len());
        let rows = y.len() / s.features;
        let left = Left::Rows { values: y, stride: s.features };
        if s.covers_image() {
            return multiply(rows, s.features, outer, left, &right, x);
        }
        let mut unrolled = Scratch::of(rows * outer);
        multiply(rows, s.features, outer, left, &right, &mut unrolled);
        let windows = unrolled.chunks_exact(pixels * outer);
        for (from, x) in windows.zip(x.chunks_exact_mut(s.x_len())) {
            each_tap(s, |pixel, tap, to| {
                let Some(to) = to else { return };
                let from = &from[pixel * outer + tap * s.channels..][..s.channels];
                let to = &mut x[to..][..s.channels];
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            });
        }
    });
    x
}

/// The gradient by the weight, from `x` and the gradient by `y`.
pub fn weight(s: &ConvShape, x: &[f32], y: &[f32]) -> Vec<f32> {
    let (outer, pixels) = (s.taps() * s.channels, s.rows() * s.columns());
    // One thread unrolls a group of images; a batch is as many groups as fit the cache.
    let group = (BLOCK / pixels).clamp(1, s.images.div_ceil(2));
    let groups = (1 << 21) / (group * pixels * (outer + s.features)).max(1);
    let batch = group * groups.max(2);
    let mut sums = vec![0.0; outer * s.features];
    let zeros = vec![0.0; s.channels];
    for (x, y) in x.chunks(batch * s.x_len()).zip(y.chunks(batch * s.y_len())) {
        let count = (y.len() / s.y_len()).div_ceil(group);
        let prepared: Vec<(usize, Scratch, Scratch)> = parallel::map(count, &|i| {
            let x = chunk(x, i, group * s.x_len());
            let y = chunk(y, i, group * s.y_len());
            let inner = y.len() / s.features;
            let mut left = Scratch::of(packed_len(outer, inner, PANEL));
            let to = Panels::new(inner, PANEL);
            for (i, x) in x.chunks_exact(s.x_len()).enumerate() {
                each_tap(s, |pixel, tap, from| {
                    let from = from.map_or(&*zeros, |from| &x[from..][..s.channels]);
                    to.put(&mut left, i * pixels + pixel, tap * s.channels, from);
                });
            }
            let mut right = Scratch::of(packed_len(s.features, inner, COLUMNS));
            let to = Panels::new(inner, COLUMNS);
            for (pixel, y) in y.chunks_exact(s.features).enumerate() {
                to.put(&mut right, pixel, 0, y);
            }
            (inner, left, right)
        });
        parallel::chunks(&mut sums, PANEL * s.features, &|panel, to| {
            for (inner, left, right) in &prepared {
                Gemm {
                    rows: to.len() / s.features,
                    inner: *inner,
                    columns: s.features,
                    left: Left::Panels(&left[panel * inner * PANEL..][..inner * PANEL]),
                    right: Right::Panels(right),
                    to,
                    stride: s.features,
                    add: true,
                }
                .run();
            }
        });
    }
    // Sixteen features at a time, so that reads and writes both touch whole cache lines.
    const FEATURES: usize = 16;
    let mut gradient = vec![0.0; s.weight_len()];
    parallel::chunks(&mut gradient, FEATURES * outer, &|block, to| {
        for c in 0..s.channels {
            for tap in 0..s.taps() {
                let row = &sums[(tap * s.channels + c) * s.features + block * FEATURES..];
                for (to, v) in to[c * s.taps() + tap..].iter_mut().step_by(outer).zip(row) {
                    *to = *v;
                }
            }
        }
    });
    gradient
}

fn multiply(rows: usize, inner: usize, columns: usize, left: Left, right: &[f32], to: &mut [f32]) {
    let right = Right::Panels(right);
    Gemm { rows, inner, columns, left, right, to, stride: columns, add: false }.run();
}

/// Images in one block.
fn block(s: &ConvShape) -> usize {
    let even = s.images.div_ceil(rayon::current_num_threads()).max(1);
    (BLOCK / (s.rows() * s.columns())).clamp(1, even)
}

/// Calls `each` with every output pixel, tap and the index in an image at which the tap's channels
/// begin, if it is inside.
fn each_tap(s: &ConvShape, mut each: impl FnMut(usize, usize, Option<usize>)) {
    for row in 0..s.rows() {
        for column in 0..s.columns() {
            for tap in 0..s.taps() {
                let y = s.input_at(row, tap / s.kernel, s.height);
                let x = s.input_at(column, tap % s.kernel, s.width);
                let from = y.zip(x).map(|(y, x)| (y * s.width + x) * s.channels);
                each(row * s.columns() + column, tap, from);
            }
        }
    }
}

/// The weight as a packed right factor `[taps * channels, features]`.
pub fn by_feature(s: &ConvShape, weight: &[f32]) -> Scratch {
    let inner = s.taps() * s.channels;
    let mut right = Scratch::of(packed_len(s.features, inner, COLUMNS));
    parallel::chunks(&mut right, inner * COLUMNS, &|panel, to| {
        for (i, o) in (panel * COLUMNS..s.features).take(COLUMNS).enumerate() {
            for (c, taps) in weight[o * inner..][..inner].chunks_exact(s.taps()).enumerate() {
                for (tap, v) in taps.iter().enumerate() {
                    to[(tap * s.channels + c) * COLUMNS + i] = *v;
                }
            }
        }
    });
    right
}

/// The weight as a packed right factor `[features, taps * channels]`.
fn by_tap(s: &ConvShape, weight: &[f32]) -> Scratch {
    let outer = s.taps() * s.channels;
    let mut right = Scratch::of(packed_len(outer, s.features, COLUMNS));
    parallel::chunks(&mut right, s.features * COLUMNS, &|panel, to| {
        let places: Vec<usize> = (panel * COLUMNS..outer)
            .take(COLUMNS)
            .map(|at| at % s.channels * s.taps() + at / s.channels)
            .collect();
        let rows = weight.chunks_exact(outer).zip(to.chunks_exact_mut(COLUMNS));
        for (weight, to) in rows {
            for (to, at) in to.iter_mut().zip(&places) {
                *to = weight[*at];
            }
        }
    });
    right
}
