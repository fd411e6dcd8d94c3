//! A layer whose weights are on a device.

use std::vec;
use std::vec::Vec;

use super::device::{Device, Limits};
use super::kernel::{self, Kind, Product};
use crate::half;
use crate::layer;
use crate::layout::{Layout, UPSAMPLING};
use crate::op::{Activation, Op, Shape, bias_of};

/// Channels of a vector.
const QUAD: usize = 4;

/// The buffers of a layer, and what its kernel needs.
pub struct Layer {
    pub facts: wgpu::Buffer,
    pub groups: wgpu::Buffer,
    pub weight: wgpu::Buffer,
    pub bias: wgpu::Buffer,
    /// Positions per face in each group; without multiplications, vectors of the output.
    positions: Vec<usize>,
    form: Form,
    reflects: bool,
}

/// What kind of kernel a layer needs.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// See [`Product`].
    Product {
        lanes: usize,
        block: usize,
        quads: usize,
        divisor: usize,
    },
    Move,
    Join,
    /// Normalizes that many vectors of channels.
    Norm(usize),
    /// Makes the image: its channels, and rows and columns of the input.
    Image(usize, [usize; 2]),
}

impl Form {
    /// The only kernel of a form that neither multiplies nor makes the image.
    fn kind(self) -> Kind {
        match self {
            Form::Join => Kind::Join,
            Form::Norm(_) => Kind::Norm,
            Form::Move | Form::Product { .. } | Form::Image(..) => Kind::Move,
        }
    }
}

/// Number of workgroups along three axes.
pub type Sides = [u32; 3];

/// The contents of the buffers.
struct Numbers {
    groups: Vec<[u32; 12]>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    positions: Vec<usize>,
    lanes: usize,
    step: usize,
    by: usize,
}

/// Vectors per pixel of `c` channels.
fn depth(c: usize) -> usize {
    c.div_ceil(QUAD)
}

/// Values of a feature map of one face on the device.
pub fn values(shape: Shape) -> usize {
    shape.plane() * depth(shape.c) * QUAD
}

/// Length of a layer's weights on the device, including padding and what a tile of a group without
/// rows reads behind them; `None` on overflow.
pub fn weights(layer: &layer::Layer<'_>, eight: bool) -> Option<usize> {
    let Some(layout) = Layout::gpu(&layer.op, layer.input, layer.output) else {
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

/// Lanes, including the padding of pixels.
fn lanes(layout: &Layout, output: Shape) -> usize {
    layout.lanes() / output.c * depth(output.c) * QUAD
}

/// Taps of a group; a dense layer has the pixels of its input as taps of one position.
fn taps(layer: &layer::Layer<'_>, layout: &Layout, group: usize) -> usize {
    match is_dense(layer) {
        true => layer.input.plane(),
        false => layout.taps(group),
    }
}

/// Vectors of input under all taps of a group.
fn quads(layer: &layer::Layer<'_>, layout: &Layout, group: usize) -> usize {
    taps(layer, layout, group) * depth(layer.input.c)
}

fn is_dense(layer: &layer::Layer<'_>) -> bool {
    matches!(layer.op, Op::Dense { .. })
}

/// A layer that multiplies, as one product per group.
fn product(layer: &layer::Layer<'_>, layout: &Layout, eight: bool) -> Numbers {
    let (input, output) = (layer.input, layer.output);
    let (weight, biases) = layer.floats();
    let dense = is_dense(layer);
    let lanes = lanes(layout, output);
    let block = kernel::block(lanes, eight);
    let wide = lanes.next_multiple_of(block);
    let pixel = depth(output.c) * QUAD;
    // The lane in the layout, unless it is padding.
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
        *bias = channel.map_or(0.0, |c| bias_of(biases, c));
    }
    let mut first = 0;
    for group in 0..layout.groups() {
        let view = layout.view(group);
        let (rows, columns) = layout.grid(group);
        let quads = quads(layer, layout, group);
        let high = quads.next_multiple_of(4) * QUAD;
        let count = taps(layer, layout, group);
        // Kernels divide by it, even without taps.
        let columns_of_taps = if dense { count } else { view.columns }.max(1);
        numbers.positions.push(rows * columns);
        numbers.groups.push([
            rows as u32,
            columns as u32,
            columns_of_taps as u32,
            quads as u32,
            // Wrapping, as in the view.
            view.from.0 as u32,
            view.from.1 as u32,
            if view.back { u32::MAX } else { 1 },
            (first / QUAD) as u32,
            (group / by) as u32,
            (group % by) as u32,
            0,
            0,
        ]);
        // The distance of neighboring channels in the operation's own order is constant, except for
        // some dense layers.
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
                    numbers.weight[to + (row + channel) * block] = at.map_or(0.0, |at| weight[at]);
                }
            }
        }
        first += wide * high;
    }
    numbers
}

/// The weights of a layer that makes the image, in the order of `image.wgsl`.
fn image_weights(layer: &layer::Layer<'_>) -> Vec<f32> {
    // Row of the kernel for each pair of an input row and an output row.
    const TAP: [usize; 4] = [3, 1, 2, 0];
    let (depth, channels) = (depth(layer.input.c), layer.output.c);
    // Kernels read several vectors of channels at a time.
    let (from, _) = layer.floats();
    let mut weight = vec![0.0; (depth + 4) * 16 * channels * QUAD];
    for (at, to) in weight.iter_mut().enumerate() {
        let input = at / (16 * channels * QUAD) * QUAD + at % QUAD;
        let channel = at / QUAD % channels;
        let [y, x] = [at / (QUAD * channels * 4) % 4, at / (QUAD * channels) % 4];
        if input < layer.input.c {
            *to = from[((input * channels + channel) * 4 + TAP[y]) * 4 + TAP[x]];
        }
    }
    weight
}

