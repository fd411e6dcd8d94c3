//! The folder of a run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::file::{WriteError, create_dir};

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Run {
    root: PathBuf,
}

impl Run {
    /// The run in `root`, which need not exist yet.
    pub fn at(root: &Path) -> Run {
        Run { root: root.into() }
    }

    /// A new folder `PARENT/00000-NAME`, with the number after the highest one there.
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

    /// The resolved settings. A folder with this file is a run.
    pub fn options(&self) -> PathBuf {
        self.root.join("options.json")
    }

    /// The rows of the log, one JSON object per line.
    pub fn stats(&self) -> PathBuf {
        self.root.join("stats.jsonl")
    }

    /// Scores of the samples, one JSON object per line.
    pub fn scores(&self) -> PathBuf {
        self.root.join("scores.jsonl")
    }

    /// The page that shows the run.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// Verdicts on the run's health, one JSON object per line.
    pub fn verdicts(&self) -> PathBuf {
        self.root.join("verdicts.jsonl")
    }

    /// The curves of the log.
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

    /// D's outputs for the grid at the end of an epoch.
    pub fn d_outputs(&self, epoch: u64) -> PathBuf {
        self.root.join(format!("d_outputs_epoch_{epoch:04}.npy"))
    }

    /// Creates the folder.
    ///
    /// # Errors
    /// [`WriteError`] names it.
    pub fn create(&self) -> Result<(), WriteError> {
        create_dir(&self.root)
    }
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
}
