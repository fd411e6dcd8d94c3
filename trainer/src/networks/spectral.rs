//! Spectral normalization (Miyato et al. 2018): every kernel of the discriminator divided by its
//! largest singular value, which bounds how fast the discriminator's output can change.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use models::Sequential;
use models::adjoint::{weights, with_weights};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Avoids a division by zero.
const TINY: f64 = 1e-12;

/// The left singular vector of each kernel, approximated by power iteration: one iteration per
/// training step is enough, since weights change slowly (section 2.1).
#[derive(Module, Debug)]
pub struct Spectral {
    vectors: Vec<Param<Tensor<1>>>,
}

impl Spectral {
    /// Random vectors for the kernels of `net`, on its inner device.
    pub fn new(net: &Sequential, seed: u64, device: &Device) -> Spectral {
        let mut rng = StdRng::seed_from_u64(seed);
        let vectors = weights(net)
            .map(|kernel| {
                let rows = kernel.dims()[0];
                let values = models::init::normals(rows, &mut rng);
                let vector = Tensor::from_data(TensorData::new(values, [rows]), device);
                Param::from_tensor(unit(vector))
            })
            .collect();
        Spectral { vectors }
    }

    /// One step of power iteration for every kernel of `net` (algorithm 1, steps 1 and 2).
    pub fn iterate(&mut self, net: &Sequential) {
        for (kernel, u) in weights(net).zip(&mut self.vectors) {
            let matrix = matrix(kernel.inner());
            let [rows, columns] = matrix.dims();
            let v = unit(u.val().reshape([1, rows]).matmul(matrix.clone()).reshape([columns]));
            let next = unit(matrix.matmul(v.reshape([columns, 1])).reshape([rows]));
            *u = std::mem::replace(u, Param::from_tensor(next.clone())).map(|_| next);
        }
    }

    /// `net` with every kernel `W` replaced by `W / (u W v)`, with gradients. The vectors count as
    /// constants (eq. 8 and 9).
    pub fn normalized(&self, net: &Sequential) -> Sequential {
        let divided = weights(net).zip(&self.vectors).map(|(kernel, u)| {
            let plain = matrix(kernel.clone());
            let [rows, columns] = plain.dims();
            let u = u.val().reshape([1, rows]);
            let v = unit(u.clone().matmul(plain.clone().inner()).reshape([columns]));
            let (u, v) = match kernel.device().is_autodiff() {
                true => (Tensor::from_inner(u), Tensor::from_inner(v)),
                false => (u, v),
            };
            let sigma = u.matmul(plain).matmul(v.reshape([columns, 1]));
            kernel / sigma.reshape([1, 1, 1, 1])
        });
        with_weights(net, divided.collect())
    }
}

/// A kernel as a matrix, one row per output.
fn matrix(kernel: Tensor<4>) -> Tensor<2> {
    let [rows, a, b, c] = kernel.dims();
    kernel.reshape([rows, a * b * c])
}

fn unit(vector: Tensor<1>) -> Tensor<1> {
    let length = vector.clone().powf_scalar(2.0).sum().sqrt().add_scalar(TINY);
    vector / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::Layer;
    use models::dcgan::{self, Shape};

    fn net(device: &Device) -> Sequential {
        let shape = Shape { size: 16, channels: 1 };
        dcgan::discriminator(&shape, 3, false, 1, device).unwrap()
    }

    /// The largest singular value, by many steps.
    fn largest(kernel: Tensor<4>) -> f64 {
        let matrix = matrix(kernel);
        let [rows, columns] = matrix.dims();
        let mut u = Tensor::ones([rows], &matrix.device());
        let mut sigma = 0.0;
        for _ in 0..200 {
            let v = unit(u.reshape([1, rows]).matmul(matrix.clone()).reshape([columns]));
            let w = matrix.clone().matmul(v.reshape([columns, 1])).reshape([rows]);
            sigma = w.clone().powf_scalar(2.0).sum().sqrt().into_scalar::<f32>() as f64;
            u = unit(w);
        }
        sigma
    }

    #[test]
    fn the_largest_singular_value_becomes_one() {
        let device = Device::flex().autodiff();
        let net = net(&device);
        let mut spectral = Spectral::new(&net, 0, &Device::flex());
        for _ in 0..100 {
            spectral.iterate(&net);
        }
        for kernel in weights(&spectral.normalized(&net)) {
            let sigma = largest(kernel.inner());
            assert!((sigma - 1.0).abs() < 1e-3, "{sigma}");
        }
    }

    #[test]
    fn gradients_reach_the_weights_and_do_not_scale_them() {
        let device = Device::flex().autodiff();
        let net = net(&device);
        let mut spectral = Spectral::new(&net, 0, &Device::flex());
        spectral.iterate(&net);
        let x = Tensor::ones([2, 1, 16, 16], &device);
        let y = spectral.normalized(&net).forward(x.clone());
        let grads = y.sum().backward();
        let Layer::Conv(first) = &net.layers[0] else { panic!("no convolution") };
        let weight = first.weight.val();
        let gradient = weight.grad(&grads).expect("a gradient");
        // The normalized network does not change with the length of a kernel: no gradient along it.
        let along: f32 = (gradient.clone() * weight.inner()).sum().into_scalar();
        let size: f32 = gradient.abs().sum().into_scalar();
        assert!(along.abs() < 1e-4 * size, "{along} of {size}");
    }
}
