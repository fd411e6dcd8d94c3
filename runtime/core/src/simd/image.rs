//! The packed layer that makes the image by upsampling: pixels fill registers, its few channels do
//! not.
//!
//! Outputs of row `2i + down` and column `2j + right` are a 2 x 2 convolution of the input (see
//! `planes`): of rows `i + down - 1` and `i + down`, columns `j + right - 1` and `j + right`. Three
//! rows of the input at a time are copied into planes with a border of zeros, which stay in the L1
//! cache; the two outputs of each input pixel in a row are computed together, as they share what
//! they read.

use super::activate::Activate;
use super::isa::Isa;
use super::lanes::Lanes;
use super::part::Work;
use super::set::{Job, Set};
use crate::layout::LANES;
use crate::op::Shape;

/// Rows of input pixels at a time.
pub(super) const ROWS: usize = 3;
/// Most input pixels of a row computed at a time. As many floats may be read beyond the last row.
pub(super) const RUN: usize = 64;

/// Length of the scratch: rows of planes.
pub(super) fn scratch_len(input: Shape) -> usize {
    input.c * ROWS * row_len(input) + RUN
}

/// Length of a row with its border.
pub(super) fn row_len(input: Shape) -> usize {
    input.w + 2
}

/// Computes the layer.
pub(super) fn image(isa: Isa, work: Work<'_, f32>) {
    isa.floats(Upsampling(work));
}

struct Upsampling<'a>(Work<'a, f32>);

impl Job for Upsampling<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(mut self, set: S) {
        let work = &mut self.0;
        let input = work.layer.input;
        work.scratch = &mut core::mem::take(&mut work.scratch)[..scratch_len(input)];
        work.scratch.fill(0.0);
        let rows = work.part.share(input.h);
        // There are more parts than rows.
        if rows.is_empty() {
            return;
        }
        // SAFETY: the set proves that the CPU has the instructions, and nothing else writes the
        // rows of the part.
        unsafe {
            if let Some(above) = rows.start.checked_sub(1) {
                fill::<S::Lanes>(work, above);
            }
            fill::<S::Lanes>(work, rows.start);
            for row in rows {
                match row + 1 < input.h {
                    true => fill::<S::Lanes>(work, row + 1),
                    false => clear(work, row + 1),
                }
                match work.layer.output.c {
                    1 => pair::<S, 1, 4>(set, work, row),
                    2 => pair::<S, 2, 2>(set, work, row),
                    3 => pair::<S, 3, 2>(set, work, row),
                    _ => pair::<S, 4, 1>(set, work, row),
                }
            }
        }
    }
}

/// Where a row of the input lies among those in the scratch, for its number plus one.
pub(super) fn slot(input: Shape, after: usize) -> usize {
    after % ROWS * row_len(input)
}

/// Zeroes the place of a row of the input.
fn clear(work: &mut Work<'_, f32>, row: usize) {
    let input = work.layer.input;
    let (slot, len) = (slot(input, row + 1), row_len(input));
    for plane in work.scratch.chunks_exact_mut(ROWS * len).take(input.c) {
        plane[slot..slot + len].fill(0.0);
    }
}

/// Copies a row of the input, whose channels are last, into planes.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn fill<L: Lanes>(work: &mut Work<'_, f32>, row: usize) {
    let input = work.layer.input;
    let (c, w) = (input.c, input.w);
    let x = &work.x[row * w * c..][..w * c];
    let plane = ROWS * row_len(input);
    let planes = &mut work.scratch[slot(input, row + 1) + 1..];
    assert!(planes.len() >= (c - 1) * plane + w);
    let (whole_c, whole_w) = (c - c % L::N, w - w % L::N);
    for column in (0..whole_w).step_by(L::N) {
        for channel in (0..whole_c).step_by(L::N) {
            // SAFETY: N pixels of N channels are within the row, and N rows of N pixels within the
            // planes, by the assertion.
            unsafe {
                let from = x.as_ptr().add(column * c + channel);
                L::transpose(from, c, planes.as_mut_ptr().add(channel * plane + column), plane);
            }
        }
    }
    for column in 0..w {
        let first = if column < whole_w { whole_c } else { 0 };
        for channel in first..c {
            planes[channel * plane + column] = x[column * c + channel];
        }
    }
}

/// Computes the two rows of outputs of a row of the input, of `D` channels, `W` registers of input
/// pixels at a time.
///
/// # Safety
/// The CPU has the instructions of `S`; nothing else writes these rows.
#[inline(always)]
unsafe fn pair<S: Set, const D: usize, const W: usize>(
    set: S,
    work: &mut Work<'_, f32>,
    row: usize,
) {
    let Work { layer, weight, bias, scratch: planes, y, .. } = work;
    let output = layer.output;
    for down in 0..2 {
        let at = |channel: usize| channel * output.plane() + (2 * row + down) * output.w;
        let line = Line { input: layer.input, planes, weight, bias, row, down };
        // SAFETY: as promised by the caller.
        unsafe {
            line.run::<S::Lanes, D, W>(|channel, column, values| {
                let to = y.cut(at(channel) + 2 * column, 2 * values.len());
                to.copy_from_slice(values.as_flattened());
            });
            for channel in 0..D {
                set.call(Activate(layer.activation, y.cut(at(channel), output.w)));
            }
        }
    }
}

