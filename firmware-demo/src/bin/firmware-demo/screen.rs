//! What every display of the program can do.

use std::fmt;

use firmware_demo::{Kiosk, KioskError};

use crate::maker::Maker;

/// The program's kiosk.
pub type Faces<'a> = Kiosk<Maker<'a>>;

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
#[allow(dead_code, reason = "some displays have no keys")]
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

/// Why a display does not show a frame.
#[allow(dead_code, reason = "some displays are never closed")]
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
