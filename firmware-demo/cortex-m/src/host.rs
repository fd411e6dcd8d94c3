//! The host through semihosting: files and the command line.
//!
//! QEMU's boards have no panel, so a file on the host takes its place. Semihosting halts a board without
//! a debugger, so a standalone kiosk leaves this module out.
#![allow(unsafe_code, reason = "semihosting calls take raw addresses")]

use core::ffi::CStr;

use cortex_m_semihosting::{nr, syscall, syscall1};

/// A file on the host.
pub struct File(usize);

/// A file operation that the host refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Creating a file.
    Create,
    /// Seeking to this offset.
    Seek(usize),
    /// Writing; this many bytes are left.
    Write(usize),
}

impl File {
    /// Creates an empty file.
    ///
    /// # Errors
    /// [`Refused::Create`].
    pub fn create(name: &CStr) -> Result<File, Refused> {
        let bytes = name.to_bytes().len();
        // SAFETY: `name` is NUL-terminated and `bytes` is its length.
        let handle = unsafe { syscall!(OPEN, name.as_ptr(), nr::open::RW_TRUNC_BINARY, bytes) };
        match handle as isize {
            -1 => Err(Refused::Create),
            _ => Ok(File(handle)),
        }
    }

    /// Writes bytes at an offset.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn write_at(&mut self, place: usize, bytes: &[u8]) -> Result<(), Refused> {
        // SAFETY: the handle belongs to an open file.
        if unsafe { syscall!(SEEK, self.0, place) } != 0 {
            return Err(Refused::Seek(place));
        }
        // SAFETY: `bytes` outlives the call.
        match unsafe { syscall!(WRITE, self.0, bytes.as_ptr(), bytes.len()) } {
            0 => Ok(()),
            left => Err(Refused::Write(left)),
        }
    }
}

/// The words after the program's name. A command line too long for the buffer counts as empty.
pub fn arguments(buffer: &mut [u8; 128]) -> impl Iterator<Item = &str> {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: the host writes at most `block[1]` bytes to the buffer and stores their number there.
    let failed = unsafe { syscall1!(GET_CMDLINE, block.as_mut_ptr()) };
    let bytes = if failed == 0 { block[1].min(buffer.len()) } else { 0 };
    let line = core::str::from_utf8(&buffer[..bytes]).unwrap_or_default();
    line.trim_end_matches('\0').split(' ').skip(1)
}
