//! What outlives the program: the position in the sequence, in 8 bytes, and the favourites, a line each.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::options::{Options, Start};

/// A file that cannot be read, written, or is not what it should be.
#[derive(Debug)]
pub enum KeepError {
    /// It cannot be read or written.
    File(PathBuf, std::io::Error),
    /// It is not 8 bytes long.
    Length(PathBuf, usize),
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeepError::File(path, error) => write!(f, "cannot keep {}: {error}", path.display()),
            KeepError::Length(path, bytes) => write!(
                f,
                "{} has {bytes} bytes, a position has 8: it is another file",
                path.display()
            ),
        }
    }
}

impl std::error::Error for KeepError {}

/// The position that is kept.
pub struct Keeper {
    file: Option<PathBuf>,
    saved: Instant,
}

/// How often the position is written: flash memory wears.
const PAUSE: Duration = Duration::from_secs(600);

impl Keeper {
    /// The keeper, and the position to begin at.
    ///
    /// # Errors
    /// [`KeepError`]; a file that is not there yet is none.
    pub fn open(options: &Options) -> Result<(Keeper, u64), KeepError> {
        let (file, position) = match &options.position {
            Start::First => (None, 0),
            Start::Time => {
                // Before 1970 the sequence begins at its start.
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let seconds = now.unwrap_or_default().as_secs_f64();
                (None, (seconds * options.fps) as u64)
            }
            Start::File(path) => (Some(path.clone()), read(path)?),
        };
        let saved = Instant::now();
        Ok((Keeper { file, saved }, position))
    }

    /// Keeps a position: now if `now`, else if the last time is long ago.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn keep(&mut self, position: u64, now: bool) -> Result<(), KeepError> {
        let Some(path) = self.file.as_ref().filter(|_| now || self.saved.elapsed() > PAUSE) else {
            return Ok(());
        };
        self.saved = Instant::now();
        let part = path.with_extension("part");
        std::fs::write(&part, position.to_le_bytes())
            .and_then(|()| std::fs::rename(&part, path))
            .map_err(|e| KeepError::File(path.clone(), e))
    }
}

fn read(path: &Path) -> Result<u64, KeepError> {
    match std::fs::read(path) {
        Ok(bytes) => match bytes.as_slice().try_into() {
            Ok(bytes) => Ok(u64::from_le_bytes(bytes)),
            Err(_) => Err(KeepError::Length(path.into(), bytes.len())),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(KeepError::File(path.into(), error)),
    }
}

/// Adds a seed to the favourites.
///
/// # Errors
/// [`KeepError::File`].
pub fn favourite(path: &Path, seed: u64) -> Result<(), KeepError> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| writeln!(file, "{seed}")).map_err(|e| KeepError::File(path.into(), e))
}
