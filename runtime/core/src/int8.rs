//! Layers in integers: bytes in, bytes out, the same on every device.
//!
//! A value `v` of an activation is the byte `round(v / scale) + zero`; weights are signed bytes
//! with one scale per output channel (Jacob et al. 2018, "Quantization and Training of Neural
//! Networks for Efficient Integer-Arithmetic-Only Inference", section 2). Products are summed in 32
//! bits modulo 2^32, so their order does not matter. [`requantize`] turns a sum into a byte with an
//! integer product, an addition and a shift. Only `Graph::quantize` knows the scales: at run time
//! there are only integers.

use crate::layer::{Int8, JOINED, Layer, TABLE};
use crate::layout::{LANES, Layout, padded};
use crate::op::{self, Op};
use crate::sqrt;

/// Shifts of [`requantize`] for which the upper half of a product is enough, and for which a product plus the
/// shifted offset has 64 bits: at most 2^62, and 2^61 for an offset of at most 2^9.
#[cfg(target_arch = "x86_64")]
pub(crate) const HALVES: core::ops::RangeInclusive<u32> = 32..=52;

/// Most times 16 sums that are turned into bytes together.
pub(crate) const TOGETHER: usize = 4;

/// How the input of an int8 model becomes bytes: `round(v * factor) + zero`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputScale {
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

impl InputScale {
    /// The byte of a value: one IEEE 754 product and sum, so it is the same on every device.
    #[inline(always)]
    pub(crate) fn of(self, v: f32) -> u8 {
        // The conversion truncates and saturates, and NaN becomes 0.
        (v * self.factor + (self.zero as f32 + 0.5)) as u8
    }

    /// Turns the first `n` values (`f32`) of `bytes` into `n` bytes in the same place.
    pub(crate) fn apply(self, bytes: &mut [u8], n: usize) {
        for at in 0..n {
            let v = &bytes[4 * at..][..4];
            bytes[at] = self.of(f32::from_le_bytes([v[0], v[1], v[2], v[3]]));
        }
    }
}

