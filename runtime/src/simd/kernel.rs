//! Which kernel computes a layer.

use super::isa::{Isa, Job};
use super::part::{Part, Places};
use super::set::Set;
use super::{dense, join, norm, planes, tiles, winograd};
use crate::int8;
use crate::layer::{Int8, Layer, Weights};
use crate::layout::{Layout, UPSAMPLING, is_pixelwise};
use crate::op::{self, Edge, Op};
use crate::packed;

/// Floats of the longest register.
const REGISTER: usize = 16;

/// How a layer of [`Weights::Float`] is computed.
enum FloatKernel {
    /// Taps of padded planes.
    Planes(planes::Padding),
    /// A weighted sum of the rows of the weight.
    Rows,
    /// One dot product per output.
    Dots,
    /// Each channel normalized, with this epsilon.
    Norm(f32),
    /// Two inputs joined.
    Join,
    /// The obvious loop.
    Reference,
}

impl FloatKernel {
    fn of(layer: &Layer<'_>) -> FloatKernel {
        match layer.op {
            Op::ConvTranspose { window, .. } if window == UPSAMPLING => {
                FloatKernel::Planes(planes::Padding::UPSAMPLING)
            }
            Op::ConvTranspose { window, .. } if layer.input.plane() == 1 && window.padding == 0 => {
                FloatKernel::Rows
            }
            Op::Conv { window, .. } if planes::suits(window) => {
                FloatKernel::Planes(planes::Padding::of(window, Edge::Zero))
            }
            Op::ReflectConv { window, .. } if planes::suits(window) => {
                FloatKernel::Planes(planes::Padding::of(window, Edge::Reflect))
            }
            Op::Dense { .. } => FloatKernel::Dots,
            Op::InstanceNorm { epsilon } => FloatKernel::Norm(epsilon),
            Op::Add | Op::Concat { .. } => FloatKernel::Join,
            Op::Conv { .. }
            | Op::ReflectConv { .. }
            | Op::ConvTranspose { .. }
            | Op::Affine
            | Op::Resize { .. }
            | Op::Reshape { .. }
            | Op::Activate => FloatKernel::Reference,
        }
    }
}

/// How a layer of [`Weights::Packed`] or [`Weights::Half`] is computed.
enum PackedKernel {
    /// Nine multiplications instead of 16.
    Winograd,
    /// Pixels in registers.
    Planes,
    /// Channels in registers.
    Tiles,
}

impl PackedKernel {
    fn of(layer: &Layer<'_>) -> PackedKernel {
        match layer.op {
            _ if is_pixelwise(&layer.op, layer.input, layer.image) => PackedKernel::Planes,
            Op::ConvTranspose { out, window }
                if window == UPSAMPLING && layer.input.plane() > 1 && out > 4 =>
            {
                PackedKernel::Winograd
            }
            Op::Dense { .. }
            | Op::Conv { .. }
            | Op::ReflectConv { .. }
            | Op::ConvTranspose { .. }
            | Op::Affine
            | Op::InstanceNorm { .. }
            | Op::Add
            | Op::Concat { .. }
            | Op::Resize { .. }
            | Op::Reshape { .. }
            | Op::Activate => PackedKernel::Tiles,
        }
    }
}

/// Length of the scratch of a layer, whatever the instruction set: in values (`f32`), or in bytes
/// for an int8 layer.
pub(crate) fn scratch_len(layer: &Layer<'_>) -> usize {
    // Zeros to read instead of the input, for taps outside of it.
    let border = |layout: Option<Layout>| match layout {
        Some(layout) if layout.has_border() => layout.depth(),
        _ => 0,
    };
    match layer.weights {
        Weights::Float { .. } => match FloatKernel::of(layer) {
            FloatKernel::Planes(padding) => planes::scratch_len(layer.input, padding),
            FloatKernel::Rows
            | FloatKernel::Dots
            | FloatKernel::Norm(_)
            | FloatKernel::Join
            | FloatKernel::Reference => 0,
        },
        Weights::Packed { .. } | Weights::Half { .. } => match PackedKernel::of(layer) {
            PackedKernel::Winograd => winograd::scratch_len(layer.input),
            PackedKernel::Planes => planes::scratch_len(layer.input, planes::Padding::UPSAMPLING),
            PackedKernel::Tiles => border(layer.layout()),
        },
        Weights::Int8(_) => border(layer.layout()),
    }
}

