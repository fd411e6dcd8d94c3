//! Precisions by name, and records of them.

use std::fmt;

use clap::ValueEnum;
use runtime::Input;
use runtime::graph::{Graph, GraphError};

/// Seeds on which the scales of int8 activations are calibrated: far from those that people use.
const CALIBRATION: std::ops::Range<u64> = 1_000_000..1_000_064;

/// How numbers are stored and computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// 32-bit floats
    F32,
    /// 32-bit floats in the order in which the CPU reads them: faster, but only for this program
    Packed,
    /// Weights stored as 16-bit floats, at half the size
    F16,
    /// 8-bit integers from the latent to the pixels, at a quarter of the size
    Int8,
}

impl Precision {
    /// The record of a graph in this precision. Int8 is calibrated on `pictures` if the graph takes
    /// pictures.
    ///
    /// # Errors
    /// [`GraphError`] if the precision does not support the graph.
    pub fn record(self, graph: &Graph, pictures: &[Vec<u8>]) -> Result<Vec<u8>, GraphError> {
        match self {
            Precision::F32 => graph.to_record(),
            Precision::Packed => graph.pack(),
            Precision::F16 => graph.halve(),
            Precision::Int8 => match graph.input {
                Input::Latent(_) => graph.quantize(CALIBRATION),
                Input::Picture(_) => graph.quantize_on_pictures(pictures),
            },
        }
    }
}

impl From<Precision> for runtime::Precision {
    fn from(precision: Precision) -> runtime::Precision {
        match precision {
            Precision::F32 => runtime::Precision::F32,
            Precision::Packed => runtime::Precision::Packed,
            Precision::F16 => runtime::Precision::F16,
            Precision::Int8 => runtime::Precision::Int8,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(runtime::Precision::from(*self).name())
    }
}
