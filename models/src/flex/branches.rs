//! Instance norm and concatenation.

use burn::backend::Flex;
use burn_flex::FlexTensor;

use super::channels_last as last;
use super::dims;
use super::norm::Instances;
use crate::kernels::{BranchAdjoints, Branches};

/// Calls `f` with the slices of an instance norm.
fn with<R>(
    [x, gamma, beta]: [&FlexTensor; 3],
    [epsilon, slope]: [f32; 2],
    f: impl FnOnce(&Instances<'_>) -> R,
) -> R {
    let [_, c, h, w] = dims(x);
    f(&Instances {
        x: &last::read(x),
        image_len: c * h * w,
        gamma: &last::read_as_is(gamma),
        beta: &last::read_as_is(beta),
        epsilon,
        slope,
    })
}

impl Branches for Flex {
    fn instance_norm(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f32,
        slope: f32,
    ) -> FlexTensor {
        let y = with([&x, &gamma, &beta], [epsilon, slope], |norm| norm.forward());
        last::tensor(y, dims(&x))
    }

    fn concat(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        let ([n, c, h, w], [_, d, _, _]) = (dims(&a), dims(&b));
        let mut y = Vec::with_capacity(n * (c + d) * h * w);
        let (a, b) = (last::read(&a), last::read(&b));
        for (a, b) in a.chunks_exact(c).zip(b.chunks_exact(d)) {
            y.extend_from_slice(a);
            y.extend_from_slice(b);
        }
        last::tensor(y, [n, c + d, h, w])
    }
}

impl BranchAdjoints for Flex {
    fn instance_norm_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f32,
        slope: f32,
        dy: FlexTensor,
    ) -> [FlexTensor; 3] {
        let dy = last::read(&dy);
        let [dx, by_gamma, by_beta] =
            with([&x, &gamma, &beta], [epsilon, slope], |norm| norm.backward(&dy));
        let channels = by_gamma.len();
        [
            last::tensor(dx, dims(&x)),
            last::flat(by_gamma, [channels]),
            last::flat(by_beta, [channels]),
        ]
    }

    fn split(dy: FlexTensor, channels: usize) -> [FlexTensor; 2] {
        let [n, c, h, w] = dims(&dy);
        let pixels = n * h * w;
        let mut a = Vec::with_capacity(pixels * channels);
        let mut b = Vec::with_capacity(pixels * (c - channels));
        for pixel in last::read(&dy).chunks_exact(c) {
            let (first, second) = pixel.split_at(channels);
            a.extend_from_slice(first);
            b.extend_from_slice(second);
        }
        [last::tensor(a, [n, channels, h, w]), last::tensor(b, [n, c - channels, h, w])]
    }
}
