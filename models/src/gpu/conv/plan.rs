//! How a pass of a convolution is multiplied: which tile, and in how many parts.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::gpu::gemm::{Pass, Tile};
use crate::gpu::machine::Machine;
use crate::kernels::ConvShape;

/// Whether products run on matrix units.
static MATRIX: AtomicBool = AtomicBool::new(false);

/// Switches products to matrix units, with factors in 16-bit floats, or back.
pub fn set_matrix_units(on: bool) {
    MATRIX.store(on, Ordering::Relaxed);
}

/// Whether products run on matrix units.
pub fn matrix_units() -> bool {
    MATRIX.load(Ordering::Relaxed)
}

/// How to compute a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The tile of a workgroup.
    pub tile: Tile,
    /// Parts of the sum (split k), which are added up in order.
    pub parts: usize,
}

/// The shape of the matrix products of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmShape {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of the sum.
    pub k: usize,
    /// Products of this shape.
    pub groups: usize,
}

impl GemmShape {
    /// The products of a pass.
    pub fn of(pass: Pass, s: &ConvShape) -> GemmShape {
        let pixels = s.images * s.rows() * s.columns();
        match pass {
            Pass::Forward => {
                GemmShape { m: pixels, n: s.features, k: s.taps() * s.channels, groups: 1 }
            }
            Pass::Data => {
                let [y, x] = positions(s);
                GemmShape {
                    m: s.images * y * x,
                    n: s.channels,
                    // The most terms that a group has.
                    k: s.kernel.div_ceil(s.stride).pow(2) * s.features,
                    groups: s.stride * s.stride,
                }
            }
            Pass::Weight => {
                GemmShape { m: s.features, n: s.taps() * s.channels, k: pixels, groups: 1 }
            }
        }
    }
}

/// Rows and columns of the pixels of `x` that are a stride apart.
pub(super) fn positions(s: &ConvShape) -> [usize; 2] {
    [s.height.div_ceil(s.stride), s.width.div_ceil(s.stride)]
}

/// A convolution whose kernel covers the whole image as one of a single pixel, whose channels are
/// all values of the image; others unchanged.
pub fn as_matmul(s: &ConvShape) -> ConvShape {
    match s.covers_image() {
        true => ConvShape {
            height: 1,
            width: 1,
            channels: s.taps() * s.channels,
            kernel: 1,
            stride: 1,
            ..*s
        },
        false => *s,
    }
}

const LARGE: Tile = Tile::threads(128, 128, 16, [8, 8]);
const MEDIUM: Tile = Tile::threads(128, 64, 16, [8, 4]);
const SMALL: Tile = Tile::threads(64, 64, 16, [4, 4]);
/// For adapters whose workgroups are too small for the others.
const LEAST: Tile = Tile::threads(32, 32, 16, [4, 4]);

const MATRIX_LARGE: Tile = Tile::matrix(128, 128, 32, [4, 2]);
const MATRIX_MEDIUM: Tile = Tile::matrix(128, 64, 32, [2, 2]);
const MATRIX_SMALL: Tile = Tile::matrix(64, 64, 32, [2, 2]);

/// The plan for a product on a machine: the fastest of those tried for the layers of DCGAN on an
/// H200.
pub fn plan(pass: Pass, shape: &GemmShape, machine: &Machine) -> Plan {
    let GemmShape { m, n, k, .. } = *shape;
    // Two waves of workgroups, so that one computes while another waits.
    let busy = 2 * machine.groups;
    let (tile, wanted) = match (m, n) {
        (_, ..=4) => (Tile::threads(256, 4, 16, [4, 4]), machine.groups),
        (5..=16, _) => (Tile::threads(16, 128, 16, [4, 4]), machine.groups),
        (_, ..=16) => (Tile::threads(128, 16, 16, [4, 4]), machine.groups),
        (17..=32, _) => (Tile::threads(32, 128, 16, [8, 4]), machine.groups),
        (_, ..=32) => (Tile::threads(128, 32, 16, [8, 4]), machine.groups),
        _ if matrix_units() && k >= 64 => (matrix_tile(shape, machine), machine.groups),
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
    Plan { tile, parts: parts(&tile, shape, wanted) }
}

/// Whether tiles of 128 columns leave at most an eighth of them empty.
fn wide(n: usize) -> bool {
    n.next_multiple_of(128) * 7 <= n * 8
}

fn matrix_tile(shape: &GemmShape, machine: &Machine) -> Tile {
    let GemmShape { m, n, groups, .. } = *shape;
    let tiles = m.div_ceil(128) * n.div_ceil(128) * groups;
    match (m, wide(n)) {
        (..=64, _) => MATRIX_SMALL,
        (_, true) if 2 * tiles >= machine.groups => MATRIX_LARGE,
        (_, true) => MATRIX_SMALL,
        (_, false) => MATRIX_MEDIUM,
    }
}

/// Most bytes of the parts of a sum together.
const PARTS_BYTES: usize = 128 << 20;

/// The number of parts of a sum for which there are `wanted` workgroups.
pub fn parts(tile: &Tile, shape: &GemmShape, wanted: usize) -> usize {
    let GemmShape { m, n, k, groups } = *shape;
    let tiles = m.div_ceil(tile.m) * n.div_ceil(tile.n) * groups;
    // A part has at least the depth of eight tiles: adding up costs as much as multiplying a few.
    let deep = 8 * tile.k;
    // The parts are one tensor, whose size is limited.
    let most = PARTS_BYTES / (4 * m * n * groups).max(1);
    wanted.div_ceil(tiles.max(1)).min(k / deep).min(most).clamp(1, 256)
}

/// Tiles worth trying for a product of any shape.
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
