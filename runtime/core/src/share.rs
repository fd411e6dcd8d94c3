//! Passes over large lists, in pieces that all cores share.

/// Values in a piece.
pub const PIECE: usize = 1 << 18;

/// Does `work` on each item; on several cores if there are `values` values in all of them that make
/// it worthwhile.
///
/// # Errors
/// The first that some thread meets.
#[cfg(feature = "std")]
pub fn each<T: Send, E: Send>(
    values: usize,
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    use std::sync::{Mutex, PoisonError};
    use std::thread;

    /// Most threads: passes are bound by memory.
    const THREADS: usize = 4;

    if values < 2 * PIECE {
        return { items }.try_for_each(work);
    }
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || -> Result<(), E> {
        while let Some(item) = next() {
            work(item)?;
        }
        Ok(())
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get().min(THREADS));
    thread::scope(|scope| {
        // A thread that cannot be started leaves its items to the others; a panic in one goes on
        // when the scope ends.
        let start = |_| thread::Builder::new().spawn_scoped(scope, run).ok();
        let others: alloc::vec::Vec<_> = (1..threads).filter_map(start).collect();
        let own = run();
        others.into_iter().fold(own, |all, other| match other.join() {
            Ok(one) => all.and(one),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// Does `work` on each item.
///
/// # Errors
/// The first.
#[cfg(not(feature = "std"))]
pub fn each<T, E>(
    _: usize,
    mut items: impl Iterator<Item = T>,
    work: impl Fn(T) -> Result<(), E>,
) -> Result<(), E> {
    items.try_for_each(work)
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_item_once_and_errors_are_kept() {
        for values in [0, 10 * PIECE] {
            let sum = AtomicUsize::new(0);
            let all = each(values, 0..1000, |i| {
                sum.fetch_add(i, Ordering::Relaxed);
                Ok::<(), ()>(())
            });
            assert_eq!((all, sum.into_inner()), (Ok(()), 499_500));
            let failed = each(values, 0..1000, |i| if i == 700 { Err(i) } else { Ok(()) });
            assert_eq!(failed, Err(700));
        }
    }
}
