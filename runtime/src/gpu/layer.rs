//! A layer whose weights are on a device.

use std::vec;
use std::vec::Vec;

use super::device::{Device, Limits};
use super::kernel::{self, Kind, Product};
use crate::half;
use crate::int8::Layout;
use crate::model;
use crate::op::{Activation, Op, Shape};

/// Channels of a vector.
const QUAD: usize = 4;

/// A layer: its buffers, and what its kernel is called with.
pub struct Layer {
    pub facts: wgpu::Buffer,
    pub groups: wgpu::Buffer,
    pub weight: wgpu::Buffer,
    pub bias: wgpu::Buffer,
    /// Positions of one face in each group; of an operation that multiplies nothing, vectors of its output.
    positions: Vec<usize>,
    form: Form,
}

/// What kind of kernel a layer wants.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Vectors of lanes, with their padding, and of a block; vectors of rows of the largest group, and a divisor of all groups'.
    Product {
        lanes: usize,
        block: usize,
        quads: usize,
        divisor: usize,
    },
    Move,
    /// The family's image layer: channels, and rows and columns of its input.
    Image(usize, [usize; 2]),
}

/// Where a layer's kernel runs: its workgroups on three sides.
pub type Sides = [u32; 3];

/// The numbers of one, before they are uploaded.
struct Numbers {
    groups: Vec<[u32; 12]>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    positions: Vec<usize>,
    lanes: usize,
    step: usize,
    by: usize,
}

/// Vectors of a pixel of `c` channels.
fn depth(c: usize) -> usize {
    c.div_ceil(QUAD)
}

/// Values of a map of one face on the device.
pub fn values(shape: Shape) -> usize {
    shape.plane() * depth(shape.c) * QUAD
}

/// Values of a layer's weights on the device, with their padding, and behind them what a tile of a group without rows reads before
/// it knows; `None` where they cannot be counted.
pub fn weights(layer: &model::Layer<'_>, eight: bool) -> Option<usize> {
    let Some(layout) = Layout::threads(&layer.op, layer.input, layer.output) else {
        return Some(0);
    };
    let lanes = lanes(&layout, layer.output);
    let block = kernel::block(lanes, eight);
    let wide = lanes.checked_next_multiple_of(block)?;
    let own = (0..layout.groups()).try_fold(0usize, |sum, group| {
        let rows = quads(layer, &layout, group).next_multiple_of(4) * QUAD;
        sum.checked_add(rows.checked_mul(wide)?)
    });
    own?.checked_add(16 * block)
}

/// Lanes, those of the padding of pixels too.
fn lanes(layout: &Layout, output: Shape) -> usize {
    layout.lanes() / output.c * depth(output.c) * QUAD
}

/// Taps of a group; a dense layer has all pixels of its input as taps of one position.
fn taps(layer: &model::Layer<'_>, layout: &Layout, group: usize) -> usize {
    match is_dense(layer) {
        true => layer.input.plane(),
        false => layout.taps(group),
    }
}

/// Vectors of input under all taps of a group.
fn quads(layer: &model::Layer<'_>, layout: &Layout, group: usize) -> usize {
    taps(layer, layout, group) * depth(layer.input.c)
}

fn is_dense(layer: &model::Layer<'_>) -> bool {
    matches!(layer.op, Op::Dense { .. })
}

