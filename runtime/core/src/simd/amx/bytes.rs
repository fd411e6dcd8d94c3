//! Int8 layers.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::panels::Panels;
use super::tile::{self, Line, Tile};
use super::walk::{self, At, Kernel, Rows};
use super::{STACK, ahead, lines as lines_of};
use crate::layer::{Int8, Layer};
use crate::layout::{LANES, Layout};
use crate::simd::dots::{Bytes as _, Vnni};
use crate::simd::part::{Part, Places};
use crate::simd::prefetch::prefetch;
use crate::simd::tiles::Group;

/// Channels of a line.
const CHANNELS: usize = 64;
/// A row of sums.
type Sums = Vnni<true>;
/// Weights that are fetched before they are used: those of a few tiles.
const AHEAD: usize = 8 << 10;

/// Lines that a pixel takes.
pub(super) fn lines(channels: usize) -> usize {
    channels.div_ceil(CHANNELS)
}

/// A part of a layer that [`super::suits`].
pub(in crate::simd) struct Bytes<'a> {
    pub layer: &'a Layer<'a>,
    pub int8: &'a Int8<'a>,
    pub layout: &'a Layout,
    pub part: Part,
    pub x: &'a [u8],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, u8>,
}

impl Bytes<'_> {
    /// Computes the part.
    ///
    /// # Safety
    /// The CPU has AVX-512 with VNNI and VBMI, and AMX, which the system lets this process use.
    #[target_feature(
        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c"
    )]
    pub unsafe fn run(mut self) {
        let (layout, part) = (self.layout, self.part);
        let Some(panels) = Panels::new(layout, lines_of(self.layer)) else { return };
        assert!(self.x.len() >= layout.images() * layout.pixels() * layout.depth());
        let mut room = MaybeUninit::<[Line; STACK]>::uninit();
        let room = (room.as_mut_ptr().cast::<Line>(), STACK);
        // SAFETY: as promised by the caller.
        unsafe { walk::run(&mut self, (layout, &panels), part, room) };
    }
}

impl Kernel for Bytes<'_> {
    #[inline(always)]
    unsafe fn put(&self, pixel: Option<usize>, to: *mut Line, places: &[usize], apart: usize) {
        let depth = self.layout.depth();
        let x = pixel.map(|pixel| &self.x[pixel * depth..][..depth]);
        for (line, at) in (0..depth).step_by(CHANNELS).enumerate() {
            let mask = u64::MAX >> (CHANNELS - CHANNELS.min(depth - at));
            // SAFETY: as promised by the caller; the bytes of the mask are within the pixel. What is beyond is
            // zeros, because weights are multiplied with it that are not its own.
            unsafe {
                let bytes = match x {
                    Some(x) => _mm512_maskz_loadu_epi8(mask, x.as_ptr().add(at).cast()),
                    None => _mm512_maskz_set1_epi8(mask, self.int8.padding as i8),
                };
                for place in places {
                    _mm512_store_si512(to.add(place + line * apart).cast(), bytes);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply<const M: usize, const N: usize>(&mut self, at: &At<'_>) {
        let (depth, taps) = (self.layout.depth(), at.taps.len());
        let (lines, apart) = (at.panels.lines, at.panels.apart(at.rows));
        let of_block = taps * depth * LANES;
        let weight = &self.int8.weight[self.layout.weights(at.group) + at.block * of_block..];
        assert!(weight.len() >= N * of_block);
        let mut short = tile::ZERO;
        for tap in 0..taps {
            let inputs = at.tap(tap);
            for line in 0..lines {
                let from = (tap * depth + line * CHANNELS) * LANES;
                let mut weights =
                    each!(n => weight.as_ptr().wrapping_add(n * of_block + from).cast::<Line>());
                if !at.again {
                    let ahead = ahead(from, AHEAD, (of_block, N));
                    for weights in weights {
                        for line in 0..tile::ROWS {
                            prefetch(weights.wrapping_byte_add(ahead + line * size_of::<Line>()));
                        }
                    }
                }
                // The last tile of the last block may have weights that are not there.
                let last = &weight[(N - 1) * of_block + from..];
                if last.len() < size_of::<Tile>() {
                    let (lines, _) = last.as_chunks::<CHANNELS>();
                    for (to, line) in short.0.iter_mut().zip(lines) {
                        to.0 = line.map(|weight| weight as u8);
                    }
                    weights[N - 1] = short.0.as_ptr();
                }
                // SAFETY: as promised by the caller. Tiles of inputs are within the panels, those of weights within
                // the slice.
                unsafe {
                    let inputs = (inputs.wrapping_add(line * apart), at.spread);
                    tile::add_bytes::<M, N>(inputs, weights);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn finish(&self, group: &Group<'_>, block: usize, mut rows: Rows<'_>) {
        let int8 = self.int8;
        let lanes = |values| group.lanes(block, values);
        let (Some(bias), Some(scale)) = (lanes(int8.bias), lanes(int8.scale)) else {
            return;
        };
        while let Some(sums) = rows.together() {
            // SAFETY: as promised by the caller.
            unsafe {
                let sums = each!(i => Sums::of(_mm512_load_si512(sums[i].0.as_ptr().cast())));
                let bytes = Sums::together(sums, bias, scale, int8);
                for (bytes, (position, _)) in bytes.iter().zip(&mut rows) {
                    group.place(block, position, bytes, self.y);
                }
            }
        }
    }
}
