//! The layers' operations on kernels of this crate, entered through burn's backend extensions.
//!
//! [`supports`] tells which tensors they take; layers send all others through burn's own
//! operations. A backend implements [`Kernels`] and [`Adjoints`]: [`crate::flex`] on a CPU,
//! `crate::gpu` on a GPU. Gradients are written once, in `autodiff`. [`Branches`], the operations
//! of networks with branches, and [`Pixels`], those of losses and augmentations, have kernels on a
//! CPU only.

mod autodiff;
mod branches;
mod ops;
mod pixels;

use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor};
use loops::Function;

pub use branches::{BranchAdjoints, Branches};
pub use loops::ConvShape;
pub use loops::pixels::Error;
pub use ops::{Adjoints, Factor, Kernels, NormParts};
pub use pixels::{PixelAdjoints, Pixels};

/// Whether this crate's kernels take a tensor: 32-bit floats on the `flex` device or (feature
/// `gpu`) on a GPU.
pub fn supports<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && (x.device().inner() == Device::flex() || is_gpu(x))
}

/// Whether a tensor is on a GPU and this crate's kernels take it.
pub fn is_gpu<const D: usize>(x: &Tensor<D>) -> bool {
    // A build has no third kind of device.
    cfg!(feature = "gpu") && x.dtype() == DType::F32 && x.device().inner() != Device::flex()
}

/// Whether the operations that have kernels on a CPU only, [`Branches`] and [`Pixels`], take a
/// tensor.
pub fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    supports(x) && !is_gpu(x)
}

/// See [`Branches::instance_norm`].
pub fn instance_norm(
    x: Tensor<4>,
    [gamma, beta]: [Tensor<1>; 2],
    epsilon: f32,
    slope: f32,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Branches>::instance_norm(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
        slope,
    ))
}

/// See [`Branches::concat`].
pub fn concat(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Branches>::concat(a.into_dispatch(), b.into_dispatch()))
}

/// See [`Branches::reflect_pad`].
pub fn reflect_pad(x: Tensor<4>, padding: usize) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Branches>::reflect_pad(x.into_dispatch(), padding))
}

/// See [`Pixels::cross_entropy`].
pub fn cross_entropy(logits: Tensor<4>, x: Tensor<4>) -> Tensor<1> {
    let (logits, x) = (logits.into_dispatch(), x.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Pixels>::cross_entropy(logits, x))
}

/// See [`Pixels::error`].
pub fn error(x: Tensor<4>, y: Tensor<4>, kind: Error) -> Tensor<1> {
    let (x, y) = (x.into_dispatch(), y.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Pixels>::error(x, y, kind))
}

/// See [`Pixels::move_pixels`].
pub fn move_pixels(x: Tensor<4>, from: Arc<[i32]>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Pixels>::move_pixels(x.into_dispatch(), from))
}

/// See [`Pixels::masked`].
pub fn masked(x: Tensor<4>, factors: Tensor<4>) -> Tensor<4> {
    let (x, factors) = (x.into_dispatch(), factors.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Pixels>::masked(x, factors))
}

/// See [`Pixels::twice`].
pub fn twice(weight: Tensor<4>) -> [Tensor<4>; 2] {
    let (a, b) = <Dispatch as Pixels>::twice(weight.into_dispatch());
    [a, b].map(Tensor::from_dispatch)
}

/// See [`Kernels::conv`].
pub fn conv(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::conv(x, weight, stride, padding))
}

/// See [`Kernels::conv_transpose`].
pub fn conv_transpose(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::conv_transpose(x, weight, stride, padding))
}

/// See [`Kernels::resize_weight`].
pub fn resize_weight(weight: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::resize_weight(weight.into_dispatch()))
}

/// See [`Kernels::statistics`].
pub fn statistics(
    x: Tensor<4>,
    [mean, variance]: [Tensor<1>; 2],
    momentum: f64,
) -> (Tensor<1>, [Tensor<1>; 2]) {
    let (statistics, mean, variance) = <Dispatch as Kernels>::statistics(
        x.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        momentum as f32,
    );
    (Tensor::from_dispatch(statistics), [mean, variance].map(Tensor::from_dispatch))
}

/// See [`Kernels::norm`].
pub fn norm(
    x: Tensor<4>,
    statistics: Tensor<1>,
    [gamma, beta]: [Tensor<1>; 2],
    epsilon: f32,
    slope: f32,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::norm(
        x.into_dispatch(),
        statistics.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
        slope,
    ))
}

/// See [`Kernels::activation`].
pub fn activation(x: Tensor<4>, function: Function) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::activation(x.into_dispatch(), function))
}

/// See [`Kernels::activation_backward`].
pub fn activation_backward(y: Tensor<4>, dy: Tensor<4>, function: Function) -> Tensor<4> {
    let (y, dy) = (y.into_dispatch(), dy.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::activation_backward(y, dy, function))
}

/// See [`Kernels::add_bias`].
pub fn add_bias(x: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::add_bias(x, bias))
}

/// See [`Kernels::bias_activation`].
pub fn bias_activation(x: Tensor<4>, bias: Tensor<1>, function: Function) -> Tensor<4> {
    let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::bias_activation(x, bias, function))
}
