//! Output that survives closed streams and power cuts.

use std::fmt;
use std::fs::File;
use std::io::{self, Write, stderr, stdout};
use std::path::{Path, PathBuf};

/// Prints a line on standard error. Unlike `eprintln!` it does not panic if nobody reads it.
pub fn notice(line: impl fmt::Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// Prints a line on standard output.
///
/// # Errors
/// Those of the stream, such as a closed pipe.
pub fn print(line: impl fmt::Display) -> io::Result<()> {
    let mut stdout = stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// A file that appears under its name only once it is complete, and is removed if it never is.
///
/// It is written beside the target under a name that the next attempt reuses, so that killed processes
/// leave nothing that piles up.
pub struct WholeFile {
    file: File,
    part: PathBuf,
    path: PathBuf,
}

impl WholeFile {
    /// Starts the file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<WholeFile> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        Ok(WholeFile { file: File::create(&part)?, part, path: path.into() })
    }

    /// Moves the file into place.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep(self) -> io::Result<()> {
        std::fs::rename(&self.part, &self.path)
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        // After `keep` there is nothing under this name.
        let _ = std::fs::remove_file(&self.part);
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Replaces the contents of a file, or creates it. The data reaches the disk before the name does:
/// after a power cut the path has the old contents or the new, never an empty file.
///
/// # Errors
/// Those of the file system; the old contents are then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes)?;
    file.file.sync_all()?;
    file.keep()?;
    sync_folder(path)
}

/// Makes a rename durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"old").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        // As a killed process leaves it; the next attempt reuses the name.
        std::mem::forget(file);
        replace(&path, b"newest").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"newest");
        drop(WholeFile::create(&path).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), b"newest");
        assert!(replace(&dir.path().join("none/a"), b"").is_err());
    }
}
