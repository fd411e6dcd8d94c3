//! A graph as a record of packed floats (see [`crate::packed`]), and what int8 and packed records
//! share.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::error::GraphError;
use super::list::{Flow, Graph, Layer};
use super::record::{Tensor, Values};
use crate::half;
use crate::layer::{DIAGONAL, Precision};
use crate::layout::{LANES, Layout, is_pixelwise};
use crate::model::{key, write_line};
use crate::op::{Activation, Op, Window};

impl Graph {
    /// The bytes of a packed record: the size of [`Graph::to_record`]'s, but faster. It cannot be
    /// turned back into a graph.
    ///
    /// # Errors
    /// [`GraphError`] if the graph is not a generator, or has a window too large for blocks.
    pub fn pack(&self) -> Result<Vec<u8>, GraphError> {
        self.blocks(false)
    }

    /// [`Graph::pack`] with weights as 16-bit floats, at half the size. Biases, and the few weights
    /// of the layer that makes the image, stay 32-bit floats.
    ///
    /// # Errors
    /// As [`Graph::pack`], and if a weight is beyond the range of 16-bit floats.
    pub fn halve(&self) -> Result<Vec<u8>, GraphError> {
        self.blocks(true)
    }

    fn blocks(&self, halved: bool) -> Result<Vec<u8>, GraphError> {
        let graph = self.multiplied();
        let flows = graph.checked()?;
        let (mut lines, mut tensors) = (String::new(), Vec::new());
        for (i, (layer, flow)) in graph.layers.iter().zip(&flows).enumerate() {
            graph.line(i, &mut lines);
            let Flow { input: from, output, .. } = *flow;
            let image = i + 1 == flows.len();
            let layout = match (Layout::floats(&layer.op, from, output, image), layer.op) {
                (Some(layout), _) => layout,
                (None, Op::Affine | Op::InstanceNorm { .. }) => {
                    let mut bias = layer.bias.clone();
                    bias.resize(from.c, 0.0);
                    push(&mut tensors, layer, Values::F32(&layer.weight), bias);
                    continue;
                }
                (None, Op::Resize { .. } | Op::Reshape { .. } | Op::Add | Op::Concat { .. }) => {
                    continue;
                }
                (None, _) => {
                    return Err(GraphError::Blocks(i, layer.name.clone(), "a window of that size"));
                }
            };
            let large = || GraphError::Blocks(i, layer.name.clone(), "that many weights");
            let mut weight = vec![0.0; layout.weight_len().ok_or_else(large)?];
            let mut bias = vec![0.0; layout.bias_len()];
            layer.place(&layout, &mut weight);
            for group in 0..layout.groups() {
                for lane in 0..layout.lanes() {
                    let of = group * layout.blocks() * LANES + lane;
                    let channel = layout.channel(lane);
                    bias[of] = layer.bias.get(channel).copied().unwrap_or(0.0);
                }
            }
            let weight = match halved && !is_pixelwise(&layer.op, from, image) {
                false => Values::Owned(weight),
                true => {
                    if let Some(w) = weight.iter().find(|w| w.abs() > half::MOST) {
                        return Err(GraphError::Beyond(i, layer.name.clone(), *w));
                    }
                    Values::F16(weight.into_iter().map(half::narrow).collect())
                }
            };
            push(&mut tensors, layer, weight, bias);
        }
        let precision = if halved { Precision::F16 } else { Precision::Packed };
        let more = [(key::PRECISION, precision.name().to_string())];
        Ok(graph.record(&lines, &tensors, more.into_iter()).into_vec())
    }

