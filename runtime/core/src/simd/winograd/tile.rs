//! Tiles: how they are laid out in memory, and what all of them share.

use crate::layer::Layer;
use crate::layout::LANES;
use crate::op::Shape;
use crate::simd::lanes::{Lanes, Stored};

/// Transformed values along an axis, shared by both phases.
pub(super) const VALUES: usize = 5;
/// Products per phase of a tile.
pub(super) const POINTS: usize = 9;
/// Tiles at a time, which bounds the scratch: whole sixes, and few left over of powers of two.
pub(super) const TILES: usize = 36;
/// Input channels at a time, so that their weights stay in the L1 cache for all tiles.
pub(super) const CHUNK: usize = 64;
/// Floats of 16 channels of a tile's transformed inputs.
pub(super) const GROUP: usize = VALUES * VALUES * LANES;
/// Floats of a cache line: a register across two lines costs twice.
pub(super) const LINE: usize = 16;
/// Floats of a tile's sums.
pub(super) const SUMS: usize = POINTS * 2 * LANES;

/// Rows and columns of tiles of an image.
pub(super) fn tiles(input: Shape) -> (usize, usize) {
    (input.h.div_ceil(2), input.w.div_ceil(2))
}

/// What all tiles of a layer share.
pub(super) struct Winograd<'a> {
    pub layer: &'a Layer<'a>,
    pub bias: &'a [f32],
    /// Output channels, padded to whole blocks, and input channels.
    pub lanes: usize,
    pub depth: usize,
    /// Floats of a tile's transformed inputs.
    pub inputs: usize,
    /// Tiles per row, and of an image.
    pub columns: usize,
    pub of_image: usize,
}

impl Winograd<'_> {
    /// The image of a tile, and its row and column in it.
    #[inline(always)]
    pub fn place(&self, tile: usize) -> (usize, (usize, usize)) {
        let (image, tile) = (tile / self.of_image, tile % self.of_image);
        (image, (tile / self.columns, tile % self.columns))
    }

    /// The weights of `S` registers of outputs from `lane` on: four taps of each channel, in rows
    /// of 16.
    ///
    /// # Panics
    /// If there are not that many lanes.
    #[inline(always)]
    pub fn weights<'w, L: Lanes, W, const S: usize>(
        &self,
        weight: &'w [W],
        lane: usize,
    ) -> [&'w [W]; S] {
        let tap = self.depth * LANES;
        assert!(weight.len() == self.lanes * 4 * self.depth && lane + S * L::N <= self.lanes);
        core::array::from_fn(|s| {
            let lane = lane + s * L::N;
            &weight[lane / LANES * 4 * tap + lane % LANES..]
        })
    }
}

/// The weights of two taps in a row, and their sum: first, sum, last.
///
/// # Safety
/// The CPU has the instructions of `L`; weights are readable at both offsets from each pointer.
#[inline(always)]
pub(super) unsafe fn taps<L: Lanes, W: Stored, const S: usize>(
    g: &mut [[L; S]; 3],
    weight: &[*const W; S],
    (first, last): (usize, usize),
) {
    for s in 0..S {
        // SAFETY: as promised by the caller.
        unsafe {
            g[0][s] = W::load(weight[s].add(first));
            g[2][s] = W::load(weight[s].add(last));
            g[1][s] = g[0][s].add(g[2][s]);
        }
    }
}
