//! Byte products of x86.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::{Bytes, Dots, ahead};
use crate::int8::{self, HALVES, TOGETHER};
use crate::layer::Int8;
use crate::layout::{LANES, QUAD};
use crate::simd::lookup;

/// AVX-512 VNNI: four products and their sum in one instruction, without saturation. `VBMI`: with the
/// instructions that [`crate::simd::lookup`] needs.
#[derive(Clone, Copy)]
pub(crate) struct Vnni<const VBMI: bool = false>(__m512i);

impl<const VBMI: bool> Vnni<VBMI> {
    /// Sums.
    pub fn of(sums: __m512i) -> Self {
        Vnni(sums)
    }
}

impl<const VBMI: bool> Dots for Vnni<VBMI> {
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

impl<const VBMI: bool> Bytes for Vnni<VBMI> {
    const TOGETHER: usize = if VBMI { TOGETHER } else { 1 };

    #[inline(always)]
    unsafe fn together(
        sums: [Self; TOGETHER],
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        int8: &Int8<'_>,
    ) -> [[u8; LANES]; TOGETHER] {
        // SAFETY: as promised by the caller.
        unsafe {
            match lookup::Scaling::new(bias, scale, int8.shift, int8.span().0) {
                Some(scaling) if VBMI => {
                    let values = each!(i => scaling.of(sums[i].0));
                    let bytes = lookup::bytes(values, int8.table);
                    core::mem::transmute::<__m512i, [[u8; LANES]; TOGETHER]>(bytes)
                }
                _ => Self::one_by_one(sums, bias, scale, int8),
            }
        }
    }

    #[inline(always)]
    unsafe fn map(x: &[u8], table: &[u8], y: &mut [u8]) {
        match table.first_chunk() {
            // SAFETY: as promised by the caller.
            Some(table) if VBMI => unsafe { lookup::map(x, table, y) },
            _ => int8::mapped(x, table, y),
        }
    }

