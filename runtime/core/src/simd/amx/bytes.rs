//! Int8 layers.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::panels::Panels;
use super::tile::{self, Line, Tile};
use super::walk::{self, At, Kernel, Rows};
use super::{STACK, ahead, lines as lines_of};
use crate::int8;
use crate::layer::{Int8, Layer};
use crate::layout::{LANES, Layout};
use crate::simd::dots::{Bytes as _, Vnni};
use crate::simd::part::{Part, Places};
use crate::simd::prefetch::prefetch;
use crate::simd::tiles::Group;

/// Channels of a line.
const CHANNELS: usize = 64;
/// Weights that are fetched before they are used: those of a few tiles.
const AHEAD: usize = 8 << 10;

/// Lines of a pixel of so many channels.
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
    /// The CPU has AVX-512 with VNNI, and AMX, which the system lets this process use.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
    pub unsafe fn run(mut self) {
        let (layout, part) = (self.layout, self.part);
        let Some(panels) = Panels::new(layout, lines_of(self.layer)) else { return };
        assert!(self.x.len() >= layout.pixels() * layout.depth());
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
                if !at.again() {
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
                unsafe { tile::add_bytes::<M, N>(inputs.wrapping_add(line * apart), weights) };
            }
        }
    }

    #[inline(always)]
    unsafe fn finish(&self, group: &Group<'_>, block: usize, rows: Rows<'_>) {
        let int8 = self.int8;
        let lanes = |values| group.lanes(block, values);
        let (Some(bias), Some(scale)) = (lanes(int8.bias), lanes(int8.scale)) else {
            return;
        };
        // SAFETY: as promised by the caller.
        unsafe {
            let quick = Quick::new(int8, bias, scale);
            for (position, sums) in rows {
                let bytes = match &quick {
                    Some(quick) => quick.bytes(sums, int8.table),
                    None => {
                        let sums = Vnni::<false>::of(_mm512_load_si512(sums.0.as_ptr().cast()));
                        let values = sums.requantized(bias, scale, int8.shift, int8.span());
                        int8::bytes(&values, int8.table)
                    }
                };
                group.place(block, position, &bytes, self.y);
            }
        }
    }
}

/// [`int8::requantize`] with a shift of 32 or more: a scale has 31 bits, so the result has 32.
struct Quick {
    bias: __m512i,
    /// That of even lanes, and of odd ones in their place.
    scale: [__m512i; 2],
    half: __m512i,
    /// Of odd lanes, 32 less: their results are already where they belong.
    shift: [__m512i; 2],
    least: __m512i,
    most: __m512i,
    offset: __m512i,
}

impl Quick {
    /// `None` if the shift is less.
    ///
    /// # Safety
    /// The CPU has AVX-512; so below.
    #[inline(always)]
    unsafe fn new(int8: &Int8<'_>, bias: &[i32; LANES], scale: &[i32; LANES]) -> Option<Quick> {
        let (offset, top) = int8.span();
        if int8.shift < 32 || scale.iter().any(|scale| *scale < 0) {
            return None;
        }
        let shift = i64::from(int8.shift);
        // SAFETY: as promised by the caller; the arrays are a register long each.
        unsafe {
            let scale = _mm512_loadu_si512(scale.as_ptr().cast());
            Some(Quick {
                bias: _mm512_loadu_si512(bias.as_ptr().cast()),
                scale: [scale, _mm512_srli_epi64::<32>(scale)],
                half: _mm512_set1_epi64(1 << (shift - 1)),
                shift: [_mm512_set1_epi64(shift), _mm512_set1_epi64(shift - 32)],
                least: _mm512_set1_epi32(-offset as i32),
                most: _mm512_set1_epi32((top - offset) as i32),
                offset: _mm512_set1_epi32(offset as i32),
            })
        }
    }

    /// The bytes of a row of sums.
    ///
    /// # Safety
    /// As [`Quick::new`].
    #[inline(always)]
    unsafe fn bytes(&self, sums: &Line, table: &[u8]) -> [u8; LANES] {
        // SAFETY: as promised by the caller; a line is a register, as are 16 integers.
        unsafe {
            let sum = _mm512_add_epi32(_mm512_load_si512(sums.0.as_ptr().cast()), self.bias);
            let odd = _mm512_srli_epi64::<32>(sum);
            let even = _mm512_add_epi64(_mm512_mul_epi32(sum, self.scale[0]), self.half);
            let odd = _mm512_add_epi64(_mm512_mul_epi32(odd, self.scale[1]), self.half);
            let even = _mm512_srav_epi64(even, self.shift[0]);
            let odd = _mm512_srav_epi64(odd, self.shift[1]);
            let v = _mm512_mask_blend_epi32(0xaaaa, even, odd);
            let v = _mm512_min_epi32(_mm512_max_epi32(v, self.least), self.most);
            let v = _mm512_add_epi32(v, self.offset);
            match table {
                [] => {
                    let mut bytes = [0; LANES];
                    _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(v));
                    bytes
                }
                table => {
                    let mut values = [0; LANES];
                    _mm512_storeu_si512(values.as_mut_ptr().cast(), v);
                    int8::bytes(&values, table)
                }
            }
        }
    }
}
