//! `y[c] = scale[c] * (x[c] - mean) / sqrt(variance + epsilon) + shift[c]`, with the mean and the
//! variance of the channel itself (Ulyanov et al. 2016, "Instance Normalization", equation 4).

use super::bias::bias_of;
use super::shape::Shape;
use crate::sqrt::sqrt;

/// What is subtracted from the values of a channel, and their factor.
pub(crate) fn factors((mean, variance): (f64, f64), epsilon: f32, scale: f32) -> (f32, f32) {
    (mean as f32, (scale as f64 / sqrt(variance + epsilon as f64)) as f32)
}

/// The obvious loop.
pub fn reference(
    shape: Shape,
    epsilon: f32,
    x: &[f32],
    scale: &[f32],
    shift: &[f32],
    y: &mut [f32],
) {
    let n = shape.plane() as f64;
    let planes = x.chunks_exact(shape.plane()).zip(y.chunks_exact_mut(shape.plane()));
    for (c, (x, y)) in planes.enumerate() {
        let mean = x.iter().map(|x| *x as f64).sum::<f64>() / n;
        let off = |x: &f32| (*x as f64 - mean) * (*x as f64 - mean);
        let variance = x.iter().map(off).sum::<f64>() / n;
        let (mean, factor) = factors((mean, variance), epsilon, scale[c]);
        for (x, y) in x.iter().zip(y) {
            *y = (x - mean) * factor + bias_of(shift, c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_examples() {
        // Mean 2 and variance 1, then mean 5 and variance 0.
        let x = [1.0, 3.0, 1.0, 3.0, 5.0, 5.0, 5.0, 5.0];
        let mut y = [0.0; 8];
        reference(Shape::new(2, 2, 2), 3.0, &x, &[4.0, 1.0], &[0.5, -1.0], &mut y);
        assert_eq!(y, [-1.5, 2.5, -1.5, 2.5, -1.0, -1.0, -1.0, -1.0]);
        reference(Shape::new(1, 2, 2), 0.0, &x[..4], &[1.0], &[], &mut y[..4]);
        assert_eq!(y[..4], [-1.0, 1.0, -1.0, 1.0]);
    }
}
