//! Convolutions on a CPU, channels last: [`winograd`] where it applies, [`im2col`] otherwise. Both
//! are matrix products, which [`gemm`] computes.

pub mod gemm;
mod im2col;
mod scratch;
mod winograd;

use crate::kernels::ConvShape;

/// `y` from `x` and the weight.
pub fn forward(shape: &ConvShape, x: &[f32], weight: &[f32]) -> Vec<f32> {
    match winograd::applies(shape) {
        true => winograd::forward(shape, x, weight),
        false => im2col::forward(shape, x, weight),
    }
}

/// The gradient by `x`, from the gradient by `y`. Also the transposed convolution of `y`.
pub fn data(shape: &ConvShape, y: &[f32], weight: &[f32]) -> Vec<f32> {
    match winograd::applies(shape) {
        true => winograd::data(shape, y, weight),
        false => im2col::data(shape, y, weight),
    }
}

/// The gradient by the weight, from `x` and the gradient by `y`.
pub fn weight(shape: &ConvShape, x: &[f32], y: &[f32]) -> Vec<f32> {
    match winograd::applies(shape) {
        true => winograd::weight(shape, x, y),
        false => im2col::weight(shape, x, y),
    }
}
