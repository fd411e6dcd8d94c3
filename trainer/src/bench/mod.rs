//! What a run costs: time, memory and bytes, measured before it starts.

pub mod cpu;
pub mod dry;
#[cfg(feature = "gpu")]
pub mod gpu;
