//! The order of the work: some rows of positions after another, of these one block of lanes after another, and of
//! each as many positions at a time as there are sums.

use core::ops::Range;

use super::panels::{MOST, Panels, Steps, TAPS};
use super::tile::{self, Line, ROWS, SUMS, Tile, Tiles};
use crate::int8::TOGETHER;
use crate::layout::Layout;
use crate::simd::part::Part;
use crate::simd::tiles::Group;

/// What is multiplied, and what is done with the sums.
pub(super) trait Kernel {
    /// Writes a pixel, or what lies beyond the input, to places in panels, `apart` lines from one line to the next.
    ///
    /// # Safety
    /// The CPU has AVX-512; the places are writable, and nothing else uses them.
    unsafe fn put(&self, pixel: Option<usize>, to: *mut Line, places: &[usize], apart: usize);

    /// Adds all products of `M` tiles of positions and `N` blocks of lanes to the sums.
    ///
    /// # Safety
    /// There is a [`Tiles`].
    unsafe fn multiply<const M: usize, const N: usize>(&mut self, at: &At<'_>);

    /// Takes the sums of a block.
    ///
    /// # Safety
    /// The CPU has AVX-512; nothing else writes the outputs.
    unsafe fn finish(&self, group: &Group<'_>, block: usize, rows: Rows<'_>);
}

/// The sums of a block of lanes: of each position its row and column, and a row of a tile.
pub(super) struct Rows<'a> {
    sums: &'a [Tile; SUMS],
    /// The first tile, and from one to the next.
    first: usize,
    deep: usize,
    /// The next position, and how many there are.
    next: usize,
    left: usize,
    place: (usize, usize),
    columns: usize,
}

impl<'a> Rows<'a> {
    /// The sums of the next positions, if there are any; of the last ones some may be of none.
    #[inline(always)]
    pub fn together(&self) -> Option<&'a [Line; TOGETHER]> {
        let (at, lines) = (self.next, &self.tile(self.next)?.0);
        lines[at % ROWS..].first_chunk()
    }

    /// The tile of the position at a place, if there is one.
    #[inline(always)]
    fn tile(&self, at: usize) -> Option<&'a Tile> {
        (at < self.left).then(|| &self.sums[at / ROWS * self.deep + self.first])
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = ((usize, usize), &'a Line);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (place, at) = (self.place, self.next);
        let tile = self.tile(at)?;
        self.next += 1;
        self.place = match place.1 + 1 == self.columns {
            true => (place.0 + 1, 0),
            false => (place.0, place.1 + 1),
        };
        Some((place, &tile.0[at % ROWS]))
    }
}

/// What is multiplied.
pub(super) struct At<'a> {
    pub panels: &'a Panels,
    /// The panels, and the rows of positions in them.
    pub inputs: *const Line,
    pub rows: usize,
    pub group: usize,
    /// Lines from the first one of the panels to that of each tap.
    pub taps: &'a [usize],
    /// The first block, and the first position in the panels.
    pub block: usize,
    pub position: usize,
    /// Most tiles of positions at a time.
    pub wide: usize,
}

impl At<'_> {
    /// Whether the same blocks have been multiplied before, with other positions.
    pub fn again(&self) -> bool {
        self.position > 0
    }

    /// Whether all positions are multiplied at once.
    pub fn once(&self) -> bool {
        self.wide * ROWS >= self.rows * self.panels.grid.1
    }

    /// The first tile of inputs under a tap.
    #[inline(always)]
    pub fn tap(&self, tap: usize) -> *const Line {
        self.inputs.wrapping_add(self.taps[tap] + self.position)
    }
}

