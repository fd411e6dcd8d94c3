//! The folder of a run.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::file::{WriteError, create_dir, sync_dir};

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

    /// Creates a folder `PARENT/00000-NAME`, with the number after the highest one there. No other
    /// process gets the same folder.
    ///
    /// # Errors
    /// [`WriteError`] names the folder.
    pub fn create_numbered(parent: &Path, name: &str) -> Result<Run, WriteError> {
        create_dir(parent)?;
        // Two processes that start at once get two numbers, not one with two names. Without locks
        // on folders they still get two folders.
        let _one_at_a_time = File::open(parent).and_then(|dir| dir.lock().map(|()| dir));
        loop {
            let root = parent.join(format!("{:05}-{name}", next_number(parent)));
            match fs::create_dir(&root).and_then(|()| sync_dir(parent)) {
                Ok(()) => return Ok(Run::at(&root)),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(WriteError { path: root, error }),
            }
        }
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

/// The number after the highest one of `parent`'s entries.
fn next_number(parent: &Path) -> u32 {
    let number = |name: &str| -> Option<u32> {
        let (digits, _) = name.split_once('-')?;
        (5..=9).contains(&digits.len()).then(|| digits.parse().ok())?
    };
    fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| number(e.file_name().to_str()?))
        .max()
        .map_or(0, |n| n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up() {
        let dir = tempfile::tempdir().unwrap();
        let parent = dir.path().join("runs");
        let first = Run::create_numbered(&parent, "a").unwrap();
        assert!(first.root().ends_with("00000-a") && first.root().is_dir());
        fs::create_dir(parent.join("notes")).unwrap();
        fs::create_dir(parent.join("00041-b")).unwrap();
        fs::create_dir(parent.join("4294967295-c")).unwrap();
        assert!(Run::create_numbered(&parent, "c").unwrap().root().ends_with("00042-c"));
        fs::create_dir(parent.join("123456-d")).unwrap();
        assert!(Run::create_numbered(&parent, "e").unwrap().root().ends_with("123457-e"));
    }

    #[test]
    fn every_process_gets_a_number_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let take = |name: &str| {
            let run = Run::create_numbered(dir.path(), name).unwrap();
            run.root().file_name().unwrap().to_string_lossy()[..5].to_string()
        };
        let mut numbers: Vec<String> = std::thread::scope(|scope| {
            let names = ["a", "b", "a", "b", "c", "a"];
            let all = names.map(|name| scope.spawn(move || [take(name), take(name)]));
            all.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        numbers.sort();
        let want: Vec<String> = (0..12).map(|n| format!("{n:05}")).collect();
        assert_eq!(numbers, want);
    }
}
