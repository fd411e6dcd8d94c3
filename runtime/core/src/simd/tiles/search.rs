//! The inputs of one tile after another.

use super::few::Band;
use super::group::Group;
use super::taps::{Taps, Tile};
use crate::simd::dots::Dots;

/// Where the inputs of a tile are.
pub(super) struct Search<'a, X> {
    group: &'a Group<'a>,
    /// The input, and what is read outside it.
    input: (&'a [X], &'a [X]),
    band: Option<Band<X>>,
    tile: Tile,
    pub taps: &'a mut Taps<X>,
    /// Whether `taps` are all of the tile, which other blocks then use as well.
    all: bool,
}

impl<'a, X: Copy> Search<'a, X> {
    pub fn new(
        group: &'a Group<'a>,
        input: (&'a [X], &'a [X]),
        taps: &'a mut Taps<X>,
    ) -> Search<'a, X> {
        let band = Band::new(group, input.1);
        Search { group, input, band, tile: Tile::new(), taps, all: false }
    }

    /// Before all positions of the group.
    pub fn begin(&mut self) {
        self.tile.begin(self.group);
    }

    /// How many of the positions that follow are best computed together.
    #[inline(always)]
    pub fn alike<D: Dots>(&mut self) -> usize {
        match &mut self.band {
            Some(band) => band.fill(self.group, &self.tile, self.input),
            None => self.tile.alike::<D>(self.group),
        }
    }

    /// A tile of the next `wide` positions.
    #[inline(always)]
    pub fn next(&mut self, wide: usize) {
        self.tile.next(self.group, wide);
        self.all = false;
    }

    /// The row and column of each position of the tile.
    #[inline(always)]
    pub fn positions(&self) -> &[(usize, usize)] {
        self.tile.positions()
    }

    /// Finds the taps from this row and column of taps on; returns the row and column of the first one that is
    /// left.
    #[inline(always)]
    pub fn taps(&mut self, from: (usize, usize)) -> Option<(usize, usize)> {
        if self.all {
            return None;
        }
        let next = match &self.band {
            Some(band) => band.taps(self.group, &self.tile, from, self.taps),
            None => self.tile.taps(self.group, from, self.input, self.taps),
        };
        self.all = from == (0, 0) && next.is_none();
        next
    }
}
