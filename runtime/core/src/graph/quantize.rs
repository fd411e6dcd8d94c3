//! A graph as a record of integers (see [`crate::int8`]).
//!
//! Weights have one scale per lane and activations one per layer. Both minimize the squared error:
//! of the weights themselves, and of the values that the float graph computes from a few latents or
//! pictures.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::error::GraphError;
use super::list::{Graph, Layer};
use super::record::{Tensor, Values};
use super::spread::{self, Examples, Spread, round};
use crate::cpu::Cpu;
use crate::layer::{ADD_SHIFT, Input, NORMALIZED, Precision, Source, TABLE, TERMS};
use crate::layout::{LANES, Layout};
use crate::limits::Limits;
use crate::model::{Model, key};
use crate::op::{Activation, Op};

/// Steps per unit, and zero point, of a latent: 4 standard deviations fit.
const LATENT: (f64, u8) = (32.0, 128);
/// The same of a picture: -1 to 1 fit, and 0 is a byte.
const PICTURE: (f64, u8) = (127.0, 128);

/// A layer's integers, owned.
#[derive(Default)]
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
    /// [`GraphError`] if the graph is not a generator, takes pictures, or has a layer that int8 does
    /// not support.
    pub fn quantize(&self, seeds: Range<u64>) -> Result<Vec<u8>, GraphError> {
        match self.input {
            Input::Latent(_) => self.quantize_on(&Examples::Seeds(seeds)),
            Input::Picture(_) => Err(GraphError::Examples("pictures such as it will translate")),
        }
    }

    /// [`Graph::quantize`] for a graph whose input is a picture, calibrated on the pixels of
    /// `pictures`; see [`Cpu::translate`].
    ///
    /// # Errors
    /// As [`Graph::quantize`], and if there are no pictures or one does not have the right number of
    /// bytes.
    pub fn quantize_on_pictures(&self, pictures: &[Vec<u8>]) -> Result<Vec<u8>, GraphError> {
        let Input::Picture(shape) = self.input else {
            return Err(GraphError::Examples("latents, as the input is one"));
        };
        match pictures.iter().all(|picture| picture.len() == shape.values()) {
            true if !pictures.is_empty() => self.quantize_on(&Examples::Pictures(pictures)),
            _ => Err(GraphError::Examples("at least one picture of the size of the input")),
        }
    }

    fn quantize_on(&self, examples: &Examples<'_>) -> Result<Vec<u8>, GraphError> {
        let mut graph = self.multiplied();
        let flows = graph.checked()?;
        let buffer = graph.to_buffer()?;
        // Neither can fail: the record was just written, and its arena has the right length.
        let damaged = |_| GraphError::Empty;
        let model = Model::parse_within(buffer.bytes(), &Limits::NONE).map_err(damaged)?;
        let mut arena = vec![0.0; model.arena_len()];
        let mut cpu = Cpu::new(&model, &mut arena).map_err(|_| GraphError::Empty)?;
        let spreads = spread::spreads(&mut cpu, graph.layers.len(), examples);
        let (steps, zero) = self.steps();
        let input = (1.0 / steps, zero);
        let mut done: Vec<Option<Integers>> = Vec::new();
        // Scale and zero point of each output.
        let mut scales: Vec<(f64, u8)> = Vec::new();
        for (i, (layer, flow)) in graph.layers.iter_mut().zip(&flows).enumerate() {
            let image = i + 1 == flows.len();
            let of = |source: Source| match source {
                Source::Input => input,
                Source::Layer(of) => scales[usize::from(of)],
            };
            let before = of(flow.from);
            let refused = |why| Err(GraphError::Blocks(i, layer.name.clone(), why));
            let range = image.then_some(self.facts.range);
            let c = flow.input.c;
            let (own, after) = match (
                Layout::bytes(&layer.op, flow.input, flow.output, image),
                layer.op,
                flow.other,
            ) {
                (Some(layout), ..) if layout.terms() > TERMS => {
                    return refused("sums of that many products");
                }
                (Some(layout), ..) if layout.weight_len().is_none() => {
                    return refused("that many weights");
                }
                (Some(layout), ..) => {
                    integers(layer, &Form::Blocks(layout), &spreads[i], before, range)
                }
                (None, Op::Affine, _) => {
                    integers(layer, &Form::Channels(c), &spreads[i], before, range)
                }
                (None, Op::InstanceNorm { .. }, _) if flow.input.plane() > NORMALIZED => {
                    return refused("a norm of that many pixels");
                }
                (None, Op::InstanceNorm { epsilon }, _) => {
                    let made = normalized(layer, c, &spreads[i]);
                    // In squared steps of the input.
                    let epsilon = (epsilon as f64 / (before.0 * before.0)).min(1e30);
                    layer.op = Op::InstanceNorm { epsilon: epsilon as f32 };
                    made
                }
                (None, Op::Add, Some(other)) => {
                    added(layer.activation, &spreads[i], [before, of(other)])
                }
                (None, Op::Concat { .. }, Some(other)) => {
                    joined(layer.activation, &spreads[i], [before, of(other)])
                }
                (None, Op::Resize { .. } | Op::Reshape { .. }, _) => {
                    scales.push(before);
                    done.push(None);
                    continue;
                }
                (None, ..) => return refused("a window of that size"),
            };
            scales.push(after);
            done.push(Some(own));
        }
        Ok(graph.int8_record(&done))
    }

    /// Steps per unit and zero point of the input's bytes.
    fn steps(&self) -> (f64, u8) {
        match self.input {
            Input::Latent(_) => LATENT,
            Input::Picture(_) => PICTURE,
        }
    }

    fn int8_record(&self, done: &[Option<Integers>]) -> Vec<u8> {
        let (mut lines, mut tensors) = (String::new(), Vec::new());
        let (steps, zero) = self.steps();
        let mut text = format!("{steps} {zero}");
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
    let (step, tabled) = step(layer.activation, spread, y, range);
    let mut done = Integers {
        weight: vec![0; form.weight_len()],
        bias: vec![0; lanes],
        scale: vec![0; lanes],
        zero,
        unit: vec![0.0; lanes],
        ..Integers::default()
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
        done.table = table(layer.activation, step, (y, zero), range);
    }
    (done, (y, zero))
}

