//! The files of a zip archive, read in place.

use std::io::{self, Read};
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, ReaderAt, ZipLocator};

use super::blob::Blob;
use super::error::{DataError, Reason};
use super::foreign::Foreign;

/// An archive. Its directory is taken to its end: the number of files in the end record has 16
/// bits, and not every program that writes more files also writes the record with 64.
#[derive(Debug)]
pub(super) struct Archive {
    blob: Blob,
    packed: Vec<Packed>,
}

/// Where a file lies, and how.
#[derive(Clone, Copy, Debug)]
struct Packed {
    /// Position of its local header.
    header: u64,
    compressed: u64,
    size: u64,
    crc: u32,
    method: CompressionMethod,
}

/// What an archive holds.
#[derive(Debug)]
pub(super) struct Listing<T> {
    /// Files that are not hidden: names with `/` between parts, and what finds their bytes.
    pub files: Vec<(String, T)>,
    /// Hidden files.
    pub hidden: usize,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Listing { files: Vec::new(), hidden: 0 }
    }
}

/// Longest entry of a directory with its name, extra fields and comment.
const LONGEST_ENTRY: usize = 46 + 3 * 65_536;
/// Length of a local header without its name and extra fields.
const LOCAL_HEADER: usize = 30;
/// What a 32-bit position loses.
const WRAP: u64 = 1 << 32;

impl Archive {
    /// Lists the files of the archive in `blob`, which errors call `path`.
    ///
    /// # Errors
    /// [`DataError::Archive`], [`DataError::Encrypted`], or [`DataError::Foreign`] for a PyTorch
    /// file, which is a zip archive, too.
    pub fn open(blob: Blob, path: &Path) -> Result<(Archive, Listing<usize>), DataError> {
        let failed = |e: rawzip::Error| DataError::Archive(path.into(), io::Error::other(e));
        let mut buffer = vec![0; LONGEST_ENTRY];
        let end = blob.len();
        let located = ZipLocator::new().locate_in_reader(blob.clone(), &mut buffer, end);
        let zip = located.map_err(|(_, e)| failed(e))?;
        let mut entries = zip.entries(&mut buffer);
        let (mut packed, mut listing) = (Vec::new(), Listing::default());
        let mut unwrap = Unwrap::default();
        while let Some(entry) = entries.next_entry().map_err(failed)? {
            let header = unwrap.position(entry.local_header_offset(), &blob);
            let name = name(entry.file_path().as_ref());
            if entry.is_dir() || name.ends_with('/') {
                continue;
            }
            if name.ends_with("/data.pkl") {
                return Err(DataError::Foreign(path.into(), Foreign::PyTorch));
            }
            if is_hidden(&name) {
                listing.hidden += 1;
                continue;
            }
            if entry.flags().is_encrypted() {
                return Err(DataError::Encrypted(path.into(), name));
            }
            listing.files.push((name, packed.len()));
            packed.push(Packed {
                header,
                compressed: entry.compressed_size_hint(),
                size: entry.uncompressed_size_hint(),
                crc: entry.crc32(),
                method: entry.compression_method(),
            });
        }
        Ok((Archive { blob, packed }, listing))
    }

    /// Bytes that a file takes in the archive.
    pub fn stored(&self, index: usize) -> u64 {
        self.packed[index].compressed
    }

    /// Length of a file.
    pub fn size(&self, index: usize) -> u64 {
        self.packed[index].size
    }

    /// A file's bytes. Their checksum is verified if they are read to the end.
    pub fn reader(&self, index: usize) -> Result<Box<dyn Read + Send>, Reason> {
        let packed = self.packed[index];
        let bytes = self.bytes(index)?.reader();
        Ok(match packed.method {
            CompressionMethod::STORE => Box::new(Checked::new(bytes, packed)),
            CompressionMethod::DEFLATE => {
                Box::new(Checked::new(DeflateDecoder::new(bytes), packed))
            }
            other => return Err(Reason::Method(other.to_string())),
        })
    }

    /// A file as a part of the archive, if it is not compressed.
    pub fn part(&self, index: usize) -> Result<Option<Blob>, Reason> {
        match self.packed[index].method {
            CompressionMethod::STORE => self.bytes(index).map(Some),
            _ => Ok(None),
        }
    }

    /// A file's bytes as they are stored. The local header has the lengths of its own name and
    /// extra fields; everything else is taken from the directory.
    fn bytes(&self, index: usize) -> Result<Blob, Reason> {
        let Packed { header, compressed, .. } = self.packed[index];
        let mut local = [0; LOCAL_HEADER];
        self.blob.read_exact_at(&mut local, header).map_err(Reason::Read)?;
        let length = |at: usize| u64::from(u16::from_le_bytes([local[at], local[at + 1]]));
        let start = header + LOCAL_HEADER as u64 + length(26) + length(28);
        let part = self.blob.part(start, compressed).filter(|_| local.starts_with(b"PK\x03\x04"));
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its header is damaged");
        part.ok_or_else(|| Reason::Read(damaged()))
    }
}