/// A layer that multiplies, as a product for each group.
fn product(layer: &model::Layer<'_>, layout: &Layout, eight: bool) -> Numbers {
    let (input, output) = (layer.input, layer.output);
    let dense = is_dense(layer);
    let lanes = lanes(layout, output);
    let block = kernel::block(lanes, eight);
    let wide = lanes.next_multiple_of(block);
    let pixel = depth(output.c) * QUAD;
    // The layout's lane of one of ours, unless it is padding.
    let own = |lane: usize| {
        let (at, channel) = (lane / pixel, lane % pixel);
        (lane < lanes && channel < output.c).then_some(at * output.c + channel)
    };
    let by = layout.by();
    let mut numbers = Numbers {
        groups: Vec::new(),
        weight: vec![0.0; weights(layer, eight).unwrap_or(0)],
        bias: vec![0.0; wide],
        positions: Vec::new(),
        lanes,
        step: layout.view(0).step,
        by,
    };
    for (lane, bias) in numbers.bias.iter_mut().enumerate() {
        let channel = own(lane).map(|lane| layout.channel(lane));
        *bias = channel.map_or(0.0, |c| crate::op::bias_of(layer.bias, c));
    }
    let mut first = 0;
    for group in 0..layout.groups() {
        let view = layout.view(group);
        let (rows, columns) = layout.grid(group);
        let quads = quads(layer, layout, group);
        let high = quads.next_multiple_of(4) * QUAD;
        let count = taps(layer, layout, group);
        // Kernels divide by it, also where there are no taps.
        let columns_of_taps = if dense { count } else { view.columns }.max(1);
        numbers.positions.push(rows * columns);
        numbers.groups.push([
            rows as u32,
            columns as u32,
            columns_of_taps as u32,
            quads as u32,
            // Wrapping, as the view has it.
            view.from.0 as u32,
            view.from.1 as u32,
            if view.back { u32::MAX } else { 1 },
            (first / QUAD) as u32,
            (group / by) as u32,
            (group % by) as u32,
            0,
            0,
        ]);
        // From one channel to the next the operation's own weights are as far apart, but for some dense layers.
        let source = |lane: usize, tap: usize, channel: usize| match dense {
            true => layout.source(group, lane, 0, tap * input.c + channel),
            false => layout.source(group, lane, tap, channel),
        };
        let apart = layout.apart();
        for (lane, of) in (0..lanes).filter_map(|lane| Some((lane, own(lane)?))) {
            let to = first + lane / block * high * block + lane % block;
            for tap in 0..count {
                let Some(at) = source(of, tap, 0) else {
                    continue;
                };
                let row = tap * depth(input.c) * QUAD;
                for channel in 0..input.c {
                    let at = apart.map(|apart| at + channel * apart);
                    let at = at.or_else(|| source(of, tap, channel));
                    numbers.weight[to + (row + channel) * block] =
                        at.map_or(0.0, |at| layer.weight[at]);
                }
            }
        }
        first += wide * high;
    }
    numbers
}

/// The weights of the family's image layer in the order of `image.wgsl`.
fn image_weights(layer: &model::Layer<'_>) -> Vec<f32> {
    // Row of the kernel for each of the four pairs of a row of the input and one of the output.
    const TAP: [usize; 4] = [3, 1, 2, 0];
    let (depth, channels) = (depth(layer.input.c), layer.output.c);
    // Vectors of channels are taken a few at a time.
    let mut weight = vec![0.0; (depth + 4) * 16 * channels * QUAD];
    for (at, to) in weight.iter_mut().enumerate() {
        let input = at / (16 * channels * QUAD) * QUAD + at % QUAD;
        let channel = at / QUAD % channels;
        let [y, x] = [at / (QUAD * channels * 4) % 4, at / (QUAD * channels) % 4];
        if input < layer.input.c {
            *to = layer.weight[((input * channels + channel) * 4 + TAP[y]) * 4 + TAP[x]];
        }
    }
    weight
}

/// Whether a layer is the family's image layer, which has a kernel of its own.
fn is_image(layer: &model::Layer<'_>) -> bool {
    let Op::ConvTranspose { out, window } = layer.op else {
        return false;
    };
    (window.kernel, window.stride, window.padding) == (4, 2, 1)
        && out <= 4
        && layer.input.w.is_multiple_of(2)
}

/// A layer that moves values, or multiplies each channel by a number.
fn moved(layer: &model::Layer<'_>) -> Numbers {
    let output = layer.output;
    let pixel = depth(output.c) * QUAD;
    let mut bias = vec![0.0; 2 * pixel];
    for c in 0..output.c {
        (bias[c], bias[pixel + c]) = match layer.op {
            Op::Affine => (crate::op::bias_of(layer.bias, c), layer.weight[c]),
            Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => (0.0, 1.0),
            Op::Dense { .. } | Op::Conv { .. } | Op::ConvTranspose { .. } => continue,
        };
    }
    Numbers {
        groups: Vec::new(),
        weight: Vec::new(),
        bias,
        positions: vec![output.plane() * depth(output.c)],
        lanes: 0,
        step: 1,
        by: 1,
    }
}

