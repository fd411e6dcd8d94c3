//! The operations a generator is made of, one file each.
//!
//! Every tensor is one sample, channels first: `Shape { c, h, w }`. A latent is `n x 1 x 1`. Each
//! file has the output shape of its operation and its obvious loop, which is the specification of
//! every faster one.

pub mod activation;
pub mod affine;
mod bias;
pub mod conv;
pub mod conv_transpose;
pub mod dense;
pub mod instance_norm;
pub(crate) mod join;
mod moved;
mod operation;
pub mod resize;
mod shape;

pub use activation::Activation;
pub(crate) use bias::bias_of;
pub(crate) use moved::moved;
pub use operation::{Op, reference};
pub use shape::{Edge, LARGEST, Shape, ShapeError, Window};
