//! Bytes that any thread can read at any place: a file, or a part of one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rawzip::{FileReader, ReaderAt};

/// Files that stay open. A process may have 1,024 open on Linux and 256 on macOS; of a folder with
/// more archives, the others are opened for each read.
const HELD: usize = 64;

/// A file, or a part of one. One without a name stays readable until it is dropped.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    file: Arc<Source>,
    start: u64,
    len: u64,
}

#[derive(Debug)]
enum Source {
    /// Open, as one of [`HELD`] unless it has no name.
    Held { file: FileReader, _place: Option<Place> },
    /// Opened for each read, with the length that it should have.
    Named(PathBuf, u64),
}

/// One of [`HELD`] places.
#[derive(Debug)]
struct Place;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl Place {
    fn take() -> Option<Place> {
        let more = |taken| (taken < HELD).then_some(taken + 1);
        TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Source {
    fn read_at(&self, to: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Source::Held { file, .. } => file.read_at(to, at),
            Source::Named(path, len) => {
                let file = File::open(path)?;
                match file.metadata()?.len() == *len {
                    true => FileReader::from(file).read_at(to, at),
                    false => Err(io::Error::other("it has changed since it was opened")),
                }
            }
        }
    }
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
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let source = match Place::take() {
            Some(place) => Source::Held { file: file.into(), _place: Some(place) },
            None => Source::Named(path.into(), len),
        };
        Ok(Blob { file: Arc::new(source), start: 0, len })
    }

    /// A file that may have no name.
    pub fn of(file: File) -> io::Result<Blob> {
        let len = file.metadata()?.len();
        Ok(Blob { file: Arc::new(Source::Held { file: file.into(), _place: None }), start: 0, len })
    }

    /// `len` bytes from `start` of a file that has grown since it was opened.
    pub fn grown(&self, start: u64, len: u64) -> Blob {
        Blob { file: self.file.clone(), start, len }
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
    fn a_thousand_files_are_read_with_a_few_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = |i: usize| dir.path().join(i.to_string());
        let open = |i: usize| {
            std::fs::write(path(i), i.to_string()).unwrap();
            Blob::open(&path(i)).unwrap()
        };
        let all: Vec<Blob> = (0..1100).map(open).collect();
        let named = |blob: &Blob| matches!(*blob.file, Source::Named(..));
        assert!(all.iter().filter(|blob| named(blob)).count() >= 1100 - HELD);
        for (i, blob) in all.iter().enumerate() {
            let mut text = String::new();
            blob.reader().read_to_string(&mut text).unwrap();
            assert_eq!(text, i.to_string());
        }
        // One that is opened again must be the same.
        let i = all.iter().position(named).unwrap();
        std::fs::write(path(i), "another text").unwrap();
        let error = all[i].reader().read(&mut [0]).unwrap_err();
        assert_eq!(error.to_string(), "it has changed since it was opened");
    }

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
