//! A layer whose weights are on a device.

use std::vec;
use std::vec::Vec;

use super::device::Device;
use super::kernel::{self, Kind};
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
    pub image: bool,
    /// On a CPU in disguise.
    eight: bool,
    /// Positions of one face in each group; of an operation that multiplies nothing, vectors of its output.
    positions: Vec<usize>,
    /// Lanes of a block and how many blocks, of an operation that multiplies.
    blocks: Option<(usize, usize)>,
}

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

/// Values of a layer's weights on the device, with their padding; `None` where they cannot be counted.
pub fn weights(layer: &model::Layer<'_>, eight: bool) -> Option<usize> {
    let Some(layout) = Layout::threads(&layer.op, layer.input, layer.output) else {
        return Some(0);
    };
    let lanes = lanes(&layout, layer.output);
    let wide = lanes.checked_next_multiple_of(kernel::block(lanes, eight))?;
    (0..layout.groups()).try_fold(0usize, |sum, group| {
        let rows = quads(layer, &layout, group).next_multiple_of(4) * QUAD;
        sum.checked_add(rows.checked_mul(wide)?)
    })
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
        let columns_of_taps = if dense { count } else { view.columns };
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
    /// Uploads layer, of the image if it is the last; `half`: its weights as 16-bit floats.
    pub fn new(device: &Device, layer: &model::Layer<'_>, image: bool, half: bool) -> Layer {
        let (input, output) = (layer.input, layer.output);
        let layout = Layout::threads(&layer.op, input, output);
        let numbers = match &layout {
            Some(layout) => product(layer, layout, device.eight),
            None => moved(layer),
        };
        let blocks = layout.map(|_| {
            let block = kernel::block(numbers.lanes, device.eight);
            (block, numbers.lanes.div_ceil(block))
        });
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
            blocks.map_or(0, |(_, blocks)| blocks),
            numbers.lanes / QUAD,
            numbers.step,
            numbers.by,
            activation,
            slope.to_bits() as usize,
            reshape,
            factor,
        ];
        let facts = facts.map(|n| n as u32);
        let groups = numbers.groups.concat();
        let weight = match half {
            true => bytes(
                numbers
                    .weight
                    .iter()
                    .map(|w| half::narrow(*w).to_le_bytes()),
            ),
            false => bytes(numbers.weight.iter().map(|w| w.to_le_bytes())),
        };
        let storage = wgpu::BufferUsages::STORAGE;
        let words = |words: &[u32]| bytes(words.iter().map(|w| w.to_le_bytes()));
        Layer {
            facts: device.upload(&words(&facts), wgpu::BufferUsages::UNIFORM),
            groups: device.upload(&words(&groups), storage),
            weight: device.upload(&weight, storage),
            bias: device.upload(
                &bytes(numbers.bias.iter().map(|b| b.to_le_bytes())),
                storage,
            ),
            image,
            eight: device.eight,
            positions: numbers.positions,
            blocks,
        }
    }

    /// The kernel for so many faces, and how many workgroups of it.
    pub fn plan(&self, faces: usize) -> (Kind, [u32; 3]) {
        let most = self.positions.iter().max().copied().unwrap_or(0) * faces;
        let groups = self.positions.len();
        let (kind, blocks) = match self.blocks {
            Some((block, blocks)) => (Kind::of(groups, most, blocks, block, self.eight), blocks),
            None => (Kind::Move, 1),
        };
        (
            kind,
            kernel::sides(most.div_ceil(kind.columns()) * blocks, groups),
        )
    }
}

fn bytes<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    values.flatten().collect()
}
