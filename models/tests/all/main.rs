//! One binary for every file: each would link burn again.

mod adjoint;
mod flex;
#[cfg(feature = "gpu")]
mod gpu_kernels;
#[cfg(feature = "gpu")]
mod gpu_programs;
