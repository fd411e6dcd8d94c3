//! Files of any length within the limits.

use std::fs::File;
use std::io::{self, Read};

use runtime::{Limit, Limits};

use super::limits::Hint;

/// All bytes of a file, of any length within the limits.
///
/// # Errors
/// If it cannot be read, or is longer.
pub fn read_all(file: File, limits: &Limits) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limits.file.saturating_add(1)).read_to_end(&mut bytes)?;
    let within = limits.check(Limit::File, bytes.len() as u64);
    within.map_err(|e| io::Error::new(io::ErrorKind::FileTooLarge, Hint(&e).to_string()))?;
    Ok(bytes)
}