/// Positions beyond 4 GiB that were written with 32 bits, in the order of the files.
#[derive(Default)]
struct Unwrap {
    /// What the positions are too large by: `rawzip` moves all of them by as much as the directory.
    moved: Option<u64>,
    wraps: u64,
    last: u64,
}

impl Unwrap {
    fn position(&mut self, listed: u64, blob: &Blob) -> u64 {
        // The first file lies at the beginning, or behind a short program that unpacks.
        let moved = *self.moved.get_or_insert_with(|| match is_local_header(blob, listed) {
            true => 0,
            false => listed / WRAP * WRAP,
        });
        if moved == 0 {
            return listed;
        }
        let low = listed.saturating_sub(moved);
        if low < self.last {
            self.wraps += WRAP;
        }
        self.last = low;
        low + self.wraps
    }
}

fn is_local_header(blob: &Blob, at: u64) -> bool {
    let mut mark = [0; 4];
    blob.read_exact_at(&mut mark, at).is_ok() && mark == *b"PK\x03\x04"
}

/// A name with `/` between its parts. Bytes that are not UTF-8 become one character each, so that
/// different names stay different.
pub(super) fn name(raw: &[u8]) -> String {
    let name = match str::from_utf8(raw) {
        // Archives made on Windows may have the other slash.
        Ok(name) => name.replace('\\', "/"),
        Err(_) => raw.iter().map(|&byte| char::from(byte)).collect(),
    };
    name.trim_start_matches("./").into()
}

/// Whether a file is none of a data set's: hidden, or made by a system for its own purposes.
pub(super) fn is_hidden(name: &str) -> bool {
    let hidden = |part: &str| {
        part.starts_with('.') || ["__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini"].contains(&part)
    };
    name.split('/').any(hidden)
}

/// Bytes with the checksum and length that they should have.
struct Checked<R> {
    bytes: R,
    crc: Crc,
    want: Packed,
}

impl<R> Checked<R> {
    fn new(bytes: R, want: Packed) -> Checked<R> {
        Checked { bytes, crc: Crc::new(), want }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(to)?;
        self.crc.update(&to[..read]);
        // The length counts modulo 2^32.
        let ended = read == 0 && !to.is_empty();
        if ended && (self.crc.sum(), self.crc.amount()) != (self.want.crc, self.want.size as u32) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::{Seek, SeekFrom, Write};
    use std::path::PathBuf;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod as Method, ZipWriter};

    const FILES: [&str; 6] = [
        "set/b.txt",
        "set/a.txt",
        "__MACOSX/set/._a.txt",
        "set/.hidden",
        ".DS_Store",
        "set\\win.txt",
    ];

    fn make(dir: &Path, method: Method) -> PathBuf {
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

    fn open(path: &Path) -> Result<(Archive, Listing<usize>), DataError> {
        Archive::open(Blob::open(path).unwrap(), path)
    }

    fn read(archive: &Archive, index: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let mut reader = archive.reader(index).map_err(|e| e.to_string())?;
        reader.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        Ok(bytes)
    }

    #[test]
    fn stored_and_deflated() {
        let dir = tempfile::tempdir().unwrap();
        for method in [Method::Stored, Method::Deflated] {
            let (archive, listing) = open(&make(dir.path(), method)).unwrap();
            let names: Vec<&str> = listing.files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["set/b.txt", "set/a.txt", "set/win.txt"]);
            assert_eq!(listing.hidden, 3);
            let (_, a) = listing.files[1];
            assert_eq!(read(&archive, a).unwrap(), "set/a.txt".repeat(100).as_bytes());
            assert_eq!(archive.size(a), 900);
            assert_eq!(archive.part(a).unwrap().is_some(), method == Method::Stored);
        }
    }