/// Computes a part of a layer of floats. `other` is the second input, if the layer joins two.
/// `scratch` has [`scratch_len`] values.
///
/// # Panics
/// If the layer is int8.
pub(crate) fn floats(
    isa: Isa,
    layer: &Layer<'_>,
    part: Part,
    [x, other]: [&[f32]; 2],
    scratch: &mut [f32],
    y: Places<'_, f32>,
) {
    match layer.weights {
        Weights::Float { weight, bias } => {
            isa.run(FloatJob { layer, weight, bias, part, x, other, scratch, y });
        }
        Weights::Packed { .. } | Weights::Half { .. } if layer.op.joins() => {
            isa.run(JoinJob { layer, part, x, other, y });
        }
        Weights::Packed { weight, bias } if matches!(layer.op, Op::InstanceNorm { .. }) => {
            isa.run(NormJob { layer, weight, bias, part, x, y });
        }
        Weights::Packed { .. } | Weights::Half { .. } => match layer.layout() {
            Some(layout) => isa.run(PackedJob { layer, layout: &layout, part, x, scratch, y }),
            None => part.alone(y, |y| packed::unblocked(layer, [x, other], y)),
        },
        Weights::Int8(_) => unreachable!("int8 layers run on bytes"),
    }
}

/// Computes a part of an int8 layer. `other` is the second input, if the layer joins two. `scratch`
/// has [`scratch_len`] bytes.
pub(crate) fn bytes(
    isa: Isa,
    (layer, int8): (&Layer<'_>, &Int8<'_>),
    part: Part,
    [x, other]: [&[u8]; 2],
    scratch: &mut [u8],
    y: Places<'_, u8>,
) {
    match (layer.layout(), layer.op) {
        (Some(layout), _) => isa.run(Int8Job { int8, layout: &layout, part, x, scratch, y }),
        (None, Op::Add | Op::Concat { .. } | Op::InstanceNorm { .. }) => {
            isa.run(UnblockedJob { layer, int8, part, x, other, y });
        }
        (None, _) => part.alone(y, |y| int8::unblocked(layer, int8, [x, other], y)),
    }
}

struct FloatJob<'a> {
    layer: &'a Layer<'a>,
    weight: &'a [f32],
    bias: &'a [f32],
    part: Part,
    x: &'a [f32],
    other: &'a [f32],
    scratch: &'a mut [f32],
    y: Places<'a, f32>,
}

impl Job for FloatJob<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let FloatJob { layer, weight, bias, part, x, other, scratch, y } = self;
        match FloatKernel::of(layer) {
            // SAFETY: the set proves that the CPU has the instructions, and `y` was made on the
            // promise that no other thread writes the part's places; likewise below.
            FloatKernel::Planes(padding) => unsafe {
                planes::run::<S::Lanes>(layer, (weight, bias), padding, part, x, scratch, y);
            },
            FloatKernel::Rows => {
                let (all, plane) = (layer.output.values(), layer.output.plane());
                // Whole registers: values behind the last one are summed in another order.
                let registers = part.share(all.div_ceil(REGISTER));
                let outputs = registers.start * REGISTER..all.min(registers.end * REGISTER);
                // SAFETY: these outputs are the part's own.
                let y = unsafe { y.cut(outputs.start, outputs.len()) };
                // SAFETY: as above.
                unsafe { dense::rows::<S::Lanes>(x, weight, bias, (plane, outputs.start), y) };
                layer.activation.apply(y);
            }
            FloatKernel::Dots => {
                let outputs = part.share(layer.output.values());
                // SAFETY: these outputs are the part's own.
                let y = unsafe { y.cut(outputs.start, outputs.len()) };
                // SAFETY: as above.
                unsafe { dense::dots::<S::Lanes>(x, weight, bias, outputs, y) };
                layer.activation.apply(y);
            }
            FloatKernel::Norm(epsilon) => {
                // SAFETY: no other thread computes the part.
                unsafe { norm::planes(layer, epsilon, (weight, bias), part, x, y) };
            }
            FloatKernel::Join => {
                // SAFETY: as above.
                unsafe { join::floats(layer, part, [x, other], y) };
            }
            FloatKernel::Reference => part.alone(y, |y| {
                let shapes = [layer.input, layer.output];
                op::reference(&layer.op, shapes, [x, other], weight, bias, y);
                layer.activation.apply(y);
            }),
        }
    }
}

