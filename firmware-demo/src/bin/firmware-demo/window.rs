//! A window on a desk.

use std::collections::VecDeque;

use minifb::{Key as Code, KeyRepeat, Scale, Window, WindowOptions};

use embedded_graphics::geometry::Size;

use crate::canvas::Canvas;
use crate::options::Options;
use crate::screen::{Faces, Fault, Key, Screen};

/// A window that is open.
pub struct Desk {
    window: Window,
    canvas: Canvas,
    options: Options,
    /// The canvas as the window wants it: red, green and blue from bit 16 down.
    words: Vec<u32>,
    pressed: VecDeque<Key>,
}

/// Opens a window.
///
/// # Errors
/// [`Fault::Lost`] where there is no display or no X11 library.
pub fn open(options: &Options) -> Result<Desk, Fault> {
    let size = options.size_or(480, 480);
    let settings = WindowOptions { resize: true, scale: Scale::X1, ..WindowOptions::default() };
    let (width, height) = (size.width as usize, size.height as usize);
    let mut window = Window::new("pocket-gan", width, height, settings)
        .map_err(|e| Fault::Lost(format!("no window: {e}")))?;
    // The loop paces itself.
    window.set_target_fps(0);
    Ok(Desk {
        window,
        canvas: Canvas::new(size, options.colors),
        options: options.clone(),
        words: Vec::new(),
        pressed: VecDeque::new(),
    })
}

impl Desk {
    /// Takes the keys that were pressed since the last update; the next one forgets them.
    fn gather(&mut self) {
        let codes = self.window.get_keys_pressed(KeyRepeat::No);
        let keys = codes.into_iter().filter_map(|code| match code {
            Code::Space => Some(Key::Hold),
            Code::Right | Code::N => Some(Key::Next),
            Code::Left | Code::P => Some(Key::Previous),
            Code::F => Some(Key::Favourite),
            Code::S => Some(Key::Sleep),
            Code::Q | Code::Escape => Some(Key::Quit),
            _ => None,
        });
        self.pressed.extend(keys);
    }

    /// Takes the window's size where a person changed it.
    fn follow_size(&mut self) {
        let (width, height) = self.window.get_size();
        let size = Size::new(width.clamp(1, 8192) as u32, height.clamp(1, 8192) as u32);
        if size != self.canvas.size() {
            self.canvas = Canvas::new(size, self.options.colors);
            self.words.clear();
        }
    }
}

impl Screen for Desk {
    fn show(&mut self, kiosk: &mut Faces<'_>) -> Result<(), Fault> {
        self.follow_size();
        if self.canvas.draw(kiosk)? || self.words.is_empty() {
            let word = |&[r, g, b]: &[u8; 3]| u32::from_be_bytes([0, r, g, b]);
            self.words.clear();
            self.words.extend(self.canvas.pixels().iter().map(word));
        }
        let Size { width, height } = self.canvas.size();
        // Again even if nothing changed: another window may have been in front of it.
        let shown = self.window.update_with_buffer(&self.words, width as usize, height as usize);
        self.gather();
        shown.map_err(|e| Fault::Lost(format!("the window failed: {e}")))
    }

    fn key(&mut self) -> Result<Option<Key>, Fault> {
        self.window.update();
        if !self.window.is_open() {
            return Err(Fault::Closed);
        }
        self.gather();
        Ok(self.pressed.pop_front())
    }

    fn leave(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
