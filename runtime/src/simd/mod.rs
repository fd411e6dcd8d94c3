//! The fast loops, and the one place where `unsafe` is allowed.
//!
//! A loop is written once over [`lanes::Lanes`] (a register of floats) and compiled for each instruction set. What the
//! CPU has is found at run time with `std`, and fixed at compile time without; an [`Isa`] is proof of it.
//!
//! - A transposed convolution of kernel 4, stride 2 and padding 1 is four convolutions of 2 x 2, one an output phase:
//!   neither a column buffer nor a scatter into overlapping windows. The input is copied once into zero-padded planes,
//!   after which every tap of every phase is a shift of one flat array ([`window`]).
//! - A convolution of stride 1 is the same with one phase.
//! - A transposed convolution of one pixel is a sum of the weight's rows, a dense layer dot products ([`dense`]).
//! - Int8 and packed layers of every kind are sums over taps, 16 lanes at a time ([`tiles`] over [`dots::Dots`]); every instruction
//!   set gives the same bytes.
//! - Of packed layers, those of kernel 4, stride 2 and padding 1 take nine products where sixteen were ([`fewer`]); where
//!   such a one makes the image, pixels fill the registers in place of its few channels ([`window`]).
//! - What is left, and what only moves values, is done by the obvious loops.
//!
//! Each loop does a [`Part`] of its layer, so that several threads can make one face ([`crew`]).
#![allow(unsafe_code)]

use crate::int8::{self as integers, Int8, Layout};
use crate::model::Layer;
use crate::op::{self, Op, Shape, Window};
use crate::packed::{self as floats, Packed};
use crate::record::mix;

pub mod cast;
#[cfg(feature = "std")]
pub(crate) mod crew;
mod dense;
mod dots;
#[cfg(all(feature = "dsp", target_arch = "arm"))]
mod dsp;
mod fewer;
mod lanes;
mod parts;
#[cfg(feature = "std")]
mod peak;
mod tiles;
mod window;

use lanes::{Lanes, Portable};
pub(crate) use parts::{Part, Places};
#[cfg(feature = "std")]
pub use peak::{peak, read_speed};

