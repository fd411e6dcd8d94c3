//! Sums of products, 16 lanes at a time: of bytes, with one type per instruction set, and of
//! floats.

#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::lanes::{Lanes, Stored};
use super::prefetch::prefetch;
use crate::int8::requantize;
use crate::layout::{LANES, QUAD};

/// 16 sums.
pub(crate) trait Dots: Copy {
    /// Most positions, and most blocks of lanes, whose sums fit into registers.
    const WIDE: usize;
    /// See [`Dots::WIDE`].
    const DEEP: usize;
    /// Inputs per step.
    const QUAD: usize;
    /// An input.
    type X: Copy;
    /// A weight.
    type Weight: Copy;
    /// A sum; integers are modulo 2^32.
    type Sum: Copy;
    /// 16 weights for each of [`Dots::QUAD`] inputs, in registers.
    type Weights: Copy;

    /// Zeros.
    ///
    /// # Safety
    /// The CPU has the instruction set of the type, for this and all functions of the trait.
    unsafe fn zero() -> Self;

    /// Loads weights.
    ///
    /// # Safety
    /// 16 weights for each of [`Dots::QUAD`] inputs are readable.
    unsafe fn weights(from: *const Self::Weight) -> Self::Weights;

    /// Adds the products of the inputs `x` and the weights to each lane.
    ///
    /// # Safety
    /// [`Dots::QUAD`] inputs are readable.
    unsafe fn add_products(self, x: *const Self::X, weights: Self::Weights) -> Self;

    /// Adds one tap to the sums of `P` positions and `B` blocks: the products of the `depth` inputs
    /// under the tap with the weights, where blocks begin `of_block` weights apart. Lanes of the
    /// first block beyond `lanes` are never read.
    ///
    /// # Safety
    /// `depth` inputs, a multiple of [`Dots::QUAD`], are readable at each position, and 16 weights
    /// for each of them in each block.
    #[inline(always)]
    unsafe fn add_tap<const P: usize, const B: usize>(
        sums: &mut [[Self; B]; P],
        under: [*const Self::X; P],
        (weight, of_block): (*const Self::Weight, usize),
        depth: usize,
        _lanes: usize,
    ) {
        // SAFETY: as promised by the caller.
        unsafe {
            for quad in (0..depth).step_by(Self::QUAD) {
                // With one position each weight is used once: fetch the blocks that come next.
                if P == 1 {
                    for b in B..2 * B {
                        prefetch(weight.wrapping_add(b * of_block + quad * LANES));
                    }
                }
                let w: [Self::Weights; B] = core::array::from_fn(|b| {
                    Self::weights(weight.add(b * of_block + quad * LANES))
                });
                for (sums, under) in sums.iter_mut().zip(under) {
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = sum.add_products(under.add(quad), w);
                    }
                }
            }
        }
    }

    /// The sums.
    ///
    /// # Safety
    /// As [`Dots::zero`].
    unsafe fn sums(self) -> [Self::Sum; LANES];
}

/// Sums of byte products.
pub(crate) trait Bytes: Dots<X = u8, Weight = i8, Sum = i32> {
    /// The sums with the bias, [`requantize`]d.
    ///
    /// # Safety
    /// As [`Dots::zero`].
    #[inline(always)]
    unsafe fn requantized(
        self,
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        span: (i64, i64),
    ) -> [i32; LANES] {
        // SAFETY: as promised by the caller.
        let sums = unsafe { self.sums() };
        core::array::from_fn(|l| requantize(sums[l].wrapping_add(bias[l]), scale[l], shift, span))
    }
}

/// `N` registers of floats, 16 in all.
#[derive(Clone, Copy)]
pub(crate) struct Row<L, W, const N: usize>([L; N], core::marker::PhantomData<W>);

