//! Many faces, by threads that make some at a time each.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use runtime::{Batch, Isa, Limits, Model};

/// Images that a thread makes at a time.
pub const TOGETHER: usize = 8;

/// How many images each thread makes at a time: fewer if the arenas of all threads would exceed the limit.
pub fn together(model: &Model<'_>, limits: &Limits, (count, threads): (usize, usize)) -> usize {
    let arenas = |images: usize| {
        let len = model.arena_len_of_batch(images).saturating_mul(threads);
        4u64.saturating_mul(len as u64)
    };
    let most = count.div_ceil(threads.max(1)).min(TOGETHER);
    (1..=most).rev().find(|images| arenas(*images) <= limits.arena).unwrap_or(1)
}

/// Makes faces 0 to `count` on several threads with `some`, which hands on those of a range in order, and passes them
/// to `done` in order. Errors cross threads as strings: `Box<dyn Error>` is not `Send`.
///
/// # Errors
/// The first error of `some`.
pub fn many<T: Send>(
    model: &Model<'_>,
    (isa, limits): (Isa, &Limits),
    (count, threads): (usize, usize),
    some: &(impl Fn(&mut Batch<'_>, Range<usize>, &mut dyn FnMut(T)) -> Result<(), String> + Sync),
    done: &mut impl FnMut(usize, T),
) -> Result<(), Box<dyn Error>> {
    let threads = threads.min(count);
    let together = together(model, limits, (count, threads));
    let mut arenas = vec![vec![0.0; model.arena_len_of_batch(together)]; threads];
    let mut batches = Vec::new();
    for arena in &mut arenas {
        batches.push(Batch::new(model, arena, isa, together)?);
    }
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for mut batch in batches {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let mut i = next.fetch_add(together, Ordering::Relaxed);
                    if i >= count {
                        break;
                    }
                    let mut gone = false;
                    let end = some(&mut batch, i..count.min(i + together), &mut |made| {
                        gone |= sender.send((i, Ok(made))).is_err();
                        i += 1;
                    });
                    if let Err(error) = end {
                        gone |= sender.send((i, Err(error))).is_err();
                    }
                    // After an error the receiver is gone.
                    if gone {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let (mut early, mut first) = (BTreeMap::new(), 0);
        for (i, result) in results {
            early.insert(i, result?);
            while let Some(made) = early.remove(&first) {
                done(first, made);
                first += 1;
            }
        }
        Ok(())
    })
}
