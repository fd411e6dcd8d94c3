//! Messages on standard error.

use std::fmt;
use std::io::{self, Write};

pub use runtime::terminal::{escaped, escaped_lines};

/// Prints a message, escaped. A closed or full standard error is no reason to stop, and `eprintln!`
/// would panic.
pub fn note(message: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{}", escaped_lines(&message.to_string()));
}
