//! Values from the bytes of a tensor, in one pass.

use alloc::vec;
use alloc::vec::Vec;
use std::io;
use std::sync::Mutex;
use std::thread;

use super::source::Part;
use crate::cast;

/// Values that are read at once.
const PIECE: usize = 1 << 18;
/// Values from which several threads read: what takes longest is that the system has to find memory
/// for them.
const MANY: usize = 1 << 19;
/// Most threads: more do not get memory any faster.
const THREADS: usize = 4;
/// Bytes that are converted at once.
const WINDOW: usize = 1 << 14;

/// Floats of 32 bits.
///
/// # Errors
/// If they cannot be read.
pub(super) fn floats(part: &Part<'_>) -> io::Result<Vec<f32>> {
    filled(part, 4, |at, to| {
        part.source.read(at, cast::bytes_mut(to))?;
        if cfg!(target_endian = "big") {
            to.iter_mut().for_each(|v| *v = f32::from_bits(v.to_bits().swap_bytes()));
        }
        Ok(())
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
    if values.len() < MANY {
        fill(part.at, &mut values)?;
        return Ok(values);
    }
    let pieces = Mutex::new((part.at, values.chunks_mut(PIECE)));
    let next = || {
        let mut pieces = pieces.lock().ok()?;
        let (at, piece) = (pieces.0, pieces.1.next()?);
        pieces.0 += (piece.len() * size) as u64;
        Some((at, piece))
    };
    let work = || -> io::Result<()> {
        while let Some((at, piece)) = next() {
            fill(at, piece)?;
        }
        Ok(())
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get().min(THREADS));
    thread::scope(|scope| {
        // A thread that cannot be started leaves its part to the others.
        let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).filter_map(start).collect();
        let lost = |_| Err(io::Error::other("a thread has ended"));
        let own = work();
        others.into_iter().fold(own, |all, other| all.and(other.join().unwrap_or_else(lost)))
    })?;
    Ok(values)
}
