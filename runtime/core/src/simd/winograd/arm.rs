//! The sums of tiles on 64-bit Arm, in 32-bit or 16-bit floats.
//!
//! A register holds several inputs of a tile, one of which multiplies a register of weights: so the
//! nine points of a tile are matrix products that load two operands for every four or eight
//! multiply-adds. Sums of taps are made ahead, as in [`super::ready`].
//!
//! **16-bit floats** multiply-add twice as many lanes. Inputs are scaled by a power of two so that
//! the largest is 16 to 32, and weights are scaled down if one is 2 or more. Then no sum of
//! [`Half::CHANNELS`] products is beyond the range of 16-bit floats: a product of a transformed input
//! and a sum of taps is that of the differences or sums of four products, so at most `4 * 32 * 2`,
//! and 64 of these are 16,384. Such sums are added up in 32 bits.

use core::arch::aarch64::*;

use super::input::transform;
use super::ready;
use super::tile::{GROUP, LINE, POINTS, SUMS, TILES, VALUES, Winograd, tiles};
use crate::layout::{LANES, Layout};
use crate::simd::halves;
use crate::simd::lanes::{Lanes, Neon, Stored};
use crate::simd::part::Work;
use crate::simd::prefetch::prefetch;
use crate::simd::set::Set;

/// Arithmetic of 16 lanes.
trait Arithmetic {
    /// A stored input or sum of taps.
    type Value: Copy;
    /// A stored weight.
    type Weight: Copy;
    /// 16 lanes.
    type Row: Copy;
    /// A register of inputs.
    type Inputs: Copy;
    /// Inputs in a register.
    const INPUTS: usize;
    /// Tiles whose sums fit into registers: 4 or 8.
    const TILES: usize;
    /// Input channels at a time, so that their sums of taps stay in the L1 cache.
    const CHANNELS: usize;

    /// Zeros.
    ///
    /// # Safety
    /// The CPU has the instructions of the type, for this and all functions of the trait.
    unsafe fn zero() -> Self::Row;

    /// Loads the weights of 16 lanes.
    ///
    /// # Safety
    /// They are readable.
    unsafe fn weights(from: *const Self::Weight) -> Self::Row;

    /// Lane by lane.
    ///
    /// # Safety
    /// As [`Arithmetic::zero`].
    unsafe fn add(a: Self::Row, b: Self::Row) -> Self::Row;

    /// Stores sums of taps.
    ///
    /// # Safety
    /// 16 are writable.
    unsafe fn store(row: Self::Row, to: *mut Self::Value);

    /// A power of two by which to multiply these weights, so that products are within range.
    ///
    /// # Safety
    /// The weights of `n` channels are readable at `from`, and again at one, two and three times
    /// `tap`.
    unsafe fn shrink(from: *const Self::Weight, tap: usize, n: usize) -> f32;

    /// The lanes times a power of two.
    ///
    /// # Safety
    /// As [`Arithmetic::zero`].
    unsafe fn times(row: Self::Row, factor: f32) -> Self::Row;

    /// Loads inputs.
    ///
    /// # Safety
    /// They are readable.
    unsafe fn inputs(from: *const Self::Value) -> Self::Inputs;

    /// Adds the products of each input of each tile with its row of sums of taps.
    ///
    /// # Safety
    /// [`Arithmetic::INPUTS`] rows are readable.
    unsafe fn multiply<const T: usize>(
        sums: &mut [Self::Row; T],
        x: [Self::Inputs; T],
        g: *const Self::Value,
    );

    /// Adds the sums times `back` to those in memory, which are zero at `first`.
    ///
    /// # Safety
    /// 16 floats are readable and writable.
    unsafe fn finish(sums: Self::Row, back: f32, first: bool, to: *mut f32);

    /// Stores a register of transformed inputs times `scale`.
    ///
    /// # Safety
    /// Four are writable.
    unsafe fn put(v: Neon, scale: f32, to: *mut Self::Value);
}

/// 32-bit floats; weights may be stored as 16-bit ones.
struct Float<W>(core::marker::PhantomData<W>);

impl<W: Stored> Arithmetic for Float<W> {
    type Value = f32;
    type Weight = W;
    type Row = [Neon; 4];
    type Inputs = Neon;
    const INPUTS: usize = 4;
    const TILES: usize = 4;
    const CHANNELS: usize = ready::CHANNELS;