    #[inline(always)]
    unsafe fn requantized(
        self,
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        (offset, top): (i64, i64),
    ) -> [i32; LANES] {
        // SAFETY: as promised by the caller.
        if let Some(scaling) = unsafe { lookup::Scaling::new(bias, scale, shift, offset) } {
            // SAFETY: likewise; the result is a register long.
            unsafe {
                let v = _mm512_max_epi32(scaling.of(self.0), _mm512_setzero_si512());
                let v = _mm512_min_epi32(v, _mm512_set1_epi32(top as i32));
                return core::mem::transmute::<__m512i, [i32; LANES]>(v);
            }
        }
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

/// AVX2: pairs of 16-bit products, of the even bytes of four and of the odd ones. (The instruction
/// for bytes saturates.)
#[derive(Clone, Copy)]
pub(crate) struct Avx2(pub(super) [__m256i; 2]);

/// Inputs whose bytes are widened at a time.
const WIDENED: usize = 128;
/// Places of a position in the widened inputs: the even bytes of all, then the odd ones.
const PLACES: usize = 2 * WIDENED / QUAD;

impl Avx2 {
    /// Sums.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    pub unsafe fn of(sums: [i32; LANES]) -> Self {
        // SAFETY: both are 16 integers of 32 bits.
        unsafe { core::mem::transmute::<[i32; LANES], Avx2>(sums) }
    }

    /// The even or the odd bytes of 8 times 4 weights, widened.
    ///
    /// # Safety
    /// The CPU has AVX2; 32 weights are readable.
    #[inline(always)]
    pub(in crate::simd) unsafe fn half<const ODD: bool>(from: *const i8) -> __m256i {
        // SAFETY: as promised by the caller.
        unsafe {
            let all = _mm256_loadu_si256(from.cast());
            _mm256_srai_epi16::<8>(if ODD { all } else { _mm256_slli_epi16::<8>(all) })
        }
    }

    /// Widens `n` inputs, a multiple of 4, at most [`WIDENED`].
    ///
    /// # Safety
    /// The CPU has AVX2; the inputs are readable, and [`PLACES`] integers writable.
    #[inline(always)]
    unsafe fn widen(x: *const u8, n: usize, even: *mut u32) {
        const LOW: u32 = 0x00ff_00ff;
        let whole = n - n % 16;
        // SAFETY: as promised by the caller; n / 4 places are within both halves.
        unsafe {
            let odd = even.add(PLACES / 2);
            for at in (0..whole).step_by(16) {
                let all = _mm_loadu_si128(x.add(at).cast());
                let low = _mm_and_si128(all, _mm_set1_epi32(LOW as i32));
                _mm_storeu_si128(even.add(at / QUAD).cast(), low);
                let high = _mm_srli_epi16::<8>(all);
                _mm_storeu_si128(odd.add(at / QUAD).cast(), high);
            }
            for at in (whole..n).step_by(QUAD) {
                let all = x.add(at).cast::<u32>().read_unaligned();
                *even.add(at / QUAD) = all & LOW;
                *odd.add(at / QUAD) = (all >> 8) & LOW;
            }
        }
    }

    /// The products of even lanes plus `before`, shifted, plus `after`, between 0 and `top`. (Not a
    /// closure: that would be compiled without AVX2.)
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn scaled(
        sum: __m256i,
        scale: __m256i,
        shift: __m128i,
        [before, after, top]: [__m256i; 3],
    ) -> __m256i {
        // SAFETY: as promised by the caller.
        unsafe {
            let product = _mm256_add_epi64(_mm256_mul_epi32(sum, scale), before);
            let v = _mm256_add_epi64(_mm256_srl_epi64(product, shift), after);
            let v = _mm256_andnot_si256(_mm256_cmpgt_epi64(_mm256_setzero_si256(), v), v);
            _mm256_blendv_epi8(v, top, _mm256_cmpgt_epi64(v, top))
        }
    }

    /// Adds the products of the even or the odd bytes of `n` times four inputs, widened, of each
    /// position. (Both in one loop need more registers than there are.)
    ///
    /// # Safety
    /// The CPU has AVX2; `n` inputs are readable at each multiple of [`PLACES`], 64 weights for each
    /// of them at `weight` and again at each `of_block`.
    #[inline(always)]
    unsafe fn add_halves<const P: usize, const B: usize, const ODD: bool>(
        sums: &mut [[Self; B]; P],
        x: *const u32,
        (weight, of_block): (*const i8, usize),
        n: usize,
    ) {
        for at in 0..n {
            let weight = weight.wrapping_add(at * QUAD * LANES);
            if !ODD {
                ahead::<_, P, B>(weight, of_block);
            }
            for b in 0..B {
                // SAFETY: as promised by the caller.
                unsafe {
                    let weight = weight.add(b * of_block);
                    let w = [Avx2::half::<ODD>(weight), Avx2::half::<ODD>(weight.add(32))];
                    for (p, sums) in sums.iter_mut().enumerate() {
                        let x = _mm256_set1_epi32(x.add(p * PLACES + at).read() as i32);
                        for (sum, w) in sums[b].0.iter_mut().zip(w) {
                            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(w, x));
                        }
                    }
                }
            }
        }
    }
}

impl Dots for Avx2 {
    const WIDE: usize = 6;
    const DEEP: usize = 1;
    const NARROW: [usize; 2] = [4, 2];
    #[cfg(feature = "std")]
    const FOLDED: bool = true;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = [[__m256i; 2]; 2];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the CPU has the instruction, as promised by the caller; likewise below.
        Avx2([unsafe { _mm256_setzero_si256() }; 2])
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: 64 weights are readable, as promised by the caller: 32 each.
        unsafe {
            let next = from.add(32);
            let first = [Avx2::half::<false>(from), Avx2::half::<true>(from)];
            [first, [Avx2::half::<false>(next), Avx2::half::<true>(next)]]
        }
    }

