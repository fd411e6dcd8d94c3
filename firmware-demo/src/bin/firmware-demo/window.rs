//! A window on a desktop.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use embedded_graphics::geometry::Size;
use firmware_demo::Touch;
use minifb::{InputCallback, Key as Code, Scale, Window, WindowOptions};

use crate::canvas::Canvas;
use crate::options::Options;
use crate::pointer::Pointer;
use crate::screen::{Fault, Key, Scene, Screen};

/// An open window.
pub struct Desktop {
    window: Window,
    canvas: Canvas,
    options: Options,
    /// The canvas in the window's format: red, green and blue from bit 16 down.
    words: Vec<u32>,
    presses: Receiver<Key>,
    /// For a sketch.
    pointer: Option<Pointer>,
}

/// Opens a window.
///
/// # Errors
/// [`Fault::Lost`] without a display or an X11 library.
pub fn open(options: &Options) -> Result<Desktop, Fault> {
    let size = match options.sketch {
        true => options.size_or(800, 480),
        false => options.size_or(480, 480),
    };
    let settings = WindowOptions { resize: true, scale: Scale::X1, ..WindowOptions::default() };
    let (width, height) = (size.width as usize, size.height as usize);
    let mut window = Window::new("pocket-gan", width, height, settings)
        .map_err(|e| Fault::Lost(format!("cannot open a window: {e}")))?;
    // The kiosk's loop keeps the pace.
    window.set_target_fps(0);
    let (sender, presses) = channel();
    let key = if options.sketch { sketch_key } else { key };
    window.set_input_callback(Box::new(Presses { sender, key, down: Vec::new() }));
    let pointer = options.sketch.then(|| Pointer::open(&window));
    Ok(Desktop {
        pointer,
        window,
        canvas: Canvas::new(size, options.colors),
        options: options.clone(),
        words: Vec::new(),
        presses,
    })
}

/// A held key repeats sooner than this. Longer ago, its release went to another window.
const REPEAT: Duration = Duration::from_secs(1);

/// Collects key events. The window's key *states* miss a key that goes down and up between two looks.
struct Presses {
    sender: Sender<Key>,
    /// What a key does.
    key: fn(Code) -> Option<Key>,
    /// Keys that are held and when each last had an event.
    down: Vec<(Code, Instant)>,
}

impl InputCallback for Presses {
    fn add_char(&mut self, _: u32) {}

    fn set_key_state(&mut self, code: Code, down: bool) {
        let held = self.down.iter().any(|(c, at)| *c == code && at.elapsed() < REPEAT);
        self.down.retain(|(c, _)| *c != code);
        if !down {
            return;
        }
        self.down.push((code, Instant::now()));
        if let Some(key) = (self.key)(code).filter(|_| !held) {
            // Without a receiver the window is being closed.
            let _ = self.sender.send(key);
        }
    }
}

fn key(code: Code) -> Option<Key> {
    match code {
        Code::Space => Some(Key::Hold),
        Code::Right | Code::N => Some(Key::Next),
        Code::Left | Code::P => Some(Key::Previous),
        Code::F => Some(Key::Favorite),
        Code::S => Some(Key::Sleep),
        Code::Q | Code::Escape => Some(Key::Quit),
        _ => None,
    }
}

fn sketch_key(code: Code) -> Option<Key> {
    match code {
        Code::C | Code::Delete => Some(Key::Clear),
        Code::U | Code::Z | Code::Backspace => Some(Key::Undo),
        Code::S => Some(Key::Save),
        Code::Q | Code::Escape => Some(Key::Quit),
        _ => None,
    }
}

impl Desktop {
    /// Resizes the canvas if the window was resized.
    fn follow_size(&mut self) {
        let (width, height) = self.window.get_size();
        let size = Size::new(width.clamp(1, 8192) as u32, height.clamp(1, 8192) as u32);
        if size != self.canvas.size() {
            self.canvas = Canvas::new(size, self.options.colors);
            self.words.clear();
        }
    }
}

impl Screen for Desktop {
    fn show(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Fault> {
        self.follow_size();
        if self.canvas.draw(scene)? || self.words.is_empty() {
            let word = |&[r, g, b]: &[u8; 3]| u32::from_be_bytes([0, r, g, b]);
            self.words.clear();
            self.words.extend(self.canvas.pixels().iter().map(word));
        }
        let Size { width, height } = self.canvas.size();
        // Even if nothing changed: another window may have covered this one.
        let shown = self.window.update_with_buffer(&self.words, width as usize, height as usize);
        shown.map_err(|e| Fault::Lost(format!("the window failed: {e}")))
    }

    fn key(&mut self) -> Result<Option<Key>, Fault> {
        if let Ok(key) = self.presses.try_recv() {
            return Ok(Some(key));
        }
        self.window.update();
        if !self.window.is_open() {
            return Err(Fault::Closed);
        }
        Ok(self.presses.try_recv().ok())
    }

    fn touch(&mut self) -> Result<Option<Touch>, Fault> {
        Ok(self.pointer.as_mut().and_then(|pointer| pointer.touch(&self.window)))
    }

    fn leave(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_press_counts_once_however_short_or_long() {
        let (sender, presses) = channel();
        let mut callback = Presses { sender, key, down: Vec::new() };
        // Down and up at once, then held with repeats while another key is pressed.
        let events = [
            (Code::F, true),
            (Code::F, false),
            (Code::F, true),
            (Code::F, true),
            (Code::N, true),
            (Code::F, true),
            (Code::N, false),
            (Code::F, false),
            (Code::A, true),
            (Code::F, true),
        ];
        for (code, down) in events {
            callback.set_key_state(code, down);
        }
        let got: Vec<Key> = presses.try_iter().collect();
        assert_eq!(got, [Key::Favorite, Key::Favorite, Key::Next, Key::Favorite]);
    }
}
