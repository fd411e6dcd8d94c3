//! The passes of a convolution on a GPU.

mod few_channels;
pub mod measure;
mod plan;

use burn::backend::wgpu::CubeTensor;

pub use plan::{
    GemmShape, Plan, as_matmul, candidates, matrix_units, parts, plan, set_matrix_units,
};

use super::gemm::{Access, Gemm, Pass};
use super::launch::{Program, grid, launch};
use super::machine::Machine;
use super::note::{Note, note};
use super::tensor::{channels_last, empty, empty_channels_last};
use super::wgsl;
use crate::kernels::ConvShape;

/// What the left and the right factor are multiplied by, to bring them into the range of 16-bit
/// floats. The result is divided by both.
pub type Scales = [f32; 2];

/// `y` from `x`, to be scaled by `scale`, and the weight.
pub fn forward(s: &ConvShape, x: CubeTensor, weight: CubeTensor, scale: f32) -> CubeTensor {
    let y = empty_channels_last(&x, [s.images, s.features, s.rows(), s.columns()]);
    run(Pass::Forward, s, [&channels_last(x), &channels_last(weight)], y, [scale, 1.0])
}

/// The gradient by `x`, from the gradient by `y`, to be scaled by `scale`. Also the transposed
/// convolution of `y`.
pub fn data(s: &ConvShape, y: CubeTensor, weight: CubeTensor, scale: f32) -> CubeTensor {
    let x = empty_channels_last(&y, [s.images, s.channels, s.height, s.width]);
    let (y, weight) = (channels_last(y), channels_last(weight));
    if few_channels::applies(s) {
        leave_note(Pass::Data, s);
        few_channels::data(s, &y, &weight, &x);
        return x;
    }
    run(Pass::Data, s, [&y, &weight], x, [scale, 1.0])
}

/// The gradient by the weight, from `x` and the gradient by `y`. `scales` are those of `y`, then of
/// `x`.
pub fn weight(s: &ConvShape, x: CubeTensor, y: CubeTensor, scales: Scales) -> CubeTensor {
    let gradient = empty_channels_last(&x, [s.features, s.channels, s.kernel, s.kernel]);
    run(Pass::Weight, s, [&channels_last(y), &channels_last(x)], gradient, scales)
}

fn run(
    pass: Pass,
    s: &ConvShape,
    factors: [&CubeTensor; 2],
    result: CubeTensor,
    scales: Scales,
) -> CubeTensor {
    let s = &as_matmul(s);
    let plan = plan(pass, &GemmShape::of(pass, s), &Machine::of(&result));
    run_as(plan, pass, s, factors, result, scales)
}

/// Runs a pass by a plan: writes to `result`, and returns it.
pub fn run_as(
    plan: Plan,
    pass: Pass,
    s: &ConvShape,
    factors: [&CubeTensor; 2],
    result: CubeTensor,
    scales: Scales,
) -> CubeTensor {
    let GemmShape { m, n, k, groups } = GemmShape::of(pass, s);
    let Plan { tile, parts } = plan;
    let length = match pass {
        Pass::Forward | Pass::Weight => m * n,
        Pass::Data => s.images * s.x_len(),
    };
    let part = k.div_ceil(parts).next_multiple_of(tile.k);
    let parts = k.div_ceil(part).max(1);
    let gemm = Gemm {
        pass,
        tile,
        channels: Access::of(s.channels, tile.k),
        features: Access::of(s.features, tile.k),
        shifts: s.rows().is_power_of_two() && s.columns().is_power_of_two(),
    };
    let params = params(&gemm, s, [parts, part, length], scales);
    leave_note(pass, s);
    let tiles = m.div_ceil(tile.m) * n.div_ceil(tile.n);
    let grid_of = grid(tiles, groups * parts);
    let [left, right] = factors;
    if parts == 1 {
        launch(gemm, grid_of, &[left, right], &[&result], &params);
        return result;
    }
    let sums = empty(&result, [parts, length]);
    launch(gemm, grid_of, &[left, right], &[&sums], &params);
    add_parts(&sums, &result, length, parts);
    result
}

/// `struct Params` of `gemm.wgsl`.
fn params(
    gemm: &Gemm,
    s: &ConvShape,
    [parts, part, length]: [usize; 3],
    [left, right]: Scales,
) -> Vec<u32> {
    let GemmShape { m, n, k, .. } = GemmShape::of(gemm.pass, s);
    let (rows, columns) = (s.rows(), s.columns());
    let exponent = |v: usize| if gemm.shifts { v.ilog2() as usize } else { 0 };
    let indexed = match gemm.pass {
        Pass::Forward | Pass::Data => s.weight_len(),
        Pass::Weight => s.images * s.y_len(),
    };
    let [positions_y, positions_x] = plan::positions(s);
    let params = [
        s.images,
        s.height,
        s.width,
        s.channels,
        rows,
        columns,
        s.features,
        s.kernel,
        s.stride,
        s.padding,
        m,
        n,
        k,
        parts,
        part,
        length,
        positions_y,
        positions_x,
        exponent(columns),
        exponent(rows * columns),
        indexed.saturating_sub(1),
    ];
    let scales = [left, right, 1.0 / (left * right)].map(f32::to_bits);
    params.iter().map(|v| *v as u32).chain(scales).collect()
}

fn leave_note(pass: Pass, s: &ConvShape) {
    note(|| Note { what: describe(pass, s), multiply_adds: s.multiply_adds() });
}

/// A pass in a few words: channels in and out, sides of the larger and the smaller map, kernel and
/// stride, images.
pub fn describe(pass: Pass, s: &ConvShape) -> String {
    let ConvShape { images, channels, features, kernel, stride, .. } = s;
    let (name, from, to) = match pass {
        Pass::Forward => ("forward", channels, features),
        Pass::Data => ("data", features, channels),
        Pass::Weight => ("weight", channels, features),
    };
    let (x, y) = (s.height, s.rows());
    format!("{name:<7} {from:>4} to {to:<4} {x:>2}:{y:<2} {kernel}x{kernel}/{stride} of {images}")
}

fn add_parts(parts: &CubeTensor, to: &CubeTensor, length: usize, count: usize) {
    let vectors = length.is_multiple_of(4);
    let length = if vectors { length / 4 } else { length };
    launch(
        AddParts { vectors },
        grid(length.div_ceil(AddParts::THREADS), 1),
        &[parts],
        &[to],
        &[length as u32, count as u32],
    );
}

/// Adds up the parts of a sum, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct AddParts {
    vectors: bool,
}

impl AddParts {
    const THREADS: usize = 64;
}

impl Program for AddParts {
    fn name(&self) -> &'static str {
        "add parts"
    }

    fn text(&self) -> String {
        wgsl::value_alias(self.vectors).to_string()
            + &wgsl::bindings(&[("parts", "Value"), ("result", "Value")])
            + include_str!("add_parts.wgsl")
            + &wgsl::per_value(AddParts::THREADS)
    }
}
