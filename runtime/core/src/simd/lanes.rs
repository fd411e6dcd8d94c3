//! Registers of floats, one type per instruction set.

#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

/// A register of [`Lanes::N`] floats, and nothing else.
pub(crate) trait Lanes: Copy {
    /// Floats per register.
    const N: usize;
    /// Registers of outputs side by side that, with the output channels, just fill the
    /// register file.
    const WIDE: usize;
    /// Positions that, with [`Lanes::BLOCKS`] blocks of 16 channels of a packed layer, just fill
    /// the register file.
    const POSITIONS: usize;
    /// See [`Lanes::POSITIONS`].
    const BLOCKS: usize;
    /// See [`super::dots::Dots::NARROW`].
    const NARROW: [usize; 2] = [0; 2];
    /// Registers of outputs side by side, one or two, for Winograd: nine sums of each and two rows
    /// of three weights just fill the register file; with [`Lanes::TILES`] tiles, one sum and
    /// one weight of each do.
    const SIDE: usize;
    /// Tiles side by side: 1, 2, 4 or 6; 1 if the nine sums of two registers of outputs fit.
    const TILES: usize;
    /// Whether registers hold four floats and there is [`Lanes::add_lane`].
    const FOURS: bool = false;

    /// `v` in all lanes.
    ///
    /// # Safety
    /// The CPU has the instruction set of the type, for this and all functions of the trait.
    unsafe fn splat(v: f32) -> Self;

    /// Loads `N` floats.
    ///
    /// # Safety
    /// `N` floats are readable.
    unsafe fn load(from: *const f32) -> Self;

    /// Loads `N` finite 16-bit floats and widens them; see [`crate::half`].
    ///
    /// # Safety
    /// `N` of them are readable.
    unsafe fn widen(from: *const u16) -> Self;

    /// Stores `N` floats.
    ///
    /// # Safety
    /// `N` floats are writable.
    unsafe fn store(self, to: *mut f32);

    /// Writes `N` rows of `N` floats, `step` apart, as columns of rows that are `to_step` apart.
    ///
    /// # Safety
    /// The floats are readable, those written writable.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, step: usize, to: *mut f32, to_step: usize) {
        for row in 0..Self::N {
            for column in 0..Self::N {
                // SAFETY: as promised by the caller.
                unsafe { *to.add(column * to_step + row) = *from.add(row * step + column) };
            }
        }
    }

    /// `self + a * b`, lane by lane.
    ///
    /// # Safety
    /// As [`Lanes::splat`].
    unsafe fn add_product(self, a: Self, b: Self) -> Self;

    /// `self + x[I] * w`, lane by lane, if [`Lanes::FOURS`].
    ///
    /// # Safety
    /// As [`Lanes::splat`].
    #[inline(always)]
    unsafe fn add_lane<const I: i32>(self, _x: Self, _w: Self) -> Self {
        unreachable!("only of four floats")
    }

    /// `self + other`, lane by lane.
    ///
    /// # Safety
    /// As [`Lanes::splat`].
    unsafe fn add(self, other: Self) -> Self;

    /// `self - other`, lane by lane.
    ///
    /// # Safety
    /// As [`Lanes::splat`].
    unsafe fn sub(self, other: Self) -> Self;
}

/// The type that a weight is stored as.
pub(crate) trait Stored: Copy {
    /// Loads [`Lanes::N`] of them as floats.
    ///
    /// # Safety
    /// As [`Lanes::load`] and [`Lanes::widen`].
    unsafe fn load<L: Lanes>(from: *const Self) -> L;

    /// The weights as the bits of 16-bit floats, if they are.
    #[cfg(target_arch = "aarch64")]
    fn halves(weight: &[Self]) -> Option<&[u16]>;
}

impl Stored for f32 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const f32) -> L {
        // SAFETY: as promised by the caller.
        unsafe { L::load(from) }
    }

    #[cfg(target_arch = "aarch64")]
    fn halves(_: &[f32]) -> Option<&[u16]> {
        None
    }
}

impl Stored for u16 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const u16) -> L {
        // SAFETY: as promised by the caller.
        unsafe { L::widen(from) }
    }

    #[cfg(target_arch = "aarch64")]
    fn halves(weight: &[u16]) -> Option<&[u16]> {
        Some(weight)
    }
}

/// Four floats, which the compiler vectorizes as the target allows.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Portable([f32; 4]);

