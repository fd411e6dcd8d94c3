//! Any convolution as one matrix product over its windows written out side by side (im2col; Chellapilla et al. 2006,
//! section 2).
//!
//! Where a kernel covers the whole picture there is nothing to write out: channels last, a picture is its own window.

use rayon::prelude::*;

use super::product::{COLUMNS, Left, PANEL, Panels, Product, packed_len};
use super::scratch::Scratch;
use super::window::Window;

/// Rows of the written-out matrix that are worked on at a time: enough to be worth a pass over the weight.
const BLOCK: usize = 256;

/// `y` of `x` and the weight.
pub fn forward(w: &Window, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let (inner, pixels) = (w.taps() * w.channels, w.rows() * w.columns());
    let right = by_feature(w, weight);
    let mut y = vec![0.0; w.images * w.y_len()];
    let images = block(w);
    y.par_chunks_mut(images * w.y_len()).zip(x.par_chunks(images * w.x_len())).for_each(
        |(y, x)| {
            let rows = y.len() / w.features;
            let mut product = |values| {
                let left = Left::Rows { values, stride: inner };
                multiply(rows, inner, w.features, left, &right, y);
            };
            if whole(w) {
                product(x);
            } else {
                let mut written = Scratch::of(rows * inner);
                let pictures = written.chunks_exact_mut(pixels * inner);
                for (to, x) in pictures.zip(x.chunks_exact(w.x_len())) {
                    each_tap(w, |pixel, tap, from| {
                        let to = &mut to[pixel * inner + tap * w.channels..][..w.channels];
                        match from {
                            Some(from) => to.copy_from_slice(&x[from..][..w.channels]),
                            None => to.fill(0.0),
                        }
                    });
                }
                product(&written);
            }
        },
    );
    y
}

/// The gradient by `x`, of the gradient by `y`: also the transposed convolution of `y`.
pub fn data(w: &Window, y: &[f32], weight: &[f32]) -> Vec<f32> {
    let (outer, pixels) = (w.taps() * w.channels, w.rows() * w.columns());
    let right = by_tap(w, weight);
    let mut x = vec![0.0; w.images * w.x_len()];
    let images = block(w);
    x.par_chunks_mut(images * w.x_len()).zip(y.par_chunks(images * w.y_len())).for_each(
        |(x, y)| {
            let rows = y.len() / w.features;
            let left = Left::Rows { values: y, stride: w.features };
            if whole(w) {
                return multiply(rows, w.features, outer, left, &right, x);
            }
            let mut written = Scratch::of(rows * outer);
            multiply(rows, w.features, outer, left, &right, &mut written);
            let pictures = written.chunks_exact(pixels * outer);
            for (from, x) in pictures.zip(x.chunks_exact_mut(w.x_len())) {
                each_tap(w, |pixel, tap, to| {
                    let Some(to) = to else { return };
                    let from = &from[pixel * outer + tap * w.channels..][..w.channels];
                    let to = &mut x[to..][..w.channels];
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                });
            }
        },
    );
    x
}

