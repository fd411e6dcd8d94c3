//! Element-wise functions, alone or behind a bias. A logistic function goes through burn's own
//! kernels.

use burn::backend::Cube;
use burn::backend::ops::ActivationOps;
use burn::backend::wgpu::CubeTensor;
use loops::Function;

use super::{Extra, Kind, Map};
use crate::gpu::tensor::{
    channels_last, contiguous, dims, empty, empty_channels_last, in_layout_of,
};

/// See [`Kernels::activation`](crate::kernels::Kernels::activation).
pub fn forward(x: CubeTensor, function: Function) -> CubeTensor {
    let Some(extra) = Extra::function(function) else {
        return Cube::sigmoid(x);
    };
    let x = channels_last(x);
    let shape = dims(&x);
    let y = empty_channels_last(&x, shape);
    Map::flat(shape.iter().product()).apply(Kind::ActivationForward, &[&x], &y, extra);
    y
}

/// See [`Kernels::activation_backward`](crate::kernels::Kernels::activation_backward).
pub fn backward(y: CubeTensor, dy: CubeTensor, function: Function) -> CubeTensor {
    let Some(extra) = Extra::function(function) else {
        return Cube::sigmoid_backward(y, dy);
    };
    let y = channels_last(y);
    let dy = in_layout_of(dy, &y);
    let shape = dims(&y);
    let dx = empty_channels_last(&y, shape);
    Map::flat(shape.iter().product()).apply(Kind::ActivationBackward, &[&y, &dy], &dx, extra);
    dx
}

/// See [`Kernels::bias_activation`](crate::kernels::Kernels::bias_activation).
pub fn bias_forward(x: CubeTensor, bias: CubeTensor, function: Function) -> CubeTensor {
    let Some(extra) = Extra::function(function) else {
        return Cube::sigmoid(add_bias(x, bias));
    };
    let (x, bias) = (channels_last(x), contiguous(bias));
    let y = empty_channels_last(&x, dims(&x));
    Map::of(&x).apply(Kind::BiasForward, &[&x, &bias], &y, extra);
    y
}

/// The gradients of [`bias_forward`] by `x` and by the bias.
pub fn bias_backward(y: CubeTensor, dy: CubeTensor, function: Function) -> [CubeTensor; 2] {
    let Some(extra) = Extra::function(function) else {
        let dx = Cube::sigmoid_backward(y, dy);
        return [dx.clone(), bias_gradient(dx)];
    };
    let [y, dy] = [y, dy].map(channels_last);
    let map = Map::of(&y);
    let channels = dims(&y)[1];
    let runs @ (_, count) = map.runs();
    let (dx, sums) = (empty_channels_last(&y, dims(&y)), empty(&y, [count, channels]));
    map.run(Kind::BiasBackward, runs, (&[&y, &dy], &[&dx, &sums]), extra);
    let bias = map.add_up(&sums, count, channels);
    [dx, bias]
}

/// See [`Kernels::add_bias`](crate::kernels::Kernels::add_bias).
pub fn add_bias(x: CubeTensor, bias: CubeTensor) -> CubeTensor {
    bias_forward(x, bias, Function::LeakyRelu(1.0))
}

/// The sums over all axes but the channels.
pub fn bias_gradient(dy: CubeTensor) -> CubeTensor {
    let dy = channels_last(dy);
    let map = Map::of(&dy);
    let channels = dims(&dy)[1];
    let runs @ (_, count) = map.runs();
    let sums = empty(&dy, [count, channels]);
    map.run(Kind::Sums, runs, (&[&dy], &[&sums]), Extra::default());
    map.add_up(&sums, count, channels)
}
