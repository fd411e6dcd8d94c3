//! Bytes with AVX2: differences of inputs and sums of weights have at most 11 bits, and pairs of them
//! are multiplied and summed in 32.
//!
//! In place of a channel there is a pair of them: of four channels the even ones, or the odd ones. The
//! pairs of 16 channels are four even ones and four odd ones.

use core::arch::x86_64::*;
use core::ops::Range;

use super::input::along;
use super::output::pair;
use super::ready::{CHANNELS, multiply, point_len};
use super::tile::{GROUP, POINTS, SUMS, VALUES, tiles};
use crate::int8;
use crate::layer::{Int8, Layer};
use crate::layout::{LANES, Layout, QUAD, UPSAMPLING, padded};
use crate::op::Op;
use crate::simd::dots::{Avx2, Bytes as _};
use crate::simd::lanes::{Lanes, Pairs, Sums};
use crate::simd::part::{Part, Places};

/// Channels of a group of 16 pairs.
const WHOLE: usize = 2 * LANES;
/// Most channels, floats of transformed inputs and tiles at a time: all is kept on the stack.
const DEEP: usize = 256;
const INPUTS: usize = 6 * (DEEP / WHOLE) * GROUP;
const TILES: usize = 24;
/// Registers of 16 lanes.
const REGISTERS: usize = LANES / Pairs::N;

/// A part of a layer that [`suits`].
pub(in crate::simd) struct Upsampling<'a> {
    pub layer: &'a Layer<'a>,
    pub int8: &'a Int8<'a>,
    pub layout: &'a Layout,
    pub part: Part,
    pub x: &'a [u8],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, u8>,
}

/// Whether a layer is computed like this.
pub(in crate::simd) fn suits(layer: &Layer<'_>) -> bool {
    let input = layer.input;
    let upsampling =
        matches!(layer.op, Op::ConvTranspose { out, window } if window == UPSAMPLING && out > 4);
    // Of a smaller input the padding leaves out products anyway.
    upsampling
        && !layer.image
        && input.plane() > 16
        && input.c.is_multiple_of(WHOLE)
        && input.c <= DEEP
}

