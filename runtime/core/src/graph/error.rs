//! Why a graph is not a generator.

use alloc::string::String;
use core::fmt;

use crate::layer::LAYERS;
use crate::limits::Exceeded;
use crate::op::{Shape, ShapeError};

/// Why a list of layers is not a generator.
#[derive(Clone, Debug, PartialEq)]
pub enum GraphError {
    /// There are no layers, or the latent has length 0.
    Empty,
    /// More than [`LAYERS`] layers.
    Layers(usize),
    /// A layer does not fit the one before it: its number, its name, why.
    Shape(usize, String, ShapeError),
    /// A layer joins two inputs and names neither, or has one input and names two: layer, its name.
    Sources(usize, String),
    /// A layer reads what no earlier layer makes: layer, its name, the name that it reads.
    Source(usize, String, String),
    /// The second input of a layer has another shape than it needs: layer, its name, needed, got.
    Join(usize, String, Shape, Shape),
    /// No later layer reads the output of a layer: layer, its name.
    Unused(usize, String),
    /// The input is not a picture of 1 or 3 channels.
    Picture(Shape),
    /// What int8 is calibrated on does not suit the input: what is needed.
    Examples(&'static str),
    /// A layer's weight or bias has the wrong size.
    Tensor {
        /// Number of the layer.
        layer: usize,
        /// Its name.
        name: String,
        /// `weight` or `bias`.
        tensor: &'static str,
        /// Values the layer needs.
        need: usize,
        /// Values the graph has.
        got: usize,
    },
    /// A value is infinite or NaN: layer, its name, tensor.
    NotFinite(usize, String, &'static str),
    /// What is added to a variance is not a finite number from 0 on: layer, its name, the number.
    Epsilon(usize, String, f32),
    /// The latent is too short for the classes: number of classes, length of the latent.
    Classes(usize, usize),
    /// A weight is beyond the range of 16-bit floats: layer, its name, the weight.
    Beyond(usize, String, f32),
    /// A name is empty, contains whitespace or is not unique.
    Name(usize, String),
    /// The output of the last layer is not an image of 1, 3 or 4 channels.
    NoImage(Shape),
    /// Int8 and packed records do not support something in a layer: what.
    Blocks(usize, String, &'static str),
    /// The generator asks for more than a limit allows.
    Limit(Exceeded),
    /// The values of black and white are not two different finite numbers.
    Range(f32, f32),
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GraphError::Empty => write!(f, "the generator has no layers or no latent"),
            GraphError::Layers(got) => {
                write!(f, "{got} layers; at most {} are supported", LAYERS)
            }
            GraphError::Shape(i, name, error) => write!(f, "layer {i} ({name}): {error}"),
            GraphError::Sources(i, name) => {
                write!(f, "layer {i} ({name}): the inputs that it names are too few or too many")
            }
            GraphError::Source(i, name, from) => {
                write!(f, "layer {i} ({name}): reads {from:?}, which no earlier layer makes")
            }
            GraphError::Join(i, name, want, got) => {
                write!(f, "layer {i} ({name}): the second input is {got}, not {want}")
            }
            GraphError::Unused(i, name) => {
                write!(f, "layer {i} ({name}): no later layer reads its output")
            }
            GraphError::Picture(shape) => {
                write!(f, "the input has shape {shape}, not that of a picture of 1 or 3 channels")
            }
            GraphError::Examples(need) => write!(f, "int8 is calibrated on examples: {need}"),
            GraphError::Tensor { layer, name, tensor, need, got } => write!(
                f,
                "layer {layer} ({name}): the {tensor} has {got} values, the layer needs {need}"
            ),
            GraphError::NotFinite(i, name, tensor) => {
                write!(f, "layer {i} ({name}): the {tensor} has a value that is not finite")
            }
            GraphError::Epsilon(i, name, epsilon) => {
                write!(f, "layer {i} ({name}): epsilon {epsilon} is not a finite number from 0 on")
            }
            GraphError::Classes(classes, latent) => {
                write!(f, "{classes} classes are too many for a latent of {latent} values")
            }
            GraphError::Beyond(i, name, weight) => write!(
                f,
                "layer {i} ({name}): the weight {weight} is beyond the range of 16-bit floats, which ends at 65504"
            ),
            GraphError::Name(i, name) => {
                write!(f, "layer {i}: {name:?} is not a unique name without whitespace")
            }
            GraphError::NoImage(shape) => {
                write!(
                    f,
                    "the output has shape {shape}, not that of an image of 1, 3 or 4 channels"
                )
            }
            GraphError::Blocks(i, name, what) => {
                write!(f, "layer {i} ({name}): not supported in int8 and packed records: {what}")
            }
            GraphError::Limit(exceeded) => write!(f, "{exceeded}"),
            GraphError::Range(black, white) => {
                write!(
                    f,
                    "black ({black}) and white ({white}) must be two different finite numbers"
                )
            }
        }
    }
}

impl core::error::Error for GraphError {}
