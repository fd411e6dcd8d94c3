//! Matrix products of few columns or few lanes.

use std::vec::Vec;

use super::product::Product;

/// The tiling of `slim.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slim {
    /// Vectors of lanes per workgroup.
    pub lanes: usize,
    /// Threads with their own columns.
    pub spread: usize,
    /// Columns per thread.
    pub wide: usize,
}

impl Slim {
    pub fn slices(self) -> usize {
        256 / (self.lanes * self.spread)
    }

    /// For a product of few columns: slices of about eight vectors of rows, and lanes for the
    /// threads left.
    pub fn of(product: &Product) -> Slim {
        let slices = (product.quads / 8).next_power_of_two().clamp(16, 64);
        let lanes = product.block.min(256 / slices);
        Slim { lanes, spread: 256 / (lanes * slices), wide: 4 }
    }

    pub fn all(product: &Product) -> impl Iterator<Item = Slim> {
        let lanes = [1, 4, 8, 16];
        let block = product.block;
        let lanes = lanes.into_iter().filter(move |lanes| block.is_multiple_of(*lanes));
        lanes.flat_map(|lanes| {
            let slices = [4, 8, 16, 32, 64].into_iter().filter(move |s| s * lanes <= 256);
            slices.flat_map(move |slices| {
                [4, 8].map(|wide| Slim { lanes, spread: 256 / (lanes * slices), wide })
            })
        })
    }

    pub fn constants(self) -> Vec<(&'static str, usize)> {
        [
            ("LANES", self.lanes),
            ("SPREAD", self.spread),
            ("WIDE", self.wide),
            ("ROUNDS", self.wide / 4),
        ]
        .into()
    }
}
