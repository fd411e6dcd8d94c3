//! Instance norm, concatenation and reflected borders.

use burn::backend::Flex;
use burn_flex::FlexTensor;
use loops::branches;
use loops::norm::Instances;

use super::channels_last as last;
use super::dims;
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
        let y = branches::concat([&last::read(&a), &last::read(&b)], [c, d]);
        last::tensor(y, [n, c + d, h, w])
    }

    fn reflect_pad(x: FlexTensor, padding: usize) -> FlexTensor {
        let [n, c, h, w] = dims(&x);
        let (height, width) = (h + 2 * padding, w + 2 * padding);
        let y = branches::reflect_pad(&last::read(&x), [h, w, c], padding);
        last::tensor(y, [n, c, height, width])
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
        let [a, b] = branches::split(&last::read(&dy), [channels, c - channels]);
        [last::tensor(a, [n, channels, h, w]), last::tensor(b, [n, c - channels, h, w])]
    }

    fn reflect_pad_backward(dy: FlexTensor, padding: usize) -> FlexTensor {
        let [n, c, height, width] = dims(&dy);
        let (h, w) = (height - 2 * padding, width - 2 * padding);
        let dx = branches::reflect_pad_backward(&last::read(&dy), [h, w, c], padding);
        last::tensor(dx, [n, c, h, w])
    }
}
