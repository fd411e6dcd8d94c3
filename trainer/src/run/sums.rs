//! Checksums of the files in a folder: its file `checksums` has a line for each other file, `CRC-32C
//! LENGTH NAME`, and the checksum of those lines.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::load_error::LoadError;
use crate::file;

/// The file of checksums, and the longest one that is read.
pub(super) const SUMS: &str = "checksums";
const LONGEST: u64 = 1 << 16;

/// The checksums of a folder.
pub(super) struct Sums {
    dir: PathBuf,
    /// Checksum and length of each file, by name.
    pub files: BTreeMap<String, (u32, u64)>,
}

impl Sums {
    /// Reads those of a folder.
    ///
    /// # Errors
    /// [`LoadError`] names the file of checksums.
    pub fn read(dir: &Path) -> Result<Sums, LoadError> {
        let path = dir.join(SUMS);
        let read = |e| LoadError::Read(path.clone(), e);
        let mut text = String::new();
        let file = fs::File::open(&path).map_err(read)?;
        file.take(LONGEST).read_to_string(&mut text).map_err(read)?;
        let parse = || -> Option<BTreeMap<String, (u32, u64)>> {
            let lines = text.strip_suffix('\n')?;
            let (lines, last) = lines.split_at(lines.rfind('\n')? + 1);
            let sum = |digits: &str| u32::from_str_radix(digits, 16).ok();
            if last != format!("{:08x}", crc32c::crc32c(lines.as_bytes())) {
                return None;
            }
            lines
                .lines()
                .map(|line| {
                    let mut parts = line.splitn(3, ' ');
                    let (of, length) = (sum(parts.next()?)?, parts.next()?.parse().ok()?);
                    let name = parts.next()?;
                    // No path: only files of the checkpoint itself are read.
                    let plain = !name.starts_with('.') && !name.contains(['/', '\\']);
                    plain.then(|| (name.to_string(), (of, length)))
                })
                .collect()
        };
        match parse() {
            Some(files) => Ok(Sums { dir: dir.into(), files }),
            None => Err(LoadError::Changed(path, "it is not what was written".into())),
        }
    }

    /// The bytes of a file, if they are those that were written.
    ///
    /// # Errors
    /// [`LoadError`] names the file.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, LoadError> {
        let path = self.path(name);
        let Some(&(sum, length)) = self.files.get(name) else {
            return Err(LoadError::Changed(self.path(SUMS), format!("it lacks {name}")));
        };
        let read = |e| LoadError::Read(path.clone(), e);
        let file = fs::File::open(&path).map_err(read)?;
        let got = file.metadata().map_err(read)?.len();
        let mut bytes = Vec::new();
        if got == length {
            file.take(length).read_to_end(&mut bytes).map_err(read)?;
        }
        if bytes.len() as u64 != length {
            let what = format!("{length} bytes were written, there are {got}");
            return Err(LoadError::Changed(path, what));
        }
        match crc32c::crc32c(&bytes) == sum {
            true => Ok(bytes),
            false => Err(LoadError::Changed(path, "its checksum is wrong".into())),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Writes files of a folder and their checksums.
pub(super) struct Writer<'a> {
    dir: &'a Path,
    lines: String,
}

impl Writer<'_> {
    pub fn new(dir: &Path) -> Writer<'_> {
        Writer { dir, lines: String::new() }
    }

    pub fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.lines += &format!("{:08x} {} {name}\n", crc32c::crc32c(bytes), bytes.len());
        file::write_new(&self.dir.join(name), bytes)
    }

    /// Writes the checksums of all files before.
    pub fn finish(mut self) -> io::Result<()> {
        let last = crc32c::crc32c(self.lines.as_bytes());
        self.lines += &format!("{last:08x}\n");
        file::write_new(&self.dir.join(SUMS), self.lines.as_bytes())
    }
}
