//! The main loop of a sketch: touches, keys, a script, and files to save to.

use std::path::PathBuf;
use std::time::Duration;

use embedded_graphics::geometry::Size;
use firmware_demo::Touch;
use firmware_demo::sketch::Button;
use image::{ImageFormat, RgbImage};
use runtime::whole_file::replace;

use crate::attend::{LISTEN, attend};
use crate::canvas::Canvas;
use crate::easel::Easel;
use crate::options::Options;
use crate::output::notice;
use crate::screen::{Fault, Key, Scene, Screen};
use crate::stop::Stop;
use crate::strokes::Event;
use crate::time::Time;
use crate::values::Colors;

/// The longest time between two looks for touches: a line follows a finger that moves fast.
const PROMPT: Duration = Duration::from_millis(8);

/// Size of what is saved: two pictures of 256 pixels with a gap.
const SAVED: Size = Size::new(516, 256);

#[cfg(all(feature = "touch", target_os = "linux"))]
pub use crate::touch_panel::TouchPanel as Finger;

/// A touch panel of a system or a build that has none.
#[cfg(not(all(feature = "touch", target_os = "linux")))]
pub enum Finger {}

#[cfg(not(all(feature = "touch", target_os = "linux")))]
impl Finger {
    fn open(_: &std::path::Path) -> Result<Finger, Fault> {
        let text = "--touch: this program was built without the feature touch, or not for Linux";
        Err(Fault::Never(text.into()))
    }

    fn touch(&mut self, _: Size) -> Result<Option<Touch>, Fault> {
        match *self {}
    }
}

/// A running sketch.
pub struct Drawing<'r, 'm> {
    /// The drawing.
    pub easel: Easel<'m>,
    /// The settings.
    pub options: &'r Options,
    /// The request to end.
    pub stop: &'r Stop,
    /// The clocks.
    pub time: &'r dyn Time,
    /// What is drawn by itself, one event per frame, last one first.
    pub script: Vec<Event>,
    /// Frames left; `None` means no limit.
    pub frames: Option<u64>,
    /// The touch panel, while it is open.
    pub finger: Option<Finger>,
}

impl Drawing<'_, '_> {
    /// Draws until a key, a signal, the number of frames or, in a file, the end of the script.
    ///
    /// # Errors
    /// A [`Fault`] that trying again would not fix.
    pub fn run(
        &mut self,
        screen: Box<dyn Screen>,
        open: impl FnMut() -> Result<Box<dyn Screen>, Fault>,
    ) -> Result<(), Fault> {
        attend(screen, open, (self.stop, self.time), |screen| {
            self.easel.sketch.redraw();
            let mut worked = false;
            (self.show(screen, &mut worked), worked)
        })
    }

    /// Draws on one display until it fails or the program should end.
    fn show(&mut self, screen: &mut dyn Screen, worked: &mut bool) -> Result<(), Fault> {
        // One that was lost is opened again with the display.
        self.finger = self.options.touch.as_deref().map(Finger::open).transpose()?;
        let mut frame = self.time.passed();
        loop {
            screen.show(&mut Scene::Sketch(&mut self.easel))?;
            *worked = true;
            if let Some(left) = &mut self.frames {
                *left -= 1;
                if *left == 0 {
                    return Ok(());
                }
            }
            let more = match screen.paced() {
                true => self.listen(screen, &mut frame)?,
                false => !self.stop.asked() && self.step()?,
            };
            if !more {
                return Ok(());
            }
        }
    }

