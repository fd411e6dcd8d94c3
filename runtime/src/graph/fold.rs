//! Fewer layers, the same pictures.

use alloc::vec;
use alloc::vec::Vec;

use super::list::{Graph, Layer};
use crate::layout::UPSAMPLING;
use crate::op::{Activation, Op, Shape, Window};

impl Graph {
    /// Folds layers that inference does not need separately:
    ///
    /// - a scale and shift (batch norm) into the dense layer or convolution before it, also across
    ///   a reshape;
    /// - an activation into the layer before it;
    /// - nearest-neighbor upsampling by 2 and a convolution of kernel 3, stride 1 and padding 1
    ///   into one transposed convolution of kernel 4, stride 2 and padding 1;
    /// - identity reshapes and activations into nothing.
    ///
    /// A graph whose layers do not fit each other stays as it is; [`Graph::shapes`] reports why.
    pub fn fold(&mut self) {
        let Ok(shapes) = self.fit() else { return };
        let mut input = Shape::new(self.latent, 1, 1);
        let mut done: Vec<(Layer, Shape)> = Vec::with_capacity(self.layers.len());
        for (layer, output) in self.layers.drain(..).zip(shapes) {
            push(&mut done, layer, input);
            input = output;
        }
        self.layers = done.into_iter().map(|(layer, _)| layer).collect();
    }
}

/// Appends a layer to the folded ones (each with the shape of its input), or folds it into the last
/// of them.
fn push(done: &mut Vec<(Layer, Shape)>, layer: Layer, input: Shape) {
    let plain = |l: &Layer| l.activation == Activation::None;
    match (layer.op, &mut done[..]) {
        (Op::Reshape { to }, _) if to == input && plain(&layer) => {}
        (Op::Activate, _) if plain(&layer) => {}
        (Op::Activate, [.., (last, _)]) if plain(last) => last.activation = layer.activation,
        (Op::Affine, [.., (last, at)]) if plain(last) && is_linear(last) => {
            scale(last, *at, 1, &layer);
            last.activation = layer.activation;
        }
        (Op::Affine, [.., (dense, at), (reshape, _)])
            if matches!((dense.op, reshape.op), (Op::Dense { .. }, Op::Reshape { .. }))
                && plain(dense)
                && plain(reshape) =>
        {
            scale(dense, *at, input.plane(), &layer);
            reshape.activation = layer.activation;
        }
        (Op::Conv { out, window }, [.., (last, at)])
            if last.op == (Op::Resize { factor: 2 }) && plain(last) && window == SAME =>
        {
            let weight = upsampling_kernel(&layer.weight, out, at.c);
            *last = Layer { op: Op::ConvTranspose { out, window: UPSAMPLING }, weight, ..layer };
        }
        _ => done.push((layer, input)),
    }
}

const SAME: Window = Window { kernel: 3, stride: 1, padding: 1 };

fn is_linear(layer: &Layer) -> bool {
    match layer.op {
        Op::Dense { .. } | Op::Conv { .. } | Op::ConvTranspose { .. } | Op::Affine => true,
        Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => false,
    }
}

/// Folds a scale and shift into the linear layer before it, which has `plane` outputs per channel
/// of the scale.
fn scale(linear: &mut Layer, input: Shape, plane: usize, affine: &Layer) {
    let shift = |c: usize| affine.bias.get(c).copied().unwrap_or(0.0);
    let outs = affine.weight.len() * plane;
    linear.bias.resize(outs, 0.0);
    for (o, b) in linear.bias.iter_mut().enumerate() {
        *b = (*b as f64 * affine.weight[o / plane] as f64 + shift(o / plane) as f64) as f32;
    }
    // Weights per output, and outputs per repetition.
    let (run, outs) = match linear.op {
        Op::Dense { .. } => (input.values(), outs),
        Op::Conv { window, .. } => (input.c * window.kernel * window.kernel, outs),
        Op::ConvTranspose { window, .. } => (window.kernel * window.kernel, outs),
        Op::Affine => (1, outs),
        Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => return,
    };
    for (o, weights) in linear.weight.chunks_mut(run.max(1)).enumerate() {
        let factor = affine.weight[o % outs / plane];
        weights.iter_mut().for_each(|w| *w *= factor);
    }
}

/// The kernel `[in, out, 4, 4]` of the transposed convolution that equals nearest-neighbor
/// upsampling by 2 and a convolution `[out, in, 3, 3]`: along each axis the taps (w0, w1, w2)
/// become (w2, w1 + w2, w0 + w1, w0).
fn upsampling_kernel(weight: &[f32], out: usize, input: usize) -> Vec<f32> {
    /// The convolution's taps that make up each tap of the transposed one.
    const SUMS: [&[usize]; 4] = [&[2], &[1, 2], &[0, 1], &[0]];
    let mut kernel = vec![0.0; input * out * 16];
    for o in 0..out {
        for i in 0..input {
            let from = &weight[(o * input + i) * 9..][..9];
            let to = &mut kernel[(i * out + o) * 16..][..16];
            for (place, to) in to.iter_mut().enumerate() {
                let rows = SUMS[place / 4].iter();
                let sum = |row: &usize| -> f64 {
                    let columns = SUMS[place % 4].iter();
                    columns.map(|column| from[row * 3 + column] as f64).sum()
                };
                *to = rows.map(sum).sum::<f64>() as f32;
            }
        }
    }
    kernel
}
