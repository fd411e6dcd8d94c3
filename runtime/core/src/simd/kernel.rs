//! Which kernel computes a layer.

use super::isa::Isa;
use super::lanes::Stored;
use super::part::{Part, Places, Work};
#[cfg(target_arch = "x86_64")]
use super::{amx, image_bytes, norm_bytes, thin};
use super::{dense, image, join, norm, planes, tiles, winograd};
use crate::int8;
use crate::layer::{Int8, Layer, Weights};
use crate::layout::{Layout, UPSAMPLING, is_pixelwise};
use crate::op::{self, Edge, Op};
use crate::packed;

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

/// [`PackedKernel::of`] with an instruction set.
fn packed_kernel(isa: Isa, layer: &Layer<'_>) -> PackedKernel {
    match PackedKernel::of(layer) {
        PackedKernel::Winograd if layer.input.plane() < isa.winograd_from() => PackedKernel::Tiles,
        kernel => kernel,
    }
}

/// How a layer is computed: the kernel, and the arithmetic of its products.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// `amx`, `winograd`, `tiles`, `thin`, `planes`, `rows`, `dots`, `norm`, `join`, `loop` or `move`; see the files
    /// of this folder. `loop` is the obvious one.
    pub name: &'static str,
    /// `f32`, `f16`, or what multiplies bytes; empty if there are no products.
    pub arithmetic: &'static str,
}

#[cfg(feature = "std")]
impl std::fmt::Display for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.arithmetic {
            "" => f.write_str(self.name),
            arithmetic => write!(f, "{} {arithmetic}", self.name),
        }
    }
}

/// The kernel of a layer with an instruction set.
#[cfg(feature = "std")]
pub fn kernel(isa: Isa, layer: &Layer<'_>) -> Kernel {
    let of = |name, arithmetic| Kernel { name, arithmetic };
    let moves = matches!(layer.op, Op::Resize { .. } | Op::Reshape { .. });
    match (layer.weights, layer.op) {
        (_, _) if layer.op.joins() => of("join", ""),
        (_, Op::InstanceNorm { .. }) => of("norm", ""),
        (_, _) if moves => of("move", ""),
        (Weights::Float { .. }, _) => match FloatKernel::of(layer) {
            FloatKernel::Planes(_) => of("planes", "f32"),
            FloatKernel::Rows => of("rows", "f32"),
            FloatKernel::Dots => of("dots", "f32"),
            FloatKernel::Norm(_) | FloatKernel::Join | FloatKernel::Reference => of("loop", "f32"),
        },
        #[cfg(target_arch = "x86_64")]
        (Weights::Int8(_), _) if isa.has_avx2() && image_bytes::suits(layer) => {
            of("planes", isa.byte_products())
        }
        #[cfg(target_arch = "x86_64")]
        (Weights::Int8(_), _) if isa.has_tiles() && amx::suits(layer) => of("amx", "tdpbusd"),
        #[cfg(target_arch = "x86_64")]
        (Weights::Int8(_), _) if isa.has_pairs() && winograd::bytes::suits(layer) => {
            of("winograd", isa.byte_products())
        }
        #[cfg(target_arch = "x86_64")]
        (Weights::Int8(_), _) if thin::suits(layer) => of("thin", isa.byte_products()),
        (Weights::Int8(_), _) => match layer.layout() {
            Some(_) => of("tiles", isa.byte_products()),
            None => of("loop", ""),
        },
        (Weights::Packed { .. } | Weights::Half { .. }, _) => match packed_kernel(isa, layer) {
            _ if layer.layout().is_none() => of("loop", "f32"),
            PackedKernel::Planes => of("planes", "f32"),
            #[cfg(target_arch = "x86_64")]
            _ if isa.has_tiles() && amx::suits(layer) => of("amx", "tdpbf16ps"),
            PackedKernel::Winograd if narrow(isa, layer) => of("winograd", "f16"),
            PackedKernel::Winograd => of("winograd", "f32"),
            PackedKernel::Tiles if narrow(isa, layer) => of("tiles", "f16"),
            PackedKernel::Tiles => of("tiles", "f32"),
        },
    }
}

/// Whether a packed layer is computed in 16-bit floats. A layer that uses each weight once is bound by
/// reading them.
#[cfg(feature = "std")]
fn narrow(isa: Isa, layer: &Layer<'_>) -> bool {
    let half = matches!(layer.weights, Weights::Half { .. });
    half && isa.has_halves() && layer.layout().is_some_and(|layout| layout.has_border())
}

