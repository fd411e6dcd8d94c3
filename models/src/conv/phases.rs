//! The convolution of kernel 4, stride 2 and padding 1 by fewer multiplications.
//!
//! Rows and columns of two kinds, odd and even, make it four convolutions of 2 x 2 and stride 1 that are added up, a
//! kind of input pixels each. Two outputs of a row of such a convolution need three products instead of four
//! (Winograd 1980, F(2, 2)): with inputs d and taps g
//!
//! ```text
//! m0 = (d0 - d1) g0        y0 = m0 + m1
//! m1 = d1 (g0 + g1)        y1 = m1 + m2
//! m2 = (d2 - d1) g1
//! ```
//!
//! and so 2 x 2 outputs nine instead of sixteen (Lavin and Gray 2016, section 4). Each of the nine is a matrix product
//! over all tiles: inner dimension 4 x channels. What the gradients need are the same three linear maps the other way
//! round, so that they save as much.
//!
//! A tile is 2 x 2 outputs, and the 6 x 6 inputs around them.

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::product::{COLUMNS, Left, PANEL, Panels, Product, packed_len};
use super::scratch::Scratch;
use super::window::Window;

/// Products of a tile.
const POINTS: usize = 9;
/// Kinds of input pixels.
const KINDS: usize = 4;
/// Tiles that are worked on at a time, so that they stay in the cache: with a large weight more, since it passes once
/// for each.
const TILES: usize = 64;
const TILES_OF_LARGE: usize = 128;
const LARGE: usize = 1 << 20;

/// Whether this is such a convolution.
pub fn takes(w: &Window) -> bool {
    let whole = |size: usize| size >= 4 && size.is_multiple_of(4);
    (w.kernel, w.stride, w.padding) == (4, 2, 1)
        && whole(w.height)
        && whole(w.width)
        && w.channels >= 8
        && w.features >= 8
}

/// `y` of `x` and the weight.
pub fn forward(w: &Window, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let (inner, tiles) = (KINDS * w.channels, tiles(w));
    let right = by_feature(w, weight);
    let zeros = vec![0.0; w.channels];
    let mut y = vec![0.0; w.images * w.y_len()];
    let images = block(w);
    y.par_chunks_mut(images * w.y_len()).zip(x.par_chunks(images * w.x_len())).for_each(
        |(y, x)| {
            let count = y.len() / w.y_len() * tiles;
            let mut spread = Scratch::of(POINTS * count * inner);
            each_input(w, x, &zeros, |tile, kind, from| {
                let to = &mut spread[tile * inner + kind * w.channels..];
                map::<Spread, 9, 9>(from, to, Apart(count * inner));
            });
            let mut products = Scratch::of(POINTS * count * w.features);
            for (point, from) in each_panel(w.features) {
                let at = (from / COLUMNS * POINTS + point) * inner * COLUMNS;
                Product {
                    rows: count,
                    inner,
                    columns: COLUMNS.min(w.features - from),
                    left: Left::Rows {
                        values: &spread[point * count * inner..][..count * inner],
                        stride: inner,
                    },
                    right: &right[at..][..inner * COLUMNS],
                    to: &mut products[point * count * w.features + from..],
                    stride: w.features,
                    add: false,
                }
                .run();
            }
            each_output(w, y.len() / w.y_len(), |tile, at| {
                let from = |p: usize| &products[(p * count + tile) * w.features..][..w.features];
                map::<Narrow, 9, 4>(nine(from), y, Places(at));
            });
        },
    );
    y
}

/// The gradient by `x`, of the gradient by `y`: also the transposed convolution of `y`.
pub fn data(w: &Window, y: &[f32], weight: &[f32]) -> Vec<f32> {
    let (outer, tiles) = (KINDS * w.channels, tiles(w));
    let right = by_channel(w, weight);
    let mut x = vec![0.0; w.images * w.x_len()];
    let images = block(w);
    x.par_chunks_mut(images * w.x_len()).zip(y.par_chunks(images * w.y_len())).for_each(
        |(x, y)| {
            let images = y.len() / w.y_len();
            let count = images * tiles;
            let mut spread = Scratch::of(POINTS * count * w.features);
            each_output(w, images, |tile, at| {
                let from = at.map(|at| &y[at..][..w.features]);
                let to = &mut spread[tile * w.features..];
                map::<Widen, 4, 9>(from, to, Apart(count * w.features));
            });
            let mut products = Scratch::of(POINTS * count * outer);
            for (point, from) in each_panel(w.channels) {
                for kind in 0..KINDS {
                    let at = ((from / COLUMNS * KINDS + kind) * POINTS + point) * w.features;
                    Product {
                        rows: count,
                        inner: w.features,
                        columns: COLUMNS.min(w.channels - from),
                        left: Left::Rows {
                            values: &spread[point * count * w.features..][..count * w.features],
                            stride: w.features,
                        },
                        right: &right[at * COLUMNS..][..w.features * COLUMNS],
                        to: &mut products[point * count * outer + kind * w.channels + from..],
                        stride: outer,
                        add: false,
                    }
                    .run();
                }
            }
            each_place(w, images, |tile, kind, at| {
                let from = |p: usize| {
                    &products[(p * count + tile) * outer + kind * w.channels..][..w.channels]
                };
                map::<Collect, 9, 9>(nine(from), x, Added(at));
            });
        },
    );
    x
}

