//! Sums of products of 16-bit floats, on 64-bit Arm with arithmetic for them (FEAT_FP16).
//!
//! Inputs are scaled by a power of two, the same for a whole layer, so that the largest product is
//! below 512, and narrowed; then no sum of [`CHANNELS`] products is beyond the range of 16-bit floats.
//! Such sums are added up in 32 bits.

use core::arch::aarch64::*;

use super::{Dots, ahead};
use crate::layout::LANES;
use crate::simd::halves;

/// Inputs in a register.
const REGISTER: usize = 8;
/// Most products that are added up in 16 bits.
const CHANNELS: usize = 64;

/// 16 lanes of 16-bit floats.
type Row = [float16x8_t; 2];

/// 16 sums.
#[derive(Clone, Copy)]
pub(crate) struct Half {
    sums: [float32x4_t; 4],
    /// Factor of inputs.
    scale: f32,
}

/// The factor of the inputs of a layer. It is 1 if one of them is not finite.
pub(crate) fn scale(x: &[f32], weight: &[u16]) -> f32 {
    let largest = x.iter().fold(0, |most: u32, v| most.max(v.to_bits() & 0x7fff_ffff)) >> 23;
    let heaviest = weight.iter().fold(0, |most: u16, w| most.max(w & 0x7fff)) >> 10;
    if largest == 0 || largest == 255 {
        return 1.0;
    }
    // Both are below two to the power of one more. Weights that small would leave inputs too large.
    let (x, w) = (largest as i32 - 127, (i32::from(heaviest) - 15).max(-7));
    f32::from_bits(((127 + 7 - x - w).clamp(1, 254) as u32) << 23)
}

/// # Safety
/// 16 of them are readable.
#[inline(always)]
unsafe fn load(from: *const u16) -> Row {
    // SAFETY: as promised by the caller.
    unsafe { [0, 8].map(|at| vreinterpretq_f16_u16(vld1q_u16(from.add(at)))) }
}

/// Eight inputs times `scale`, narrowed.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn narrow(x: *const f32, scale: f32) -> float16x8_t {
    // SAFETY: as promised by the caller; the conversion is part of NEON.
    unsafe {
        let low = vcvt_f16_f32(vmulq_n_f32(vld1q_f32(x), scale));
        vcvt_high_f16_f32(low, vmulq_n_f32(vld1q_f32(x.add(4)), scale))
    }
}

/// Adds the products of lane `I` of each `x`.
///
/// # Safety
/// The CPU has FEAT_FP16; 16 weights are readable at `weight`, and again at each `of_block`.
#[inline(always)]
unsafe fn add<const P: usize, const B: usize, const I: i32>(
    sums: &mut [[Row; B]; P],
    x: &[float16x8_t; P],
    weight: *const u16,
    of_block: usize,
) {
    ahead::<_, P, B>(weight, of_block);
    for b in 0..B {
        // SAFETY: as promised by the caller.
        unsafe {
            let w = load(weight.add(b * of_block));
            for (sums, x) in sums.iter_mut().zip(x) {
                for (sum, w) in sums[b].iter_mut().zip(w) {
                    *sum = halves::add_lane::<I>(*sum, w, *x);
                }
            }
        }
    }
}

