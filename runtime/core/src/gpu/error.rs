//! Errors of a GPU.

use std::fmt;
use std::string::String;

use crate::image::PictureLength;
use crate::latent::LatentLength;
use crate::layer::Precision;

/// Why a model cannot run on a GPU.
#[derive(Debug)]
pub enum GpuError {
    /// Only the CPU runs records of this precision.
    Precision(Precision),
    /// The model needs a buffer of the first number of bytes; the adapter allows the second.
    TooLarge(u64, u64),
    /// The adapter has no 16-bit floats: its name.
    NoHalf(String),
    /// The driver refused or failed: its message.
    Driver(String),
    /// A latent has the wrong length, or the model takes pictures.
    Latent(LatentLength),
    /// A picture has the wrong size, or the model takes latents.
    Picture(PictureLength),
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GpuError::Precision(precision) => write!(
                f,
                "a GPU cannot run {} records; use the f32 record or ONNX model it was made from, or --device cpu",
                precision.name()
            ),
            GpuError::TooLarge(need, most) => write!(
                f,
                "the model needs a buffer of {need} bytes and the adapter allows {most}; use --device cpu"
            ),
            GpuError::NoHalf(name) => write!(f, "{name} does not support 16-bit floats"),
            GpuError::Driver(what) => write!(f, "the GPU failed: {what}"),
            GpuError::Latent(error) => write!(f, "{error}"),
            GpuError::Picture(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for GpuError {}
