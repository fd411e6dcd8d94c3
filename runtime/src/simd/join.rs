//! Two inputs as one. The loops are compiled for the instruction set of their caller.

use super::part::{Part, Places};
use crate::int8::{added, joined};
use crate::layer::{Int8, Layer};
use crate::layout::padded;
use crate::op::{self, Op};

/// Runs a layer of floats that joins two inputs.
///
/// # Safety
/// No other thread computes the same part.
#[inline(always)]
pub(super) unsafe fn floats(
    layer: &Layer<'_>,
    part: Part,
    [x, other]: [&[f32]; 2],
    y: Places<'_, f32>,
) {
    let range = part.share(layer.output.values());
    // SAFETY: these outputs are the part's own.
    let y = unsafe { y.cut(range.start, range.len()) };
    match layer.op {
        Op::Add => op::join::add(&x[range.clone()], &other[range], y),
        _ => {
            // With channels first, the inputs follow each other as a whole.
            let lengths = match layer.steps() {
                Some([first, second, _]) => [first, second],
                None => [x.len(), other.len()],
            };
            op::join::concat(lengths, x, other, range, y);
        }
    }
    layer.activation.apply(y);
}

/// Runs an int8 layer that joins two inputs.
///
/// # Safety
/// No other thread computes the same part.
#[inline(always)]
pub(super) unsafe fn bytes(
    layer: &Layer<'_>,
    int8: &Int8<'_>,
    part: Part,
    [x, other]: [&[u8]; 2],
    y: Places<'_, u8>,
) {
    let channels = [layer.input.c, layer.other_input().c, layer.output.c];
    let [first, second, after] = channels.map(padded);
    let pixels = part.share(layer.output.plane());
    let of = |step: usize| pixels.start * step..pixels.end * step;
    // SAFETY: these pixels are the part's own.
    let y = unsafe { y.cut(of(after).start, of(after).len()) };
    let (x, other) = (&x[of(first)], &other[of(second)]);
    match layer.op {
        Op::Add => {
            for ((x, other), y) in x.iter().zip(other).zip(y) {
                *y = added(*x, *other, int8);
            }
        }
        _ => {
            let pixels = x.chunks_exact(first).zip(other.chunks_exact(second));
            for ((x, other), y) in pixels.zip(y.chunks_exact_mut(after)) {
                joined(x, other, channels, int8.table, y);
            }
        }
    }
}
