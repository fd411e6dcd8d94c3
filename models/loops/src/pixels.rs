//! Losses and augmentations: operations on every pixel of a batch.

use crate::parallel::{self, chunk};

/// Values of one task.
const TASK: usize = 1 << 15;

/// A measure of the difference of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Its absolute value.
    Absolute,
    /// Its square.
    Squared,
}

/// The sum of `each` over all values of two batches of images of `len` values. In f64 and image by
/// image, so that it does not depend on the number of threads.
fn sum([x, y]: [&[f32]; 2], len: usize, each: impl Fn(f32, f32) -> f32 + Sync) -> f64 {
    let sums: Vec<f64> = parallel::map(x.len() / len, &|i| {
        let pairs = chunk(x, i, len).iter().zip(chunk(y, i, len));
        pairs.map(|(x, y)| f64::from(each(*x, *y))).sum()
    });
    sums.iter().sum()
}

/// `each` of all values of two batches.
fn map([x, y]: [&[f32]; 2], each: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut to = vec![0.0; x.len()];
    parallel::chunks(&mut to, TASK, &|i, to| {
        let pairs = chunk(x, i, TASK).iter().zip(chunk(y, i, TASK));
        to.iter_mut().zip(pairs).for_each(|(to, (x, y))| *to = each(*x, *y));
    });
    to
}

/// The sum of the binary cross entropies of `logits` and targets `x` from 0 to 1, images of `len`
/// values.
pub fn cross_entropy(logits: &[f32], x: &[f32], len: usize) -> f64 {
    sum([logits, x], len, |l, x| l.max(0.0) + (-l.abs()).exp().ln_1p() - x * l)
}

/// The gradient of [`cross_entropy`] by the logits, times `by`.
pub fn cross_entropy_backward(logits: &[f32], x: &[f32], by: f32) -> Vec<f32> {
    map([logits, x], |l, x| (1.0 / (1.0 + (-l).exp()) - x) * by)
}

/// The mean error of two batches of images of `len` values.
pub fn error(x: &[f32], y: &[f32], len: usize, kind: Error) -> f64 {
    let sum = match kind {
        Error::Absolute => sum([x, y], len, |x, y| (x - y).abs()),
        Error::Squared => sum([x, y], len, |x, y| (x - y) * (x - y)),
    };
    sum / x.len() as f64
}

/// The gradient of [`error`] by `x`, times `by`.
pub fn error_backward(x: &[f32], y: &[f32], kind: Error, by: f32) -> Vec<f32> {
    let by = by / x.len() as f32;
    match kind {
        // 0 where the values are equal.
        Error::Absolute => map([x, y], |x, y| match x == y {
            true => 0.0,
            false => by * (x - y).signum(),
        }),
        Error::Squared => map([x, y], |x, y| 2.0 * by * (x - y)),
    }
}

/// The products of all values of two batches.
pub fn masked(x: &[f32], factors: &[f32]) -> Vec<f32> {
    map([x, factors], |x, factor| x * factor)
}

/// `a += b`, for slices of the same length.
pub fn add(a: &mut [f32], b: &[f32]) {
    parallel::chunks(a, TASK, &|i, a| {
        a.iter_mut().zip(chunk(b, i, TASK)).for_each(|(a, b)| *a += b);
    });
}

/// Images of `pixels` pixels of `c` channels in which each pixel is the one at its index in `from`,
/// one index per pixel of the batch; a negative index makes it 0.
pub fn moved(x: &[f32], [pixels, c]: [usize; 2], from: &[i32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    parallel::chunks(&mut y, pixels * c, &|image, y| {
        let x = chunk(x, image, pixels * c);
        let from = &from[image * pixels..][..pixels];
        for (y, from) in y.chunks_exact_mut(c).zip(from) {
            if let Ok(from) = usize::try_from(*from) {
                y.copy_from_slice(&x[from * c..][..c]);
            }
        }
    });
    y
}

/// The gradient of [`moved`] by `x`.
pub fn moved_backward(dy: &[f32], [pixels, c]: [usize; 2], from: &[i32]) -> Vec<f32> {
    let mut dx = vec![0.0; dy.len()];
    parallel::chunks(&mut dx, pixels * c, &|image, dx| {
        let dy = chunk(dy, image, pixels * c);
        let from = &from[image * pixels..][..pixels];
        for (dy, from) in dy.chunks_exact(c).zip(from) {
            if let Ok(from) = usize::try_from(*from) {
                let to = &mut dx[from * c..][..c];
                to.iter_mut().zip(dy).for_each(|(to, dy)| *to += dy);
            }
        }
    });
    dx
}
