//! The sums of taps made ahead, of some input channels at a time, and then used for one tile after the other.
//!
//! Where registers are few this is faster than to make them on the way: a row of three points at a time leaves room for
//! several tiles, and for two registers of outputs each, which share what they read. Of 12 multiply-adds, 6 need an input
//! of their own and 6 a weight.

use super::{GROUP, Job, LANES, POINTS, SUMS, VALUES, taps};
use crate::simd::cast::prefetch;
use crate::simd::lanes::{Lanes, Stored};

/// Input channels at a time: their sums for 16 outputs are 18 KB, which stay in the first cache.
const CHANNELS: usize = 32;

/// Values of scratch: sums of taps.
pub(super) fn scratch_len(depth: usize) -> usize {
    depth.min(CHANNELS) * POINTS * LANES
}

impl Job<'_> {
    /// The sums of `S` registers of outputs from `lane` of a phase, of all tiles in `inputs`. `ready` has
    /// [`scratch_len`] values.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`; `S` registers hold 16 floats at most.
    #[inline(always)]
    pub(super) unsafe fn by_ready<L: Lanes, W: Stored, const S: usize>(
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
            // What will be made next, of other channels or other outputs. Wrapping: beyond the last weights is nothing.
            let ahead = match chunk + n < self.depth {
                true => n * LANES,
                false => (S * L::N / LANES * 4 * tap).wrapping_sub(chunk * LANES),
            };
            // SAFETY: the weights of `n` channels from `chunk` are there for each of four taps, and room for their sums, by
            // the assertions above.
            unsafe { make::<L, W, S>(from, tap, n, ahead, ready.as_mut_ptr()) };
            let count = inputs.len() / self.spread;
            let mut at = 0;
            while at < count {
                let x = &inputs[at * self.spread..];
                let sums = &mut sums[at * SUMS..];
                let spread = self.spread;
                let span = (chunk, n);
                // SAFETY: as above, and so many tiles are left.
                at += unsafe {
                    match count - at {
                        4.. if L::TILES >= 4 => {
                            tiles::<L, S, 4>(ready, (x, spread), corner, span, sums)
                        }
                        2.. if L::TILES >= 2 => {
                            tiles::<L, S, 2>(ready, (x, spread), corner, span, sums)
                        }
                        _ => tiles::<L, S, 1>(ready, (x, spread), corner, span, sums),
                    }
                };
            }
        }
    }
}

/// The nine sums of taps of `n` channels; brings what is so many weights further on nearer.
///
/// # Safety
/// The CPU has the instructions of `L`; at each weight are `n` rows of 16 from the first lane on, and again at one, two and
/// three times `tap`; at `to` is room for `n` times nine times `S` registers.
#[inline(always)]
unsafe fn make<L: Lanes, W: Stored, const S: usize>(
    weight: [*const W; S],
    tap: usize,
    n: usize,
    ahead: usize,
    to: *mut f32,
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
            // Taps go up and left: the last is that of the first input.
            taps(&mut first, &weight, (here(3), here(2)));
            taps(&mut last, &weight, (here(1), here(0)));
            for s in 0..S {
                for c in 0..3 {
                    let to = to.add(((k * POINTS + c) * S + s) * L::N);
                    let row = 3 * S * L::N;
                    first[c][s].store(to);
                    first[c][s].add(last[c][s]).store(to.add(row));
                    last[c][s].store(to.add(2 * row));
                }
            }
        }
    }
}

/// Adds the products of `n` channels from `chunk`, a multiple of 16, to the sums of `T` tiles; how many tiles that is.
///
/// # Safety
/// The CPU has the instructions of `L`; `ready` holds the sums of taps of those channels.
///
/// # Panics
/// Where there are not as many tiles.
#[inline(always)]
unsafe fn tiles<L: Lanes, const S: usize, const T: usize>(
    ready: &[f32],
    (x, spread): (&[f32], usize),
    corner: usize,
    (chunk, n): (usize, usize),
    sums: &mut [f32],
) -> usize {
    assert!(
        x.len() >= T * spread && sums.len() >= T * SUMS && n * POINTS * S * L::N <= ready.len()
    );
    assert!((chunk + n).div_ceil(LANES) * GROUP <= spread && chunk.is_multiple_of(LANES));
    // SAFETY: as promised by the caller.
    unsafe {
        row::<L, S, T, 0>(ready, (x, spread), corner, (chunk, n), sums);
        row::<L, S, T, 1>(ready, (x, spread), corner, (chunk, n), sums);
        row::<L, S, T, 2>(ready, (x, spread), corner, (chunk, n), sums);
    }
    T
}

/// [`tiles`] of the three points of row `R`.
///
/// # Safety
/// As [`tiles`], whose assertions hold.
#[inline(always)]
unsafe fn row<L: Lanes, const S: usize, const T: usize, const R: usize>(
    ready: &[f32],
    (x, spread): (&[f32], usize),
    corner: usize,
    (chunk, n): (usize, usize),
    sums: &mut [f32],
) {
    // SAFETY: sums of a tile are POINTS * 2 * LANES floats, the points of the row R * 3 and the two after it, S * L::N
    // floats each. Of 16 channels of a tile the points lie at (5 r + c) * 16 from the corner, the last of them within the
    // group of 25 * 16; of the sums of taps there are nine for each channel.
    unsafe {
        let at = |t: usize, c: usize, s: usize| t * SUMS + ((R * 3 + c) * S + s) * L::N;
        let mut sum = [[[L::splat(0.0); S]; 3]; T];
        if chunk > 0 {
            for (t, sum) in sum.iter_mut().enumerate() {
                for (c, sum) in sum.iter_mut().enumerate() {
                    for (s, sum) in sum.iter_mut().enumerate() {
                        *sum = L::load(sums.as_ptr().add(at(t, c, s)));
                    }
                }
            }
        }
        let mut g = ready.as_ptr().add(R * 3 * S * L::N);
        for group in (0..n).step_by(LANES) {
            let x = x.as_ptr().add((chunk + group) / LANES * GROUP + corner + R * VALUES * LANES);
            for k in 0..LANES.min(n - group) {
                for c in 0..3 {
                    let weight: [L; S] =
                        core::array::from_fn(|s| L::load(g.add((c * S + s) * L::N)));
                    for (t, sum) in sum.iter_mut().enumerate() {
                        let x = L::splat(*x.add(t * spread + c * LANES + k));
                        for (sum, weight) in sum[c].iter_mut().zip(weight) {
                            *sum = sum.add_product(x, weight);
                        }
                    }
                }
                g = g.wrapping_add(POINTS * S * L::N);
            }
        }
        for (t, sum) in sum.iter().enumerate() {
            for (c, sum) in sum.iter().enumerate() {
                for (s, sum) in sum.iter().enumerate() {
                    sum.store(sums.as_mut_ptr().add(at(t, c, s)));
                }
            }
        }
    }
}
