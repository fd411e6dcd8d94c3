//! Products by a given plan, and the peak of the adapter, for benchmarks.

use burn::backend::tensor::FloatTensor;
use burn::backend::wgpu::CubeTensor;
use burn::backend::{Backend, Cube, Dispatch, backend_extension};
use burn::tensor::Tensor;

use super::{Plan, run_as};
use crate::gpu::gemm::Pass;
use crate::gpu::peak;
use crate::gpu::tensor::{channels_last, empty_channels_last};
use crate::kernels::ConvShape;

/// A product to measure.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Which pass.
    pub pass: Pass,
    /// Of which convolution.
    pub shape: ConvShape,
    /// How.
    pub plan: Plan,
}

/// What benchmarks launch.
#[backend_extension(Cube)]
pub trait Measured: Backend {
    /// The product of a job, of factors in the layout of its pass.
    fn product(left: FloatTensor<Self>, right: FloatTensor<Self>, job: Job) -> FloatTensor<Self>;

    /// Multiply-adds for this many rounds, see [`peak::peak_work`].
    fn peak(like: FloatTensor<Self>, rounds: u32) -> FloatTensor<Self>;
}

impl Measured for Cube {
    fn product(left: CubeTensor, right: CubeTensor, job: Job) -> CubeTensor {
        let Job { pass, shape, plan } = job;
        let s = &shape;
        let sides = match pass {
            Pass::Forward => [s.images, s.features, s.rows(), s.columns()],
            Pass::Data => [s.images, s.channels, s.height, s.width],
            Pass::Weight => [s.features, s.channels, s.kernel, s.kernel],
        };
        let result = empty_channels_last(&left, sides);
        let factors = [&channels_last(left), &channels_last(right)];
        run_as(plan, pass, s, factors, result, [1.0, 1.0])
    }

    fn peak(like: CubeTensor, rounds: u32) -> CubeTensor {
        peak::peak(&like, rounds);
        like
    }
}

/// See [`Measured::product`].
pub fn product(left: Tensor<4>, right: Tensor<4>, job: Job) -> Tensor<4> {
    let (left, right) = (left.into_dispatch(), right.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Measured>::product(left, right, job))
}

/// See [`Measured::peak`].
pub fn peak(like: Tensor<1>, rounds: u32) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Measured>::peak(like.into_dispatch(), rounds))
}
