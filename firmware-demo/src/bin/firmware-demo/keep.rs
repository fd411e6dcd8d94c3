//! What outlives the program: the position in the sequence and the favorites.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runtime::whole_file::replace;

use crate::options::Options;
use crate::output::notice;
use crate::values::Start;

/// Why a file is not used.
#[derive(Debug)]
pub enum KeepError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// It cannot be written.
    Write(PathBuf, std::io::Error),
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeepError::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            KeepError::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for KeepError {}

/// Saves the position.
pub struct Keeper {
    file: Option<PathBuf>,
    /// When, since the start of the program.
    saved: Duration,
}

/// How often the position is written: flash memory wears out.
const PAUSE: Duration = Duration::from_secs(600);

impl Keeper {
    /// The keeper and the position to start at.
    ///
    /// A missing, unreadable or damaged file means the start of the sequence: whatever a power cut or a
    /// bad card did to 8 bytes must not keep the kiosk from starting. What is not a position is kept
    /// under another name.
    pub fn open(options: &Options) -> (Keeper, u64) {
        let (file, position) = match &options.position {
            Start::First => (None, 0),
            Start::Time => {
                // A clock before 1970 has not been set yet.
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let seconds = now.unwrap_or_default().as_secs_f64();
                (None, (seconds * options.fps) as u64)
            }
            Start::File(path) => (Some(path.clone()), read(path)),
        };
        (Keeper { file, saved: Duration::ZERO }, position)
    }

    /// Saves a position: right away if `now`, otherwise if the last time is long enough ago. `passed` is
    /// the time since the start of the program.
    ///
    /// # Errors
    /// [`KeepError::Write`].
    pub fn keep(&mut self, position: u64, now: bool, passed: Duration) -> Result<(), KeepError> {
        let due = now || passed.saturating_sub(self.saved) > PAUSE;
        let Some(path) = self.file.as_ref().filter(|_| due) else {
            return Ok(());
        };
        self.saved = passed;
        replace(path, &position.to_le_bytes()).map_err(|e| KeepError::Write(path.clone(), e))
    }
}

/// Largest file that is looked at, in bytes: one more than a position.
const LONGEST: u64 = 9;

fn read(path: &Path) -> u64 {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    let what = match (read, bytes.as_slice().try_into()) {
        (Ok(_), Ok(bytes)) => return u64::from_le_bytes(bytes),
        (Err(error), _) if error.kind() == ErrorKind::NotFound => return 0,
        (Err(error), _) => KeepError::Read(path.into(), error).to_string(),
        (Ok(0), _) => format!("{} is empty", path.display()),
        (Ok(_), _) => match set_aside(path) {
            Ok(aside) => format!("{} is not a position, now {}", path.display(), aside.display()),
            Err(error) => format!("{} is not a position: {error}", path.display()),
        },
    };
    notice(format_args!("{what}: starting at the first face"));
    0
}

/// Gives a file that is not a position another name, since its own will be overwritten.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let name = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(if n == 0 { ".damaged".into() } else { format!(".damaged-{n}") });
        PathBuf::from(name)
    };
    let free = (0..100).map(name).find(|name| !name.exists());
    let free = free.ok_or_else(|| std::io::Error::other("there are 100 damaged ones already"))?;
    std::fs::rename(path, &free)?;
    Ok(free)
}

/// The favorites: a text file with one seed per line. Lines that are not seeds are left alone.
pub struct Favorites {
    path: PathBuf,
    lines: Vec<String>,
}

impl Favorites {
    /// The favorites in a file, which need not exist yet.
    pub fn open(path: &Path) -> Favorites {
        let mut favorites = Favorites { path: path.into(), lines: Vec::new() };
        // Without its favorites a kiosk still shows faces.
        if let Err(error) = favorites.load() {
            notice(error);
        }
        favorites
    }

    fn load(&mut self) -> Result<(), KeepError> {
        self.lines = match std::fs::read_to_string(&self.path) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(KeepError::Read(self.path.clone(), error)),
        };
        Ok(())
    }

    /// Whether a seed is among them.
    pub fn contains(&self, seed: u64) -> bool {
        self.lines.iter().any(|line| line.trim().parse() == Ok(seed))
    }

    /// Adds a seed, or removes it if it is among them.
    ///
    /// # Errors
    /// [`KeepError`]; the favorites are then unchanged.
    pub fn toggle(&mut self, seed: u64) -> Result<(), KeepError> {
        // Somebody may have edited the file meanwhile.
        self.load()?;
        let mut lines = self.lines.clone();
        match self.contains(seed) {
            true => lines.retain(|line| line.trim().parse() != Ok(seed)),
            false => lines.push(seed.to_string()),
        }
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        replace(&self.path, text.as_bytes()).map_err(|e| KeepError::Write(self.path.clone(), e))?;
        self.lines = lines;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn favorites_are_added_once_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("favorites.txt");
        let text = || std::fs::read_to_string(&path).unwrap();
        let mut favorites = Favorites::open(&path);
        for seed in [7, 1, u64::MAX] {
            favorites.toggle(seed).unwrap();
        }
        assert_eq!(text(), "7\n1\n18446744073709551615\n");
        favorites.toggle(1).unwrap();
        assert_eq!(text(), "7\n18446744073709551615\n");
        // Edited by hand, with a note and without a last line break.
        std::fs::write(&path, "# the best\n 7\n7\n9").unwrap();
        let mut favorites = Favorites::open(&path);
        assert!(favorites.contains(7) && favorites.contains(9) && !favorites.contains(1));
        favorites.toggle(7).unwrap();
        favorites.toggle(3).unwrap();
        assert_eq!(text(), "# the best\n9\n3\n");
    }

    #[test]
    fn favorites_that_cannot_be_written_stay_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let mut favorites = Favorites::open(&dir.path().join("none/favorites.txt"));
        assert!(matches!(favorites.toggle(5), Err(KeepError::Write(..))));
        assert!(!favorites.contains(5));
        // A folder in its place is no reason not to start.
        assert!(!Favorites::open(dir.path()).contains(5));
    }
}