impl<L: Lanes, W: Stored, const N: usize> Dots for Row<L, W, N> {
    const WIDE: usize = L::POSITIONS;
    const DEEP: usize = L::BLOCKS;
    const QUAD: usize = 1;
    type X = f32;
    type Weight = W;
    type Sum = f32;
    type Weights = [L; N];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: as promised by the caller; likewise below.
        Row([unsafe { L::splat(0.0) }; N], core::marker::PhantomData)
    }

    #[inline(always)]
    unsafe fn weights(from: *const W) -> [L; N] {
        // SAFETY: 16 are readable, L::N per register.
        core::array::from_fn(|i| unsafe { W::load(from.add(i * L::N)) })
    }

    #[inline(always)]
    unsafe fn add_products(self, x: *const f32, weights: [L; N]) -> Self {
        // SAFETY: a float is readable.
        let x = unsafe { L::splat(*x) };
        // SAFETY: as for `zero`.
        let sums = core::array::from_fn(|i| unsafe { self.0[i].add_product(x, weights[i]) });
        Row(sums, core::marker::PhantomData)
    }

    #[inline(always)]
    unsafe fn sums(self) -> [f32; LANES] {
        const { assert!(N * L::N == LANES) };
        let mut sums = [0.0; LANES];
        for (i, lanes) in self.0.into_iter().enumerate() {
            // SAFETY: N registers fill the array.
            unsafe { lanes.store(sums.as_mut_ptr().add(i * L::N)) };
        }
        sums
    }
}

/// 16 integers, which the compiler vectorizes as the target allows.
#[derive(Clone, Copy)]
pub(crate) struct Portable(pub(super) [i32; LANES]);

impl Dots for Portable {
    const WIDE: usize = 1;
    const DEEP: usize = 1;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = [[i8; QUAD]; LANES];

    #[inline(always)]
    unsafe fn zero() -> Self {
        Portable([0; LANES])
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: 64 weights are readable, as promised by the caller.
        unsafe { from.cast::<Self::Weights>().read() }
    }

    #[inline(always)]
    unsafe fn add_products(mut self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: four bytes are readable, as promised by the caller.
        let x = unsafe { x.cast::<[u8; QUAD]>().read() }.map(i32::from);
        for (sum, w) in self.0.iter_mut().zip(weights) {
            let w = w.map(i32::from);
            let products = w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
            *sum = sum.wrapping_add(products);
        }
        self
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        self.0
    }
}

impl Bytes for Portable {}

/// AVX-512 VNNI: four products and their sum in one instruction, without saturation.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Vnni(__m512i);

#[cfg(target_arch = "x86_64")]
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
}

#[cfg(target_arch = "x86_64")]
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
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx2([__m256i; 4]);

#[cfg(target_arch = "x86_64")]
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
}

#[cfg(target_arch = "x86_64")]
impl Bytes for Avx2 {}

/// NEON: 16-bit products; each lane has four parts, added at the end.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy)]
pub(crate) struct Neon([int32x4_t; LANES]);

#[cfg(target_arch = "aarch64")]
impl Dots for Neon {
    const WIDE: usize = 1;
    const DEEP: usize = 1;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = [int8x16_t; 4];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: NEON is part of the target; likewise below.
        Neon([unsafe { vdupq_n_s32(0) }; LANES])
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: 64 weights are readable, as promised by the caller: 16 each.
        [0, 1, 2, 3].map(|i| unsafe { vld1q_s8(from.add(16 * i)) })
    }

    #[inline(always)]
    unsafe fn add_products(mut self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: four bytes are readable, as promised by the caller.
        unsafe {
            let x = vcreate_u8(x.cast::<u32>().read_unaligned() as u64);
            let x = vget_low_s16(vreinterpretq_s16_u16(vmovl_u8(x)));
            for (w, sums) in weights.into_iter().zip(self.0.chunks_exact_mut(4)) {
                let (low, high) = (vmovl_s8(vget_low_s8(w)), vmovl_high_s8(w));
                sums[0] = vmlal_s16(sums[0], vget_low_s16(low), x);
                sums[1] = vmlal_s16(sums[1], vget_high_s16(low), x);
                sums[2] = vmlal_s16(sums[2], vget_low_s16(high), x);
                sums[3] = vmlal_s16(sums[3], vget_high_s16(high), x);
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        // SAFETY: as for `zero`.
        self.0.map(|parts| unsafe { vaddvq_s32(parts) })
    }
}

#[cfg(target_arch = "aarch64")]
impl Bytes for Neon {}
