//! Where each layer reads and writes: the two ends of one arena in turn, with scratch between them.
//!
//! A layer's input lies at one end and its output goes to the other, where the next layer reads it.
//! The arena is as long as the most demanding layer needs: input + output + scratch.

use core::ops::Range;

use crate::layer::{Layer, Weights};
use crate::limits::{Exceeded, Limit, Limits};
use crate::simd;

/// Length of a layer's scratch in values (`f32`), or in bytes for an int8 layer. The kernels call
/// the same function.
pub fn scratch_len(layer: &Layer<'_>) -> usize {
    simd::scratch_len(layer)
}

/// Values (`f32`) in use while `threads` threads run a layer, each with its own scratch.
pub fn layer_len(layer: &Layer<'_>, threads: usize) -> usize {
    let [input, output] = layer.ends();
    let len = input + output + threads * scratch_len(layer);
    match layer.weights {
        Weights::Int8(_) => len.div_ceil(size_of::<f32>()),
        Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => len,
    }
}

/// Length of the arena in values (`f32`) for layers that `threads` threads run together on a latent
/// of `latent` values. At first the latent is stored as values even if the layers are int8.
pub fn arena_len(layers: &[Layer<'_>], latent: usize, threads: usize) -> usize {
    let layers = layers.iter().map(|layer| layer_len(layer, threads));
    layers.max().unwrap_or(0).max(latent)
}

/// Multiply-adds that writing one value counts as: about as long as an activation takes.
const WRITE: u64 = 8;

/// Checks the memory and time that layers take to make an image with one thread.
///
/// # Errors
/// [`Exceeded`].
pub fn check(layers: &[Layer<'_>], latent: usize, limits: &Limits) -> Result<(), Exceeded> {
    let arena = size_of::<f32>() as u64 * arena_len(layers, latent, 1) as u64;
    limits.check(Limit::Arena, arena)?;
    limits.check(Limit::Pixels, layers.last().map_or(0, |l| l.output.plane() as u64))?;
    let work = layers.iter().fold(0u64, |sum, layer| {
        let own = layer.op.multiply_adds(layer.input, layer.output);
        sum.saturating_add(own).saturating_add(WRITE * layer.output.values() as u64)
    });
    limits.check(Limit::MultiplyAdds, work)
}

/// Where the input, the scratch and the output of layer `i` lie in an arena of `len` values, or
/// bytes for int8 layers. Even layers read from the front, odd ones from the back.
pub fn places(len: usize, i: usize, layer: &Layer<'_>) -> [Range<usize>; 3] {
    let [input, output] = layer.ends();
    match i % 2 {
        0 => [0..input, input..len - output, len - output..len],
        _ => [len - input..len, output..len - input, 0..output],
    }
}

/// Splits the arena for layer `i` into input, scratch and output.
pub fn split<'m, T>(
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

/// The output of layer `i`.
pub fn output<'m, T>(arena: &'m [T], i: usize, layer: &Layer<'_>) -> &'m [T] {
    let [_, _, output] = places(arena.len(), i, layer);
    &arena[output]
}
