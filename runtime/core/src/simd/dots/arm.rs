//! Byte products of 64-bit Arm.
//!
//! Inputs are unsigned and weights signed, which only the matrix products of Armv8.6 take. The
//! others multiply `x - 128`, and the sums start from 128 times the sum of a lane's weights.

use core::arch::aarch64::*;

use super::{Bytes, Dots, ahead};
use crate::layout::{LANES, QUAD};

/// Inputs in a register.
const REGISTER: usize = 16;

/// Four times four 32-bit lanes.
type Sums = [int32x4_t; 4];

/// NEON without dot products: products of two inputs each are summed in 16 bits, which hold them
/// (`2 * 128 * 127 < 2^15`). Each lane has two parts, added at the end.
#[derive(Clone, Copy)]
pub(crate) struct Neon([int32x4_t; 8]);

/// Dot products of four bytes (FEAT_DotProd).
#[derive(Clone, Copy)]
pub(crate) struct Sdot(Sums);

/// Products of matrices of two by eight bytes (FEAT_I8MM). Of two neighboring positions, the sums
/// of lanes 0 and 1 share a register until [`Dots::end`], then those of lanes 2 and 3, and so on;
/// the first four registers are those of the first position.
#[derive(Clone, Copy)]
pub(crate) struct Mmla(Sums);