/// Length of the scratch of a layer for some images at a time, whatever the instruction set: in values (`f32`),
/// or in bytes for an int8 layer.
pub(crate) fn scratch_len(layer: &Layer<'_>, images: usize) -> usize {
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
            PackedKernel::Winograd => {
                winograd::scratch_len(layer.input, images).max(border(layer.layout()))
            }
            PackedKernel::Planes => image::scratch_len(layer.input),
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
    if layer.op.joins() {
        return isa.floats(join::Floats { layer, part, x, other, y });
    }
    match layer.weights {
        Weights::Float { weight, bias } => {
            float(isa, Work { layer, weight, bias, part, x, scratch, y })
        }
        Weights::Packed { weight, bias } => {
            let work = Work { layer, weight, bias, part, x, scratch, y };
            match (PackedKernel::of(layer), layer.op) {
                (_, Op::InstanceNorm { epsilon }) => isa.floats(norm::Pixels { epsilon, work }),
                (PackedKernel::Planes, _) => image::image(isa, work),
                (PackedKernel::Winograd | PackedKernel::Tiles, _) => {
                    packed(isa, layer.layout(), work);
                }
            }
        }
        // A pixelwise layer is never stored as halves.
        Weights::Half { weight, bias } => {
            packed(isa, layer.layout(), Work { layer, weight, bias, part, x, scratch, y })
        }
        Weights::Int8(_) => unreachable!("int8 layers run on bytes"),
    }
}

/// Computes a layer of floats for some images: inputs and outputs lie one after another, and so do those of a second
/// input. `scratch` has [`scratch_len`] values.
pub(crate) fn floats_of(
    isa: Isa,
    images: usize,
    layer: &Layer<'_>,
    [x, other]: [&[f32]; 2],
    scratch: &mut [f32],
    y: &mut [f32],
) {
    let (part, layout) = (Part::WHOLE, layer.layout().and_then(|layout| layout.of_images(images)));
    match (layer.weights, PackedKernel::of(layer), layout) {
        (
            Weights::Packed { weight, bias },
            PackedKernel::Winograd | PackedKernel::Tiles,
            Some(_),
        ) => {
            let y = Places::new(y);
            packed(isa, layout, Work { layer, weight, bias, part, x, scratch, y });
        }
        // In 16-bit arithmetic, the scale depends on the whole input.
        (Weights::Half { weight, bias }, _, Some(_)) if !isa.has_halves() => {
            let y = Places::new(y);
            packed(isa, layout, Work { layer, weight, bias, part, x, scratch, y });
        }
        _ => each_image(images, [x, other], y, |read, y| {
            floats(isa, layer, part, read, scratch, Places::new(y));
        }),
    }
}

/// Calls `one` with the inputs and the output of each image.
fn each_image<T>(
    images: usize,
    [x, other]: [&[T]; 2],
    y: &mut [T],
    mut one: impl FnMut([&[T]; 2], &mut [T]),
) {
    let [x_len, other_len, y_len] = [x.len(), other.len(), y.len()].map(|n| n / images);
    for (image, y) in y.chunks_exact_mut(y_len).enumerate() {
        one([&x[image * x_len..][..x_len], &other[image * other_len..][..other_len]], y);
    }
}

fn float(isa: Isa, work: Work<'_, f32>) {
    let Work { layer, weight, bias, x, .. } = work;
    match FloatKernel::of(layer) {
        FloatKernel::Planes(padding) => planes::run(isa, work, padding),
        FloatKernel::Rows => isa.floats(dense::Rows(work)),
        FloatKernel::Dots => isa.floats(dense::Dots(work)),
        FloatKernel::Norm(epsilon) => isa.floats(norm::Planes { epsilon, work }),
        FloatKernel::Join | FloatKernel::Reference => work.part.alone(work.y, |y| {
            let shapes = [layer.input, layer.output];
            op::reference(&layer.op, shapes, [x, &[]], weight, bias, y);
            layer.activation.apply(y);
        }),
    }
}

