//! A generator as an owned list of layers that can be edited: what trainers and ONNX files become,
//! and what records are written from. Everything that changes a network without changing its
//! pictures happens here and only here.

mod error;
mod fold;
mod label;
mod list;
mod pack;
mod prelu;
mod quantize;
mod record;
mod spread;
mod write;

pub use error::GraphError;
pub use label::scaled_by_label;
pub use list::{Facts, Flow, Graph, Layer};
pub use prelu::prelu;
pub use write::Ready;
