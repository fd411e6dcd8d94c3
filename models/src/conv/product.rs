//! The matrix product under every convolution on a CPU.
//!
//! One register tile of [`ROWS`] x [`COLUMNS`] sums is kept while the whole inner dimension passes; the right factor
//! comes packed in panels of [`COLUMNS`], so that a step reads two registers and broadcasts eight numbers for sixteen
//! multiply-adds of sixteen lanes. Every sum runs over the inner dimension in order, whatever the instruction set and
//! the number of threads, so that they all give the same bits.

use pulp::{Arch, Simd, WithSimd};

/// Rows of a tile.
const ROWS: usize = 8;
/// Rows of a panel of a packed left factor: two tiles, so that a register of any CPU goes there in one piece.
pub const PANEL: usize = 16;
/// Columns of a tile, and of a panel of the right factor.
pub const COLUMNS: usize = 32;

type Sums = [[f32; COLUMNS]; ROWS];

/// A left factor of `rows` x `inner`.
#[derive(Clone, Copy)]
pub enum Left<'a> {
    /// Row after row, `stride` apart, each `inner` long at least.
    Rows {
        /// The numbers.
        values: &'a [f32],
        /// From a row to the next.
        stride: usize,
    },
    /// Panels of [`PANEL`] rows, `[rows / PANEL][inner][PANEL]`, the last one filled up with anything.
    Panels(&'a [f32]),
}

/// `to = left * right`, or `to += left * right`, of `rows` x `inner` times `inner` x `columns`.
pub struct Product<'a> {
    /// Rows of `left` and of `to`.
    pub rows: usize,
    /// Columns of `left`, rows of `right`.
    pub inner: usize,
    /// Columns of `right` and of `to`.
    pub columns: usize,
    /// The left factor.
    pub left: Left<'a>,
    /// The right factor in panels, `[columns / COLUMNS][inner][COLUMNS]`, the last one filled up with anything.
    pub right: &'a [f32],
    /// Rows of `columns` numbers, `stride` apart.
    pub to: &'a mut [f32],
    /// From a row of `to` to the next.
    pub stride: usize,
    /// Whether to add to what is there.
    pub add: bool,
}

impl Product<'_> {
    /// Computes it on this thread.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

/// Numbers of a packed factor of `width` x `inner`, in panels of `panel`.
pub fn packed_len(width: usize, inner: usize, panel: usize) -> usize {
    width.div_ceil(panel) * panel * inner
}

/// Where the numbers of a packed factor lie.
#[derive(Clone, Copy)]
pub struct Panels {
    inner: usize,
    width: usize,
}

impl Panels {
    /// Panels of `width`, each with `inner` times as many numbers.
    pub fn new(inner: usize, width: usize) -> Panels {
        Panels { inner, width }
    }

    /// Where the number at `k` of the inner dimension and `at` of the other lies.
    #[inline(always)]
    pub fn place(self, k: usize, at: usize) -> usize {
        (at / self.width * self.inner + k) * self.width + at % self.width
    }

    /// Puts numbers that follow each other across panels, at `k` of the inner dimension, from `from` on.
    #[inline(always)]
    pub fn put(self, to: &mut [f32], k: usize, from: usize, values: &[f32]) {
        let (mut at, mut left) = (from, values);
        while !left.is_empty() {
            let run = (self.width - at % self.width).min(left.len());
            let to = &mut to[self.place(k, at)..][..run];
            to.copy_from_slice(&left[..run]);
            at += run;
            left = &left[run..];
        }
    }
}

impl WithSimd for Product<'_> {
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

/// Eight rows of a left factor.
trait Eight: Copy {
    /// The number in row `r` at `k` of the inner dimension.
    fn at(&self, r: usize, k: usize) -> f32;
}

#[derive(Clone, Copy)]
struct Strided<'a>([&'a [f32]; ROWS]);

impl Eight for Strided<'_> {
    #[inline(always)]
    fn at(&self, r: usize, k: usize) -> f32 {
        self.0[r][k]
    }
}

#[derive(Clone, Copy)]
struct Packed<'a, const FROM: usize>(&'a [[f32; PANEL]]);

impl<const FROM: usize> Eight for Packed<'_, FROM> {
    #[inline(always)]
    fn at(&self, r: usize, k: usize) -> f32 {
        self.0[k][FROM + r]
    }
}

/// Fills the register file with sums, and not more: sixteen registers of them where there are 32, else eight.
#[inline(always)]
fn tile<S: Simd, L: Eight>(simd: S, left: L, right: &[[f32; COLUMNS]], sums: &mut Sums) {
    if S::REGISTER_COUNT >= 32 {
        block::<S, L, 8>(simd, left, right, sums);
    } else {
        block::<S, L, 4>(simd, left, right, sums);
    }
}

#[inline(always)]
fn block<S: Simd, L: Eight, const R: usize>(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_product() {
        // rows, inner, columns: whole tiles, edges in each direction, a single number.
        let cases = [(8, 16, 32), (16, 5, 64), (1, 1, 1), (9, 7, 33), (3, 40, 100), (65, 3, 12)];
        for (rows, inner, columns) in cases {
            let a = |r: usize, k: usize| ((r * 7 + k * 3) % 11) as f32 - 5.0;
            let b = |k: usize, c: usize| ((k * 5 + c) % 13) as f32 * 0.5 - 3.0;
            let mut straight = vec![f32::NAN; rows * (inner + 2)];
            let mut panels = vec![f32::NAN; packed_len(rows, inner, PANEL)];
            for r in 0..rows {
                for k in 0..inner {
                    straight[r * (inner + 2) + k] = a(r, k);
                    panels[r / PANEL * inner * PANEL + k * PANEL + r % PANEL] = a(r, k);
                }
            }
            let mut right = vec![f32::NAN; packed_len(columns, inner, COLUMNS)];
            for k in 0..inner {
                for c in 0..columns {
                    right[c / COLUMNS * inner * COLUMNS + k * COLUMNS + c % COLUMNS] = b(k, c);
                }
            }
            let stride = inner + 2;
            for left in [Left::Rows { values: &straight, stride }, Left::Panels(&panels)] {
                for add in [false, true] {
                    let mut to = vec![1.0; rows * (columns + 1)];
                    Product {
                        rows,
                        inner,
                        columns,
                        left,
                        right: &right,
                        to: &mut to,
                        stride: columns + 1,
                        add,
                    }
                    .run();
                    for r in 0..rows {
                        for c in 0..columns {
                            let sum: f32 = (0..inner).map(|k| a(r, k) * b(k, c)).sum();
                            let want = if add { 1.0 + sum } else { sum };
                            assert_eq!(to[r * (columns + 1) + c], want, "{rows} {inner} {columns}");
                        }
                        assert_eq!(to[r * (columns + 1) + columns], 1.0, "wrote beyond a row");
                    }
                }
            }
        }
    }
}
