//! The matrix product that every convolution on a CPU becomes.
//!
//! A tile of [`ROWS`] x [`COLUMNS`] sums stays in registers over the whole inner dimension. The
//! right factor is packed in panels of [`COLUMNS`], so that each step loads two registers and
//! broadcasts eight values for sixteen multiply-adds of sixteen lanes. Every sum runs over the
//! inner dimension in order, so the bits do not depend on the instruction set or on the number of
//! threads.
//!
//! Either factor may also lie in a feature map as it is: [`Left::Bands`], [`Left::Columns`] and
//! [`Right::Rows`] are the windows of a convolution of stride 1, which nothing has to unroll.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// Rows of a tile.
pub const ROWS: usize = 8;
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
    /// Rows in pieces: the value in row `r` at `k` is
    /// `values[r * stride + k / band * step + k % band]`.
    Bands {
        /// The values.
        values: &'a [f32],
        /// From the start of a row to the next.
        stride: usize,
        /// Values in a piece; a divisor of `inner`.
        band: usize,
        /// From the start of a piece to the next.
        step: usize,
    },
    /// Column after column: the value in row `r` at `k` is `values[k * stride + r]`. The last column
    /// is followed by values, arbitrary ones, up to the end of a tile of [`ROWS`].
    Columns {
        /// The values.
        values: &'a [f32],
        /// From the start of a column to the next.
        stride: usize,
    },
    /// Panels of [`PANEL`] rows, `[rows / PANEL][inner][PANEL]`, with arbitrary values behind the
    /// last row.
    Panels(&'a [f32]),
}

/// The right factor, `inner` x `columns`.
#[derive(Clone, Copy)]
pub enum Right<'a> {
    /// Panels of [`COLUMNS`] columns, `[columns / COLUMNS][inner][COLUMNS]`, with arbitrary values
    /// behind the last column.
    Panels(&'a [f32]),
    /// Row after row. The last row is followed by values, arbitrary ones, up to a multiple of
    /// [`COLUMNS`].
    Rows {
        /// The values.
        values: &'a [f32],
        /// From the start of a row to the next.
        stride: usize,
    },
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
    /// The right factor.
    pub right: Right<'a>,
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
    fn with_simd<S: Simd>(mut self, simd: S) {
        for (panel, from) in (0..self.columns).step_by(COLUMNS).enumerate() {
            match self.right {
                Right::Panels(values) => {
                    let len = self.inner * COLUMNS;
                    let values = values[panel * len..][..len].as_chunks().0;
                    self.columns(simd, from, PackedColumns(values));
                }
                Right::Rows { values, stride } => {
                    self.columns(simd, from, StridedColumns { values: &values[from..], stride });
                }
            }
        }
    }
}

