//! The bytes of a file, in memory or on the disk.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec;
use std::fs::File;
use std::io;

/// Where bytes are read from.
#[derive(Clone, Debug)]
pub(super) enum Source<'a> {
    Memory(&'a [u8]),
    /// Read in parts, so that weights are in memory only once. What happens to the file later does
    /// not matter.
    Disk(Arc<Disk>),
}

/// A file in which several threads read.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    /// Held while reading where a file has only one place to read at.
    #[cfg(not(unix))]
    turn: std::sync::Mutex<()>,
}

impl Source<'_> {
    /// A file.
    pub fn disk(file: File) -> Source<'static> {
        Source::Disk(Arc::new(Disk {
            file,
            #[cfg(not(unix))]
            turn: std::sync::Mutex::new(()),
        }))
    }

    /// Fills `to` with the bytes from `at` on.
    ///
    /// # Errors
    /// If they cannot be read, or end before.
    pub fn read(&self, at: u64, to: &mut [u8]) -> io::Result<()> {
        match self {
            Source::Memory(bytes) => {
                let from = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
                let from = from.and_then(|from| from.get(..to.len()));
                to.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Source::Disk(disk) => disk.read(at, to),
        }
    }
}

impl Disk {
    #[cfg(unix)]
    fn read(&self, at: u64, to: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, to, at)
    }

    #[cfg(not(unix))]
    fn read(&self, at: u64, to: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek};
        let _turn = self.turn.lock();
        (&self.file).seek(io::SeekFrom::Start(at))?;
        (&self.file).read_exact(to)
    }
}

/// A part of it.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub source: Source<'a>,
    pub at: u64,
    pub len: usize,
}

impl<'a> Part<'a> {
    /// All of some bytes.
    pub fn of(bytes: &'a [u8]) -> Part<'a> {
        Part { source: Source::Memory(bytes), at: 0, len: bytes.len() }
    }

    /// All bytes.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn bytes(&self) -> io::Result<Cow<'a, [u8]>> {
        if let Source::Memory(bytes) = self.source
            && (self.at, self.len) == (0, bytes.len())
        {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut bytes = vec![0; self.len];
        self.source.read(self.at, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }
}
