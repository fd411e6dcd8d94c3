//! A model on a GPU, through wgpu on Vulkan, with kernels of our own: the same layers, the same
//! weights, pictures within 1/255 of the CPU's.
//!
//! Weights are uploaded once, in the order in which kernels read them. Every layer that multiplies
//! is one kernel with bias and activation (`kernels.wgsl`), and what comes back are the bytes of
//! pixels. A large batch is split into parts, two of which are in flight: one is computed while the
//! latents of the next are written and the pixels of the last are read. The same goes for calls
//! queued with [`Gpu::begin`]. [`Fallback`] continues on the CPU if a GPU is lost.

mod adapter;
mod device;
mod engine;
mod error;
mod fallback;
mod flight;
mod inputs;
mod kernel;
mod layer;
mod network;
mod pipelines;
mod route;
mod slot;
mod template;
mod time;
mod trusted;

pub use adapter::{Adapter, Kind, adapters};
pub use engine::Gpu;
pub use error::GpuError;
pub use fallback::Fallback;
pub use time::Candidate;
