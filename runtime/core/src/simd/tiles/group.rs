//! What is computed with the same taps: all outputs of a convolution, or those of one phase of a transposed one.

use core::ops::Range;

use crate::layout::{LANES, Layout, View};
use crate::simd::part::{Part, Places};

/// Most columns of a map whose taps above and below the input are worth leaving out.
pub(super) const SHORT: usize = 4;

/// What all tiles of a group share.
pub(in crate::simd) struct Group<'a> {
    pub layout: &'a Layout,
    pub index: usize,
    pub view: View,
    /// See [`Layout::stride`].
    pub stride: (usize, usize, usize),
    /// Offsets of the lanes at the first position, if one block has them all.
    pub places: [usize; LANES],
    /// Blocks of lanes.
    pub blocks: usize,
    pub depth: usize,
    /// Rows of positions of an image, and columns.
    pub rows: usize,
    pub columns: usize,
    /// Whether the positions of a place are computed in one image after another, because inputs lie under the
    /// same taps in all of them.
    pub by_image: bool,
    /// The positions to compute, those of one image after another.
    pub positions: Range<usize>,
    /// The blocks to compute.
    pub of_part: Range<usize>,
    /// Whether what lies beyond the input is zeros.
    pub clear: bool,
}

impl<'a> Group<'a> {
    /// Parts split the blocks, so that no two read the same weights, or the positions if there are fewer than
    /// `deep` blocks for each part.
    pub fn new(
        layout: &'a Layout,
        index: usize,
        (part, deep): (Part, usize),
        clear: bool,
    ) -> Group<'a> {
        let (rows, columns) = layout.grid(index);
        let (positions, blocks) = (layout.images() * rows * columns, layout.blocks());
        let by_blocks = blocks >= part.of() * deep;
        Group {
            layout,
            index,
            stride: layout.stride(index),
            places: match blocks {
                1 => core::array::from_fn(|lane| layout.place(index, (0, 0), lane)),
                _ => [0; LANES],
            },
            blocks,
            depth: layout.depth(),
            rows,
            columns,
            by_image: layout.images() > 1 && (columns <= SHORT || !layout.has_border()),
            view: layout.view(index),
            positions: if by_blocks { 0..positions } else { part.share(positions) },
            of_part: if by_blocks { part.share(blocks) } else { 0..blocks },
            clear,
        }
    }

    /// Places of a row that are best computed together, or images: all that do not differ in what lies under
    /// their taps.
    #[inline(always)]
    pub fn alike(&self) -> usize {
        match self.by_image {
            true => self.layout.images(),
            false => self.columns,
        }
    }

    /// Splits a row of positions into the pixels before those of its image, and the row in the image.
    #[inline(always)]
    pub fn image(&self, row: usize) -> (usize, usize) {
        match row < self.rows {
            true => (0, row),
            false => (row / self.rows * self.layout.pixels(), row % self.rows),
        }
    }

    /// Writes the lanes of a block to the output.
    ///
    /// # Safety
    /// No other thread writes the block at this position.
    #[inline(always)]
    pub unsafe fn place<T: Copy>(
        &self,
        block: usize,
        position: (usize, usize),
        values: &[T; LANES],
        y: Places<'_, T>,
    ) {
        let of = block * LANES;
        let lanes = LANES.min(self.layout.lanes() - of);
        if self.layout.is_row() {
            let (down, across, first) = self.stride;
            // SAFETY: as promised by the caller; so below.
            let to = unsafe { y.cut(first + position.0 * down + position.1 * across + of, lanes) };
            match to.first_chunk_mut::<LANES>() {
                Some(to) => *to = *values,
                None => copy(to, values),
            }
            return;
        }
        if self.blocks == 1 {
            let (down, across, _) = self.stride;
            let first = position.0 * down + position.1 * across;
            for (place, value) in self.places.iter().zip(&values[..lanes]) {
                // SAFETY: as above.
                unsafe { y.put(first + *place, *value) };
            }
            return;
        }
        let mut lane = 0;
        while lanes > lane {
            let run = self.layout.run(of + lane).min(lanes - lane);
            let to = self.layout.place(self.index, position, of + lane);
            // SAFETY: as above.
            unsafe { y.cut(to, run) }.copy_from_slice(&values[lane..lane + run]);
            lane += run;
        }
    }

    /// The values of a block, from those of all lanes.
    #[inline(always)]
    pub fn lanes<'v, T>(&self, block: usize, values: &'v [T]) -> Option<&'v [T; LANES]> {
        let of = (self.index * self.blocks + block) * LANES;
        values.get(of..)?.first_chunk()
    }
}

/// Copies some lanes: in a function of its own, because the compiler would make one copy of any length, which is a
/// call, of this one and that of all lanes.
#[inline(never)]
fn copy<T: Copy>(to: &mut [T], values: &[T; LANES]) {
    to.copy_from_slice(&values[..to.len()]);
}
