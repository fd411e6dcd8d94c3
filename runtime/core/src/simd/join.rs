//! Two inputs as one.

use super::activate::{Activate, activated};
use super::dots::Bytes as _;
use super::part::{Part, Places};
use super::set::{Job, Set};
use crate::int8::added;
use crate::layer::{Int8, JOINED, Layer};
use crate::layout::{LANES, padded};
use crate::op::{self, Activation, Op};

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
        if let (Op::Concat { .. }, Some([first, second, after])) = (layer.op, layer.steps()) {
            let pixels = part.share(layer.output.plane());
            let of = |step: usize| pixels.start * step..pixels.end * step;
            // SAFETY: these pixels are the part's own.
            let y = unsafe { y.cut(of(after).start, of(after).len()) };
            let x = x[of(first)].chunks_exact(first);
            let other = other[of(second)].chunks_exact(second);
            for ((x, other), y) in x.zip(other).zip(y.chunks_exact_mut(after)) {
                let (to, rest) = y.split_at_mut(first);
                copy(set, layer.activation, x, to);
                copy(set, layer.activation, other, rest);
            }
            return;
        }
        let range = part.share(layer.output.values());
        // SAFETY: these outputs are the part's own.
        let y = unsafe { y.cut(range.start, range.len()) };
        match layer.op {
            Op::Add => op::join::add(&x[range.clone()], &other[range], y),
            // With channels first, the inputs follow each other as a whole.
            _ => op::join::concat([x.len(), other.len()], x, other, range, y),
        }
        set.call(Activate(layer.activation, y));
    }
}

/// Copies values, with an activation.
#[inline(always)]
fn copy<S: Set>(set: S, activation: Activation, from: &[f32], to: &mut [f32]) {
    let (from, from_rest) = from.as_chunks::<LANES>();
    let (to, to_rest) = to.as_chunks_mut::<LANES>();
    for (from, to) in from.iter().zip(to) {
        *to = activated(set, activation, *from);
    }
    if !to_rest.is_empty() {
        to_rest.copy_from_slice(from_rest);
        set.call(Activate(activation, to_rest));
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
                let (of_x, of_other) = int8.table.split_at(JOINED / 2);
                for ((x, other), y) in pixels.zip(y.chunks_exact_mut(after)) {
                    let (to, rest) = y.split_at_mut(layer.input.c);
                    // SAFETY: the set proves that the CPU has the instructions.
                    unsafe {
                        S::Bytes::map(x, of_x, to);
                        S::Bytes::map(other, of_other, rest);
                    }
                }
            }
        }
    }
}
