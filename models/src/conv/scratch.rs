//! Memory that is used again.
//!
//! A step of training wants the same few hundred megabytes over and over, in pieces that an allocator hands back to
//! the system and the system clears before it gives them again.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

/// Pieces that nobody uses now. Twice the threads that work at a time are plenty.
static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
const KEPT: usize = 64;

/// Numbers to work with. What is in them at first is anything.
pub struct Scratch(Vec<f32>);

impl Scratch {
    /// `len` numbers.
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
