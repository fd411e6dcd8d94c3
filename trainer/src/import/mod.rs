//! The state dict of a PyTorch DCGAN to a burn record and ONNX.
//!
//! A state dict has weights but no network: the layers follow from the numbers in the names, and
//! strides, padding and activations from the pattern of the DCGAN tutorial, which is printed.
//! Pickles are read by a parser that knows tensors and containers and executes nothing.

mod error;
mod graph;
mod layers;
mod state;

pub use error::ImportError;
pub use graph::graph;
pub use layers::Assumed;
pub use state::{State, Tensor, load, shapes};
