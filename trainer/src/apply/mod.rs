//! Uses of a trained run: anomalies, near-duplicates, interpolation and arithmetic of latents.

pub mod anomalies;
pub mod duplicates;
pub mod latents;
