//! Where each layer reads and writes: the two ends of one arena in turn, with a kernel's scratch between them.
//!
//! A layer's input lies at one end, its output goes to the other; the next layer reads it from there. The arena is
//! as long as the most demanding layer wants: input + output + scratch.

use core::ops::Range;

use crate::int8;
use crate::model::{Layer, Model};
use crate::packed;
use crate::simd;

/// Values (`f32`) a layer's scratch takes; bytes of an int8 layer. The kernel asks this function too.
pub fn scratch_len(layer: &Layer<'_>) -> usize {
    match (&layer.int8, &layer.packed) {
        (Some(int8), _) => int8::scratch_len(layer, int8),
        (_, Some(packed)) => packed::scratch_len(layer, packed),
        (None, None) => simd::scratch_len(layer),
    }
}

/// What a layer's input and output take: values, or bytes of an int8 layer.
fn ends(layer: &Layer<'_>) -> [usize; 2] {
    match &layer.int8 {
        Some(int8) => [int8::stored(layer.input, false), int8::stored(layer.output, int8.image)],
        None => [layer.input.values(), layer.output.values()],
    }
}

/// Values (`f32`) that must be at hand while `threads` threads run a layer, each with scratch of its own.
pub fn layer_len(layer: &Layer<'_>, threads: usize) -> usize {
    let [input, output] = ends(layer);
    let len = input + output + threads * scratch_len(layer);
    match layer.int8 {
        Some(_) => len.div_ceil(size_of::<f32>()),
        None => len,
    }
}

/// Values (`f32`) of the arena of a model that `threads` threads run together. A latent begins as values, whatever the
/// layers.
pub fn arena_len(model: &Model<'_>, threads: usize) -> usize {
    let layers = model.layers().iter().map(|l| layer_len(l, threads));
    layers.max().unwrap_or(0).max(model.latent())
}

/// Where the input, the scratch and the output of layer `i` lie in an arena of `len` values (bytes of int8 layers). Even
/// layers read from the front, odd ones from the back.
pub fn places(len: usize, i: usize, layer: &Layer<'_>) -> [Range<usize>; 3] {
    let [input, output] = ends(layer);
    match i % 2 {
        0 => [0..input, input..len - output, len - output..len],
        _ => [len - input..len, output..len - input, 0..output],
    }
}

/// The arena (values, or bytes of int8 layers) cut for layer `i`: input, scratch, output.
pub fn cut<'m, T>(
    arena: &'m mut [T],
    i: usize,
    layer: &Layer<'_>,
) -> (&'m mut [T], &'m mut [T], &'m mut [T]) {
    let [_, scratch, _] = places(arena.len(), i, layer);
    let (front, rest) = arena.split_at_mut(scratch.start);
    let (scratch, back) = rest.split_at_mut(scratch.len());
    match i % 2 {
        0 => (front, scratch, back),
        _ => (back, scratch, front),
    }
}

/// The output of the last layer, of `len` layers.
pub fn result<'m, T>(arena: &'m [T], len: usize, layer: &Layer<'_>) -> &'m [T] {
    let [_, _, output] = places(arena.len(), len - 1, layer);
    &arena[output]
}
