//! Files that are written completely or not at all.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

/// A file or folder that could not be written.
#[derive(Debug)]
pub struct WriteError {
    /// The path.
    pub path: PathBuf,
    /// The cause.
    pub error: io::Error,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}", self.path.display())
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// How the names of files begin that are being written.
const WRITING: &str = ".pocket-gan-writing-";
/// How often a write is tried whose temporary file disappears.
const TRIES: usize = 3;

/// Creates a folder and its parents.
///
/// # Errors
/// [`WriteError`] names it.
pub fn create_dir(path: &Path) -> Result<(), WriteError> {
    let attempt = || -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(path)?;
        sync_dir(parent(path))
    };
    attempt().map_err(|error| WriteError { path: path.into(), error })
}

/// Writes a file under a temporary name beside `path`, syncs and renames it, so that readers see
/// the old file or the new one, never a part. What killed processes left unfinished in the folder
/// is removed.
///
/// # Errors
/// [`WriteError`] names the file; nothing is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let parent = parent(path);
    sweep_once(parent);
    let attempt = || -> io::Result<()> {
        let mut file = builder(WRITING, 0o666).tempfile_in(parent)?;
        // A lock tells other processes that this one is alive. Not every file system has locks.
        let _ = file.as_file().try_lock();
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        sync_dir(parent)
    };
    let mut done = attempt();
    for _ in 1..TRIES {
        match &done {
            // Another process swept it away before it was locked.
            Err(e) if e.kind() == ErrorKind::NotFound && parent.is_dir() => done = attempt(),
            _ => break,
        }
    }
    done.map_err(|error| WriteError { path: path.into(), error })
}

/// Appends bytes in one write, so that a killed process leaves all of them or none; what a full disk
/// took of them is removed again.
pub(crate) fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(bytes).inspect_err(|_| {
        let _ = file.set_len(before);
    })
}

/// Writes and syncs a file that does not exist yet, under its own name: for folders that nobody
/// reads before they are renamed.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A new folder in `parent` whose name begins with `prefix`, removed when dropped.
pub(crate) fn temporary_dir(parent: &Path, prefix: &str) -> io::Result<TempDir> {
    builder(prefix, 0o777).tempdir_in(parent)
}

/// Syncs the entries of a folder, so that a rename survives a power cut.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(path)?.sync_all() {
        // Some network file systems cannot sync a folder.
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// Removes unfinished files in `dir` of processes that no longer run.
pub(crate) fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let named = entry.file_name().to_string_lossy().starts_with(WRITING);
        if !named || !entry.file_type().is_ok_and(|is| is.is_file()) {
            continue;
        }
        // A living process holds a lock on its file.
        if File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// [`sweep`] the first time that this process writes into `dir`: a folder may hold a million files.
fn sweep_once(dir: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if SWEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(dir.into()) {
        sweep(dir);
    }
}

/// Temporary names. tempfile's own are private to their owner; results follow the umask.
fn builder(prefix: &str, mode: u32) -> tempfile::Builder<'_, '_> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = write(&path, b"x").unwrap_err();
        assert!(error.to_string().contains("taken"));
        assert_eq!(count(dir.path()), 1);
    }

    #[test]
    fn leftovers_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let living = dir.path().join(format!("{WRITING}living"));
        let file = File::create(&living).unwrap();
        file.try_lock().unwrap();
        for name in ["dead", "gone"] {
            fs::write(dir.path().join(format!("{WRITING}{name}")), "half").unwrap();
        }
        fs::write(dir.path().join(".hidden"), "mine").unwrap();
        write(&dir.path().join("whole"), b"x").unwrap();
        assert_eq!(count(dir.path()), 3, "living, hidden, whole");
        assert!(living.exists());
        drop(file);
        sweep(dir.path());
        assert_eq!(count(dir.path()), 2);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_follow_the_umask() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let path = dir.path().join(name);
            path.metadata().unwrap().permissions().mode()
        };
        // The umask of the test itself, whatever it is.
        fs::write(dir.path().join("plain"), "").unwrap();
        write(&dir.path().join("ours"), b"").unwrap();
        assert_eq!(mode("ours"), mode("plain"));
        fs::create_dir(dir.path().join("folder")).unwrap();
        let ours = temporary_dir(dir.path(), "ours-").unwrap().keep();
        assert_eq!(ours.metadata().unwrap().permissions().mode(), mode("folder"));
    }
}