    #[inline(always)]
    unsafe fn add_products(self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: four bytes are readable, as promised by the caller.
        unsafe {
            let all = _mm256_set1_epi32(x.cast::<i32>().read_unaligned());
            let even = _mm256_and_si256(all, _mm256_set1_epi32(0x00ff_00ff));
            let odd = _mm256_srli_epi16::<8>(all);
            let mut sums = self.0;
            for (sum, [of_even, of_odd]) in sums.iter_mut().zip(weights) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(of_even, even));
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(of_odd, odd));
            }
            Avx2(sums)
        }
    }

    #[inline(always)]
    unsafe fn add_tap<const P: usize, const B: usize>(
        sums: &mut [[Self; B]; P],
        under: [*const u8; P],
        (weight, of_block): (*const i8, usize),
        depth: usize,
        _lanes: usize,
    ) {
        let mut x = MaybeUninit::<[[u32; PLACES]; P]>::uninit();
        for begin in (0..depth).step_by(WIDENED) {
            let n = WIDENED.min(depth - begin);
            // SAFETY: as promised by the caller: `depth` inputs, and 16 weights for each.
            unsafe {
                let to = x.as_mut_ptr().cast::<u32>();
                for (p, under) in under.into_iter().enumerate() {
                    Avx2::widen(under.add(begin), n, to.add(p * PLACES));
                }
                let even = to.cast_const();
                let weight = (weight.add(begin * LANES), of_block);
                Avx2::add_halves::<P, B, false>(sums, even, weight, n / QUAD);
                Avx2::add_halves::<P, B, true>(sums, even.add(PLACES / 2), weight, n / QUAD);
            }
        }
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        // SAFETY: both are 16 integers of 32 bits.
        unsafe { core::mem::transmute::<[__m256i; 2], [i32; LANES]>(self.0) }
    }

    #[inline(always)]
    fn is_zero(x: u8) -> bool {
        x == 0
    }
}

impl Bytes for Avx2 {
    #[inline(always)]
    unsafe fn requantized(
        self,
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        (offset, top): (i64, i64),
    ) -> [i32; LANES] {
        let mut values = [0; LANES];
        if HALVES.contains(&shift) {
            // SAFETY: each array has two registers; the CPU has the instructions.
            unsafe {
                let before = _mm256_set1_epi64x((1 << (shift - 1)) + (offset << shift));
                let shift = _mm_cvtsi32_si128(shift as i32 - 32);
                let top = _mm256_set1_epi32(top as i32);
                for (i, sum) in self.0.into_iter().enumerate() {
                    let bias = _mm256_loadu_si256(bias.as_ptr().add(8 * i).cast());
                    let scale = _mm256_loadu_si256(scale.as_ptr().add(8 * i).cast());
                    let sum = _mm256_add_epi32(sum, bias);
                    let (high_sum, high_scale) =
                        (_mm256_srli_epi64::<32>(sum), _mm256_srli_epi64::<32>(scale));
                    let even = _mm256_add_epi64(_mm256_mul_epi32(sum, scale), before);
                    let odd = _mm256_add_epi64(_mm256_mul_epi32(high_sum, high_scale), before);
                    let upper = _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<32>(even), odd);
                    let v = _mm256_sra_epi32(upper, shift);
                    let v = _mm256_min_epi32(_mm256_max_epi32(v, _mm256_setzero_si256()), top);
                    _mm256_storeu_si256(values.as_mut_ptr().add(8 * i).cast(), v);
                }
            }
            return values;
        }
        // There is no arithmetic shift of 64 bits: products are made positive by adding 2^63, and
        // what that adds to the result is subtracted. SAFETY: each array has two registers; the CPU
        // has the instructions.
        unsafe {
            let before = _mm256_set1_epi64x((1i64 << (shift - 1)).wrapping_add(i64::MIN));
            let after = _mm256_set1_epi64x(offset - (1i64 << (63 - shift)));
            let shift = _mm_cvtsi32_si128(shift as i32);
            let top = _mm256_set1_epi64x(top);
            for (i, sum) in self.0.into_iter().enumerate() {
                let bias = _mm256_loadu_si256(bias.as_ptr().add(8 * i).cast());
                let scale = _mm256_loadu_si256(scale.as_ptr().add(8 * i).cast());
                let sum = _mm256_add_epi32(sum, bias);
                // Products have 64 bits: first the even lanes, then the odd ones.
                let (high_sum, high_scale) =
                    (_mm256_srli_epi64::<32>(sum), _mm256_srli_epi64::<32>(scale));
                let even = Avx2::scaled(sum, scale, shift, [before, after, top]);
                let odd = Avx2::scaled(high_sum, high_scale, shift, [before, after, top]);
                let both = _mm256_or_si256(even, _mm256_slli_epi64::<32>(odd));
                _mm256_storeu_si256(values.as_mut_ptr().add(8 * i).cast(), both);
            }
        }
        values
    }
}
