//! Values from the bytes of a tensor, in one pass.

use alloc::vec;
use alloc::vec::Vec;
use std::io;

use super::source::Part;
use crate::cast;
use crate::share::{self, PIECE};

/// Bytes that are converted at once.
const WINDOW: usize = 1 << 14;

/// Floats of 32 bits.
///
/// # Errors
/// If they cannot be read.
pub(super) fn floats(part: &Part<'_>) -> io::Result<Vec<f32>> {
    filled(part, 4, |at, to| {
        // Their bytes are those of this machine, see `lib.rs`.
        part.source.read(at, cast::bytes_mut(to))
    })
}

/// Values of `N` bytes.
///
/// # Errors
/// If they cannot be read.
pub(super) fn values<const N: usize, T: Clone + Default + Send>(
    part: &Part<'_>,
    from: impl Fn([u8; N]) -> T + Sync,
) -> io::Result<Vec<T>> {
    filled(part, N, |mut at, to| {
        let mut window = [0; WINDOW];
        for to in to.chunks_mut(WINDOW / N) {
            let bytes = &mut window[..to.len() * N];
            part.source.read(at, bytes)?;
            at += bytes.len() as u64;
            for (to, bytes) in to.iter_mut().zip(bytes.as_chunks().0) {
                *to = from(*bytes);
            }
        }
        Ok(())
    })
}

/// All values of a part, of `size` bytes each, which `fill` reads from an offset on.
fn filled<T: Clone + Default + Send>(
    part: &Part<'_>,
    size: usize,
    fill: impl Fn(u64, &mut [T]) -> io::Result<()> + Sync,
) -> io::Result<Vec<T>> {
    let mut values = vec![T::default(); part.len / size];
    // What takes longest is that the system has to find memory for them.
    let pieces = values.chunks_mut(PIECE).zip((part.at..).step_by(PIECE * size));
    share::each(part.len / size, pieces, |(piece, at)| fill(at, piece))?;
    Ok(values)
}
