//! The operations that a backend computes with kernels of this crate.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use loops::{ConvShape, Function};

/// What the layers' forward pass calls.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait Kernels: Backend {
    /// Convolution of `x` `[n, c, h, w]` by `weight` `[o, c, k, k]`.
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// Transposed convolution of `x` `[n, c, h, w]` by `weight` `[c, o, k, k]`.
    fn conv_transpose(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// The weight `[in, out, 4, 4]` of the transposed convolution of stride 2 and padding 1 that
    /// equals nearest-neighbor doubling and then a convolution by `weight` `[out, in, 3, 3]`. Along
    /// each axis the taps `(a, b, c)` become `(c, b + c, a + b, a)`.
    fn resize_weight(weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Means, then biased variances, of the channels of `x` `[n, c, h, w]`, as `[2 c]`; then the
    /// running `mean` and `variance` `[c]`, updated with `momentum`. Not differentiable.
    fn statistics(
        x: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        momentum: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Batch norm of `x` `[n, c, h, w]` by the batch's own `statistics` `[2 c]`, then a leaky
    /// rectifier; a slope of 1 leaves the rectifier out. The gradient by `x` includes the part that
    /// flows through the statistics.
    fn norm(
        x: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        slope: f32,
    ) -> FloatTensor<Self>;

    /// `function` of every value.
    fn activation(x: FloatTensor<Self>, function: Function) -> FloatTensor<Self>;

    /// The gradient by the input of [`Kernels::activation`], from its output `y` and the gradient
    /// `dy` by that.
    ///
    /// Differentiable by `dy` alone: the derivative of `function` counts as a constant, which is
    /// exact for rectifiers.
    fn activation_backward(
        y: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        function: Function,
    ) -> FloatTensor<Self>;

    /// `x` `[n, c, h, w]` with `bias` `[c]` added to each channel.
    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`Kernels::add_bias`], then [`Kernels::activation`].
    fn bias_activation(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        function: Function,
    ) -> FloatTensor<Self>;
}

/// Whether a factor of a matrix product holds values or gradients: gradients are so small that
/// 16-bit floats need them scaled into range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// Activations or weights.
    Value,
    /// A gradient of the mean over a batch.
    Gradient,
}

/// What the gradients of [`Kernels`] are computed with, besides the operations themselves.
pub trait Adjoints: Kernels {
    /// `y` from `x`, which holds `factor`, and the weight.
    fn conv_forward(
        shape: &ConvShape,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        factor: Factor,
    ) -> FloatTensor<Self>;

    /// The gradient by `x`, from the gradient by `y`. Also the transposed convolution of `y`, which
    /// holds `factor`.
    fn conv_data(
        shape: &ConvShape,
        y: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        factor: Factor,
    ) -> FloatTensor<Self>;

    /// The gradient by the weight, from `x` and `y`, which hold `factors`.
    fn conv_weight(
        shape: &ConvShape,
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        factors: [Factor; 2],
    ) -> FloatTensor<Self>;

    /// The gradient `[out, in, 3, 3]` by the input of [`Kernels::resize_weight`].
    fn resize_weight_backward(gradient: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradients of [`Kernels::norm`] by `x`, `gamma` and `beta`.
    fn norm_backward(parts: NormParts<Self>, dy: FloatTensor<Self>) -> [FloatTensor<Self>; 3];

    /// The gradient of [`Kernels::add_bias`] by the bias: sums over all axes but the channels.
    fn bias_backward(dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradients of [`Kernels::bias_activation`] by `x` and by the bias, from its output `y`.
    fn bias_activation_backward(
        y: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        function: Function,
    ) -> [FloatTensor<Self>; 2];
}

/// The inputs of [`Kernels::norm`].
#[derive(Clone, Debug)]
pub struct NormParts<B: Backend> {
    /// What is normalized, `[n, c, h, w]`.
    pub x: FloatTensor<B>,
    /// Means, then variances, `[2 c]`.
    pub statistics: FloatTensor<B>,
    /// Scale of each channel, `[c]`.
    pub gamma: FloatTensor<B>,
    /// Shift of each channel, `[c]`.
    pub beta: FloatTensor<B>,
    /// Added to the variance.
    pub epsilon: f32,
    /// Slope of the activation below 0.
    pub slope: f32,
}