struct PackedJob<'a> {
    layer: &'a Layer<'a>,
    layout: &'a Layout,
    part: Part,
    x: &'a [f32],
    scratch: &'a mut [f32],
    y: Places<'a, f32>,
}

impl Job for PackedJob<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let PackedJob { layer, layout, part, x, scratch, y } = self;
        // SAFETY: the set proves that the CPU has the instructions, and `y` was made on the promise
        // that no other thread writes the part's places.
        unsafe {
            match (PackedKernel::of(layer), layer.weights) {
                (PackedKernel::Winograd, Weights::Packed { weight, bias }) => {
                    let weights = (weight, bias);
                    winograd::run::<S::Lanes, f32>(layout, layer, weights, part, x, scratch, y);
                }
                (PackedKernel::Winograd, Weights::Half { weight, bias }) => {
                    let weights = (weight, bias);
                    winograd::run::<S::Lanes, u16>(layout, layer, weights, part, x, scratch, y);
                }
                (PackedKernel::Planes, Weights::Packed { weight, bias }) => {
                    planes::image::<S::Lanes>(layer, (weight, bias), part, x, scratch, y);
                }
                (PackedKernel::Tiles, Weights::Packed { weight, bias }) => {
                    let weights = (weight, bias);
                    tiles::floats::<S::Row<f32>>(layout, layer, weights, part, x, scratch, y);
                }
                (PackedKernel::Tiles, Weights::Half { weight, bias }) => {
                    let weights = (weight, bias);
                    tiles::floats::<S::Row<u16>>(layout, layer, weights, part, x, scratch, y);
                }
                // A pixelwise layer is never read as halves; the rest is not packed.
                (PackedKernel::Planes, Weights::Half { .. })
                | (_, Weights::Float { .. } | Weights::Int8(_)) => unreachable!(),
            }
        }
    }
}

struct Int8Job<'a> {
    int8: &'a Int8<'a>,
    layout: &'a Layout,
    part: Part,
    x: &'a [u8],
    scratch: &'a mut [u8],
    y: Places<'a, u8>,
}

impl Job for Int8Job<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let Int8Job { int8, layout, part, x, scratch, y } = self;
        // SAFETY: as for packed layers.
        unsafe { tiles::bytes::<S::Bytes>(layout, int8, part, x, scratch, y) }
    }
}

/// A packed layer that joins two inputs.
struct JoinJob<'a> {
    layer: &'a Layer<'a>,
    part: Part,
    x: &'a [f32],
    other: &'a [f32],
    y: Places<'a, f32>,
}

impl Job for JoinJob<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let JoinJob { layer, part, x, other, y } = self;
        // SAFETY: as for packed layers.
        unsafe { join::floats(layer, part, [x, other], y) }
    }
}

/// A packed layer that normalizes each channel.
struct NormJob<'a> {
    layer: &'a Layer<'a>,
    weight: &'a [f32],
    bias: &'a [f32],
    part: Part,
    x: &'a [f32],
    y: Places<'a, f32>,
}

impl Job for NormJob<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let NormJob { layer, weight, bias, part, x, y } = self;
        let Op::InstanceNorm { epsilon } = layer.op else { return };
        // SAFETY: as for packed layers.
        unsafe { norm::pixels(layer, epsilon, (weight, bias), part, x, y) }
    }
}

/// An int8 layer that joins two inputs or normalizes each channel.
struct UnblockedJob<'a> {
    layer: &'a Layer<'a>,
    int8: &'a Int8<'a>,
    part: Part,
    x: &'a [u8],
    other: &'a [u8],
    y: Places<'a, u8>,
}

impl Job for UnblockedJob<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let UnblockedJob { layer, int8, part, x, other, y } = self;
        // SAFETY: as for packed layers.
        unsafe {
            match layer.op {
                Op::InstanceNorm { epsilon } => norm::bytes(layer, epsilon, int8, part, x, y),
                _ => join::bytes(layer, int8, part, [x, other], y),
            }
        }
    }
}