/// The gradient by the weight, of `x` and the gradient by `y`.
pub fn weight(w: &Window, x: &[f32], y: &[f32]) -> Vec<f32> {
    let (outer, tiles) = (KINDS * w.channels, tiles(w));
    let zeros = vec![0.0; w.channels];
    // A group of pictures is prepared by one thread; as many groups as stay in the cache are worked on at a time.
    let group = (256 / tiles).clamp(1, w.images.div_ceil(2));
    let groups = (1 << 22) / (POINTS * group * tiles * (outer + w.features));
    let many = group * groups.max(2);
    let mut sums = Scratch::of(POINTS * outer * w.features);
    for (i, (x, y)) in x.chunks(many * w.x_len()).zip(y.chunks(many * w.y_len())).enumerate() {
        let prepared: Vec<(usize, Scratch, Scratch)> = x
            .par_chunks(group * w.x_len())
            .zip(y.par_chunks(group * w.y_len()))
            .map(|(x, y)| {
                let images = y.len() / w.y_len();
                let count = images * tiles;
                let len = packed_len(outer, count, PANEL);
                let mut left = Scratch::of(POINTS * len);
                let mut row = Scratch::of(POINTS * w.channels);
                let panels = Panels::new(count, PANEL);
                each_input(w, x, &zeros, |tile, kind, from| {
                    let first = kind * w.channels;
                    if first.is_multiple_of(PANEL) {
                        let to = Packed { panels, len, row: tile, first };
                        return map::<Spread, 9, 9>(from, &mut left, to);
                    }
                    map::<Spread, 9, 9>(from, &mut row, Apart(w.channels));
                    let rows = row.chunks_exact(w.channels);
                    for (left, row) in left.chunks_exact_mut(len).zip(rows) {
                        panels.put(left, tile, first, row);
                    }
                });
                let len = packed_len(w.features, count, COLUMNS);
                let mut right = Scratch::of(POINTS * len);
                let panels = Panels::new(count, COLUMNS);
                each_output(w, images, |tile, at| {
                    let from = at.map(|at| &y[at..][..w.features]);
                    let to = Packed { panels, len, row: tile, first: 0 };
                    map::<Widen, 4, 9>(from, &mut right, to);
                });
                (count, left, right)
            })
            .collect();
        // A slab is some rows of one point's product; `outer` is a multiple of four, a slab of panels.
        let slab = outer.min(8 * PANEL);
        let slabs = outer.div_ceil(slab);
        let mut parts: Vec<(usize, usize, &mut [f32])> = Vec::with_capacity(POINTS * slabs);
        for (point, sums) in sums.chunks_exact_mut(outer * w.features).enumerate() {
            for (at, to) in sums.chunks_mut(slab * w.features).enumerate() {
                parts.push((point, at * slab, to));
            }
        }
        parts.into_par_iter().for_each(|(point, first, to)| {
            for (g, (count, left, right)) in prepared.iter().enumerate() {
                let panels = packed_len(outer, *count, PANEL);
                let packed = packed_len(w.features, *count, COLUMNS);
                Product {
                    rows: to.len() / w.features,
                    inner: *count,
                    columns: w.features,
                    left: Left::Panels(&left[point * panels..][first * count..panels]),
                    right: &right[point * packed..][..packed],
                    to,
                    stride: w.features,
                    add: i + g > 0,
                }
                .run();
            }
        });
    }
    to_weight(w, &sums)
}

/// Tiles of a picture.
fn tiles(w: &Window) -> usize {
    w.height / 4 * (w.width / 4)
}

/// Pictures that are worked on at a time.
fn block(w: &Window) -> usize {
    let wanted = match w.weight_len() {
        LARGE.. => TILES_OF_LARGE,
        _ => TILES,
    };
    let even = w.images.div_ceil(rayon::current_num_threads()).max(1);
    wanted.div_ceil(tiles(w)).clamp(1, even)
}

