//! Networks as lists of layers.
//!
//! A network of this crate is a [`Sequential`]: a list of [`Layer`]s whose forward pass is a fold. Adding a
//! network is writing a function that returns a list; see [`dcgan`] for the two of DCGAN.
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

pub mod adjoint;
pub mod autoencoder;
mod channels_last;
pub mod conditional;
pub mod conv;
pub mod dcgan;
mod flex;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod init;
pub mod kernels;
pub mod layer;
pub mod mlp;
pub mod norm;

pub use layer::{Layer, Sequential};
