//! Layers of floats with their weights in the order in which they are used.
//!
//! Weights lie in blocks of 16 output channels, the weights of the 16 channels for one input side
//! by side (see [`crate::layout`]), so that a kernel reads them once, front to back, in whole
//! registers. The result is that of [`crate::op`], summed in another order.

use crate::half;
use crate::layer::{Layer, Weights};
use crate::layout::{LANES, Layout};
use crate::op::instance_norm::factors;
use crate::op::{self, Op};

/// The obvious loop of a layer: the specification of every faster one. `x` and `y` have their
/// channels last, except that the image is planar.
pub fn reference(layer: &Layer<'_>, [x, other]: [&[f32]; 2], y: &mut [f32]) {
    match (layer.layout(), layer.weights) {
        (Some(layout), Weights::Packed { weight, bias }) => {
            sums(layer, &layout, |place| weight[place], bias, x, y);
        }
        (Some(layout), Weights::Half { weight, bias }) => {
            sums(layer, &layout, |place| half::widen(weight[place]), bias, x, y);
        }
        _ => unblocked(layer, [x, other], y),
    }
}

fn sums(
    layer: &Layer<'_>,
    layout: &Layout,
    weight: impl Fn(usize) -> f32,
    bias: &[f32],
    x: &[f32],
    y: &mut [f32],
) {
    let depth = layout.depth();
    for group in 0..layout.groups() {
        let (rows, columns) = layout.grid(group);
        for position in (0..rows * columns).map(|at| (at / columns, at % columns)) {
            for lane in 0..layout.lanes() {
                let mut sum = bias[group * layout.blocks() * LANES + lane];
                for tap in 0..layout.taps(group) {
                    let Some(pixel) = layout.under(group, tap, position) else {
                        continue;
                    };
                    for at in 0..depth {
                        sum += x[pixel * depth + at] * weight(layout.weight(group, lane, tap, at));
                    }
                }
                y[layout.place(group, position, lane)] = layer.activation.of(sum);
            }
        }
    }
}

/// Layers that are not in blocks: they scale or normalize each channel, join two inputs, or only
/// move values.
pub(crate) fn unblocked(layer: &Layer<'_>, [x, other]: [&[f32]; 2], y: &mut [f32]) {
    let channels = [layer.input.c, layer.other_input().c];
    match (layer.op, layer.weights) {
        (Op::Affine, Weights::Packed { weight, bias }) => {
            let pixels = x.chunks_exact(layer.input.c).zip(y.chunks_exact_mut(layer.input.c));
            for (x, y) in pixels {
                for (((x, y), scale), shift) in x.iter().zip(y).zip(weight).zip(bias) {
                    *y = x * scale + shift;
                }
            }
        }
        (Op::InstanceNorm { epsilon }, Weights::Packed { weight, bias }) => {
            let (c, n) = (layer.input.c, layer.input.plane() as f64);
            for channel in 0..c {
                let pixels = || x[channel..].iter().step_by(c).map(|x| f64::from(*x));
                let mean = pixels().sum::<f64>() / n;
                let variance = pixels().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
                let (mean, factor) = factors((mean, variance), epsilon, weight[channel]);
                for (x, y) in x[channel..].iter().zip(&mut y[channel..]).step_by(c) {
                    *y = (x - mean) * factor + bias[channel];
                }
            }
        }
        (Op::Add, _) => op::join::add(x, other, y),
        (Op::Concat { .. }, _) => op::join::concat(channels, x, other, 0..y.len(), y),
        _ => {
            let steps = [layer.input.c, layer.output.c];
            op::moved(&layer.op, [layer.input, layer.output], steps, x, y);
        }
    }
    layer.activation.apply(y);
}