/// One row of outputs.
pub(super) struct Line<'a> {
    /// The shape of the input.
    pub input: Shape,
    /// Three rows of it in planes, and a run of floats more.
    pub planes: &'a [f32],
    /// For each of nine taps and each input channel, 16 weights: the channels of four phases.
    pub weight: &'a [f32],
    /// The channels of four phases.
    pub bias: &'a [f32],
    /// The row of the input, and which of its two rows of outputs.
    pub row: usize,
    pub down: usize,
}

impl Line<'_> {
    /// Computes the sums. `put` takes a channel, a column of the input, and the two outputs of each
    /// pixel from there on.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`.
    #[inline(always)]
    pub unsafe fn run<L: Lanes, const D: usize, const W: usize>(
        &self,
        put: impl FnMut(usize, usize, &[[f32; 2]]),
    ) {
        // SAFETY: as promised by the caller.
        unsafe {
            match self.input.w <= L::N {
                true => self.wide::<L, D, 1>(put),
                false => self.wide::<L, D, W>(put),
            }
        }
    }

    /// [`Line::run`] of exactly `W` registers.
    ///
    /// # Safety
    /// As [`Line::run`].
    #[inline(always)]
    unsafe fn wide<L: Lanes, const D: usize, const W: usize>(
        &self,
        mut put: impl FnMut(usize, usize, &[[f32; 2]]),
    ) {
        let Line { input, planes, weight, bias, row, down } = *self;
        let (depth, plane, wide) = (input.c, ROWS * row_len(input), W * L::N);
        assert!(weight.len() >= 9 * depth * LANES && bias.len() >= 4 * D && 4 * D <= LANES);
        assert!(planes.len() >= depth * plane + wide && wide <= RUN);
        // Rows of the input are numbered from the one above.
        let rows = [slot(input, row + down), slot(input, row + down + 1)];
        for column in (0..input.w).step_by(wide) {
            // SAFETY: nine taps of `depth` rows of 16 weights are within `weight`; the last register
            // of the last row ends `wide` floats beyond the planes at most.
            let done = unsafe {
                let mut left: [[L; W]; D] = each!(d => [L::splat(bias[2 * down * D + d]); W]);
                let mut right: [[L; W]; D] =
                    each!(d => [L::splat(bias[(2 * down + 1) * D + d]); W]);
                for (tap, slot) in rows.into_iter().enumerate() {
                    let mut x = planes.as_ptr().add(slot + column);
                    let next = depth * LANES;
                    let mut w = weight.as_ptr().add((down + tap) * 3 * next + 2 * down * D);
                    for _ in 0..depth {
                        let at: [L; W] = each!(i => L::load(x.add(i * L::N)));
                        add(&mut left, at, w);
                        let at: [L; W] = each!(i => L::load(x.add(i * L::N + 1)));
                        add(&mut left, at, w.add(next));
                        add(&mut right, at, w.add(next + D));
                        let at: [L; W] = each!(i => L::load(x.add(i * L::N + 2)));
                        add(&mut right, at, w.add(2 * next + D));
                        // Wrapping: past the last channel these are never read.
                        x = x.wrapping_add(plane);
                        w = w.wrapping_add(LANES);
                    }
                }
                [left, right]
            };
            let here = wide.min(input.w - column);
            for channel in 0..D {
                let mut halves = [[0.0; RUN]; 2];
                for (half, sums) in halves.iter_mut().zip(&done) {
                    for (i, sum) in sums[channel].iter().enumerate() {
                        // SAFETY: W registers are at most RUN floats.
                        unsafe { sum.store(half.as_mut_ptr().add(i * L::N)) };
                    }
                }
                let mut values = [[0.0; 2]; RUN];
                for (i, value) in values[..W * L::N].iter_mut().enumerate() {
                    *value = [halves[0][i], halves[1][i]];
                }
                put(channel, column, &values[..here]);
            }
        }
    }
}

/// Adds the products of registers of inputs with the weights of `D` channels.
///
/// # Safety
/// The CPU has the instructions of `L`; `D` weights are readable.
#[inline(always)]
unsafe fn add<L: Lanes, const D: usize, const W: usize>(
    sums: &mut [[L; W]; D],
    x: [L; W],
    w: *const f32,
) {
    for (d, sums) in sums.iter_mut().enumerate() {
        // SAFETY: as promised by the caller.
        unsafe {
            let w = L::splat(*w.add(d));
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = sum.add_product(x, w);
            }
        }
    }
}
