//! The matrix product that every convolution on a CPU becomes.
//!
//! A tile of [`ROWS`] x [`COLUMNS`] sums stays in registers over the whole inner dimension. The
//! right factor is packed in panels of [`COLUMNS`], so that each step loads two registers and
//! broadcasts eight values for sixteen multiply-adds of sixteen lanes. Every sum runs over the
//! inner dimension in order, so the bits do not depend on the instruction set or on the number of
//! threads.

use pulp::{Arch, Simd, WithSimd};

/// Rows of a tile.
const ROWS: usize = 8;
/// Rows of a panel of a packed left factor: two tiles, so that a register of any CPU is stored in
/// one piece.
pub const PANEL: usize = 16;
/// Columns of a tile, and of a panel of the right factor.
pub const COLUMNS: usize = 32;

type Sums = [[f32; COLUMNS]; ROWS];

/// The left factor, `rows` x `inner`.
#[derive(Clone, Copy)]
pub enum Left<'a> {
    /// Row after row, each at least `inner` long.
    Rows {
        /// The values.
        values: &'a [f32],
        /// From the start of a row to the next.
        stride: usize,
    },
    /// Panels of [`PANEL`] rows, `[rows / PANEL][inner][PANEL]`, with arbitrary values behind the
    /// last row.
    Panels(&'a [f32]),
}

/// `to = left * right` or `to += left * right`: `rows` x `inner` times `inner` x `columns`.
pub struct Gemm<'a> {
    /// Rows of `left` and of `to`.
    pub rows: usize,
    /// Columns of `left`, rows of `right`.
    pub inner: usize,
    /// Columns of `right` and of `to`.
    pub columns: usize,
    /// The left factor.
    pub left: Left<'a>,
    /// The right factor in panels, `[columns / COLUMNS][inner][COLUMNS]`, with arbitrary values
    /// behind the last column.
    pub right: &'a [f32],
    /// The result, rows of `columns` values.
    pub to: &'a mut [f32],
    /// From the start of a row of `to` to the next.
    pub stride: usize,
    /// Whether to add to the contents of `to`.
    pub add: bool,
}

impl Gemm<'_> {
    /// Computes the product on this thread.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

/// Values in a packed factor of `width` x `inner`, in panels of `panel`.
pub fn packed_len(width: usize, inner: usize, panel: usize) -> usize {
    width.div_ceil(panel) * panel * inner
}

/// The order of a packed factor.
#[derive(Clone, Copy)]
pub struct Panels {
    inner: usize,
    width: usize,
}

impl Panels {
    /// Panels of `width` x `inner`.
    pub fn new(inner: usize, width: usize) -> Panels {
        Panels { inner, width }
    }

    /// The index of the value at `k` of the inner dimension and `at` of the other.
    #[inline(always)]
    pub fn index(self, k: usize, at: usize) -> usize {
        (at / self.width * self.inner + k) * self.width + at % self.width
    }

    /// Writes `values` at `k` of the inner dimension, from `from` of the other on, across panels.
    #[inline(always)]
    pub fn put(self, to: &mut [f32], k: usize, from: usize, values: &[f32]) {
        let (mut at, mut left) = (from, values);
        while !left.is_empty() {
            let run = (self.width - at % self.width).min(left.len());
            let to = &mut to[self.index(k, at)..][..run];
            to.copy_from_slice(&left[..run]);
            at += run;
            left = &left[run..];
        }
    }
}

impl WithSimd for Gemm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, inner) = (self.rows, self.inner);
        let panels = self.right.chunks_exact(inner * COLUMNS);
        for (panel, right) in panels.enumerate().take(self.columns.div_ceil(COLUMNS)) {
            let right = right.as_chunks::<COLUMNS>().0;
            let from = panel * COLUMNS;
            let width = COLUMNS.min(self.columns - from);
            for first in (0..rows).step_by(ROWS) {
                let mut sums: Sums = [[0.0; COLUMNS]; ROWS];
                match self.left {
                    Left::Rows { values, stride } => {
                        let row = |r: usize| &values[(first + r).min(rows - 1) * stride..][..inner];
                        let rows = [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)];
                        tile(simd, Strided(rows), right, &mut sums);
                    }
                    Left::Panels(values) => {
                        let panel = &values[first / PANEL * PANEL * inner..][..inner * PANEL];
                        let panel = panel.as_chunks().0;
                        match first % PANEL {
                            0 => tile(simd, Packed::<0>(panel), right, &mut sums),
                            _ => tile(simd, Packed::<ROWS>(panel), right, &mut sums),
                        }
                    }
                }
                for (r, sums) in sums.iter().enumerate().take(rows - first) {
                    let to = &mut self.to[(first + r) * self.stride + from..][..width];
                    if self.add {
                        to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
                    } else {
                        to.copy_from_slice(&sums[..width]);
                    }
                }
            }
        }
    }
}

/// [`ROWS`] rows of a left factor.
trait Rows: Copy {
    /// The value in row `r` at `k` of the inner dimension.
    fn at(&self, r: usize, k: usize) -> f32;
}

#[derive(Clone, Copy)]
struct Strided<'a>([&'a [f32]; ROWS]);

impl Rows for Strided<'_> {
    #[inline(always)]
    fn at(&self, r: usize, k: usize) -> f32 {
        self.0[r][k]
    }
}

#[derive(Clone, Copy)]
struct Packed<'a, const FROM: usize>(&'a [[f32; PANEL]]);

impl<const FROM: usize> Rows for Packed<'_, FROM> {
    #[inline(always)]
    fn at(&self, r: usize, k: usize) -> f32 {
        self.0[k][FROM + r]
    }
}

/// Keeps as many sums as the register file holds: sixteen registers of them if there are 32, else
/// eight.
#[inline(always)]
fn tile<S: Simd, L: Rows>(simd: S, left: L, right: &[[f32; COLUMNS]], sums: &mut Sums) {
    if S::REGISTER_COUNT >= 32 {
        block::<S, L, 8>(simd, left, right, sums);
    } else {
        block::<S, L, 4>(simd, left, right, sums);
    }
}

#[inline(always)]
fn block<S: Simd, L: Rows, const R: usize>(
    simd: S,
    left: L,
    right: &[[f32; COLUMNS]],
    sums: &mut Sums,
) {
    let wide = 2 * S::F32_LANES;
    for row in (0..ROWS).step_by(R) {
        for column in (0..COLUMNS).step_by(wide) {
            let mut sum = [[simd.splat_f32s(0.0); 2]; R];
            for (k, right) in right.iter().enumerate() {
                let right = S::as_simd_f32s(&right[column..column + wide]).0;
                let (b0, b1) = (right[0], right[1]);
                let mut r = 0;
                while r < R {
                    let a = simd.splat_f32s(left.at(row + r, k));
                    sum[r][0] = simd.mul_add_e_f32s(a, b0, sum[r][0]);
                    sum[r][1] = simd.mul_add_e_f32s(a, b1, sum[r][1]);
                    r += 1;
                }
            }
            let mut r = 0;
            while r < R {
                let to = S::as_mut_simd_f32s(&mut sums[row + r][column..column + wide]).0;
                to[0] = sum[r][0];
                to[1] = sum[r][1];
                r += 1;
            }
        }
    }
}
