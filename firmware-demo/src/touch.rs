//! Fingers, pens and mice, as a panel reports them.

use embedded_graphics::geometry::Point;

/// What a finger, a pen or the left mouse button did. Points are pixels of the panel, as they are
/// drawn on: a panel that is mounted turned reports its own rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It touched the panel.
    Down(Point),
    /// It moved while it touched the panel.
    Move(Point),
    /// It left the panel.
    Up,
}

/// A panel that reports touches.
///
/// Controllers such as the XPT2046 do not report events but where they are touched now, if they
/// are; [`Contact`] makes events of that:
///
/// ```
/// use embedded_graphics::geometry::Point;
/// use embedded_hal::spi::{Operation, SpiDevice};
/// use firmware_demo::touch::{Contact, Touch, Touchscreen};
///
/// /// An XPT2046 in front of a panel of 240 x 320 pixels.
/// struct Xpt2046<S> {
///     spi: S,
///     contact: Contact,
/// }
///
/// impl<S: SpiDevice> Xpt2046<S> {
///     /// A conversion of 12 bits; the control bytes are those of the data sheet for
///     /// differential measurements of Z1, X and Y.
///     fn read(&mut self, control: u8) -> Result<i32, S::Error> {
///         let mut bytes = [control, 0, 0];
///         self.spi.transaction(&mut [Operation::TransferInPlace(&mut bytes)])?;
///         Ok(i32::from(u16::from_be_bytes([bytes[1], bytes[2]]) >> 3))
///     }
/// }
///
/// impl<S: SpiDevice> Touchscreen for Xpt2046<S> {
///     type Error = S::Error;
///
///     fn touch(&mut self) -> Result<Option<Touch>, S::Error> {
///         let pressure = self.read(0xb1)?;
///         // The edges of the panel, from a calibration.
///         let scale = |raw, low, high, pixels| (raw - low) * pixels / (high - low);
///         let at = match pressure > 100 {
///             true => Some(Point::new(
///                 scale(self.read(0xd1)?, 300, 3800, 240),
///                 scale(self.read(0x91)?, 200, 3900, 320),
///             )),
///             false => None,
///         };
///         Ok(self.contact.sample(at))
///     }
/// }
/// ```
pub trait Touchscreen {
    /// Why a controller did not answer.
    type Error;

    /// The next event, if there is one.
    ///
    /// # Errors
    /// Those of the controller.
    fn touch(&mut self) -> Result<Option<Touch>, Self::Error>;
}

/// Events from samples: where the panel is touched at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contact(Option<Point>);

impl Contact {
    /// The event that a sample is, if anything changed; `None` means that nothing touches the panel.
    pub fn sample(&mut self, at: Option<Point>) -> Option<Touch> {
        match (core::mem::replace(&mut self.0, at), at) {
            (None, Some(at)) => Some(Touch::Down(at)),
            (Some(before), Some(at)) if before != at => Some(Touch::Move(at)),
            (Some(_), None) => Some(Touch::Up),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_events() {
        let (a, b) = (Point::new(3, 4), Point::new(5, 4));
        let mut contact = Contact::default();
        let samples = [None, Some(a), Some(a), Some(b), None, None, Some(b), None];
        assert_eq!(
            samples.map(|at| contact.sample(at)),
            [
                None,
                Some(Touch::Down(a)),
                None,
                Some(Touch::Move(b)),
                Some(Touch::Up),
                None,
                Some(Touch::Down(b)),
                Some(Touch::Up),
            ]
        );
    }
}
