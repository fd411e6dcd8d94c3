//! Layers of floats with their weights in the order in which they are used: blocks of 16 output channels, each weight
//! beside those of the 15 other channels for the same input. They are read once, front to back, by whole registers; see
//! [`Layout`]. What is computed is what [`crate::op`] says, in another order of sums.

use crate::int8::{LANES, Layout};
use crate::model::Layer;
use crate::op::{Op, Shape};
use crate::simd;

/// A packed layer's floats; empty for operations that only move values.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    /// Blocks of weights: see [`Layout::weight`]; empty where they are halves.
    pub weight: &'a [f32],
    /// The same as 16-bit floats, all finite: see [`crate::half`]. A layer that makes the image of a few
    /// channels has none: its weights are used one by one.
    pub half: &'a [u16],
    /// A value a lane of every block of every group.
    pub bias: &'a [f32],
    /// The layer's output is the image.
    pub image: bool,
}

impl Packed<'_> {
    /// Where the layer's values lie; `None` where it only moves them.
    pub(crate) fn layout(&self, layer: &Layer<'_>) -> Option<Layout> {
        Layout::floats(&layer.op, layer.input, layer.output, self.image)
    }
}

/// Values (`f32`) of scratch of a layer.
pub fn scratch_len(layer: &Layer<'_>, packed: &Packed<'_>) -> usize {
    packed.layout(layer).map_or(0, |layout| simd::packed_scratch_len(layer, packed.image, &layout))
}

/// The obvious loop of a layer. `x` and `y` are channels last, but the image is planes.
pub fn reference(layer: &Layer<'_>, packed: &Packed<'_>, x: &[f32], y: &mut [f32]) {
    let Some(layout) = packed.layout(layer) else {
        return moved(layer, layer.input.c, layer.output.c, x, y);
    };
    let depth = layout.depth();
    for group in 0..layout.groups() {
        let (rows, columns) = layout.grid(group);
        for position in (0..rows * columns).map(|at| (at / columns, at % columns)) {
            for lane in 0..layout.lanes() {
                let mut sum = packed.bias[group * layout.blocks() * LANES + lane];
                for tap in 0..layout.taps(group) {
                    let Some(pixel) = layout.under(group, tap, position) else {
                        continue;
                    };
                    for at in 0..depth {
                        let place = layout.weight(group, lane, tap, at);
                        let w = match packed.half {
                            [] => packed.weight[place],
                            half => crate::half::widen(half[place]),
                        };
                        sum += x[pixel * depth + at] * w;
                    }
                }
                y[layout.place(group, position, lane)] = layer.activation.of(sum);
            }
        }
    }
}

/// Operations that only move values, channels last; pixels of `x` are `from` values apart, those of `y` `to`.
pub(crate) fn moved<T: Copy>(layer: &Layer<'_>, from: usize, to: usize, x: &[T], y: &mut [T]) {
    let (input, output) = (layer.input, layer.output);
    match layer.op {
        Op::Resize { factor } => {
            for (at, y) in y.chunks_exact_mut(to).enumerate() {
                let (r, c) = (at / output.w / factor, at % output.w / factor);
                y.copy_from_slice(&x[(r * input.w + c) * from..][..from]);
            }
        }
        // The order of values is that of planes.
        Op::Reshape { .. } => {
            for at in 0..input.values() {
                let place = |s: Shape, pixel: usize| at % s.plane() * pixel + at / s.plane();
                y[place(output, to)] = x[place(input, from)];
            }
        }
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ConvTranspose { .. }
        | Op::Affine
        | Op::Activate => {}
    }
}
