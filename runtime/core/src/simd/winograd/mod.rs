//! A transposed convolution of kernel 4, stride 2 and padding 1 by Winograd's F(2, 2).
//!
//! Each of its four phases is a 2 x 2 convolution. Two neighboring outputs of one take three
//! products instead of four (Winograd 1980, F(2, 2)): with inputs `d` and taps `g`
//!
//! ```text
//! m0 = (d0 - d1) g0        y0 = m0 + m1
//! m1 = d1 (g0 + g1)        y1 = m1 + m2
//! m2 = (d2 - d1) g1
//! ```
//!
//! and so 2 x 2 outputs take nine instead of sixteen (Lavin and Gray 2016, section 4). The even and
//! odd outputs of an input pair `x0 x1` depend on `x-1 x0 x1` and `x0 x1 x2`: five values, `x-1 -
//! x0`, `x0`, `x1 - x0`, `x1`, `x2 - x1`, serve both, the middle one with opposite signs. A *tile*
//! is 2 x 2 inputs and the 4 x 4 outputs made from them.
//!
//! In integers the products are the same, so bytes give the same sums (`bytes`, with AVX2).
//!
//! Sums of taps are made when they are used: with many registers, in registers for each tile
//! (`direct`); otherwise ahead, for some channels and all tiles at hand (`ready`; on 64-bit Arm,
//! `arm`). Stored in the record they would take 2.25 times as many weights, and reading weights from
//! memory costs more than adding them up.

use super::lanes::{Lanes, Stored};
use super::part::Work;
use super::set::{Job, Set};
use crate::layout::{LANES, Layout};
use crate::op::Shape;

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(target_arch = "x86_64")]
pub(super) mod bytes;
mod direct;
mod input;
mod output;
mod ready;
mod tile;

use input::transform;
use tile::{GROUP, LINE, SUMS, TILES, Winograd, tiles};

/// Length of the scratch: inputs and sums of the tiles computed at a time, of some images.
pub(super) fn scratch_len(input: Shape, images: usize) -> usize {
    let (rows, columns) = tiles(input);
    let tiles = rows.saturating_mul(columns).saturating_mul(images).min(TILES);
    tiles * (input.c.div_ceil(LANES) * GROUP + SUMS) + ready::scratch_len(input.c) + LINE - 1
}

/// A packed layer.
pub(super) struct Upsampling<'a, W> {
    pub layout: &'a Layout,
    pub work: Work<'a, W>,
}

impl<W: Stored> Job for Upsampling<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, set: S) {
        // SAFETY: the set proves that the CPU has the instructions, and nothing else writes the
        // places of the part.
        unsafe { run::<S, S::Lanes, W>(set, self.layout, self.work) };
    }
}

/// # Safety
/// The CPU has the instructions of `L`; no other thread computes the same part.
#[inline(always)]
unsafe fn run<S: Set, L: Lanes, W: Stored>(set: S, layout: &Layout, work: Work<'_, W>) {
    #[cfg(target_arch = "aarch64")]
    if L::FOURS {
        // SAFETY: as promised by the caller.
        return unsafe { arm::run(set, layout, work) };
    }
    let Work { layer, weight, bias, part, x, scratch, y } = work;
    let input = layer.input;
    let (rows, columns) = tiles(input);
    let job = Winograd {
        layer,
        bias,
        lanes: layout.blocks() * LANES,
        depth: input.c,
        inputs: input.c.div_ceil(LANES) * GROUP,
        columns,
        of_image: rows * columns,
    };
    let all = layout.images() * rows * columns;
    // Parts split the registers of outputs. Each transforms all inputs, which is little compared
    // with the products, and reads only its own weights.
    let side = L::SIDE * L::N;
    let sides = layer.output.c.div_ceil(side);
    let of_phase = weight.len() / 4;
    let scratch = &mut scratch[..scratch_len(input, layout.images())];
    let aside = scratch.as_ptr().align_offset(LINE * size_of::<f32>());
    let scratch = &mut scratch[aside.min(LINE - 1)..];
    let (ready, scratch) = scratch.split_at_mut(ready::scratch_len(input.c));
    let (inputs, sums) = scratch.split_at_mut(all.min(TILES) * job.inputs);
    for from in (0..all).step_by(TILES) {
        let tiles = from..all.min(from + TILES);
        for (tile, to) in tiles.clone().zip(inputs.chunks_exact_mut(job.inputs)) {
            let (image, place) = job.place(tile);
            let x = &x[image * input.values()..];
            // SAFETY: as promised by the caller; the slice has room for a register.
            unsafe {
                transform::<L>(input, place, x, |at, v| {
                    v.store(to[at..][..L::N].as_mut_ptr());
                });
            }
        }
        for unit in part.share(4 * sides) {
            let (phase, lane) = (unit / sides, unit % sides * side);
            let weight = &weight[phase * of_phase..][..of_phase];
            // SAFETY: as promised by the caller.
            unsafe {
                let at = (phase, lane);
                match (L::SIDE, L::TILES) {
                    (2.., 1) if lane + 2 * L::N <= job.lanes => {
                        job.direct::<L, W, 2>(at, weight, inputs, sums);
                        job.finish::<S, L, 2>(set, at, tiles.clone(), sums, y);
                    }
                    (_, 1) => {
                        job.direct::<L, W, 1>(at, weight, inputs, sums);
                        job.finish::<S, L, 1>(set, at, tiles.clone(), sums, y);
                    }
                    // Two registers are at most a block, so there are always two.
                    (2.., _) => {
                        job.ready::<L, W, 2>(at, weight, inputs, ready, sums);
                        job.finish::<S, L, 2>(set, at, tiles.clone(), sums, y);
                    }
                    _ => {
                        job.ready::<L, W, 1>(at, weight, inputs, ready, sums);
                        job.finish::<S, L, 1>(set, at, tiles.clone(), sums, y);
                    }
                }
            }
        }
    }
}
