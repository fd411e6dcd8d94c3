//! Fewer layers, the same pictures.

use super::*;

impl Graph {
    /// Folds what inference does not need apart, as often as anything folds:
    ///
    /// - a scale and shift (batch norm) into the dense layer or convolution before it, also through a reshape;
    /// - an activation into the layer before it;
    /// - nearest enlargement by 2 and a convolution of kernel 3, stride 1 and padding 1 into one transposed convolution
    ///   of kernel 4, stride 2 and padding 1;
    /// - a reshape that changes nothing, and an activation that is the identity, into nothing.
    ///
    /// A graph whose layers do not fit each other is left as it is: [`Graph::shapes`] says why.
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

/// Adds a layer on `input` to those already folded (each with its input's shape), or folds it into the last of them.
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
            let weight = doubling_kernel(&layer.weight, out, at.c);
            *last = Layer {
                op: Op::ConvTranspose { out, window: Window { kernel: 4, stride: 2, padding: 1 } },
                weight,
                ..layer
            };
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

/// Folds a scale and shift into the linear layer before it, whose outputs are `plane` to a channel of the affine's.
fn scale(linear: &mut Layer, input: Shape, plane: usize, affine: &Layer) {
    let shift = |c: usize| affine.bias.get(c).copied().unwrap_or(0.0);
    let outs = affine.weight.len() * plane;
    linear.bias.resize(outs, 0.0);
    for (o, b) in linear.bias.iter_mut().enumerate() {
        *b = (*b as f64 * affine.weight[o / plane] as f64 + shift(o / plane) as f64) as f32;
    }
    // The output channel of a weight, from its place.
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

/// The kernel of the transposed convolution `[in, out, 4, 4]` that does what nearest enlargement by 2 and a convolution
/// `[out, in, 3, 3]` do: per axis the taps (w0, w1, w2) become (w2, w1 + w2, w0 + w1, w0).
fn doubling_kernel(weight: &[f32], out: usize, input: usize) -> Vec<f32> {
    /// Which of the convolution's taps make up each of the transposed one's.
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