impl Upsampling<'_> {
    /// Computes the part.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn run(&self) {
        let input = self.layer.input;
        let (rows, columns) = tiles(input);
        let spread = input.c / WHOLE * GROUP;
        let mut inputs = [0.0; INPUTS];
        let mut ready = [0.0; POINTS * point_len(CHANNELS)];
        let mut sums = [0.0; TILES * SUMS];
        let blocks = self.layout.blocks();
        // Whole sixes, which are multiplied together.
        let most = (INPUTS / spread / 6 * 6).min(TILES);
        for from in (0..rows * columns).step_by(most) {
            let tiles = from..(rows * columns).min(from + most);
            let inputs = &mut inputs[..tiles.len() * spread];
            for (tile, to) in tiles.clone().zip(inputs.chunks_exact_mut(spread)) {
                // SAFETY: as promised by the caller; likewise below.
                unsafe { self.transform((tile / columns, tile % columns), to) };
            }
            // As with floats, parts split the outputs and each transforms all inputs.
            for unit in self.part.share(4 * blocks) {
                let (phase, block) = (unit / blocks, unit % blocks);
                let corner = (phase / 2 * 2 * VALUES + phase % 2 * 2) * LANES;
                for chunk in (0..input.c / 2).step_by(CHANNELS) {
                    let n = CHANNELS.min(input.c / 2 - chunk);
                    unsafe {
                        self.make(unit, (chunk, n), &mut ready);
                        let ready = (&ready[..], point_len(CHANNELS));
                        let inputs = (&*inputs, spread, corner);
                        multiply::<Sums, REGISTERS>(ready, inputs, (chunk, n), &mut sums);
                    }
                }
                unsafe { self.finish((phase, block), (tiles.clone(), columns), &sums) };
            }
        }
    }

    /// Transforms the inputs of a tile.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn transform(&self, (row, column): (usize, usize), to: &mut [f32]) {
        let input = self.layer.input;
        let beyond = [self.int8.padding; WHOLE];
        for (group, to) in to.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
            let mut from = [[&beyond; 4]; 4];
            for (r, from) in from.iter_mut().enumerate() {
                for (c, from) in from.iter_mut().enumerate() {
                    // Wrapping: what lies above or left of the input is beyond its end.
                    let (y, x) = ((2 * row + r).wrapping_sub(1), (2 * column + c).wrapping_sub(1));
                    if y < input.h && x < input.w {
                        let at = (y * input.w + x) * input.c + group * WHOLE;
                        if let Some(bytes) = self.x[at..].first_chunk() {
                            *from = bytes;
                        }
                    }
                }
            }
            for half in 0..REGISTERS {
                // SAFETY: as promised by the caller: half of 32 bytes is a register of pairs; 25
                // points of 16 pairs are a group.
                unsafe {
                    let mut rows = [[Pairs::splat(0.0); VALUES]; 4];
                    for (row, from) in rows.iter_mut().zip(&from) {
                        let mut pixels = [Pairs::splat(0.0); 4];
                        for (to, from) in pixels.iter_mut().zip(from) {
                            *to = widen(from.as_ptr().add(half * LANES));
                        }
                        *row = along(pixels);
                    }
                    let columns: [[Pairs; 4]; VALUES] =
                        each!(c => [rows[0][c], rows[1][c], rows[2][c], rows[3][c]]);
                    for (c, column) in columns.into_iter().enumerate() {
                        for (r, v) in along(column).into_iter().enumerate() {
                            let at = (r * VALUES + c) * LANES + half * Pairs::N;
                            v.store(to.as_mut_ptr().add(at));
                        }
                    }
                }
            }
        }
    }

    /// Makes the nine sums of taps of `n` pairs from `chunk`, both multiples of 16, for the lanes of a
    /// block of a phase.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn make(&self, unit: usize, (chunk, n): (usize, usize), ready: &mut [f32]) {
        let tap = self.layer.input.c * LANES;
        let weight = &self.int8.weight[unit * 4 * tap..][..4 * tap];
        let point = point_len(CHANNELS);
        assert!(2 * (chunk + n) <= self.layer.input.c && ready.len() >= POINTS * point);
        for four in 0..n / 2 {
            // SAFETY: as promised by the caller; four weights of 16 lanes are within each of four
            // taps, and the sums of at most CHANNELS pairs of each of nine points within `ready`.
            unsafe {
                let from = weight.as_ptr().add((chunk / 2 + four) * QUAD * LANES);
                let pairs = four / 4 * 8 + four % 4;
                let to = ready.as_mut_ptr().add(pairs * LANES);
                for s in 0..REGISTERS {
                    let (from, to) = (from.add(s * 32), to.add(s * Pairs::N));
                    taps::<false>(from, tap, to, point);
                    taps::<true>(from, tap, to.add(4 * LANES), point);
                }
            }
        }
    }

    /// Turns the sums into bytes: 2 x 2 of a phase in each tile.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn finish(
        &self,
        (phase, block): (usize, usize),
        (tiles, columns): (Range<usize>, usize),
        sums: &[f32],
    ) {
        let (down, right) = (phase / 2, phase % 2);
        let (int8, output) = (self.int8, self.layer.output);
        let of = (phase * self.layout.blocks() + block) * LANES;
        let here = LANES.min(output.c - block * LANES);
        let (Some(bias), Some(scale)) =
            (int8.bias[of..].first_chunk(), int8.scale[of..].first_chunk())
        else {
            return;
        };
        for (tile, sums) in tiles.zip(sums.chunks_exact(SUMS)) {
            let (row, column) = (tile / columns, tile % columns);
            let mut values = [[0; LANES]; 4];
            for s in 0..REGISTERS {
                // SAFETY: as promised by the caller; a tile has nine points of 16 sums.
                unsafe {
                    let mut rows = [[Sums::splat(0.0); 2]; 3];
                    for (r, row) in rows.iter_mut().enumerate() {
                        let m = sums.as_ptr().add(3 * r * LANES + s * Sums::N);
                        let [m0, m1, m2] = [m, m.add(LANES), m.add(2 * LANES)];
                        *row = pair([Sums::load(m0), Sums::load(m1), Sums::load(m2)], right);
                    }
                    for c in 0..2 {
                        let both = pair([rows[0][c], rows[1][c], rows[2][c]], down);
                        for (r, v) in both.into_iter().enumerate() {
                            v.store(values[2 * r + c].as_mut_ptr().add(s * Sums::N).cast());
                        }
                    }
                }
            }
            for (place, values) in values.into_iter().enumerate() {
                let at_row = 2 * (2 * row + place / 2) + down;
                let at_column = 2 * (2 * column + place % 2) + right;
                // The second half of the last tile of an odd number of rows or columns is outside.
                if at_row >= output.h || at_column >= output.w {
                    continue;
                }
                // SAFETY: as promised by the caller.
                let values =
                    unsafe { Avx2::of(values).requantized(bias, scale, int8.shift, int8.span()) };
                let bytes = int8::bytes(&values, int8.table);
                let to = (at_row * output.w + at_column) * padded(output.c) + block * LANES;
                // SAFETY: no other thread writes these outputs.
                let to = unsafe { self.y.cut(to, here) };
                match to.first_chunk_mut() {
                    Some(to) => *to = bytes,
                    None => to.copy_from_slice(&bytes[..here]),
                }
            }
        }
    }
}

/// Makes the nine sums of taps of the even or the odd bytes of eight lanes.
///
/// # Safety
/// The CPU has AVX2; 32 weights are readable at `from` and at one, two and three times `tap`, eight
/// floats writable at `to` and eight times `point` further on.
#[inline(always)]
unsafe fn taps<const ODD: bool>(from: *const i8, tap: usize, to: *mut f32, point: usize) {
    // SAFETY: as promised by the caller.
    unsafe {
        let mut g = [Pairs::splat(0.0); 4];
        for (t, g) in g.iter_mut().enumerate() {
            *g = Pairs(Avx2::half::<ODD>(from.add(t * tap)));
        }
        // Taps go up and left: the last one belongs to the first input.
        let first = [g[3], g[3].add(g[2]), g[2]];
        let last = [g[1], g[1].add(g[0]), g[0]];
        for c in 0..3 {
            first[c].store(to.add(c * point));
            first[c].add(last[c]).store(to.add((3 + c) * point));
            last[c].store(to.add((6 + c) * point));
        }
    }
}

/// 16 bytes as pairs.
///
/// # Safety
/// The CPU has AVX2; they are readable.
#[inline(always)]
unsafe fn widen(from: *const u8) -> Pairs {
    // SAFETY: as promised by the caller.
    unsafe {
        let both = _mm256_broadcastsi128_si256(_mm_loadu_si128(from.cast()));
        let shift = _mm256_setr_epi32(0, 0, 0, 0, 8, 8, 8, 8);
        let all = _mm256_srlv_epi32(both, shift);
        Pairs(_mm256_and_si256(all, _mm256_set1_epi32(0x00ff_00ff)))
    }
}
