//! Convolutions on a CPU, channels last: [`winograd`] where it applies, [`windows`] for those of
//! stride 1, [`im2col`] otherwise. All are matrix products, which [`gemm`] computes.

pub mod gemm;
mod im2col;
mod scratch;
mod windows;
mod winograd;

use crate::ConvShape;

/// `y` from `x` and the weight.
pub fn forward(shape: &ConvShape, x: &[f32], weight: &[f32]) -> Vec<f32> {
    if winograd::applies(shape) {
        winograd::forward(shape, x, weight)
    } else if windows::applies(shape) {
        windows::forward(shape, x, weight)
    } else {
        im2col::forward(shape, x, weight)
    }
}

/// The gradient by `x`, from the gradient by `y`. Also the transposed convolution of `y`.
pub fn data(shape: &ConvShape, y: &[f32], weight: &[f32]) -> Vec<f32> {
    if winograd::applies(shape) {
        winograd::data(shape, y, weight)
    } else if windows::applies(shape) {
        windows::data(shape, y, weight)
    } else {
        im2col::data(shape, y, weight)
    }
}

/// The gradient by the weight, from `x` and the gradient by `y`.
pub fn weight(shape: &ConvShape, x: &[f32], y: &[f32]) -> Vec<f32> {
    if winograd::applies(shape) {
        winograd::weight(shape, x, y)
    } else if windows::applies_to_weight(shape) {
        windows::weight(shape, x, y)
    } else {
        im2col::weight(shape, x, y)
    }
}
