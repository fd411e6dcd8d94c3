//! Sums of taps made ahead, for some input channels at a time, and then used for one tile after
//! another.
//!
//! With few registers this is faster than making them on the way: one point at a time leaves room for
//! several tiles with two registers of outputs each, which share what they read. Of 12 multiply-adds
//! of six tiles, six need their own input and two their own weight.

use super::tile::{GROUP, POINTS, SUMS, VALUES, Winograd, taps};
use crate::layout::LANES;
use crate::simd::lanes::{Lanes, Stored};
use crate::simd::prefetch::prefetch;

/// Input channels at a time: their sums for 16 outputs take 18 KB and stay in the L1 cache.
pub(super) const CHANNELS: usize = 32;
/// Some kernels take this many channels at a time.
const ROWS: usize = 4;

/// Length of the scratch: sums of taps.
pub(super) fn scratch_len(depth: usize) -> usize {
    let channels = depth.next_multiple_of(ROWS).min(CHANNELS);
    POINTS * point_len(channels)
}

/// Floats from the sums of one point to those of the next: a line more, so that the nine do not take
/// the same places of a cache.
pub(super) const fn point_len(channels: usize) -> usize {
    (channels + 1) * LANES
}

impl Winograd<'_> {
    /// Computes the sums of `S` registers of outputs, from `lane` of a phase, for all tiles in
    /// `inputs`. `ready` has [`scratch_len`] values.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`; `S` registers hold at most 16 floats.
    #[inline(always)]
    pub(super) unsafe fn ready<L: Lanes, W: Stored, const S: usize>(
        &self,
        (phase, lane): (usize, usize),
        weight: &[W],
        inputs: &[f32],
        ready: &mut [f32],
        sums: &mut [f32],
    ) {
        let tap = self.depth * LANES;
        assert!(ready.len() == scratch_len(self.depth) && S * L::N <= LANES);
        let weight: [&[W]; S] = self.weights::<L, W, S>(weight, lane);
        let corner = (phase / 2 * 2 * VALUES + phase % 2 * 2) * LANES;
        for chunk in (0..self.depth).step_by(CHANNELS) {
            let n = CHANNELS.min(self.depth - chunk);
            let from = weight.map(|w| w[chunk * LANES..].as_ptr());
            // The weights of the next channels or outputs. Wrapping: a prefetch may point anywhere.
            let ahead = match chunk + n < self.depth {
                true => n * LANES,
                false => (S * L::N / LANES * 4 * tap).wrapping_sub(chunk * LANES),
            };
            // SAFETY: the weights of `n` channels from `chunk` on are readable for each of four
            // taps, and there is room for their sums, by the assertions above and in `weights`.
            let point_len = point_len(self.depth.next_multiple_of(ROWS).min(CHANNELS));
            unsafe { make::<L, W, S>(from, tap, n, ahead, (ready.as_mut_ptr(), point_len)) };
            // SAFETY: as promised by the caller.
            unsafe {
                let inputs = (inputs, self.inputs, corner);
                multiply::<L, S>((ready, point_len), inputs, (chunk, n), sums);
            }
        }
    }
}

/// Adds the products of `n` channels from `chunk`, a multiple of 16, with their sums of taps, which lie
/// `point_len` apart for each point, to the sums of all tiles in `inputs`. These have their distance
/// and the place of the first point.
///
/// # Safety
/// The CPU has the instructions of `L`.
///
/// # Panics
/// If there are fewer sums of taps, or sums.
#[inline(always)]
pub(super) unsafe fn multiply<L: Lanes, const S: usize>(
    (ready, point_len): (&[f32], usize),
    (inputs, spread, corner): (&[f32], usize, usize),
    (chunk, n): (usize, usize),
    sums: &mut [f32],
) {
    let count = inputs.len() / spread;
    for point in 0..POINTS {
        let ready = &ready[point * point_len..][..n * S * L::N];
        let from = corner + (point / 3 * VALUES + point % 3) * LANES;
        let mut at = 0;
        while at < count {
            let x = (&inputs[at * spread..], spread, from);
            let sums = &mut sums[at * SUMS + point * S * L::N..];
            let span = (chunk, n);
            // SAFETY: as promised by the caller; at least that many tiles are left.
            at += unsafe {
                match count - at {
                    6.. if L::TILES >= 6 => tiles::<L, S, 6>(ready, x, span, sums),
                    4.. if L::TILES >= 4 => tiles::<L, S, 4>(ready, x, span, sums),
                    2.. if L::TILES >= 2 => tiles::<L, S, 2>(ready, x, span, sums),
                    _ => tiles::<L, S, 1>(ready, x, span, sums),
                }
            };
        }
    }
}

