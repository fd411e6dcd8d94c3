//! The sums of a matrix's columns.

use burn::backend::wgpu::CubeTensor;

use super::launch::{Program, launch};
use super::wgsl;

/// Columns that a workgroup sums.
const WIDTH: usize = 16;

/// Writes the sums of the columns of `values`, `rows` x `columns`.
pub fn column_sums(values: &CubeTensor, sums: &CubeTensor, columns: usize, rows: usize) {
    let groups = [columns.div_ceil(WIDTH) as u32, 1, 1];
    launch(ColumnSums, groups, &[values], &[sums], &[columns as u32, rows as u32]);
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct ColumnSums;

impl Program for ColumnSums {
    fn name(&self) -> &'static str {
        "column sums"
    }

    fn text(&self) -> String {
        wgsl::bindings(&[("values", "f32"), ("sums", "f32")])
            + include_str!("column_sums.wgsl")
            + &wgsl::per_group(256)
    }
}
