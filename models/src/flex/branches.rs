//! Instance norm, concatenation and reflected borders.

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

    fn reflect_pad(x: FlexTensor, padding: usize) -> FlexTensor {
        let [n, c, h, w] = dims(&x);
        let (height, width) = (h + 2 * padding, w + 2 * padding);
        let mut y = Vec::with_capacity(n * height * width * c);
        for x in last::read(&x).chunks_exact(h * w * c) {
            for row in (0..height).map(|row| reflected(row, padding, h)) {
                let line = &x[row * w * c..][..w * c];
                let pixel = |column: usize| &line[reflected(column, padding, w) * c..][..c];
                (0..padding).for_each(|column| y.extend_from_slice(pixel(column)));
                y.extend_from_slice(line);
                (padding + w..width).for_each(|column| y.extend_from_slice(pixel(column)));
            }
        }
        last::tensor(y, [n, c, height, width])
    }
}

/// The row or column of an image of `size` that one of the padded image shows.
fn reflected(at: usize, padding: usize, size: usize) -> usize {
    let last = size - 1;
    last - last.abs_diff(at.abs_diff(padding))
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

    fn reflect_pad_backward(dy: FlexTensor, padding: usize) -> FlexTensor {
        let [n, c, height, width] = dims(&dy);
        let (h, w) = (height - 2 * padding, width - 2 * padding);
        let mut dx = vec![0.0; n * c * h * w];
        let images = dx.chunks_exact_mut(h * w * c);
        for (dx, dy) in images.zip(last::read(&dy).chunks_exact(height * width * c)) {
            for (row, dy) in dy.chunks_exact(width * c).enumerate() {
                let to = &mut dx[reflected(row, padding, h) * w * c..][..w * c];
                let mut add = |at: usize, dy: &[f32]| {
                    to[at..][..dy.len()].iter_mut().zip(dy).for_each(|(to, dy)| *to += dy);
                };
                for column in (0..padding).chain(padding + w..width) {
                    add(reflected(column, padding, w) * c, &dy[column * c..][..c]);
                }
                add(0, &dy[padding * c..][..w * c]);
            }
        }
        last::tensor(dx, [n, c, h, w])
    }
}
