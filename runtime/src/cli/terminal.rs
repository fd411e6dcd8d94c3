//! Messages on standard error.

use std::fmt;
use std::io::{self, Write};

/// Prints a line. A closed or full standard error is no reason to stop, and `eprintln!` would
/// panic.
pub fn note(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
