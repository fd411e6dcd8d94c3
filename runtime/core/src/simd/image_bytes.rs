//! [`super::image`] in bytes with AVX2: sums of pairs of 16-bit products. Pixels of four channels
//! are two pairs, of the even ones and of the odd ones, each in planes of its own.

use super::dots::{Avx2, Bytes as _};
use super::image::{Line, ROWS, RUN, row_len, slot};
use super::lanes::{Lanes, Sums};
use super::part::{Part, Places};
use crate::int8;
use crate::layer::{Int8, Layer};
use crate::layout::{LANES, QUAD, is_pixelwise, padded};
use crate::op::Shape;

/// The even ones of four bytes.
const EVEN: u32 = 0x00ff_00ff;
/// Most planes, most integers in the three rows of all of them, and longest row of the input: all are
/// kept on the stack.
const PLANES: usize = 64;
const LENGTH: usize = 12_288;
const WIDTH: usize = 128;

/// A part of a layer that [`suits`].
pub(super) struct Image<'a> {
    pub layer: &'a Layer<'a>,
    pub int8: &'a Int8<'a>,
    pub part: Part,
    pub x: &'a [u8],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, u8>,
}

/// Whether a layer is computed like this.
pub(super) fn suits(layer: &Layer<'_>) -> bool {
    let planes = planes(layer.input);
    let length = planes.c.saturating_mul(ROWS * row_len(planes));
    is_pixelwise(&layer.op, layer.input, layer.image)
        && planes.c <= PLANES
        && length <= LENGTH
        && planes.w <= WIDTH
}

/// The input as planes of pairs.
fn planes(input: Shape) -> Shape {
    Shape { c: padded(input.c) / 2, ..input }
}

