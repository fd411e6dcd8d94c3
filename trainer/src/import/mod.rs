//! The state dict of a PyTorch generator to a burn record and ONNX.
//!
//! A state dict has weights but no network: the layers follow from names and shapes, strides,
//! paddings and activations from networks that are known, or from guesses that are printed as such
//! and that `--size`, `--strides`, `--layers` and others correct. Pickles are read by a parser that
//! knows tensors and containers and executes nothing.

mod archive;
mod assumed;
mod build;
mod error;
mod graph;
mod guess;
mod label;
mod layers;
mod module;
mod order;
mod parts;
mod state;
mod steps;
mod windows;

pub use assumed::Assumed;
pub use error::ImportError;
pub use graph::{Imported, graph};
pub use state::{State, Tensor, load, shapes};
pub use steps::{Meeting, Step, What, activation, activation_name, parse};
