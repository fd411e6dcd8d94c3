//! Runs image generators small enough for the device in your hand.
//!
//! The core needs no operating system, no allocator and no other crate. The modules in the order that data flows
//! through them:
//!
//! - [`record`]: the bytes of a burn record, read in place.
//! - [`model`]: a checked, borrowed view of those bytes as a list of layers.
//! - [`op`]: what a layer computes, one file an operation, each with its obvious loop.
//! - [`int8`]: what a layer computes in integers, the same bytes on every device.
//! - [`packed`]: what it computes in floats whose order suits the CPU.
//! - [`half`]: floats of 16 bits, which take half as much room.
//! - [`plan`]: how much memory a model needs, to the byte, and where each layer reads and writes.
//! - [`latent`]: seeds to latents, the same on every device.
//! - [`backend`] and [`cpu`]: executing a model over the caller's memory; [`simd`] has the fast loops.
//! - [`image`]: what comes out, as pixels.
//!
//! With `alloc`, [`graph`] is the owned, editable form: batch norm is folded there and records are written there.
//! With `std`, `crew` makes one image by several threads and `npy` reads and writes NumPy's arrays. With `onnx`, `onnx` translates a graph from and to ONNX.
//! With `gpu`, `gpu` runs a model on Vulkan.
//!
//! ```
//! use runtime::{cpu::Cpu, latent::Latent, model::Model};
//! # use runtime::{graph::{Facts, Graph, Layer}, op::{Activation, Op, Window}, record::Buffer};
//! # let weight = (0..8 * 3 * 16).map(|i| (i % 7) as f32 * 0.1 - 0.3).collect();
//! # let window = Window { kernel: 4, stride: 1, padding: 0 };
//! # let layer = Layer { name: "stem".into(), op: Op::ConvTranspose { out: 3, window }, activation: Activation::Tanh, weight, bias: vec![] };
//! # let graph = Graph { latent: 8, layers: vec![layer], facts: Facts::default() };
//! # let record = Box::leak(Box::new(Buffer::from(graph.to_record()?))).bytes();
//! // Firmware says `runtime::include_record!("face.bpk")` and has a static arena.
//! let model = Model::parse(record)?;
//! let mut arena = vec![0.0; model.arena_len()];
//! let mut cpu = Cpu::new(&model, &mut arena)?;
//! let image = cpu.generate(&Latent::from_seed(42))?;
//! assert_eq!((image.width(), image.height()), (4, 4));
//! let [red, green, blue] = image.pixel(0, 0);
//! # let _ = (red, green, blue);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!("records are little-endian and used in place: big-endian targets are not supported");

pub mod backend;
pub mod cpu;
#[cfg(feature = "std")]
pub mod crew;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "alloc")]
pub mod graph;
pub mod half;
pub mod image;
pub mod int8;
pub mod latent;
pub mod model;
#[cfg(feature = "std")]
pub mod npy;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod op;
pub mod packed;
pub mod plan;
pub mod record;
pub mod simd;