/// Makes the nine sums of taps of `n` channels; prefetches the weights `ahead` further on.
///
/// # Safety
/// The CPU has the instructions of `L`; at each weight `n` rows of 16 are readable, and again at
/// one, two and three times `tap`; at `to` there is room for `n` times `S` registers, and again for
/// each further point at the distance given.
#[inline(always)]
unsafe fn make<L: Lanes, W: Stored, const S: usize>(
    weight: [*const W; S],
    tap: usize,
    n: usize,
    ahead: usize,
    (to, point): (*mut f32, usize),
) {
    for k in 0..n {
        // SAFETY: as promised by the caller.
        unsafe {
            let zero = L::splat(0.0);
            let (mut first, mut last) = ([[zero; S]; 3], [[zero; S]; 3]);
            let here = |t: usize| t * tap + k * LANES;
            for t in 0..4 {
                prefetch(weight[0].wrapping_add(here(t).wrapping_add(ahead)));
            }
            // Taps go up and left: the last one belongs to the first input.
            taps(&mut first, &weight, (here(3), here(2)));
            taps(&mut last, &weight, (here(1), here(0)));
            for s in 0..S {
                for c in 0..3 {
                    let to = to.add(c * point + (k * S + s) * L::N);
                    let row = 3 * point;
                    first[c][s].store(to);
                    first[c][s].add(last[c][s]).store(to.add(row));
                    last[c][s].store(to.add(2 * row));
                }
            }
        }
    }
}

/// Adds the products of `n` channels from `chunk`, a multiple of 16, to the sums of one point of `T`
/// tiles; returns `T`. `x` has the inputs of tiles, their distance, and the place of the point.
///
/// # Safety
/// The CPU has the instructions of `L`.
///
/// # Panics
/// If there are fewer tiles or sums of taps.
#[inline(always)]
unsafe fn tiles<L: Lanes, const S: usize, const T: usize>(
    ready: &[f32],
    (x, spread, from): (&[f32], usize, usize),
    (chunk, n): (usize, usize),
    sums: &mut [f32],
) -> usize {
    assert!(x.len() >= T * spread && ready.len() >= n * S * L::N);
    assert!(sums.len() >= (T - 1) * SUMS + S * L::N);
    assert!((chunk + n).div_ceil(LANES) * GROUP <= spread && chunk.is_multiple_of(LANES));
    assert!(from + LANES <= GROUP);
    // SAFETY: by the assertions. The point of 16 channels of a tile lies in the group of 25 * 16.
    unsafe {
        let mut sum = [[L::splat(0.0); S]; T];
        if chunk > 0 {
            for (t, sum) in sum.iter_mut().enumerate() {
                for (s, sum) in sum.iter_mut().enumerate() {
                    *sum = L::load(sums.as_ptr().add(t * SUMS + s * L::N));
                }
            }
        }
        let mut g = ready.as_ptr();
        for group in (0..n).step_by(LANES) {
            let x = x.as_ptr().add((chunk + group) / LANES * GROUP + from);
            for k in 0..LANES.min(n - group) {
                let weight: [L; S] = each!(s => L::load(g.add(s * L::N)));
                for (t, sum) in sum.iter_mut().enumerate() {
                    let x = L::splat(*x.add(t * spread + k));
                    for (sum, weight) in sum.iter_mut().zip(weight) {
                        *sum = sum.add_product(x, weight);
                    }
                }
                g = g.wrapping_add(S * L::N);
            }
        }
        let done = sum;
        for (t, sum) in done.iter().enumerate() {
            for (s, sum) in sum.iter().enumerate() {
                sum.store(sums.as_mut_ptr().add(t * SUMS + s * L::N));
            }
        }
    }
    T
}
