//! The input, copied so that what positions need that follow each other lies side by side.
//!
//! A line of a panel has the pixels under a tap of a row of positions. There is a panel for each column of taps
//! (and of each residue of rows, if positions are more than a row apart), with the lines of one row of positions
//! after another: taps of the same column are whole lines apart. Of each pixel, 64 bytes lie in one place; the next 64
//! lie in panels of their own, so that a tile of positions is contiguous.

use super::tile::ROWS;
use crate::layout::{LARGEST_WINDOW, Layout, View};

/// Where things lie in panels.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    /// Any view of the layer, to find pixels with.
    view: View,
    /// First row and column of taps, from the position; rows that taps span, and columns.
    from: (isize, isize),
    span: (usize, usize),
    /// Lines of a panel beyond those of the positions.
    more: usize,
    /// Rows and columns of positions.
    pub grid: (usize, usize),
    /// Lines of a pixel.
    pub lines: usize,
}

impl Panels {
    /// Of pixels of `lines` lines. `None` if not all groups have the same positions.
    pub fn new(layout: &Layout, lines: usize) -> Option<Panels> {
        let grid = layout.grid(0);
        let (mut from, mut to) = ((isize::MAX, isize::MAX), (isize::MIN, isize::MIN));
        for group in 0..layout.groups() {
            let view = layout.view(group);
            if layout.grid(group) != grid || view.rows == 0 || view.columns == 0 {
                return None;
            }
            for (row, column) in [(0, 0), (view.rows - 1, view.columns - 1)] {
                let (y, x) = offset(&view, (row, column));
                from = (from.0.min(y), from.1.min(x));
                to = (to.0.max(y), to.1.max(x));
            }
        }
        let span = (to.0.checked_sub(from.0)?, to.1.checked_sub(from.1)?);
        let span = (span.0 as usize, span.1 as usize + 1);
        let view = layout.view(0);
        let more = span.0 / view.step;
        let panels = Panels { view, from, span, more, grid, lines };
        (span.1 <= MOST).then_some(panels)
    }

    /// Lines of positions of a panel with `rows` rows of them.
    fn height(&self, rows: usize) -> usize {
        rows + self.more
    }

    /// Lines from one of a pixel to its next one.
    pub fn apart(&self, rows: usize) -> usize {
        self.span.1 * self.view.step * self.height(rows) * self.grid.1
    }

    /// Rows of positions that fit into `room` lines.
    pub fn rows(&self, room: usize) -> usize {
        let one = self.lines * self.span.1 * self.view.step * self.grid.1;
        // The last tile may read beyond its positions.
        let all = room.saturating_sub(ROWS) / one.max(1);
        all.saturating_sub(self.more)
    }

    /// Where the pixels of the first position are, under each tap of a group with this view.
    pub fn taps<'t>(&self, view: &View, rows: usize, taps: &'t mut [usize; TAPS]) -> &'t [usize] {
        let taps = &mut taps[..view.rows * view.columns];
        for (tap, at) in taps.iter_mut().enumerate() {
            let (y, x) = offset(view, (tap / view.columns, tap % view.columns));
            let (y, x) = ((y - self.from.0) as usize, (x - self.from.1) as usize);
            *at = self.line((y, x), rows) * self.grid.1;
        }
        taps
    }

    /// The line of an input row, from the first, in the panel of a column of taps.
    fn line(&self, (y, x): (usize, usize), rows: usize) -> usize {
        let step = self.view.step;
        (x * step + y % step) * self.height(rows) + y / step
    }

    /// Rows and columns of pixels under some rows of positions.
    pub fn covered(&self, rows: usize) -> (usize, usize) {
        let (step, width) = (self.view.step, self.grid.1);
        ((rows - 1) * step + self.span.0 + 1, (width - 1) * step + self.span.1)
    }

    /// Input rows from one row of positions to the next.
    pub fn step(&self) -> usize {
        self.view.step
    }

    /// The places in panels of one of these pixels.
    #[inline(always)]
    pub fn places<'p>(
        &self,
        (y, x): (Steps, Steps),
        rows: usize,
        places: &'p mut [usize; MOST],
    ) -> &'p [usize] {
        let (step, width) = (self.view.step, self.grid.1);
        let (mut len, mut column) = (0, x.whole);
        for tap in (x.rest..self.span.1).step_by(step) {
            if column < width {
                let line = (tap * step + y.rest) * self.height(rows) + y.whole;
                places[len] = line * width + column;
                len += 1;
            }
            match column.checked_sub(1) {
                Some(before) => column = before,
                None => break,
            }
        }
        &places[..len]
    }

    /// The first pixel of a row of these, if it is not beyond the input, for rows of positions from `first` on.
    pub fn row(&self, y: usize, first: usize) -> usize {
        let down = (first * self.view.step + y).wrapping_add_signed(self.from.0);
        self.view.row((down, 0), 0)
    }

    /// The number of a pixel of that row in the input, if it is not beyond it.
    #[inline(always)]
    pub fn pixel(&self, row: usize, x: usize) -> Option<usize> {
        let column = self.view.column((0, x.wrapping_add_signed(self.from.1)), 0);
        let outside = row == View::OUTSIDE || column == View::OUTSIDE;
        (!outside).then(|| row + column)
    }
}

/// Numbers with their quotient and remainder by a step.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub at: usize,
    whole: usize,
    rest: usize,
    step: usize,
}

impl Steps {
    /// From 0 on.
    pub fn new(step: usize) -> Steps {
        Steps { at: 0, whole: 0, rest: 0, step }
    }
}

impl Iterator for Steps {
    type Item = Steps;

    #[inline(always)]
    fn next(&mut self) -> Option<Steps> {
        let now = *self;
        self.at += 1;
        self.rest += 1;
        if self.rest == self.step {
            (self.whole, self.rest) = (self.whole + 1, 0);
        }
        Some(now)
    }
}

/// Most columns of taps, and most taps.
pub(super) const MOST: usize = LARGEST_WINDOW + 1;
pub(super) const TAPS: usize = LARGEST_WINDOW * LARGEST_WINDOW;

/// Row and column of a tap, from the first position.
fn offset(view: &View, (row, column): (usize, usize)) -> (isize, isize) {
    let along = |from: usize, tap: usize| match view.back {
        true => from as isize - tap as isize,
        false => from as isize + tap as isize,
    };
    (along(view.from.0, row), along(view.from.1, column))
}
