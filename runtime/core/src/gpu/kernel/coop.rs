//! Matrix products of many columns, by matrix units.

use std::vec::Vec;

use super::product::Product;
use crate::gpu::device::Limits;

/// The tiling of `coop.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coop {
    /// Vectors of lanes, and columns, per workgroup.
    pub lanes: usize,
    pub columns: usize,
    /// Matrices per subgroup.
    pub tall: usize,
    pub wide: usize,
    /// Vectors of rows at a time.
    pub deep: usize,
    /// Parts of the shared memory that are filled in turn.
    pub stages: usize,
}

const fn coop(size: [usize; 2], own: [usize; 2], deep: usize, stages: usize) -> Coop {
    Coop {
        lanes: size[0] / 4,
        columns: size[1],
        tall: own[0] / 16,
        wide: own[1] / 16,
        deep: deep / 4,
        stages,
    }
}

/// The same as [`super::tile::TILES`], for matrix units.
pub const COOPS: [(Coop, Option<usize>); 10] = [
    (coop([128, 128], [64, 32], 32, 2), Some(256)),
    (coop([64, 128], [32, 64], 32, 1), Some(512)),
    (coop([64, 128], [32, 32], 64, 1), Some(64)),
    (coop([64, 64], [32, 32], 32, 2), Some(32)),
    (coop([128, 128], [64, 32], 32, 1), None),
    (coop([128, 128], [64, 64], 32, 2), None),
    (coop([128, 128], [32, 64], 16, 2), None),
    (coop([64, 256], [32, 64], 32, 1), None),
    (coop([64, 128], [32, 32], 32, 2), None),
    (coop([64, 128], [32, 64], 32, 2), None),
];

impl Coop {
    pub fn down(self) -> usize {
        self.lanes / (4 * self.tall)
    }

    pub fn threads(self) -> usize {
        32 * self.down() * self.columns / (16 * self.wide)
    }

    /// Bytes of shared memory.
    pub fn memory(self) -> usize {
        let x = self.columns * (self.deep + 1);
        let w = 4 * self.deep * (self.lanes + 1);
        8 * self.stages * (x + w) + 32 * self.threads()
    }

    pub fn suits(self, product: &Product, limits: &Limits) -> bool {
        limits.matrices
            && product.lanes.is_multiple_of(self.lanes)
            && product.divisor.is_multiple_of(self.deep)
            && self.threads() <= limits.threads
            && self.memory() <= limits.memory
    }

    pub fn workgroups(self, product: &Product) -> usize {
        product.groups * product.columns.div_ceil(self.columns) * (product.lanes / self.lanes)
    }

    pub fn constants(self) -> Vec<(&'static str, usize)> {
        let threads = self.threads();
        [
            ("LANES", self.lanes),
            ("COLUMNS", self.columns),
            ("TALL", self.tall),
            ("WIDE", self.wide),
            ("DEEP", self.deep),
            ("STAGES", self.stages),
            ("THREADS", threads),
            ("DOWN", self.down()),
            ("ROUNDS", self.deep / 4),
            ("X_LOADS", self.deep * self.columns / threads),
            ("W_LOADS", 4 * self.deep * self.lanes / threads),
        ]
        .into()
    }
}
