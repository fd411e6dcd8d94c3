//! The weight's taps as factors, and the way back for the gradient.

use super::super::gemm::{COLUMNS, packed_len};
use super::super::scratch::Scratch;
use super::transform::{Apart, Output, OutputAdjoint, PARITIES, POINTS, nine, transform};
use crate::ConvShape;
use crate::parallel;

/// The sixteen taps of [`COLUMNS`] pairs of channels, side by side.
type Taps = [[f32; COLUMNS]; 16];

/// The nine factors of the taps of a parity, as rows of [`COLUMNS`] values.
#[inline(always)]
fn factors(taps: &Taps, parity: usize, to: &mut [f32]) {
    let [from, right, below, both] = parity_taps(parity).map(|t| &taps[t][..]);
    transform::<OutputAdjoint, 4, 9>([from, right, below, both], to, Apart(COLUMNS));
}

/// The four taps that read pixels of a parity.
fn parity_taps(parity: usize) -> [usize; 4] {
    let first = parity / 2 * 4 + parity % 2;
    [first, first + 2, first + 8, first + 10]
}

/// Right factors `[4 * channels, features]` of the weight, in the order
/// `[panel][point][4 * channels][COLUMNS]`.
pub fn by_feature(s: &ConvShape, weight: &[f32]) -> Scratch {
    let inner = PARITIES * s.channels;
    let mut right = Scratch::of(packed_len(s.features, inner, COLUMNS) * POINTS);
    parallel::chunks(&mut right, POINTS * inner * COLUMNS, &|panel, to| {
        let mut taps: Taps = [[0.0; COLUMNS]; 16];
        let mut row = [0.0; POINTS * COLUMNS];
        for c in 0..s.channels {
            for (i, o) in (panel * COLUMNS..s.features).take(COLUMNS).enumerate() {
                let from = &weight[(o * s.channels + c) * 16..][..16];
                from.iter().zip(&mut taps).for_each(|(v, taps)| taps[i] = *v);
            }
            for parity in 0..PARITIES {
                factors(&taps, parity, &mut row);
                for (point, row) in row.chunks_exact(COLUMNS).enumerate() {
                    let at = point * inner + parity * s.channels + c;
                    to[at * COLUMNS..][..COLUMNS].copy_from_slice(row);
                }
            }
        }
    });
    right
}

/// Right factors `[features, channels]` of the weight for each parity, in the order
/// `[panel][parity][point][features][COLUMNS]`.
pub fn by_channel(s: &ConvShape, weight: &[f32]) -> Scratch {
    let len = POINTS * s.features * COLUMNS;
    let mut right = Scratch::of(packed_len(s.channels, s.features, COLUMNS) * POINTS * PARITIES);
    parallel::chunks(&mut right, PARITIES * len, &|panel, to| {
        let mut taps: Taps = [[0.0; COLUMNS]; 16];
        let mut row = [0.0; POINTS * COLUMNS];
        for o in 0..s.features {
            for (i, c) in (panel * COLUMNS..s.channels).take(COLUMNS).enumerate() {
                let from = &weight[(o * s.channels + c) * 16..][..16];
                from.iter().zip(&mut taps).for_each(|(v, taps)| taps[i] = *v);
            }
            for parity in 0..PARITIES {
                factors(&taps, parity, &mut row);
                for (point, row) in row.chunks_exact(COLUMNS).enumerate() {
                    let at = parity * len + (point * s.features + o) * COLUMNS;
                    to[at..][..COLUMNS].copy_from_slice(row);
                }
            }
        }
    });
    right
}

/// The gradient by the weight, from the gradients by its factors,
/// `[point][4 * channels][features]`.
pub fn to_weight(s: &ConvShape, sums: &[f32]) -> Vec<f32> {
    let (inner, size) = (PARITIES * s.channels, 16 * s.channels);
    let mut gradient = vec![0.0; s.weight_len()];
    parallel::chunks(&mut gradient, COLUMNS * size, &|panel, to| {
        let first = panel * COLUMNS;
        let width = COLUMNS.min(s.features - first);
        let mut row = [0.0; 4 * COLUMNS];
        for c in 0..s.channels {
            for parity in 0..PARITIES {
                let from = |point: usize| {
                    let at = point * inner + parity * s.channels + c;
                    &sums[at * s.features + first..][..width]
                };
                transform::<Output, 9, 4>(nine(from), &mut row, Apart(width));
                for (tap, row) in parity_taps(parity).iter().zip(row.chunks(width)) {
                    for (i, v) in row.iter().enumerate() {
                        to[i * size + c * 16 + tap] = *v;
                    }
                }
            }
        }
    });
    gradient
}
