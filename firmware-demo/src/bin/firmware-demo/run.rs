//! The main loop: frames in real time, keys, and displays that fail and come back.

use std::time::{Duration, Instant};

use chrono::Timelike;
use firmware_demo::{Clock, Hours};

use crate::keep::{Favorites, Keeper};
use crate::options::Options;
use crate::output::notice;
use crate::screen::{Faces, Fault, Key, Screen};
use crate::stop::Stop;

/// The longest sleep between two checks for keys and signals.
const LISTEN: Duration = Duration::from_millis(50);
/// The longest pause between two attempts to reopen a lost display.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running kiosk.
pub struct Run<'r, 'm> {
    /// The sequence of faces.
    pub kiosk: &'r mut Faces<'m>,
    /// The settings.
    pub options: &'r Options,
    /// When it is awake; `None` means always.
    pub hours: Option<Hours>,
    /// Saves the position.
    pub keeper: Keeper,
    /// The favorites.
    pub favorites: Favorites,
    /// The request to end.
    pub stop: &'r Stop,
    /// Whether the sleep key has reversed what the hours say.
    pub reversed: bool,
    /// Frames left; `None` means no limit.
    pub frames: Option<u64>,
}

/// Why [`Run::show`] returned.
enum End {
    /// The program should end.
    Done,
    /// The display was lost.
    Lost(String),
}

impl Run<'_, '_> {
    /// Shows faces until a key, a signal or the number of frames ends it. A lost display is reopened after
    /// a pause that doubles up to a minute.
    ///
    /// # Errors
    /// A [`Fault`] that trying again would not fix.
    pub fn run(
        &mut self,
        mut screen: Box<dyn Screen>,
        mut open: impl FnMut() -> Result<Box<dyn Screen>, Fault>,
    ) -> Result<(), Fault> {
        let mut pause = Duration::from_secs(1);
        loop {
            let before = self.kiosk.position();
            let end = self.show(&mut *screen)?;
            self.save(true);
            let mut what = match end {
                End::Done => return screen.leave(),
                End::Lost(what) => what,
            };
            // It worked for a while, so a quick retry is worthwhile.
            if self.kiosk.position() != before {
                pause = Duration::from_secs(1);
            }
            // Two handles on one device may conflict.
            drop(screen);
            screen = loop {
                notice(format_args!("{what}; trying again in {} s", pause.as_secs()));
                if self.pause(pause) {
                    return Ok(());
                }
                pause = (pause * 2).min(PATIENCE);
                match open() {
                    Ok(screen) => break screen,
                    Err(Fault::Lost(again)) => what = again,
                    Err(fault) => return Err(fault),
                }
            };
            self.kiosk.redraw();
        }
    }

    /// Waits. Returns whether the program should end.
    fn pause(&self, pause: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < pause && !self.stop.asked() {
            std::thread::sleep(LISTEN.min(pause));
        }
        self.stop.asked()
    }

    /// Shows faces on one display until it fails or the program should end.
    fn show(&mut self, screen: &mut dyn Screen) -> Result<End, Fault> {
        let start = Instant::now();
        // Frames elapsed since `start`.
        let mut passed = 0;
        loop {
            self.kiosk.sleep(self.asleep());
            self.kiosk.star(self.favorites.contains(self.kiosk.seed()));
            match screen.show(self.kiosk) {
                Ok(()) => {}
                Err(Fault::Lost(what)) => return Ok(End::Lost(what)),
                Err(Fault::Closed) => return Ok(End::Done),
                Err(fault) => return Err(fault),
            }
            self.save(false);
            if let Some(left) = &mut self.frames {
                *left -= 1;
                if *left == 0 {
                    return Ok(End::Done);
                }
            }
            let due = match screen.paced() {
                true => match self.wait(screen, start, passed)? {
                    Ok(due) => due,
                    Err(end) => return Ok(end),
                },
                false if self.stop.asked() => return Ok(End::Done),
                false => passed + 1,
            };
            self.kiosk.advance(due - passed);
            passed = due;
        }
    }

    /// Waits for the next frame or a key press. Returns the frames elapsed since `start`.
    fn wait(
        &mut self,
        screen: &mut dyn Screen,
        start: Instant,
        passed: u64,
    ) -> Result<Result<u64, End>, Fault> {
        loop {
            if self.stop.asked() {
                return Ok(Err(End::Done));
            }
            let pressed = match screen.key() {
                Ok(Some(Key::Quit)) | Err(Fault::Closed) => return Ok(Err(End::Done)),
                Ok(pressed) => pressed,
                Err(Fault::Lost(what)) => return Ok(Err(End::Lost(what))),
                Err(fault) => return Err(fault),
            };
            if let Some(key) = pressed {
                self.press(key);
            }
            let now = start.elapsed().as_secs_f64() * self.options.fps;
            // A display that is too slow skips frames.
            if now as u64 > passed || pressed.is_some() {
                return Ok(Ok((now as u64).max(passed)));
            }
            let left = Duration::from_secs_f64((passed as f64 + 1.0 - now) / self.options.fps);
            std::thread::sleep(left.min(LISTEN));
        }
    }

    fn press(&mut self, key: Key) {
        match key {
            Key::Hold => self.kiosk.hold(!self.kiosk.held()),
            Key::Next => self.kiosk.next(),
            Key::Previous => self.kiosk.previous(),
            Key::Favorite => {
                if let Err(error) = self.favorites.toggle(self.kiosk.seed()) {
                    notice(error);
                }
            }
            Key::Sleep => self.reversed = !self.reversed,
            Key::Quit => {}
        }
    }

    /// Whether the display should be blank now.
    fn asleep(&self) -> bool {
        let now = chrono::Local::now();
        let clock = Clock::new(now.hour() as u8, now.minute() as u8);
        let night = self.hours.zip(clock.ok());
        self.reversed != night.is_some_and(|(hours, now)| !hours.awake(now))
    }

    /// Saves the position. A failure is reported but not fatal.
    fn save(&mut self, now: bool) {
        if let Err(error) = self.keeper.keep(self.kiosk.position(), now) {
            notice(error);
        }
    }
}
