//! Byte products of x86.

use core::arch::x86_64::*;

use super::{Bytes, Dots};
use crate::layout::{LANES, QUAD};

/// AVX-512 VNNI: four products and their sum in one instruction, without saturation.
#[derive(Clone, Copy)]
pub(crate) struct Vnni(__m512i);

impl Dots for Vnni {
    const WIDE: usize = 12;
    const DEEP: usize = 4;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = __m512i;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the CPU has the instruction, as promised by the caller; likewise below.
        Vnni(unsafe { _mm512_setzero_si512() })
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: 64 weights are readable, as promised by the caller.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn add_products(self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: four bytes are readable, as promised by the caller.
        unsafe {
            let x = _mm512_set1_epi32(x.cast::<i32>().read_unaligned());
            Vnni(_mm512_dpbusd_epi32(self.0, x, weights))
        }
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        // SAFETY: both are 16 integers of 32 bits.
        unsafe { core::mem::transmute::<__m512i, [i32; LANES]>(self.0) }
    }

    #[inline(always)]
    fn is_zero(x: u8) -> bool {
        x == 0
    }
}

impl Bytes for Vnni {
    #[inline(always)]
    unsafe fn requantized(
        self,
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        (offset, top): (i64, i64),
    ) -> [i32; LANES] {
        // SAFETY: the arrays are a register long each, as is the result.
        unsafe {
            let sum = _mm512_add_epi32(self.0, _mm512_loadu_si512(bias.as_ptr().cast()));
            let scale = _mm512_loadu_si512(scale.as_ptr().cast());
            let half = _mm512_set1_epi64(1 << (shift - 1));
            let shift = _mm_cvtsi32_si128(shift as i32);
            let (offset, top) = (_mm512_set1_epi64(offset), _mm512_set1_epi64(top));
            let of = |sum, scale| {
                let product = _mm512_add_epi64(_mm512_mul_epi32(sum, scale), half);
                let v = _mm512_add_epi64(_mm512_sra_epi64(product, shift), offset);
                _mm512_min_epi64(_mm512_max_epi64(v, _mm512_setzero_si512()), top)
            };
            // Products have 64 bits: first the even lanes, then the odd ones.
            let even = of(sum, scale);
            let odd = of(_mm512_srli_epi64::<32>(sum), _mm512_srli_epi64::<32>(scale));
            let both = _mm512_or_si512(even, _mm512_slli_epi64::<32>(odd));
            core::mem::transmute::<__m512i, [i32; LANES]>(both)
        }
    }
}

/// AVX2: pairs of 16-bit products; each lane has two halves, added at the end. (The instruction for
/// bytes saturates.)
#[derive(Clone, Copy)]
pub(crate) struct Avx2([__m256i; 4]);

impl Dots for Avx2 {
    const WIDE: usize = 2;
    const DEEP: usize = 1;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = [__m256i; 4];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the CPU has the instruction, as promised by the caller; likewise below.
        Avx2([unsafe { _mm256_setzero_si256() }; 4])
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: 64 weights are readable, as promised by the caller: 16 each.
        [0, 1, 2, 3]
            .map(|i| unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(from.add(16 * i).cast())) })
    }

    #[inline(always)]
    unsafe fn add_products(self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: four bytes are readable, as promised by the caller.
        let x = unsafe {
            let x = _mm_cvtsi32_si128(x.cast::<i32>().read_unaligned());
            _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(x))
        };
        // SAFETY: as above.
        Avx2(core::array::from_fn(|i| unsafe {
            _mm256_add_epi32(self.0[i], _mm256_madd_epi16(weights[i], x))
        }))
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        // SAFETY: both are 32 integers of 32 bits.
        let halves = unsafe { core::mem::transmute::<[__m256i; 4], [i32; 2 * LANES]>(self.0) };
        core::array::from_fn(|l| halves[2 * l].wrapping_add(halves[2 * l + 1]))
    }

    #[inline(always)]
    fn is_zero(x: u8) -> bool {
        x == 0
    }
}

impl Bytes for Avx2 {}
