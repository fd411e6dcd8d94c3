//! Two inputs as one.

use super::activate::Activate;
use super::part::{Part, Places};
use super::set::{Job, Set};
use crate::int8::{added, joined};
use crate::layer::{Int8, Layer};
use crate::layout::padded;
use crate::op::{self, Op};

/// A part of a layer of floats that joins two inputs.
pub(super) struct Floats<'a> {
    pub layer: &'a Layer<'a>,
    pub part: Part,
    pub x: &'a [f32],
    pub other: &'a [f32],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, f32>,
}

impl Job for Floats<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, set: S) {
        let Floats { layer, part, x, other, y } = self;
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
        set.call(Activate(layer.activation, y));
    }
}

/// A part of an int8 layer that joins two inputs.
pub(super) struct Bytes<'a> {
    pub layer: &'a Layer<'a>,
    pub int8: &'a Int8<'a>,
    pub part: Part,
    pub x: &'a [u8],
    pub other: &'a [u8],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, u8>,
}

impl Job for Bytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let Bytes { layer, int8, part, x, other, y } = self;
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
}
