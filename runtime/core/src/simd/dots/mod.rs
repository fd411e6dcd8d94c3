//! Sums of products, 16 lanes at a time: of bytes, with one type per instruction set, and of
//! floats.

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
pub(super) mod half;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(crate) use arm::{Mmla, Neon, Sdot};
#[cfg(target_arch = "x86_64")]
pub(crate) use avx_vnni::AvxVnni;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Vnni};

use core::ops::Range;

use super::lanes::{Lanes, Stored};
use super::prefetch::prefetch;
use crate::int8::{self, TOGETHER, requantize};
use crate::layer::Int8;
use crate::layout::{LANES, QUAD};

/// 16 sums.
pub(crate) trait Dots: Copy {
    /// Most positions, and most blocks of lanes, whose sums fit into registers.
    const WIDE: usize;
    /// See [`Dots::WIDE`].
    const DEEP: usize;
    /// Blocks of lanes that, with rows of one and of two positions, are computed at a time; 0: no more
    /// than elsewhere.
    const NARROW: [usize; 2] = [0; 2];
    /// Whether the compiler computes products of the same numbers once.
    #[cfg(feature = "std")]
    const FOLDED: bool = false;
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

    /// What the sums of a block of lanes start from, given its `n` weights. `scale` is that of 16-bit
    /// floats.
    ///
    /// # Safety
    /// `n` weights are readable, a multiple of 16 times [`Dots::QUAD`].
    #[inline(always)]
    unsafe fn start(_weight: *const Self::Weight, _n: usize, _scale: f32) -> Self {
        // SAFETY: as promised by the caller.
        unsafe { Self::zero() }
    }

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
        unsafe { add_inputs(sums, under, (weight, of_block), 0..depth) };
    }

    /// Ends the sums of `P` positions to which all taps were added: until then, those of neighboring
    /// positions may share registers.
    ///
    /// # Safety
    /// As [`Dots::zero`].
    #[inline(always)]
    unsafe fn end<const P: usize, const B: usize>(_sums: &mut [[Self; B]; P]) {}

    /// The sums.
    ///
    /// # Safety
    /// As [`Dots::zero`].
    unsafe fn sums(self) -> [Self::Sum; LANES];

    /// Whether an input adds nothing to a sum.
    fn is_zero(x: Self::X) -> bool;
}

/// Sums of byte products.
pub(crate) trait Bytes: Dots<X = u8, Weight = i8, Sum = i32> {
    /// Sums that are best turned into bytes together, 1 or [`TOGETHER`].
    const TOGETHER: usize = 1;

    /// The bytes of [`TOGETHER`] sums of the same lanes.
    ///
    /// # Safety
    /// As [`Dots::zero`].
    #[inline(always)]
    unsafe fn together(
        sums: [Self; TOGETHER],
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        int8: &Int8<'_>,
    ) -> [[u8; LANES]; TOGETHER] {
        // SAFETY: as promised by the caller.
        unsafe { Self::one_by_one(sums, bias, scale, int8) }
    }

    /// What [`Bytes::together`] does.
    ///
    /// # Safety
    /// As [`Dots::zero`].
    #[inline(always)]
    unsafe fn one_by_one(
        sums: [Self; TOGETHER],
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        int8: &Int8<'_>,
    ) -> [[u8; LANES]; TOGETHER] {
        // SAFETY: as promised by the caller.
        unsafe {
            each!(i => {
                let values = sums[i].requantized(bias, scale, int8.shift, int8.span());
                int8::bytes(&values, int8.table)
            })
        }
    }

    /// Bytes as a table of all bytes has them.
    ///
    /// # Safety
    /// As [`Dots::zero`].
    #[inline(always)]
    unsafe fn map(x: &[u8], table: &[u8], y: &mut [u8]) {
        int8::mapped(x, table, y);
    }

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

/// Adds the products of a range of the inputs, one step after another; see [`Dots::add_tap`].
///
/// # Safety
/// As [`Dots::add_tap`], whose `depth` is the end of the range.
#[inline(always)]
unsafe fn add_inputs<D: Dots, const P: usize, const B: usize>(
    sums: &mut [[D; B]; P],
    under: [*const D::X; P],
    (weight, of_block): (*const D::Weight, usize),
    inputs: Range<usize>,
) {
    // SAFETY: as promised by the caller.
    unsafe {
        for quad in inputs.step_by(D::QUAD) {
            ahead::<_, P, B>(weight.wrapping_add(quad * LANES), of_block);
            let w: [D::Weights; B] =
                each!(b => D::weights(weight.add(b * of_block + quad * LANES)));
            for (sums, under) in sums.iter_mut().zip(under) {
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = sum.add_products(under.add(quad), w);
                }
            }
        }
    }
}

