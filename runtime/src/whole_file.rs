//! Files that are whole or absent, whatever happens to the process or the power.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::vec::Vec;

use tempfile::NamedTempFile;

/// Names of temporary files begin and end like this, so that they are found again.
const TEMPORARY: (&str, &str) = (".pocket-gan-", ".tmp");

/// Age from which a temporary file that no process has locked was left behind by one that was
/// killed. Younger ones may be about to be locked.
const STALE: Duration = Duration::from_secs(60);

/// A file that appears under its name only once it is complete, and is removed if it never is.
pub struct WholeFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl WholeFile {
    /// Starts the file in its folder, which must exist, and removes what killed processes left there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<WholeFile> {
        let folder = folder(path);
        sweep_once(folder);
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
        // By default, temporary files are private to their owner; this leaves it to the umask.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder)?;
        // Not all file systems have locks; there, files are only kept from a sweep while they are young.
        let _ = file.as_file().try_lock();
        Ok(WholeFile { file, path: path.into() })
    }

    /// Moves the file into place. The data reaches the disk before the name does: after a power cut
    /// the path has the old contents or the new, never a part. [`settle`] then waits for the name.
    ///
    /// # Errors
    /// Those of the file system; the old contents are then still there.
    pub fn keep(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path).map_err(|e| e.error)?;
        Ok(())
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

/// Replaces the contents of a file, or creates it, and waits until the disk has it.
///
/// # Errors
/// Those of the file system; the old contents are then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes)?;
    file.keep()?;
    settle(path)
}

/// Waits until the names in the folder of `path` are on the disk.
///
/// # Errors
/// Those of the disk.
pub fn settle(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    // A folder that can be written to but not read is settled by the system, some time later.
    let Ok(folder) = File::open(folder(path)) else { return Ok(()) };
    match folder.sync_all() {
        // The file system has no such operation.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}

/// The folder of a file.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Sweeps a folder before the first file is written to it.
fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.iter().any(|f| f == folder) {
        swept.push(folder.into());
        sweep(folder);
    }
}

/// Removes temporary files of processes that were killed. Files that cannot be looked at or removed
/// stay.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let ours =
            name.starts_with(TEMPORARY.0.as_bytes()) && name.ends_with(TEMPORARY.1.as_bytes());
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let age = entry.metadata().and_then(|m| m.modified()).map(|time| time.elapsed());
        let stale = age.is_ok_and(|age| age.is_ok_and(|age| age >= STALE));
        // The system releases the lock of a process that ends, however it ends.
        if stale && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let count = || std::fs::read_dir(dir.path()).unwrap().count();
        replace(&path, b"old").unwrap();
        // Two processes write at once: each has a file of its own.
        let mut slow = WholeFile::create(&path).unwrap();
        slow.write_all(b"half").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        slow.write_all(b" and half").unwrap();
        slow.keep().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"half and half");
        drop(WholeFile::create(&path).unwrap());
        assert_eq!(count(), 1);
        assert!(replace(&dir.path().join("none/a"), b"").is_err());
    }

    #[test]
    fn what_a_killed_process_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let old = SystemTime::now() - 2 * STALE;
        for (name, time) in [
            (".pocket-gan-left.tmp", old),
            (".pocket-gan-young.tmp", SystemTime::now()),
            ("mine.tmp", old),
        ] {
            File::create(at(name)).unwrap().set_modified(time).unwrap();
        }
        let used = File::create(at(".pocket-gan-used.tmp")).unwrap();
        used.set_modified(old).unwrap();
        used.lock().unwrap();
        replace(&at("a"), b"").unwrap();
        assert!(!at(".pocket-gan-left.tmp").exists());
        for name in [".pocket-gan-young.tmp", ".pocket-gan-used.tmp", "mine.tmp", "a"] {
            assert!(at(name).exists(), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_have_the_mode_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| dir.path().join(name).metadata().unwrap().permissions().mode();
        std::fs::write(dir.path().join("any"), "").unwrap();
        replace(&dir.path().join("ours"), b"").unwrap();
        assert_eq!(mode("ours"), mode("any"));
    }
}
