//! Runs image generators small enough for the device in your hand.
//!
//! The core needs no operating system, no allocator and no other crate:
//!
//! ```
//! use runtime::{Cpu, Latent, Model};
//!
//! static FACES: &[u8] = runtime::include_record!("../../models/pretrained/faces-tiny-int8.bpk");
//!
//! let model = Model::parse(FACES)?;
//! let mut arena = vec![0.0; model.arena_len()]; // in firmware, a static: see `embed`
//! let mut cpu = Cpu::new(&model, &mut arena)?;
//! let image = cpu.generate(&Latent::from_seed(42))?;
//! let [red, green, blue] = image.pixel(0, 0);
//! # let _ = (red, green, blue);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The modules, in the order in which data flows through them:
//!
//! - [`record`]: the bytes of a burn record, read in place.
//! - [`model`]: a checked, borrowed view of those bytes as a list of layers.
//! - [`limits`]: how much memory and time a file may ask for.
//! - [`op`]: what a layer computes, one file per operation, each with its obvious loop.
//! - [`latent`]: seeds to latents, the same on every device.
//! - [`backend`] and [`cpu`]: executing a model in the caller's memory.
//! - [`image`]: the result, as pixels.
//!
//! With `alloc`, `graph` is the owned, editable form of a model, which folds batch norm and writes
//! records. With `std`, `crew` makes one image with several threads and `npy` reads and writes
//! NumPy arrays. With `onnx`, `onnx` reads and writes ONNX. With `gpu`, `gpu` runs a model on
//! Vulkan.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!("records are little-endian and used in place: big-endian targets are not supported");

pub mod backend;
mod cast;
#[doc(hidden)]
pub mod checksum;
pub mod cpu;
#[cfg(feature = "std")]
pub mod crew;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod device;
#[cfg(feature = "std")]
pub mod embed;
#[cfg(feature = "std")]
pub mod file_kind;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "alloc")]
pub mod graph;
#[doc(hidden)]
pub mod half;
pub mod image;
#[doc(hidden)]
pub mod int8;
pub mod latent;
pub mod layer;
#[doc(hidden)]
pub mod layout;
pub mod limits;
pub mod model;
#[cfg(feature = "std")]
pub mod npy;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod op;
#[doc(hidden)]
pub mod packed;
#[doc(hidden)]
pub mod plan;
pub mod record;
#[cfg(feature = "alloc")]
mod share;
#[doc(hidden)]
pub mod simd;
mod sqrt;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod stdout;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod terminal;
#[cfg(feature = "files")]
#[doc(hidden)]
pub mod whole_file;

pub use backend::Backend;
pub use cpu::{ArenaTooSmall, Cpu};
#[cfg(feature = "std")]
pub use crew::{Crew, CrewError};
pub use image::{Image, PictureLength};
pub use latent::{Latent, LatentLength};
pub use layer::{Input, Precision};
pub use limits::{Limit, Limits};
pub use model::{Model, ModelError};
pub use record::RecordError;
pub use simd::Isa;
#[cfg(feature = "std")]
pub use simd::IsaError;