/// Whether a layer has the form that the kernel for images needs.
fn is_image(layer: &layer::Layer<'_>) -> bool {
    let Op::ConvTranspose { out, window } = layer.op else {
        return false;
    };
    window == UPSAMPLING && out <= 4 && layer.input.w.is_multiple_of(2)
}

/// A layer that moves values or scales channels.
fn moved(layer: &layer::Layer<'_>) -> Numbers {
    let output = layer.output;
    let pixel = depth(output.c) * QUAD;
    let mut bias = vec![0.0; 2 * pixel];
    for c in 0..output.c {
        (bias[c], bias[pixel + c]) = match layer.op {
            Op::Affine | Op::InstanceNorm { .. } => {
                (bias_of(layer.floats().1, c), layer.floats().0[c])
            }
            Op::Add | Op::Concat { .. } | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => {
                (0.0, 1.0)
            }
            Op::Dense { .. }
            | Op::Conv { .. }
            | Op::ReflectConv { .. }
            | Op::ConvTranspose { .. } => continue,
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

/// What kernels read about a layer (`kernels.wgsl`).
fn facts(layer: &layer::Layer<'_>, numbers: &Numbers, range: Option<(f32, f32)>) -> [u32; 21] {
    let (input, output) = (layer.input, layer.output);
    let (black, white) = range.unwrap_or((0.0, 1.0));
    let activation = match layer.activation {
        Activation::None => 0,
        Activation::Relu => 1,
        Activation::LeakyRelu(_) => 2,
        Activation::Tanh => 3,
        Activation::Sigmoid => 4,
        Activation::Elu(_) => 5,
        Activation::Selu => 6,
        Activation::Gelu => 7,
        Activation::GeluTanh => 8,
        Activation::Silu => 9,
        Activation::Mish => 10,
        Activation::Softplus => 11,
        Activation::Clip(..) => 12,
    };
    let [slope, most] = layer.activation.numbers().map(|number| number.unwrap_or(0.0));
    let (reshape, factor) = match layer.op {
        Op::Reshape { .. } => (1, 1),
        Op::Resize { factor } => (0, factor),
        Op::Concat { .. } => (1, input.c),
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ReflectConv { .. }
        | Op::ConvTranspose { .. }
        | Op::Affine
        | Op::InstanceNorm { .. }
        | Op::Add
        | Op::Activate => (0, 1),
    };
    let epsilon = match layer.op {
        Op::InstanceNorm { epsilon } => epsilon,
        _ => 0.0,
    };
    // A dense layer reads its input as one row of pixels.
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
        most.to_bits() as usize,
        epsilon.to_bits() as usize,
    ];
    facts.map(|n| n as u32)
}

impl Layer {
    /// Uploads a layer. `range` holds the values of black and white if it is the last one; `half`
    /// stores its weights as 16-bit floats.
    pub fn new(
        device: &Device,
        layer: &layer::Layer<'_>,
        range: Option<(f32, f32)>,
        half: bool,
    ) -> Layer {
        let (input, output) = (layer.input, layer.output);
        let layout = Layout::gpu(&layer.op, input, output);
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
            (None, _) => match layer.op {
                Op::Add | Op::Concat { .. } => Form::Join,
                Op::InstanceNorm { .. } => Form::Norm(depth(input.c)),
                _ => Form::Move,
            },
        };
        let facts = facts(layer, &numbers, range);
        let own_weight = match image {
            true => image_weights(layer),
            false => numbers.weight,
        };
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
            reflects: matches!(layer.op, Op::ReflectConv { .. }),
        }
    }

    /// Whether it reads its input reflected at the edges.
    pub fn reflects(&self) -> bool {
        self.reflects
    }

    /// Whether its kernel writes the bytes of pixels itself.
    pub fn writes_bytes(&self) -> bool {
        matches!(self.form, Form::Image(..))
    }

    /// Vectors of lanes per block of its weights.
    pub fn block(&self) -> usize {
        match self.form {
            Form::Product { block, .. } => block,
            Form::Move | Form::Join | Form::Norm(_) | Form::Image(..) => 1,
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
            (form, None) => form.kind(),
        }
    }

    /// All kernels that could run the layer.
    pub fn candidates(&self, faces: usize, limits: &Limits) -> Vec<Kind> {
        match (self.form, self.product(faces)) {
            (Form::Image(channels, _), _) => Kind::image_candidates(channels, limits),
            (_, Some(product)) => Kind::candidates(&product, limits),
            (form, None) => vec![form.kind()],
        }
    }

    /// The workgroups of a kernel for a number of faces.
    pub fn sides(&self, kind: Kind, faces: usize) -> Sides {
        let groups = self.positions.len();
        match (self.form, self.product(faces)) {
            (Form::Image(_, sides), _) => kernel::sides(kind.image_workgroups(faces, sides), 1),
            (_, Some(product)) => kernel::sides(kind.workgroups(&product), groups),
            (Form::Norm(vectors), None) => kernel::sides(vectors * faces, 1),
            (_, None) => kernel::sides(self.columns(faces).div_ceil(64), 1),
        }
    }
}

/// The greatest common divisor.
fn gcd(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        _ => gcd(b, a % b),
    }
}

/// Words for the bytes of a face.
pub fn words(output: Shape) -> usize {
    output.values().div_ceil(4)
}

fn bytes<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    values.flatten().collect()
}
