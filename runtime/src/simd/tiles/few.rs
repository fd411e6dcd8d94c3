//! Convolutions of an input of few channels, whose taps take longer to find than to multiply: the rows
//! under a row of positions are copied with their border, and each row of taps is one tap.

use super::{Finish, Group};
use crate::layout::{LANES, View};
use crate::simd::dots::Dots;

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
    #[inline(always)]
    pub(super) fn is_few(&self) -> bool {
        let few = self.depth <= FEW && !self.view.back && self.layout.has_border();
        few && self.line() * self.view.rows <= BAND
    }
}

/// Computes all positions of `B` blocks from `block` on.
///
/// # Safety
/// The CPU has the instructions of `D`; `group` is of few channels.
#[inline(always)]
pub(super) unsafe fn rows<D: Dots, F: Finish<D>, const B: usize>(
    group: &Group<'_>,
    weight: &[D::Weight],
    start: [D; B],
    block: usize,
    (x, border): (&[D::X], &[D::X]),
    finish: &mut F,
) {
    let Some(nothing) = border.first() else { return };
    let mut band = [*nothing; BAND];
    let (columns, line) = (group.columns, group.line());
    let band = &mut band[..line * group.view.rows];
    let mut at = group.positions.start;
    while at < group.positions.end {
        let (row, column) = (at / columns, at % columns);
        fill(&group.view, row, group.depth, (x, border), band);
        let end = columns.min(column + group.positions.end - at);
        let mut column = column;
        while column < end {
            let here = (row, column);
            // SAFETY: as promised by the caller.
            column += unsafe {
                match (D::WIDE, end - column) {
                    (12.., 12..) if B == 1 => {
                        tile::<D, F, 12, B>(group, weight, start, (block, here), band, finish)
                    }
                    (6.., 6..) => {
                        tile::<D, F, 6, B>(group, weight, start, (block, here), band, finish)
                    }
                    (4.., 4..) => {
                        tile::<D, F, 4, B>(group, weight, start, (block, here), band, finish)
                    }
                    (2.., 2..) => {
                        tile::<D, F, 2, B>(group, weight, start, (block, here), band, finish)
                    }
                    _ => tile::<D, F, 1, B>(group, weight, start, (block, here), band, finish),
                }
            };
        }
        at = row * columns + end;
    }
}

/// Copies the input rows under a row of positions.
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
        let inside = view.inside(first, line / depth);
        for (column, to) in to.chunks_exact_mut(depth).enumerate() {
            if !inside.contains(&column) {
                to.copy_from_slice(match view.column(first, column) {
                    View::OUTSIDE => &border[..depth],
                    column => &x[(from + column) * depth..][..depth],
                });
            }
        }
        if !inside.is_empty() {
            let from = (from + view.column(first, inside.start)) * depth;
            let to = &mut to[inside.start * depth..inside.end * depth];
            to.copy_from_slice(&x[from..from + to.len()]);
        }
    }
}

/// Computes `P` positions of a row, from `column`, of `B` blocks; returns `P`.
///
/// # Safety
/// The CPU has the instructions of `D`; `band` has the rows of input under all positions of the row.
#[inline(always)]
unsafe fn tile<D: Dots, F: Finish<D>, const P: usize, const B: usize>(
    group: &Group<'_>,
    weight: &[D::Weight],
    start: [D; B],
    (block, (row, column)): (usize, (usize, usize)),
    band: &[D::X],
    finish: &mut F,
) -> usize {
    let (view, depth) = (&group.view, group.depth);
    let lanes = group.layout.lanes() - block * LANES;
    let (each, line, step) = (view.columns * depth, group.line(), view.step * depth);
    let of_block = view.rows * each * LANES;
    assert!(column + P <= group.columns && weight.len() >= B * of_block);
    assert!(band.len() >= view.rows * line);
    let mut sums = [start; P];
    for tap in 0..view.rows {
        // SAFETY: the taps of the last column end where the line does; each has 16 weights of each
        // block.
        unsafe {
            let first = band.as_ptr().add(tap * line + column * step);
            let mut under = [first; P];
            for (p, under) in under.iter_mut().enumerate() {
                *under = first.add(p * step);
            }
            let from = weight.as_ptr().add(tap * each * LANES);
            D::add_tap(&mut sums, under, (from, of_block), each, lanes);
        }
    }
    // SAFETY: as promised by the caller.
    unsafe { D::end(&mut sums) };
    // A copy: see `super::tile`.
    let done = sums;
    for (p, sums) in done.iter().enumerate() {
        for (b, sums) in sums.iter().enumerate() {
            // SAFETY: as promised by the caller.
            unsafe { finish.finish(group, block + b, (row, column + p), *sums) };
        }
    }
    P
}
