//! A generator from the bytes of its record to pixels, without an operating system, an allocator or
//! another crate. Use it through `runtime`, which adds files and formats of others.
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
//! records. With `std`, `crew` makes one image with several threads and `embed` prepares a record in
//! a build script. With `gpu`, `gpu` runs a model on Vulkan.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!("records are little-endian and used in place: big-endian targets are not supported");

pub mod backend;
#[doc(hidden)]
pub mod cast;
#[doc(hidden)]
pub mod checksum;
pub mod cpu;
#[cfg(feature = "std")]
pub mod crew;
#[cfg(feature = "std")]
pub mod embed;
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
pub mod op;
#[doc(hidden)]
pub mod packed;
#[doc(hidden)]
pub mod plan;
pub mod record;
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub mod share;
#[doc(hidden)]
pub mod simd;
mod sqrt;

pub use backend::Backend;
pub use cpu::{ArenaTooSmall, Batch, Cpu};
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
