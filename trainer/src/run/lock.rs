//! The right to write into a run's folder: one process at a time.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;

use super::folder::Run;
use crate::file::WriteError;

/// Held while a process trains a run. It is advisory, and the system releases it when the process
/// ends, however it ends: the file stays, and means nothing without its lock.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a run's folder cannot be locked.
#[derive(Debug)]
pub enum LockError {
    /// Another process trains the run in this folder; its id, if it has written it down yet.
    Busy(PathBuf, Option<u32>),
    /// The file of the lock cannot be written.
    Write(WriteError),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Busy(root, id) => {
                let process = id.map_or("another process".into(), |id| format!("process {id}"));
                write!(
                    f,
                    "{process} is training in {}: wait for its end, or choose another --out",
                    root.display()
                )
            }
            LockError::Write(_) => write!(f, "cannot lock the run"),
        }
    }
}

impl std::error::Error for LockError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LockError::Busy(..) => None,
            LockError::Write(e) => Some(e),
        }
    }
}

impl Run {
    /// Locks the folder, which must exist, and writes this process's id into `.lock` there.
    ///
    /// # Errors
    /// [`LockError::Busy`] if another process holds it.
    pub fn lock(&self) -> Result<Lock, LockError> {
        let path = self.root().join(".lock");
        let failed = |error| LockError::Write(WriteError { path: path.clone(), error });
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = Read::take(&file, 32).read_to_string(&mut text);
                return Err(LockError::Busy(self.root().into(), text.trim().parse().ok()));
            }
            // Not every file system has locks.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        // The id is a courtesy: a full disk must not end a run here.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_free_again_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run::at(dir.path());
        let lock = run.lock().unwrap();
        let LockError::Busy(root, id) = run.lock().unwrap_err() else { panic!("it is busy") };
        assert_eq!((root.as_path(), id), (dir.path(), Some(std::process::id())));
        drop(lock);
        // An id longer than this one's was there before.
        std::fs::write(dir.path().join(".lock"), "4294967295\n").unwrap();
        let _lock = run.lock().unwrap();
        let text = run.lock().unwrap_err().to_string();
        assert!(text.starts_with(&format!("process {} is training", std::process::id())), "{text}");
    }
}
