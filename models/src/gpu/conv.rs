//! The passes of a convolution on a GPU: which tile, in how many parts, one launch or two.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::tensor::FloatTensor;
use burn::backend::wgpu::CubeTensor;
use burn::backend::{Backend, Cube, Dispatch, backend_extension};
use burn::tensor::Tensor;

use super::launch::{Note, Program, empty, empty_last, grid, last, launch, note};
use super::thin;
use super::tile::{Access, Pass, Product, Tile};
use crate::conv::Window;

/// What multiplies, and how much of it there is.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Workgroups that keep it busy.
    pub groups: usize,
    /// Bytes of a workgroup's memory.
    pub memory: usize,
    /// Threads of a workgroup.
    pub threads: usize,
}

/// Whether products run on matrix units.
static MATRIX: AtomicBool = AtomicBool::new(false);

/// Has products run on matrix units from now on, factors in 16-bit floats, or not.
pub fn set_matrix_units(on: bool) {
    MATRIX.store(on, Ordering::Relaxed);
}

/// Whether products run on matrix units.
pub fn matrix_units() -> bool {
    MATRIX.load(Ordering::Relaxed)
}

/// A tile, and in how many parts the sum is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The tile.
    pub tile: Tile,
    /// Parts of the sum, added up in order.
    pub parts: usize,
}

/// The sides of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Rows, columns, terms of the sum: of each group.
    pub m: usize,
    /// Columns.
    pub n: usize,
    /// Terms.
    pub k: usize,
    /// Groups.
    pub groups: usize,
}

impl Sides {
    /// Those of a pass.
    pub fn of(pass: Pass, w: &Window) -> Sides {
        let pixels = w.images * w.rows() * w.columns();
        match pass {
            Pass::Forward => {
                Sides { m: pixels, n: w.features, k: w.taps() * w.channels, groups: 1 }
            }
            Pass::Data => {
                let [y, x] = positions(w);
                Sides {
                    m: w.images * y * x,
                    n: w.channels,
                    // The most that a group has.
                    k: w.kernel.div_ceil(w.stride).pow(2) * w.features,
                    groups: w.stride * w.stride,
                }
            }
            Pass::Weight => Sides { m: w.features, n: w.taps() * w.channels, k: pixels, groups: 1 },
        }
    }
}

fn positions(w: &Window) -> [usize; 2] {
    [w.height.div_ceil(w.stride), w.width.div_ceil(w.stride)]
}

/// A window whose kernel covers the whole picture is a matrix product: one pixel of as many channels.
pub fn flattened(w: &Window) -> Window {
    let whole = w.padding == 0 && w.kernel == w.height && w.kernel == w.width;
    match whole {
        true => Window {
            height: 1,
            width: 1,
            channels: w.taps() * w.channels,
            kernel: 1,
            stride: 1,
            ..*w
        },
        false => *w,
    }
}

const LARGE: Tile = Tile::threads(128, 128, 16, [8, 8]);
const MEDIUM: Tile = Tile::threads(128, 64, 16, [8, 4]);
const SMALL: Tile = Tile::threads(64, 64, 16, [4, 4]);
/// For groups of fewer threads than the others have.
const LEAST: Tile = Tile::threads(32, 32, 16, [4, 4]);

const MATRIX_LARGE: Tile = Tile::matrix(128, 128, 32, [4, 2]);
const MATRIX_MEDIUM: Tile = Tile::matrix(128, 64, 32, [2, 2]);
const MATRIX_SMALL: Tile = Tile::matrix(64, 64, 32, [2, 2]);

