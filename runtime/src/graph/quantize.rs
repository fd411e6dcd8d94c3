//! A graph as a record of integers (see [`crate::int8`]).
//!
//! Weights have one scale per lane and activations one per layer. Both minimize the squared error:
//! of the weights themselves, and of the values that the float graph computes from the latents of a
//! few seeds.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::error::GraphError;
use super::list::{Graph, Layer};
use super::record::{Tensor, Values};
use super::spread::{self, Spread, round};
use crate::cpu::Cpu;
use crate::layer::{Precision, TABLE, TERMS};
use crate::layout::{LANES, Layout};
use crate::limits::Limits;
use crate::model::{Model, key};
use crate::op::{Activation, Op, Shape};

/// Scale and zero point of the latent: steps of 1 / 32, so that 4 standard deviations fit.
const LATENT: (f64, u8) = (1.0 / 32.0, 128);

/// A layer's integers, owned.
struct Integers {
    weight: Vec<i8>,
    bias: Vec<i32>,
    scale: Vec<i32>,
    table: Vec<u8>,
    shift: u32,
    zero: u8,
    /// Value of one step of a sum, one per lane.
    unit: Vec<f64>,
}

/// Where a layer's integers lie.
enum Form {
    Blocks(Layout),
    /// One per channel.
    Channels(usize),
}

impl Form {
    fn weight_len(&self) -> usize {
        match self {
            Form::Blocks(layout) => layout.weight_len().unwrap_or(0),
            Form::Channels(n) => *n,
        }
    }

    fn bias_len(&self) -> usize {
        match self {
            Form::Blocks(layout) => layout.bias_len(),
            Form::Channels(n) => *n,
        }
    }

    /// The lanes: group, lane within it, place of its bias, output channel.
    fn lanes(&self) -> impl Iterator<Item = (usize, usize, usize, usize)> + '_ {
        let (groups, lanes) = match self {
            Form::Blocks(layout) => (layout.groups(), layout.lanes()),
            Form::Channels(n) => (1, *n),
        };
        (0..groups).flat_map(move |group| (0..lanes).map(move |lane| (group, lane))).map(
            |(group, lane)| match self {
                Form::Blocks(layout) => {
                    let of = group * layout.blocks() * LANES + lane;
                    (group, lane, of, layout.channel(lane))
                }
                Form::Channels(_) => (group, lane, lane, lane),
            },
        )
    }
}

impl Graph {
    /// The bytes of an int8 record. The scales of activations are calibrated on the latents of
    /// `seeds`.
    ///
    /// # Errors
    /// [`GraphError`] if the graph is not a generator, or has a layer that int8 does not support.
    pub fn quantize(&self, seeds: Range<u64>) -> Result<Vec<u8>, GraphError> {
        let graph = self.multiplied();
        let shapes = graph.shapes()?;
        let buffer = graph.to_buffer()?;
        // Neither can fail: the record was just written, and its arena has the right length.
        let damaged = |_| GraphError::Empty;
        let model = Model::parse_within(buffer.bytes(), &Limits::NONE).map_err(damaged)?;
        let mut arena = vec![0.0; model.arena_len()];
        let mut cpu = Cpu::new(&model, &mut arena).map_err(|_| GraphError::Empty)?;
        let spreads = spread::spreads(&mut cpu, graph.layers.len(), seeds.clone());
        let mut done: Vec<Option<Integers>> = Vec::new();
        let mut input = Shape::new(graph.latent, 1, 1);
        let mut before = LATENT;
        for (i, (layer, output)) in graph.layers.iter().zip(&shapes).enumerate() {
            let image = i + 1 == shapes.len();
            let refused = |why| Err(GraphError::Blocks(i, layer.name.clone(), why));
            let range = image.then_some(self.facts.range);
            let form = match Layout::bytes(&layer.op, input, *output, image) {
                None if layer.op == Op::Affine => Some(Form::Channels(input.c)),
                None if matches!(layer.op, Op::Resize { .. } | Op::Reshape { .. }) => None,
                None => return refused("a window of that size"),
                Some(layout) if layout.terms() > TERMS => {
                    return refused("sums of that many products");
                }
                Some(layout) if layout.weight_len().is_none() => {
                    return refused("that many weights");
                }
                Some(layout) => Some(Form::Blocks(layout)),
            };
            done.push(form.map(|form| {
                let (integers, after) = integers(layer, &form, &spreads[i], before, range);
                before = after;
                integers
            }));
            input = *output;
        }
        let record = graph.int8_record(&done);
        Ok(record)
    }

