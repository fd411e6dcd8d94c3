//! Nearest-neighbor upsampling by an integer factor.

use super::shape::{LARGEST, Shape, ShapeError};

/// The upsampled shape.
///
/// # Errors
/// [`ShapeError`] if the factor is 0 or the output too large.
pub fn output(input: Shape, factor: usize) -> Result<Shape, ShapeError> {
    if factor == 0 {
        return Err(ShapeError::Zero("the factor"));
    }
    let side = |n: usize| n.checked_mul(factor).filter(|n| *n <= LARGEST);
    match (side(input.h), side(input.w)) {
        (Some(h), Some(w)) => Ok(Shape::new(input.c, h, w)),
        _ => Err(ShapeError::TooLarge),
    }
}

/// The obvious loop.
pub fn reference(input: Shape, factor: usize, x: &[f32], y: &mut [f32]) {
    let wide = input.w * factor;
    for (i, row) in y.chunks_exact_mut(wide).enumerate() {
        let (c, r) = (i / (input.h * factor), i % (input.h * factor) / factor);
        let from = &x[c * input.plane() + r * input.w..][..input.w];
        for (j, y) in row.iter_mut().enumerate() {
            *y = from[j / factor];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_examples() {
        let mut y = [0.0; 16];
        reference(Shape::new(2, 1, 2), 2, &[1.0, 2.0, 3.0, 4.0], &mut y);
        let want = [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 3.0, 3.0, 4.0, 4.0];
        assert_eq!(y, want);
        assert_eq!(output(Shape::new(1, 2, 3), 0), Err(ShapeError::Zero("the factor")));
        assert_eq!(output(Shape::new(1, 2, 3), usize::MAX), Err(ShapeError::TooLarge));
    }
}
