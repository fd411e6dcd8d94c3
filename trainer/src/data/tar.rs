//! The files of a tar archive, and archives that have to be unpacked before they can be read at any
//! place.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::archive::{Listing, is_hidden, name};
use super::blob::Blob;
use super::error::DataError;

/// Bytes that archives may unpack to for each of their own, with all archives inside them: deflate
/// reaches 1,032, sets of images less than 150.
const EXPANSION: u64 = 256;
/// Bytes that they may unpack to whatever their length.
const FREE: u64 = 1 << 30;

/// Lists the files of the archive in `blob`, which errors call `path`. Links are left out: their
/// files are in the archive, too.
///
/// # Errors
/// [`DataError::Archive`].
pub(super) fn list(blob: &Blob, path: &Path) -> Result<Listing<Blob>, DataError> {
    let failed = |e| DataError::Archive(path.into(), e);
    let mut tar = tar::Archive::new(blob.reader());
    let mut listing = Listing::default();
    for entry in tar.entries_with_seek().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.header().entry_type();
        let name = name(&entry.path_bytes());
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) || name.ends_with('/') {
            continue;
        }
        if is_hidden(&name) {
            listing.hidden += 1;
            continue;
        }
        // The reader seeks beyond the end of a file that is cut off.
        let part = blob.part(entry.raw_file_position(), entry.size());
        let short = || io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} is cut off"));
        let part = part.ok_or_else(|| failed(short()))?;
        listing.files.push((name, part));
    }
    Ok(listing)
}

/// Whether these are the first bytes of a tar archive: at least 512, as POSIX 1003.1 (pax,
/// "ustar interchange format") or the older format, which has a checksum only.
pub(super) fn begins_as_tar(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<512>() else {
        return false;
    };
    let mut header_of = tar::Header::new_old();
    header_of.as_mut_bytes().copy_from_slice(header);
    // The field of the checksum counts as spaces.
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    let own: u32 = header[148..156].iter().map(|&b| u32::from(b)).sum();
    header[0] != 0 && header_of.cksum().is_ok_and(|want| want == sum - own + 8 * 32)
}

/// Whether these are the first bytes of a gzip file.
pub(super) fn begins_as_gzip(head: &[u8]) -> bool {
    head.starts_with(b"\x1f\x8b\x08")
}

/// The bytes of `packed`, decompressed if they are compressed by gzip.
pub(super) fn plain(mut packed: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::new();
    packed.by_ref().take(3).read_to_end(&mut head)?;
    let is_gzip = begins_as_gzip(&head);
    let whole = io::Cursor::new(head).chain(packed);
    Ok(match is_gzip {
        true => Box::new(MultiGzDecoder::new(whole)),
        false => Box::new(whole),
    })
}

/// Where compressed archives of a data set are unpacked to: a file without a name, which the system
/// removes when it is closed.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The file, to write to and to read from.
    file: Option<(File, Blob)>,
    written: u64,
    /// Bytes of the archives that lie on the disk; those inside them count for nothing.
    stored: u64,
    free: u64,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { file: None, written: 0, stored: 0, free: FREE }
    }
}

impl Scratch {
    /// Allows what an archive of `stored` bytes on the disk may unpack to.
    pub fn allow(&mut self, stored: u64) {
        self.stored = self.stored.saturating_add(stored);
    }

