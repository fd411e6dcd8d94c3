//! Tiles: the work of a workgroup.

use super::layout::{Layout, Major};

/// Side of the blocks that matrix units multiply.
pub(super) const FRAGMENT: usize = 16;
/// Threads that hold a block together.
pub(super) const SUBGROUP: usize = 32;
/// Vectors from a row of a block of sums to the next while it is stored.
pub(super) const STAGE: usize = 5;

/// A pass of a convolution, as a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// `y` from `x` and the weight: pixels of `y` by features, summed over taps and channels.
    Forward,
    /// The gradient by `x`, from that by `y`: pixels of `x` by channels, summed over taps and
    /// features. Pixels at the same position relative to the stride read the same taps: each such
    /// group is a product of its own.
    Data,
    /// The gradient by the weight: features by taps and channels, summed over the pixels of `y`.
    Weight,
}

impl Pass {
    /// The orders of the left and the right factor in memory.
    pub(super) fn majors(self) -> [Major; 2] {
        match self {
            Pass::Forward => [Major::K, Major::K],
            Pass::Data => [Major::K, Major::Mn],
            Pass::Weight => [Major::Mn, Major::Mn],
        }
    }
}

/// What multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Units {
    /// Each thread computes this many rows and columns, in f32.
    Threads([usize; 2]),
    /// Each subgroup of 32 computes this many rows and columns of 16 x 16 blocks, with f16 factors
    /// and f32 sums.
    Matrix([usize; 2]),
}

/// The shape of a workgroup's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of the sum in workgroup memory at a time.
    pub k: usize,
    /// What multiplies.
    pub units: Units,
}

impl Tile {
    /// A tile of `m` x `n` x `k`, of which each thread computes `each` rows and columns.
    pub const fn threads(m: usize, n: usize, k: usize, each: [usize; 2]) -> Tile {
        Tile { m, n, k, units: Units::Threads(each) }
    }

    /// A tile of `m` x `n` x `k`, of which each subgroup computes `each` rows and columns of
    /// blocks.
    pub const fn matrix(m: usize, n: usize, k: usize, each: [usize; 2]) -> Tile {
        Tile { m, n, k, units: Units::Matrix(each) }
    }

    /// Threads of a workgroup.
    pub fn group(&self) -> usize {
        match self.units {
            Units::Threads([m, n]) => (self.m / m) * (self.n / n),
            Units::Matrix([m, n]) => (self.m / m / FRAGMENT) * (self.n / n / FRAGMENT) * SUBGROUP,
        }
    }

    /// Bytes of workgroup memory.
    pub fn bytes(&self, pass: Pass) -> usize {
        let vectors: usize = self.layouts(pass).iter().map(Layout::len).sum();
        match self.units {
            Units::Threads(_) => vectors * 16,
            Units::Matrix(_) => vectors * 8 + self.stage_len() * 16,
        }
    }

    /// Vectors of workgroup memory through which matrix units store their sums.
    pub(super) fn stage_len(&self) -> usize {
        self.group() / SUBGROUP * FRAGMENT * STAGE
    }

    /// The left and the right factor in workgroup memory.
    pub(super) fn layouts(&self, pass: Pass) -> [Layout; 2] {
        let matrix = matches!(self.units, Units::Matrix(_));
        let [left, right] = pass.majors();
        [
            Layout { major: left, rows: self.m, left: true, matrix, k: self.k },
            Layout { major: right, rows: self.n, left: false, matrix, k: self.k },
        ]
    }
}
