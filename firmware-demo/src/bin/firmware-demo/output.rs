//! Lines on standard streams that may be closed.

use std::fmt;
use std::io::{self, Write, stderr, stdout};

/// Prints a line on standard error. Unlike `eprintln!` it does not panic if nobody reads it.
pub fn notice(line: impl fmt::Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// Prints a line on standard output.
///
/// # Errors
/// Those of the stream, such as a closed pipe.
pub fn print(line: impl fmt::Display) -> io::Result<()> {
    let mut stdout = stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