    fn int8_record(&self, done: &[Option<Integers>]) -> Vec<u8> {
        let (mut lines, mut tensors) = (String::new(), Vec::new());
        let mut text = format!("{} {}", 1.0 / LATENT.0, LATENT.1);
        for (i, (layer, integers)) in self.layers.iter().zip(done).enumerate() {
            self.line(i, &mut lines);
            let Some(integers) = integers else {
                text += "\n1 0";
                continue;
            };
            text += &format!("\n{} {}", integers.shift, integers.zero);
            let all = [
                ("weight", Values::I8(integers.weight.clone())),
                ("bias", Values::I32(integers.bias.clone())),
                ("scale", Values::I32(integers.scale.clone())),
                ("table", Values::U8(integers.table.clone())),
            ];
            for (kind, values) in all {
                let n = values.len();
                if n > 0 {
                    tensors.push(Tensor {
                        name: format!("{}.{kind}", layer.name),
                        shape: vec![n],
                        values,
                    });
                }
            }
        }
        let more = [(key::PRECISION, Precision::Int8.name().to_string()), (key::INT8, text)];
        self.record(&lines, &tensors, more.into_iter()).into_vec()
    }
}

/// A layer in integers, and the scale and zero point of its output. `range` is that of the image,
/// for the last layer.
fn integers(
    layer: &Layer,
    form: &Form,
    spread: &Spread,
    (x, before): (f64, u8),
    range: Option<(f32, f32)>,
) -> (Integers, (f64, u8)) {
    let lanes = form.bias_len();
    let (y, zero) = spread.scale();
    // Value of one step of a requantized sum: a byte of the output, or an index into the table.
    let reach = match layer.activation {
        Activation::Tanh => 4.0,
        Activation::Sigmoid => 8.0,
        Activation::None | Activation::Relu | Activation::LeakyRelu(_) | Activation::Clip(..) => {
            spread.reach(layer.activation, range)
        }
        // Below -8 they are flat; above 0 they nearly equal their input.
        Activation::Elu(_)
        | Activation::Selu
        | Activation::Gelu
        | Activation::GeluTanh
        | Activation::Silu
        | Activation::Mish
        | Activation::Softplus => spread.reach(layer.activation, range).max(8.0),
    };
    let tabled =
        range.is_some() || !matches!(layer.activation, Activation::None | Activation::Relu);
    let step = if tabled { 2.0 * reach / TABLE as f64 } else { y };
    let mut done = Integers {
        weight: vec![0; form.weight_len()],
        bias: vec![0; lanes],
        scale: vec![0; lanes],
        table: vec![],
        shift: 0,
        zero,
        unit: vec![0.0; lanes],
    };
    let largest = layer.weight.iter().fold(0.0f32, |m, w| m.max(w.abs()));
    let mut places = Vec::new();
    for (group, lane, of, channel) in form.lanes() {
        places.clear();
        match form {
            Form::Blocks(layout) => places.extend(layer.sources(layout, group, lane)),
            Form::Channels(_) => places.push((layer.weight[lane], lane)),
        }
        let w = weight_scale(&places, largest);
        let mut sum = 0;
        for (weight, place) in &places {
            let q = round(*weight as f64 / w).clamp(-127, 127);
            done.weight[*place] = q as i8;
            sum += q;
        }
        let bias = layer.bias.get(channel).copied().unwrap_or(0.0);
        let bias = round(bias as f64 / (x * w)) - before as i64 * sum;
        done.bias[of] = bias.clamp(i32::MIN as i64, i32::MAX as i64) as i32;
        done.unit[of] = x * w;
    }
    // The largest factor takes 31 bits.
    let most = done.unit.iter().fold(1e-30f64, |m, u| m.max(u / step));
    let (mut shift, mut power) = (1, 2.0);
    while shift < 62 && most * power * 2.0 < i32::MAX as f64 {
        (shift, power) = (shift + 1, power * 2.0);
    }
    done.shift = shift;
    for (scale, unit) in done.scale.iter_mut().zip(&done.unit) {
        *scale = round(unit / step * power).min(i32::MAX as i64) as i32;
    }
    if tabled {
        done.table = (0..TABLE)
            .map(|i| {
                let v = layer.activation.of(((i as f64 - TABLE as f64 / 2.0) * step) as f32);
                match range {
                    Some((black, white)) => ((v - black) / (white - black) * 255.0 + 0.5) as u8,
                    None => (round(v as f64 / y) + zero as i64).clamp(0, 255) as u8,
                }
            })
            .collect();
    }
    (done, (y, zero))
}

/// The scale with the least squared error for weights: a 127th of the largest, or a little less.
fn weight_scale(places: &[(f32, usize)], largest: f32) -> f64 {
    let most = places.iter().fold(0.0f32, |m, (w, _)| m.max(w.abs())) as f64;
    if most == 0.0 {
        return (largest as f64 / 127.0).max(1e-12);
    }
    let error = |scale: f64| -> f64 {
        let off = |(w, _): &(f32, usize)| {
            let w = *w as f64;
            let off = w - round(w / scale).clamp(-127, 127) as f64 * scale;
            off * off
        };
        places.iter().map(off).sum()
    };
    let scales = (0..8).map(|i| most / 127.0 * (1.0 - 0.04 * i as f64));
    let best = scales.map(|scale| (error(scale), scale)).min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(most / 127.0, |(_, scale)| scale)
}
