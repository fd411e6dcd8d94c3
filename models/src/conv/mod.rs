//! The convolutions of the family.
//!
//! Ours for 32-bit floats: on a CPU [`phases`] where it applies, [`columns`] otherwise; on a GPU the module `gpu`. Other
//! numbers go through burn's.

mod columns;
mod phases;
mod product;
mod scratch;
mod window;

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, module};

pub use window::Window;

use crate::kernels;

/// Convolution: `x` `[n, cin, h, w]`, `weight` `[cout, cin, k, k]` to `[n, cout, h', w']`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    if kernels::takes(&x) {
        return with_bias(kernels::conv(x, weight, stride, padding), bias);
    }
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    module::conv2d(x, weight, bias, options)
}

/// Transposed convolution: `x` `[n, cin, h, w]`, `weight` `[cin, cout, k, k]` to `[n, cout, h', w']`.
pub fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    if kernels::takes(&x) {
        return with_bias(kernels::conv_transpose(x, weight, stride, padding), bias);
    }
    let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1);
    module::conv_transpose2d(x, weight, bias, options)
}

fn with_bias(y: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    match bias {
        Some(bias) => kernels::add_bias(y, bias),
        None => y,
    }
}

/// `y` of `x` and the weight, channels last.
pub fn forward(w: &Window, x: &[f32], weight: &[f32]) -> Vec<f32> {
    match phases::takes(w) {
        true => phases::forward(w, x, weight),
        false => columns::forward(w, x, weight),
    }
}

/// The gradient by `x`, of the gradient by `y`: also the transposed convolution of `y`.
pub fn data(w: &Window, y: &[f32], weight: &[f32]) -> Vec<f32> {
    match phases::takes(w) {
        true => phases::data(w, y, weight),
        false => columns::data(w, y, weight),
    }
}

/// The gradient by the weight, of `x` and the gradient by `y`.
pub fn weight(w: &Window, x: &[f32], y: &[f32]) -> Vec<f32> {
    match phases::takes(w) {
        true => phases::weight(w, x, y),
        false => columns::weight(w, x, y),
    }
}
