//! AVX-VNNI: the byte products of AVX-512 VNNI in registers of AVX2. Intel's small cores have it since
//! Gracemont (N100), its large ones since Alder Lake; AMD's since Zen 5.

use core::arch::x86_64::*;

use super::{Avx2, Bytes, Dots};
use crate::layout::{LANES, QUAD};

/// Four products and their sum in one instruction, without saturation. `EMULATED`: by instructions of AVX2,
/// for tests on other CPUs.
#[derive(Clone, Copy)]
pub(crate) struct AvxVnni<const EMULATED: bool = false>(Avx2);

impl<const EMULATED: bool> AvxVnni<EMULATED> {
    /// `sums`, each with the products of four bytes `x` and four weights.
    ///
    /// # Safety
    /// The CPU has AVX-VNNI, or AVX2 if the instruction is emulated.
    #[inline(always)]
    unsafe fn dots(sums: __m256i, x: __m256i, weights: __m256i) -> __m256i {
        // SAFETY: as promised by the caller.
        unsafe {
            if !EMULATED {
                return _mm256_dpbusd_avx_epi32(sums, x, weights);
            }
            let even = _mm256_and_si256(x, _mm256_set1_epi16(0xff));
            let odd = _mm256_srli_epi16::<8>(x);
            let of_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(weights));
            let of_odd = _mm256_srai_epi16::<8>(weights);
            let sums = _mm256_add_epi32(sums, _mm256_madd_epi16(even, of_even));
            _mm256_add_epi32(sums, _mm256_madd_epi16(odd, of_odd))
        }
    }
}

impl<const EMULATED: bool> Dots for AvxVnni<EMULATED> {
    const WIDE: usize = 6;
    const DEEP: usize = 1;
    const NARROW: [usize; 2] = [4, 2];
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = [__m256i; 2];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: as promised by the caller; AVX-VNNI implies AVX2.
        AvxVnni(unsafe { Avx2::zero() })
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: 64 weights are readable, as promised by the caller.
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
    }

    #[inline(always)]
    unsafe fn add_products(self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: four bytes are readable, as promised by the caller.
        unsafe {
            let x = _mm256_set1_epi32(x.cast::<i32>().read_unaligned());
            AvxVnni(Avx2(each!(i => Self::dots(self.0.0[i], x, weights[i]))))
        }
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        // SAFETY: as promised by the caller.
        unsafe { self.0.sums() }
    }

    #[inline(always)]
    fn is_zero(x: u8) -> bool {
        x == 0
    }
}

impl<const EMULATED: bool> Bytes for AvxVnni<EMULATED> {
    #[inline(always)]
    unsafe fn requantized(
        self,
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        span: (i64, i64),
    ) -> [i32; LANES] {
        // SAFETY: as promised by the caller.
        unsafe { self.0.requantized(bias, scale, shift, span) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Portable;
    use super::*;

    /// The sums of a tile of two positions and two blocks, requantized.
    ///
    /// # Safety
    /// The CPU has the instructions of `D`.
    #[inline(always)]
    unsafe fn tile<D: Bytes>(x: &[u8], weights: &[i8]) -> [[[i32; LANES]; 2]; 2] {
        let (depth, of_block) = (x.len() / 2, weights.len() / 2);
        // SAFETY: as promised by the caller; `x` has two positions and `weights` two blocks for them.
        unsafe {
            let mut sums = [[D::zero(); 2]; 2];
            let under = [x.as_ptr(), x.as_ptr().add(depth)];
            D::add_tap(&mut sums, under, (weights.as_ptr(), of_block), depth, 2 * LANES);
            let mut values = [[[0; LANES]; 2]; 2];
            for (sums, values) in sums.as_flattened().iter().zip(values.as_flattened_mut()) {
                let bias = core::array::from_fn(|lane| 1000 * lane as i32 - 8000);
                let scale = core::array::from_fn(|lane| (1 << 30) + (lane as i32) * 12_345);
                *values = sums.requantized(&bias, &scale, 44, (7, 255));
            }
            values
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    fn emulated(x: &[u8], weights: &[i8]) -> [[[i32; LANES]; 2]; 2] {
        // SAFETY: the function is compiled for AVX2.
        unsafe { tile::<AvxVnni<true>>(x, weights) }
    }

    #[target_feature(enable = "avxvnni,avx2,fma,f16c")]
    fn native(x: &[u8], weights: &[i8]) -> [[[i32; LANES]; 2]; 2] {
        // SAFETY: the function is compiled for AVX-VNNI.
        unsafe { tile::<AvxVnni>(x, weights) }
    }

    #[test]
    fn the_sums_are_those_of_the_plain_loop() {
        let depth = 64;
        let x: [u8; 128] = core::array::from_fn(|i| (i * i * 37 % 256) as u8);
        let weights: [i8; 2 * 64 * LANES] =
            core::array::from_fn(|i| (i * i * 91 % 256) as u8 as i8);
        // The largest products, whose sums in pairs do not fit into 16 bits.
        for (x, weights) in [(x, weights), ([255; 128], [127; _]), ([255; 128], [-128; _])] {
            // SAFETY: the portable type needs nothing.
            let want = unsafe { tile::<Portable>(&x, &weights) };
            assert_eq!(x.len(), 2 * depth);
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the CPU has AVX2; each such CPU has FMA and F16C.
                assert_eq!(unsafe { emulated(&x, &weights) }, want);
            }
            if std::arch::is_x86_feature_detected!("avxvnni") {
                // SAFETY: the CPU has AVX-VNNI.
                assert_eq!(unsafe { native(&x, &weights) }, want);
            }
        }
    }
}
