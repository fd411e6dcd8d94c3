//! Operations on every pixel of a batch.

use std::sync::Arc;

use burn::backend::Flex;
use burn_flex::FlexTensor;
use loops::pixels;

use super::channels_last as last;
use super::dims;
use crate::kernels::{Error, PixelAdjoints, Pixels};

/// Values in one image of a tensor `[n, c, h, w]`.
fn image_len(x: &FlexTensor) -> usize {
    dims(x)[1..].iter().product()
}

fn scalar(value: f64) -> FlexTensor {
    last::flat(vec![value as f32], [1])
}

impl Pixels for Flex {
    fn cross_entropy(logits: FlexTensor, x: FlexTensor) -> FlexTensor {
        let len = image_len(&logits);
        scalar(pixels::cross_entropy(&last::read(&logits), &last::read(&x), len))
    }

    fn error(x: FlexTensor, y: FlexTensor, kind: Error) -> FlexTensor {
        let len = image_len(&x);
        scalar(pixels::error(&last::read(&x), &last::read(&y), len, kind))
    }

    fn move_pixels(x: FlexTensor, from: Arc<[i32]>) -> FlexTensor {
        let shape @ [_, c, h, w] = dims(&x);
        last::tensor(pixels::moved(&last::read(&x), [h * w, c], &from), shape)
    }

    fn masked(x: FlexTensor, factors: FlexTensor) -> FlexTensor {
        last::tensor(pixels::masked(&last::read(&x), &last::read(&factors)), dims(&x))
    }

    fn twice(weight: FlexTensor) -> (FlexTensor, FlexTensor) {
        (weight.clone(), weight)
    }
}

impl PixelAdjoints for Flex {
    fn cross_entropy_backward(logits: FlexTensor, x: FlexTensor, dy: FlexTensor) -> FlexTensor {
        let by = last::read_as_is(&dy)[0];
        let gradient = pixels::cross_entropy_backward(&last::read(&logits), &last::read(&x), by);
        last::tensor(gradient, dims(&logits))
    }

    fn error_backward(
        x: FlexTensor,
        y: FlexTensor,
        kind: Error,
        dy: FlexTensor,
        sign: f32,
    ) -> FlexTensor {
        let by = sign * last::read_as_is(&dy)[0];
        let gradient = pixels::error_backward(&last::read(&x), &last::read(&y), kind, by);
        last::tensor(gradient, dims(&x))
    }

    fn move_pixels_backward(dy: FlexTensor, from: Arc<[i32]>) -> FlexTensor {
        let shape @ [_, c, h, w] = dims(&dy);
        last::tensor(pixels::moved_backward(&last::read(&dy), [h * w, c], &from), shape)
    }

    fn sum(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        let [mut a, b] = [a, b].map(|t| t.to_contiguous());
        pixels::add(a.storage_mut(), b.storage());
        a
    }
}
