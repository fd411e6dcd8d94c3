//! The transform of the inputs.

use super::tile::{GROUP, VALUES};
use crate::layout::LANES;
use crate::op::Shape;
use crate::simd::lanes::Lanes;

/// Transforms the inputs of a tile to 5 x 5 values, in groups of 16 channels, and hands each
/// register of them to `put` with the place of its first value.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn transform<L: Lanes>(
    input: Shape,
    (row, column): (usize, usize),
    x: &[f32],
    mut put: impl FnMut(usize, L),
) {
    const NOTHING: [f32; LANES] = [0.0; LANES];
    for group in 0..input.c.div_ceil(LANES) {
        let channel = group * LANES;
        let here = LANES.min(input.c - channel);
        // The last channels, if fewer than 16, are copied to where there is room for 16.
        let mut short = [[NOTHING; 4]; 4];
        let mut from = [[&NOTHING; 4]; 4];
        for (r, (from, short)) in from.iter_mut().zip(&mut short).enumerate() {
            for (c, (from, short)) in from.iter_mut().zip(short).enumerate() {
                // Wrapping: what lies above or left of the input is beyond its end.
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
            // SAFETY: as promised by the caller; each array has 16 floats.
            let mut rows = [[unsafe { L::splat(0.0) }; VALUES]; 4];
            for (row, from) in rows.iter_mut().zip(&from) {
                *row = unsafe {
                    let values: [L; 4] = each!(c => L::load(from[c].as_ptr().add(lane)));
                    along(values)
                };
            }
            let columns: [[L; 4]; VALUES] =
                each!(c => [rows[0][c], rows[1][c], rows[2][c], rows[3][c]]);
            for (c, column) in columns.iter().enumerate() {
                // SAFETY: as promised by the caller.
                let column = unsafe { along(*column) };
                for (r, v) in column.into_iter().enumerate() {
                    put(group * GROUP + (r * VALUES + c) * LANES + lane, v);
                }
            }
        }
    }
}

/// The five transformed values of four inputs.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn along<L: Lanes>(d: [L; 4]) -> [L; VALUES] {
    // SAFETY: as promised by the caller.
    unsafe { [d[0].sub(d[1]), d[1], d[2].sub(d[1]), d[2], d[3].sub(d[2])] }
}
