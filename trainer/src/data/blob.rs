//! Bytes that any thread can read at any place: a file, or a part of one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use rawzip::{FileReader, ReaderAt};

/// A file, or a part of one. It stays readable when the file is removed.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    file: Arc<FileReader>,
    start: u64,
    len: u64,
}

/// Reads a blob from its beginning.
#[derive(Debug)]
pub(super) struct Reader {
    blob: Blob,
    at: u64,
}

impl Blob {
    /// The file at `path`.
    pub fn open(path: &Path) -> io::Result<Blob> {
        Blob::of(File::open(path)?)
    }

    /// A whole file.
    pub fn of(file: File) -> io::Result<Blob> {
        let len = file.metadata()?.len();
        Ok(Blob { file: Arc::new(file.into()), start: 0, len })
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// `len` bytes from `start`; none if they are not all there.
    pub fn part(&self, start: u64, len: u64) -> Option<Blob> {
        let end = start.checked_add(len)?;
        let part = || Blob { file: self.file.clone(), start: self.start + start, len };
        (end <= self.len).then(part)
    }

    /// A reader with a position of its own.
    pub fn reader(&self) -> Reader {
        Reader { blob: self.clone(), at: 0 }
    }
}

impl ReaderAt for Blob {
    fn read_at(&self, to: &mut [u8], at: u64) -> io::Result<usize> {
        let left = self.len.saturating_sub(at).min(to.len() as u64) as usize;
        match left {
            0 => Ok(0),
            _ => self.file.read_at(&mut to[..left], self.start + at),
        }
    }
}

impl Read for Reader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.blob.read_at(to, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.blob.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn parts_end_where_they_should() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let whole = Blob::of(file).unwrap();
        let part = whole.part(2, 6).unwrap().part(1, 4).unwrap();
        let mut reader = part.reader();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), part.len()), ("3456", 4));
        for (to, want) in [
            (SeekFrom::Start(3), "6"),
            (SeekFrom::End(-2), "56"),
            (SeekFrom::Current(-4), "3456"),
            (SeekFrom::Start(9), ""),
        ] {
            reader.seek(to).unwrap();
            text.clear();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, want, "{to:?}");
        }
        assert!(reader.seek(SeekFrom::End(-5)).is_err());
        assert!(whole.part(5, 6).is_none() && whole.part(u64::MAX, 2).is_none());
    }
}
