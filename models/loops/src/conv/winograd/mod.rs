//! The convolution of kernel 4, stride 2 and padding 1 with fewer multiplications.
//!
//! Split by the parity of the input row and column, it is the sum of four convolutions of kernel 2
//! and stride 1. Two neighboring outputs of such a convolution take three multiplications instead
//! of four (Winograd 1980, F(2, 2)): with inputs d and taps g
//!
//! ```text
//! m0 = (d0 - d1) g0        y0 = m0 + m1
//! m1 = d1 (g0 + g1)        y1 = m1 + m2
//! m2 = (d2 - d1) g1
//! ```
//!
//! so that 2 x 2 outputs take nine instead of sixteen (Lavin and Gray 2016, section 4). Each of the
//! nine is a matrix product over all tiles, with an inner dimension of 4 x channels. The gradients
//! use the adjoints of the same three transforms, and save as much.
//!
//! A tile is 2 x 2 outputs and the 6 x 6 inputs that they read.

mod transform;
mod weight;

use rayon::prelude::*;

use super::gemm::{COLUMNS, Gemm, Left, PANEL, Panels, Right, packed_len};
use super::scratch::Scratch;
use crate::ConvShape;
use crate::parallel::{self, chunk};
use transform::{
    Added, Apart, Input, InputAdjoint, Output, OutputAdjoint, PARITIES, POINTS, Packed, Places,
    nine, transform,
};
use weight::{by_channel, by_feature, to_weight};

/// Tiles in one block, so that they stay in the cache. A large weight gets more, since every block
/// passes over it.
const TILES: usize = 64;
const TILES_OF_LARGE: usize = 128;
/// Values of a large weight.
const LARGE: usize = 1 << 20;

/// The fewest output pixels of a batch that are worth transforming the weight.
const PIXELS: usize = 128;

/// Whether a convolution is computed here: the kernel fits, and there are channels enough to fill
/// registers and pixels enough for the products to take longer than the weight.
pub fn applies(s: &ConvShape) -> bool {
    let whole = |size: usize| size >= 4 && size.is_multiple_of(4);
    (s.kernel, s.stride, s.padding) == (4, 2, 1)
        && s.images * s.rows() * s.columns() >= PIXELS
        && whole(s.height)
        && whole(s.width)
        && s.channels >= 8
        && s.features >= 8
}

/// `y` from `x` and the weight.
pub fn forward(s: &ConvShape, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let (inner, tiles) = (PARITIES * s.channels, tiles(s));
    let right = by_feature(s, weight);
    let zeros = vec![0.0; s.channels];
    let mut y = vec![0.0; s.images * s.y_len()];
    let images = block(s);
    parallel::chunks(&mut y, images * s.y_len(), &|i, y| {
        let x = chunk(x, i, images * s.x_len());
        let count = y.len() / s.y_len() * tiles;
        let mut factors = Scratch::of(POINTS * count * inner);
        each_input(s, x, &zeros, |tile, parity, from| {
            let to = &mut factors[tile * inner + parity * s.channels..];
            transform::<Input, 9, 9>(from, to, Apart(count * inner));
        });
        let mut products = Scratch::of(POINTS * count * s.features);
        for (point, from) in each_panel(s.features) {
            let at = (from / COLUMNS * POINTS + point) * inner * COLUMNS;
            Gemm {
                rows: count,
                inner,
                columns: COLUMNS.min(s.features - from),
                left: Left::Rows {
                    values: &factors[point * count * inner..][..count * inner],
                    stride: inner,
                },
                right: Right::Panels(&right[at..][..inner * COLUMNS]),
                to: &mut products[point * count * s.features + from..],
                stride: s.features,
                add: false,
            }
            .run();
        }
        each_output(s, y.len() / s.y_len(), |tile, at| {
            let from = |p: usize| &products[(p * count + tile) * s.features..][..s.features];
            transform::<Output, 9, 4>(nine(from), y, Places(at));
        });
    });
    y
}

