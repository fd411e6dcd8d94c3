//! What can go wrong on a GPU.

use std::fmt;
use std::string::String;

use crate::latent::LatentLength;
use crate::model::Precision;

/// Why a model does not run on a GPU.
#[derive(Debug)]
pub enum GpuError {
    /// The record is of a precision that only the CPU runs.
    Precision(Precision),
    /// A buffer of so many bytes, and the most that the adapter takes at once.
    TooLarge(u64, u64),
    /// No 16-bit floats there.
    NoHalf(String),
    /// The driver refused or failed: what it said.
    Driver(String),
    /// A latent of another length.
    Latent(LatentLength),
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GpuError::Precision(precision) => write!(
                f,
                "a GPU runs f32 records and ONNX models, not {} records: give the model that it was made of, or \
                 --device cpu",
                precision.name()
            ),
            GpuError::TooLarge(need, most) => write!(
                f,
                "the model wants a buffer of {need} bytes, the adapter takes at most {most}: --device cpu"
            ),
            GpuError::NoHalf(name) => write!(f, "{name} has no 16-bit floats"),
            GpuError::Driver(what) => write!(f, "the GPU failed: {what}"),
            GpuError::Latent(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for GpuError {}
