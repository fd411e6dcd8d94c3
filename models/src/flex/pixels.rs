//! Operations on every pixel of a batch.

use std::sync::Arc;

use burn::backend::Flex;
use burn_flex::FlexTensor;

use super::channels_last as last;
use super::dims;
use super::parallel::{self, chunk};
use crate::kernels::{Error, PixelAdjoints, Pixels};

/// Values of one task.
const TASK: usize = 1 << 15;

/// Calls `each` in parallel with the number of every image of `to`, its values and its part of
/// `from`.
fn each_image(
    to: &mut [f32],
    [h, w, c]: [usize; 3],
    from: &[i32],
    each: impl Fn(usize, &mut [f32], &[i32]) + Sync,
) {
    parallel::chunks(to, h * w * c, &|image, to| {
        each(image, to, &from[image * h * w..][..h * w]);
    });
}

/// The sum of `each` over all values of two tensors `[n, c, h, w]`. In f64 and image by image, so
/// that it does not depend on the number of threads.
fn sum(x: &FlexTensor, y: &FlexTensor, each: impl Fn(f32, f32) -> f32 + Sync) -> f64 {
    let [_, c, h, w] = dims(x);
    let (x, y, len) = (last::read(x), last::read(y), c * h * w);
    let sums: Vec<f64> = parallel::map(x.len() / len, &|i| {
        let pairs = chunk(&x, i, len).iter().zip(chunk(&y, i, len));
        pairs.map(|(x, y)| f64::from(each(*x, *y))).sum()
    });
    sums.iter().sum()
}

/// `each` of all values of two tensors `[n, c, h, w]`.
fn map(x: &FlexTensor, y: &FlexTensor, each: impl Fn(f32, f32) -> f32 + Sync) -> FlexTensor {
    let shape @ [_, c, h, w] = dims(x);
    let (x, y, len) = (last::read(x), last::read(y), c * h * w);
    let mut to = vec![0.0; x.len()];
    parallel::chunks(&mut to, len, &|i, to| {
        let pairs = chunk(&x, i, len).iter().zip(chunk(&y, i, len));
        to.iter_mut().zip(pairs).for_each(|(to, (x, y))| *to = each(*x, *y));
    });
    last::tensor(to, shape)
}

fn scalar(value: f64) -> FlexTensor {
    last::flat(vec![value as f32], [1])
}

impl Pixels for Flex {
    fn cross_entropy(logits: FlexTensor, x: FlexTensor) -> FlexTensor {
        scalar(sum(&logits, &x, |l, x| l.max(0.0) + (-l.abs()).exp().ln_1p() - x * l))
    }

    fn error(x: FlexTensor, y: FlexTensor, kind: Error) -> FlexTensor {
        let count = dims(&x).iter().product::<usize>() as f64;
        let sum = match kind {
            Error::Absolute => sum(&x, &y, |x, y| (x - y).abs()),
            Error::Squared => sum(&x, &y, |x, y| (x - y) * (x - y)),
        };
        scalar(sum / count)
    }

    fn move_pixels(x: FlexTensor, from: Arc<[i32]>) -> FlexTensor {
        let [n, c, h, w] = dims(&x);
        let x = last::read(&x);
        let mut y = vec![0.0; n * c * h * w];
        each_image(&mut y, [h, w, c], &from, |image, y, from| {
            let x = &x[image * h * w * c..][..h * w * c];
            for (y, from) in y.chunks_exact_mut(c).zip(from) {
                if let Ok(from) = usize::try_from(*from) {
                    y.copy_from_slice(&x[from * c..][..c]);
                }
            }
        });
        last::tensor(y, [n, c, h, w])
    }

    fn masked(x: FlexTensor, factors: FlexTensor) -> FlexTensor {
        map(&x, &factors, |x, factor| x * factor)
    }

    fn twice(weight: FlexTensor) -> (FlexTensor, FlexTensor) {
        (weight.clone(), weight)
    }
}

impl PixelAdjoints for Flex {
    fn cross_entropy_backward(logits: FlexTensor, x: FlexTensor, dy: FlexTensor) -> FlexTensor {
        let by = last::read_as_is(&dy)[0];
        map(&logits, &x, |l, x| (1.0 / (1.0 + (-l).exp()) - x) * by)
    }

    fn error_backward(
        x: FlexTensor,
        y: FlexTensor,
        kind: Error,
        dy: FlexTensor,
        sign: f32,
    ) -> FlexTensor {
        let by = sign * last::read_as_is(&dy)[0] / dims(&x).iter().product::<usize>() as f32;
        match kind {
            // 0 where the values are equal.
            Error::Absolute => map(&x, &y, |x, y| match x == y {
                true => 0.0,
                false => by * (x - y).signum(),
            }),
            Error::Squared => map(&x, &y, |x, y| 2.0 * by * (x - y)),
        }
    }

    fn move_pixels_backward(dy: FlexTensor, from: Arc<[i32]>) -> FlexTensor {
        let [n, c, h, w] = dims(&dy);
        let dy = last::read(&dy);
        let mut dx = vec![0.0; n * c * h * w];
        each_image(&mut dx, [h, w, c], &from, |image, dx, from| {
            let dy = &dy[image * h * w * c..][..h * w * c];
            for (dy, from) in dy.chunks_exact(c).zip(from) {
                if let Ok(from) = usize::try_from(*from) {
                    let to = &mut dx[from * c..][..c];
                    to.iter_mut().zip(dy).for_each(|(to, dy)| *to += dy);
                }
            }
        });
        last::tensor(dx, [n, c, h, w])
    }

    fn sum(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        let [mut a, b] = [a, b].map(|t| t.to_contiguous());
        let b: &[f32] = b.storage();
        parallel::chunks(a.storage_mut(), TASK, &|i, a| {
            a.iter_mut().zip(chunk(b, i, TASK)).for_each(|(a, b)| *a += b);
        });
        a
    }
}
