//! Reused memory.
//!
//! Every training step needs the same few hundred megabytes again, in pieces so large that an
//! allocator returns them to the system, which clears them before it hands them out.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

/// Pieces that are not in use.
static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
/// Pieces to keep: about twice as many as there are threads.
const KEPT: usize = 64;

/// Values with arbitrary contents at first.
pub struct Scratch(Vec<f32>);

impl Scratch {
    /// `len` values.
    pub fn of(len: usize) -> Scratch {
        let best = FREE.lock().ok().and_then(|mut free| {
            let fits = |v: &Vec<f32>| v.capacity() >= len && v.capacity() <= 2 * len;
            let at = free.iter().position(fits)?;
            Some(free.swap_remove(at))
        });
        let mut values = best.unwrap_or_default();
        values.resize(len, 0.0);
        Scratch(values)
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(mut free) = FREE.lock() {
            if free.len() == KEPT {
                free.swap_remove(0);
            }
            free.push(mem::take(&mut self.0));
        }
    }
}