/// The gradient by `x`, from the gradient by `y`. Also the transposed convolution of `y`.
pub fn data(s: &ConvShape, y: &[f32], weight: &[f32]) -> Vec<f32> {
    let (outer, tiles) = (PARITIES * s.channels, tiles(s));
    let right = by_channel(s, weight);
    let mut x = vec![0.0; s.images * s.x_len()];
    let images = block(s);
    parallel::chunks(&mut x, images * s.x_len(), &|i, x| {
        let y = chunk(y, i, images * s.y_len());
        let images = y.len() / s.y_len();
        let count = images * tiles;
        let mut factors = Scratch::of(POINTS * count * s.features);
        each_output(s, images, |tile, at| {
            let from = at.map(|at| &y[at..][..s.features]);
            let to = &mut factors[tile * s.features..];
            transform::<OutputAdjoint, 4, 9>(from, to, Apart(count * s.features));
        });
        let mut products = Scratch::of(POINTS * count * outer);
        for (point, from) in each_panel(s.channels) {
            for parity in 0..PARITIES {
                let at = ((from / COLUMNS * PARITIES + parity) * POINTS + point) * s.features;
                Gemm {
                    rows: count,
                    inner: s.features,
                    columns: COLUMNS.min(s.channels - from),
                    left: Left::Rows {
                        values: &factors[point * count * s.features..][..count * s.features],
                        stride: s.features,
                    },
                    right: Right::Panels(&right[at * COLUMNS..][..s.features * COLUMNS]),
                    to: &mut products[point * count * outer + parity * s.channels + from..],
                    stride: outer,
                    add: false,
                }
                .run();
            }
        }
        each_input_index(s, images, |tile, parity, at| {
            let from = |p: usize| {
                &products[(p * count + tile) * outer + parity * s.channels..][..s.channels]
            };
            transform::<InputAdjoint, 9, 9>(nine(from), x, Added(at));
        });
    });
    x
}

/// The gradient by the weight, from `x` and the gradient by `y`.
pub fn weight(s: &ConvShape, x: &[f32], y: &[f32]) -> Vec<f32> {
    let (outer, tiles) = (PARITIES * s.channels, tiles(s));
    let zeros = vec![0.0; s.channels];
    // One thread transforms a group of images; a batch is as many groups as fit the cache.
    let group = (256 / tiles).clamp(1, s.images.div_ceil(2));
    let groups = (1 << 22) / (POINTS * group * tiles * (outer + s.features));
    let batch = group * groups.max(2);
    let mut sums = Scratch::of(POINTS * outer * s.features);
    for (i, (x, y)) in x.chunks(batch * s.x_len()).zip(y.chunks(batch * s.y_len())).enumerate() {
        let count = (y.len() / s.y_len()).div_ceil(group);
        let prepared: Vec<(usize, Scratch, Scratch)> = parallel::map(count, &|i| {
            let x = chunk(x, i, group * s.x_len());
            let y = chunk(y, i, group * s.y_len());
            let images = y.len() / s.y_len();
            let count = images * tiles;
            let len = packed_len(outer, count, PANEL);
            let mut left = Scratch::of(POINTS * len);
            let mut row = Scratch::of(POINTS * s.channels);
            let panels = Panels::new(count, PANEL);
            each_input(s, x, &zeros, |tile, parity, from| {
                let first = parity * s.channels;
                if first.is_multiple_of(PANEL) {
                    let to = Packed { panels, len, row: tile, first };
                    return transform::<Input, 9, 9>(from, &mut left, to);
                }
                transform::<Input, 9, 9>(from, &mut row, Apart(s.channels));
                let rows = row.chunks_exact(s.channels);
                for (left, row) in left.chunks_exact_mut(len).zip(rows) {
                    panels.put(left, tile, first, row);
                }
            });
            let len = packed_len(s.features, count, COLUMNS);
            let mut right = Scratch::of(POINTS * len);
            let panels = Panels::new(count, COLUMNS);
            each_output(s, images, |tile, at| {
                let from = at.map(|at| &y[at..][..s.features]);
                let to = Packed { panels, len, row: tile, first: 0 };
                transform::<OutputAdjoint, 4, 9>(from, &mut right, to);
            });
            (count, left, right)
        });
        // A slab is a few panels of rows of one point's product.
        let slab = outer.min(8 * PANEL);
        let slabs = outer.div_ceil(slab);
        let mut parts: Vec<(usize, usize, &mut [f32])> = Vec::with_capacity(POINTS * slabs);
        for (point, sums) in sums.chunks_exact_mut(outer * s.features).enumerate() {
            for (at, to) in sums.chunks_mut(slab * s.features).enumerate() {
                parts.push((point, at * slab, to));
            }
        }
        parts.into_par_iter().for_each(|(point, first, to)| {
            for (g, (count, left, right)) in prepared.iter().enumerate() {
                let panels = packed_len(outer, *count, PANEL);
                let packed = packed_len(s.features, *count, COLUMNS);
                Gemm {
                    rows: to.len() / s.features,
                    inner: *count,
                    columns: s.features,
                    left: Left::Panels(&left[point * panels..][first * count..panels]),
                    right: Right::Panels(&right[point * packed..][..packed]),
                    to,
                    stride: s.features,
                    add: i + g > 0,
                }
                .run();
            }
        });
    }
    to_weight(s, &sums)
}

