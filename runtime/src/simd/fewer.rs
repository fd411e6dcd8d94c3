//! A transposed convolution of kernel 4, stride 2 and padding 1 by fewer multiplications.
//!
//! Each of its four phases is a convolution of 2 x 2. Two outputs of a row of such a one need three products in place of
//! four (Winograd 1980, F(2, 2)): with inputs `d` and taps `g`
//!
//! ```text
//! m0 = (d0 - d1) g0        y0 = m0 + m1
//! m1 = d1 (g0 + g1)        y1 = m1 + m2
//! m2 = (d2 - d1) g1
//! ```
//!
//! and so 2 x 2 outputs nine in place of sixteen (Lavin and Gray 2016, section 4). The even and the odd outputs of an
//! input pair `x0 x1` see `x-1 x0 x1` and `x0 x1 x2`: five values, `x-1 - x0`, `x0`, `x1 - x0`, `x1`, `x2 - x1`, serve
//! both, the one in the middle with the other sign. A *tile* is 2 x 2 inputs and the 4 x 4 outputs they make.
//!
//! Sums of taps are made when they are used, where registers are many in the registers and for each tile, else ahead, of
//! some channels for all tiles at hand ([`ready`]): the weights are read from further away than they are added up, and
//! sums stored in the record would be 2.25 times as many.

use super::cast::prefetch;
use super::lanes::{Lanes, Stored};
use super::parts::{Part, Places};
use crate::int8::{LANES, Layout};
use crate::model::Layer;
use crate::op::Shape;
use crate::packed::Packed;

mod ready;

/// Values along an axis that both phases need.
const VALUES: usize = 5;
/// Products of a phase of a tile.
const POINTS: usize = 9;
/// Tiles at a time: bounds the scratch.
const TILES: usize = 32;
/// Input channels at a time, so that their weights stay in the first cache for all tiles.
const CHUNK: usize = 64;
/// Floats of a tile's inputs, of 16 channels.
const GROUP: usize = VALUES * VALUES * LANES;
/// Floats of a line of the cache: registers that lie across two of them cost twice.
const LINE: usize = 16;
/// Floats of a tile's sums.
const SUMS: usize = POINTS * 2 * LANES;

/// Tiles of an input, rows and columns.
fn tiles(input: Shape) -> (usize, usize) {
    (input.h.div_ceil(2), input.w.div_ceil(2))
}

/// Values (`f32`) of scratch: inputs and sums of as many tiles as are worked on at a time.
pub(super) fn scratch_len(input: Shape) -> usize {
    let (rows, columns) = tiles(input);
    let tiles = (rows * columns).min(TILES);
    tiles * (input.c.div_ceil(LANES) * GROUP + SUMS) + ready::scratch_len(input.c) + LINE - 1
}

/// What all tiles have in common.
struct Job<'a> {
    layer: &'a Layer<'a>,
    bias: &'a [f32],
    /// Output channels with those of the padded block, and channels in.
    lanes: usize,
    depth: usize,
    /// Floats of a tile's inputs.
    spread: usize,
    /// Tiles in a row.
    columns: usize,
}