/// Whether the target has 32 registers of one float each, as Cortex-M has, or as many bytes in vectors.
const SHORT: bool = cfg!(target_arch = "arm");

impl Lanes for Portable {
    const N: usize = 4;
    const WIDE: usize = if SHORT { 1 } else { 2 };
    const POSITIONS: usize = if SHORT { 1 } else { 2 };
    const BLOCKS: usize = 1;
    const SIDE: usize = 1;
    const TILES: usize = if SHORT { 4 } else { 2 };

    #[inline(always)]
    unsafe fn splat(v: f32) -> Self {
        Portable([v; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: four floats are readable, as promised by the caller.
        Portable(unsafe { from.cast::<[f32; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn widen(from: *const u16) -> Self {
        // SAFETY: four are readable, as promised by the caller.
        Portable(unsafe { from.cast::<[u16; 4]>().read() }.map(crate::half::widen))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: four floats are writable, as promised by the caller.
        unsafe { to.cast::<[f32; 4]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Portable(core::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Portable(core::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Portable(core::array::from_fn(|i| self.0[i] - other.0[i]))
    }
}

/// Implements [`Lanes`] for a register type with its intrinsics.
macro_rules! lanes {
    ($(#[$meta:meta])* $name:ident($register:ty) $n:literal $wide:literal $positions:literal $blocks:literal $side:literal $tiles:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, |$c:ident, $a:ident, $b:ident| $fma:expr, |$from:ident| $widen:expr $(; $($more:tt)*)?) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub(crate) struct $name(pub(in crate::simd) $register);

        $(#[$meta])*
        impl Lanes for $name {
            const N: usize = $n;
            const WIDE: usize = $wide;
            const POSITIONS: usize = $positions;
            const BLOCKS: usize = $blocks;
            const SIDE: usize = $side;
            const TILES: usize = $tiles;
            $($($more)*)?

            #[inline(always)]
            unsafe fn splat(v: f32) -> Self {
                // SAFETY: the CPU has the instruction, as promised by the caller; likewise below.
                $name(unsafe { $splat(v) })
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the floats are readable, as promised by the caller.
                $name(unsafe { $load(from) })
            }

            #[inline(always)]
            unsafe fn widen($from: *const u16) -> Self {
                // SAFETY: they are readable, as promised by the caller.
                $name(unsafe { $widen })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the floats are writable, as promised by the caller.
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                let ($c, $a, $b) = (self.0, a.0, b.0);
                // SAFETY: as for `splat`.
                $name(unsafe { $fma })
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as for `splat`.
                $name(unsafe { $add(self.0, other.0) })
            }

            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: as for `splat`.
                $name(unsafe { $sub(self.0, other.0) })
            }
        }
    };
}

lanes!(
    #[cfg(target_arch = "x86_64")]
    Avx2(__m256) 8 2 6 1 2 6, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps, |c, a, b| _mm256_fmadd_ps(a, b, c),
    |from| _mm256_cvtph_ps(_mm_loadu_si128(from.cast()));
    const NARROW: [usize; 2] = [4, 2];

    #[inline(always)]
    unsafe fn transpose(from: *const f32, step: usize, to: *mut f32, to_step: usize) {
        // SAFETY: as promised by the caller.
        unsafe {
            let r: [__m256; 8] = each!(i => _mm256_loadu_ps(from.add(i * step)));
            // Of each half register: pairs of rows, then four rows, then both halves.
            let pairs: [__m256; 8] = each!(i => {
                let (a, b) = (r[i / 2 * 2], r[i / 2 * 2 + 1]);
                if i % 2 == 0 { _mm256_unpacklo_ps(a, b) } else { _mm256_unpackhi_ps(a, b) }
            });
            let fours: [__m256; 8] = each!(i => {
                let at = i / 4 * 4 + i % 4 / 2;
                let (a, b) = (pairs[at], pairs[at + 2]);
                if i % 2 == 0 { _mm256_shuffle_ps::<0x44>(a, b) } else { _mm256_shuffle_ps::<0xee>(a, b) }
            });
            for i in 0..4 {
                let (a, b) = (fours[i], fours[i + 4]);
                _mm256_storeu_ps(to.add(i * to_step), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(to.add((i + 4) * to_step), _mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    }
);
lanes!(
    #[cfg(target_arch = "x86_64")]
    Avx512(__m512) 16 4 12 4 2 1, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps, |c, a, b| _mm512_fmadd_ps(a, b, c),
    |from| _mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))
);
lanes!(
    #[cfg(target_arch = "aarch64")]
    Neon(float32x4_t) 4 4 4 1 2 4, vdupq_n_f32, vld1q_f32, vst1q_f32, vaddq_f32, vsubq_f32, |c, a, b| vfmaq_f32(c, a, b),
    |from| vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
    const FOURS: bool = true;

    #[inline(always)]
    unsafe fn add_lane<const I: i32>(self, x: Self, w: Self) -> Self {
        // SAFETY: NEON is part of the target.
        Neon(unsafe { vfmaq_laneq_f32::<I>(self.0, w.0, x.0) })
    }
);

/// Implements [`Lanes`] for integers in place of floats, whose bits they are: sums of products, and what is
/// multiplied. `add` and `sub` are of what the type is named after.
#[cfg(target_arch = "x86_64")]
macro_rules! integers {
    (
        $(#[$meta:meta])* $name:ident: $of:ident, $register:ident, $splat:ident, $load:ident, $store:ident,
        $add:ident, $sub:ident, |$sum:ident, $a:ident, $b:ident| $product:expr
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub(crate) struct $name(pub(in crate::simd) $register);

        impl Lanes for $name {
            const N: usize = $of::N;
            const WIDE: usize = $of::WIDE;
            const POSITIONS: usize = $of::POSITIONS;
            const BLOCKS: usize = $of::BLOCKS;
            const SIDE: usize = $of::SIDE;
            const TILES: usize = $of::TILES;

            #[inline(always)]
            unsafe fn splat(v: f32) -> Self {
                // SAFETY: the CPU has the instructions, as promised by the caller; likewise below.
                $name(unsafe { $splat(v.to_bits() as i32) })
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: a register of them is readable, as promised by the caller.
                $name(unsafe { $load(from.cast()) })
            }

            #[inline(always)]
            unsafe fn widen(_: *const u16) -> Self {
                unreachable!("only of floats")
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: a register of them is writable, as promised by the caller.
                unsafe { $store(to.cast(), self.0) }
            }

            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                let ($sum, $a, $b) = (self.0, a.0, b.0);
                // SAFETY: as for `splat`.
                $name(unsafe { $product })
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as for `splat`.
                $name(unsafe { $add(self.0, other.0) })
            }

            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: as for `splat`.
                $name(unsafe { $sub(self.0, other.0) })
            }
        }
    };
    ($(#[$meta:meta])* $name:ident, $add:ident, $sub:ident, |$sum:ident, $a:ident, $b:ident| $product:expr) => {
        integers!(
            $(#[$meta])* $name: Avx2, __m256i, _mm256_set1_epi32, _mm256_loadu_si256, _mm256_storeu_si256,
            $add, $sub, |$sum, $a, $b| $product
        );
    };
}

#[cfg(target_arch = "x86_64")]
integers!(
    /// Eight integers of 32 bits; products are of pairs of 16.
    Sums, _mm256_add_epi32, _mm256_sub_epi32,
    |sum, a, b| _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
);
#[cfg(target_arch = "x86_64")]
integers!(
    /// Eight pairs of integers of 16 bits.
    Pairs, _mm256_add_epi16, _mm256_sub_epi16,
    |sum, a, b| _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
);
#[cfg(target_arch = "x86_64")]
integers!(
    /// Eight integers of 32 bits with AVX-VNNI; products are of four bytes and four signed ones.
    Fours, _mm256_add_epi32, _mm256_sub_epi32, |sum, a, b| _mm256_dpbusd_avx_epi32(sum, a, b)
);
#[cfg(target_arch = "x86_64")]
integers!(
    /// 16 of them with AVX-512 VNNI.
    WideFours: Avx512, __m512i, _mm512_set1_epi32, _mm512_loadu_si512, _mm512_storeu_si512,
    _mm512_add_epi32, _mm512_sub_epi32, |sum, a, b| _mm512_dpbusd_epi32(sum, a, b)
);

#[cfg(target_arch = "aarch64")]
impl Neon {
    /// Stores the values times `scale`, rounded to 16-bit floats.
    ///
    /// # Safety
    /// Four of them are writable.
    #[inline(always)]
    pub unsafe fn narrow(self, scale: f32, to: *mut u16) {
        // SAFETY: as promised by the caller; the conversion is part of NEON.
        unsafe {
            let halves = vcvt_f16_f32(vmulq_n_f32(self.0, scale));
            vst1_u16(to, vreinterpret_u16_f16(halves));
        }
    }
}