/// Every point with the first channel of every panel: a point's left factor stays in the cache for all its panels.
fn each_panel(channels: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..POINTS).flat_map(move |point| (0..channels).step_by(COLUMNS).map(move |at| (point, at)))
}

/// Calls `each` with tile, kind, and where in `x` the nine inputs of that kind begin, if they are inside.
fn each_place(w: &Window, images: usize, mut each: impl FnMut(usize, usize, [Option<usize>; 9])) {
    let place = |tile: usize, odd: usize, i: usize, size: usize| {
        (4 * tile + odd + 2 * i).checked_sub(1).filter(|&at| at < size)
    };
    let (down, across) = (w.height / 4, w.width / 4);
    for tile in 0..images * down * across {
        let (image, ty, tx) = (tile / (down * across), tile / across % down, tile % across);
        for kind in 0..KINDS {
            let mut at = [None; POINTS];
            for (p, at) in at.iter_mut().enumerate() {
                let y = place(ty, kind / 2, p / 3, w.height);
                let x = place(tx, kind % 2, p % 3, w.width);
                *at = y.zip(x).map(|(y, x)| ((image * w.height + y) * w.width + x) * w.channels);
            }
            each(tile, kind, at);
        }
    }
}

/// Calls `each` with tile, kind and the nine inputs of that kind.
fn each_input<'a>(
    w: &Window,
    x: &'a [f32],
    zeros: &'a [f32],
    mut each: impl FnMut(usize, usize, [&'a [f32]; 9]),
) {
    each_place(w, x.len() / w.x_len(), |tile, kind, at| {
        let from = at.map(|at| at.map_or(zeros, |at| &x[at..][..w.channels]));
        each(tile, kind, from);
    });
}

/// Calls `each` with tile and where in `y` its four outputs begin.
fn each_output(w: &Window, images: usize, mut each: impl FnMut(usize, [usize; 4])) {
    let (rows, columns) = (w.rows(), w.columns());
    let mut tile = 0;
    for row in (0..images * rows).step_by(2) {
        for column in (0..columns).step_by(2) {
            let at = |y: usize, x: usize| ((row + y) * columns + column + x) * w.features;
            each(tile, [at(0, 0), at(0, 1), at(1, 0), at(1, 1)]);
            tile += 1;
        }
    }
}

fn nine<'a>(at: impl Fn(usize) -> &'a [f32]) -> [&'a [f32]; 9] {
    core::array::from_fn(at)
}

/// A linear map of `I` numbers to `O`, on registers of them.
trait Linear<const I: usize, const O: usize> {
    fn apply<S: Simd>(simd: S, from: [S::f32s; I]) -> [S::f32s; O];
}

/// Inputs to factors: `d` to `d0 - d1, d1, d2 - d1`, down and across.
struct Spread;

impl Linear<9, 9> for Spread {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, d: [S::f32s; 9]) -> [S::f32s; 9] {
        let down =
            |j: usize| [simd.sub_f32s(d[j], d[3 + j]), d[3 + j], simd.sub_f32s(d[6 + j], d[3 + j])];
        let [a, b, c] = [down(0), down(1), down(2)];
        let across = |i: usize| [simd.sub_f32s(a[i], b[i]), b[i], simd.sub_f32s(c[i], b[i])];
        let [a, b, c] = [across(0), across(1), across(2)];
        [a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]]
    }
}

/// [`Spread`] the other way round: gradients by factors to gradients by inputs.
struct Collect;

impl Linear<9, 9> for Collect {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, v: [S::f32s; 9]) -> [S::f32s; 9] {
        let middle = |a, b, c| simd.sub_f32s(b, simd.add_f32s(a, c));
        let across = |i: usize| [v[i], middle(v[i], v[i + 1], v[i + 2]), v[i + 2]];
        let [a, b, c] = [across(0), across(3), across(6)];
        let m = [middle(a[0], b[0], c[0]), middle(a[1], b[1], c[1]), middle(a[2], b[2], c[2])];
        [a[0], a[1], a[2], m[0], m[1], m[2], c[0], c[1], c[2]]
    }
}

/// Products to outputs: `m` to `m0 + m1, m1 + m2`, down and across.
struct Narrow;