    #[inline(always)]
    unsafe fn zero() -> [Neon; 4] {
        // SAFETY: NEON is part of the target; likewise below.
        [unsafe { Neon::splat(0.0) }; 4]
    }

    #[inline(always)]
    unsafe fn weights(from: *const W) -> [Neon; 4] {
        // SAFETY: as promised by the caller; so below.
        [0, 1, 2, 3].map(|i| unsafe { W::load(from.add(4 * i)) })
    }

    #[inline(always)]
    unsafe fn add(a: [Neon; 4], b: [Neon; 4]) -> [Neon; 4] {
        [0, 1, 2, 3].map(|i| unsafe { a[i].add(b[i]) })
    }

    #[inline(always)]
    unsafe fn store(row: [Neon; 4], to: *mut f32) {
        for (i, lanes) in row.into_iter().enumerate() {
            unsafe { lanes.store(to.add(4 * i)) };
        }
    }

    #[inline(always)]
    unsafe fn shrink(_: *const W, _: usize, _: usize) -> f32 {
        1.0
    }

    #[inline(always)]
    unsafe fn times(row: [Neon; 4], _: f32) -> [Neon; 4] {
        row
    }

    #[inline(always)]
    unsafe fn inputs(from: *const f32) -> Neon {
        unsafe { Neon::load(from) }
    }

    #[inline(always)]
    unsafe fn multiply<const T: usize>(sums: &mut [[Neon; 4]; T], x: [Neon; T], g: *const f32) {
        macro_rules! input {
            ($($i:literal)*) => {$(
                let w = Self::weights_of(g.add($i * LANES));
                for (sums, x) in sums.iter_mut().zip(x) {
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = sum.add_lane::<$i>(x, w);
                    }
                }
            )*};
        }
        unsafe {
            input!(0 1 2 3);
        }
    }

    #[inline(always)]
    unsafe fn finish(sums: [Neon; 4], _: f32, first: bool, to: *mut f32) {
        for (i, sum) in sums.into_iter().enumerate() {
            unsafe {
                let to = to.add(4 * i);
                let sum = if first { sum } else { sum.add(Neon::load(to)) };
                sum.store(to);
            }
        }
    }

    #[inline(always)]
    unsafe fn put(v: Neon, _: f32, to: *mut f32) {
        unsafe { v.store(to) };
    }
}

impl<W> Float<W> {
    /// A row of sums of taps.
    ///
    /// # Safety
    /// 16 are readable.
    #[inline(always)]
    unsafe fn weights_of(from: *const f32) -> [Neon; 4] {
        // SAFETY: as promised by the caller.
        [0, 1, 2, 3].map(|i| unsafe { Neon::load(from.add(4 * i)) })
    }
}

/// 16-bit floats.
struct Half;

/// Two registers of them.
type Halves = [float16x8_t; 2];

/// Exponent bits of a 16-bit float, one of which is set from 2 on: the highest.
const TWO: u16 = 0x4000;

impl Half {
    /// # Safety
    /// Eight 16-bit floats are readable.
    #[inline(always)]
    unsafe fn load(from: *const u16) -> float16x8_t {
        // SAFETY: as promised by the caller.
        unsafe { vreinterpretq_f16_u16(vld1q_u16(from)) }
    }
}

impl Arithmetic for Half {
    type Value = u16;
    type Weight = u16;
    type Row = Halves;
    type Inputs = float16x8_t;
    const INPUTS: usize = 8;
    const TILES: usize = 8;
    const CHANNELS: usize = 2 * ready::CHANNELS;

    #[inline(always)]
    unsafe fn zero() -> Halves {
        // SAFETY: the CPU has the instructions, as promised by the caller; likewise below.
        [unsafe { vreinterpretq_f16_u16(vdupq_n_u16(0)) }; 2]
    }

    #[inline(always)]
    unsafe fn weights(from: *const u16) -> Halves {
        // SAFETY: as promised by the caller; so below.
        unsafe { [Half::load(from), Half::load(from.add(8))] }
    }

