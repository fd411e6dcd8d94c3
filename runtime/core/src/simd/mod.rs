//! The fast kernels.
//!
//! A kernel is written once, over the registers of a `Set`, and compiled for each instruction set;
//! [`Isa`] is the proof that the CPU has one. `kernel` is the file that chooses the kernel of a
//! layer:
//!
//! - `planes`: an upsampling transposed convolution (kernel 4, stride 2, padding 1) is four 2 x 2
//!   convolutions, one per output phase. The input is copied into zero-padded planes, after which
//!   every tap of every phase is a shift of one flat array: no im2col buffer, and no scatter into
//!   overlapping windows. A convolution is the same with one phase; for a stride above 1, the planes
//!   are split into those of every residue of rows and columns.
//! - `image`: the layer of a packed model that makes the image by upsampling, by the same phases, a
//!   few rows at a time, because pixels fill registers and its few channels do not.
//! - `dense`: a transposed convolution of one pixel sums rows of the weight, a dense layer is dot
//!   products.
//! - `winograd`: packed 4 x 4 stride-2 transposed convolutions, with 9 multiplications instead of
//!   16.
//! - `tiles` over `dots`: other packed layers and all int8 layers are sums over taps, 16 lanes at a
//!   time. Int8 gives the same bytes with every instruction set. f16 models are multiplied in 16-bit
//!   floats if the CPU can; [`Isa::has_halves`] says whether.
//! - `thin`: int8 convolutions of one channel on x86.
//! - `amx` computes layers of several positions on CPUs with matrix products, instead of both.
//! - `norm` normalizes channels and `join` adds or concatenates two inputs.
//! - The rest is done by the obvious loops.
//!
//! Each kernel computes a `Part` of its layer, so that several threads can make one image.
#![allow(unsafe_code, reason = "registers, and outputs that threads share")]

/// An array of the value of an expression for each index. (A closure for `core::array::from_fn` would be
/// compiled without the instruction set of the function around it, unless it happens to be inlined.)
macro_rules! each {
    ($i:ident => $value:expr) => {{
        let $i = 0;
        let mut values = [$value; _];
        for $i in 1..values.len() {
            values[$i] = $value;
        }
        values
    }};
}

mod activate;
#[cfg(target_arch = "x86_64")]
mod amx;
mod dense;
mod dots;
#[cfg(all(feature = "dsp", target_arch = "arm"))]
mod dsp;
#[cfg(target_arch = "aarch64")]
mod halves;
mod image;
#[cfg(target_arch = "x86_64")]
mod image_bytes;
mod isa;
mod join;
mod kernel;
mod lanes;
#[cfg(target_arch = "x86_64")]
mod lookup;
mod norm;
#[cfg(target_arch = "x86_64")]
mod norm_bytes;
#[cfg(target_arch = "x86_64")]
mod norm_vbmi;
mod part;
#[cfg(feature = "std")]
mod peak;
mod planes;
mod prefetch;
mod set;
#[cfg(target_arch = "x86_64")]
mod thin;
mod tiles;
mod winograd;

pub use isa::Isa;
#[cfg(feature = "std")]
pub use isa::IsaError;
#[cfg(feature = "std")]
pub use kernel::{Kernel, kernel};
pub(crate) use kernel::{bytes, bytes_of, floats, floats_of, scratch_len};
pub(crate) use part::{Part, Places};
#[cfg(feature = "std")]
pub use peak::{peak, read_speed};
pub(crate) use set::{Job, Set};