/// What suits a product on a machine: the best of what was tried on an H200 for the layers of DCGAN.
pub fn plan(pass: Pass, sides: &Sides, machine: &Machine) -> Plan {
    let Sides { m, n, k, .. } = *sides;
    // Two waves of workgroups, so that one is at work while another waits.
    let busy = 2 * machine.groups;
    let (tile, wanted) = match (m, n) {
        (_, ..=4) => (Tile::threads(256, 4, 16, [4, 4]), machine.groups),
        (5..=16, _) => (Tile::threads(16, 128, 16, [4, 4]), machine.groups),
        (_, ..=16) => (Tile::threads(128, 16, 16, [4, 4]), machine.groups),
        (17..=32, _) => (Tile::threads(32, 128, 16, [8, 4]), machine.groups),
        (_, ..=32) => (Tile::threads(128, 32, 16, [8, 4]), machine.groups),
        _ if matrix_units() && k >= 64 => (matrix_tile(sides, machine), machine.groups),
        (..=64, _) | (_, ..=64) if pass != Pass::Weight => (SMALL, machine.groups),
        (..=64, _) => (SMALL, busy),
        _ => match pass {
            Pass::Forward if wide(n) => (LARGE, busy - busy / 32),
            Pass::Forward => (MEDIUM, busy),
            Pass::Data => (SMALL, machine.groups),
            Pass::Weight => (MEDIUM, busy),
        },
    };
    let fits = |tile: &Tile| tile.bytes(pass) <= machine.memory && tile.group() <= machine.threads;
    let tile = [tile, MEDIUM, SMALL].into_iter().find(fits).unwrap_or(LEAST);
    let parts = parts(&tile, sides, wanted);
    Plan { tile, parts }
}

/// Whether tiles of 128 columns leave few of them empty.
fn wide(n: usize) -> bool {
    n.next_multiple_of(128) * 7 <= n * 8
}

fn matrix_tile(sides: &Sides, machine: &Machine) -> Tile {
    let Sides { m, n, groups, .. } = *sides;
    let tiles = m.div_ceil(128) * n.div_ceil(128) * groups;
    match (m, wide(n)) {
        (..=64, _) => MATRIX_SMALL,
        (_, true) if 2 * tiles >= machine.groups => MATRIX_LARGE,
        (_, true) => MATRIX_SMALL,
        (_, false) => MATRIX_MEDIUM,
    }
}

/// In how many parts a sum is taken, so that there are `wanted` workgroups.
pub fn parts(tile: &Tile, sides: &Sides, wanted: usize) -> usize {
    let Sides { m, n, k, groups } = *sides;
    let tiles = m.div_ceil(tile.m) * n.div_ceil(tile.n) * groups;
    // A part has some tiles' depth at least: adding parts up costs as much as making a few.
    let deep = 8 * tile.k;
    // Nor may the parts together be more than a kernel sees of one tensor.
    let most = PARTS_BYTES / (4 * m * n * groups).max(1);
    wanted.div_ceil(tiles.max(1)).min(k / deep).min(most).clamp(1, 256)
}

/// Bytes of the parts of a sum together, at most.
const PARTS_BYTES: usize = 128 << 20;

/// Factors that bring small numbers into the range of 16-bit floats: of the left and the right factor.
pub type Scales = [f32; 2];

/// `y` of `x` and the weight.
pub fn forward(w: &Window, x: CubeTensor, weight: CubeTensor, scale: f32) -> CubeTensor {
    let shape = [w.images, w.features, w.rows(), w.columns()];
    let y = empty_last(&x, shape);
    run(Pass::Forward, w, [&last(x), &weight_last(weight)], y, [scale, 1.0])
}

/// The gradient by `x`, of that by `y`: also the transposed convolution of `y`.
pub fn data(w: &Window, y: CubeTensor, weight: CubeTensor, scale: f32) -> CubeTensor {
    let x = empty_last(&y, [w.images, w.channels, w.height, w.width]);
    if thin::takes(w) {
        note(|| Note { what: described(Pass::Data, w), multiply_adds: multiply_adds(w) });
        thin::data(w, &last(y), &weight_last(weight), &x);
        return x;
    }
    run(Pass::Data, w, [&last(y), &weight_last(weight)], x, [scale, 1.0])
}

