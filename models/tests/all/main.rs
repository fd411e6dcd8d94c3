//! One binary for every file: each would link burn again.

mod activation;
mod adjoint;
mod autoencoder;
mod conditional;
mod dcgan;
mod flex;
mod gemm;
#[cfg(feature = "gpu")]
mod gpu_kernels;
#[cfg(feature = "gpu")]
mod gpu_programs;
mod init;
mod mlp;
mod translate;
