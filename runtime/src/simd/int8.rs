//! Int8 layers: sums of a few positions and a few blocks of lanes stay in registers while the input goes by.

use super::dots::Dots;
use crate::int8::{Int8, LANES, Layout, QUAD, View};

/// What all tiles of a group have in common.
struct Job<'a> {
    layout: &'a Layout,
    int8: &'a Int8<'a>,
    group: usize,
    /// Weights of the group.
    weight: &'a [i8],
    /// Biases and scales of the group.
    bias: &'a [i32],
    scale: &'a [i32],
    x: &'a [u8],
    /// A pixel outside of the input.
    border: &'a [u8],
    depth: usize,
    taps: usize,
    view: View,
    /// See [`Layout::stride`].
    stride: (usize, usize, usize),
    columns: usize,
    positions: usize,
}

/// Runs a layer that multiplies. `border` has [`crate::int8::scratch_len`] bytes.
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
pub(super) unsafe fn run<D: Dots>(
    layout: &Layout,
    int8: &Int8<'_>,
    x: &[u8],
    border: &mut [u8],
    y: &mut [u8],
) {
    border.fill(int8.before);
    let (depth, lanes) = (layout.depth(), layout.blocks() * LANES);
    let mut begin = 0;
    for group in 0..layout.groups() {
        let (rows, columns) = layout.grid(group);
        let taps = layout.taps(group);
        let len = lanes * taps * depth;
        let job = Job {
            layout,
            int8,
            group,
            weight: &int8.weight[begin..begin + len],
            bias: &int8.bias[group * lanes..][..lanes],
            scale: &int8.scale[group * lanes..][..lanes],
            x,
            border,
            depth,
            taps,
            view: layout.view(group),
            stride: layout.stride(group),
            columns,
            positions: rows * columns,
        };
        begin += len;
        let mut block = 0;
        while block < layout.blocks() {
            let left = layout.blocks() - block;
            // SAFETY: as promised by the caller.
            block += unsafe {
                match D::DEEP {
                    4.. if left >= 4 => blocks::<D, 4>(&job, block, y),
                    3.. if left >= 3 => blocks::<D, 3>(&job, block, y),
                    2.. if left >= 2 => blocks::<D, 2>(&job, block, y),
                    _ => blocks::<D, 1>(&job, block, y),
                }
            };
        }
    }
}

/// All positions of `B` blocks; how many blocks that is.
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn blocks<D: Dots, const B: usize>(job: &Job<'_>, block: usize, y: &mut [u8]) -> usize {
    let mut at = 0;
    while at < job.positions {
        let left = job.positions - at;
        // SAFETY: as promised by the caller.
        at += unsafe {
            match D::WIDE {
                6.. if left >= 6 => tile::<D, 6, B>(job, block, at, y),
                4.. if left >= 4 => tile::<D, 4, B>(job, block, at, y),
                2.. if left >= 2 => tile::<D, 2, B>(job, block, at, y),
                _ => tile::<D, 1, B>(job, block, at, y),
            }
        };
    }
    B
}

/// `P` positions from `at` of `B` blocks; how many positions that is.
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn tile<D: Dots, const P: usize, const B: usize>(
    job: &Job<'_>,
    block: usize,
    at: usize,
    y: &mut [u8],
) -> usize {
    let mut positions = [(at / job.columns, at % job.columns); P];
    for p in 1..P {
        let (r, c) = positions[p - 1];
        positions[p] = if c + 1 == job.columns {
            (r + 1, 0)
        } else {
            (r, c + 1)
        };
    }
    let (depth, of_block) = (job.depth, job.taps * job.depth * LANES);
    let weight = &job.weight[block * of_block..(block + B) * of_block];
    // SAFETY: as promised by the caller.
    let mut sums = [[unsafe { D::zero() }; B]; P];
    let taps = (0..job.view.rows).flat_map(|y| (0..job.view.columns).map(move |x| (y, x)));
    for (i, tap) in taps.enumerate() {
        let under: [&[u8]; P] = core::array::from_fn(|p| match job.view.under(tap, positions[p]) {
            Some(pixel) => &job.x[pixel * depth..][..depth],
            None => &job.border[..depth],
        });
        let under = under.map(<[u8]>::as_ptr);
        // SAFETY: `depth`, a multiple of 4, bytes are under each tap, and 16 x 4 weights for every 4 of them in each
        // block, the last of which ends where `weight` does.
        unsafe {
            let weight = weight.as_ptr().add(i * depth * LANES);
            for quad in (0..depth).step_by(QUAD) {
                let w: [D::Weights; B] =
                    core::array::from_fn(|b| D::weights(weight.add(b * of_block + quad * LANES)));
                for (sums, under) in sums.iter_mut().zip(under) {
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = sum.add_products(under.add(quad), w);
                    }
                }
            }
        }
    }
    for (sums, position) in sums.into_iter().zip(positions) {
        for (b, sums) in sums.into_iter().enumerate() {
            // SAFETY: as promised by the caller.
            unsafe { finish(job, block + b, position, sums, y) };
        }
    }
    P
}

/// Sums as bytes in their places.
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn finish<D: Dots>(
    job: &Job<'_>,
    block: usize,
    position: (usize, usize),
    sums: D,
    y: &mut [u8],
) {
    let of = block * LANES;
    let (Some(bias), Some(scale)) = (
        job.bias[of..].first_chunk::<LANES>(),
        job.scale[of..].first_chunk::<LANES>(),
    ) else {
        return;
    };
    // SAFETY: as promised by the caller.
    let values = unsafe { sums.requantised(bias, scale, job.int8.shift, job.int8.span()) };
    let bytes = match job.int8.table {
        [] => values.map(|v| v as u8),
        table => values.map(|v| table[v as usize]),
    };
    let lanes = LANES.min(job.layout.lanes() - of);
    if job.layout.is_row() {
        let (down, across, first) = job.stride;
        let to = first + position.0 * down + position.1 * across + of;
        y[to..to + lanes].copy_from_slice(&bytes[..lanes]);
        return;
    }
    let mut lane = 0;
    while lanes > lane {
        let run = job.layout.run(of + lane).min(lanes - lane);
        let to = job.layout.place(job.group, position, of + lane);
        y[to..to + run].copy_from_slice(&bytes[lane..lane + run]);
        lane += run;
    }
}