/// The obvious loop of a layer: the specification of every faster one. `x` and `y` have their
/// channels last, padded as [`crate::layout::stored`] says.
pub fn reference(layer: &Layer<'_>, int8: &Int8<'_>, [x, other]: [&[u8]; 2], y: &mut [u8]) {
    let Some(layout) = layer.layout() else {
        return unblocked(layer, int8, [x, other], y);
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

/// Layers that are not in blocks, on padded pixels: they scale or normalize each channel, join two
/// inputs, or only move values.
pub(crate) fn unblocked(layer: &Layer<'_>, int8: &Int8<'_>, [x, other]: [&[u8]; 2], y: &mut [u8]) {
    let channels = [layer.input.c, layer.other_input().c, layer.output.c];
    let [first, second, after] = channels.map(padded);
    match layer.op {
        Op::Affine => {
            for (x, y) in x.chunks_exact(first).zip(y.chunks_exact_mut(after)) {
                for (of, (x, y)) in x.iter().zip(y).take(layer.input.c).enumerate() {
                    *y = finish(int8, of, *x as i32 * int8.weight[of] as i32);
                }
            }
        }
        Op::InstanceNorm { epsilon } => {
            let n = layer.input.plane() as u64;
            for c in 0..layer.input.c {
                let pixels = || x[c..].iter().step_by(first).map(|x| u64::from(*x));
                let sums = (pixels().sum(), pixels().map(|x| x * x).sum());
                let norm = Norm::new(n, sums, epsilon, int8, c);
                for (x, y) in x[c..].iter().zip(&mut y[c..]).step_by(first) {
                    *y = norm.byte(*x, int8);
                }
            }
        }
        Op::Add => {
            for ((x, other), y) in x.iter().zip(other).zip(y) {
                *y = added(*x, *other, int8);
            }
        }
        Op::Concat { .. } => {
            let pixels = x.chunks_exact(first).zip(other.chunks_exact(second));
            for ((x, other), y) in pixels.zip(y.chunks_exact_mut(after)) {
                let (to, rest) = y.split_at_mut(layer.input.c);
                let (of_x, of_other) = int8.table.split_at(JOINED / 2);
                mapped(x, of_x, to);
                mapped(other, of_other, rest);
            }
        }
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ReflectConv { .. }
        | Op::ConvTranspose { .. }
        | Op::Resize { .. }
        | Op::Reshape { .. }
        | Op::Activate => op::moved(&layer.op, [layer.input, layer.output], [first, after], x, y),
    }
}

/// The bytes of 16 requantized sums, as the table of the activation has them. (A loop: a closure would
/// be compiled without the instructions of the caller.)
#[inline(always)]
pub(crate) fn bytes(values: &[i32; LANES], table: &[u8]) -> [u8; LANES] {
    let mut bytes = [0; LANES];
    match table.first_chunk::<TABLE>() {
        None => {
            for (byte, v) in bytes.iter_mut().zip(values) {
                *byte = *v as u8;
            }
        }
        // Indices are within the table; the mask tells the compiler so.
        Some(table) => {
            for (byte, v) in bytes.iter_mut().zip(values) {
                *byte = table[*v as usize & (TABLE - 1)];
            }
        }
    }
    bytes
}

/// The byte of the sum of two bytes: [`Int8::scale`] has their factors and [`Int8::bias`] what is
/// added to the products, in 32 bits modulo 2^32.
#[inline(always)]
pub(crate) fn added(x: u8, other: u8, int8: &Int8<'_>) -> u8 {
    let products = (x as i32).wrapping_mul(int8.scale[0]);
    let sum = products.wrapping_add((other as i32).wrapping_mul(int8.scale[1]));
    let half = 1 << (int8.shift - 1);
    let v = sum.wrapping_add(int8.bias[0]).wrapping_add(half) >> int8.shift;
    let (offset, top) = int8.span();
    let v = v.saturating_add(offset as i32).clamp(0, top as i32);
    match int8.table {
        [] => v as u8,
        table => table[v as usize],
    }
}

/// Bytes as a table of all bytes has them.
#[inline(always)]
pub(crate) fn mapped(x: &[u8], table: &[u8], y: &mut [u8]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = table[*x as usize];
    }
}

/// A channel to be normalized, in integers.
///
/// With `n` pixels `x`, their sum `s1` and that of their squares `s2`, the normalized value is
/// `(n x - s1) / sqrt(n s2 - s1^2 + n^2 epsilon)`. The root is that of an integer scaled by a power
/// of 4 to 62 bits, so that the quotient of factor and root has 31.
#[derive(Clone, Copy)]
pub(crate) struct Norm {
    pub n: i64,
    pub sum: i64,
    pub factor: i64,
    pub shift: i32,
    pub bias: i64,
}

/// Bits of the fraction to which a normalized value is rounded before the bias is added.
pub(crate) const FRACTION: i32 = 8;

impl Norm {
    /// That of a lane without a channel.
    #[cfg(target_arch = "x86_64")]
    pub const NONE: Norm = Norm { n: 0, sum: 0, factor: 0, shift: 1, bias: 0 };

    /// From the number of pixels of channel `c`, their sum and that of their squares.
    pub fn new(n: u64, moments: (u64, u64), epsilon: f32, int8: &Int8<'_>, c: usize) -> Norm {
        Norm::with(n, moments, epsilon, (int8, c), sqrt::integer)
    }

    /// [`Norm::new`] with a function that does what [`sqrt::integer`] does.
    #[inline(always)]
    pub fn with(
        n: u64,
        (sum, squares): (u64, u64),
        epsilon: f32,
        (int8, c): (&Int8<'_>, usize),
        root: impl Fn(u64) -> u64,
    ) -> Norm {
        // One product of each size, rounded: the same on every device.
        let extra = ((n * n) as f64 * epsilon as f64) as u64;
        let spread = (n * squares - sum * sum).saturating_add(extra).max(1);
        let double = spread.leading_zeros().saturating_sub(2) / 2;
        let root = root(spread << (2 * double)) as i64;
        Norm {
            n: n as i64,
            sum: sum as i64,
            factor: ((int8.scale[c] as i64) << 31) / root,
            shift: 31 + int8.shift as i32 - double as i32 - FRACTION,
            bias: int8.bias[c] as i64 + (1 << (FRACTION - 1)),
        }
    }

    /// The byte that a byte becomes.
    #[inline(always)]
    pub fn byte(&self, x: u8, int8: &Int8<'_>) -> u8 {
        self.of(self.product(x), int8)
    }

    /// The bytes that all bytes become.
    #[inline(always)]
    pub fn bytes(&self, int8: &Int8<'_>) -> [u8; 256] {
        let (mut product, step) = (self.product(0), self.n.wrapping_mul(self.factor));
        core::array::from_fn(|_| {
            let byte = self.of(product, int8);
            // Bytes that do not occur may be beyond the range.
            product = product.wrapping_add(step);
            byte
        })
    }

    #[inline(always)]
    fn product(&self, x: u8) -> i64 {
        (self.n * x as i64 - self.sum) * self.factor
    }

    #[inline(always)]
    fn of(&self, product: i64, int8: &Int8<'_>) -> u8 {
        let fine = match self.shift {
            shift @ 0.. => product >> shift,
            shift => product << -shift,
        };
        let (offset, top) = int8.span();
        let v = ((fine.wrapping_add(self.bias) >> FRACTION) + offset).clamp(0, top);
        match int8.table {
            [] => v as u8,
            table => table[v as usize],
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
        InputScale { factor: 32.0, zero: 128 }.apply(&mut bytes, 7);
        assert_eq!(bytes[..7], [128, 160, 96, 255, 0, 0, 129]);
    }
}