impl Image<'_> {
    /// Computes the part.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn run(&self) {
        // SAFETY: as promised by the caller.
        unsafe {
            match self.layer.output.c {
                1 => self.channels::<1, 4>(),
                2 => self.channels::<2, 2>(),
                3 => self.channels::<3, 2>(),
                _ => self.channels::<4, 1>(),
            }
        }
    }

    /// Computes the part, of `D` channels, `W` registers of input pixels at a time.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn channels<const D: usize, const W: usize>(&self) {
        let shape = planes(self.layer.input);
        let rows = self.part.share(shape.h);
        // There are more parts than rows.
        if rows.is_empty() {
            return;
        }
        let padding = u32::from(self.int8.padding);
        let padding = f32::from_bits((padding << 16) | padding);
        let mut planes = [0.0; LENGTH + RUN];
        let planes = &mut planes[..shape.c * ROWS * row_len(shape) + RUN];
        planes.fill(padding);
        let mut weight = [0.0; 9 * PLANES * LANES];
        let weight = &mut weight[..9 * shape.c * LANES];
        self.widen(shape, weight);
        let bias: [f32; 4 * LANES] = core::array::from_fn(|lane| {
            f32::from_bits(self.int8.bias.get(lane).map_or(0, |bias| *bias as u32))
        });
        if let Some(above) = rows.start.checked_sub(1) {
            // SAFETY: as promised by the caller; likewise below.
            unsafe { self.fill(shape, above, planes) };
        }
        unsafe { self.fill(shape, rows.start, planes) };
        for row in rows {
            match row + 1 < shape.h {
                true => unsafe { self.fill(shape, row + 1, planes) },
                false => {
                    let (slot, len) = (slot(shape, row + 2), row_len(shape));
                    for plane in planes.chunks_exact_mut(ROWS * len).take(shape.c) {
                        plane[slot..slot + len].fill(padding);
                    }
                }
            }
            for down in 0..2 {
                let line = Line { input: shape, planes, weight, bias: &bias, row, down };
                let mut sums = [[0.0; 2 * WIDTH]; D];
                unsafe {
                    line.run::<Sums, D, W>(|channel, column, values| {
                        let to = &mut sums[channel][2 * column..2 * (column + values.len())];
                        to.copy_from_slice(values.as_flattened());
                    });
                    self.finish(row, down, &sums);
                }
            }
        }
    }

    /// The weights as pairs: of four bytes of each lane, the even ones, then the odd ones.
    fn widen(&self, shape: Shape, to: &mut [f32]) {
        let fours = self.int8.weight.as_chunks::<QUAD>().0.chunks_exact(LANES);
        let pair = |low: i8, high: i8| {
            f32::from_bits(u32::from(low as i16 as u16) | (u32::from(high as i16 as u16) << 16))
        };
        assert!(fours.len() == 9 * shape.c / 2);
        for (fours, to) in fours.zip(to.as_chunks_mut::<{ 2 * LANES }>().0) {
            for (lane, four) in fours.iter().enumerate() {
                to[lane] = pair(four[0], four[2]);
                to[LANES + lane] = pair(four[1], four[3]);
            }
        }
    }

    /// Copies a row of the input into planes.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn fill(&self, shape: Shape, row: usize, planes: &mut [f32]) {
        let (fours, w) = (shape.c / 2, shape.w);
        let x = &self.x[row * w * fours * QUAD..][..w * fours * QUAD];
        let plane = ROWS * row_len(shape);
        let planes = &mut planes[slot(shape, row + 1) + 1..];
        assert!(planes.len() >= (2 * fours - 1) * plane + w);
        // Four bytes of a pixel are moved as if they were a float.
        const N: usize = Sums::N;
        let (whole_c, whole_w) = (fours - fours % N, w - w % N);
        for column in (0..whole_w).step_by(N) {
            for four in (0..whole_c).step_by(N) {
                // SAFETY: N pixels of N times four channels are within the row, and N rows of N
                // pixels within every second plane, by the assertion.
                unsafe {
                    let from = x.as_ptr().add((column * fours + four) * QUAD).cast();
                    let to = planes.as_mut_ptr().add(2 * four * plane + column);
                    super::lanes::Avx2::transpose(from, fours, to, 2 * plane);
                }
            }
        }
        let (x, _) = x.as_chunks::<QUAD>();
        for column in 0..w {
            let first = if column < whole_w { whole_c } else { 0 };
            for four in first..fours {
                let bits = u32::from_le_bytes(x[column * fours + four]);
                planes[2 * four * plane + column] = f32::from_bits(bits);
            }
        }
        for both in planes.chunks_mut(2 * plane).take(fours) {
            let (even, odd) = both.split_at_mut(plane);
            for (even, odd) in even[..w].iter_mut().zip(&mut odd[..w]) {
                let all = even.to_bits();
                *odd = f32::from_bits((all >> 8) & EVEN);
                *even = f32::from_bits(all & EVEN);
            }
        }
    }

    /// Requantizes the sums of a row of outputs and writes them.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn finish<const D: usize>(&self, row: usize, down: usize, sums: &[[f32; 2 * WIDTH]; D]) {
        let (int8, width) = (self.int8, self.layer.output.w);
        let mut pixels = [[0u8; D]; 2 * WIDTH];
        for (channel, sums) in sums.iter().enumerate() {
            let scale = |right: usize| int8.scale[(2 * down + right) * D + channel];
            let scale: [i32; LANES] = core::array::from_fn(|i| scale(i % 2));
            let groups = sums.as_chunks::<LANES>().0.iter().zip(pixels.as_chunks_mut::<LANES>().0);
            for (sums, pixels) in groups.take(width.div_ceil(LANES)) {
                // SAFETY: as promised by the caller. The bias is part of the sums.
                let values = unsafe {
                    let sums = Avx2::of(sums.map(|sum| sum.to_bits() as i32));
                    sums.requantized(&[0; LANES], &scale, int8.shift, int8.span())
                };
                let bytes = int8::bytes(&values, int8.table);
                for (pixel, byte) in pixels.iter_mut().zip(bytes) {
                    pixel[channel] = byte;
                }
            }
        }
        let at = (2 * row + down) * width * D;
        // SAFETY: a row of the part.
        unsafe { self.y.cut(at, width * D) }.copy_from_slice(pixels[..width].as_flattened());
    }
}