fn packed<W: Stored>(isa: Isa, layout: Option<Layout>, work: Work<'_, W>) {
    let layer = work.layer;
    let Some(layout) = layout else {
        return work.part.alone(work.y, |y| packed::unblocked(layer, [work.x, &[]], y));
    };
    #[cfg(target_arch = "x86_64")]
    if isa.has_tiles() && amx::suits(layer) {
        // SAFETY: so there is AMX.
        return unsafe { amx::Floats { layout: &layout, work }.run() };
    }
    match packed_kernel(isa, layer) {
        PackedKernel::Winograd => isa.floats(winograd::Upsampling { layout: &layout, work }),
        PackedKernel::Planes => unreachable!("pixelwise layers are not packed in blocks"),
        PackedKernel::Tiles => isa.floats(tiles::Floats { layout: &layout, work }),
    }
}

/// [`floats_of`] for an int8 layer.
pub(crate) fn bytes_of(
    isa: Isa,
    images: usize,
    (layer, int8): (&Layer<'_>, &Int8<'_>),
    [x, other]: [&[u8]; 2],
    scratch: &mut [u8],
    y: &mut [u8],
) {
    let part = Part::WHOLE;
    #[cfg(target_arch = "x86_64")]
    let alone = isa.has_avx2() && image_bytes::suits(layer)
        || isa.has_pairs() && winograd::bytes::suits(layer)
        || thin::suits(layer);
    #[cfg(not(target_arch = "x86_64"))]
    let alone = false;
    let layout = layer.layout().and_then(|layout| layout.of_images(images));
    if let Some(layout) = layout.filter(|_| !alone) {
        let y = Places::new(y);
        #[cfg(target_arch = "x86_64")]
        if isa.has_tiles() && amx::suits(layer) {
            // SAFETY: so there is AMX.
            return unsafe { amx::Bytes { layer, int8, layout: &layout, part, x, y }.run() };
        }
        return isa.bytes(tiles::Pixels { int8, layout: &layout, part, x, scratch, y });
    }
    each_image(images, [x, other], y, |read, y| {
        bytes(isa, (layer, int8), part, read, scratch, Places::new(y));
    });
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
    #[cfg(target_arch = "x86_64")]
    if isa.has_avx2() && image_bytes::suits(layer) {
        let image = image_bytes::Image { layer, int8, part, x, y };
        // SAFETY: so the CPU has AVX2, and AVX-512 with VNNI if it multiplies bytes neither with that nor with
        // AVX-VNNI.
        return unsafe {
            match isa {
                _ if isa.has_pairs() => image.avx2(),
                _ if isa.has_avx_vnni() => image.avx_vnni(),
                _ if isa.has_vbmi() => image.avx512_vbmi(),
                _ => image.avx512_vnni(),
            }
        };
    }
    match (layer.layout(), layer.op) {
        #[cfg(target_arch = "x86_64")]
        (Some(layout), _) if isa.has_tiles() && amx::suits(layer) => {
            // SAFETY: so there is AMX.
            unsafe { amx::Bytes { layer, int8, layout: &layout, part, x, y }.run() }
        }
        #[cfg(target_arch = "x86_64")]
        (Some(layout), _) if isa.has_pairs() && winograd::bytes::suits(layer) => {
            let layout = &layout;
            // SAFETY: so the CPU has AVX2.
            unsafe { winograd::bytes::Upsampling { layer, int8, layout, part, x, y }.run() }
        }
        #[cfg(target_arch = "x86_64")]
        (Some(layout), _) if thin::suits(layer) => {
            isa.bytes(thin::Bytes { int8, layout: &layout, part, x, y });
        }
        (Some(layout), _) => {
            isa.bytes(tiles::Pixels { int8, layout: &layout, part, x, scratch, y });
        }
        (None, Op::Add | Op::Concat { .. }) => {
            isa.bytes(join::Bytes { layer, int8, part, x, other, y });
        }
        #[cfg(target_arch = "x86_64")]
        (None, Op::InstanceNorm { epsilon }) if isa.has_avx2() => {
            let norm = norm_bytes::Bytes { layer, epsilon, int8, part, x, y };
            match isa.has_vbmi() {
                // SAFETY: so the CPU has AVX-512 with VBMI.
                true => unsafe { norm.run_vbmi() },
                // SAFETY: so the CPU has AVX2.
                false => unsafe { norm.run() },
            }
        }
        (None, Op::InstanceNorm { epsilon }) => {
            isa.bytes(norm::Bytes { layer, epsilon, int8, part, x, y });
        }
        (None, _) => part.alone(y, |y| int8::unblocked(layer, int8, [x, other], y)),
    }
}
