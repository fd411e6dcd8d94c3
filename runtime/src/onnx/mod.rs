//! ONNX, the interchange: written so that any other runtime runs it, read so that other people's generators run here.

use alloc::string::String;
use core::fmt;

use crate::graph::GraphError;

mod read;
mod tensor;
mod write;

pub use read::read;
pub use write::{write, write_bytes};

/// Why there is no generator in an ONNX file, or no ONNX file of a generator.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxError {
    /// The bytes are no ONNX model: what the decoder says.
    NotOnnx(String),
    /// Something about the model as a whole that is not supported.
    Model(String),
    /// A node that is not supported.
    Node {
        /// Its name, or its output's where it has none.
        node: String,
        /// Its operation.
        op: String,
        /// What is not supported.
        what: String,
    },
    /// A tensor that cannot be read: its name, why.
    Tensor(String, String),
    /// The layers are no generator.
    Graph(GraphError),
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnnxError::NotOnnx(what) => write!(f, "not an ONNX model: {what}"),
            OnnxError::Model(what) => write!(f, "{what}"),
            OnnxError::Node { node, op, what } => write!(f, "node {node:?} ({op}): {what}"),
            OnnxError::Tensor(name, what) => write!(f, "tensor {name:?}: {what}"),
            OnnxError::Graph(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for OnnxError {}

impl From<GraphError> for OnnxError {
    fn from(error: GraphError) -> Self {
        OnnxError::Graph(error)
    }
}
