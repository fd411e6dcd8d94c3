//! The order of the work: some rows of positions after another, of these one block of lanes after another, and of
//! each as many positions at a time as there are sums. Images that take a tile each are positions of the same block.

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
    /// The first position in the panels, lines from one tile to the next, and the rows of positions in the panels.
    pub inputs: *const Line,
    pub spread: usize,
    pub rows: usize,
    pub group: usize,
    /// Lines from the first one of the panels to that of each tap.
    pub taps: &'a [usize],
    /// The first block.
    pub block: usize,
    /// Whether the same blocks have been multiplied before, with other positions.
    pub again: bool,
    /// Whether all positions are multiplied at once.
    pub once: bool,
}

impl At<'_> {
    /// The first tile of inputs under a tap.
    #[inline(always)]
    pub fn tap(&self, tap: usize) -> *const Line {
        self.inputs.wrapping_add(self.taps[tap])
    }
}

/// Panels of some images: where the first ones are, the images, and lines from one image to the next.
#[derive(Clone)]
struct Images {
    to: *mut Line,
    images: Range<usize>,
    apart: usize,
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
    let (all, apart) = (layout.images(), panels.lines * panels.apart(most));
    let together = match most == rows.len() {
        true => (room.saturating_sub(ROWS) / apart.max(1)).clamp(1, all),
        false => 1,
    };
    // SAFETY: as promised by the caller; so below.
    let _tiles = unsafe { Tiles::new() };
    for image in (0..all).step_by(together) {
        let images = Images { to, images: image..all.min(image + together), apart };
        for first in rows.clone().step_by(most) {
            let strip = first..rows.end.min(first + most);
            for (index, image) in images.images.clone().enumerate() {
                let before = image * layout.pixels();
                unsafe {
                    fill(kernel, (panels, before), strip.clone(), to.add(index * apart));
                }
            }
            unsafe { multiply(kernel, (layout, panels), (strip, units.clone()), &images) };
        }
    }
}

/// Copies the input under some rows of positions of an image; `before`: the pixels of the images before it.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn fill<K: Kernel>(
    kernel: &K,
    (panels, before): (&Panels, usize),
    rows: Range<usize>,
    to: *mut Line,
) {
    let (apart, mut places) = (panels.apart(rows.len()), [0; MOST]);
    let (height, width) = panels.covered(rows.len());
    // Quotients and remainders by the step, which takes longer to divide by.
    for y in Steps::new(panels.step()).take(height) {
        let row = panels.row(y.at, rows.start);
        for x in Steps::new(panels.step()).take(width) {
            let places = panels.places((y, x), rows.len(), &mut places);
            let pixel = panels.pixel(row, x.at).map(|pixel| before + pixel);
            // SAFETY: as promised by the caller.
            unsafe { kernel.put(pixel, to, places, apart) };
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
    images: &Images,
) {
    let (rows, blocks) = (strip.len(), layout.blocks());
    let positions = rows * panels.grid.1;
    let of_image = positions.div_ceil(ROWS);
    // Tiles that follow each other: of one image after another, or of each image its only one.
    let (tiles, spread, rounds) = match (of_image, images.images.len()) {
        (1, n) => (n, images.apart, 1),
        (tiles, n) => (tiles, ROWS, n),
    };
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
        for (round, first) in
            (0..rounds).flat_map(|round| (0..tiles).step_by(wide).map(move |first| (round, first)))
        {
            let again = (round, first) != (0, 0);
            let inputs = images.to.wrapping_add(round * images.apart + first * spread);
            let at = At {
                panels,
                inputs,
                spread,
                rows,
                group: group.index,
                taps,
                block,
                again,
                once: rounds == 1 && wide >= tiles,
            };
            let wide = wide.min(tiles - first);
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
            let columns = panels.grid.1;
            // The image and the first position of each run of tiles, and how many tiles it has.
            let (runs, long) = if of_image == 1 { (wide, 1) } else { (1, wide) };
            for (n, run) in (0..deep).flat_map(|n| (0..runs).map(move |run| (n, run))) {
                let (image, position) = match of_image {
                    1 => (first + run, 0),
                    _ => (round, first * ROWS),
                };
                let row = (images.images.start + image) * panels.grid.0 + strip.start;
                let next = run * ROWS;
                let rows = Rows {
                    sums: &sums,
                    first: n,
                    deep,
                    next,
                    left: next + (long * ROWS).min(positions - position),
                    place: (row + position / columns, position % columns),
                    columns,
                };
                // SAFETY: as promised by the caller.
                unsafe { kernel.finish(&group, block + n, rows) };
            }
        }
        unit += deep;
    }
}
