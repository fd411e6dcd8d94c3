//! Sums of taps made in registers, for each tile again.

use super::tile::{CHUNK, GROUP, POINTS, SUMS, VALUES, Winograd, taps};
use crate::layout::LANES;
use crate::simd::lanes::{Lanes, Stored};
use crate::simd::prefetch::prefetch;

impl Winograd<'_> {
    /// Computes the sums of `S` registers of outputs, from `lane` of a phase, for all tiles in
    /// `inputs`.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`.
    #[inline(always)]
    pub unsafe fn direct<L: Lanes, W: Stored, const S: usize>(
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
            let tiles = inputs.chunks_exact(self.inputs);
            for (index, (tile, sums)) in tiles.zip(sums.chunks_exact_mut(SUMS)).enumerate() {
                // The first four tiles prefetch what comes next, a tap each. Wrapping: a prefetch
                // may point anywhere.
                let next = match end < self.depth {
                    true => end * LANES,
                    false => S * L::N / LANES * 4 * tap,
                };
                let ahead = (index < 4).then_some((index * tap).wrapping_add(next - chunk * LANES));
                let mut sum = [[unsafe { L::splat(0.0) }; S]; POINTS];
                if chunk > 0 {
                    for (i, sum) in sum.iter_mut().flatten().enumerate() {
                        // SAFETY: a tile has POINTS * 2 * LANES sums, and S * L::N <= 2 * LANES.
                        *sum = unsafe { L::load(sums.as_ptr().add(i * L::N)) };
                    }
                }
                for at in (chunk..end).step_by(LANES) {
                    let corner = (phase / 2 * 2 * VALUES + phase % 2 * 2) * LANES;
                    let x = &tile[at / LANES * GROUP + corner..];
                    let x = &x[..(2 * VALUES + 2) * LANES + LANES];
                    let from = weight.map(|w| w[at * LANES..].as_ptr());
                    // SAFETY: the points of 16 channels lie at (5 r + c) * 16 in the slice just
                    // cut; the weights of the channels from `at` on are readable for each of four
                    // taps, by the assertion in `weights`.
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
}

/// Adds the products of `n` channels, at most 16, at nine points; if `AHEAD`, prefetches the
/// weights `ahead` further on.
///
/// # Safety
/// The CPU has the instructions of `L`. Readable are, at `x`, `n` floats at `16 (5 r + c)` for r
/// and c from 0 to 2; at each weight, `n` rows of 16, and again at one, two and three times `tap`.
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
        // Taps go up and left: the last one belongs to the first input.
        // SAFETY: each weight has four taps.
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

/// Adds the products at the three points of row `R`.
///
/// # Safety
/// The CPU has the instructions of `L`; the inputs of the row are readable.
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
