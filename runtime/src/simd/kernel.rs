//! Which kernel computes a layer.

use super::isa::{Isa, Job};
use super::part::{Part, Places};
use super::set::Set;
use super::{dense, planes, tiles, winograd};
use crate::int8;
use crate::layer::{Int8, Layer, Weights};
use crate::layout::{Layout, UPSAMPLING, is_pixelwise};
use crate::op::{self, Op};
use crate::packed;

/// Floats of the longest register.
const REGISTER: usize = 16;

/// How a layer of [`Weights::Float`] is computed.
enum FloatKernel {
    /// Taps of padded planes, with this padding.
    Planes(usize),
    /// A weighted sum of the rows of the weight.
    Rows,
    /// One dot product per output.
    Dots,
    /// The obvious loop.
    Reference,
}

impl FloatKernel {
    fn of(layer: &Layer<'_>) -> FloatKernel {
        match layer.op {
            Op::ConvTranspose { window, .. } if window == UPSAMPLING => FloatKernel::Planes(1),
            Op::ConvTranspose { window, .. } if layer.input.plane() == 1 && window.padding == 0 => {
                FloatKernel::Rows
            }
            Op::Conv { window, .. } if window.stride == 1 && window.kernel <= planes::KERNEL => {
                FloatKernel::Planes(window.padding)
            }
            Op::Dense { .. } => FloatKernel::Dots,
            Op::Conv { .. }
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
            | Op::ConvTranspose { .. }
            | Op::Affine
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
            FloatKernel::Rows | FloatKernel::Dots | FloatKernel::Reference => 0,
        },
        Weights::Packed { .. } | Weights::Half { .. } => match PackedKernel::of(layer) {
            PackedKernel::Winograd => winograd::scratch_len(layer.input),
            PackedKernel::Planes => planes::scratch_len(layer.input, 1),
            PackedKernel::Tiles => border(layer.layout()),
        },
        Weights::Int8(_) => border(layer.layout()),
    }
}

/// Computes a part of a layer of floats. `scratch` has [`scratch_len`] values.
///
/// # Panics
/// If the layer is int8.
pub(crate) fn floats(
    isa: Isa,
    layer: &Layer<'_>,
    part: Part,
    x: &[f32],
    scratch: &mut [f32],
    y: Places<'_, f32>,
) {
    match layer.weights {
        Weights::Float { weight, bias } => {
            isa.run(FloatJob { layer, weight, bias, part, x, scratch, y });
        }
        Weights::Packed { .. } | Weights::Half { .. } => match layer.layout() {
            Some(layout) => isa.run(PackedJob { layer, layout: &layout, part, x, scratch, y }),
            None => part.alone(y, |y| packed::unblocked(layer, x, y)),
        },
        Weights::Int8(_) => unreachable!("int8 layers run on bytes"),
    }
}

/// Computes a part of an int8 layer. `scratch` has [`scratch_len`] bytes.
pub(crate) fn bytes(
    isa: Isa,
    (layer, int8): (&Layer<'_>, &Int8<'_>),
    part: Part,
    x: &[u8],
    scratch: &mut [u8],
    y: Places<'_, u8>,
) {
    match layer.layout() {
        Some(layout) => isa.run(Int8Job { int8, layout: &layout, part, x, scratch, y }),
        None => part.alone(y, |y| int8::unblocked(layer, int8, x, y)),
    }
}

struct FloatJob<'a> {
    layer: &'a Layer<'a>,
    weight: &'a [f32],
    bias: &'a [f32],
    part: Part,
    x: &'a [f32],
    scratch: &'a mut [f32],
    y: Places<'a, f32>,
}

impl Job for FloatJob<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let FloatJob { layer, weight, bias, part, x, scratch, y } = self;
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
            FloatKernel::Reference => part.alone(y, |y| {
                op::reference(&layer.op, [layer.input, layer.output], x, weight, bias, y);
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
