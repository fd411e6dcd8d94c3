//! Why ONNX cannot be read or written.

use alloc::string::String;
use core::fmt;

use crate::graph::GraphError;
use crate::limits::Exceeded;

/// Why an ONNX file cannot be read as a generator, or a generator not be written as one.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxError {
    /// The file cannot be read.
    Read(String),
    /// The bytes are not an ONNX model: the message of the decoder.
    NotOnnx(String),
    /// Something about the model as a whole is not supported.
    Model(String),
    /// A node is not supported.
    Node {
        /// Its name, or that of its output.
        node: String,
        /// Its operation.
        op: String,
        /// What is not supported.
        what: String,
    },
    /// A tensor cannot be read: its name, why.
    Tensor(String, String),
    /// The file asks for more than a limit allows.
    Limit(Exceeded),
    /// The layers are not a generator.
    Graph(GraphError),
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnnxError::Read(what) => write!(f, "the file cannot be read: {what}"),
            OnnxError::NotOnnx(what) => write!(f, "not an ONNX model: {what}"),
            OnnxError::Model(what) => write!(f, "{what}"),
            OnnxError::Node { node, op, what } => write!(f, "node {node:?} ({op}): {what}"),
            OnnxError::Tensor(name, what) => write!(f, "tensor {name:?}: {what}"),
            OnnxError::Limit(exceeded) => write!(f, "{exceeded}"),
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