/// Value of one step of a requantized sum, and whether that is an index into a table rather than a
/// byte of the output, whose scale is `y`.
fn step(activation: Activation, spread: &Spread, y: f64, range: Option<(f32, f32)>) -> (f64, bool) {
    let reach = match activation {
        Activation::Tanh => 4.0,
        Activation::Sigmoid => 8.0,
        Activation::None | Activation::Relu | Activation::LeakyRelu(_) | Activation::Clip(..) => {
            spread.reach(activation, range)
        }
        // Below -8 they are flat; above 0 they nearly equal their input.
        Activation::Elu(_)
        | Activation::Selu
        | Activation::Gelu
        | Activation::GeluTanh
        | Activation::Silu
        | Activation::Mish
        | Activation::Softplus => spread.reach(activation, range).max(8.0),
    };
    let tabled = range.is_some() || !matches!(activation, Activation::None | Activation::Relu);
    (if tabled { 2.0 * reach / TABLE as f64 } else { y }, tabled)
}

/// The bytes of an activation at [`TABLE`] steps.
fn table(
    activation: Activation,
    step: f64,
    after: (f64, u8),
    range: Option<(f32, f32)>,
) -> Vec<u8> {
    let of = |i: usize| {
        let v = activation.of(((i as f64 - TABLE as f64 / 2.0) * step) as f32);
        match range {
            Some((black, white)) => ((v - black) / (white - black) * 255.0 + 0.5) as u8,
            None => byte(v, after),
        }
    };
    (0..TABLE).map(of).collect()
}

/// The byte of a value.
fn byte(v: f32, (scale, zero): (f64, u8)) -> u8 {
    (round(v as f64 / scale) + zero as i64).clamp(0, 255) as u8
}

/// A power of 2 with which the largest of some factors stays below `most`, as a shift of up to
/// [`ADD_SHIFT`] bits.
fn power(largest: f64, most: f64) -> (u32, f64) {
    let (mut shift, mut power) = (2, 4.0);
    while shift < ADD_SHIFT && largest * power * 2.0 < most {
        (shift, power) = (shift + 1, power * 2.0);
    }
    (shift, power)
}

/// The integers of a layer that normalizes `c` channels, and the scale and zero point of its output;
/// see [`crate::int8`].
fn normalized(layer: &Layer, c: usize, spread: &Spread) -> (Integers, (f64, u8)) {
    let (y, zero) = spread.scale();
    let (step, tabled) = step(layer.activation, spread, y, None);
    let largest = layer.weight.iter().fold(0.0f64, |most, w| most.max(w.abs() as f64)) / step;
    let most = f64::from(1 << 30);
    let (shift, power) = power(largest, most);
    let fixed = |v: f64| round(v.clamp(-most, most)) as i32;
    let bias = |c: usize| layer.bias.get(c).copied().unwrap_or(0.0) as f64 / step;
    let done = Integers {
        scale: layer.weight.iter().map(|w| fixed(*w as f64 / step * power)).collect(),
        bias: (0..c).map(|c| fixed(bias(c) * 256.0)).collect(),
        table: if tabled { table(layer.activation, step, (y, zero), None) } else { vec![] },
        shift,
        zero,
        ..Integers::default()
    };
    (done, (y, zero))
}

/// The same of the sum of two inputs with these scales and zero points.
fn added(activation: Activation, spread: &Spread, inputs: [(f64, u8); 2]) -> (Integers, (f64, u8)) {
    let (y, zero) = spread.scale();
    let (step, tabled) = step(activation, spread, y, None);
    // Sums of two products with bytes, and the bias, have 32 bits.
    let most = f64::from(1 << 21);
    let units = inputs.map(|(x, _)| x / step);
    let (shift, power) = power(units[0].max(units[1]), most);
    let scale = units.map(|unit| round((unit * power).min(most)) as i32);
    let zeros = inputs.iter().zip(scale).map(|((_, zero), scale)| i32::from(*zero) * scale);
    let done = Integers {
        bias: vec![-zeros.sum::<i32>()],
        scale: scale.into(),
        table: if tabled { table(activation, step, (y, zero), None) } else { vec![] },
        shift,
        zero,
        ..Integers::default()
    };
    (done, (y, zero))
}

/// The same of two inputs side by side: each has a table of its own.
fn joined(
    activation: Activation,
    spread: &Spread,
    inputs: [(f64, u8); 2],
) -> (Integers, (f64, u8)) {
    let after = spread.scale();
    let of = |(scale, zero): (f64, u8)| {
        (0..=255u8).map(move |x| (f64::from(x) - f64::from(zero)) * scale)
    };
    let table = inputs.into_iter().flat_map(of).map(|v| byte(activation.of(v as f32), after));
    let done = Integers { table: table.collect(), shift: 1, zero: after.1, ..Integers::default() };
    (done, after)
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
