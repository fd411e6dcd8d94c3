//! The kernels on a GPU: WGSL programs on the client of burn's `Cube` backend.
//!
//! As on the CPU, feature maps lie channels last behind the usual shapes, and so do weights after
//! their first update, so that nothing is moved between two layers. Each pass of a convolution is a
//! matrix product in one launch, or two if its sum is split. All sums are added up in a fixed
//! order, so that a run repeats to the bit on one adapter.

use burn::backend::Cube;
use burn::backend::wgpu::CubeTensor;
use loops::Function;

use crate::kernels::{Adjoints, ConvShape, Factor, Kernels, NormParts};

mod channels;
mod column_sums;
pub mod conv;
pub mod gemm;
pub mod launch;
pub mod machine;
pub mod note;
pub mod peak;
mod resize;
pub mod tensor;
pub mod wgsl;

use channels::{activation, norm};
use tensor::dims;

/// The scale that brings gradients of a mean over `images` into the range of 16-bit floats: they
/// are of the order of `1 / images`, and smaller inside a network. A power of two, so that no
/// mantissa changes.
fn scale(images: usize, factor: Factor) -> f32 {
    match factor {
        Factor::Value => 1.0,
        Factor::Gradient => 1024.0 * images.next_power_of_two() as f32,
    }
}

impl Kernels for Cube {
    fn conv(x: CubeTensor, weight: CubeTensor, stride: usize, padding: usize) -> CubeTensor {
        let shape = ConvShape::conv(dims(&x), dims(&weight), stride, padding);
        conv::forward(&shape, x, weight, 1.0)
    }

    fn conv_transpose(
        x: CubeTensor,
        weight: CubeTensor,
        stride: usize,
        padding: usize,
    ) -> CubeTensor {
        let shape = ConvShape::conv_transpose(dims(&x), dims(&weight), stride, padding);
        conv::data(&shape, x, weight, 1.0)
    }

    fn resize_weight(weight: CubeTensor) -> CubeTensor {
        resize::forward(weight)
    }

    fn statistics(
        x: CubeTensor,
        mean: CubeTensor,
        variance: CubeTensor,
        momentum: f32,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        norm::statistics(x, [mean, variance], momentum).into()
    }

    fn norm(
        x: CubeTensor,
        statistics: CubeTensor,
        gamma: CubeTensor,
        beta: CubeTensor,
        epsilon: f32,
        slope: f32,
    ) -> CubeTensor {
        norm::forward(NormParts { x, statistics, gamma, beta, epsilon, slope })
    }

    fn activation(x: CubeTensor, function: Function) -> CubeTensor {
        activation::forward(x, function)
    }

    fn activation_backward(y: CubeTensor, dy: CubeTensor, function: Function) -> CubeTensor {
        activation::backward(y, dy, function)
    }

    fn add_bias(x: CubeTensor, bias: CubeTensor) -> CubeTensor {
        activation::add_bias(x, bias)
    }

    fn bias_activation(x: CubeTensor, bias: CubeTensor, function: Function) -> CubeTensor {
        activation::bias_forward(x, bias, function)
    }
}

impl Adjoints for Cube {
    fn conv_forward(s: &ConvShape, x: CubeTensor, weight: CubeTensor, is: Factor) -> CubeTensor {
        conv::forward(s, x, weight, scale(s.images, is))
    }

    fn conv_data(s: &ConvShape, y: CubeTensor, weight: CubeTensor, is: Factor) -> CubeTensor {
        conv::data(s, y, weight, scale(s.images, is))
    }

    fn conv_weight(
        s: &ConvShape,
        x: CubeTensor,
        y: CubeTensor,
        [of_x, of_y]: [Factor; 2],
    ) -> CubeTensor {
        conv::weight(s, x, y, [scale(s.images, of_y), scale(s.images, of_x)])
    }

    fn resize_weight_backward(gradient: CubeTensor) -> CubeTensor {
        resize::backward(gradient)
    }

    fn norm_backward(parts: NormParts<Cube>, dy: CubeTensor) -> [CubeTensor; 3] {
        norm::backward(parts, dy)
    }

    fn bias_backward(dy: CubeTensor) -> CubeTensor {
        activation::bias_gradient(dy)
    }

    fn bias_activation_backward(
        y: CubeTensor,
        dy: CubeTensor,
        function: Function,
    ) -> [CubeTensor; 2] {
        activation::bias_backward(y, dy, function)
    }
}
