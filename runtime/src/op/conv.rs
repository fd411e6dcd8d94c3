//! Convolution (cross-correlation, as everywhere in the field).

use super::bias::bias_of;
use super::shape::{LARGEST, Shape, ShapeError, Window};

/// `(n + 2 padding - kernel) / stride + 1` per side.
///
/// # Errors
/// [`ShapeError`] if the window does not fit.
pub fn output(input: Shape, out: usize, window: Window) -> Result<Shape, ShapeError> {
    let Window { kernel, stride, padding } = window;
    for (n, what) in [(kernel, "the kernel"), (stride, "the stride")] {
        if n == 0 {
            return Err(ShapeError::Zero(what));
        }
    }
    let side = |n: usize| {
        let padded = padding.checked_mul(2)?.checked_add(n)?;
        (padding < LARGEST).then_some(padded.checked_sub(kernel)? / stride + 1)
    };
    match (side(input.h), side(input.w)) {
        // Kernels copy the input into padded planes, which must not be too large either.
        (Some(_), Some(_)) if padded(input, padding).is_none() => Err(ShapeError::TooLarge),
        (Some(h), Some(w)) => Ok(Shape::new(out, h, w)),
        _ => Err(ShapeError::Window(input, window)),
    }
}

/// Values of the padded input; `None` above [`LARGEST`].
fn padded(input: Shape, padding: usize) -> Option<usize> {
    let side = |n: usize| padding.checked_mul(2)?.checked_add(n);
    Shape::new(input.c, side(input.h)?, side(input.w)?).checked_values()
}

/// The obvious loop. `weight` is `[out, in, k, k]`.
pub fn reference(
    [input, output]: [Shape; 2],
    window: Window,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
) {
    let k = window.kernel;
    for (at, y) in y.iter_mut().enumerate() {
        let (o, r, c) = (at / output.plane(), at % output.plane() / output.w, at % output.w);
        let mut sum = bias_of(bias, o);
        for i in 0..input.c {
            for (tap, w) in weight[(o * input.c + i) * k * k..][..k * k].iter().enumerate() {
                // Wrapping: what lies above or left of the input is beyond its end.
                let row = (r * window.stride + tap / k).wrapping_sub(window.padding);
                let col = (c * window.stride + tap % k).wrapping_sub(window.padding);
                if row < input.h && col < input.w {
                    sum += w * x[i * input.plane() + row * input.w + col];
                }
            }
        }
        *y = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        window: [usize; 3],
        y: &'static [f32],
    }

    #[test]
    fn worked_examples() {
        // 1 x 3 x 3 of 1..9, kernel of ones, bias 0.5
        let x: [f32; 9] = core::array::from_fn(|i| i as f32 + 1.0);
        let cases = [
            Case { window: [2, 1, 0], y: &[12.5, 16.5, 24.5, 28.5] },
            Case { window: [2, 2, 1], y: &[1.5, 5.5, 11.5, 28.5] },
            Case { window: [3, 1, 0], y: &[45.5] },
        ];
        for case in cases {
            let [kernel, stride, padding] = case.window;
            let window = Window { kernel, stride, padding };
            let input = Shape::new(1, 3, 3);
            let output = output(input, 1, window).unwrap();
            let mut y = [0.0; 9];
            let y = &mut y[..output.values()];
            reference([input, output], window, &x, &[1.0; 9][..kernel * kernel], &[0.5], y);
            assert_eq!(y, case.y);
        }
    }

    #[test]
    fn windows_that_do_not_fit() {
        let input = Shape::new(1, 3, 3);
        for (kernel, stride, padding) in [(0, 1, 0), (1, 0, 0), (4, 1, 0), (1, 1, usize::MAX)] {
            let window = Window { kernel, stride, padding };
            assert!(output(input, 1, window).is_err(), "{window:?}");
        }
    }
}