impl Dots for Half {
    const WIDE: usize = 4;
    const DEEP: usize = 2;
    const QUAD: usize = 1;
    type X = f32;
    type Weight = u16;
    type Sum = f32;
    type Weights = Row;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: NEON is part of the target.
        Half { sums: [unsafe { vdupq_n_f32(0.0) }; 4], scale: 1.0 }
    }

    #[inline(always)]
    unsafe fn start(_: *const u16, _: usize, scale: f32) -> Self {
        // SAFETY: as for `zero`.
        Half { scale, ..unsafe { Half::zero() } }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u16) -> Row {
        // SAFETY: as promised by the caller.
        unsafe { load(from) }
    }

    #[inline(always)]
    unsafe fn add_products(mut self, x: *const f32, weights: Row) -> Self {
        // SAFETY: a float is readable, as promised by the caller.
        unsafe {
            for (sums, w) in self.sums.as_chunks_mut::<2>().0.iter_mut().zip(weights) {
                sums[0] = vfmaq_n_f32(sums[0], vcvt_f32_f16(vget_low_f16(w)), *x);
                sums[1] = vfmaq_n_f32(sums[1], vcvt_high_f32_f16(w), *x);
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn add_tap<const P: usize, const B: usize>(
        sums: &mut [[Self; B]; P],
        under: [*const f32; P],
        (weight, of_block): (*const u16, usize),
        depth: usize,
        _lanes: usize,
    ) {
        let scale = sums[0][0].scale;
        let whole = depth - depth % REGISTER;
        // SAFETY: as promised by the caller: `depth` inputs, and 16 weights for each.
        unsafe {
            for begin in (0..whole).step_by(CHANNELS) {
                let mut halves = [[[vreinterpretq_f16_u16(vdupq_n_u16(0)); 2]; B]; P];
                for at in (begin..whole.min(begin + CHANNELS)).step_by(REGISTER) {
                    let x = under.map(|x| narrow(x.add(at), scale));
                    let weight = weight.add(at * LANES);
                    add::<P, B, 0>(&mut halves, &x, weight, of_block);
                    add::<P, B, 1>(&mut halves, &x, weight.add(LANES), of_block);
                    add::<P, B, 2>(&mut halves, &x, weight.add(2 * LANES), of_block);
                    add::<P, B, 3>(&mut halves, &x, weight.add(3 * LANES), of_block);
                    add::<P, B, 4>(&mut halves, &x, weight.add(4 * LANES), of_block);
                    add::<P, B, 5>(&mut halves, &x, weight.add(5 * LANES), of_block);
                    add::<P, B, 6>(&mut halves, &x, weight.add(6 * LANES), of_block);
                    add::<P, B, 7>(&mut halves, &x, weight.add(7 * LANES), of_block);
                }
                // Plain loops: through adapters the compiler would keep the sums in memory.
                let back = 1.0 / scale;
                for p in 0..P {
                    for b in 0..B {
                        for r in 0..2 {
                            let half = halves[p][b][r];
                            let wide = [vcvt_f32_f16(vget_low_f16(half)), vcvt_high_f32_f16(half)];
                            for (i, wide) in wide.into_iter().enumerate() {
                                let sum = &mut sums[p][b].sums[2 * r + i];
                                *sum = vfmaq_n_f32(*sum, wide, back);
                            }
                        }
                    }
                }
            }
            for at in whole..depth {
                for b in 0..B {
                    let w = load(weight.add(b * of_block + at * LANES));
                    for (sums, x) in sums.iter_mut().zip(under) {
                        sums[b] = sums[b].add_products(x.add(at), w);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn sums(self) -> [f32; LANES] {
        // SAFETY: both are 16 floats.
        unsafe { core::mem::transmute::<[float32x4_t; 4], [f32; LANES]>(self.sums) }
    }

    #[inline(always)]
    fn is_zero(x: f32) -> bool {
        x == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::half;

    #[test]
    fn products_stay_in_range() {
        for x in [1e-30f32, 1e-3, 1.0, 3.0, 7e4, 1e30] {
            for w in [6e-8f32, 1e-3, 0.5, 1.0, 60_000.0] {
                let scaled = x * scale(&[0.0, -x], &[half::narrow(-w), 0]);
                assert!(scaled < 65_504.0 && scaled * w < 512.0, "{x} {w}: {scaled}");
                assert!(scaled * w.max(0.01) >= 64.0, "{x} {w}: {scaled}");
            }
        }
        assert_eq!(scale(&[0.0], &[0x3c00]), 1.0);
        assert_eq!(scale(&[1.0, f32::NAN], &[0x3c00]), 1.0);
    }
}
