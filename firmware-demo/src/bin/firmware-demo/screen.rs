//! The interface of the program's displays.

use std::fmt;

use embedded_graphics::draw_target::DrawTarget;
use firmware_demo::sketch::SketchError;
use firmware_demo::{Kiosk, KioskError, Paint, Touch};

use crate::easel::Easel;
use crate::generator::Generator;

/// The program's kiosk.
pub type Faces<'a> = Kiosk<Generator<'a>>;

/// What is shown.
pub enum Scene<'s, 'm> {
    /// A kiosk.
    Faces(&'s mut Faces<'m>),
    /// A drawing and the answer to it.
    Sketch(&'s mut Easel<'m>),
}

impl Scene<'_, '_> {
    /// Draws what changed. Returns whether anything was drawn.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn draw<D>(&mut self, display: &mut D) -> Result<bool, Fault>
    where
        D: DrawTarget<Color: Paint, Error: fmt::Debug>,
    {
        Ok(match self {
            Scene::Faces(kiosk) => kiosk.draw(display)?,
            Scene::Sketch(easel) => easel.draw(display)?,
        })
    }
}

/// An open display.
pub trait Screen {
    /// Shows the current frame.
    ///
    /// # Errors
    /// [`Fault`].
    fn show(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Fault>;

    /// The next touch, if any, in the pixels that are drawn on. Called as [`Screen::key`] is.
    ///
    /// # Errors
    /// [`Fault`].
    fn touch(&mut self) -> Result<Option<Touch>, Fault> {
        Ok(None)
    }

    /// The next key press, if any. Called at least twenty times per second, and until it has none.
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
    /// Erase the drawing.
    Clear,
    /// Remove the last stroke.
    Undo,
    /// Save the drawing.
    Save,
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

impl<E: fmt::Debug> From<SketchError<E>> for Fault {
    fn from(error: SketchError<E>) -> Fault {
        match error {
            SketchError::Display(_) => Fault::Lost(error.to_string()),
            SketchError::NoRoom(_) => Fault::Never(error.to_string()),
        }
    }
}
