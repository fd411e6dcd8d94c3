//! Convolutions of an input of few channels, whose taps take longer to find than to multiply: the rows
//! under a row of positions are copied with their border, and each row of taps is one tap.

use super::group::Group;
use super::taps::{Taps, Tile};
use crate::layout::{LANES, View};

/// Most channels of such an input.
const FEW: usize = 8;
/// Most values of the rows under a row of positions, which are kept on the stack: none on small
/// devices.
const BAND: usize =
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) { 4096 } else { 0 };

impl Group<'_> {
    /// Values of an input row under a row of positions.
    fn line(&self) -> usize {
        ((self.columns - 1) * self.view.step + self.view.columns) * self.depth
    }

    /// Whether the group is computed like this.
    fn is_few(&self) -> bool {
        let one = self.layout.images() == 1;
        let few = one && self.depth <= FEW && !self.view.back && self.layout.has_border();
        few && self.line() * self.view.rows <= BAND
    }
}

/// The input rows under a row of positions.
pub(super) struct Band<X> {
    values: [X; BAND],
    /// The row of positions, once there is one.
    row: Option<usize>,
}

impl<X: Copy> Band<X> {
    /// If the group is computed like this.
    pub fn new(group: &Group<'_>, border: &[X]) -> Option<Band<X>> {
        let nothing = group.is_few().then(|| border.first()).flatten()?;
        Some(Band { values: [*nothing; BAND], row: None })
    }

    /// Copies what is under the row after a tile, unless it is here. Returns how many positions of the row
    /// are left.
    #[inline(always)]
    pub fn fill(&mut self, group: &Group<'_>, tile: &Tile, (x, border): (&[X], &[X])) -> usize {
        let (row, column) = tile.end;
        if self.row != Some(row) {
            self.row = Some(row);
            let band = &mut self.values[..group.line() * group.view.rows];
            fill(&group.view, row, group.depth, (x, border), band);
        }
        group.columns - column
    }

    /// Finds the taps from this row of taps on, as [`Tile::taps`] does.
    #[inline(never)]
    pub fn taps(
        &self,
        group: &Group<'_>,
        tile: &Tile,
        (row, _): (usize, usize),
        taps: &mut Taps<X>,
    ) -> Option<(usize, usize)> {
        taps.clear();
        let (view, depth) = (&group.view, group.depth);
        let (each, line, step) = (view.columns * depth, group.line(), view.step * depth);
        let positions = tile.positions();
        for row in row..view.rows {
            let Some(tap) = taps.next() else { return Some((row, 0)) };
            // The taps of the last column end where the line does.
            let under = self.values[row * line..(row + 1) * line].as_ptr();
            for (to, (_, column)) in tap.under.iter_mut().zip(positions) {
                *to = under.wrapping_add(column * step);
            }
            tap.weight = row * each * LANES;
            tap.depth = each;
        }
        None
    }
}

/// Copies the input rows under a row of positions.
#[inline(never)]
fn fill<T: Copy>(view: &View, row: usize, depth: usize, (x, border): (&[T], &[T]), band: &mut [T]) {
    let first = view.first((row, 0));
    let line = band.len() / view.rows;
    for (tap, to) in band.chunks_exact_mut(line).enumerate() {
        let from = view.row(first, tap);
        if from == View::OUTSIDE {
            for to in to.chunks_exact_mut(depth) {
                to.copy_from_slice(&border[..depth]);
            }
            continue;
        }
        let columns = line / depth;
        let inside = view.inside(first, columns);
        for column in (0..inside.start).chain(inside.end..columns) {
            to[column * depth..][..depth].copy_from_slice(match view.column(first, column) {
                View::OUTSIDE => &border[..depth],
                column => &x[(from + column) * depth..][..depth],
            });
        }
        if !inside.is_empty() {
            let from = (from + view.column(first, inside.start)) * depth;
            let to = &mut to[inside.start * depth..inside.end * depth];
            to.copy_from_slice(&x[from..from + to.len()]);
        }
    }
}