impl Linear<9, 4> for Narrow {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, m: [S::f32s; 9]) -> [S::f32s; 4] {
        let down = |j: usize| [simd.add_f32s(m[j], m[3 + j]), simd.add_f32s(m[3 + j], m[6 + j])];
        let [a, b, c] = [down(0), down(1), down(2)];
        [
            simd.add_f32s(a[0], b[0]),
            simd.add_f32s(b[0], c[0]),
            simd.add_f32s(a[1], b[1]),
            simd.add_f32s(b[1], c[1]),
        ]
    }
}

/// [`Narrow`] the other way round: gradients by outputs to gradients by products. With the same numbers it is what
/// becomes of the taps.
struct Widen;

impl Linear<4, 9> for Widen {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, y: [S::f32s; 4]) -> [S::f32s; 9] {
        let [a, b, c, d] = y;
        let (ab, cd) = (simd.add_f32s(a, b), simd.add_f32s(c, d));
        let (ac, bd) = (simd.add_f32s(a, c), simd.add_f32s(b, d));
        [a, ab, b, ac, simd.add_f32s(ab, cd), bd, c, cd, d]
    }
}

/// Where what comes out of a map goes.
trait Target<const O: usize>: Copy {
    /// Whether it is added to what is there.
    const ADD: bool = false;

    /// Where output `o` of channel `c` goes, if anywhere. The rest of a register follows it.
    fn place(&self, o: usize, c: usize) -> Option<usize>;
}

/// Rows so far apart.
#[derive(Clone, Copy)]
struct Apart(usize);

impl<const O: usize> Target<O> for Apart {
    #[inline(always)]
    fn place(&self, o: usize, c: usize) -> Option<usize> {
        Some(o * self.0 + c)
    }
}

/// Rows that begin there.
#[derive(Clone, Copy)]
struct Places<const O: usize>([usize; O]);

impl<const O: usize> Target<O> for Places<O> {
    #[inline(always)]
    fn place(&self, o: usize, c: usize) -> Option<usize> {
        Some(self.0[o] + c)
    }
}

/// Added to rows that begin there, if they are inside.
#[derive(Clone, Copy)]
struct Added<const O: usize>([Option<usize>; O]);

impl<const O: usize> Target<O> for Added<O> {
    const ADD: bool = true;

    #[inline(always)]
    fn place(&self, o: usize, c: usize) -> Option<usize> {
        self.0[o].map(|at| at + c)
    }
}

/// A row of packed factors that are `len` apart.
#[derive(Clone, Copy)]
struct Packed {
    panels: Panels,
    len: usize,
    row: usize,
    first: usize,
}

impl<const O: usize> Target<O> for Packed {
    #[inline(always)]
    fn place(&self, o: usize, c: usize) -> Option<usize> {
        Some(o * self.len + self.panels.place(self.row, self.first + c))
    }
}

/// Applies a map to `I` rows of numbers; what comes out goes to `place`s of `to`.
#[inline(always)]
fn map<L: Linear<I, O>, const I: usize, const O: usize>(
    from: [&[f32]; I],
    to: &mut [f32],
    place: impl Target<O>,
) {
    Arch::new().dispatch(Map::<L, _, I, O> { from, to, place, map: PhantomData });
}

struct Map<'a, L, T, const I: usize, const O: usize> {
    from: [&'a [f32]; I],
    to: &'a mut [f32],
    place: T,
    map: PhantomData<L>,
}

impl<L, T, const I: usize, const O: usize> WithSimd for Map<'_, L, T, I, O>
where
    L: Linear<I, O>,
    T: Target<O>,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let len = self.from[0].len();
        let whole = len - len % S::F32_LANES;
        let mut at = 0;
        while at < whole {
            let mut values = [simd.splat_f32s(0.0); I];
            let mut i = 0;
            while i < I {
                values[i] = S::as_simd_f32s(&self.from[i][at..at + S::F32_LANES]).0[0];
                i += 1;
            }
            let values = L::apply(simd, values);
            let mut o = 0;
            while o < O {
                if let Some(place) = self.place.place(o, at) {
                    let to = &mut self.to[place..place + S::F32_LANES];
                    let to = &mut S::as_mut_simd_f32s(to).0[0];
                    *to = match T::ADD {
                        true => simd.add_f32s(*to, values[o]),
                        false => values[o],
                    };
                }
                o += 1;
            }
            at += S::F32_LANES;
        }
        if at < len {
            let mut values = [simd.splat_f32s(0.0); I];
            let mut i = 0;
            while i < I {
                values[i] = simd.partial_load_f32s(&self.from[i][at..len]);
                i += 1;
            }
            let values = L::apply(simd, values);
            let mut o = 0;
            while o < O {
                if let Some(place) = self.place.place(o, at) {
                    let to = &mut self.to[place..place + len - at];
                    let sum = match T::ADD {
                        true => simd.add_f32s(simd.partial_load_f32s(to), values[o]),
                        false => values[o],
                    };
                    simd.partial_store_f32s(to, sum);
                }
                o += 1;
            }
        }
    }
}