/// Tiles in an image.
fn tiles(s: &ConvShape) -> usize {
    s.height / 4 * (s.width / 4)
}

/// Images in one block.
fn block(s: &ConvShape) -> usize {
    let wanted = match s.weight_len() {
        LARGE.. => TILES_OF_LARGE,
        _ => TILES,
    };
    let even = s.images.div_ceil(rayon::current_num_threads()).max(1);
    wanted.div_ceil(tiles(s)).clamp(1, even)
}

/// Every point with the first channel of every panel, point by point: a left factor stays in the
/// cache for all panels.
fn each_panel(channels: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..POINTS).flat_map(move |point| (0..channels).step_by(COLUMNS).map(move |at| (point, at)))
}

/// Calls `each` with the tile, the parity and the indices in `x` of the nine inputs of that parity,
/// if they are inside.
fn each_input_index(
    s: &ConvShape,
    images: usize,
    mut each: impl FnMut(usize, usize, [Option<usize>; 9]),
) {
    let index = |tile: usize, odd: usize, i: usize, size: usize| {
        (4 * tile + odd + 2 * i).checked_sub(1).filter(|&at| at < size)
    };
    let (down, across) = (s.height / 4, s.width / 4);
    for tile in 0..images * down * across {
        let (image, ty, tx) = (tile / (down * across), tile / across % down, tile % across);
        for parity in 0..PARITIES {
            let mut at = [None; POINTS];
            for (p, at) in at.iter_mut().enumerate() {
                let y = index(ty, parity / 2, p / 3, s.height);
                let x = index(tx, parity % 2, p % 3, s.width);
                *at = y.zip(x).map(|(y, x)| ((image * s.height + y) * s.width + x) * s.channels);
            }
            each(tile, parity, at);
        }
    }
}

/// Calls `each` with the tile, the parity and the nine inputs of that parity.
fn each_input<'a>(
    s: &ConvShape,
    x: &'a [f32],
    zeros: &'a [f32],
    mut each: impl FnMut(usize, usize, [&'a [f32]; 9]),
) {
    each_input_index(s, x.len() / s.x_len(), |tile, parity, at| {
        let from = at.map(|at| at.map_or(zeros, |at| &x[at..][..s.channels]));
        each(tile, parity, from);
    });
}

/// Calls `each` with the tile and the indices in `y` of its four outputs.
fn each_output(s: &ConvShape, images: usize, mut each: impl FnMut(usize, [usize; 4])) {
    let (rows, columns) = (s.rows(), s.columns());
    let mut tile = 0;
    for row in (0..images * rows).step_by(2) {
        for column in (0..columns).step_by(2) {
            let at = |y: usize, x: usize| ((row + y) * columns + column + x) * s.features;
            each(tile, [at(0, 0), at(0, 1), at(1, 0), at(1, 1)]);
            tile += 1;
        }
    }
}
