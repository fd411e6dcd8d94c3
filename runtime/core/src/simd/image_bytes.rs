//! [`super::image`] in bytes. With AVX2 sums of pairs of 16-bit products: pixels of four channels are two
//! pairs, of the even ones and of the odd ones, each in planes of its own. With VNNI four channels are in one.

use super::dots::{Avx2, AvxVnni, Bytes, Vnni};
use super::image::{Line, ROWS, RUN, row_len, slot};
use super::lanes::{self, Fours, Lanes, Sums, WideFours};
use super::part::{Part, Places};
use crate::int8::TOGETHER;
use crate::layer::{Int8, Layer};
use crate::layout::{LANES, QUAD, is_pixelwise, padded};
use crate::op::Shape;

/// The even ones of four bytes.
const EVEN: u32 = 0x00ff_00ff;
/// Most planes of pairs, most integers in the three rows of all of them, and longest row of the input: all are
/// kept on the stack.
const PLANES: usize = 64;
const LENGTH: usize = 12_288;
const WIDTH: usize = 128;
/// Weights of all of them.
const WEIGHTS: usize = 9 * PLANES * LANES;

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
    let planes = Shape { c: padded(layer.input.c) / 2, ..layer.input };
    let length = planes.c.saturating_mul(ROWS * row_len(planes));
    is_pixelwise(&layer.op, layer.input, layer.image)
        && planes.c <= PLANES
        && length <= LENGTH
        && planes.w <= WIDTH
}

/// What multiplies.
trait Products {
    /// Registers of sums.
    type Lanes: Lanes;
    /// 16 sums.
    type Bytes: Bytes;
    /// Channels that are multiplied at a time.
    const DEEP: usize;

    /// # Safety
    /// The CPU has the instructions, for this and all that is generic over the type.
    unsafe fn of(sums: [i32; LANES]) -> Self::Bytes;
}