/// `sums + w . x`, four products a lane, by quad `I` of `x`.
///
/// # Safety
/// The CPU has FEAT_DotProd.
#[inline(always)]
unsafe fn sdot<const I: i32>(mut sums: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: writes a register, with an instruction that the caller promised.
    unsafe {
        core::arch::asm!(
            "sdot {sums:v}.4s, {w:v}.16b, {x:v}.4b[{i}]",
            sums = inout(vreg) sums,
            w = in(vreg) w,
            x = in(vreg) x,
            i = const I,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// The same of unsigned `x`.
///
/// # Safety
/// The CPU has FEAT_I8MM.
#[inline(always)]
unsafe fn sudot<const I: i32>(mut sums: int32x4_t, w: int8x16_t, x: uint8x16_t) -> int32x4_t {
    // SAFETY: as in `sdot`.
    unsafe {
        core::arch::asm!(
            "sudot {sums:v}.4s, {w:v}.16b, {x:v}.4b[{i}]",
            sums = inout(vreg) sums,
            w = in(vreg) w,
            x = in(vreg) x,
            i = const I,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// Adds the products of two rows of `x` with two rows of `w`, eight bytes each.
///
/// # Safety
/// The CPU has FEAT_I8MM.
#[inline(always)]
unsafe fn usmmla(mut sums: int32x4_t, x: uint8x16_t, w: int8x16_t) -> int32x4_t {
    // SAFETY: as in `sdot`.
    unsafe {
        core::arch::asm!(
            "usmmla {sums:v}.4s, {x:v}.16b, {w:v}.16b",
            sums = inout(vreg) sums,
            x = in(vreg) x,
            w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// The 64 weights of a quad of inputs.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn load(from: *const i8) -> [int8x16_t; 4] {
    // SAFETY: as promised by the caller: 16 each.
    [0, 1, 2, 3].map(|i| unsafe { vld1q_s8(from.add(16 * i)) })
}

/// 16 inputs less 128.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn centered(x: *const u8) -> int8x16_t {
    // SAFETY: as promised by the caller; NEON is part of the target, here and below.
    unsafe { vreinterpretq_s8_u8(veorq_u8(vld1q_u8(x), vdupq_n_u8(128))) }
}

/// A quad of inputs less 128, four times.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn centered_quad(x: *const u8) -> int8x16_t {
    // SAFETY: as promised by the caller.
    unsafe {
        let x = vreinterpretq_u8_u32(vdupq_n_u32(x.cast::<u32>().read_unaligned()));
        vreinterpretq_s8_u8(veorq_u8(x, vdupq_n_u8(128)))
    }
}

/// 128 times the sum of each lane's weights; a block has `len` of them.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn offsets(weight: *const i8, len: usize) -> Sums {
    // SAFETY: as promised by the caller.
    unsafe {
        let mut sums = [vdupq_n_s32(0); 4];
        for at in (0..len).step_by(QUAD * LANES) {
            for (sum, w) in sums.iter_mut().zip(load(weight.add(at))) {
                *sum = vpadalq_s16(*sum, vpaddlq_s8(w));
            }
        }
        sums.map(|sum| vshlq_n_s32::<7>(sum))
    }
}

/// [`crate::int8::requantize`] of four times four lanes.
///
/// # Safety
/// `shift` is 1 to 62.
#[inline(always)]
unsafe fn requantized(
    sums: Sums,
    bias: &[i32; LANES],
    scale: &[i32; LANES],
    shift: u32,
    (offset, top): (i64, i64),
) -> [i32; LANES] {
    let mut values = [0; LANES];
    // SAFETY: the arrays have four registers each. A rounding shift adds half a step, as
    // `requantize` does; products of 62 bits leave room for it. The offset and the top are at most
    // 1023, so that clamping to 32 bits first changes nothing.
    unsafe {
        let (left, zero) = (vdupq_n_s64(-i64::from(shift)), vdupq_n_s32(0));
        let (offset, top) = (vdupq_n_s32(offset as i32), vdupq_n_s32(top as i32));
        for (i, sum) in sums.into_iter().enumerate() {
            let sum = vaddq_s32(sum, vld1q_s32(bias.as_ptr().add(4 * i)));
            let scale = vld1q_s32(scale.as_ptr().add(4 * i));
            let low = vrshlq_s64(vmull_s32(vget_low_s32(sum), vget_low_s32(scale)), left);
            let high = vrshlq_s64(vmull_high_s32(sum, scale), left);
            let v = vqaddq_s32(vqmovn_high_s64(vqmovn_s64(low), high), offset);
            vst1q_s32(values.as_mut_ptr().add(4 * i), vminq_s32(vmaxq_s32(v, zero), top));
        }
    }
    values
}

/// Four times four lanes as an array.
#[inline(always)]
fn array(sums: Sums) -> [i32; LANES] {
    // SAFETY: both are 16 integers of 32 bits.
    unsafe { core::mem::transmute::<Sums, [i32; LANES]>(sums) }
}

impl Neon {
    /// The parts of each lane added.
    #[inline(always)]
    fn added(self) -> Sums {
        let [a, b, c, d, e, f, g, h] = self.0;
        // SAFETY: NEON is part of the target.
        unsafe { [vpaddq_s32(a, b), vpaddq_s32(c, d), vpaddq_s32(e, f), vpaddq_s32(g, h)] }
    }

    /// Adds the products of one quad of inputs, or of two.
    ///
    /// # Safety
    /// As [`Dots::weights`], for each of them.
    #[inline(always)]
    unsafe fn add<const P: usize, const B: usize, const N: usize>(
        sums: &mut [[Self; B]; P],
        x: [[int8x16_t; N]; P],
        weight: *const i8,
        of_block: usize,
    ) {
        // SAFETY: as promised by the caller.
        unsafe {
            for b in 0..B {
                let from = weight.add(b * of_block);
                for r in 0..4 {
                    let w: [int8x16_t; N] =
                        core::array::from_fn(|q| vld1q_s8(from.add(q * QUAD * LANES + 16 * r)));
                    for (sums, x) in sums.iter_mut().zip(x) {
                        let sums = &mut sums[b].0;
                        let mut low = vmull_s8(vget_low_s8(w[0]), vget_low_s8(x[0]));
                        let mut high = vmull_high_s8(w[0], x[0]);
                        for q in 1..N {
                            low = vmlal_s8(low, vget_low_s8(w[q]), vget_low_s8(x[q]));
                            high = vmlal_high_s8(high, w[q], x[q]);
                        }
                        sums[2 * r] = vpadalq_s16(sums[2 * r], low);
                        sums[2 * r + 1] = vpadalq_s16(sums[2 * r + 1], high);
                    }
                }
            }
        }
    }
}

impl Dots for Neon {
    const WIDE: usize = 2;
    const DEEP: usize = 1;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = [int8x16_t; 4];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: NEON is part of the target; likewise below.
        Neon([unsafe { vdupq_n_s32(0) }; 8])
    }

    #[inline(always)]
    unsafe fn start(weight: *const i8, n: usize, _: f32) -> Self {
        // SAFETY: as promised by the caller.
        unsafe {
            let [a, b, c, d] = offsets(weight, n);
            let none = vdupq_n_s32(0);
            let (low, high) = (|v| vzip1q_s32(v, none), |v| vzip2q_s32(v, none));
            Neon([low(a), high(a), low(b), high(b), low(c), high(c), low(d), high(d)])
        }
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: as promised by the caller.
        unsafe { load(from) }
    }

    #[inline(always)]
    unsafe fn add_products(mut self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: four bytes are readable, as promised by the caller.
        let x = unsafe { centered_quad(x) };
        for (w, sums) in weights.into_iter().zip(self.0.as_chunks_mut::<2>().0) {
            // SAFETY: as for `zero`.
            unsafe {
                sums[0] = vpadalq_s16(sums[0], vmull_s8(vget_low_s8(w), vget_low_s8(x)));
                sums[1] = vpadalq_s16(sums[1], vmull_high_s8(w, x));
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn add_tap<const P: usize, const B: usize>(
        sums: &mut [[Self; B]; P],
        under: [*const u8; P],
        (weight, of_block): (*const i8, usize),
        depth: usize,
        _lanes: usize,
    ) {
        let pairs = depth - depth % (2 * QUAD);
        // SAFETY: as promised by the caller: `depth` inputs, and 16 weights for each.
        unsafe {
            for at in (0..pairs).step_by(2 * QUAD) {
                let weight = weight.add(at * LANES);
                ahead::<_, P, B>(weight, of_block);
                let x = under.map(|x| [centered_quad(x.add(at)), centered_quad(x.add(at + QUAD))]);
                Neon::add(sums, x, weight, of_block);
            }
            if pairs < depth {
                let x = under.map(|x| [centered_quad(x.add(pairs))]);
                Neon::add(sums, x, weight.add(pairs * LANES), of_block);
            }
        }
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        array(self.added())
    }

    #[inline(always)]
    fn is_zero(_: u8) -> bool {
        // Its products are of inputs less 128.
        false
    }
}

impl Bytes for Neon {
    #[inline(always)]
    unsafe fn requantized(
        self,
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        span: (i64, i64),
    ) -> [i32; LANES] {
        // SAFETY: as promised by the caller.
        unsafe { requantized(self.added(), bias, scale, shift, span) }
    }
}

impl Sdot {
    /// Adds the products of quad `I` of the inputs.
    ///
    /// # Safety
    /// As [`Dots::weights`].
    #[inline(always)]
    unsafe fn add<const P: usize, const B: usize, const I: i32>(
        sums: &mut [[Self; B]; P],
        x: &[int8x16_t; P],
        weight: *const i8,
        of_block: usize,
    ) {
        // SAFETY: as promised by the caller.
        unsafe {
            for b in 0..B {
                let w = load(weight.add(b * of_block));
                for (sums, x) in sums.iter_mut().zip(x) {
                    for (sum, w) in sums[b].0.iter_mut().zip(w) {
                        *sum = sdot::<I>(*sum, w, *x);
                    }
                }
            }
        }
    }
}

impl Dots for Sdot {
    const WIDE: usize = 4;
    const DEEP: usize = 1;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = [int8x16_t; 4];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: NEON is part of the target.
        Sdot([unsafe { vdupq_n_s32(0) }; 4])
    }

    #[inline(always)]
    unsafe fn start(weight: *const i8, n: usize, _: f32) -> Self {
        // SAFETY: as promised by the caller.
        Sdot(unsafe { offsets(weight, n) })
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: as promised by the caller.
        unsafe { load(from) }
    }

    #[inline(always)]
    unsafe fn add_products(mut self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: four bytes are readable, as promised by the caller.
        let x = unsafe { centered_quad(x) };
        for (sum, w) in self.0.iter_mut().zip(weights) {
            // SAFETY: as promised by the caller.
            *sum = unsafe { sdot::<0>(*sum, w, x) };
        }
        self
    }

    #[inline(always)]
    unsafe fn add_tap<const P: usize, const B: usize>(
        sums: &mut [[Self; B]; P],
        under: [*const u8; P],
        (weight, of_block): (*const i8, usize),
        depth: usize,
        _lanes: usize,
    ) {
        let whole = depth - depth % REGISTER;
        // SAFETY: as promised by the caller: `depth` inputs, and 16 weights for each.
        unsafe {
            for at in (0..whole).step_by(REGISTER) {
                let x = under.map(|x| centered(x.add(at)));
                let from = |quad: usize| weight.add((at + quad * QUAD) * LANES);
                for quad in 0..4 {
                    ahead::<_, P, B>(from(quad), of_block);
                }
                Sdot::add::<P, B, 0>(sums, &x, from(0), of_block);
                Sdot::add::<P, B, 1>(sums, &x, from(1), of_block);
                Sdot::add::<P, B, 2>(sums, &x, from(2), of_block);
                Sdot::add::<P, B, 3>(sums, &x, from(3), of_block);
            }
            for at in (whole..depth).step_by(QUAD) {
                let x = under.map(|x| centered_quad(x.add(at)));
                Sdot::add::<P, B, 0>(sums, &x, weight.add(at * LANES), of_block);
            }
        }
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        array(self.0)
    }

    #[inline(always)]
    fn is_zero(_: u8) -> bool {
        // Its products are of inputs less 128.
        false
    }
}

impl Bytes for Sdot {
    #[inline(always)]
    unsafe fn requantized(
        self,
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        span: (i64, i64),
    ) -> [i32; LANES] {
        // SAFETY: as promised by the caller.
        unsafe { requantized(self.0, bias, scale, shift, span) }
    }
}

impl Mmla {
    /// Adds the products of eight inputs, or of four if `HALF`, to the sums of an even number of
    /// positions.
    ///
    /// # Safety
    /// As [`Dots::weights`], for each quad of inputs; they are readable at each position.
    #[inline(always)]
    unsafe fn add<const P: usize, const B: usize, const HALF: bool>(
        sums: &mut [[Self; B]; P],
        under: [*const u8; P],
        weight: *const i8,
        of_block: usize,
    ) {
        // SAFETY: as promised by the caller.
        unsafe {
            let x = under.map(|x| match HALF {
                true => vcreate_u8(u64::from(x.cast::<u32>().read_unaligned())),
                false => vld1_u8(x),
            });
            for b in 0..B {
                let from = weight.add(b * of_block);
                for r in 0..4 {
                    let words = |at: usize| vreinterpretq_s32_s8(vld1q_s8(from.add(at)));
                    let first = words(16 * r);
                    let second = match HALF {
                        true => vdupq_n_s32(0),
                        false => words(QUAD * LANES + 16 * r),
                    };
                    // Two lanes of eight weights each.
                    let low = vreinterpretq_s8_s32(vzip1q_s32(first, second));
                    let high = vreinterpretq_s8_s32(vzip2q_s32(first, second));
                    for (x, sums) in x.chunks_exact(2).zip(sums.chunks_exact_mut(2)) {
                        let x = vcombine_u8(x[0], x[1]);
                        let place = &mut sums[r / 2][b].0;
                        place[2 * r % 4] = usmmla(place[2 * r % 4], x, low);
                        place[2 * r % 4 + 1] = usmmla(place[2 * r % 4 + 1], x, high);
                    }
                }
            }
        }
    }
}

impl Dots for Mmla {
    const WIDE: usize = 4;
    const DEEP: usize = 1;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = [int8x16_t; 4];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: NEON is part of the target.
        Mmla([unsafe { vdupq_n_s32(0) }; 4])
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: as promised by the caller.
        unsafe { load(from) }
    }

    #[inline(always)]
    unsafe fn add_products(mut self, x: *const u8, weights: Self::Weights) -> Self {
        for (sum, w) in self.0.iter_mut().zip(weights) {
            // SAFETY: four bytes are readable, as promised by the caller.
            *sum = unsafe {
                let x = vdupq_n_u32(x.cast::<u32>().read_unaligned());
                sudot::<0>(*sum, w, vreinterpretq_u8_u32(x))
            };
        }
        self
    }

    #[inline(always)]
    unsafe fn add_tap<const P: usize, const B: usize>(
        sums: &mut [[Self; B]; P],
        under: [*const u8; P],
        (weight, of_block): (*const i8, usize),
        depth: usize,
        _lanes: usize,
    ) {
        // SAFETY: as promised by the caller: `depth` inputs, and 16 weights for each.
        unsafe {
            if P == 1 {
                for at in (0..depth).step_by(QUAD) {
                    let weight = weight.add(at * LANES);
                    ahead::<_, P, B>(weight, of_block);
                    for (b, sum) in sums[0].iter_mut().enumerate() {
                        *sum = sum.add_products(under[0].add(at), load(weight.add(b * of_block)));
                    }
                }
                return;
            }
            let eights = depth - depth % 8;
            for at in (0..eights).step_by(8) {
                let under = under.map(|x| x.add(at));
                Mmla::add::<P, B, false>(sums, under, weight.add(at * LANES), of_block);
            }
            if eights < depth {
                let under = under.map(|x| x.add(eights));
                Mmla::add::<P, B, true>(sums, under, weight.add(eights * LANES), of_block);
            }
        }
    }

    #[inline(always)]
    unsafe fn end<const P: usize, const B: usize>(sums: &mut [[Self; B]; P]) {
        for pair in sums.as_chunks_mut::<2>().0 {
            for b in 0..B {
                let shared = [pair[0][b].0, pair[1][b].0];
                for r in 0..4 {
                    let both = |i: usize| shared[r / 2][2 * r % 4 + i];
                    // SAFETY: NEON is part of the target.
                    unsafe {
                        let (a, b_) =
                            (vreinterpretq_s64_s32(both(0)), vreinterpretq_s64_s32(both(1)));
                        pair[0][b].0[r] = vreinterpretq_s32_s64(vzip1q_s64(a, b_));
                        pair[1][b].0[r] = vreinterpretq_s32_s64(vzip2q_s64(a, b_));
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        array(self.0)
    }

    #[inline(always)]
    fn is_zero(x: u8) -> bool {
        x == 0
    }
}

impl Bytes for Mmla {
    #[inline(always)]
    unsafe fn requantized(
        self,
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        span: (i64, i64),
    ) -> [i32; LANES] {
        // SAFETY: as promised by the caller.
        unsafe { requantized(self.0, bias, scale, shift, span) }
    }
}