/// The gradient by the weight, of `x` and the gradient by `y`; `scales` are of `y`, then of `x`.
pub fn weight(w: &Window, x: CubeTensor, y: CubeTensor, scales: Scales) -> CubeTensor {
    let gradient = empty_last(&x, [w.features, w.channels, w.kernel, w.kernel]);
    run(Pass::Weight, w, [&last(y), &last(x)], gradient, scales)
}

/// A weight `[o, c, k, k]` in the order in which products read it: feature, tap, channel.
fn weight_last(weight: CubeTensor) -> CubeTensor {
    last(weight)
}

fn run(
    pass: Pass,
    w: &Window,
    factors: [&CubeTensor; 2],
    result: CubeTensor,
    scales: Scales,
) -> CubeTensor {
    let w = &flattened(w);
    let machine = super::machine(&result);
    let plan = plan(pass, &Sides::of(pass, w), &machine);
    run_as(plan, pass, w, factors, result, scales)
}

/// A pass by a plan.
pub fn run_as(
    plan: Plan,
    pass: Pass,
    w: &Window,
    factors: [&CubeTensor; 2],
    result: CubeTensor,
    scales: Scales,
) -> CubeTensor {
    let Sides { m, n, k, groups } = Sides::of(pass, w);
    let Plan { tile, parts } = plan;
    let (rows, columns) = (w.rows(), w.columns());
    let shifts = rows.is_power_of_two() && columns.is_power_of_two();
    let length = match pass {
        Pass::Forward => m * n,
        Pass::Data => w.images * w.x_len(),
        Pass::Weight => m * n,
    };
    let part = k.div_ceil(parts).next_multiple_of(tile.k);
    let parts = k.div_ceil(part).max(1);
    let taken = match pass {
        Pass::Forward | Pass::Data => w.weight_len(),
        Pass::Weight => w.images * w.y_len(),
    };
    let [py, px] = positions(w);
    let exponent = |v: usize| if shifts { v.ilog2() as usize } else { 0 };
    let numbers = [
        w.images,
        w.height,
        w.width,
        w.channels,
        rows,
        columns,
        w.features,
        w.kernel,
        w.stride,
        w.padding,
        m,
        n,
        k,
        parts,
        part,
        length,
        py,
        px,
        exponent(columns),
        exponent(rows * columns),
        taken.saturating_sub(1),
    ];
    let [left, right] = scales;
    let scales = [left, right, 1.0 / (left * right)].map(f32::to_bits);
    let numbers: Vec<u32> = numbers.iter().map(|v| *v as u32).chain(scales).collect();
    let product = Product {
        pass,
        tile,
        channels: Access::of(w.channels, tile.k),
        features: Access::of(w.features, tile.k),
        shifts,
    };
    note(|| Note { what: described(pass, w), multiply_adds: multiply_adds(w) });
    let tiles = m.div_ceil(tile.m) * n.div_ceil(tile.n);
    let grid_of = grid(tiles, groups * parts);
    let [left, right] = factors;
    if parts == 1 {
        launch(product, grid_of, &[left, right], &[&result], &numbers);
        return result;
    }
    let sums = empty(&result, [parts, length]);
    launch(product, grid_of, &[left, right], &[&sums], &numbers);
    add_parts(&sums, &result, length, parts);
    result
}

/// A pass in a few words: the map it reads or makes, and how many channels become how many.
pub fn described(pass: Pass, w: &Window) -> String {
    let Window { images, channels, features, kernel, stride, .. } = w;
    let (name, from, to) = match pass {
        Pass::Forward => ("forward", channels, features),
        Pass::Data => ("data", features, channels),
        Pass::Weight => ("weight", channels, features),
    };
    let (x, y) = (w.height, w.rows());
    format!("{name:<7} {from:>4} to {to:<4} {x:>2}:{y:<2} {kernel}x{kernel}/{stride} of {images}")
}

/// Multiply-adds of a pass by the direct algorithm.
pub fn multiply_adds(w: &Window) -> f64 {
    (w.images * w.rows() * w.columns() * w.taps() * w.channels * w.features) as f64
}

