//! Networks as lists of layers.
//!
//! A network is a [`Sequential`]: a list of [`Layer`]s whose forward pass is a fold. Adding a
//! network is writing a function that returns such a list; see [`dcgan`] for the generator and
//! discriminator of DCGAN.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use models::dcgan;
//!
//! let device = Device::flex();
//! let shape = dcgan::Shape { size: 32, channels: 3 };
//! let g = dcgan::generator(&shape, 100, 8, 0, &device)?;
//! let image = g.forward(Tensor::<2>::zeros([1, 100], &device).reshape([1, 100, 1, 1]));
//! assert_eq!(image.dims(), [1, 3, 32, 32]);
//! # Ok::<(), models::dcgan::Unsupported>(())
//! ```
//!
//! Networks come first: [`dcgan`], [`mlp`], [`conditional`], [`autoencoder`] and [`translate`]
//! build lists of [`layer`]s with weights from [`init`], and [`adjoint`] differentiates one by its
//! input. Behind them are the kernels that train them: [`conv`] and [`layer`] call [`kernels`],
//! which run in [`flex`] on a CPU and (feature `gpu`) in `gpu` on a GPU.

// Networks.
pub mod adjoint;
pub mod autoencoder;
pub mod conditional;
pub mod dcgan;
pub mod mlp;
pub mod translate;

// Layers.
pub mod conv;
pub mod init;
pub mod layer;

// Kernels.
pub mod flex;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod kernels;

pub use layer::{Layer, Sequential};