impl Layer {
    /// Uploads a layer; `range`: what is black and white, if it is the last; `half`: its weights as 16-bit floats.
    pub fn new(
        device: &Device,
        layer: &model::Layer<'_>,
        range: Option<(f32, f32)>,
        half: bool,
    ) -> Layer {
        let (input, output) = (layer.input, layer.output);
        let layout = Layout::threads(&layer.op, input, output);
        let numbers = match &layout {
            Some(layout) => product(layer, layout, device.eight),
            None => moved(layer),
        };
        let image = range.is_some() && !device.eight && is_image(layer);
        let form = match (&layout, image) {
            (Some(_), true) => Form::Image(output.c, [input.h, input.w]),
            (Some(layout), false) => {
                let block = kernel::block(numbers.lanes, device.eight);
                let quads = (0..layout.groups()).map(|group| quads(layer, layout, group));
                Form::Product {
                    lanes: numbers.lanes.next_multiple_of(block) / QUAD,
                    block: block / QUAD,
                    quads: quads.clone().max().unwrap_or(0),
                    divisor: quads.fold(0, gcd),
                }
            }
            (None, _) => Form::Move,
        };
        let own_weight = match image {
            true => image_weights(layer),
            false => numbers.weight,
        };
        let (black, white) = range.unwrap_or((0.0, 1.0));
        let (activation, slope) = match layer.activation {
            Activation::None => (0, 0.0),
            Activation::Relu => (1, 0.0),
            Activation::LeakyRelu(slope) => (2, slope),
            Activation::Tanh => (3, 0.0),
            Activation::Sigmoid => (4, 0.0),
        };
        let (reshape, factor) = match layer.op {
            Op::Reshape { .. } => (1, 1),
            Op::Resize { factor } => (0, factor),
            Op::Dense { .. }
            | Op::Conv { .. }
            | Op::ConvTranspose { .. }
            | Op::Affine
            | Op::Activate => (0, 1),
        };
        // A dense layer sees one row of pixels.
        let (rows, columns) = match is_dense(layer) {
            true => (1, input.plane()),
            false => (input.h, input.w),
        };
        let facts = [
            depth(input.c),
            rows,
            columns,
            input.plane() * depth(input.c),
            depth(output.c),
            output.c,
            output.w,
            output.plane(),
            0,
            numbers.lanes / QUAD,
            numbers.step,
            numbers.by,
            activation,
            slope.to_bits() as usize,
            reshape,
            factor,
            black.to_bits() as usize,
            (1.0 / (white - black)).to_bits() as usize,
            words(output),
            0,
        ];
        let facts = facts.map(|n| n as u32);
        let groups = numbers.groups.concat();
        let weight = match half {
            true => bytes(own_weight.iter().map(|w| half::narrow(*w).to_le_bytes())),
            false => bytes(own_weight.iter().map(|w| w.to_le_bytes())),
        };
        let storage = wgpu::BufferUsages::STORAGE;
        let uploaded = |words: &[u32]| bytes(words.iter().map(|w| w.to_le_bytes()));
        Layer {
            facts: device.upload(&uploaded(&facts), wgpu::BufferUsages::UNIFORM),
            groups: device.upload(&uploaded(&groups), storage),
            weight: device.upload(&weight, storage),
            bias: device.upload(&bytes(numbers.bias.iter().map(|b| b.to_le_bytes())), storage),
            positions: numbers.positions,
            form,
        }
    }

    /// Whether its kernel writes the bytes of pixels itself.
    pub fn writes_bytes(&self) -> bool {
        matches!(self.form, Form::Image(..))
    }

    /// Vectors of lanes of a block of its weights.
    pub fn block(&self) -> usize {
        match self.form {
            Form::Product { block, .. } => block,
            Form::Move | Form::Image(..) => 1,
        }
    }

    fn product(&self, faces: usize) -> Option<Product> {
        let Form::Product { lanes, block, quads, divisor } = self.form else {
            return None;
        };
        Some(Product {
            groups: self.positions.len(),
            columns: self.columns(faces),
            lanes,
            block,
            quads,
            divisor,
        })
    }

    /// Columns of the largest group.
    fn columns(&self, faces: usize) -> usize {
        self.positions.iter().max().copied().unwrap_or(0) * faces
    }

    /// The kernel for a number of faces.
    pub fn kind(&self, faces: usize, eight: bool, limits: &Limits) -> Kind {
        match (self.form, self.product(faces)) {
            (Form::Image(channels, sides), _) => Kind::of_image(channels, sides, faces, limits),
            (_, Some(product)) => Kind::of(&product, eight, limits),
            (_, None) => Kind::Move,
        }
    }

    /// All kernels that could be chosen.
    pub fn candidates(&self, faces: usize, limits: &Limits) -> Vec<Kind> {
        match (self.form, self.product(faces)) {
            (Form::Image(channels, _), _) => Kind::image_candidates(channels, limits),
            (_, Some(product)) => Kind::candidates(&product, limits),
            (_, None) => vec![Kind::Move],
        }
    }

    /// The workgroups of a kernel for a number of faces.
    pub fn sides(&self, kind: Kind, faces: usize) -> Sides {
        let groups = self.positions.len();
        match (self.form, self.product(faces)) {
            (Form::Image(_, sides), _) => kernel::sides(kind.image_workgroups(faces, sides), 1),
            (_, Some(product)) => kernel::sides(kind.workgroups(&product), groups),
            (_, None) => kernel::sides(self.columns(faces).div_ceil(64), 1),
        }
    }
}

/// The greatest common divisor; of 0 and a number, the number.
fn gcd(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        _ => gcd(b, a % b),
    }
}

/// Words of the bytes of a face.
pub fn words(output: Shape) -> usize {
    output.values().div_ceil(4)
}

fn bytes<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    values.flatten().collect()
}
