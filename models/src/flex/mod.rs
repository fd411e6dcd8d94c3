//! The kernels on a CPU, in burn's `flex` backend.
//!
//! The loops are in the package `loops`: slices in `[n, h, w, c]` order go in and out of [`conv`],
//! [`norm`] and [`activation`]; these files lend them the memory of burn's tensors.

use burn::backend::{Flex, TensorMetadata};
use burn_flex::FlexTensor;
use loops::norm::Norm;
use loops::{Function, resize};

use crate::kernels::{Adjoints, ConvShape, Factor, Kernels, NormParts};

mod branches;
mod channels_last;
mod pixels;

pub use loops::{activation, conv, norm, peak, update};

use channels_last as last;

fn dims(x: &FlexTensor) -> [usize; 4] {
    x.shape().dims()
}

fn forward(s: &ConvShape, x: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let y = conv::forward(s, &last::read(x), &last::read_as_is(weight));
    last::tensor(y, [s.images, s.features, s.rows(), s.columns()])
}

fn data(s: &ConvShape, y: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let x = conv::data(s, &last::read(y), &last::read_as_is(weight));
    last::tensor(x, [s.images, s.channels, s.height, s.width])
}

/// Calls `f` with the slices of a batch norm.
fn with_norm<R>(parts: &NormParts<Flex>, f: impl FnOnce(&Norm<'_>) -> R) -> R {
    let [n, c, h, w] = dims(&parts.x);
    debug_assert!(n > 0);
    f(&Norm {
        x: &last::read(&parts.x),
        image_len: c * h * w,
        statistics: &last::read_as_is(&parts.statistics),
        gamma: &last::read_as_is(&parts.gamma),
        beta: &last::read_as_is(&parts.beta),
        epsilon: parts.epsilon,
        slope: parts.slope,
    })
}

impl Kernels for Flex {
    fn conv(x: FlexTensor, weight: FlexTensor, stride: usize, padding: usize) -> FlexTensor {
        let shape = ConvShape::conv(dims(&x), dims(&weight), stride, padding);
        forward(&shape, &x, &weight)
    }

    fn conv_transpose(
        x: FlexTensor,
        weight: FlexTensor,
        stride: usize,
        padding: usize,
    ) -> FlexTensor {
        let shape = ConvShape::conv_transpose(dims(&x), dims(&weight), stride, padding);
        data(&shape, &x, &weight)
    }

    fn resize_weight(weight: FlexTensor) -> FlexTensor {
        let [out, from, _, _] = dims(&weight);
        let resized = resize::forward(&last::read_as_is(&weight), [out, from]);
        last::flat(resized, [from, out, 4, 4])
    }

    fn statistics(
        x: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        momentum: f32,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [_, c, h, w] = dims(&x);
        let statistics = norm::statistics(&last::read(&x), c * h * w, c);
        let kept = (1.0 - f64::from(momentum)) as f32;
        let update = |old: &FlexTensor, new: &[f32]| {
            let old = last::read_as_is(old);
            let each = old.iter().zip(new).map(|(o, n)| o * kept + n * momentum);
            last::flat(each.collect(), [c])
        };
        let mean = update(&mean, &statistics[..c]);
        let variance = update(&variance, &statistics[c..]);
        (last::flat(statistics, [2 * c]), mean, variance)
    }

    fn norm(
        x: FlexTensor,
        statistics: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f32,
        slope: f32,
    ) -> FlexTensor {
        let shape = dims(&x);
        let parts = NormParts { x, statistics, gamma, beta, epsilon, slope };
        last::tensor(with_norm(&parts, |n| n.forward()), shape)
    }

    fn activation(x: FlexTensor, function: Function) -> FlexTensor {
        last::tensor(activation::forward(&last::read(&x), function), dims(&x))
    }

    fn activation_backward(y: FlexTensor, dy: FlexTensor, function: Function) -> FlexTensor {
        let dx = activation::backward(&last::read(&y), &last::read(&dy), function);
        last::tensor(dx, dims(&y))
    }

    fn add_bias(x: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let [_, c, h, w] = dims(&x);
        let (scale, shift) = (vec![1.0; c], last::read_as_is(&bias));
        let y = norm::affine(&last::read(&x), c * h * w, &scale, &shift, 1.0);
        last::tensor(y, dims(&x))
    }

    fn bias_activation(x: FlexTensor, bias: FlexTensor, function: Function) -> FlexTensor {
        Flex::activation(Flex::add_bias(x, bias), function)
    }
}

impl Adjoints for Flex {
    fn conv_forward(s: &ConvShape, x: FlexTensor, weight: FlexTensor, _: Factor) -> FlexTensor {
        forward(s, &x, &weight)
    }

    fn conv_data(s: &ConvShape, y: FlexTensor, weight: FlexTensor, _: Factor) -> FlexTensor {
        data(s, &y, &weight)
    }

    fn conv_weight(s: &ConvShape, x: FlexTensor, y: FlexTensor, _: [Factor; 2]) -> FlexTensor {
        let values = conv::weight(s, &last::read(&x), &last::read(&y));
        last::flat(values, [s.features, s.channels, s.kernel, s.kernel])
    }

    fn resize_weight_backward(gradient: FlexTensor) -> FlexTensor {
        let [from, out, _, _] = dims(&gradient);
        let weight = resize::backward(&last::read_as_is(&gradient), [out, from]);
        last::flat(weight, [out, from, 3, 3])
    }

    fn norm_backward(parts: NormParts<Flex>, dy: FlexTensor) -> [FlexTensor; 3] {
        let [dx, gamma, beta] = with_norm(&parts, |n| n.backward(&last::read(&dy)));
        let channels = gamma.len();
        [
            last::tensor(dx, dims(&parts.x)),
            last::flat(gamma, [channels]),
            last::flat(beta, [channels]),
        ]
    }

    fn bias_backward(dy: FlexTensor) -> FlexTensor {
        let [_, c, h, w] = dims(&dy);
        last::flat(norm::sums(&last::read(&dy), c * h * w, c), [c])
    }

    fn bias_activation_backward(
        y: FlexTensor,
        dy: FlexTensor,
        function: Function,
    ) -> [FlexTensor; 2] {
        let dx = Flex::activation_backward(y, dy, function);
        let bias = Flex::bias_backward(dx.clone());
        [dx, bias]
    }
}
