//! Why a checkpoint cannot be loaded.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Version of the layout of checkpoints; other versions are refused.
pub(super) const VERSION: u32 = 2;

/// Why a checkpoint cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The run in this folder has no checkpoint yet.
    None(PathBuf),
    /// A file that cannot be read.
    Read(PathBuf, io::Error),
    /// A file whose bytes are not those that were written: the file, and what is different.
    Changed(PathBuf, String),
    /// A record that cannot be read or belongs to other networks.
    Record(PathBuf, String),
    /// Damaged JSON.
    Facts(PathBuf, serde_json::Error),
    /// Written by another version of the program.
    Version {
        /// The checkpoint.
        path: PathBuf,
        /// Its version.
        got: u32,
    },
    /// Trained on other data.
    Data {
        /// The checkpoint.
        path: PathBuf,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::None(root) => write!(f, "{} holds no checkpoint yet", root.display()),
            LoadError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            LoadError::Changed(path, what) => {
                write!(f, "{} is damaged: {what}", path.display())
            }
            LoadError::Record(path, what) => write!(f, "{}: {what}", path.display()),
            LoadError::Facts(path, _) => write!(f, "{} is damaged", path.display()),
            LoadError::Version { path, got } => {
                write!(
                    f,
                    "{} has layout {got}, this program reads layout {VERSION}",
                    path.display()
                )
            }
            LoadError::Data { path } => write!(
                f,
                "{} was trained on other images than the data now holds: \
                 restore the data, or start a new run",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::Read(_, error) => Some(error),
            LoadError::Facts(_, error) => Some(error),
            LoadError::None(_)
            | LoadError::Changed(..)
            | LoadError::Record(..)
            | LoadError::Version { .. }
            | LoadError::Data { .. } => None,
        }
    }
}

impl LoadError {
    /// Whether the checkpoint's files are not those that were written, so that an older one may
    /// still do.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            LoadError::Read(_, e) => e.kind() != ErrorKind::PermissionDenied,
            LoadError::Changed(..) | LoadError::Facts(..) => true,
            LoadError::None(_)
            | LoadError::Record(..)
            | LoadError::Version { .. }
            | LoadError::Data { .. } => false,
        }
    }
}
