//! The files of a zip archive, read in place.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zip::ZipArchive;
use zip::result::ZipError;

use super::error::{DataError, Reason};

type Reader = ZipArchive<BufReader<File>>;

/// An archive and as many readers as threads needed at once: a file has one position, so readers
/// cannot be shared.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

/// What an archive holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Files that are not hidden: names with `/` between parts, and numbers for [`Archive::head`].
    pub files: Vec<(String, usize)>,
    /// Hidden files.
    pub hidden: usize,
}

impl Archive {
    /// Opens an archive and lists its files.
    ///
    /// # Errors
    /// [`DataError::NotAnArchive`], [`DataError::Archive`] or [`DataError::Encrypted`].
    pub fn open(path: &Path) -> Result<(Archive, Listing), DataError> {
        let mut mark = [0; 2];
        let mut file = File::open(path).map_err(|e| DataError::Read(path.into(), e))?;
        if file.read_exact(&mut mark).is_err() || mark != *b"PK" {
            return Err(DataError::NotAnArchive(path.into()));
        }
        let reader = reader(path).map_err(|e| DataError::Archive(path.into(), e))?;
        let mut listing = Listing::default();
        for i in 0..reader.len() {
            let entry = reader.by_index_data(i).map_err(|e| DataError::Archive(path.into(), e))?;
            // Archives made on Windows may have the other slash.
            let name = String::from_utf8_lossy(entry.name_raw()).replace('\\', "/");
            if !entry.is_file() || name.ends_with('/') {
                continue;
            }
            let out_of_sight = |part: &str| part.starts_with('.') || part == "__MACOSX";
            if name.split('/').any(out_of_sight) {
                listing.hidden += 1;
                continue;
            }
            if entry.encrypted() {
                return Err(DataError::Encrypted(path.into(), name));
            }
            listing.files.push((name, i));
        }
        let archive = Archive { path: path.into(), idle: Mutex::new(vec![reader]) };
        Ok((archive, listing))
    }

    /// The first `most` bytes of a file. Its checksum is verified if it is read to the end.
    pub fn head(&self, index: usize, most: u64) -> Result<Vec<u8>, Reason> {
        // Only the list is locked, not the reading. It stays valid if another thread panics.
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => reader(&self.path).map_err(Reason::Entry)?,
        };
        let mut bytes = Vec::new();
        let read = match reader.by_index(index) {
            Ok(entry) => entry.take(most).read_to_end(&mut bytes).map_err(Reason::Read),
            Err(error) => Err(Reason::Entry(error)),
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        read.map(|_| bytes)
    }
}

fn reader(path: &Path) -> Result<Reader, ZipError> {
    ZipArchive::new(BufReader::new(File::open(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    const FILES: [&str; 6] = [
        "set/b.txt",
        "set/a.txt",
        "__MACOSX/set/._a.txt",
        "set/.hidden",
        ".DS_Store",
        "set\\win.txt",
    ];

    fn make(dir: &Path, method: CompressionMethod) -> PathBuf {
        let path = dir.join("x.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        let options = SimpleFileOptions::default().compression_method(method);
        zip.add_directory("set", options).unwrap();
        for name in FILES {
            zip.start_file(name, options).unwrap();
            zip.write_all(name.repeat(100).as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    #[test]
    fn stored_and_deflated() {
        let dir = tempfile::tempdir().unwrap();
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let (archive, listing) = Archive::open(&make(dir.path(), method)).unwrap();
            let names: Vec<&str> = listing.files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["set/b.txt", "set/a.txt", "set/win.txt"]);
            assert_eq!(listing.hidden, 3);
            let (_, a) = listing.files[1];
            assert_eq!(archive.head(a, 9).unwrap(), b"set/a.txt");
            assert_eq!(archive.head(a, u64::MAX).unwrap().len(), 900);
        }
    }

    #[test]
    fn threads_read_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (archive, listing) =
            Archive::open(&make(dir.path(), CompressionMethod::Deflated)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for (name, i) in listing.files.iter().cycle().take(200) {
                        let bytes = archive.head(*i, u64::MAX).unwrap();
                        assert_eq!(bytes[..3], name.as_bytes()[..3]);
                    }
                });
            }
        });
        assert!(archive.idle.lock().unwrap().len() <= 4);
    }

    #[test]
    fn damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = make(dir.path(), CompressionMethod::Stored);
        let whole = fs::read(&path).unwrap();
        let cut = |len: usize| {
            fs::write(&path, &whole[..len]).unwrap();
            Archive::open(&path).map(|_| ()).unwrap_err()
        };
        assert!(matches!(cut(0), DataError::NotAnArchive(p) if p == path));
        assert!(matches!(cut(whole.len() / 2), DataError::Archive(p, _) if p == path));
        assert!(matches!(cut(whole.len() - 1), DataError::Archive(p, _) if p == path));

        // A flipped bit in stored data: the archive opens, the file's checksum is wrong.
        let mut bytes = whole.clone();
        let at = bytes.windows(9).position(|w| w == b"set/a.txt").unwrap() + 50;
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let (archive, listing) = Archive::open(&path).unwrap();
        let (_, a) = listing.files[1];
        assert!(matches!(archive.head(a, u64::MAX), Err(Reason::Read(_))));

        // Bit 0 of the flags in the central directory: encrypted.
        let mut bytes = whole;
        let at = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        let second = at + 4 + bytes[at + 4..].windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        bytes[second + 8] |= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Archive::open(&path).map(|_| ()).unwrap_err();
        assert!(
            matches!(&error, DataError::Encrypted(p, entry) if *p == path && entry == "set/b.txt"),
            "{error}"
        );
    }
}
