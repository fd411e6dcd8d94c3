//! `y[c] = scale[c] * x[c] + shift[c]`.

use super::bias::bias_of;
use super::shape::Shape;

/// The obvious loop.
pub fn reference(shape: Shape, x: &[f32], scale: &[f32], shift: &[f32], y: &mut [f32]) {
    let planes = x.chunks_exact(shape.plane()).zip(y.chunks_exact_mut(shape.plane()));
    for (c, (x, y)) in planes.enumerate() {
        for (x, y) in x.iter().zip(y) {
            *y = scale[c] * x + bias_of(shift, c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_examples() {
        let mut y = [0.0; 4];
        let x = [1.0, 2.0, 3.0, 4.0];
        reference(Shape::new(2, 1, 2), &x, &[2.0, -1.0], &[0.5, 0.0], &mut y);
        assert_eq!(y, [2.5, 4.5, -3.0, -4.0]);
    }
}