    /// Waits for something that may change the picture, or for the time of the next frame. Returns
    /// whether the program should go on.
    fn listen(&mut self, screen: &mut dyn Screen, frame: &mut Duration) -> Result<bool, Fault> {
        let start = self.time.passed();
        loop {
            if self.stop.asked() {
                return Ok(false);
            }
            let mut happened = false;
            while let Some(touch) = self.touch(screen)? {
                happened = true;
                if let Some(Button::Save) = self.easel.sketch.touch(touch) {
                    self.save()?;
                }
            }
            while let Some(key) = screen.key()? {
                happened = true;
                match key {
                    Key::Quit => return Ok(false),
                    Key::Clear => self.press(Button::Clear)?,
                    Key::Undo => self.press(Button::Undo)?,
                    Key::Save => self.press(Button::Save)?,
                    Key::Hold | Key::Next | Key::Previous | Key::Favorite | Key::Sleep => {}
                }
            }
            let now = self.time.passed();
            let each = Duration::from_secs_f64(1.0 / self.options.fps);
            if !self.script.is_empty() && now.saturating_sub(*frame) >= each {
                *frame = now;
                happened = true;
                self.step()?;
            }
            // Another window may have covered this one.
            if happened || now.saturating_sub(start) >= LISTEN {
                return Ok(true);
            }
            self.time.sleep(PROMPT);
            // An answer may have come meanwhile.
            if self.easel.is_waiting() {
                return Ok(true);
            }
        }
    }

    /// The next touch of the display or of the touch panel.
    fn touch(&mut self, screen: &mut dyn Screen) -> Result<Option<Touch>, Fault> {
        match (screen.touch()?, &mut self.finger) {
            (None, Some(finger)) => finger.touch(self.easel.sketch.panel()),
            (touch, _) => Ok(touch),
        }
    }

    /// Does what the next line of the script says. Returns whether there was one.
    fn step(&mut self) -> Result<bool, Fault> {
        match self.script.pop() {
            Some(Event::Touch(touch)) => {
                if let Some(Button::Save) = self.easel.sketch.touch(touch) {
                    self.save()?;
                }
            }
            Some(Event::Press(button)) => self.press(button)?,
            None => return Ok(false),
        }
        Ok(true)
    }

    fn press(&mut self, button: Button) -> Result<(), Fault> {
        match button {
            Button::Save => self.save(),
            Button::Clear | Button::Undo => {
                self.easel.sketch.press(button);
                Ok(())
            }
        }
    }

    /// Saves the drawing and its answer. A failure ends a program that nobody watches, and is reported
    /// to others.
    fn save(&mut self) -> Result<(), Fault> {
        match self.write() {
            Ok(Some(path)) => {
                notice(format_args!("saved {}", path.display()));
                self.easel.sketch.saved();
            }
            Ok(None) => notice("nothing is drawn that could be saved"),
            Err(what) if self.easel.is_patient() => return Err(Fault::Never(what)),
            Err(what) => notice(what),
        }
        Ok(())
    }

    /// Writes a picture under the first free number.
    fn write(&mut self) -> Result<Option<PathBuf>, String> {
        let folder = &self.options.saves;
        let Some(answer) = self.easel.current().cloned() else {
            return Ok(None);
        };
        let mut canvas = Canvas::new(SAVED, Colors::Rgb888);
        let drawn = self.easel.sketch.pair(answer.image(), &mut canvas.rgb888());
        drawn.map_err(|e| e.to_string())?;
        let pixels = canvas.pixels().as_flattened().to_vec();
        let picture = RgbImage::from_raw(SAVED.width, SAVED.height, pixels).unwrap_or_default();
        let bytes = codecs::encode(&picture.into(), ImageFormat::Png).map_err(|e| e.to_string())?;
        let cannot = |verb, error| format!("cannot {verb} {}: {error}", folder.display());
        std::fs::create_dir_all(folder).map_err(|e| cannot("create", e))?;
        let free = (1..=999_999).map(|n| folder.join(format!("sketch-{n:06}.png")));
        let path = free.into_iter().find(|path| !path.exists());
        let path = path.ok_or_else(|| format!("{} has a million sketches", folder.display()))?;
        replace(&path, &bytes).map_err(|e| cannot("write to", e))?;
        Ok(Some(path))
    }
}
