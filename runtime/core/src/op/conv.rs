//! Convolution (cross-correlation, as everywhere in the field).

use super::bias::bias_of;
use super::shape::{Edge, LARGEST, Shape, ShapeError, Window};

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
        (Some(_), Some(_)) if padded(input, window).is_none() => Err(ShapeError::TooLarge),
        (Some(h), Some(w)) => Ok(Shape::new(out, h, w)),
        _ => Err(ShapeError::Window(input, window)),
    }
}

/// [`output`] with the edges reflected.
///
/// # Errors
/// [`ShapeError`] if the window does not fit, or the input is too small to be reflected.
pub fn reflected(input: Shape, out: usize, window: Window) -> Result<Shape, ShapeError> {
    match window.padding < input.h.min(input.w) {
        true => output(input, out, window),
        false => Err(ShapeError::Reflection(input, window.padding)),
    }
}

/// The largest stride for which kernels split the padded planes.
pub(crate) const SPLIT: usize = 4;

/// Values of the padded input, in whole strides; `None` above [`LARGEST`].
fn padded(input: Shape, window: Window) -> Option<usize> {
    let whole = window.stride.min(SPLIT);
    let side =
        |n: usize| window.padding.checked_mul(2)?.checked_add(n)?.checked_next_multiple_of(whole);
    Shape::new(input.c, side(input.h)?, side(input.w)?).checked_values()
}

/// The obvious loop. `weight` is `[out, in, k, k]`.
pub fn reference(
    [input, output]: [Shape; 2],
    (window, edge): (Window, Edge),
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
                let row = (r * window.stride + tap / k).wrapping_sub(window.padding);
                let col = (c * window.stride + tap % k).wrapping_sub(window.padding);
                let pixel = edge.pixel(row, input.h).zip(edge.pixel(col, input.w));
                if let Some((row, col)) = pixel {
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
            let ones = &[1.0; 9][..kernel * kernel];
            reference([input, output], (window, Edge::Zero), &x, ones, &[0.5], y);
            assert_eq!(y, case.y);
        }
    }

    #[test]
    fn reflection() {
        // PyTorch 2: conv2d(pad([[1, 2, 3], [4, 5, 6]], (1, 1, 1, 1), "reflect"), ones(3, 3))
        let window = Window { kernel: 3, stride: 1, padding: 1 };
        let input = Shape::new(1, 2, 3);
        let output = reflected(input, 1, window).unwrap();
        let mut y = [0.0; 6];
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        reference([input, output], (window, Edge::Reflect), &x, &[1.0; 9], &[], &mut y);
        assert_eq!(y, [33.0, 36.0, 39.0, 24.0, 27.0, 30.0]);
        let wide = Window { padding: 2, ..window };
        assert_eq!(reflected(input, 1, wide), Err(ShapeError::Reflection(input, 2)));
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