fn add_parts(parts: &CubeTensor, to: &CubeTensor, length: usize, count: usize) {
    let vectors = length.is_multiple_of(4);
    let length = if vectors { length / 4 } else { length };
    launch(
        AddParts { vectors },
        grid(length.div_ceil(64), 1),
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

impl Program for AddParts {
    fn name(&self) -> &'static str {
        "add parts"
    }

    fn text(&self) -> String {
        let ty = if self.vectors { "vec4<f32>" } else { "f32" };
        format!("alias Value = {ty};\n{}", include_str!("parts.wgsl"))
    }
}

/// A product to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Which pass.
    pub pass: Pass,
    /// Of which convolution.
    pub window: Window,
    /// How.
    pub plan: Plan,
}

/// Products by plans of one's own, and what the adapter could do.
#[backend_extension(Cube)]
pub trait Planned: Backend {
    /// The product of two factors that lie as the pass wants them.
    fn product(left: FloatTensor<Self>, right: FloatTensor<Self>, job: Job) -> FloatTensor<Self>;

    /// Only multiply-adds, for the given number of rounds, see [`super::peak_work`].
    fn peak(like: FloatTensor<Self>, rounds: u32) -> FloatTensor<Self>;
}

impl Planned for Cube {
    fn product(left: CubeTensor, right: CubeTensor, job: Job) -> CubeTensor {
        let Job { pass, window, plan } = job;
        let w = &window;
        let shape = match pass {
            Pass::Forward => [w.images, w.features, w.rows(), w.columns()],
            Pass::Data => [w.images, w.channels, w.height, w.width],
            Pass::Weight => [w.features, w.channels, w.kernel, w.kernel],
        };
        let result = empty_last(&left, shape);
        let factors = [&last(left), &last(right)];
        run_as(plan, pass, w, factors, result, [1.0, 1.0])
    }

    fn peak(like: CubeTensor, rounds: u32) -> CubeTensor {
        super::peak(&like, rounds);
        like
    }
}

/// See [`Planned::product`].
pub fn product(left: Tensor<4>, right: Tensor<4>, job: Job) -> Tensor<4> {
    let (left, right) = (left.into_dispatch(), right.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Planned>::product(left, right, job))
}

/// See [`Planned::peak`].
pub fn peak(like: Tensor<1>, rounds: u32) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Planned>::peak(like.into_dispatch(), rounds))
}

/// Tiles worth trying for a product, whatever its sides.
pub fn candidates(matrix: bool) -> Vec<Tile> {
    let threads = [
        (128, 128, 16, [8, 8]),
        (128, 128, 8, [8, 8]),
        (128, 64, 16, [8, 4]),
        (128, 64, 16, [8, 8]),
        (64, 128, 16, [8, 8]),
        (64, 64, 16, [8, 4]),
        (64, 64, 16, [4, 4]),
        (64, 64, 32, [8, 4]),
        (32, 128, 16, [8, 4]),
        (128, 32, 16, [8, 4]),
        (128, 16, 16, [4, 4]),
        (16, 128, 16, [4, 4]),
        (256, 4, 16, [4, 4]),
        (4, 256, 16, [4, 4]),
    ];
    let units = [
        (128, 128, 32, [4, 2]),
        (128, 128, 32, [2, 4]),
        (128, 128, 32, [4, 4]),
        (128, 64, 32, [2, 2]),
        (128, 64, 32, [4, 2]),
        (64, 128, 32, [2, 2]),
        (64, 64, 32, [2, 2]),
        (64, 64, 32, [2, 1]),
    ];
    let mut tiles: Vec<Tile> = threads.map(|(m, n, k, each)| Tile::threads(m, n, k, each)).into();
    if matrix {
        tiles.extend(units.map(|(m, n, k, each)| Tile::matrix(m, n, k, each)));
    }
    tiles
}
