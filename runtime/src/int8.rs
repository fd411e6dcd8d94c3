//! Layers in integers: bytes in, bytes out, the same on every device.
//!
//! A value `v` of an activation is the byte `round(v / scale) + zero`; weights are signed bytes
//! with one scale per output channel (Jacob et al. 2018, "Quantization and Training of Neural
//! Networks for Efficient Integer-Arithmetic-Only Inference", section 2). Products are summed in 32
//! bits modulo 2^32, so their order does not matter. [`requantize`] turns a sum into a byte with an
//! integer product, an addition and a shift. Only `Graph::quantize` knows the scales: at run time
//! there are only integers.

use crate::layer::{Int8, Layer};
use crate::layout::{LANES, Layout, padded};
use crate::op::{self, Op};

/// How the latent of an int8 model becomes bytes: `round(v * factor) + zero`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatentScale {
    /// Steps per unit.
    pub factor: f32,
    /// The byte of 0.
    pub zero: u8,
}

/// `round(sum * scale / 2^shift) + offset`, halves up, clamped to `0..=top`.
#[inline(always)]
pub fn requantize(sum: i32, scale: i32, shift: u32, (offset, top): (i64, i64)) -> i32 {
    let product = sum as i64 * scale as i64;
    (((product + (1 << (shift - 1))) >> shift) + offset).clamp(0, top) as i32
}

impl LatentScale {
    /// Turns the first `n` values (`f32`) of `bytes` into `n` bytes in the same place. Each takes
    /// one IEEE 754 product and sum, so the bytes are the same on every device.
    pub(crate) fn apply(self, bytes: &mut [u8], n: usize) {
        for at in 0..n {
            let v = &bytes[4 * at..][..4];
            let v = f32::from_le_bytes([v[0], v[1], v[2], v[3]]);
            // The conversion truncates and saturates, and NaN becomes 0.
            bytes[at] = (v * self.factor + (self.zero as f32 + 0.5)) as u8;
        }
    }
}

/// The obvious loop of a layer: the specification of every faster one. `x` and `y` have their
/// channels last, padded as [`crate::layout::stored`] says.
pub fn reference(layer: &Layer<'_>, int8: &Int8<'_>, x: &[u8], y: &mut [u8]) {
    let Some(layout) = layer.layout() else {
        return unblocked(layer, int8, x, y);
    };
    let depth = layout.depth();
    for group in 0..layout.groups() {
        let (rows, columns) = layout.grid(group);
        for position in (0..rows * columns).map(|at| (at / columns, at % columns)) {
            for lane in 0..layout.lanes() {
                let of = group * layout.blocks() * LANES + lane;
                let sum = sum(&layout, int8, x, (group, lane, position), depth);
                y[layout.place(group, position, lane)] = finish(int8, of, sum);
            }
        }
    }
}

/// The byte of a sum of products, for the bias and scale at `of`.
fn finish(int8: &Int8<'_>, of: usize, sum: i32) -> u8 {
    let sum = sum.wrapping_add(int8.bias[of]);
    let v = requantize(sum, int8.scale[of], int8.shift, int8.span());
    match int8.table {
        [] => v as u8,
        table => table[v as usize],
    }
}

/// The products of one lane at one position, summed.
fn sum(
    layout: &Layout,
    int8: &Int8<'_>,
    x: &[u8],
    (group, lane, position): (usize, usize, (usize, usize)),
    depth: usize,
) -> i32 {
    let mut sum = 0i32;
    for tap in 0..layout.taps(group) {
        let under = layout.under(group, tap, position);
        for at in 0..depth {
            let x = under.map_or(int8.padding, |pixel| x[pixel * depth + at]);
            let w = int8.weight[layout.weight(group, lane, tap, at)];
            sum = sum.wrapping_add(x as i32 * w as i32);
        }
    }
    sum
}

/// Layers that are not in blocks, on padded pixels: they scale each channel, or only move values.
pub(crate) fn unblocked(layer: &Layer<'_>, int8: &Int8<'_>, x: &[u8], y: &mut [u8]) {
    let strides = [padded(layer.input.c), padded(layer.output.c)];
    if layer.op != Op::Affine {
        return op::moved(&layer.op, [layer.input, layer.output], strides, x, y);
    }
    for (x, y) in x.chunks_exact(strides[0]).zip(y.chunks_exact_mut(strides[1])) {
        for (of, (x, y)) in x.iter().zip(y).take(layer.input.c).enumerate() {
            *y = finish(int8, of, *x as i32 * int8.weight[of] as i32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requantization() {
        // (sum, scale, shift, offset, top, value): 5 / 4 * 3 = 3.75, halves up, clamped at both
        // ends
        let cases = [
            (5, 3, 2, 0, 255, 4),
            (1, 1, 1, 0, 255, 1),
            (-1, 1, 1, 9, 255, 9),
            (-3, 1, 1, 9, 255, 8),
            (-1000, 1, 1, 9, 255, 0),
            (i32::MAX, i32::MAX, 62, 0, 255, 1),
            (i32::MIN, i32::MAX, 1, 0, 255, 0),
            (i32::MAX, i32::MAX, 1, 0, 1023, 1023),
        ];
        for (sum, scale, shift, offset, top, want) in cases {
            let got = requantize(sum, scale, shift, (offset, top));
            assert_eq!(got, want, "{sum} * {scale} >> {shift}");
        }
    }

    #[test]
    fn latents_as_bytes() {
        let values = [0.0f32, 1.0, -1.0, 100.0, -100.0, f32::NAN, 0.02];
        let mut bytes = [0; 28];
        for (to, v) in bytes.chunks_exact_mut(4).zip(values) {
            to.copy_from_slice(&v.to_le_bytes());
        }
        LatentScale { factor: 32.0, zero: 128 }.apply(&mut bytes, 7);
        assert_eq!(bytes[..7], [128, 160, 96, 255, 0, 0, 129]);
    }
}
