//! Verbs with arguments of their own.

use std::io::{self, Write};

pub mod codes;
pub mod inspect;
pub mod latents;

/// Prints; that nobody listens any more (`trainer ... | head`) is no error.
///
/// # Errors
/// Any other reason that standard output cannot be written.
pub fn print(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let wrote = write!(out, "{text}").and_then(|()| out.flush());
    match wrote {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