/// Defines an implementation.
macro_rules! products {
    ($(#[$meta:meta])* $name:ident: $lanes:ty, $bytes:ty, $deep:literal) => {
        $(#[$meta])*
        struct $name;

        impl Products for $name {
            type Lanes = $lanes;
            type Bytes = $bytes;
            const DEEP: usize = $deep;

            #[inline(always)]
            unsafe fn of(sums: [i32; LANES]) -> $bytes {
                // SAFETY: both are 16 integers of 32 bits.
                unsafe { core::mem::transmute::<[i32; LANES], $bytes>(sums) }
            }
        }
    };
}

products!(
    /// AVX2.
    OfAvx2: Sums, Avx2, 2
);
products!(
    /// AVX-VNNI.
    OfAvxVnni: Fours, AvxVnni, 4
);
products!(
    /// AVX-512 with VNNI.
    OfVnni: WideFours, Vnni, 4
);
products!(
    /// The same with VBMI.
    OfVbmi: WideFours, Vnni<true>, 4
);

impl Image<'_> {
    /// Computes the part with AVX2.
    ///
    /// # Safety
    /// The CPU has the instructions that the function is compiled for; so below.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn avx2(&self) {
        // SAFETY: as promised by the caller; so below.
        unsafe { self.run::<OfAvx2, { LENGTH + RUN }, WEIGHTS>() }
    }

    #[target_feature(enable = "avxvnni,avx2,fma,f16c")]
    pub unsafe fn avx_vnni(&self) {
        unsafe { self.run::<OfAvxVnni, { LENGTH / 2 + RUN }, { WEIGHTS / 2 }>() }
    }

    #[target_feature(enable = "avx512f,avx512vnni,avx2,fma,f16c")]
    pub unsafe fn avx512_vnni(&self) {
        unsafe { self.run::<OfVnni, { LENGTH / 2 + RUN }, { WEIGHTS / 2 }>() }
    }

    #[target_feature(
        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512ifma,avx2,fma,f16c"
    )]
    pub unsafe fn avx512_vbmi(&self) {
        unsafe { self.run::<OfVbmi, { LENGTH / 2 + RUN }, { WEIGHTS / 2 }>() }
    }

    /// Computes the part, with places for `L` integers of the input and `N` weights.
    ///
    /// # Safety
    /// As [`Products::of`]; likewise below.
    #[inline(always)]
    unsafe fn run<P: Products, const L: usize, const N: usize>(&self) {
        // SAFETY: as promised by the caller; likewise below.
        unsafe {
            match self.layer.output.c {
                1 => self.channels::<P, 1, 4, L, N>(),
                2 => self.channels::<P, 2, 2, L, N>(),
                3 => self.channels::<P, 3, 2, L, N>(),
                _ => self.channels::<P, 4, 1, L, N>(),
            }
        }
    }

    /// [`Image::run`] for `D` channels, `W` registers of input pixels at a time.
    ///
    /// # Safety
    /// As [`Products::of`].
    #[inline(always)]
    unsafe fn channels<
        P: Products,
        const D: usize,
        const W: usize,
        const L: usize,
        const N: usize,
    >(
        &self,
    ) {
        let input = self.layer.input;
        let shape = Shape { c: padded(input.c) / P::DEEP, ..input };
        let rows = self.part.share(shape.h);
        // There are more parts than rows.
        if rows.is_empty() {
            return;
        }
        let padding = f32::from_bits(match P::DEEP {
            2 => u32::from(self.int8.padding) * 0x0001_0001,
            _ => u32::from(self.int8.padding) * 0x0101_0101,
        });
        let (mut planes, mut weight) = ([0.0; L], [0.0; N]);
        let planes = &mut planes[..shape.c * ROWS * row_len(shape) + RUN];
        planes.fill(padding);
        let weight = &mut weight[..9 * shape.c * LANES];
        self.widen::<P>(weight);
        let bias: [f32; 4 * LANES] = core::array::from_fn(|lane| {
            f32::from_bits(self.int8.bias.get(lane).map_or(0, |bias| *bias as u32))
        });
        if let Some(above) = rows.start.checked_sub(1) {
            // SAFETY: as promised by the caller; likewise below.
            unsafe { self.fill::<P>(shape, above, planes) };
        }
        unsafe { self.fill::<P>(shape, rows.start, planes) };
        for row in rows {
            match row + 1 < shape.h {
                true => unsafe { self.fill::<P>(shape, row + 1, planes) },
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
                    line.run::<P::Lanes, D, W>(|channel, column, values| {
                        let to = &mut sums[channel][2 * column..2 * (column + values.len())];
                        to.copy_from_slice(values.as_flattened());
                    });
                    self.finish::<P, D>(row, down, &sums);
                }
            }
        }
    }

    /// The weights of four channels; or as pairs: of four bytes of each lane, the even ones, then the odd
    /// ones.
    fn widen<P: Products>(&self, to: &mut [f32]) {
        let fours = self.int8.weight.as_chunks::<QUAD>().0;
        assert!(fours.len() * QUAD == to.len() * P::DEEP);
        if P::DEEP == QUAD {
            for (four, to) in fours.iter().zip(to) {
                *to = f32::from_bits(u32::from_le_bytes(four.map(|w| w as u8)));
            }
            return;
        }
        let pair = |low: i8, high: i8| {
            f32::from_bits(u32::from(low as i16 as u16) | (u32::from(high as i16 as u16) << 16))
        };
        let fours = fours.chunks_exact(LANES);
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
    unsafe fn fill<P: Products>(&self, shape: Shape, row: usize, planes: &mut [f32]) {
        let each = QUAD / P::DEEP;
        let (fours, w) = (shape.c / each, shape.w);
        let x = &self.x[row * w * fours * QUAD..][..w * fours * QUAD];
        let plane = ROWS * row_len(shape);
        let planes = &mut planes[slot(shape, row + 1) + 1..];
        assert!(planes.len() >= (each * fours - 1) * plane + w);
        // Four bytes of a pixel are moved as if they were a float.
        const N: usize = Sums::N;
        let (whole_c, whole_w) = (fours - fours % N, w - w % N);
        for column in (0..whole_w).step_by(N) {
            for four in (0..whole_c).step_by(N) {
                // SAFETY: N pixels of N times four channels are within the row, and N rows of N
                // pixels within every plane of fours, or first one of pairs, by the assertion.
                unsafe {
                    let from = x.as_ptr().add((column * fours + four) * QUAD).cast();
                    let to = planes.as_mut_ptr().add(each * four * plane + column);
                    lanes::Avx2::transpose(from, fours, to, each * plane);
                }
            }
        }
        let (x, _) = x.as_chunks::<QUAD>();
        for column in 0..w {
            let first = if column < whole_w { whole_c } else { 0 };
            for four in first..fours {
                let bits = u32::from_le_bytes(x[column * fours + four]);
                planes[each * four * plane + column] = f32::from_bits(bits);
            }
        }
        if each == 1 {
            return;
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
    /// As [`Products::of`].
    #[inline(always)]
    unsafe fn finish<P: Products, const D: usize>(
        &self,
        row: usize,
        down: usize,
        sums: &[[f32; 2 * WIDTH]; D],
    ) {
        let (int8, width) = (self.int8, self.layer.output.w);
        let mut lines = [[0u8; 2 * WIDTH]; D];
        for (channel, sums) in sums.iter().enumerate() {
            let scale = |right: usize| int8.scale[(2 * down + right) * D + channel];
            let scale: [i32; LANES] = core::array::from_fn(|i| scale(i % 2));
            let to = lines[channel].as_chunks_mut::<{ TOGETHER * LANES }>().0;
            let groups = sums.as_chunks::<{ TOGETHER * LANES }>().0.iter().zip(to);
            for (sums, to) in groups.take(width.div_ceil(TOGETHER * LANES)) {
                let sums = sums.as_chunks::<LANES>().0;
                // SAFETY: as promised by the caller. The bias is part of the sums.
                let bytes = unsafe {
                    let sums = each!(i => P::of(sums[i].map(|sum| sum.to_bits() as i32)));
                    P::Bytes::together(sums, &[0; LANES], &scale, int8)
                };
                to.copy_from_slice(bytes.as_flattened());
            }
        }
        let at = (2 * row + down) * width * D;
        // SAFETY: a row of the part.
        let y = unsafe { self.y.cut(at, width * D) };
        for (i, pixel) in y.as_chunks_mut::<D>().0.iter_mut().enumerate() {
            for (byte, line) in pixel.iter_mut().zip(&lines) {
                *byte = line[i];
            }
        }
    }
}
