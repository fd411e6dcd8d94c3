//! Transposed convolution, the adjoint of a convolution: each input value is spread over a window
//! of the output.

use super::bias::bias_of;
use super::shape::{LARGEST, Shape, ShapeError, Window};

/// `(n - 1) stride - 2 padding + kernel` per side.
///
/// # Errors
/// [`ShapeError`] if nothing is left of the output.
pub fn output(input: Shape, out: usize, window: Window) -> Result<Shape, ShapeError> {
    let Window { kernel, stride, padding } = window;
    for (n, what) in [(kernel, "the kernel"), (stride, "the stride")] {
        if n == 0 {
            return Err(ShapeError::Zero(what));
        }
    }
    let side = |n: usize| {
        let whole = n.checked_sub(1)?.checked_mul(stride)?.checked_add(kernel)?;
        let cut = whole.checked_sub(padding.checked_mul(2)?)?;
        (1..=LARGEST).contains(&cut).then_some(cut)
    };
    match (side(input.h), side(input.w)) {
        (Some(h), Some(w)) => Ok(Shape::new(out, h, w)),
        _ => Err(ShapeError::Window(input, window)),
    }
}

/// The obvious loop. `weight` is `[in, out, k, k]`.
pub fn reference(
    [input, output]: [Shape; 2],
    window: Window,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
) {
    let k = window.kernel;
    for (o, y) in y.chunks_exact_mut(output.plane()).enumerate() {
        y.fill(bias_of(bias, o));
        for (i, x) in x.chunks_exact(input.plane()).enumerate() {
            let kernel = &weight[(i * output.c + o) * k * k..][..k * k];
            for (at, x) in x.iter().enumerate() {
                for (tap, w) in kernel.iter().enumerate() {
                    let row = (at / input.w * window.stride + tap / k).wrapping_sub(window.padding);
                    let col = (at % input.w * window.stride + tap % k).wrapping_sub(window.padding);
                    if row < output.h && col < output.w {
                        y[row * output.w + col] += w * x;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_examples() {
        // PyTorch 2: conv_transpose2d([[1, 2]], [[1, 2], [3, 4]], stride 1 and 2, padding 0)
        let cases: [(usize, &[f32]); 2] =
            [(1, &[1.0, 4.0, 4.0, 3.0, 10.0, 8.0]), (2, &[1.0, 2.0, 2.0, 4.0, 3.0, 4.0, 6.0, 8.0])];
        for (stride, want) in cases {
            let window = Window { kernel: 2, stride, padding: 0 };
            let input = Shape::new(1, 1, 2);
            let output = output(input, 1, window).unwrap();
            let mut y = [0.0; 8];
            let y = &mut y[..output.values()];
            reference([input, output], window, &[1.0, 2.0], &[1.0, 2.0, 3.0, 4.0], &[], y);
            assert_eq!(y, want);
        }
    }

    #[test]
    fn is_the_adjoint_of_the_convolution() {
        // <conv(a), b> = <a, conv_transpose(b)> for the same kernel.
        let window = Window { kernel: 4, stride: 2, padding: 1 };
        let (large, small) = (Shape::new(2, 6, 8), Shape::new(3, 3, 4));
        assert_eq!(crate::op::conv::output(large, 3, window), Ok(small));
        assert_eq!(output(small, 2, window), Ok(large));
        let number = |i: usize| ((i * 37 + 11) % 17) as f32 / 8.0 - 1.0;
        let a: [f32; 96] = core::array::from_fn(number);
        let b: [f32; 36] = core::array::from_fn(|i| number(i + 5));
        let w: [f32; 96] = core::array::from_fn(|i| number(i + 9));
        let (mut down, mut up) = ([0.0; 36], [0.0; 96]);
        let zero = crate::op::Edge::Zero;
        crate::op::conv::reference([large, small], (window, zero), &a, &w, &[], &mut down);
        reference([small, large], window, &b, &w, &[], &mut up);
        let left: f32 = down.iter().zip(&b).map(|(x, y)| x * y).sum();
        let right: f32 = up.iter().zip(&a).map(|(x, y)| x * y).sum();
        assert!((left - right).abs() < 1e-3, "{left} {right}");
    }

    #[test]
    fn windows_that_leave_nothing() {
        let input = Shape::new(1, 1, 1);
        for (kernel, stride, padding) in [(0, 1, 0), (1, 0, 0), (2, 1, 1), (1, 1, usize::MAX)] {
            let window = Window { kernel, stride, padding };
            assert!(output(input, 1, window).is_err(), "{window:?}");
        }
    }
}
