//! The machine that the board is plugged into, through semihosting: its files, its terminal, the command line.
//!
//! A QEMU model of a board has no panel and no wires; a file of the host is its panel. Semihosting stops a board
//! that no debugger is attached to, so a kiosk that stands alone leaves this module out.
#![allow(unsafe_code, reason = "semihosting is a trap that takes addresses")]

use core::ffi::CStr;

use cortex_m_semihosting::{nr, syscall, syscall1};

/// A file of the host.
pub struct File(usize);

/// What the host refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// To make a file.
    Create,
    /// To go to a place in a file.
    Seek(usize),
    /// To write so many bytes.
    Write(usize),
}

impl File {
    /// An empty file.
    ///
    /// # Errors
    /// [`Refused::Create`].
    pub fn create(name: &CStr) -> Result<File, Refused> {
        let bytes = name.to_bytes().len();
        // SAFETY: the name ends with a zero and is as long as it is said to be.
        let handle = unsafe { syscall!(OPEN, name.as_ptr(), nr::open::RW_TRUNC_BINARY, bytes) };
        match handle as isize {
            -1 => Err(Refused::Create),
            _ => Ok(File(handle)),
        }
    }

    /// Writes bytes at a place, counted from the start of the file.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn write_at(&mut self, place: usize, bytes: &[u8]) -> Result<(), Refused> {
        // SAFETY: the handle is that of an open file.
        if unsafe { syscall!(SEEK, self.0, place) } != 0 {
            return Err(Refused::Seek(place));
        }
        // SAFETY: the bytes outlive the call.
        match unsafe { syscall!(WRITE, self.0, bytes.as_ptr(), bytes.len()) } {
            0 => Ok(()),
            left => Err(Refused::Write(left)),
        }
    }
}

/// The words after the program's name, as far as they fit.
pub fn arguments(buffer: &mut [u8; 128]) -> impl Iterator<Item = &str> {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: the host writes at most as many bytes as the block says into the buffer, and then how many.
    let failed = unsafe { syscall1!(GET_CMDLINE, block.as_mut_ptr()) };
    let bytes = if failed == 0 { block[1].min(buffer.len()) } else { 0 };
    let line = core::str::from_utf8(&buffer[..bytes]).unwrap_or_default();
    line.trim_end_matches('\0').split(' ').skip(1)
}