/// # Safety
/// The CPU has the instructions of `L`; nobody else does the same part.
#[inline(always)]
pub(super) unsafe fn run<L: Lanes, W: Stored>(
    layout: &Layout,
    layer: &Layer<'_>,
    (packed, weight): (&Packed<'_>, &[W]),
    part: Part,
    x: &[f32],
    scratch: &mut [f32],
    y: Places<'_, f32>,
) {
    let input = layer.input;
    let (rows, columns) = tiles(input);
    let job = Job {
        layer,
        bias: packed.bias,
        lanes: layout.blocks() * LANES,
        depth: input.c,
        spread: input.c.div_ceil(LANES) * GROUP,
        columns,
    };
    let all = rows * columns;
    // A part has some registers of outputs of the phases. Each spreads all inputs, which is little beside the products, and
    // reads its own weights only.
    let side = L::SIDE * L::N;
    let sides = layer.output.c.div_ceil(side);
    let of_phase = weight.len() / 4;
    let scratch = &mut scratch[..scratch_len(input)];
    let aside = scratch.as_ptr().align_offset(LINE * size_of::<f32>());
    let scratch = &mut scratch[aside.min(LINE - 1)..];
    let (ready, scratch) = scratch.split_at_mut(ready::scratch_len(input.c));
    let (inputs, sums) = scratch.split_at_mut(all.min(TILES) * job.spread);
    for from in (0..all).step_by(TILES) {
        let tiles = from..all.min(from + TILES);
        for (tile, to) in tiles.clone().zip(inputs.chunks_exact_mut(job.spread)) {
            // SAFETY: as promised by the caller; so below.
            unsafe { spread::<L>(input, (tile / columns, tile % columns), x, to) };
        }
        for unit in part.share(4 * sides) {
            let (phase, lane) = (unit / sides, unit % sides * side);
            let weight = &weight[phase * of_phase..][..of_phase];
            // SAFETY: as promised by the caller.
            unsafe {
                let at = (phase, lane);
                match (L::SIDE, L::TILES) {
                    (2.., 1) if lane + 2 * L::N <= job.lanes => {
                        job.lanes::<L, W, 2>(at, weight, inputs, sums);
                        job.finish::<L, 2>(at, tiles.clone(), sums, y);
                    }
                    (_, 1) => {
                        job.lanes::<L, W, 1>(at, weight, inputs, sums);
                        job.finish::<L, 1>(at, tiles.clone(), sums, y);
                    }
                    // Where two registers are no more than a block, there are as many.
                    (2.., _) => {
                        job.by_ready::<L, W, 2>(at, weight, inputs, ready, sums);
                        job.finish::<L, 2>(at, tiles.clone(), sums, y);
                    }
                    _ => {
                        job.by_ready::<L, W, 1>(at, weight, inputs, ready, sums);
                        job.finish::<L, 1>(at, tiles.clone(), sums, y);
                    }
                }
            }
        }
    }
}

/// The 5 x 5 values of a tile, 16 channels after 16.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn spread<L: Lanes>(input: Shape, (row, column): (usize, usize), x: &[f32], to: &mut [f32]) {
    const NOTHING: [f32; LANES] = [0.0; LANES];
    for (group, to) in to.chunks_exact_mut(GROUP).enumerate() {
        let channel = group * LANES;
        let here = LANES.min(input.c - channel);
        // The last channels of an odd number of them are copied to where there are 16.
        let mut short = [[NOTHING; 4]; 4];
        let mut from = [[&NOTHING; 4]; 4];
        for (r, (from, short)) in from.iter_mut().zip(&mut short).enumerate() {
            for (c, (from, short)) in from.iter_mut().zip(short).enumerate() {
                // Wrapping: what is above or left is beyond any.
                let (y, x_) = ((2 * row + r).wrapping_sub(1), (2 * column + c).wrapping_sub(1));
                if y >= input.h || x_ >= input.w {
                    continue;
                }
                let at = &x[(y * input.w + x_) * input.c + channel..][..here];
                *from = match at.first_chunk() {
                    Some(at) => at,
                    None => {
                        short[..here].copy_from_slice(at);
                        short
                    }
                };
            }
        }
        for lane in (0..LANES).step_by(L::N) {
            // SAFETY: as promised by the caller; 16 floats are in each array.
            let mut rows = [[unsafe { L::splat(0.0) }; VALUES]; 4];
            for (row, from) in rows.iter_mut().zip(&from) {
                let load = |c: usize| unsafe { L::load(from[c].as_ptr().add(lane)) };
                *row = unsafe { along([load(0), load(1), load(2), load(3)]) };
            }
            for c in 0..VALUES {
                // SAFETY: as promised by the caller.
                let column = unsafe { along([rows[0][c], rows[1][c], rows[2][c], rows[3][c]]) };
                for (r, v) in column.into_iter().enumerate() {
                    let to = &mut to[(r * VALUES + c) * LANES + lane..][..L::N];
                    // SAFETY: there is room for as many.
                    unsafe { v.store(to.as_mut_ptr()) };
                }
            }
        }
    }
}

