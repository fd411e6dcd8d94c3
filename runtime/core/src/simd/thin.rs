//! Int8 convolutions of one channel. Of the four bytes of such a pixel three are padding: instead of them, four
//! taps of a row, which lie side by side, are multiplied at a time.

use super::dots::{Bytes as _, Dots as _};
use super::part::{Part, Places};
use super::set::{Job, Set};
use crate::int8::TOGETHER;
use crate::layer::{Int8, Layer};
use crate::layout::{LANES, Layout, QUAD, View};
use crate::op::Op;

/// Most rows of taps, fours of taps of a row, and blocks of lanes: weights are kept on the stack.
const ROWS: usize = 8;
const FOURS: usize = ROWS / QUAD;
const BLOCKS: usize = 4;
/// Weights of four taps for a block.
const FOUR: usize = QUAD * LANES;
/// Longest input row under a row of outputs.
const LINE: usize = 1024;

/// A part of a layer that [`suits`].
pub(super) struct Bytes<'a> {
    pub int8: &'a Int8<'a>,
    pub layout: &'a Layout,
    pub part: Part,
    pub x: &'a [u8],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, u8>,
}

/// Whether a layer is computed like this.
pub(super) fn suits(layer: &Layer<'_>) -> bool {
    let (Op::Conv { out, window } | Op::ReflectConv { out, window }) = layer.op else {
        return false;
    };
    let line = (layer.output.w - 1) * window.stride + window.kernel.next_multiple_of(QUAD);
    layer.input.c == 1
        && (2..=ROWS).contains(&window.kernel)
        && out <= BLOCKS * LANES
        && line <= LINE
}

impl Job for Bytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let Bytes { int8, layout, part, x, y } = self;
        let (view, (height, width)) = (layout.view(0), layout.grid(0));
        let fours = view.columns.div_ceil(QUAD);
        let mut weight = [0; BLOCKS * ROWS * FOURS * FOUR];
        pack(layout, int8.weight, &mut weight);
        let mut lines = [[0; LINE]; ROWS];
        let length = (width - 1) * view.step + fours * QUAD;
        for row in part.share(height) {
            let first = view.first((row, 0));
            for (tap, line) in lines.iter_mut().enumerate().take(view.rows) {
                fill(&view, (first, tap), (x, int8.padding), &mut line[..length]);
            }
            for (block, weight) in weight.chunks_exact(view.rows * fours * FOUR).enumerate() {
                let of = block * LANES;
                let here = LANES.min(layout.lanes().saturating_sub(of));
                let (Some(bias), Some(scale)) = (of_block(int8.bias, of), of_block(int8.scale, of))
                else {
                    break;
                };
                for column in (0..width).step_by(TOGETHER) {
                    let last = TOGETHER.min(width - column) - 1;
                    // SAFETY: the set proves that the CPU has the instructions; four bytes are within the length
                    // of a line from the first tap of each position and of each of its fours.
                    let bytes = unsafe {
                        let mut sums = [S::Bytes::zero(); TOGETHER];
                        for (line, weight) in lines.iter().zip(weight.chunks_exact(fours * FOUR)) {
                            for (four, weight) in weight.chunks_exact(FOUR).enumerate() {
                                let weight = S::Bytes::weights(weight.as_ptr());
                                for (i, sum) in sums.iter_mut().enumerate() {
                                    let at = (column + i.min(last)) * view.step + four * QUAD;
                                    *sum = sum.add_products(line.as_ptr().add(at), weight);
                                }
                            }
                        }
                        S::Bytes::together(sums, bias, scale, int8)
                    };
                    for (i, bytes) in bytes.iter().enumerate().take(last + 1) {
                        let to = layout.place(0, (row, column + i), of);
                        // SAFETY: the rows are the part's own.
                        match unsafe { y.cut(to, here) }.first_chunk_mut() {
                            Some(to) => *to = *bytes,
                            // SAFETY: likewise.
                            None => unsafe { y.cut(to, here) }.copy_from_slice(&bytes[..here]),
                        }
                    }
                }
            }
        }
    }
}

/// The values of a block of lanes.
#[inline(always)]
fn of_block(values: &[i32], of: usize) -> Option<&[i32; LANES]> {
    values.get(of..)?.first_chunk()
}

/// The weights of each block, row of taps, four of its taps and lane.
fn pack(layout: &Layout, weight: &[i8], to: &mut [i8]) {
    let view = layout.view(0);
    let fours = view.columns.div_ceil(QUAD);
    for (at, to) in to.chunks_exact_mut(FOUR).take(layout.blocks() * view.rows * fours).enumerate()
    {
        let (block, row, four) = (at / fours / view.rows, at / fours % view.rows, at % fours);
        for (lane, to) in to.chunks_exact_mut(QUAD).enumerate() {
            for (column, to) in (four * QUAD..view.columns).zip(to) {
                let tap = row * view.columns + column;
                *to = weight[layout.weight(0, block * LANES + lane, tap, 0)];
            }
        }
    }
}

/// Copies the input row under a row of taps, from the first tap of the first position on.
#[inline(always)]
fn fill(
    view: &View,
    (first, tap): ((usize, usize), usize),
    (x, padding): (&[u8], u8),
    line: &mut [u8],
) {
    let from = view.row(first, tap);
    if from == View::OUTSIDE {
        return line.fill(padding);
    }
    let inside = view.inside(first, line.len());
    for column in (0..inside.start).chain(inside.end..line.len()) {
        line[column] = match view.column(first, column) {
            View::OUTSIDE => padding,
            column => x[(from + column) * QUAD],
        };
    }
    if !inside.is_empty() {
        let from = from + view.column(first, inside.start);
        let pixels = x[from * QUAD..].as_chunks::<QUAD>().0;
        for (to, pixel) in line[inside].iter_mut().zip(pixels) {
            *to = pixel[0];
        }
    }
}
