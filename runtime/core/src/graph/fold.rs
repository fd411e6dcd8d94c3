//! Fewer layers, the same pictures.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, Ordering};

use super::list::{Graph, Layer, all_finite};
use crate::layer::Source;
use crate::layout::UPSAMPLING;
use crate::model::INPUT;
use crate::op::{Activation, Op, Shape, Window};
use crate::share::{self, PIECE};

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
    /// Nothing is folded across an output that several layers read. A graph whose layers do not fit
    /// each other stays as it is; [`Graph::shapes`] reports why.
    pub fn fold(&mut self) {
        self.folded();
    }

    /// [`Graph::fold`]; for each layer, whether all weights were seen to be finite on the way.
    pub(super) fn folded(&mut self) -> Vec<bool> {
        let Ok(flows) = self.flow() else { return vec![false; self.layers.len()] };
        let mut readers = vec![0; flows.len()];
        for source in flows.iter().flat_map(|flow| [Some(flow.from), flow.other]).flatten() {
            if let Source::Layer(of) = source {
                readers[usize::from(of)] += 1;
            }
        }
        let mut done: Vec<Done> = Vec::with_capacity(self.layers.len());
        // New names of outputs.
        let mut renamed: BTreeMap<String, String> = BTreeMap::new();
        for (i, (mut layer, flow)) in self.layers.drain(..).zip(flows).enumerate() {
            for name in [&mut layer.from, &mut layer.with].into_iter().flatten() {
                if let Some(new) = renamed.get(name) {
                    name.clone_from(new);
                }
            }
            if layer.from.is_some() && !layer.op.joins() && flow.from == Source::before(i) {
                layer.from = None;
            }
            let name = layer.name.clone();
            push(&mut done, Done { layer, input: flow.input, readers: readers[i], finite: false });
            // What stands for the layer's output.
            match done.last() {
                Some(last) if last.layer.name != name => {
                    renamed.insert(name, last.layer.name.clone());
                }
                // The first layer did nothing to the input.
                None => {
                    renamed.insert(name, INPUT.into());
                }
                Some(_) => {}
            }
        }
        let finite = done.iter().map(|done| done.finite).collect();
        self.layers = done.into_iter().map(|done| done.layer).collect();
        finite
    }
}

/// A folded layer, the shape of its input, the number of layers that read its output, and whether
/// its weights are known to be finite.
struct Done {
    layer: Layer,
    input: Shape,
    readers: usize,
    finite: bool,
}

impl Done {
    /// Whether only the layer after it reads it, and nothing is applied to its output.
    fn is_open(&self) -> bool {
        self.readers == 1 && self.layer.activation == Activation::None
    }
}

/// Appends a layer to the folded ones, or folds it into the last of them.
fn push(done: &mut Vec<Done>, next: Done) {
    let Done { layer, input, readers, finite } = next;
    let plain = layer.activation == Activation::None;
    if layer.from.is_some() || layer.op.joins() {
        return done.push(Done { layer, input, readers, finite });
    }
    match (layer.op, &mut done[..]) {
        (Op::Reshape { to }, before) if to == input && plain => pass(before, readers),
        (Op::Activate, before) if plain => pass(before, readers),
        (Op::Activate, [.., last]) if last.is_open() => {
            last.layer.activation = layer.activation;
            last.readers = readers;
        }
        (Op::Affine, [.., last]) if last.is_open() && is_linear(&last.layer) => {
            last.finite = scale(&mut last.layer, last.input, 1, &layer);
            last.layer.activation = layer.activation;
            last.readers = readers;
        }
        (Op::Affine, [.., dense, reshape])
            if matches!(
                (dense.layer.op, reshape.layer.op),
                (Op::Dense { .. }, Op::Reshape { .. })
            ) && reshape.layer.from.is_none()
                && dense.is_open()
                && reshape.is_open() =>
        {
            dense.finite = scale(&mut dense.layer, dense.input, input.plane(), &layer);
            reshape.layer.activation = layer.activation;
            reshape.readers = readers;
        }
        (Op::Conv { out, window }, [.., last])
            if last.layer.op == (Op::Resize { factor: 2 }) && last.is_open() && window == SAME =>
        {
            let weight = upsampling_kernel(&layer.weight, out, last.input.c);
            let from = last.layer.from.take();
            let op = Op::ConvTranspose { out, window: UPSAMPLING };
            last.layer = Layer { op, weight, from, ..layer };
            last.readers = readers;
            last.finite = false;
        }
        _ => done.push(Done { layer, input, readers, finite }),
    }
}

/// Leaves out a layer that changes nothing: its readers read the layer before.
fn pass(before: &mut [Done], readers: usize) {
    if let [.., last] = before {
        // The layer itself was one.
        last.readers += readers;
        last.readers -= 1;
    }
}

const SAME: Window = Window { kernel: 3, stride: 1, padding: 1 };

fn is_linear(layer: &Layer) -> bool {
    match layer.op {
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ReflectConv { .. }
        | Op::ConvTranspose { .. }
        | Op::InstanceNorm { .. }
        | Op::Affine => true,
        Op::Add | Op::Concat { .. } | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => {
            false
        }
    }
}

/// Folds a scale and shift into the linear layer before it, which has `plane` outputs per channel
/// of the scale. Whether all weights are finite then.
fn scale(linear: &mut Layer, input: Shape, plane: usize, affine: &Layer) -> bool {
    let shift = |c: usize| affine.bias.get(c).copied().unwrap_or(0.0);
    let outs = affine.weight.len() * plane;
    linear.bias.resize(outs, 0.0);
    for (o, b) in linear.bias.iter_mut().enumerate() {
        *b = (*b as f64 * affine.weight[o / plane] as f64 + shift(o / plane) as f64) as f32;
    }
    // Weights per output, and outputs per repetition.
    let (run, outs) = match linear.op {
        Op::Dense { .. } => (input.values(), outs),
        Op::Conv { window, .. } | Op::ReflectConv { window, .. } => {
            (input.c * window.kernel * window.kernel, outs)
        }
        Op::ConvTranspose { window, .. } => (window.kernel * window.kernel, outs),
        Op::Affine | Op::InstanceNorm { .. } => (1, outs),
        Op::Add | Op::Concat { .. } | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => {
            return false;
        }
    };
    let (run, total) = (run.max(1), linear.weight.len());
    // Without a division for each of them: there are as many as products.
    let factors: Vec<f32> = (0..outs).map(|o| affine.weight[o / plane]).collect();
    // Enough outputs for a piece to be neither small nor all of them.
    let many = (PIECE / run).max(1);
    let pieces = linear.weight.chunks_mut(run * many).zip((0..).step_by(many));
    let finite = AtomicBool::new(true);
    let scaled = share::each(total, pieces, |(piece, first)| {
        let factors = factors.iter().cycle().skip(first % outs.max(1));
        for (weights, factor) in piece.chunks_mut(run).zip(factors) {
            weights.iter_mut().for_each(|w| *w *= factor);
        }
        // While it is in the cache.
        if !all_finite(piece) {
            finite.store(false, Ordering::Relaxed);
        }
        Ok::<(), Infallible>(())
    });
    match scaled {
        Ok(()) => finite.into_inner(),
        Err(never) => match never {},
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
