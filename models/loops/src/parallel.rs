//! Loops over parts of memory on all threads.
//!
//! rayon's loops are 9 KB of code for each closure that they are given, optimized code that took a
//! quarter of the time to compile them; these are given references to closures instead.

use rayon::prelude::*;

/// Calls `each` with the number of every chunk of `len` values, and the chunk. The last one may be
/// shorter.
pub fn chunks(values: &mut [f32], len: usize, each: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    values.par_chunks_mut(len).enumerate().for_each(|(i, chunk)| each(i, chunk));
}

/// What `each` makes of the numbers below `count`, in order.
pub fn map<T: Send>(count: usize, each: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    (0..count).into_par_iter().map(each).collect()
}

/// Chunk `i` of `len` values.
pub fn chunk(values: &[f32], i: usize, len: usize) -> &[f32] {
    let rest = &values[i * len..];
    &rest[..len.min(rest.len())]
}