    #[test]
    fn threads_read_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (archive, listing) = open(&make(dir.path(), Method::Deflated)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for (name, i) in listing.files.iter().cycle().take(200) {
                        assert_eq!(read(&archive, *i).unwrap()[..3], name.as_bytes()[..3]);
                    }
                });
            }
        });
    }

    #[test]
    fn damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = make(dir.path(), Method::Stored);
        let whole = fs::read(&path).unwrap();
        for len in [0, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            let error = open(&path).map(|_| ()).unwrap_err();
            assert!(matches!(&error, DataError::Archive(p, _) if *p == path), "{error}");
        }

        // A flipped bit in stored data: the archive opens, the file's checksum is wrong.
        let mut bytes = whole.clone();
        let at = bytes.windows(9).position(|w| w == b"set/a.txt").unwrap() + 50;
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let (archive, listing) = open(&path).unwrap();
        assert_eq!(read(&archive, listing.files[1].1).unwrap_err(), "its checksum is wrong");

        // A local header that is none.
        let mut bytes = whole.clone();
        let at = bytes.windows(9).position(|w| w == b"set/a.txt").unwrap() - LOCAL_HEADER;
        bytes[at] = 0;
        fs::write(&path, &bytes).unwrap();
        let (archive, listing) = open(&path).unwrap();
        let error = read(&archive, listing.files[1].1).unwrap_err();
        assert_eq!(error, "cannot be read: its header is damaged");

        // Bit 0 of the flags in the central directory: encrypted.
        let mut bytes = whole.clone();
        let at = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        let second = at + 4 + bytes[at + 4..].windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        bytes[second + 8] |= 1;
        fs::write(&path, &bytes).unwrap();
        let error = open(&path).map(|_| ()).unwrap_err();
        assert!(
            matches!(&error, DataError::Encrypted(p, entry) if *p == path && entry == "set/b.txt"),
            "{error}"
        );

        // A method of compression that is not supported.
        let mut bytes = whole;
        bytes[second + 10] = 9;
        fs::write(&path, &bytes).unwrap();
        let (archive, listing) = open(&path).unwrap();
        let error = read(&archive, listing.files[0].1).unwrap_err();
        assert!(error.contains("9 (DEFLATE64)") && error.contains("unpack"), "{error}");
    }

    /// A stored archive of these files as macOS's Finder makes it: numbers and positions wrap.
    fn wrapped(to: &mut File, files: &[(&str, &[u8], u64)]) {
        let mut directory = Vec::new();
        for (name, bytes, at) in files {
            let mut crc = Crc::new();
            crc.update(bytes);
            let numbers = [crc.sum(), bytes.len() as u32, bytes.len() as u32];
            let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            let length = (name.len() as u16).to_le_bytes();
            let fixed = [20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let common = [&fixed[..], &numbers, &length, &[0, 0]].concat();
            let local = [&b"PK\x03\x04"[..], &common, name.as_bytes(), bytes].concat();
            to.seek(SeekFrom::Start(*at)).unwrap();
            to.write_all(&local).unwrap();
            let position = (*at as u32).to_le_bytes();
            let rest = [&[0; 10][..], &position, name.as_bytes()].concat();
            directory.extend([&b"PK\x01\x02\x15\x03"[..], &common, &rest].concat());
        }
        let start = to.stream_position().unwrap() as u32;
        let count = (files.len() as u16).to_le_bytes();
        let lengths = [(directory.len() as u32).to_le_bytes(), start.to_le_bytes()].concat();
        let end = [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &lengths, &[0, 0]].concat();
        to.write_all(&[directory, end].concat()).unwrap();
    }

    #[test]
    fn more_files_than_the_end_record_can_count() {
        let mut file = tempfile::tempfile().unwrap();
        let names: Vec<String> = (0..65_736).map(|i| format!("img/{i:06}.pgm")).collect();
        let one = (LOCAL_HEADER + 14 + 6) as u64;
        let files: Vec<(&str, &[u8], u64)> = (0u64..)
            .zip(&names)
            .map(|(i, name)| (name.as_str(), &name.as_bytes()[4..10], i * one))
            .collect();
        wrapped(&mut file, &files);
        let (archive, listing) = Archive::open(Blob::of(file).unwrap(), Path::new("x")).unwrap();
        assert_eq!(listing.files.len(), 65_736);
        for i in [0, 199, 200, 65_535, 65_735] {
            assert_eq!(read(&archive, i).unwrap(), &names[i].as_bytes()[4..10]);
        }
    }

    #[test]
    fn positions_beyond_four_gibibytes_that_wrapped() {
        // Sparse: the file takes a few kilobytes.
        let mut file = tempfile::tempfile().unwrap();
        let places = [0, 3 << 30, 5 << 30, 6 << 30, (9 << 30) + 7];
        let names = ["a", "b", "c", "d", "e"];
        let files: Vec<(&str, &[u8], u64)> =
            names.iter().zip(places).map(|(&n, at)| (n, n.as_bytes(), at)).collect();
        wrapped(&mut file, &files);
        let (archive, listing) = Archive::open(Blob::of(file).unwrap(), Path::new("x")).unwrap();
        for (i, name) in names.iter().enumerate() {
            assert_eq!(listing.files[i].0, *name);
            assert_eq!(read(&archive, i).unwrap(), name.as_bytes(), "{name}");
        }
    }

    #[test]
    fn names_stay_different() {
        // Two words in Shift JIS.
        let (dog, cat) = (name(b"\x8c\xa2/1.png"), name(b"\x94\x4c/1.png"));
        assert_ne!(dog, cat);
        assert_eq!(name("犬/1.png".as_bytes()), "犬/1.png");
        assert_eq!(name(b"./a\\b.png"), "a/b.png");
        for (name, want) in
            [("a/Thumbs.db", true), ("@eaDir/x.jpg", true), ("a/._b.png", true), ("a.b/c", false)]
        {
            assert_eq!(is_hidden(name), want, "{name}");
        }
    }
}