    /// Unpacks the archive `path`.
    ///
    /// # Errors
    /// [`DataError::Archive`] for damage, [`DataError::Unpacked`] beyond the limit,
    /// [`DataError::Temporary`] if the file cannot be written.
    pub fn unpack(&mut self, mut from: impl Read, path: &Path) -> Result<Blob, DataError> {
        let temporary = |e| DataError::Temporary(path.into(), e);
        let limit = self.stored.saturating_mul(EXPANSION).max(self.free);
        if self.file.is_none() {
            let file = tempfile::tempfile().map_err(temporary)?;
            let blob = file.try_clone().and_then(Blob::of).map_err(temporary)?;
            self.file = Some((file, blob));
        }
        let Some((to, whole)) = &mut self.file else { unreachable!("it was just created") };
        // What was unpacked of a damaged archive is written over.
        let start = self.written;
        to.seek(SeekFrom::Start(start)).map_err(temporary)?;
        let mut buffer = vec![0; 1 << 16];
        let mut end = start;
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(DataError::Archive(path.into(), e)),
            };
            end += read as u64;
            if end > limit {
                return Err(DataError::Unpacked(path.into(), limit));
            }
            to.write_all(&buffer[..read]).map_err(temporary)?;
        }
        self.written = end;
        Ok(whole.grown(start, end - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn make(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, *bytes).unwrap();
        }
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        tar.append_link(&mut link, "set/link.txt", "a.txt").unwrap();
        tar.into_inner().unwrap()
    }

    fn blob(bytes: &[u8]) -> Blob {
        Scratch::default().unpack(bytes, Path::new("x")).unwrap()
    }

    fn text(blob: &Blob) -> String {
        let mut text = String::new();
        blob.reader().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn files_and_long_names() {
        let long = format!("{}b.txt", "directory/".repeat(20));
        let bytes = make(&[("./set/a.txt", b"one"), (&long, b"two"), ("set/._a.txt", b"hidden")]);
        assert!(begins_as_tar(&bytes) && !begins_as_tar(&bytes[..511]));
        assert!(!begins_as_tar(&[0; 512]) && !begins_as_tar(&[b'a'; 600]));
        let listing = list(&blob(&bytes), Path::new("x.tar")).unwrap();
        let got: Vec<(&str, String)> =
            listing.files.iter().map(|(name, part)| (name.as_str(), text(part))).collect();
        assert_eq!(got, [("set/a.txt", "one".into()), (long.as_str(), "two".to_string())]);
        assert_eq!(listing.hidden, 1);
    }

    #[test]
    fn a_file_that_is_cut_off_is_an_error() {
        let bytes = make(&[("a.txt", &[7; 3000])]);
        for len in [600, 3000] {
            let error = list(&blob(&bytes[..len]), Path::new("x.tar")).unwrap_err();
            assert!(matches!(error, DataError::Archive(..)), "{error}");
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&bytes).unwrap();
        let gzip = gzip.finish().unwrap();
        let cut = plain(Box::new(io::Cursor::new(gzip[..gzip.len() - 9].to_vec()))).unwrap();
        let error = Scratch::default().unpack(cut, Path::new("x.tar.gz")).unwrap_err();
        assert!(matches!(error, DataError::Archive(..)), "{error}");
    }

    #[test]
    fn a_kilobyte_does_not_fill_the_disk() {
        let mut scratch = Scratch { free: 3 << 20, ..Scratch::default() };
        let error = scratch.unpack(io::repeat(0), Path::new("a.tgz")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.tgz unpacks to more than 3 MiB: unpack it yourself and give the folder"
        );
        // Neither do several archives that are smaller each.
        for _ in 0..3 {
            scratch.unpack(io::repeat(0).take(1 << 20), Path::new("b.tgz")).unwrap();
        }
        assert!(scratch.unpack(&[0][..], Path::new("c.tgz")).is_err());
        // The limit is also that of the disk.
        scratch.allow(3 << 12);
        assert!(scratch.unpack(&[0][..], Path::new("c.tgz")).is_err());
        scratch.allow(1);
        scratch.unpack(&[0][..], Path::new("c.tgz")).unwrap();
    }

    #[test]
    fn archives_share_a_file_and_damage_is_overwritten() {
        let mut scratch = Scratch::default();
        let a = scratch.unpack(&b"first"[..], Path::new("a")).unwrap();
        let failing = (&b"half"[..]).chain(Failing);
        assert!(scratch.unpack(failing, Path::new("b")).is_err());
        let c = scratch.unpack(&b"third"[..], Path::new("c")).unwrap();
        assert_eq!([text(&a), text(&c)], ["first", "third"]);
        assert_eq!(scratch.written, 10);
    }

    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("damaged"))
        }
    }

    #[test]
    fn gzip_is_found_by_its_mark() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"text").unwrap();
        for bytes in [gzip.finish().unwrap(), b"text".to_vec()] {
            let mut text = String::new();
            plain(Box::new(io::Cursor::new(bytes))).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "text");
        }
    }
}