impl Job<'_> {
    /// The weights of `S` registers of outputs from `lane` on: four taps of each channel, 16 after 16.
    ///
    /// # Panics
    /// Where there are not as many.
    #[inline(always)]
    fn weights<'w, L: Lanes, W, const S: usize>(
        &self,
        weight: &'w [W],
        lane: usize,
    ) -> [&'w [W]; S] {
        let tap = self.depth * LANES;
        assert!(weight.len() == self.lanes * 4 * self.depth && lane + S * L::N <= self.lanes);
        core::array::from_fn(|s| {
            let lane = lane + s * L::N;
            &weight[lane / LANES * 4 * tap + lane % LANES..]
        })
    }

    /// The sums of `S` registers of outputs from `lane` of a phase, of all tiles in `inputs`.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`.
    #[inline(always)]
    unsafe fn lanes<L: Lanes, W: Stored, const S: usize>(
        &self,
        (phase, lane): (usize, usize),
        weight: &[W],
        inputs: &[f32],
        sums: &mut [f32],
    ) {
        let tap = self.depth * LANES;
        let weight: [&[W]; S] = self.weights::<L, W, S>(weight, lane);
        for chunk in (0..self.depth).step_by(CHUNK) {
            let end = self.depth.min(chunk + CHUNK);
            let tiles = inputs.chunks_exact(self.spread);
            for (index, (tile, sums)) in tiles.zip(sums.chunks_exact_mut(SUMS)).enumerate() {
                // The first tiles ask for what is next, a tap each. Wrapping: beyond the last weights is nothing.
                let next = match end < self.depth {
                    true => end * LANES,
                    false => S * L::N / LANES * 4 * tap,
                };
                let ahead = (index < 4).then_some((index * tap).wrapping_add(next - chunk * LANES));
                let mut sum = [[unsafe { L::splat(0.0) }; S]; POINTS];
                if chunk > 0 {
                    for (i, sum) in sum.iter_mut().flatten().enumerate() {
                        // SAFETY: there are POINTS * 2 * LANES of them, S * L::N <= 2 * LANES.
                        *sum = unsafe { L::load(sums.as_ptr().add(i * L::N)) };
                    }
                }
                for at in (chunk..end).step_by(LANES) {
                    let corner = (phase / 2 * 2 * VALUES + phase % 2 * 2) * LANES;
                    let x = &tile[at / LANES * GROUP + corner..];
                    let x = &x[..(2 * VALUES + 2) * LANES + LANES];
                    let from = weight.map(|w| w[at * LANES..].as_ptr());
                    // SAFETY: of 16 channels in the slice just cut the points lie at (5 r + c) * 16; the weights of
                    // `at` to the end of the channels are there for each of four taps, by the assertion above.
                    unsafe {
                        let n = LANES.min(end - at);
                        match ahead {
                            Some(ahead) => {
                                add::<L, W, S, true>(&mut sum, x.as_ptr(), from, tap, n, ahead)
                            }
                            None => add::<L, W, S, false>(&mut sum, x.as_ptr(), from, tap, n, 0),
                        }
                    };
                }
                for (i, sum) in sum.iter().flatten().enumerate() {
                    // SAFETY: as for the loads.
                    unsafe { sum.store(sums.as_mut_ptr().add(i * L::N)) };
                }
            }
        }
    }

    /// The outputs of sums: 2 x 2 of a phase in each tile.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`.
    #[inline(always)]
    unsafe fn finish<L: Lanes, const S: usize>(
        &self,
        (phase, lane): (usize, usize),
        tiles: core::ops::Range<usize>,
        sums: &[f32],
        y: Places<'_, f32>,
    ) {
        let (down, right) = (phase / 2, phase % 2);
        let output = self.layer.output;
        let here = (S * L::N).min(output.c - lane);
        let bias = &self.bias[phase * self.lanes + lane..][..S * L::N];
        for (tile, sums) in tiles.zip(sums.chunks_exact(SUMS)) {
            let (row, column) = (tile / self.columns, tile % self.columns);
            let mut values = [[0.0; 2 * LANES]; 4];
            for s in 0..S {
                // SAFETY: as for the sums that were stored; the bias has S registers, as have the values.
                unsafe {
                    let mut rows = [[L::splat(0.0); 2]; 3];
                    for (r, row) in rows.iter_mut().enumerate() {
                        let m = sums.as_ptr().add((r * 3 * S + s) * L::N);
                        let next = S * L::N;
                        let m = [L::load(m), L::load(m.add(next)), L::load(m.add(2 * next))];
                        *row = pair(m, right);
                    }
                    let bias = L::load(bias.as_ptr().add(s * L::N));
                    for c in 0..2 {
                        let both = pair([rows[0][c], rows[1][c], rows[2][c]], down);
                        for (r, v) in both.into_iter().enumerate() {
                            let to = &mut values[r * 2 + c][s * L::N..][..L::N];
                            v.add(bias).store(to.as_mut_ptr());
                        }
                    }
                }
            }
            for (place, values) in values.iter_mut().enumerate() {
                let values = &mut values[..S * L::N];
                self.layer.activation.apply(values);
                let at_row = 2 * (2 * row + place / 2) + down;
                let at_column = 2 * (2 * column + place % 2) + right;
                // The second half of a tile at the end of an odd number of rows or columns is nowhere.
                if at_row < output.h && at_column < output.w {
                    let to = (at_row * output.w + at_column) * output.c + lane;
                    // SAFETY: these outputs are those of the caller.
                    let to = unsafe { y.cut(to, here) };
                    if here < S * L::N {
                        to.copy_from_slice(&values[..here]);
                        continue;
                    }
                    for (v, to) in values.chunks_exact(L::N).zip(to.chunks_exact_mut(L::N)) {
                        // SAFETY: both have the floats of a register.
                        unsafe { L::load(v.as_ptr()).store(to.as_mut_ptr()) };
                    }
                }
            }
        }
    }
}

