//! Where each layer reads and writes: the two ends of one arena in turn, with a kernel's scratch between them.
//!
//! A layer's input lies at one end, its output goes to the other; the next layer reads it from there. The arena is
//! as long as the most demanding layer wants: input + output + scratch.

use crate::model::{Layer, Model};
use crate::simd;

/// Values (`f32`) a layer's scratch takes. The kernel asks this function too.
pub fn scratch_len(layer: &Layer<'_>) -> usize {
    simd::scratch_len(layer)
}

/// Values (`f32`) that must be at hand while a layer runs.
pub fn layer_len(layer: &Layer<'_>) -> usize {
    layer.input.values() + layer.output.values() + scratch_len(layer)
}

/// Values (`f32`) of the arena of a model.
pub fn arena_len(model: &Model<'_>) -> usize {
    model.layers().iter().map(layer_len).max().unwrap_or(0)
}

/// The arena cut for layer `i`: input, scratch, output. Even layers read from the front, odd ones from the back.
pub fn cut<'m>(
    arena: &'m mut [f32],
    i: usize,
    layer: &Layer<'_>,
) -> (&'m mut [f32], &'m mut [f32], &'m mut [f32]) {
    let (input, output) = (layer.input.values(), layer.output.values());
    let (front, back) = match i % 2 {
        0 => (input, output),
        _ => (output, input),
    };
    let (front, rest) = arena.split_at_mut(front);
    let (scratch, back) = rest.split_at_mut(rest.len() - back);
    match i % 2 {
        0 => (front, scratch, back),
        _ => (back, scratch, front),
    }
}

/// The output of the last layer, of `len` layers.
pub fn result<'m>(arena: &'m [f32], len: usize, layer: &Layer<'_>) -> &'m [f32] {
    let output = layer.output.values();
    match len % 2 {
        0 => &arena[..output],
        _ => &arena[arena.len() - output..],
    }
}
