//! The two networks of a run, and what turns gradients into new weights.

pub mod adam;
mod build;
mod condition;
pub mod ema;
pub mod noise;
pub mod spectral;
mod state;

pub use build::{finished, fresh, signed};
pub use condition::{Condition, with_condition};
pub use state::{State, take};
