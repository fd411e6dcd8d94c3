//! The folder of a run: what lies where, and files that are whole or absent.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Run {
    root: PathBuf,
}

/// A file or folder that could not be made or written.
#[derive(Debug)]
pub struct WriteError {
    /// Which.
    pub path: PathBuf,
    /// Why.
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

impl Run {
    /// The run in `root`, which need not exist yet.
    pub fn at(root: &Path) -> Run {
        Run { root: root.into() }
    }

    /// A new folder `runs/00000-NAME`, numbered one more than the highest there.
    pub fn numbered(parent: &Path, name: &str) -> Run {
        let highest = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|e| e.file_name().to_str()?.get(..5)?.parse::<u32>().ok())
            .max();
        let number = highest.map_or(0, |n| n + 1);
        Run::at(&parent.join(format!("{number:05}-{name}")))
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved settings. They are what makes a folder a run.
    pub fn options(&self) -> PathBuf {
        self.root.join("options.json")
    }

    /// One JSON object a line of the log.
    pub fn stats(&self) -> PathBuf {
        self.root.join("stats.jsonl")
    }

    /// Scores of the samples, a JSON object a line.
    pub fn scores(&self) -> PathBuf {
        self.root.join("scores.jsonl")
    }

    /// All of it as a page.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// What was said of the run's health, a JSON object a line.
    pub fn verdicts(&self) -> PathBuf {
        self.root.join("verdicts.jsonl")
    }

    /// The picture of the log's numbers.
    pub fn curves(&self) -> PathBuf {
        self.root.join("curves.svg")
    }

    /// The folder of checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The folder of exported generators.
    pub fn export(&self) -> PathBuf {
        self.root.join("export")
    }

    /// The path of a picture.
    pub fn picture(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.png"))
    }

    /// The path of a page.
    pub fn page(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.html"))
    }

    /// The path of what D says of the grid at the end of an epoch.
    pub fn judged(&self, epoch: u64) -> PathBuf {
        self.root.join(format!("d_outputs_epoch_{epoch:04}.npy"))
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// [`WriteError`] names it.
    pub fn create(&self) -> Result<(), WriteError> {
        create_dir(&self.root)
    }
}

/// Makes a folder and its parents.
///
/// # Errors
/// [`WriteError`] names it.
pub fn create_dir(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|error| WriteError { path: path.into(), error })
}

/// Writes a file under a temporary name beside `path`, brings it to disk and renames it: whoever looks sees the old
/// file or the new one, whole.
///
/// # Errors
/// [`WriteError`] names the file; nothing is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let attempt = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        // Temporary files are private to their owner; results are not.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    attempt().map_err(|error| WriteError { path: path.into(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up() {
        let dir = tempfile::tempdir().unwrap();
        let first = Run::numbered(dir.path(), "a");
        assert!(first.root().ends_with("00000-a"));
        first.create().unwrap();
        fs::create_dir(dir.path().join("notes")).unwrap();
        fs::create_dir(dir.path().join("00041-b")).unwrap();
        assert!(Run::numbered(dir.path(), "c").root().ends_with("00042-c"));
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = write(&path, b"x").unwrap_err();
        assert!(error.to_string().contains("taken"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
