//! The networks of a run, and what turns gradients into new weights.

pub mod adam;
mod build;
mod condition;
pub mod ema;
mod inputs;
mod jitter;
pub mod noise;
pub mod pool;
pub mod spectral;
mod state;
mod twice;

pub use build::{finished, fresh, signed};
pub use condition::{Condition, with_condition};
pub use inputs::inputs;
pub use jitter::jitter;
pub use state::{Back, State, take};
pub use twice::twice;