/// Adds the products of `n` channels, 16 at most, at nine points; where `AHEAD`, brings what is so many weights further on
/// nearer.
///
/// # Safety
/// The CPU has the instructions of `L`; at `x` are `n` floats at each multiple `5 r + c` of 16, r and c to 2; at each
/// weight are `n` rows of 16 from the first lane on, and again at one, two and three times `tap`.
#[inline(always)]
unsafe fn add<L: Lanes, W: Stored, const S: usize, const AHEAD: bool>(
    sums: &mut [[L; S]; POINTS],
    x: *const f32,
    weight: [*const W; S],
    tap: usize,
    n: usize,
    ahead: usize,
) {
    // SAFETY: as promised by the caller; so below.
    let zero = unsafe { L::splat(0.0) };
    let mut sum = *sums;
    for k in 0..n {
        let mut first = [[zero; S]; 3];
        let mut last = [[zero; S]; 3];
        if AHEAD {
            for w in weight {
                prefetch(w.wrapping_add(ahead + k * LANES));
            }
        }
        // Taps go up and left: the last is that of the first input.
        // SAFETY: four taps of each weight.
        unsafe {
            taps(&mut first, &weight, (3 * tap + k * LANES, 2 * tap + k * LANES));
            add_row::<L, S, 0>(&mut sum, x.add(k), &first);
            taps(&mut last, &weight, (tap + k * LANES, k * LANES));
            add_row::<L, S, 2>(&mut sum, x.add(k), &last);
            for (first, last) in first.iter_mut().zip(&last) {
                for (first, last) in first.iter_mut().zip(last) {
                    *first = first.add(*last);
                }
            }
            add_row::<L, S, 1>(&mut sum, x.add(k), &first);
        }
    }
    *sums = sum;
}

/// Weights of a row of two taps: of the first, of both, of the last.
///
/// # Safety
/// The CPU has the instructions of `L`; weights are at both places from each pointer.
#[inline(always)]
unsafe fn taps<L: Lanes, W: Stored, const S: usize>(
    g: &mut [[L; S]; 3],
    weight: &[*const W; S],
    (first, last): (usize, usize),
) {
    for s in 0..S {
        // SAFETY: as promised by the caller.
        unsafe {
            g[0][s] = W::load(weight[s].add(first));
            g[2][s] = W::load(weight[s].add(last));
            g[1][s] = g[0][s].add(g[2][s]);
        }
    }
}

/// Adds the products at the three points of row `R`.
///
/// # Safety
/// The CPU has the instructions of `L`; the inputs of the row are there.
#[inline(always)]
unsafe fn add_row<L: Lanes, const S: usize, const R: usize>(
    sum: &mut [[L; S]; POINTS],
    x: *const f32,
    g: &[[L; S]; 3],
) {
    for c in 0..3 {
        // SAFETY: as promised by the caller.
        unsafe {
            let x = L::splat(*x.add((R * VALUES + c) * LANES));
            for s in 0..S {
                sum[R * 3 + c][s] = sum[R * 3 + c][s].add_product(x, g[c][s]);
            }
        }
    }
}

/// The five values of four inputs.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn along<L: Lanes>(d: [L; 4]) -> [L; VALUES] {
    // SAFETY: as promised by the caller.
    unsafe { [d[0].sub(d[1]), d[1], d[2].sub(d[1]), d[2], d[3].sub(d[2])] }
}

/// Two outputs of three sums; those of odd places have the first with the other sign.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn pair<L: Lanes>(m: [L; 3], odd: usize) -> [L; 2] {
    // SAFETY: as promised by the caller.
    unsafe {
        let first = match odd {
            0 => m[1].add(m[0]),
            _ => m[1].sub(m[0]),
        };
        [first, m[1].add(m[2])]
    }
}