/// Sixteen taps of [`COLUMNS`] pairs of channels, side by side.
type Taps = [[f32; COLUMNS]; 16];

/// The nine factors of the taps of a kind, as rows of [`COLUMNS`] numbers.
#[inline(always)]
fn factors(taps: &Taps, kind: usize, to: &mut [f32]) {
    let [from, right, below, both] = kind_taps(kind).map(|t| &taps[t][..]);
    map::<Widen, 4, 9>([from, right, below, both], to, Apart(COLUMNS));
}

/// The four taps that meet pixels of a kind.
fn kind_taps(kind: usize) -> [usize; 4] {
    let first = kind / 2 * 4 + kind % 2;
    [first, first + 2, first + 8, first + 10]
}

/// The weight's factors as right factors `[4 * channels, features]`: `[panel][point][4 * channels][COLUMNS]`.
fn by_feature(w: &Window, weight: &[f32]) -> Scratch {
    let inner = KINDS * w.channels;
    let mut right = Scratch::of(packed_len(w.features, inner, COLUMNS) * POINTS);
    right.par_chunks_exact_mut(POINTS * inner * COLUMNS).enumerate().for_each(|(panel, to)| {
        let mut taps: Taps = [[0.0; COLUMNS]; 16];
        let mut row = [0.0; POINTS * COLUMNS];
        for c in 0..w.channels {
            for (i, o) in (panel * COLUMNS..w.features).take(COLUMNS).enumerate() {
                let from = &weight[(o * w.channels + c) * 16..][..16];
                from.iter().zip(&mut taps).for_each(|(v, taps)| taps[i] = *v);
            }
            for kind in 0..KINDS {
                factors(&taps, kind, &mut row);
                for (point, row) in row.chunks_exact(COLUMNS).enumerate() {
                    let at = point * inner + kind * w.channels + c;
                    to[at * COLUMNS..][..COLUMNS].copy_from_slice(row);
                }
            }
        }
    });
    right
}

/// The weight's factors as right factors `[features, channels]` of a kind: `[panel][kind][point][features][COLUMNS]`.
fn by_channel(w: &Window, weight: &[f32]) -> Scratch {
    let len = POINTS * w.features * COLUMNS;
    let mut right = Scratch::of(packed_len(w.channels, w.features, COLUMNS) * POINTS * KINDS);
    right.par_chunks_exact_mut(KINDS * len).enumerate().for_each(|(panel, to)| {
        let mut taps: Taps = [[0.0; COLUMNS]; 16];
        let mut row = [0.0; POINTS * COLUMNS];
        for o in 0..w.features {
            for (i, c) in (panel * COLUMNS..w.channels).take(COLUMNS).enumerate() {
                let from = &weight[(o * w.channels + c) * 16..][..16];
                from.iter().zip(&mut taps).for_each(|(v, taps)| taps[i] = *v);
            }
            for kind in 0..KINDS {
                factors(&taps, kind, &mut row);
                for (point, row) in row.chunks_exact(COLUMNS).enumerate() {
                    let at = kind * len + (point * w.features + o) * COLUMNS;
                    to[at..][..COLUMNS].copy_from_slice(row);
                }
            }
        }
    });
    right
}

/// Gradients by factors, `[point][4 * channels][features]`, to gradients by the weight.
fn to_weight(w: &Window, sums: &[f32]) -> Vec<f32> {
    let (inner, size) = (KINDS * w.channels, 16 * w.channels);
    let mut gradient = vec![0.0; w.weight_len()];
    gradient.par_chunks_mut(COLUMNS * size).enumerate().for_each(|(panel, to)| {
        let first = panel * COLUMNS;
        let width = COLUMNS.min(w.features - first);
        let mut row = [0.0; 4 * COLUMNS];
        for c in 0..w.channels {
            for kind in 0..KINDS {
                let from = |point: usize| {
                    let at = point * inner + kind * w.channels + c;
                    &sums[at * w.features + first..][..width]
                };
                map::<Narrow, 9, 4>(nine(from), &mut row, Apart(width));
                for (tap, row) in kind_taps(kind).iter().zip(row.chunks(width)) {
                    for (i, v) in row.iter().enumerate() {
                        to[i * size + c * 16 + tap] = *v;
                    }
                }
            }
        }
    });
    gradient
}
