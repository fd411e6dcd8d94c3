//! Why a drawing is not shown, or not possible.

use core::fmt;

use embedded_graphics::geometry::Size;

use super::paper::MemoryTooSmall;

/// Why nothing can be drawn for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsuited {
    /// It takes a latent of this length, not a picture.
    Latent(usize),
    /// The memory is too small.
    Memory(MemoryTooSmall),
}

impl fmt::Display for Unsuited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsuited::Latent(length) => {
                write!(f, "the model takes a latent of {length} values, not a picture")
            }
            Unsuited::Memory(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for Unsuited {}

/// Why a drawing was not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SketchError<E> {
    /// The display failed.
    Display(E),
    /// A display of this size has no room for a pad and its buttons.
    NoRoom(Size),
}

impl<E: fmt::Debug> fmt::Display for SketchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SketchError::Display(error) => write!(f, "the display failed: {error:?}"),
            SketchError::NoRoom(size) => write!(
                f,
                "a display of {} x {} pixels is too small to draw on",
                size.width, size.height
            ),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for SketchError<E> {}
