//! The operations of networks with branches, and their gradients. Layers compute them with burn's
//! own operations on devices that do not have them.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata, backend_extension};

use super::autodiff::{Derivative, record};

/// What the layers' forward pass calls.
#[backend_extension(Flex, Autodiff)]
pub trait Branches: Backend {
    /// Instance norm of `x` `[n, c, h, w]`, scaled by `gamma` `[c]` and shifted by `beta` `[c]`,
    /// then a leaky rectifier; a slope of 1 leaves the rectifier out. The gradient by `x` includes the
    /// part that flows through the statistics.
    fn instance_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        slope: f32,
    ) -> FloatTensor<Self>;

    /// The channels of `a` `[n, c, h, w]`, then those of `b` `[n, d, h, w]`.
    fn concat(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `x` `[n, c, h, w]` with `padding` rows and columns on each side that mirror those inside,
    /// without the outermost. `padding` is less than `h` and `w`.
    fn reflect_pad(x: FloatTensor<Self>, padding: usize) -> FloatTensor<Self>;
}

/// What the gradients of [`Branches`] are computed with.
pub trait BranchAdjoints: Branches {
    /// The gradients of [`Branches::instance_norm`] by `x`, `gamma` and `beta`.
    fn instance_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        slope: f32,
        dy: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 3];

    /// The first `channels` channels of `dy`, and the others.
    fn split(dy: FloatTensor<Self>, channels: usize) -> [FloatTensor<Self>; 2];

    /// The gradient by the input of [`Branches::reflect_pad`].
    fn reflect_pad_backward(dy: FloatTensor<Self>, padding: usize) -> FloatTensor<Self>;
}

#[derive(Debug)]
struct InstanceNorm;

#[derive(Clone, Debug)]
struct Parts<B: Backend> {
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    epsilon: f32,
    slope: f32,
}

impl<B: BranchAdjoints> Derivative<B, 3> for InstanceNorm {
    type State = Parts<B>;

    fn gradients(parts: Parts<B>, dy: FloatTensor<B>, _: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        let Parts { x, gamma, beta, epsilon, slope } = parts;
        B::instance_norm_backward(x, gamma, beta, epsilon, slope, dy).map(Some)
    }
}

#[derive(Debug)]
struct Concat;

impl<B: BranchAdjoints> Derivative<B, 2> for Concat {
    /// Channels of the first input.
    type State = usize;

    fn gradients(channels: usize, dy: FloatTensor<B>, _: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        B::split(dy, channels).map(Some)
    }
}

#[derive(Debug)]
struct ReflectPad;

impl<B: BranchAdjoints> Derivative<B, 1> for ReflectPad {
    /// Rows and columns on each side.
    type State = usize;

    fn gradients(padding: usize, dy: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [Some(B::reflect_pad_backward(dy, padding))]
    }
}

impl<B: BranchAdjoints, C: CheckpointStrategy> Branches for Autodiff<B, C> {
    fn instance_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        slope: f32,
    ) -> FloatTensor<Self> {
        let inputs = [x.node(), gamma.node(), beta.node()];
        let [x, gamma, beta] = [x, gamma, beta].map(|t| t.into_primitive());
        let y = B::instance_norm(x.clone(), gamma.clone(), beta.clone(), epsilon, slope);
        record::<B, C, _, 3>(InstanceNorm, inputs, y, |_| Parts { x, gamma, beta, epsilon, slope })
    }

    fn concat(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let inputs = [a.node(), b.node()];
        let [_, channels, _, _] = a.primitive().shape().dims();
        let y = B::concat(a.into_primitive(), b.into_primitive());
        record::<B, C, _, 2>(Concat, inputs, y, |_| channels)
    }
    fn reflect_pad(x: FloatTensor<Self>, padding: usize) -> FloatTensor<Self> {
        let inputs = [x.node()];
        let y = B::reflect_pad(x.into_primitive(), padding);
        record::<B, C, _, 1>(ReflectPad, inputs, y, |_| padding)
    }
}