/// With one position each weight is used once: fetches those of the blocks that come next.
#[inline(always)]
fn ahead<T, const P: usize, const B: usize>(weight: *const T, of_block: usize) {
    if P == 1 {
        for b in B..2 * B {
            prefetch(weight.wrapping_add(b * of_block));
        }
    }
}

/// `N` registers of floats, 16 in all.
#[derive(Clone, Copy)]
pub(crate) struct Row<L, W, const N: usize>([L; N], core::marker::PhantomData<W>);

impl<L: Lanes, W: Stored, const N: usize> Row<L, W, N> {
    /// Adds the products of lane `I` of each `x`, if [`Lanes::FOURS`].
    ///
    /// # Safety
    /// As [`Dots::add_products`], of [`Dots::weights`] at `weight` and `of_block` further on.
    #[inline(always)]
    unsafe fn add_lane<const P: usize, const B: usize, const I: i32>(
        sums: &mut [[Self; B]; P],
        x: [L; P],
        weight: *const W,
        of_block: usize,
    ) {
        ahead::<_, P, B>(weight, of_block);
        for b in 0..B {
            // SAFETY: as promised by the caller.
            unsafe {
                let w = Self::weights(weight.add(b * of_block));
                for (sums, x) in sums.iter_mut().zip(x) {
                    for (sum, w) in sums[b].0.iter_mut().zip(w) {
                        *sum = sum.add_lane::<I>(x, w);
                    }
                }
            }
        }
    }
}

impl<L: Lanes, W: Stored, const N: usize> Dots for Row<L, W, N> {
    const WIDE: usize = L::POSITIONS;
    const DEEP: usize = L::BLOCKS;
    const NARROW: [usize; 2] = L::NARROW;
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
        unsafe { each!(i => W::load(from.add(i * L::N))) }
    }

    #[inline(always)]
    unsafe fn add_products(self, x: *const f32, weights: [L; N]) -> Self {
        // SAFETY: a float is readable.
        let x = unsafe { L::splat(*x) };
        // SAFETY: as for `zero`.
        let sums = unsafe { each!(i => self.0[i].add_product(x, weights[i])) };
        Row(sums, core::marker::PhantomData)
    }

    #[inline(always)]
    unsafe fn add_tap<const P: usize, const B: usize>(
        sums: &mut [[Self; B]; P],
        under: [*const f32; P],
        (weight, of_block): (*const W, usize),
        depth: usize,
        _lanes: usize,
    ) {
        let fours = if L::FOURS { depth - depth % 4 } else { 0 };
        // SAFETY: as promised by the caller.
        unsafe {
            for at in (0..fours).step_by(4) {
                let x: [L; P] = each!(p => L::load(under[p].add(at)));
                let weight = weight.add(at * LANES);
                Row::add_lane::<P, B, 0>(sums, x, weight, of_block);
                Row::add_lane::<P, B, 1>(sums, x, weight.add(LANES), of_block);
                Row::add_lane::<P, B, 2>(sums, x, weight.add(2 * LANES), of_block);
                Row::add_lane::<P, B, 3>(sums, x, weight.add(3 * LANES), of_block);
            }
            add_inputs(sums, under, (weight, of_block), fours..depth);
        }
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

    #[inline(always)]
    fn is_zero(x: f32) -> bool {
        x == 0.0
    }
}

/// 16 integers, which the compiler vectorizes as the target allows.
#[derive(Clone, Copy)]
pub(crate) struct Portable(pub(in crate::simd) [i32; LANES]);

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

    #[inline(always)]
    fn is_zero(x: u8) -> bool {
        x == 0
    }
}

impl Bytes for Portable {}
