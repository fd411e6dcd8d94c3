//! Notes on launches, for observers of the client.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether launches leave notes.
static NOTING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static NOTE: RefCell<Option<Note>> = const { RefCell::new(None) };
}

/// The description of a launch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// The operation and its shape.
    pub what: String,
    /// Multiply-adds of the direct algorithm.
    pub multiply_adds: f64,
}

/// Switches notes on or off.
pub fn set_noting(on: bool) {
    NOTING.store(on, Ordering::Relaxed);
}

/// Takes the note of the launch that is under way on this thread.
pub fn take_note() -> Option<Note> {
    NOTE.with_borrow_mut(Option::take)
}

/// Leaves a note on the next launch of this thread.
pub(crate) fn note(of: impl FnOnce() -> Note) {
    if NOTING.load(Ordering::Relaxed) {
        NOTE.set(Some(of()));
    }
}
