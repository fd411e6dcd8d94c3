//! Layers in integers: bytes in, bytes out, the same ones on every device.
//!
//! A value `v` of an activation is the byte `round(v / scale) + zero`; weights are signed bytes with a scale an output
//! channel (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
//! Inference", section 2). Products are summed in 32 bits, modulo 2^32, so that their order is of no account. A sum
//! becomes a byte by [`requantise`]: an integer product, an addition and a shift. The scales themselves are known to
//! `Graph::quantise` only: what runs has integers and nothing else.

use crate::model::Layer;
use crate::packed;

mod layout;

pub use layout::{LANES, Layout, QUAD, View, WINDOW, padded, stored};

/// Entries of the table that stands for an activation.
pub const TABLE: usize = 1024;

/// Largest number of products in a sum: as many of 255 * 127 fit 31 bits.
pub const TERMS: usize = 65_536;

/// An int8 layer's integers; all but the zeros and the shift are empty for operations that only move values.
#[derive(Clone, Copy, Debug)]
pub struct Int8<'a> {
    /// Blocks of weights: see [`Layout::weight`].
    pub weight: &'a [i8],
    /// Added to a sum, a value a lane: the bias, less what the input's `zero` contributes.
    pub bias: &'a [i32],
    /// Factor of a sum, a value a lane.
    pub scale: &'a [i32],
    /// Bits that the product is shifted by, 1 to 62.
    pub shift: u32,
    /// [`TABLE`] bytes: the activation. Empty where it is the clipping to a byte.
    pub table: &'a [u8],
    /// Byte that stands for 0 in the input: what surrounds it.
    pub before: u8,
    /// Byte that stands for 0 in the output.
    pub zero: u8,
    /// The layer's output is the image.
    pub image: bool,
}

impl Int8<'_> {
    /// What is added to a requantised sum, and the largest result.
    #[inline(always)]
    pub(crate) fn span(&self) -> (i64, i64) {
        match self.table {
            [] => (self.zero as i64, 255),
            _ => (TABLE as i64 / 2, TABLE as i64 - 1),
        }
    }
}

/// `round(sum * scale / 2^shift) + offset`, halves up, within `0..=top`.
#[inline(always)]
pub fn requantise(sum: i32, scale: i32, shift: u32, (offset, top): (i64, i64)) -> i32 {
    let product = sum as i64 * scale as i64;
    (((product + (1 << (shift - 1))) >> shift) + offset).clamp(0, top) as i32
}

/// Bytes of scratch of a layer: what stands in for the input where a tap lies outside of it.
pub fn scratch_len(layer: &Layer<'_>, int8: &Int8<'_>) -> usize {
    match Layout::bytes(&layer.op, layer.input, layer.output, int8.image) {
        Some(layout) if layout.has_border() => layout.depth(),
        _ => 0,
    }
}

/// Turns the `n` values (`f32`) that `bytes` begin with into `n` bytes at the same place: `round(v * factor) + zero`.
/// One IEEE 754 product and sum a value: the same on every device.
pub(crate) fn latent(bytes: &mut [u8], n: usize, factor: f32, zero: u8) {
    for at in 0..n {
        let v = &bytes[4 * at..][..4];
        let v = f32::from_le_bytes([v[0], v[1], v[2], v[3]]);
        // A float turned integer is cut off, saturates, and NaN becomes 0.
        bytes[at] = (v * factor + (zero as f32 + 0.5)) as u8;
    }
}

/// The obvious loop of a layer: the specification of all others. `x` and `y` are [`stored`] bytes.
pub fn reference(layer: &Layer<'_>, int8: &Int8<'_>, x: &[u8], y: &mut [u8]) {
    let Some(layout) = Layout::bytes(&layer.op, layer.input, layer.output, int8.image) else {
        return moved(layer, x, y);
    };
    let depth = layout.depth();
    for group in 0..layout.groups() {
        let (rows, columns) = layout.grid(group);
        for position in (0..rows * columns).map(|at| (at / columns, at % columns)) {
            for lane in 0..layout.lanes() {
                let of = group * layout.blocks() * LANES + lane;
                let mut sum = int8.bias[of];
                for tap in 0..layout.taps(group) {
                    let under = layout.under(group, tap, position);
                    for at in 0..depth {
                        let x = under.map_or(int8.before, |pixel| x[pixel * depth + at]);
                        let w = int8.weight[layout.weight(group, lane, tap, at)];
                        sum = sum.wrapping_add(x as i32 * w as i32);
                    }
                }
                let v = requantise(sum, int8.scale[of], int8.shift, int8.span());
                y[layout.place(group, position, lane)] = match int8.table {
                    [] => v as u8,
                    table => table[v as usize],
                };
            }
        }
    }
}

/// Operations that only move values; pixels are padded.
pub(crate) fn moved(layer: &Layer<'_>, x: &[u8], y: &mut [u8]) {
    packed::moved(layer, padded(layer.input.c), padded(layer.output.c), x, y);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requantised_by_hand() {
        // (sum, scale, shift, offset, top) to value: 5 / 4 * 3 = 3.75, halves up, clipped at both ends
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
            let got = requantise(sum, scale, shift, (offset, top));
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
        latent(&mut bytes, 7, 32.0, 128);
        assert_eq!(bytes[..7], [128, 160, 96, 255, 0, 0, 129]);
    }
}