    #[inline(always)]
    unsafe fn add(a: Halves, b: Halves) -> Halves {
        unsafe { [halves::add(a[0], b[0]), halves::add(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn store(row: Halves, to: *mut u16) {
        unsafe {
            vst1q_u16(to, vreinterpretq_u16_f16(row[0]));
            vst1q_u16(to.add(8), vreinterpretq_u16_f16(row[1]));
        }
    }

    #[inline(always)]
    unsafe fn shrink(from: *const u16, tap: usize, n: usize) -> f32 {
        // Weights of 2 or more are rare: see whether there are any before looking for the largest.
        let mut bits = unsafe { vdupq_n_u16(0) };
        for t in 0..4 {
            for at in (0..n * LANES).step_by(8) {
                bits = unsafe { vorrq_u16(bits, vld1q_u16(from.add(t * tap + at))) };
            }
        }
        if unsafe { vmaxvq_u16(vandq_u16(bits, vdupq_n_u16(TWO))) } == 0 {
            return 1.0;
        }
        let mut largest = 0;
        for t in 0..4 {
            for at in 0..n * LANES {
                largest = largest.max(unsafe { *from.add(t * tap + at) } & 0x7fff);
            }
        }
        // With an exponent of 15 a float is below 2.
        power(15 - i32::from(largest >> 10))
    }

    #[inline(always)]
    unsafe fn times(row: Halves, factor: f32) -> Halves {
        let bits = crate::half::narrow(factor);
        unsafe {
            let factor = vreinterpretq_f16_u16(vdupq_n_u16(bits));
            [halves::multiply(row[0], factor), halves::multiply(row[1], factor)]
        }
    }

    #[inline(always)]
    unsafe fn inputs(from: *const u16) -> float16x8_t {
        unsafe { Half::load(from) }
    }

    #[inline(always)]
    unsafe fn multiply<const T: usize>(sums: &mut [Halves; T], x: [float16x8_t; T], g: *const u16) {
        macro_rules! input {
            ($($i:literal)*) => {$(
                let w = Half::weights(g.add($i * LANES));
                for (sums, x) in sums.iter_mut().zip(x) {
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = halves::add_lane::<$i>(*sum, w, x);
                    }
                }
            )*};
        }
        unsafe {
            input!(0 1 2 3 4 5 6 7);
        }
    }

    #[inline(always)]
    unsafe fn finish(sums: Halves, back: f32, first: bool, to: *mut f32) {
        for (i, sum) in sums.into_iter().enumerate() {
            unsafe {
                let wide = [vcvt_f32_f16(vget_low_f16(sum)), vcvt_high_f32_f16(sum)];
                for (j, sum) in wide.into_iter().enumerate() {
                    let to = to.add(8 * i + 4 * j);
                    let before = if first { vdupq_n_f32(0.0) } else { vld1q_f32(to) };
                    vst1q_f32(to, vfmaq_n_f32(before, sum, back));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn put(v: Neon, scale: f32, to: *mut u16) {
        unsafe { v.narrow(scale, to) };
    }
}

/// `2^exponent`, for exponents of -126 to 127.
#[inline(always)]
fn power(exponent: i32) -> f32 {
    f32::from_bits(((127 + exponent) as u32) << 23)
}

/// A power of two by which the largest value becomes 16 to 32.
#[inline(always)]
fn scale(x: &[f32]) -> f32 {
    let largest = x.iter().fold(0, |most: u32, v| most.max(v.to_bits() & 0x7fff_ffff));
    // Zeros, and values that are not finite, stay as they are.
    match largest >> 23 {
        0 | 255 => 1.0,
        exponent => power((127 + 4 - exponent as i32).min(100)),
    }
}

/// Computes a part of a layer; see [`super::run`].
///
/// # Safety
/// The CPU has the instructions of `S`; no other thread computes the same part.
#[inline(always)]
pub(super) unsafe fn run<S: Set, W: Stored>(set: S, layout: &Layout, work: Work<'_, W>) {
    let Work { layer, weight, bias, part, x, scratch, y } = work;
    // SAFETY: as promised by the caller.
    unsafe {
        match W::halves(weight) {
            Some(weight) if S::HALVES => {
                let work = Work { layer, weight, bias, part, x, scratch, y };
                points::<S, Half>(set, layout, work, scale(x));
            }
            _ => {
                let work = Work { layer, weight, bias, part, x, scratch, y };
                points::<S, Float<W>>(set, layout, work, 1.0);
            }
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn points<S: Set, A: Arithmetic>(
    set: S,
    layout: &Layout,
    work: Work<'_, A::Weight>,
    scale: f32,
) {
    let Work { layer, weight, bias, part, x, scratch, y } = work;
    let input = layer.input;
    let (rows, columns) = tiles(input);
    let job = Winograd {
        layer,
        bias,
        lanes: layout.blocks() * LANES,
        depth: input.c,
        inputs: input.c.div_ceil(LANES) * GROUP,
        columns,
        of_image: rows * columns,
    };
    let all = layout.images() * rows * columns;
    let of_phase = weight.len() / 4;
    let scratch = &mut scratch[..super::scratch_len(input, layout.images())];
    let aside = scratch.as_ptr().align_offset(LINE * size_of::<f32>());
    let scratch = &mut scratch[aside.min(LINE - 1)..];
    let (ready, scratch) = scratch.split_at_mut(ready::scratch_len(input.c));
    let (inputs, sums) = scratch.split_at_mut(all.min(TILES) * job.inputs);
    for from in (0..all).step_by(TILES) {
        let tiles = from..all.min(from + TILES);
        for (tile, to) in tiles.clone().zip(inputs.chunks_exact_mut(job.inputs)) {
            let to = to.as_mut_ptr().cast::<A::Value>();
            let (image, place) = job.place(tile);
            let x = &x[image * input.values()..];
            // SAFETY: as promised by the caller. Places are below `job.inputs`, and values at most as
            // large as floats.
            unsafe {
                transform::<Neon>(input, place, x, |at, v| {
                    A::put(v, scale, to.add(at));
                });
            }
        }
        // Parts split the blocks of each phase.
        for unit in part.share(4 * layout.blocks()) {
            let (phase, block) = (unit / layout.blocks(), unit % layout.blocks());
            let weight = &weight[phase * of_phase..][..of_phase];
            let at = (phase, block * LANES);
            // SAFETY: as promised by the caller.
            unsafe {
                job.block::<A>(at, weight, (inputs, tiles.len()), ready, 1.0 / scale, sums);
                job.finish::<S, Neon, 4>(set, at, tiles.clone(), sums, y);
            }
        }
    }
}

impl Winograd<'_> {
    /// Computes the sums of 16 outputs, from `lane` of a phase, for `count` tiles in `inputs`.
    /// `ready` has [`ready::scratch_len`] values.
    ///
    /// # Safety
    /// The CPU has the instructions of `A`.
    #[inline(always)]
    unsafe fn block<A: Arithmetic>(
        &self,
        (phase, lane): (usize, usize),
        weight: &[A::Weight],
        (inputs, count): (&[f32], usize),
        ready: &mut [f32],
        back: f32,
        sums: &mut [f32],
    ) {
        let tap = self.depth * LANES;
        let [weight] = self.weights::<Neon, A::Weight, 1>(weight, lane);
        assert!(weight.len() >= 4 * tap && ready.len() == ready::scratch_len(self.depth));
        assert!(inputs.len() >= count * self.inputs && sums.len() >= count * SUMS);
        let corner = (phase / 2 * 2 * VALUES + phase % 2 * 2) * LANES;
        // Values of a tile's inputs, which begin where its floats would.
        let spread = self.inputs * size_of::<f32>() / size_of::<A::Value>();
        let inputs = inputs.as_ptr().cast::<A::Value>();
        let ready = ready.as_mut_ptr().cast::<A::Value>();
        for chunk in (0..self.depth).step_by(A::CHANNELS) {
            let n = A::CHANNELS.min(self.depth - chunk);
            // The weights of the next channels or block. Wrapping: a prefetch may point anywhere.
            let ahead = match chunk + n < self.depth {
                true => n * LANES,
                false => (4 * tap).wrapping_sub(chunk * LANES),
            };
            let rows = n.next_multiple_of(A::INPUTS);
            // SAFETY: the weights of `n` channels from `chunk` on are readable for each of four
            // taps. There is room for nine rows of each channel, whose number is rounded up: as
            // many bytes as `ready::scratch_len` says. Inputs have whole groups of 16 channels.
            unsafe {
                let weight = weight.as_ptr().add(chunk * LANES);
                let shrink = A::shrink(weight, tap, n);
                match shrink == 1.0 {
                    true => make::<A, false>(weight, tap, n, ahead, 1.0, ready),
                    false => make::<A, true>(weight, tap, n, ahead, shrink, ready),
                }
                let back = back / shrink;
                for point in 0..POINTS {
                    let (r, c) = (point / 3, point % 3);
                    let x = inputs.add(chunk / LANES * GROUP + corner + (r * VALUES + c) * LANES);
                    let g = ready.add(point * rows * LANES);
                    let mut at = 0;
                    while at < count {
                        let x = x.add(at * spread);
                        let to = sums.as_mut_ptr().add(at * SUMS + point * LANES);
                        at += match count - at {
                            8.. if A::TILES >= 8 => {
                                product::<A, 8>((x, spread), g, rows, back, chunk == 0, to)
                            }
                            4.. => product::<A, 4>((x, spread), g, rows, back, chunk == 0, to),
                            2.. => product::<A, 2>((x, spread), g, rows, back, chunk == 0, to),
                            _ => product::<A, 1>((x, spread), g, rows, back, chunk == 0, to),
                        };
                    }
                }
            }
        }
    }
}

/// Makes the nine sums of taps of `n` channels, of weights times `shrink` if `SHRINK`, point by
/// point; prefetches the weights `ahead` further on.
///
/// # Safety
/// The CPU has the instructions of `A`; at `weight` `n` rows of 16 are readable, and again at one,
/// two and three times `tap`; at `to` there is room for nine times `n` rows, with `n` rounded up to
/// [`Arithmetic::INPUTS`].
#[inline(always)]
unsafe fn make<A: Arithmetic, const SHRINK: bool>(
    weight: *const A::Weight,
    tap: usize,
    n: usize,
    ahead: usize,
    shrink: f32,
    to: *mut A::Value,
) {
    let rows = n.next_multiple_of(A::INPUTS);
    // SAFETY: as promised by the caller.
    unsafe {
        let put = |point: usize, k: usize, row| A::store(row, to.add((point * rows + k) * LANES));
        for k in 0..n {
            let taps = [3, 2, 1, 0].map(|t| {
                let from = weight.add(t * tap + k * LANES);
                prefetch(from.wrapping_add(ahead));
                match SHRINK {
                    true => A::times(A::weights(from), shrink),
                    false => A::weights(from),
                }
            });
            // Taps go up and left: the last one belongs to the first input.
            let first = [taps[0], A::add(taps[0], taps[1]), taps[1]];
            let last = [taps[2], A::add(taps[2], taps[3]), taps[3]];
            for c in 0..3 {
                put(c, k, first[c]);
                put(3 + c, k, A::add(first[c], last[c]));
                put(6 + c, k, last[c]);
            }
        }
        for k in n..rows {
            for point in 0..POINTS {
                put(point, k, A::zero());
            }
        }
    }
}

/// Adds the products of `rows` channels to the sums of a point of `T` tiles; returns `T`.
///
/// # Safety
/// The CPU has the instructions of `A`. `rows` is a multiple of [`Arithmetic::INPUTS`]; that many rows
/// of sums of taps are readable, and that many inputs of each tile, in groups of 16; the sums of
/// each tile are writable.
#[inline(always)]
unsafe fn product<A: Arithmetic, const T: usize>(
    (x, spread): (*const A::Value, usize),
    g: *const A::Value,
    rows: usize,
    back: f32,
    first: bool,
    to: *mut f32,
) -> usize {
    // SAFETY: as promised by the caller.
    unsafe {
        let mut sums = [A::zero(); T];
        for at in (0..rows).step_by(A::INPUTS) {
            let x = x.add(at / LANES * GROUP + at % LANES);
            let x: [A::Inputs; T] = core::array::from_fn(|t| A::inputs(x.add(t * spread)));
            A::multiply(&mut sums, x, g.add(at * LANES));
        }
        for (t, sums) in sums.into_iter().enumerate() {
            A::finish(sums, back, first, to.add(t * SUMS));
        }
    }
    T
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales() {
        for largest in [1e-38, 1e-20, 0.3, 1.0, 15.9, 16.0, 31.9, 32.0, 1e20, f32::MAX] {
            let scaled = largest * scale(&[0.0, -largest, largest / 3.0]);
            assert!(largest < 1e-28 || (16.0..32.0).contains(&scaled), "{largest}: {scaled}");
            assert!(scaled < 32.0);
        }
        for other in [0.0, f32::INFINITY, f32::NAN] {
            assert_eq!(scale(&[other, 1.0 * other]), 1.0);
        }
    }
}
