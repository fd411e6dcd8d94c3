//! The convolutions that layers call: this crate's kernels if they take the tensor, otherwise
//! burn's.

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, module};

use crate::kernels;

/// Convolution: `x` `[n, cin, h, w]`, `weight` `[cout, cin, k, k]` to `[n, cout, h', w']`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    if kernels::supports(&x) {
        return with_bias(kernels::conv(x, weight, stride, padding), bias);
    }
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    module::conv2d(x, weight, bias, options)
}

/// Transposed convolution: `x` `[n, cin, h, w]`, `weight` `[cin, cout, k, k]` to
/// `[n, cout, h', w']`.
pub fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    if kernels::supports(&x) {
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
