//! Operations that only move values, for layouts with channels last.

use super::operation::Op;
use super::shape::Shape;

/// Copies the values of a resize or reshape. Pixels are `strides[0]` values apart in `x` and
/// `strides[1]` in `y`; other operations do nothing.
pub(crate) fn moved<T: Copy>(
    op: &Op,
    [input, output]: [Shape; 2],
    [from, to]: [usize; 2],
    x: &[T],
    y: &mut [T],
) {
    match *op {
        Op::Resize { factor } => {
            for (at, y) in y.chunks_exact_mut(to).enumerate() {
                let (r, c) = (at / output.w / factor, at % output.w / factor);
                y.copy_from_slice(&x[(r * input.w + c) * from..][..from]);
            }
        }
        // A reshape keeps the order of values with channels first.
        Op::Reshape { .. } => {
            for at in 0..input.values() {
                let place = |s: Shape, pixel: usize| at % s.plane() * pixel + at / s.plane();
                y[place(output, to)] = x[place(input, from)];
            }
        }
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ReflectConv { .. }
        | Op::ConvTranspose { .. }
        | Op::Affine
        | Op::InstanceNorm { .. }
        | Op::Add
        | Op::Concat { .. }
        | Op::Activate => {}
    }
}
