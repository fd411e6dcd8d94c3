//! The interface of the program's displays.

use std::fmt;

use firmware_demo::{Kiosk, KioskError};

use crate::generator::Generator;

/// The program's kiosk.
pub type Faces<'a> = Kiosk<Generator<'a>>;

/// An open display.
pub trait Screen {
    /// Shows the kiosk's current frame.
    ///
    /// # Errors
    /// [`Fault`].
    fn show(&mut self, kiosk: &mut Faces<'_>) -> Result<(), Fault>;

    /// The next key press, if any. Called about twenty times per second, and until it has none.
    ///
    /// # Errors
    /// [`Fault`].
    fn key(&mut self) -> Result<Option<Key>, Fault> {
        Ok(None)
    }

    /// Leaves the display in a state fit for whatever uses it next.
    ///
    /// # Errors
    /// [`Fault`].
    fn leave(&mut self) -> Result<(), Fault>;

    /// Whether frames are shown in real time. Files are written as fast as possible.
    fn paced(&self) -> bool {
        true
    }
}

/// What a key does.
#[allow(dead_code, reason = "some displays have no keys")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Hold the picture, or resume.
    Hold,
    /// Skip to the next face.
    Next,
    /// Return to the previous face.
    Previous,
    /// Add the face to the favorites, or remove it.
    Favorite,
    /// Blank the display, or show faces again.
    Sleep,
    /// End the program.
    Quit,
}

/// Why a display failed.
#[allow(dead_code, reason = "some displays are never closed")]
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is gone or does not respond, and may come back.
    Lost(String),
    /// Trying again would not help.
    Never(String),
    /// The user closed it.
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
