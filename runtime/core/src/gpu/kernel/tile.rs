//! Matrix products of many columns.

use std::vec::Vec;

use super::product::Product;
use crate::gpu::device::Limits;

/// The tiling of `tile.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Vectors of lanes, and columns, per workgroup.
    pub lanes: usize,
    pub columns: usize,
    /// The same per thread.
    pub tall: usize,
    pub wide: usize,
    /// Vectors of rows at a time.
    pub deep: usize,
    /// Parts of the shared memory that are filled in turn.
    pub stages: usize,
}

const fn tile(size: [usize; 2], own: [usize; 2], deep: usize, stages: usize) -> Tile {
    Tile { lanes: size[0] / 4, columns: size[1], tall: own[0] / 4, wide: own[1], deep, stages }
}

/// Tilings in order of preference: the first one that fits and gives at least that many workgroups
/// is used. Those with `None` are only measured, by `candidates`. Ordered by times on an H200.
pub const TILES: [(Tile, Option<usize>); 14] = [
    (tile([128, 128], [8, 8], 4, 1), Some(256)),
    (tile([128, 64], [8, 4], 4, 1), Some(128)),
    (tile([64, 128], [8, 4], 4, 1), Some(128)),
    (tile([64, 64], [8, 4], 4, 1), Some(32)),
    (tile([32, 64], [4, 4], 4, 1), Some(32)),
    (tile([128, 128], [8, 8], 2, 2), None),
    (tile([128, 128], [16, 8], 2, 2), None),
    (tile([64, 256], [8, 8], 4, 1), None),
    (tile([64, 128], [8, 8], 2, 2), None),
    (tile([64, 128], [8, 8], 4, 1), None),
    (tile([128, 64], [8, 8], 2, 2), None),
    (tile([64, 64], [8, 8], 2, 2), None),
    (tile([64, 64], [8, 4], 4, 2), None),
    (tile([32, 128], [8, 8], 4, 1), None),
];

impl Tile {
    pub fn down(self) -> usize {
        self.lanes / self.tall
    }

    pub fn threads(self) -> usize {
        self.down() * self.columns / self.wide
    }

    /// Bytes of shared memory.
    pub fn memory(self) -> usize {
        let pitch = self.columns + 8 / self.deep;
        16 * self.stages * self.deep * (pitch + 4 * self.lanes)
    }

    pub fn suits(self, product: &Product, limits: &Limits) -> bool {
        product.lanes.is_multiple_of(self.lanes)
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
            ("ACROSS", self.columns / self.wide),
            ("SIDE", self.down().min(8)),
            ("X_LOADS", self.deep * self.columns / threads),
            ("W_LOADS", 4 * self.deep * self.lanes / threads),
        ]
        .into()
    }
}
