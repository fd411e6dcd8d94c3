//! A touch panel of Linux: its kernel driver reports to a file in /dev/input.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::Path;

use embedded_graphics::geometry::{Point, Size};
use evdev::{AbsInfo, AbsoluteAxisCode, Device, EventSummary, KeyCode, SynchronizationCode};
use firmware_demo::Touch;
use firmware_demo::touch::Contact;

use crate::device_file::unopened;
use crate::screen::Fault;

/// An open touch panel.
pub struct TouchPanel {
    device: Device,
    name: String,
    finger: Finger,
    touches: VecDeque<Touch>,
}

impl TouchPanel {
    /// Opens the device file of a touch panel.
    ///
    /// # Errors
    /// [`Fault::Lost`] if it cannot be opened, [`Fault::Never`] if it is something else.
    pub fn open(path: &Path) -> Result<TouchPanel, Fault> {
        let name = path.display().to_string();
        let device = Device::open(path).map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied => {
                unopened(path, &e, e.kind() == ErrorKind::PermissionDenied)
            }
            _ => Fault::Never(format!("{name} is not an input device: {e}")),
        })?;
        let axis = |code| {
            let info = device.get_absinfo().ok()?.find(|(c, _)| *c == code)?.1;
            let range = |info: AbsInfo| info.minimum()..=info.maximum();
            Some(range(info)).filter(|range| range.start() < range.end())
        };
        let axes = axis(AbsoluteAxisCode::ABS_X).zip(axis(AbsoluteAxisCode::ABS_Y));
        let touched = device.supported_keys().is_some_and(|keys| keys.contains(KeyCode::BTN_TOUCH));
        let Some((x, y)) = axes.filter(|_| touched) else {
            let kind = device.name().unwrap_or("it has no name");
            return Err(Fault::Never(format!("{name} is not a touch panel: {kind}")));
        };
        device.set_nonblocking(true).map_err(|e| Fault::Lost(format!("{name} failed: {e}")))?;
        Ok(TouchPanel { device, name, finger: Finger::new(x, y), touches: VecDeque::new() })
    }

    /// The next touch of a panel of a size, if there is one.
    ///
    /// # Errors
    /// [`Fault::Lost`] if the device is gone.
    pub fn touch(&mut self, panel: Size) -> Result<Option<Touch>, Fault> {
        if self.touches.is_empty() {
            match self.device.fetch_events() {
                Ok(events) => {
                    let touches = events.filter_map(|e| self.finger.take(e.destructure(), panel));
                    self.touches.extend(touches);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(Fault::Lost(format!("{} failed: {e}", self.name))),
            }
        }
        Ok(self.touches.pop_front())
    }
}

/// Where the first finger is. The kernel reports changes, and then that they are complete.
struct Finger {
    x: (RangeInclusive<i32>, i32),
    y: (RangeInclusive<i32>, i32),
    down: bool,
    contact: Contact,
}

impl Finger {
    fn new(x: RangeInclusive<i32>, y: RangeInclusive<i32>) -> Finger {
        let (left, top) = (*x.start(), *y.start());
        Finger { x: (x, left), y: (y, top), down: false, contact: Contact::default() }
    }

    /// Takes a change. Returns the touch that is complete with it.
    fn take(&mut self, event: EventSummary, panel: Size) -> Option<Touch> {
        match event {
            EventSummary::AbsoluteAxis(_, AbsoluteAxisCode::ABS_X, value) => self.x.1 = value,
            EventSummary::AbsoluteAxis(_, AbsoluteAxisCode::ABS_Y, value) => self.y.1 = value,
            EventSummary::Key(_, KeyCode::BTN_TOUCH, value) => self.down = value != 0,
            EventSummary::Synchronization(_, SynchronizationCode::SYN_REPORT, _) => {
                let at = Point::new(pixel(&self.x, panel.width), pixel(&self.y, panel.height));
                return self.contact.sample(self.down.then_some(at));
            }
            _ => {}
        }
        None
    }
}

/// The pixel of a side that a value of an axis is in.
fn pixel((range, value): &(RangeInclusive<i32>, i32), side: u32) -> i32 {
    let [low, high, value] = [*range.start(), *range.end(), *value].map(i64::from);
    ((value - low) * i64::from(side) / (high - low + 1)).clamp(0, i64::from(side)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use evdev::InputEvent;

    #[test]
    fn changes_are_touches_once_they_are_complete() {
        let (syn, key, abs) = (0, 1, 3);
        let (x, y, touch) = (0, 1, 0x14a);
        // Type, code, value; the panel has 320 x 240 pixels, its controller 4096 x 4096 points.
        let events = [
            (abs, x, 2048, None),
            (abs, y, 1024, None),
            (key, touch, 1, None),
            (syn, 0, 0, Some(Touch::Down(Point::new(160, 60)))),
            (abs, 0x18, 99, None),
            (syn, 0, 0, None),
            (abs, x, 4095, None),
            (syn, 0, 0, Some(Touch::Move(Point::new(319, 60)))),
            (key, 0x110, 1, None),
            (key, touch, 0, None),
            (syn, 0, 0, Some(Touch::Up)),
            (abs, y, 0, None),
            (syn, 0, 0, None),
            (key, touch, 1, None),
            (syn, 0, 0, Some(Touch::Down(Point::new(319, 0)))),
        ];
        let mut finger = Finger::new(0..=4095, 0..=4095);
        for (i, (kind, code, value, want)) in events.into_iter().enumerate() {
            let event = InputEvent::new(kind, code, value).destructure();
            assert_eq!(finger.take(event, Size::new(320, 240)), want, "event {i}");
        }
    }

    #[test]
    fn axes_of_any_range() {
        let cases = [(200, 0), (3900, 239), (2051, 120), (0, 0), (9999, 240), (i32::MIN, 0)];
        for (value, want) in cases {
            assert_eq!(pixel(&(200..=3900, value), 240), want, "{value}");
        }
    }

    #[test]
    fn files_that_are_no_touch_panel() {
        let error = |path| {
            TouchPanel::open(Path::new(path)).err().map(|e| e.to_string()).unwrap_or_default()
        };
        assert!(error("/none").starts_with("cannot open /none: "), "{}", error("/none"));
        assert!(error("/dev/null").starts_with("/dev/null is not an input device: "));
    }
}