/// An instruction set that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// The fastest there is.
    pub fn best() -> Isa {
        let [first, second, third] = Isa::all();
        third.or(second).or(first).unwrap_or(Isa(Kind::Portable))
    }

    /// Every one there is, slowest first.
    #[cfg(target_arch = "x86_64")]
    pub fn all() -> [Option<Isa>; 3] {
        #[cfg(feature = "std")]
        let (avx2, avx512) = (
            std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma"),
            std::arch::is_x86_feature_detected!("avx512f"),
        );
        #[cfg(not(feature = "std"))]
        let (avx2, avx512) = (
            cfg!(all(target_feature = "avx2", target_feature = "fma")),
            cfg!(target_feature = "avx512f"),
        );
        [
            Some(Isa(Kind::Portable)),
            avx2.then_some(Isa(Kind::Avx2)),
            avx512.then_some(Isa(Kind::Avx512)),
        ]
    }

    /// Every one there is, slowest first. (NEON is part of every 64-bit ARM CPU.)
    #[cfg(target_arch = "aarch64")]
    pub fn all() -> [Option<Isa>; 3] {
        [Some(Isa(Kind::Portable)), Some(Isa(Kind::Neon)), None]
    }

    /// Every one there is, slowest first.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn all() -> [Option<Isa>; 3] {
        [Some(Isa(Kind::Portable)), None, None]
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "AVX-512",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "NEON",
        }
    }

    /// Runs a part of a layer: `y` of `x`. `scratch` has [`scratch_len`] values at least.
    pub(crate) fn run(
        self,
        layer: &Layer<'_>,
        part: Part,
        x: &[f32],
        scratch: &mut [f32],
        y: Places<'_, f32>,
    ) {
        match self.0 {
            // SAFETY: needs no instruction that is not in every CPU of the target.
            Kind::Portable => unsafe { run::<Portable>(layer, part, x, scratch, y) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX2 and FMA.
            Kind::Avx2 => unsafe { avx2(layer, part, x, scratch, y) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX-512 F.
            Kind::Avx512 => unsafe { avx512(layer, part, x, scratch, y) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: NEON is part of every aarch64 CPU that Rust targets with it.
            Kind::Neon => unsafe { run::<lanes::Neon>(layer, part, x, scratch, y) },
        }
    }
}

impl Isa {
    /// Runs a part of an int8 layer: bytes to bytes. `scratch` has [`integers::scratch_len`] bytes at least.
    pub(crate) fn run_int8(
        self,
        layer: &Layer<'_>,
        int8: &Int8<'_>,
        part: Part,
        x: &[u8],
        scratch: &mut [u8],
        y: Places<'_, u8>,
    ) {
        let Some(layout) = Layout::bytes(&layer.op, layer.input, layer.output, int8.image) else {
            return part.alone(y, |y| integers::moved(layer, x, y));
        };
        match self.0 {
            #[cfg(all(feature = "dsp", target_arch = "arm"))]
            // SAFETY: who switches the feature on says that the CPU has the extension.
            Kind::Portable => unsafe {
                tiles::bytes::<dsp::Dsp>(&layout, int8, part, x, scratch, y)
            },
            #[cfg(not(all(feature = "dsp", target_arch = "arm")))]
            // SAFETY: needs no instruction that is not in every CPU of the target.
            Kind::Portable => unsafe {
                tiles::bytes::<dots::Portable>(&layout, int8, part, x, scratch, y)
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX2.
            Kind::Avx2 => unsafe { int8_avx2(&layout, int8, part, x, scratch, y) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX-512 F, and `vnni` looked for the rest.
            Kind::Avx512 if vnni() => unsafe { int8_vnni(&layout, int8, part, x, scratch, y) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX-512 F, which implies AVX2.
            Kind::Avx512 => unsafe { int8_avx2(&layout, int8, part, x, scratch, y) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: NEON is part of every aarch64 CPU that Rust targets with it.
            Kind::Neon => unsafe { tiles::bytes::<dots::Neon>(&layout, int8, part, x, scratch, y) },
        }
    }
}

impl Isa {
    /// Runs a part of a packed layer. `scratch` has [`floats::scratch_len`] values at least.
    pub(crate) fn run_packed(
        self,
        layer: &Layer<'_>,
        packed: &Packed<'_>,
        part: Part,
        x: &[f32],
        scratch: &mut [f32],
        y: Places<'_, f32>,
    ) {
        let Some(layout) = packed.layout(layer) else {
            let (from, to) = (layer.input.c, layer.output.c);
            return part.alone(y, |y| floats::moved(layer, from, to, x, y));
        };
        match self.0 {
            // SAFETY: needs no instruction that is not in every CPU of the target.
            Kind::Portable => unsafe {
                multiplied::<Portable, 4>(&layout, layer, packed, part, x, scratch, y)
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: needs no instruction that is not in every CPU of the target.
            Kind::Avx2 if !f16c() => unsafe {
                multiplied::<Portable, 4>(&layout, layer, packed, part, x, scratch, y)
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX2 and FMA, and `f16c` looked for the rest.
            Kind::Avx2 => unsafe { packed_avx2(&layout, layer, packed, part, x, scratch, y) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX-512 F.
            Kind::Avx512 => unsafe { packed_avx512(&layout, layer, packed, part, x, scratch, y) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: NEON is part of every aarch64 CPU that Rust targets with it.
            Kind::Neon => unsafe {
                multiplied::<lanes::Neon, 4>(&layout, layer, packed, part, x, scratch, y)
            },
        }
    }
}

impl Isa {
    /// The blocks of a record's checksum: see [`crate::record::checksum`].
    pub(crate) fn mix(self, lanes: &mut [u32; 16], blocks: &[[u8; 64]]) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX2.
            Kind::Avx2 => unsafe { mix_avx2(lanes, blocks) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX-512 F.
            Kind::Avx512 => unsafe { mix_avx512(lanes, blocks) },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => mix(lanes, blocks),
            Kind::Portable => mix(lanes, blocks),
        }
    }
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn mix_avx2(lanes: &mut [u32; 16], blocks: &[[u8; 64]]) {
    mix(lanes, blocks);
}

/// # Safety
/// The CPU has AVX-512 F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn mix_avx512(lanes: &mut [u32; 16], blocks: &[[u8; 64]]) {
    mix(lanes, blocks);
}

/// How a packed layer is computed.
enum PackedWay {
    /// By fewer multiplications.
    Fewer,
    /// Pixels in registers.
    Image,
    /// Channels in registers.
    Tiles,
}

/// Whether the weights of a packed layer are used one by one, and stay 32-bit floats in f16 records.
pub(crate) fn one_by_one(op: &Op, input: Shape, image: bool) -> bool {
    matches!(packed_way(op, input, image), PackedWay::Image)
}

fn packed_way(op: &Op, input: Shape, image: bool) -> PackedWay {
    match *op {
        Op::ConvTranspose { out, window } if window == DOUBLE && input.plane() > 1 => {
            match out {
                // Of few outputs the weights of all four phases lie side by side.
                1..=4 if image => PackedWay::Image,
                1..=4 => PackedWay::Tiles,
                _ => PackedWay::Fewer,
            }
        }
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ConvTranspose { .. }
        | Op::Affine
        | Op::Resize { .. }
        | Op::Reshape { .. }
        | Op::Activate => PackedWay::Tiles,
    }
}

/// Values (`f32`) of scratch that [`Isa::run_packed`] wants for a layer that multiplies, whatever the instruction set.
pub(crate) fn packed_scratch_len(layer: &Layer<'_>, image: bool, layout: &Layout) -> usize {
    match packed_way(&layer.op, layer.input, image) {
        PackedWay::Fewer => fewer::scratch_len(layer.input),
        PackedWay::Image => window::scratch_len(layer.input, 1),
        // Zeros, for where a tap lies outside of the input.
        PackedWay::Tiles if layout.has_border() => layout.depth(),
        PackedWay::Tiles => 0,
    }
}

/// A packed layer that multiplies.
///
/// # Safety
/// The CPU has the instructions of `L`, `N` registers of which hold 16 floats.
#[inline(always)]
unsafe fn multiplied<L: Lanes, const N: usize>(
    layout: &Layout,
    layer: &Layer<'_>,
    packed: &Packed<'_>,
    part: Part,
    x: &[f32],
    scratch: &mut [f32],
    y: Places<'_, f32>,
) {
    // SAFETY: as promised by the caller.
    unsafe {
        match packed_way(&layer.op, layer.input, packed.image) {
            PackedWay::Fewer => match packed.half {
                [] => fewer::run::<L, f32>(
                    layout,
                    layer,
                    (packed, packed.weight),
                    part,
                    x,
                    scratch,
                    y,
                ),
                half => fewer::run::<L, u16>(layout, layer, (packed, half), part, x, scratch, y),
            },
            PackedWay::Image => window::image::<L>(layer, packed, part, x, scratch, y),
            PackedWay::Tiles => match packed.half {
                [] => tiles::floats::<dots::Row<L, f32, N>>(
                    layout,
                    layer,
                    (packed, packed.weight),
                    part,
                    x,
                    scratch,
                    y,
                ),
                half => tiles::floats::<dots::Row<L, u16, N>>(
                    layout,
                    layer,
                    (packed, half),
                    part,
                    x,
                    scratch,
                    y,
                ),
            },
        }
    }
}

/// # Safety
/// The CPU has AVX2, FMA and F16C.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn packed_avx2(
    layout: &Layout,
    layer: &Layer<'_>,
    packed: &Packed<'_>,
    part: Part,
    x: &[f32],
    scratch: &mut [f32],
    y: Places<'_, f32>,
) {
    // SAFETY: as promised by the caller.
    unsafe { multiplied::<lanes::Avx2, 2>(layout, layer, packed, part, x, scratch, y) }
}

/// # Safety
/// The CPU has AVX-512 F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn packed_avx512(
    layout: &Layout,
    layer: &Layer<'_>,
    packed: &Packed<'_>,
    part: Part,
    x: &[f32],
    scratch: &mut [f32],
    y: Places<'_, f32>,
) {
    // SAFETY: as promised by the caller.
    unsafe { multiplied::<lanes::Avx512, 1>(layout, layer, packed, part, x, scratch, y) }
}

/// Whether the CPU turns 16-bit floats into floats: all that have AVX2 do, but nothing says that they must.
#[cfg(target_arch = "x86_64")]
fn f16c() -> bool {
    #[cfg(feature = "std")]
    return std::arch::is_x86_feature_detected!("f16c");
    #[cfg(not(feature = "std"))]
    return cfg!(target_feature = "f16c");
}

/// Whether the CPU multiplies bytes in 512-bit registers.
#[cfg(target_arch = "x86_64")]
fn vnni() -> bool {
    #[cfg(feature = "std")]
    return std::arch::is_x86_feature_detected!("avx512vnni");
    #[cfg(not(feature = "std"))]
    return cfg!(target_feature = "avx512vnni");
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn int8_avx2(
    layout: &Layout,
    int8: &Int8<'_>,
    part: Part,
    x: &[u8],
    scratch: &mut [u8],
    y: Places<'_, u8>,
) {
    // SAFETY: as promised by the caller.
    unsafe { tiles::bytes::<dots::Avx2>(layout, int8, part, x, scratch, y) }
}

/// # Safety
/// The CPU has AVX-512 F and VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni,avx2")]
unsafe fn int8_vnni(
    layout: &Layout,
    int8: &Int8<'_>,
    part: Part,
    x: &[u8],
    scratch: &mut [u8],
    y: Places<'_, u8>,
) {
    // SAFETY: as promised by the caller.
    unsafe { tiles::bytes::<dots::Vnni>(layout, int8, part, x, scratch, y) }
}

/// # Safety
/// The CPU has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(layer: &Layer<'_>, part: Part, x: &[f32], scratch: &mut [f32], y: Places<'_, f32>) {
    // SAFETY: as promised by the caller.
    unsafe { run::<lanes::Avx2>(layer, part, x, scratch, y) }
}

/// # Safety
/// The CPU has AVX-512 F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512(
    layer: &Layer<'_>,
    part: Part,
    x: &[f32],
    scratch: &mut [f32],
    y: Places<'_, f32>,
) {
    // SAFETY: as promised by the caller.
    unsafe { run::<lanes::Avx512>(layer, part, x, scratch, y) }
}

/// The window that doubles the sides.
const DOUBLE: Window = Window { kernel: 4, stride: 2, padding: 1 };

/// Floats of the longest register.
const REGISTER: usize = 16;

/// How a layer is computed.
enum Way {
    /// Taps of a padded plane: how much padding.
    Window(usize),
    /// A weighted sum of the weight's rows.
    Rows,
    /// A dot product an output.
    Dots,
    /// The obvious loop.
    Reference,
}

fn way(layer: &Layer<'_>) -> Way {
    match layer.op {
        Op::ConvTranspose { window, .. } if window == DOUBLE => Way::Window(1),
        Op::ConvTranspose { window, .. } if layer.input.plane() == 1 && window.padding == 0 => {
            Way::Rows
        }
        Op::Conv { window, .. } if window.stride == 1 && window.kernel <= window::KERNEL => {
            Way::Window(window.padding)
        }
        Op::Dense { .. } => Way::Dots,
        Op::Conv { .. }
        | Op::ConvTranspose { .. }
        | Op::Affine
        | Op::Resize { .. }
        | Op::Reshape { .. }
        | Op::Activate => Way::Reference,
    }
}

/// Values (`f32`) of scratch that [`Isa::run`] wants for a layer, whatever the instruction set.
pub fn scratch_len(layer: &Layer<'_>) -> usize {
    match way(layer) {
        Way::Window(padding) => window::scratch_len(layer.input, padding),
        Way::Rows | Way::Dots | Way::Reference => 0,
    }
}

/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn run<L: Lanes>(
    layer: &Layer<'_>,
    part: Part,
    x: &[f32],
    scratch: &mut [f32],
    y: Places<'_, f32>,
) {
    let (weight, bias) = (layer.weight, layer.bias);
    match way(layer) {
        // SAFETY: as promised by the caller, here and below.
        Way::Window(padding) => unsafe { window::run::<L>(layer, padding, part, x, scratch, y) },
        Way::Rows => {
            let (all, plane) = (layer.output.values(), layer.output.plane());
            // Whole registers: what is left behind the last one is summed in another way.
            let registers = part.share(all.div_ceil(REGISTER));
            let outputs = registers.start * REGISTER..all.min(registers.end * REGISTER);
            // SAFETY: the outputs of the part are its own.
            let y = unsafe { y.cut(outputs.start, outputs.len()) };
            unsafe { dense::rows::<L>(x, weight, bias, (plane, outputs.start), y) };
            layer.activation.apply(y);
        }
        Way::Dots => {
            let outputs = part.share(layer.output.values());
            // SAFETY: so are its outputs.
            let y = unsafe { y.cut(outputs.start, outputs.len()) };
            unsafe { dense::dots::<L>(x, weight, bias, outputs, y) };
            layer.activation.apply(y);
        }
        Way::Reference => part.alone(y, |y| {
            op::reference(&layer.op, [layer.input, layer.output], x, weight, bias, y);
            layer.activation.apply(y);
        }),
    }
}
