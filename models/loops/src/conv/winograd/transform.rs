//! The transforms of inputs, outputs and taps, on registers of channels.

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};

use super::super::gemm::Panels;

/// Products in a tile.
pub const POINTS: usize = 9;
/// Parities of an input pixel: `2 * (row % 2) + column % 2`, counted in the padded image.
pub const PARITIES: usize = 4;

/// One row for each product of a tile.
pub fn nine<'a>(at: impl Fn(usize) -> &'a [f32]) -> [&'a [f32]; POINTS] {
    core::array::from_fn(at)
}

/// A linear map from `I` values to `O`, on registers of them.
pub trait Transform<const I: usize, const O: usize> {
    fn apply<S: Simd>(simd: S, from: [S::f32s; I]) -> [S::f32s; O];
}

/// Inputs to left factors: `d` to `d0 - d1, d1, d2 - d1`, down and across.
pub struct Input;

impl Transform<9, 9> for Input {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, d: [S::f32s; 9]) -> [S::f32s; 9] {
        let down =
            |j: usize| [simd.sub_f32s(d[j], d[3 + j]), d[3 + j], simd.sub_f32s(d[6 + j], d[3 + j])];
        let [a, b, c] = [down(0), down(1), down(2)];
        let across = |i: usize| [simd.sub_f32s(a[i], b[i]), b[i], simd.sub_f32s(c[i], b[i])];
        let [a, b, c] = [across(0), across(1), across(2)];
        [a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]]
    }
}

/// The adjoint of [`Input`]: gradients by factors to gradients by inputs.
pub struct InputAdjoint;

impl Transform<9, 9> for InputAdjoint {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, v: [S::f32s; 9]) -> [S::f32s; 9] {
        let middle = |a, b, c| simd.sub_f32s(b, simd.add_f32s(a, c));
        let across = |i: usize| [v[i], middle(v[i], v[i + 1], v[i + 2]), v[i + 2]];
        let [a, b, c] = [across(0), across(3), across(6)];
        let m = [middle(a[0], b[0], c[0]), middle(a[1], b[1], c[1]), middle(a[2], b[2], c[2])];
        [a[0], a[1], a[2], m[0], m[1], m[2], c[0], c[1], c[2]]
    }
}

/// Products to outputs: `m` to `m0 + m1, m1 + m2`, down and across.
pub struct Output;

impl Transform<9, 4> for Output {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, m: [S::f32s; 9]) -> [S::f32s; 4] {
        let down = |j: usize| [simd.add_f32s(m[j], m[3 + j]), simd.add_f32s(m[3 + j], m[6 + j])];
        let [a, b, c] = [down(0), down(1), down(2)];
        [
            simd.add_f32s(a[0], b[0]),
            simd.add_f32s(b[0], c[0]),
            simd.add_f32s(a[1], b[1]),
            simd.add_f32s(b[1], c[1]),
        ]
    }
}

/// The adjoint of [`Output`]: gradients by outputs to gradients by products. It has the
/// coefficients of the taps' transform, and serves as that too.
pub struct OutputAdjoint;

impl Transform<4, 9> for OutputAdjoint {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, y: [S::f32s; 4]) -> [S::f32s; 9] {
        let [a, b, c, d] = y;
        let (ab, cd) = (simd.add_f32s(a, b), simd.add_f32s(c, d));
        let (ac, bd) = (simd.add_f32s(a, c), simd.add_f32s(b, d));
        [a, ab, b, ac, simd.add_f32s(ab, cd), bd, c, cd, d]
    }
}

/// Where the output of a transform goes.
pub trait Target<const O: usize>: Copy {
    /// Whether it is added to the contents.
    const ADD: bool = false;

    /// The index of output `o` of channel `c`, if it is kept. The next channels follow it.
    fn index(&self, o: usize, c: usize) -> Option<usize>;
}

/// Rows at this distance.
#[derive(Clone, Copy)]
pub struct Apart(pub usize);

impl<const O: usize> Target<O> for Apart {
    #[inline(always)]
    fn index(&self, o: usize, c: usize) -> Option<usize> {
        Some(o * self.0 + c)
    }
}

/// Rows at these indices.
#[derive(Clone, Copy)]
pub struct Places<const O: usize>(pub [usize; O]);

impl<const O: usize> Target<O> for Places<O> {
    #[inline(always)]
    fn index(&self, o: usize, c: usize) -> Option<usize> {
        Some(self.0[o] + c)
    }
}

/// Added to rows at these indices; those outside the image are dropped.
#[derive(Clone, Copy)]
pub struct Added<const O: usize>(pub [Option<usize>; O]);

impl<const O: usize> Target<O> for Added<O> {
    const ADD: bool = true;

    #[inline(always)]
    fn index(&self, o: usize, c: usize) -> Option<usize> {
        self.0[o].map(|at| at + c)
    }
}

/// One row each of `O` packed factors.
#[derive(Clone, Copy)]
pub struct Packed {
    /// The order of a factor.
    pub panels: Panels,
    /// From one factor to the next.
    pub len: usize,
    /// The row, an index of the inner dimension.
    pub row: usize,
    /// The index of the first channel in the other dimension.
    pub first: usize,
}

impl<const O: usize> Target<O> for Packed {
    #[inline(always)]
    fn index(&self, o: usize, c: usize) -> Option<usize> {
        Some(o * self.len + self.panels.index(self.row, self.first + c))
    }
}

/// Transforms `I` rows of channels into `O` rows of `to`, at the indices of `target`.
#[inline(always)]
pub fn transform<L: Transform<I, O>, const I: usize, const O: usize>(
    from: [&[f32]; I],
    to: &mut [f32],
    target: impl Target<O>,
) {
    Arch::new().dispatch(Map::<L, _, I, O> { from, to, target, map: PhantomData });
}

struct Map<'a, L, T, const I: usize, const O: usize> {
    from: [&'a [f32]; I],
    to: &'a mut [f32],
    target: T,
    map: PhantomData<L>,
}

impl<L, T, const I: usize, const O: usize> WithSimd for Map<'_, L, T, I, O>
where
    L: Transform<I, O>,
    T: Target<O>,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let len = self.from[0].len();
        let whole = len - len % S::F32_LANES;
        let mut at = 0;
        while at < whole {
            let mut values = [simd.splat_f32s(0.0); I];
            let mut i = 0;
            while i < I {
                values[i] = S::as_simd_f32s(&self.from[i][at..at + S::F32_LANES]).0[0];
                i += 1;
            }
            let values = L::apply(simd, values);
            let mut o = 0;
            while o < O {
                if let Some(index) = self.target.index(o, at) {
                    let to = &mut self.to[index..index + S::F32_LANES];
                    let to = &mut S::as_mut_simd_f32s(to).0[0];
                    *to = match T::ADD {
                        true => simd.add_f32s(*to, values[o]),
                        false => values[o],
                    };
                }
                o += 1;
            }
            at += S::F32_LANES;
        }
        if at < len {
            let mut values = [simd.splat_f32s(0.0); I];
            let mut i = 0;
            while i < I {
                values[i] = simd.partial_load_f32s(&self.from[i][at..len]);
                i += 1;
            }
            let values = L::apply(simd, values);
            let mut o = 0;
            while o < O {
                if let Some(index) = self.target.index(o, at) {
                    let to = &mut self.to[index..index + len - at];
                    let sum = match T::ADD {
                        true => simd.add_f32s(simd.partial_load_f32s(to), values[o]),
                        false => values[o],
                    };
                    simd.partial_store_f32s(to, sum);
                }
                o += 1;
            }
        }
    }
}