/// Computes a part of a layer, with panels in `room`.
///
/// # Safety
/// The CPU has AVX-512 and AMX, which the system lets this process use; nothing else writes the places of the part.
/// `room` lines are writable at `to`.
#[inline(always)]
pub(super) unsafe fn run<K: Kernel>(
    kernel: &mut K,
    (layout, panels): (&Layout, &Panels),
    part: Part,
    (to, room): (*mut Line, usize),
) {
    let all = layout.groups() * layout.blocks();
    // As elsewhere, parts split what reads different weights, if there is enough of it.
    let (rows, units) = match all >= part.of() {
        true => (0..panels.grid.0, part.share(all)),
        false => (part.share(panels.grid.0), 0..all),
    };
    if rows.is_empty() {
        return;
    }
    let most = panels.rows(room).max(1).min(rows.len());
    let most = rows.len().div_ceil(rows.len().div_ceil(most));
    // SAFETY: as promised by the caller; so below.
    let _tiles = unsafe { Tiles::new() };
    for first in rows.clone().step_by(most) {
        let strip = first..rows.end.min(first + most);
        unsafe {
            fill(kernel, panels, strip.clone(), to);
            multiply(kernel, (layout, panels), (strip, units.clone()), to);
        }
    }
}

/// Copies the input under some rows of positions.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn fill<K: Kernel>(kernel: &K, panels: &Panels, rows: Range<usize>, to: *mut Line) {
    let (apart, mut places) = (panels.apart(rows.len()), [0; MOST]);
    let (height, width) = panels.covered(rows.len());
    // Quotients and remainders by the step, which takes longer to divide by.
    for y in Steps::new(panels.step()).take(height) {
        let row = panels.row(y.at, rows.start);
        for x in Steps::new(panels.step()).take(width) {
            let places = panels.places((y, x), rows.len(), &mut places);
            // SAFETY: as promised by the caller.
            unsafe { kernel.put(panels.pixel(row, x.at), to, places, apart) };
        }
    }
}

/// Multiplies some rows of positions with some blocks of all groups.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn multiply<K: Kernel>(
    kernel: &mut K,
    (layout, panels): (&Layout, &Panels),
    (strip, units): (Range<usize>, Range<usize>),
    inputs: *const Line,
) {
    let (rows, blocks) = (strip.len(), layout.blocks());
    let positions = rows * panels.grid.1;
    let tiles = positions.div_ceil(ROWS);
    let wide = tiles.div_ceil(tiles.div_ceil(SUMS));
    let mut sums = [tile::ZERO; SUMS];
    let mut taps = [0; TAPS];
    let mut unit = units.start;
    while unit < units.end {
        let (group, block) = (unit / blocks, unit % blocks);
        let deep = match (SUMS / wide).min(units.end - unit).min(blocks - block) {
            3 => 2,
            deep => deep,
        };
        let group = Group::new(layout, group, (Part::WHOLE, 1), false);
        let taps = panels.taps(&group.view, rows, &mut taps);
        for first in (0..tiles).step_by(wide) {
            let position = first * ROWS;
            let at = At { panels, inputs, rows, group: group.index, taps, block, position, wide };
            let wide = wide.min(tiles - first);
            let columns = panels.grid.1;
            let place = (strip.start + position / columns, position % columns);
            let left = (wide * ROWS).min(positions - position);
            // SAFETY: as promised by the caller.
            unsafe {
                tile::clear();
                match (wide, deep) {
                    (1, 1) => kernel.multiply::<1, 1>(&at),
                    (1, 2) => kernel.multiply::<1, 2>(&at),
                    (1, _) => kernel.multiply::<1, 4>(&at),
                    (2, 1) => kernel.multiply::<2, 1>(&at),
                    (2, _) => kernel.multiply::<2, 2>(&at),
                    (3, _) => kernel.multiply::<3, 1>(&at),
                    (_, _) => kernel.multiply::<4, 1>(&at),
                }
                tile::sums(&mut sums);
            }
            for n in 0..deep {
                let rows = Rows { sums: &sums, first: n, deep, next: 0, left, place, columns };
                // SAFETY: as promised by the caller.
                unsafe { kernel.finish(&group, block + n, rows) };
            }
        }
        unit += deep;
    }
}
