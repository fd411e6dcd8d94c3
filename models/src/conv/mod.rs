//! The convolutions of the family.
//!
//! On a CPU they are our own ([`phases`] where it applies, [`columns`] otherwise); on other devices burn's, of which the
//! transposed convolution has no fast gradient by its weight (burn 0.22): those of the family are said in convolutions and
//! matrix products, which have one.

mod columns;
mod phases;
mod product;
mod scratch;
mod window;

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, module};

pub use window::Window;

use crate::flex;

/// Convolution: `x` `[n, cin, h, w]`, `weight` `[cout, cin, k, k]` to `[n, cout, h', w']`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    if flex::takes(&x) {
        return with_bias(flex::conv(x, weight, stride, padding), bias);
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
    if flex::takes(&x) {
        return with_bias(flex::conv_transpose(x, weight, stride, padding), bias);
    }
    let [_, _, h, w] = x.dims();
    match (weight.dims(), stride, padding) {
        ([_, _, 4, 4], 2, 1) => doubled(x, weight, bias),
        (_, 1, 0) if (h, w) == (1, 1) => spread(x, weight, bias),
        _ => {
            let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1);
            module::conv_transpose2d(x, weight, bias, options)
        }
    }
}

/// The transposed convolution of kernel 4, stride 2 and padding 1 as one convolution of kernel 2 to four times the channels,
/// a part for each of the four kinds of pixels of the output, which are then put in their places.
pub fn doubled(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let [n, _, h, w] = x.dims();
    let [from, to, _, _] = weight.dims();
    // Backwards along both axes, tap 2a + p meets pixels of parity p at offset a.
    let weight = weight
        .flip([2, 3])
        .reshape([from, to, 2, 2, 2, 2])
        .permute([3, 5, 1, 0, 2, 4])
        .reshape([4 * to, from, 2, 2]);
    let bias = bias.map(|bias| bias.repeat(&[4]));
    let options = ConvOptions::new([1; 2], [1; 2], [1, 1], 1);
    let z = module::conv2d(x, weight, bias, options);
    let part = |p: usize, q: usize| {
        let first = (2 * p + q) * to;
        z.clone()
            .slice([0..n, first..first + to, p..p + h, q..q + w])
    };
    let parts = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(p, q)| part(p, q));
    Tensor::stack::<5>(parts.to_vec(), 2)
        .reshape([n, to, 2, 2, h, w])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([n, to, 2 * h, 2 * w])
}

/// The transposed convolution of a single pixel: a matrix product.
pub fn spread(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let n = x.dims()[0];
    let [from, to, k, l] = weight.dims();
    let x: Tensor<2> = x.reshape([n, from]);
    let weight: Tensor<2> = weight.reshape([from, to * k * l]);
    let y: Tensor<4> = x.matmul(weight).reshape([n, to, k, l]);
    match bias {
        Some(bias) => y + bias.reshape([1, to, 1, 1]),
        None => y,
    }
}

fn with_bias(y: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    match bias {
        Some(bias) => flex::add_bias(y, bias),
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
