//! Where the inputs of a tile are: found one tap after another, apart from the multiplications, because this is
//! the same for every shape of tiles.

use super::group::{Group, SHORT};
use crate::layout::{LANES, View};
use crate::simd::dots::Dots;

/// Most positions of a tile, of any instruction set of the target.
pub(super) const WIDE: usize = if cfg!(target_arch = "x86_64") { 12 } else { 4 };

/// Taps that are found at a time.
const TAPS: usize = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) { 16 } else { 4 };

/// The inputs under one tap, or under a row of taps that lie side by side, as their weights do.
#[derive(Clone, Copy)]
pub(super) struct Tap<X> {
    /// Of each position of a tile.
    pub under: [*const X; WIDE],
    /// Offset of the weights.
    pub weight: usize,
    /// Inputs of each position.
    pub depth: usize,
}

/// A few taps.
pub(super) struct Taps<X> {
    taps: [Tap<X>; TAPS],
    len: usize,
}

impl<X: Copy> Taps<X> {
    pub fn new() -> Taps<X> {
        let none = Tap { under: [core::ptr::null(); WIDE], weight: 0, depth: 0 };
        Taps { taps: [none; TAPS], len: 0 }
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// The next tap, to be filled in; `None` if there are as many as are found at a time.
    pub fn next(&mut self) -> Option<&mut Tap<X>> {
        let next = self.taps.get_mut(self.len)?;
        self.len += 1;
        Some(next)
    }

    /// Takes the last one back.
    fn back(&mut self) {
        self.len -= 1;
    }

    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = &Tap<X>> {
        self.taps.iter().take(self.len)
    }
}

/// Positions that are computed together.
pub(super) struct Tile {
    positions: [(usize, usize); WIDE],
    wide: usize,
    /// The position after the last one.
    pub end: (usize, usize),
}

impl Tile {
    pub fn new() -> Tile {
        Tile { positions: [(0, 0); WIDE], wide: 0, end: (0, 0) }
    }

    /// No positions, before all of the group.
    pub fn begin(&mut self, group: &Group<'_>) {
        let first = group.positions.start;
        self.end = (first / group.columns, first % group.columns);
        self.wide = 0;
    }

    /// The next `wide` positions.
    #[inline(always)]
    pub fn next(&mut self, group: &Group<'_>, wide: usize) {
        self.wide = wide;
        for position in self.positions.iter_mut().take(wide) {
            *position = self.end;
            let (mut r, c) = self.end;
            if group.by_image {
                if r + group.rows < group.layout.images() * group.rows {
                    self.end.0 = r + group.rows;
                    continue;
                }
                r %= group.rows;
            }
            self.end = if c + 1 == group.columns { (r + 1, 0) } else { (r, c + 1) };
        }
    }

    /// How many positions after this tile are best computed together: those of a row if it is short, or of all
    /// images, so that taps beyond the input are left out.
    #[inline(always)]
    pub fn alike<D: Dots>(&self, group: &Group<'_>) -> usize {
        match D::NARROW != [0, 0] && group.clear && group.columns <= SHORT {
            true if group.by_image => group.alike() - self.end.0 / group.rows,
            true => group.columns - self.end.1,
            false => usize::MAX,
        }
    }

    #[inline(always)]
    pub fn positions(&self) -> &[(usize, usize)] {
        &self.positions[..self.wide]
    }

    /// Finds the taps from this row and column of taps on; returns the row and column of the first one that
    /// is left. Taps that multiply nothing but zeros are left out.
    #[inline(never)]
    pub fn taps<X: Copy>(
        &self,
        group: &Group<'_>,
        (row, mut column): (usize, usize),
        (x, border): (&[X], &[X]),
        taps: &mut Taps<X>,
    ) -> Option<(usize, usize)> {
        taps.clear();
        let (view, depth) = (&group.view, group.depth);
        let positions = self.positions();
        let (mut firsts, mut rows) = ([(0, 0); WIDE], [0; WIDE]);
        let mut images = [x.as_ptr(); WIDE];
        for ((first, image), (row, column)) in firsts.iter_mut().zip(&mut images).zip(positions) {
            let (before, row) = group.image(*row);
            *first = view.first((row, *column));
            *image = image.wrapping_add(before * depth);
        }
        let (firsts, rows) = (&firsts[..self.wide], &mut rows[..self.wide]);
        // Columns of taps under which, at every position, input columns lie side by side.
        let mut run = if view.back { 0..0 } else { 0..view.columns };
        for first in firsts {
            let inside = view.inside(*first, view.columns);
            run = run.start.max(inside.start)..run.end.min(inside.end);
        }
        for row in row..view.rows {
            let (mut above, mut inside) = (true, run.start < run.end);
            for (to, first) in rows.iter_mut().zip(firsts) {
                *to = view.row(*first, row);
                above &= *to == View::OUTSIDE;
                inside &= *to != View::OUTSIDE;
            }
            if group.clear && above {
                column = 0;
                continue;
            }
            while column < view.columns {
                // Taps that lie side by side are one tap of more channels.
                let each = if inside && column == run.start { run.len() } else { 1 };
                let Some(tap) = taps.next() else { return Some((row, column)) };
                let mut outside = true;
                let places = firsts.iter().zip(&*rows).zip(&images);
                for (under, ((first, row), image)) in tap.under.iter_mut().zip(places) {
                    let column = view.column(*first, column);
                    *under = border.as_ptr();
                    if *row != View::OUTSIDE && column != View::OUTSIDE {
                        *under = image.wrapping_add((row + column) * depth);
                        outside = false;
                    }
                }
                tap.weight = (row * view.columns + column) * depth * LANES;
                tap.depth = each * depth;
                if group.clear && outside {
                    taps.back();
                }
                column += each;
            }
            column = 0;
        }
        None
    }
}
