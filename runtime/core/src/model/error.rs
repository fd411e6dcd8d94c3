//! Why bytes are not a model.

use core::fmt;

use super::key;
use crate::limits::Exceeded;
use crate::op::{Shape, ShapeError};
use crate::record::RecordError;

/// Why bytes are not a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ModelError<'a> {
    /// The bytes are not a record.
    Record(RecordError),
    /// The record lacks this key, so it is not an exported generator.
    Missing(&'static str),
    /// This key has an invalid value.
    Value(&'static str, &'a str),
    /// The latent is too short for the classes: number of classes, length of the latent.
    Classes(usize, usize),
    /// The model asks for more than a limit allows.
    Limit(Exceeded),
    /// A line of the layer list cannot be parsed: its number and text.
    Layer(usize, &'a str),
    /// A layer does not fit the one before it.
    Shape(usize, &'a str, ShapeError),
    /// A layer joins two inputs and names neither, or has one input and names two: layer, name.
    Sources(usize, &'a str),
    /// A layer reads what no earlier layer makes: layer, name, the name that it reads.
    Source(usize, &'a str, &'a str),
    /// The second input of a layer has another shape than it needs: layer, name, needed, got.
    Join(usize, &'a str, Shape, Shape),
    /// No later layer reads the output of a layer: layer, name.
    Unused(usize, &'a str),
    /// A layer's tensor is missing.
    NoTensor(usize, &'a str, &'static str),
    /// A layer's tensor has the wrong size.
    Tensor {
        /// Number of the layer.
        layer: usize,
        /// Its name.
        name: &'a str,
        /// `weight` or `bias`.
        tensor: &'static str,
        /// Values the layer needs.
        need: usize,
        /// Values in the record.
        got: usize,
    },
    /// A layer's tensor has another element type than the model's: layer, name, expected, got.
    Type(usize, &'a str, &'static str, &'a str),
    /// An f16 layer has an infinite or NaN weight.
    NotFinite(usize, &'a str),
    /// An int8 layer has a weight of -128, which kernels do not support: layer, name.
    Lowest(usize, &'a str),
    /// Int8 and packed models have no kernel for a layer: why.
    Blocks(usize, &'a str, &'static str),
    /// An int8 layer's shift and zero point are missing or cannot be parsed.
    Zero(usize, &'a str),
    /// The output of the last layer is not an image of 1, 3 or 4 channels.
    NoImage(Shape),
    /// The weights are damaged: stored checksum, computed checksum.
    Checksum(u32, u32),
    /// The bytes are not aligned to 4 in memory: see [`crate::include_record`] and
    /// [`crate::record::Buffer`].
    Misaligned,
}

impl fmt::Display for ModelError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelError::Record(error) => write!(f, "{error}"),
            ModelError::Missing(key) => {
                write!(f, "the record has no {key:?}: it is not an exported generator")
            }
            ModelError::Value(key, got) => write!(f, "{key:?} has the invalid value {got:?}"),
            ModelError::Classes(classes, latent) => write!(
                f,
                "{:?} has {classes} names, too many for a latent of {latent} values",
                key::LABELS
            ),
            ModelError::Limit(exceeded) => write!(f, "{exceeded}"),
            ModelError::Layer(i, line) => write!(f, "layer {i}: {line:?} is not a layer"),
            ModelError::Shape(i, name, error) => write!(f, "layer {i} ({name}): {error}"),
            ModelError::Sources(i, name) => {
                write!(f, "layer {i} ({name}): the inputs that it names are too few or too many")
            }
            ModelError::Source(i, name, from) => {
                write!(f, "layer {i} ({name}): reads {from:?}, which no earlier layer makes")
            }
            ModelError::Join(i, name, want, got) => {
                write!(f, "layer {i} ({name}): the second input is {got}, not {want}")
            }
            ModelError::Unused(i, name) => {
                write!(f, "layer {i} ({name}): no later layer reads its output")
            }
            ModelError::NoTensor(i, name, tensor) => {
                write!(f, "layer {i} ({name}): the record has no {tensor}")
            }
            ModelError::Tensor { layer, name, tensor, need, got } => write!(
                f,
                "layer {layer} ({name}): the {tensor} has {got} values, the layer needs {need}"
            ),
            ModelError::Type(i, name, want, got) => write!(
                f,
                "layer {i} ({name}): values of type {got:?}, the model's precision needs {want:?}"
            ),
            ModelError::Blocks(i, name, why) => {
                write!(f, "layer {i} ({name}): not supported in int8 and packed models: {why}")
            }
            ModelError::NotFinite(i, name) => {
                write!(f, "layer {i} ({name}): a weight is not finite")
            }
            ModelError::Lowest(i, name) => {
                write!(f, "layer {i} ({name}): a weight is -128; int8 weights are -127 to 127")
            }
            ModelError::Zero(i, name) => {
                write!(f, "layer {i} ({name}): {:?} lacks its shift and zero point", key::INT8)
            }
            ModelError::NoImage(shape) => {
                write!(
                    f,
                    "the output has shape {shape}, not that of an image of 1, 3 or 4 channels"
                )
            }
            ModelError::Checksum(want, got) => {
                write!(f, "the weights are damaged: their checksum is {got:08x}, not {want:08x}")
            }
            ModelError::Misaligned => {
                write!(f, "the record's bytes are not aligned to 4 bytes in memory")
            }
        }
    }
}

impl core::error::Error for ModelError<'_> {}

impl From<Exceeded> for ModelError<'_> {
    fn from(exceeded: Exceeded) -> Self {
        ModelError::Limit(exceeded)
    }
}

impl From<RecordError> for ModelError<'_> {
    fn from(error: RecordError) -> Self {
        ModelError::Record(error)
    }
}
