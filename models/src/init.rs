//! DCGAN initialization (Radford et al. 2016, section 4): weights from N(0, 0.02), scales of batch
//! norms from N(1, 0.02), as in the reference code, and shifts of 0.
//!
//! Values come from a generator seeded here rather than from a backend's, so that a seed gives the
//! same network on every device.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use loops::random;
use rand::SeedableRng;
use rand::rngs::StdRng;

pub use loops::random::normals;

/// Standard deviation of every weight.
pub const STD: f32 = 0.02;

/// A source of initial weights.
pub struct Init {
    rng: StdRng,
    device: Device,
    he: Option<f32>,
}

impl Init {
    /// Weights on `device`, drawn from `seed` in the order of the calls.
    pub fn new(seed: u64, device: &Device) -> Self {
        Init { rng: StdRng::seed_from_u64(seed), device: device.clone(), he: None }
    }

    /// Draws later kernels from N(0, 2 / fan in), times `gain` (He et al. 2015, eq. 10): signals
    /// would vanish in a network with weights from N(0, 0.02) and no batch norm.
    pub fn he(&mut self, gain: f32) {
        self.he = Some(gain);
    }

    /// A kernel of `shape`, of which every output reads `fan_in` inputs.
    pub fn kernel<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let std = match self.he {
            Some(gain) => gain * (2.0 / fan_in.max(1) as f32).sqrt(),
            None => STD,
        };
        self.drawn(shape, 0.0, std)
    }

    /// A parameter of `shape` drawn from N(`mean`, 0.02).
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], mean: f32) -> Param<Tensor<D>> {
        self.drawn(shape, mean, STD)
    }

    fn drawn<const D: usize>(
        &mut self,
        shape: [usize; D],
        mean: f32,
        std: f32,
    ) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let values = random::scaled_normals(count, [mean, std], &mut self.rng);
        Param::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A parameter of `shape` drawn uniformly from [-`bound`, `bound`).
    pub fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f32) -> Param<Tensor<D>> {
        let values = random::uniforms(shape.iter().product(), bound, &mut self.rng);
        Param::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A parameter of zeros.
    pub fn zeros<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::zeros(shape, &self.device))
    }

    /// The device of the parameters.
    pub fn device(&self) -> &Device {
        &self.device
    }
}
