//! ONNX, the interchange format: written so that any other runtime runs it, read so that other
//! people's generators run here.

mod branch;
mod budget;
mod chain;
mod constants;
mod error;
mod layers;
mod node;
mod read;
mod scan;
mod shapes;
mod tensor;
mod write;

pub use error::OnnxError;
pub use read::{read, read_within};
pub use write::{write, write_bytes};
