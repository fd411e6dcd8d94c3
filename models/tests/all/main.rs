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

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

/// Normal values, the same in every run and on every device, whatever other tests draw meanwhile.
fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let len = shape.iter().product::<usize>();
    let mut rng = StdRng::seed_from_u64(shape.iter().fold(1, |seed, n| seed * 31 + *n as u64));
    let values: Vec<f32> = (0..len).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
