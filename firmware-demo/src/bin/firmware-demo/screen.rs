//! What every display of the program can do.

use std::fmt;
use std::path::Path;

use firmware_demo::{Kiosk, KioskError};
use runtime::cpu::Cpu;

/// The program's kiosk.
pub type Faces<'a> = Kiosk<Cpu<'a>>;

/// A display that is open.
pub trait Screen {
    /// Shows the kiosk's current frame.
    ///
    /// # Errors
    /// [`Fault`].
    fn show(&mut self, kiosk: &mut Faces<'_>) -> Result<(), Fault>;

    /// A key that was pressed; called about twenty times a second.
    ///
    /// # Errors
    /// [`Fault`].
    fn key(&mut self) -> Result<Option<Key>, Fault> {
        Ok(None)
    }

    /// Leaves the display as a stranger would want to find it.
    ///
    /// # Errors
    /// [`Fault`].
    fn leave(&mut self) -> Result<(), Fault>;

    /// Whether frames have their time, rather than as soon as the one before is done.
    fn paced(&self) -> bool {
        true
    }
}

/// What a person asks of the kiosk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Stay at this face, or go on.
    Hold,
    /// The next face.
    Next,
    /// The face before.
    Previous,
    /// Keep this face's seed.
    Favourite,
    /// Dark, or awake again.
    Sleep,
    /// End.
    Quit,
}

impl Key {
    /// The key of a letter.
    pub fn of(letter: char) -> Option<Key> {
        match letter.to_ascii_lowercase() {
            ' ' => Some(Key::Hold),
            'n' => Some(Key::Next),
            'p' => Some(Key::Previous),
            'f' => Some(Key::Favourite),
            's' => Some(Key::Sleep),
            'q' => Some(Key::Quit),
            _ => None,
        }
    }
}

/// Why a display does not show a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is gone or does not answer: it may come back.
    Lost(String),
    /// It will never show this.
    Never(String),
    /// A person closed it.
    Closed,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Lost(what) | Fault::Never(what) => f.write_str(what),
            Fault::Closed => f.write_str("the display was closed"),
        }
    }
}

impl std::error::Error for Fault {}

impl<E: fmt::Debug> From<KioskError<E>> for Fault {
    fn from(error: KioskError<E>) -> Fault {
        match error {
            KioskError::Display(_) => Fault::Lost(error.to_string()),
            KioskError::NoRoom(_) | KioskError::Latent(_) => Fault::Never(error.to_string()),
        }
    }
}

/// Why a device file does not open, with the group to be in where it is a matter of permission.
#[cfg(any(feature = "framebuffer", feature = "spi"))]
pub fn unopened(path: &Path, error: &dyn fmt::Display, denied: bool) -> Fault {
    let path_name = path.display();
    let group = denied.then(|| group(path)).flatten();
    Fault::Lost(match group {
        Some(group) => format!(
            "no permission for {path_name}: it belongs to the group {group} (sudo usermod -aG {group} $USER, then log in again)"
        ),
        None => format!("cannot open {path_name}: {error}"),
    })
}

/// The name of the group that a file belongs to.
#[cfg(any(feature = "framebuffer", feature = "spi"))]
fn group(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let gid = path.metadata().ok()?.gid().to_string();
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    // name:password:number:members
    let mut fields = groups.lines().map(|l| l.split(':'));
    let name = fields.find_map(|mut f| {
        let name = f.next()?;
        (f.nth(1)? == gid).then(|| name.to_owned())
    });
    Some(name.unwrap_or(gid))
}