impl Gemm<'_> {
    /// The columns `from..from + COLUMNS` of the product.
    #[inline(always)]
    fn columns<S: Simd>(&mut self, simd: S, from: usize, right: impl Columns) {
        let (rows, inner) = (self.rows, self.inner);
        let width = COLUMNS.min(self.columns - from);
        for first in (0..rows).step_by(ROWS) {
            let size = [ROWS.min(rows - first), width];
            let mut sums: Sums = [[0.0; COLUMNS]; ROWS];
            match self.left {
                Left::Rows { values, stride } => {
                    let left = Strided::new(values, stride, inner, first..rows);
                    tile(simd, [(left, 0..inner)].into_iter(), right, size, &mut sums);
                }
                Left::Bands { values, stride, band, step } => {
                    let bands = (0..inner / band).map(|i| {
                        let values = &values[i * step..];
                        let left = Strided::new(values, stride, band, first..rows);
                        (left, i * band..(i + 1) * band)
                    });
                    tile(simd, bands, right, size, &mut sums);
                }
                Left::Columns { values, stride } => {
                    let left = Shifted { values: &values[first..], stride };
                    tile(simd, [(left, 0..inner)].into_iter(), right, size, &mut sums);
                }
                Left::Panels(values) => {
                    let panel = &values[first / PANEL * PANEL * inner..][..inner * PANEL];
                    let panel = panel.as_chunks().0;
                    match first % PANEL {
                        0 => {
                            let left = Packed::<0>(panel);
                            tile(simd, [(left, 0..inner)].into_iter(), right, size, &mut sums);
                        }
                        _ => {
                            let left = Packed::<ROWS>(panel);
                            tile(simd, [(left, 0..inner)].into_iter(), right, size, &mut sums);
                        }
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

/// [`ROWS`] rows of a left factor, or of a piece of it.
trait Rows: Copy {
    /// The value in row `r` at `k` of the inner dimension.
    fn at(&self, r: usize, k: usize) -> f32;
}

#[derive(Clone, Copy)]
struct Strided<'a>([&'a [f32]; ROWS]);

impl<'a> Strided<'a> {
    /// The first `len` values of each of `rows`; the last row stands for those that a tile lacks.
    #[inline(always)]
    fn new(values: &'a [f32], stride: usize, len: usize, rows: Range<usize>) -> Strided<'a> {
        let row = |r: usize| &values[(rows.start + r).min(rows.end - 1) * stride..][..len];
        Strided([row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)])
    }
}

impl Rows for Strided<'_> {
    #[inline(always)]
    fn at(&self, r: usize, k: usize) -> f32 {
        self.0[r][k]
    }
}

#[derive(Clone, Copy)]
struct Shifted<'a> {
    values: &'a [f32],
    stride: usize,
}

impl Rows for Shifted<'_> {
    #[inline(always)]
    fn at(&self, r: usize, k: usize) -> f32 {
        self.values[k * self.stride..][..ROWS][r]
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

/// [`COLUMNS`] columns of a right factor.
trait Columns: Copy {
    /// The values at `k` of the inner dimension.
    fn at(&self, k: usize) -> &[f32];
}

#[derive(Clone, Copy)]
struct PackedColumns<'a>(&'a [[f32; COLUMNS]]);

impl Columns for PackedColumns<'_> {
    #[inline(always)]
    fn at(&self, k: usize) -> &[f32] {
        &self.0[k]
    }
}

#[derive(Clone, Copy)]
struct StridedColumns<'a> {
    values: &'a [f32],
    stride: usize,
}

impl Columns for StridedColumns<'_> {
    #[inline(always)]
    fn at(&self, k: usize) -> &[f32] {
        &self.values[k * self.stride..][..COLUMNS]
    }
}

/// The sums of a tile of `size` rows and columns over `bands`, pieces of the left factor with their
/// places in the inner dimension. Keeps as many sums as the register file holds: sixteen registers of them if there are
/// 32, else eight.
#[inline(always)]
fn tile<S: Simd, L: Rows>(
    simd: S,
    bands: impl Iterator<Item = (L, Range<usize>)> + Clone,
    right: impl Columns,
    size: [usize; 2],
    sums: &mut Sums,
) {
    if size[1] <= S::F32_LANES {
        // One register holds all columns.
        block::<S, L, ROWS, 1>(simd, bands, right, size, sums);
    } else if S::REGISTER_COUNT >= 32 {
        block::<S, L, ROWS, 2>(simd, bands, right, size, sums);
    } else {
        block::<S, L, 4, 2>(simd, bands, right, size, sums);
    }
}

/// The sums of a tile, `R` rows and `N` registers of columns at a time.
#[inline(always)]
fn block<S: Simd, L: Rows, const R: usize, const N: usize>(
    simd: S,
    bands: impl Iterator<Item = (L, Range<usize>)> + Clone,
    right: impl Columns,
    [height, width]: [usize; 2],
    sums: &mut Sums,
) {
    let wide = N * S::F32_LANES;
    for row in (0..height).step_by(R) {
        for column in (0..width).step_by(wide) {
            let mut sum = [[simd.splat_f32s(0.0); N]; R];
            for (left, range) in bands.clone() {
                let first = range.start;
                for k in range {
                    let right = S::as_simd_f32s(&right.at(k)[column..column + wide]).0;
                    let mut b = [simd.splat_f32s(0.0); N];
                    let mut n = 0;
                    while n < N {
                        b[n] = right[n];
                        n += 1;
                    }
                    let mut r = 0;
                    while r < R {
                        let a = simd.splat_f32s(left.at(row + r, k - first));
                        let mut n = 0;
                        while n < N {
                            sum[r][n] = simd.mul_add_e_f32s(a, b[n], sum[r][n]);
                            n += 1;
                        }
                        r += 1;
                    }
                }
            }
            let mut r = 0;
            while r < R {
                let to = S::as_mut_simd_f32s(&mut sums[row + r][column..column + wide]).0;
                to[..N].copy_from_slice(&sum[r]);
                r += 1;
            }
        }
    }
}
