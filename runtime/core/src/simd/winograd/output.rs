//! The transform of the sums, and what is written.

use core::ops::Range;

use super::tile::{SUMS, Winograd};
use crate::layout::LANES;
use crate::simd::activate::{Activate, activated};
use crate::simd::lanes::Lanes;
use crate::simd::part::Places;
use crate::simd::set::Set;

impl Winograd<'_> {
    /// Turns the sums into outputs: 2 x 2 of a phase in each tile.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`.
    #[inline(always)]
    pub unsafe fn finish<I: Set, L: Lanes, const S: usize>(
        &self,
        set: I,
        (phase, lane): (usize, usize),
        tiles: Range<usize>,
        sums: &[f32],
        y: Places<'_, f32>,
    ) {
        let (down, right) = (phase / 2, phase % 2);
        let output = self.layer.output;
        let here = (S * L::N).min(output.c - lane);
        let bias = &self.bias[phase * self.lanes + lane..][..S * L::N];
        for (tile, sums) in tiles.zip(sums.chunks_exact(SUMS)) {
            let (image, (row, column)) = self.place(tile);
            let mut values = [[0.0; 2 * LANES]; 4];
            for s in 0..S {
                // SAFETY: the sums were stored here; bias and values have S registers.
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
                match S * L::N == LANES {
                    true => {
                        let values = &mut values.as_chunks_mut::<LANES>().0[0];
                        *values = activated(set, self.layer.activation, *values);
                    }
                    false => {
                        let values = &mut values[..S * L::N];
                        set.call(Activate(self.layer.activation, values));
                    }
                }
                let values = &values[..S * L::N];
                let at_row = 2 * (2 * row + place / 2) + down;
                let at_column = 2 * (2 * column + place % 2) + right;
                // The second half of the last tile of an odd number of rows or columns is outside.
                if at_row < output.h && at_column < output.w {
                    let to = (at_row * output.w + at_column) * output.c + lane;
                    let to = image * output.values() + to;
                    // SAFETY: no other thread writes these outputs.
                    let to = unsafe { y.cut(to, here) };
                    if here < S * L::N {
                        to.copy_from_slice(&values[..here]);
                        continue;
                    }
                    for (v, to) in values.chunks_exact(L::N).zip(to.chunks_exact_mut(L::N)) {
                        // SAFETY: both chunks are registers.
                        unsafe { L::load(v.as_ptr()).store(to.as_mut_ptr()) };
                    }
                }
            }
        }
    }
}

/// Two outputs from three sums; the first sum has the opposite sign in odd outputs.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn pair<L: Lanes>(m: [L; 3], odd: usize) -> [L; 2] {
    // SAFETY: as promised by the caller.
    unsafe {
        let first = match odd {
            0 => m[1].add(m[0]),
            _ => m[1].sub(m[0]),
        };
        [first, m[1].add(m[2])]
    }
}