/// The gradient by the weight, of `x` and the gradient by `y`.
pub fn weight(w: &Window, x: &[f32], y: &[f32]) -> Vec<f32> {
    let (outer, pixels) = (w.taps() * w.channels, w.rows() * w.columns());
    // A group of pictures is prepared by one thread; as many groups as stay in the cache are worked on at a time.
    let group = (BLOCK / pixels).clamp(1, w.images.div_ceil(2));
    let groups = (1 << 21) / (group * pixels * (outer + w.features)).max(1);
    let many = group * groups.max(2);
    let mut sums = vec![0.0; outer * w.features];
    let zeros = vec![0.0; w.channels];
    for (x, y) in x.chunks(many * w.x_len()).zip(y.chunks(many * w.y_len())) {
        let prepared: Vec<(usize, Scratch, Scratch)> = x
            .par_chunks(group * w.x_len())
            .zip(y.par_chunks(group * w.y_len()))
            .map(|(x, y)| {
                let inner = y.len() / w.features;
                let mut left = Scratch::of(packed_len(outer, inner, PANEL));
                let to = Panels::new(inner, PANEL);
                for (i, x) in x.chunks_exact(w.x_len()).enumerate() {
                    each_tap(w, |pixel, tap, from| {
                        let from = from.map_or(&*zeros, |from| &x[from..][..w.channels]);
                        to.put(&mut left, i * pixels + pixel, tap * w.channels, from);
                    });
                }
                let mut right = Scratch::of(packed_len(w.features, inner, COLUMNS));
                let to = Panels::new(inner, COLUMNS);
                for (pixel, y) in y.chunks_exact(w.features).enumerate() {
                    to.put(&mut right, pixel, 0, y);
                }
                (inner, left, right)
            })
            .collect();
        sums.par_chunks_mut(PANEL * w.features).enumerate().for_each(|(panel, to)| {
            for (inner, left, right) in &prepared {
                Product {
                    rows: to.len() / w.features,
                    inner: *inner,
                    columns: w.features,
                    left: Left::Panels(&left[panel * inner * PANEL..][..inner * PANEL]),
                    right,
                    to,
                    stride: w.features,
                    add: true,
                }
                .run();
            }
        });
    }
    // Sixteen features at a time: what is read together lies together, and so does what is written.
    const FEATURES: usize = 16;
    let mut gradient = vec![0.0; w.weight_len()];
    gradient.par_chunks_mut(FEATURES * outer).enumerate().for_each(|(block, to)| {
        for c in 0..w.channels {
            for tap in 0..w.taps() {
                let row = &sums[(tap * w.channels + c) * w.features + block * FEATURES..];
                for (to, v) in to[c * w.taps() + tap..].iter_mut().step_by(outer).zip(row) {
                    *to = *v;
                }
            }
        }
    });
    gradient
}

fn multiply(rows: usize, inner: usize, columns: usize, left: Left, right: &[f32], to: &mut [f32]) {
    Product { rows, inner, columns, left, right, to, stride: columns, add: false }.run();
}

/// Whether the kernel covers the whole picture.
fn whole(w: &Window) -> bool {
    w.padding == 0 && w.kernel == w.height && w.kernel == w.width
}

/// Pictures that are worked on at a time.
fn block(w: &Window) -> usize {
    let even = w.images.div_ceil(rayon::current_num_threads()).max(1);
    (BLOCK / (w.rows() * w.columns())).clamp(1, even)
}

/// Calls `each` with every output pixel, tap, and where the tap's channels begin in a picture, if they are inside.
fn each_tap(w: &Window, mut each: impl FnMut(usize, usize, Option<usize>)) {
    for row in 0..w.rows() {
        for column in 0..w.columns() {
            for tap in 0..w.taps() {
                let y = w.under(row, tap / w.kernel, w.height);
                let x = w.under(column, tap % w.kernel, w.width);
                let from = y.zip(x).map(|(y, x)| (y * w.width + x) * w.channels);
                each(row * w.columns() + column, tap, from);
            }
        }
    }
}

/// The weight as a right factor `[taps * channels, features]` in panels.
fn by_feature(w: &Window, weight: &[f32]) -> Scratch {
    let inner = w.taps() * w.channels;
    let mut right = Scratch::of(packed_len(w.features, inner, COLUMNS));
    right.par_chunks_exact_mut(inner * COLUMNS).enumerate().for_each(|(panel, to)| {
        for (i, o) in (panel * COLUMNS..w.features).take(COLUMNS).enumerate() {
            for (c, taps) in weight[o * inner..][..inner].chunks_exact(w.taps()).enumerate() {
                for (tap, v) in taps.iter().enumerate() {
                    to[(tap * w.channels + c) * COLUMNS + i] = *v;
                }
            }
        }
    });
    right
}

/// The weight as a right factor `[features, taps * channels]` in panels.
fn by_tap(w: &Window, weight: &[f32]) -> Scratch {
    let outer = w.taps() * w.channels;
    let mut right = Scratch::of(packed_len(outer, w.features, COLUMNS));
    right.par_chunks_exact_mut(w.features * COLUMNS).enumerate().for_each(|(panel, to)| {
        let places: Vec<usize> = (panel * COLUMNS..outer)
            .take(COLUMNS)
            .map(|at| at % w.channels * w.taps() + at / w.channels)
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
