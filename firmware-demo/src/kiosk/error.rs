//! Why a kiosk has nothing to show.

use core::fmt;

use embedded_graphics::geometry::Size;
use runtime::LatentLength;

/// Why a frame was not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KioskError<E> {
    /// The display failed.
    Display(E),
    /// A display of this size has no pixels left for a face.
    NoRoom(Size),
    /// The backend expects a latent of another length.
    Latent(LatentLength),
}

impl<E: fmt::Debug> fmt::Display for KioskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KioskError::Display(error) => write!(f, "the display failed: {error:?}"),
            KioskError::NoRoom(size) => write!(
                f,
                "a display of {} x {} pixels is too small for a face",
                size.width, size.height
            ),
            KioskError::Latent(error) => write!(f, "{error}"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for KioskError<E> {}
