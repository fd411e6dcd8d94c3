//! ONNX, the interchange format: written so that any other runtime runs it, read so that other
//! people's generators run here.

mod affine;
mod arithmetic;
mod axes;
mod branch;
mod branch_label;
mod budget;
mod chain;
mod condition;
mod constants;
mod cut;
mod data;
mod edges;
mod elementwise;
mod error;
mod external;
mod fill;
mod functions;
mod inputs;
mod label;
mod layers;
mod node;
mod output;
mod pixels;
mod range;
mod read;
mod refused;
mod scan;
mod source;
mod tensor;
mod view;
mod window;
mod write;

pub use error::OnnxError;
pub use read::{Import, Options, import, import_file, read, read_within};
pub use write::{write, write_bytes};