    /// The same generator with only layers that multiply, scale, normalize, join or move: lone
    /// activations become scales, and scales of up to [`DIAGONAL`] channels 1 x 1 convolutions. The
    /// last layer multiplies.
    pub(super) fn multiplied(&self) -> Graph {
        let mut graph = self.clone();
        graph.fold();
        // `checked` reports layers that do not fit later on.
        let Ok(flows) = graph.flow() else { return graph };
        let (count, mut layers) = (graph.layers.len(), Vec::new());
        let mut renamed: BTreeMap<String, String> = BTreeMap::new();
        for (i, (mut layer, flow)) in graph.layers.into_iter().zip(flows).enumerate() {
            for name in [&mut layer.from, &mut layer.with].into_iter().flatten() {
                if let Some(new) = renamed.get(name) {
                    name.clone_from(new);
                }
            }
            let mut after = None;
            match layer.op {
                Op::Affine => pointwise(&mut layer, flow.input.c),
                Op::Activate => {
                    layer.weight = vec![1.0; flow.input.c];
                    pointwise(&mut layer, flow.input.c);
                }
                Op::Resize { .. } | Op::Reshape { .. }
                    if layer.activation != Activation::None || i + 1 == count =>
                {
                    after = Some(flow.output.c);
                }
                Op::InstanceNorm { .. } | Op::Add | Op::Concat { .. } if i + 1 == count => {
                    after = Some(flow.output.c);
                }
                Op::Dense { .. }
                | Op::Conv { .. }
                | Op::ReflectConv { .. }
                | Op::ConvTranspose { .. }
                | Op::InstanceNorm { .. }
                | Op::Add
                | Op::Concat { .. }
                | Op::Resize { .. }
                | Op::Reshape { .. } => {}
            }
            if let Some(channels) = after {
                let name = format!("{}-activation", layer.name);
                renamed.insert(layer.name.clone(), name.clone());
                let mut activate = Layer {
                    activation: layer.activation,
                    weight: vec![1.0; channels],
                    ..Layer::new(name, Op::Activate)
                };
                pointwise(&mut activate, channels);
                layer.activation = Activation::None;
                layers.push(layer);
                layer = activate;
            }
            layers.push(layer);
        }
        Graph { layers, ..graph }
    }

    /// Appends layer `i` to the list of layers.
    pub(super) fn line(&self, i: usize, lines: &mut String) {
        let layer = &self.layers[i];
        let separator = if i == 0 { "" } else { "\n" };
        lines.push_str(separator);
        let reads = [layer.from.as_deref(), layer.with.as_deref()];
        // Writing to a string cannot fail.
        let _ = write_line(lines, &layer.name, &layer.op, layer.activation, reads);
    }
}

impl Layer {
    /// Writes all weights to their places in blocks.
    fn place(&self, layout: &Layout, to: &mut [f32]) {
        let lanes =
            (0..layout.lanes()).flat_map(|lane| (0..layout.groups()).map(move |g| (g, lane)));
        let Some(apart) = layout.apart() else {
            for (group, lane) in lanes {
                for (w, place) in self.sources(layout, group, lane) {
                    to[place] = w;
                }
            }
            return;
        };
        // Offsets of the weights of the first input; from there on weights are read in order.
        let mut first = Vec::new();
        for (group, lane) in lanes {
            let begin = layout.weights(group);
            for tap in 0..layout.taps(group) {
                if let Some(from) = layout.source(group, lane, tap, 0) {
                    first.push((from, begin + layout.within(group, lane, tap, 0)));
                }
            }
        }
        for at in 0..layout.depth() {
            for (from, place) in &first {
                to[place + at * LANES] = self.weight[from + at * apart];
            }
        }
    }

    /// The weights of a lane and their offsets in blocks.
    pub(super) fn sources<'a>(
        &'a self,
        layout: &'a Layout,
        group: usize,
        lane: usize,
    ) -> impl Iterator<Item = (f32, usize)> + 'a {
        let begin = layout.weights(group);
        let depth = layout.depth();
        (0..layout.taps(group)).flat_map(move |tap| {
            (0..depth).filter_map(move |at| {
                let from = layout.source(group, lane, tap, at)?;
                Some((self.weight[from], begin + layout.within(group, lane, tap, at)))
            })
        })
    }
}

/// Adds the tensors of a layer.
fn push<'a>(tensors: &mut Vec<Tensor<'a>>, layer: &Layer, weight: Values<'a>, bias: Vec<f32>) {
    for (kind, values) in [("weight", weight), ("bias", Values::Owned(bias))] {
        tensors.push(Tensor {
            name: format!("{}.{kind}", layer.name),
            shape: vec![values.len()],
            values,
        });
    }
}

/// Turns a scale of a few channels into a 1 x 1 convolution, and makes any other a scale.
fn pointwise(layer: &mut Layer, channels: usize) {
    if channels > DIAGONAL {
        layer.op = Op::Affine;
        return;
    }
    let window = Window { kernel: 1, stride: 1, padding: 0 };
    layer.op = Op::Conv { out: channels, window };
    let mut weight = vec![0.0; channels * channels];
    for (c, scale) in layer.weight.iter().enumerate().take(channels) {
        weight[c * channels + c] = *scale;
    }
    layer.weight = weight;
}
