//! Layers in blocks: the sums of a few positions and a few blocks of lanes stay in registers while
//! the input streams by.

use core::ops::Range;

use super::dots::Dots;
use super::part::{Part, Places};
use crate::layout::{LANES, Layout, View};

mod few;
mod floats;
mod pixels;

pub(super) use floats::Floats;
pub(super) use pixels::Pixels;

/// What all tiles of a group share.
struct Group<'a> {
    layout: &'a Layout,
    index: usize,
    view: View,
    /// See [`Layout::stride`].
    stride: (usize, usize, usize),
    /// Offsets of the lanes at the first position, if one block has them all.
    places: [usize; LANES],
    /// Blocks of lanes.
    blocks: usize,
    depth: usize,
    columns: usize,
    /// See [`View::runs`].
    runs: Range<usize>,
    /// The positions to compute.
    positions: Range<usize>,
    /// Whether what lies beyond the input is zeros.
    clear: bool,
}

/// What is done with sums.
trait Finish<D> {
    /// Takes the sums of a block of lanes of a position.
    ///
    /// # Safety
    /// The CPU has the instructions of `D`.
    unsafe fn finish(&mut self, group: &Group<'_>, block: usize, at: (usize, usize), sums: D);
}

/// `scale`: see [`Dots::start`].
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn run<D: Dots, F: Finish<D>>(
    layout: &Layout,
    (weight, scale): (&[D::Weight], f32),
    part: Part,
    x: &[D::X],
    border: &[D::X],
    finish: &mut F,
) {
    let (depth, lanes) = (layout.depth(), layout.blocks() * LANES);
    // Parts split the blocks, so that no two read the same weights, or the positions if blocks are
    // few.
    let by_blocks = layout.blocks() >= part.of() * D::DEEP;
    assert!(x.len() >= layout.pixels() * depth && (border.len() >= depth || !layout.has_border()));
    let clear = border.iter().all(|value| D::is_zero(*value));
    let mut begin = 0;
    for index in 0..layout.groups() {
        let (rows, columns) = layout.grid(index);
        let len = lanes * layout.taps(index) * depth;
        let weight = (&weight[begin..begin + len], scale);
        begin += len;
        let group = Group {
            layout,
            index,
            view: layout.view(index),
            stride: layout.stride(index),
            places: match layout.blocks() {
                1 => core::array::from_fn(|lane| layout.place(index, (0, 0), lane)),
                _ => [0; LANES],
            },
            blocks: layout.blocks(),
            depth,
            columns,
            runs: layout.view(index).runs(columns),
            positions: match by_blocks {
                true => 0..rows * columns,
                false => part.share(rows * columns),
            },
            clear,
        };
        let blocks_of_part = match by_blocks {
            true => part.share(layout.blocks()),
            false => 0..layout.blocks(),
        };
        let mut block = blocks_of_part.start;
        while block < blocks_of_part.end {
            let left = blocks_of_part.end - block;
            // SAFETY: as promised by the caller.
            block += unsafe {
                match narrow::<D>(&group) {
                    1 if D::NARROW[0] >= 4 && left >= 4 => {
                        blocks::<D, F, 4, 1>(&group, weight, block, x, border, finish)
                    }
                    1 | 2 if D::NARROW[1] >= 2 && left >= 2 => {
                        blocks::<D, F, 2, 2>(&group, weight, block, x, border, finish)
                    }
                    _ => match D::DEEP {
                        4.. if left >= 4 => {
                            blocks::<D, F, 4, 12>(&group, weight, block, x, border, finish)
                        }
                        3.. if left >= 3 => {
                            blocks::<D, F, 3, 12>(&group, weight, block, x, border, finish)
                        }
                        2.. if left >= 2 => {
                            blocks::<D, F, 2, 12>(&group, weight, block, x, border, finish)
                        }
                        _ => blocks::<D, F, 1, 12>(&group, weight, block, x, border, finish),
                    },
                }
            };
        }
    }
}

/// Positions in a row of a group, if that few are computed with more blocks of lanes.
#[inline(always)]
fn narrow<D: Dots>(group: &Group<'_>) -> usize {
    match D::NARROW {
        [0, 0] => usize::MAX,
        _ => group.columns.min(group.positions.len()),
    }
}

/// Computes all positions of `B` blocks, at most `P` at a time; returns `B`.
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn blocks<D: Dots, F: Finish<D>, const B: usize, const P: usize>(
    group: &Group<'_>,
    (weight, scale): (&[D::Weight], f32),
    block: usize,
    x: &[D::X],
    border: &[D::X],
    finish: &mut F,
) -> usize {
    let of_block = group.view.rows * group.view.columns * group.depth * LANES;
    let weight = &weight[block * of_block..(block + B) * of_block];
    // SAFETY: as promised by the caller; the slice has that many weights.
    let start = unsafe { D::start::<B>(weight.as_ptr(), of_block, scale) };
    if group.is_few() {
        // SAFETY: as promised by the caller.
        unsafe { few::rows(group, weight, start, block, (x, border), finish) };
        return B;
    }
    let mut at = group.positions.start;
    while at < group.positions.end {
        let left = (group.positions.end - at).min(group.alike::<D>(at));
        // SAFETY: as promised by the caller.
        at += unsafe {
            match if P < D::WIDE { P } else { D::WIDE } {
                12.. if B == 1 && left >= 12 => {
                    tile::<D, F, 12, B>(group, weight, start, (block, at), x, border, finish)
                }
                6.. if left >= 6 => {
                    tile::<D, F, 6, B>(group, weight, start, (block, at), x, border, finish)
                }
                4.. if left >= 4 => {
                    tile::<D, F, 4, B>(group, weight, start, (block, at), x, border, finish)
                }
                2.. if left >= 2 => {
                    tile::<D, F, 2, B>(group, weight, start, (block, at), x, border, finish)
                }
                _ => tile::<D, F, 1, B>(group, weight, start, (block, at), x, border, finish),
            }
        };
    }
    B
}

/// Computes `P` positions, from `at`, of `B` blocks; returns `P`.
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn tile<D: Dots, F: Finish<D>, const P: usize, const B: usize>(
    group: &Group<'_>,
    weight: &[D::Weight],
    start: [D; B],
    (block, at): (usize, usize),
    x: &[D::X],
    border: &[D::X],
    finish: &mut F,
) -> usize {
    let mut positions = [(at / group.columns, at % group.columns); P];
    for p in 1..P {
        let (r, c) = positions[p - 1];
        positions[p] = if c + 1 == group.columns { (r + 1, 0) } else { (r, c + 1) };
    }
    let (depth, of_block) = (group.depth, weight.len() / B);
    let lanes = group.layout.lanes() - block * LANES;
    let mut sums = [start; P];
    let mut from = weight.as_ptr();
    let (view, columns) = (&group.view, group.view.columns);
    let (mut firsts, mut rows) = ([(0, 0); P], [0; P]);
    for (first, at) in firsts.iter_mut().zip(&positions) {
        *first = view.first(*at);
    }
    let runs = positions.iter().all(|at| group.runs.contains(&at.1));
    for row in 0..view.rows {
        let (mut above, mut inside) = (true, runs);
        for (to, first) in rows.iter_mut().zip(&firsts) {
            *to = view.row(*first, row);
            above &= *to == View::OUTSIDE;
            inside &= *to != View::OUTSIDE;
        }
        // Products with zeros are left out.
        if group.clear && above {
            from = from.wrapping_add(columns * depth * LANES);
            continue;
        }
        // A row of taps that lie side by side, as their weights do, is one tap of more channels.
        let taps = if inside { columns } else { 1 };
        for tap in (0..columns).step_by(taps) {
            let mut under = [border.as_ptr(); P];
            let mut outside = true;
            for (p, under) in under.iter_mut().enumerate() {
                let column = view.column(firsts[p], tap);
                if rows[p] != View::OUTSIDE && column != View::OUTSIDE {
                    *under = x.as_ptr().wrapping_add((rows[p] + column) * depth);
                    outside = false;
                }
            }
            let each = taps * depth;
            if !(group.clear && outside) {
                // SAFETY: `View` gave pixels within the input, which `run` compared with `x`; `each`
                // values, a multiple of QUAD, are under each tap, with 16 lanes of weights for each
                // of them in each block, the last of which ends where `weight` does.
                unsafe { D::add_tap(&mut sums, under, (from, of_block), each, lanes) };
            }
            from = from.wrapping_add(each * LANES);
        }
    }
    // SAFETY: as promised by the caller.
    unsafe { D::end(&mut sums) };
    // A copy, read by reference: the sums above stay in registers, and an iterator over the array itself
    // would copy each row of it once more.
    let done = sums;
    for (sums, position) in done.iter().zip(&positions) {
        for (b, sums) in sums.iter().enumerate() {
            // SAFETY: as promised by the caller.
            unsafe { finish.finish(group, block + b, *position, *sums) };
        }
    }
    P
}

impl Group<'_> {
    /// How many positions from `at` on are best computed together: those of a row if it is short, so
    /// that taps above and below the input are left out.
    #[inline(always)]
    fn alike<D: Dots>(&self, at: usize) -> usize {
        match D::NARROW != [0, 0] && self.clear && self.columns <= 4 {
            true => self.columns - at % self.columns,
            false => usize::MAX,
        }
    }

    /// Writes the lanes of a block to the output.
    ///
    /// # Safety
    /// No other thread writes the block at this position.
    #[inline(always)]
    unsafe fn place<T: Copy>(
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
                None => to.copy_from_slice(&values[..lanes]),
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
    fn lanes<'v, T>(&self, block: usize, values: &'v [T]) -> Option<&'v [T; LANES]> {
        let of = (self.index * self.blocks + block) * LANES;
        values.get(of..)?.first_chunk()
    }
}
