//! The mouse or a finger in a window.
//!
//! minifb reports where the pointer is, not its events: a stroke that is quicker than two looks would
//! be a straight line, and a short tap nothing. So a second connection to the X server lays a window
//! that only receives events over minifb's.

use std::time::Duration;

use embedded_graphics::geometry::Point;
use firmware_demo::Touch;
use firmware_demo::touch::Contact;
use minifb::{MouseButton, MouseMode, Window};
use x11rb::connection::Connection;
use x11rb::errors::ReplyOrIdError;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{ConnectionExt, CreateWindowAux, EventMask, WindowClass};
use x11rb::rust_connection::RustConnection;

/// What reports the pointer.
pub enum Pointer {
    /// The X server.
    Events(Box<RustConnection>),
    /// Looks at the window, where there is no such server.
    Looks(Contact),
}

/// The left button, and the first finger.
const LEFT: u8 = 1;
/// Largest side of a window.
const SIDE: u16 = 8192;
/// The two connections are not in step: the server may not have seen the window yet.
const TRIES: u32 = 20;

impl Pointer {
    /// Listens to a window.
    pub fn open(window: &Window) -> Pointer {
        for _ in 0..TRIES {
            if let Ok(connection) = listen(window) {
                return Pointer::Events(Box::new(connection));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Pointer::Looks(Contact::default())
    }

    /// The next touch, if there is one.
    pub fn touch(&mut self, window: &Window) -> Option<Touch> {
        match self {
            Pointer::Events(connection) => loop {
                // A connection that fails takes the window with it, which is noticed there.
                let event = connection.poll_for_event().ok()??;
                if let Some(touch) = translate(&event) {
                    return Some(touch);
                }
            },
            Pointer::Looks(contact) => {
                let at = window.get_mouse_pos(MouseMode::Pass);
                let at = at.filter(|_| window.get_mouse_down(MouseButton::Left));
                contact.sample(at.map(|(x, y)| Point::new(x as i32, y as i32)))
            }
        }
    }
}

fn listen(window: &Window) -> Result<RustConnection, ReplyOrIdError> {
    // Without a server, an error like any other.
    let (x, _) = x11rb::connect(None).map_err(|_| ReplyOrIdError::IdsExhausted)?;
    let id = x.generate_id()?;
    let events = EventMask::BUTTON_PRESS | EventMask::BUTTON_RELEASE | EventMask::BUTTON1_MOTION;
    let settings = CreateWindowAux::new().event_mask(events);
    let (parent, kind) = (window.get_window_handle() as u32, WindowClass::INPUT_ONLY);
    x.create_window(0, id, parent, 0, 0, SIDE, SIDE, 0, kind, 0, &settings)?.check()?;
    x.map_window(id)?.check()?;
    Ok(x)
}

fn translate(event: &Event) -> Option<Touch> {
    let point = |x: i16, y: i16| Point::new(x.into(), y.into());
    match event {
        Event::ButtonPress(e) if e.detail == LEFT => Some(Touch::Down(point(e.event_x, e.event_y))),
        Event::ButtonRelease(e) if e.detail == LEFT => Some(Touch::Up),
        Event::MotionNotify(e) => Some(Touch::Move(point(e.event_x, e.event_y))),
        _ => None,
    }
}
