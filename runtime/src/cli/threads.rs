//! Many faces, one thread each.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use runtime::{Cpu, Isa, Model};

/// Makes faces 0 to `count` on several threads with `one`, and passes the results to `done` in
/// order. Errors cross threads as strings: `Box<dyn Error>` is not `Send`.
///
/// # Errors
/// The first error of `one`.
pub fn many<T: Send>(
    model: &Model<'_>,
    isa: Isa,
    (count, threads): (usize, usize),
    one: &(impl Fn(&mut Cpu<'_>, usize) -> Result<T, String> + Sync),
    done: &mut impl FnMut(usize, T),
) -> Result<(), Box<dyn Error>> {
    let mut arenas = vec![vec![0.0; model.arena_len()]; threads.min(count)];
    let mut cpus = Vec::new();
    for arena in &mut arenas {
        cpus.push(Cpu::with(model, arena, Some(isa))?);
    }
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for mut cpu in cpus {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    // After an error the receiver is gone.
                    if i >= count || sender.send((i, one(&mut cpu, i))).is_err() {
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
