//! The loop: time passes, keys are pressed, displays come and go.

use std::time::{Duration, Instant};

use chrono::Timelike;
use firmware_demo::{Clock, Hours};

use crate::keep::{Keeper, favourite};
use crate::options::Options;
use crate::screen::{Faces, Fault, Key, Screen};
use crate::stop::Stop;

/// How long nothing is asked of a display, at most: keys and signals are heard within it.
const LISTEN: Duration = Duration::from_millis(50);
/// The longest pause before a lost display is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A show that goes on.
pub struct Run<'r, 'm> {
    /// What is shown.
    pub kiosk: &'r mut Faces<'m>,
    /// How.
    pub options: &'r Options,
    /// When.
    pub hours: Option<Hours>,
    /// Where the position is kept.
    pub keeper: Keeper,
    /// Whether to end.
    pub stop: &'r Stop,
    /// Whether a person wants it dark by day, or awake by night.
    pub sleepy: bool,
    /// How many frames are left.
    pub frames: Option<u64>,
}

/// Why one display's turn is over.
enum End {
    /// The program is to end.
    Done,
    /// The display is lost.
    Lost(String),
}

impl Run<'_, '_> {
    /// Shows faces until a person, a signal or the number of frames ends it. A display that is lost is opened again
    /// after a pause that grows to a minute.
    ///
    /// # Errors
    /// A [`Fault`] that no patience mends.
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
            // One that worked for a while is worth a quick try.
            if self.kiosk.position() != before {
                pause = Duration::from_secs(1);
            }
            // Closed before it is opened again.
            drop(screen);
            screen = loop {
                eprintln!("{what}; trying again in {} s", pause.as_secs());
                if self.sleep_through(pause) {
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

    /// Waits; whether the program is to end meanwhile.
    fn sleep_through(&self, pause: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < pause && !self.stop.asked() {
            std::thread::sleep(LISTEN.min(pause));
        }
        self.stop.asked()
    }

    /// One display's turn.
    fn show(&mut self, screen: &mut dyn Screen) -> Result<End, Fault> {
        let start = Instant::now();
        // Frames that have passed since.
        let mut passed = 0;
        loop {
            self.kiosk.sleep(self.dark());
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

    /// Waits for the next frame, or for a key; how many frames have passed then.
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
            // A display that is slower than its frames skips some.
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
            Key::Favourite => {
                let seed = self.kiosk.favourite();
                if let Err(error) = favourite(&self.options.favourites, seed) {
                    eprintln!("{error}");
                }
            }
            Key::Sleep => self.sleepy = !self.sleepy,
            Key::Quit => {}
        }
    }

    /// Whether the panel is to be dark now.
    fn dark(&self) -> bool {
        let now = chrono::Local::now();
        let clock = Clock::new(now.hour() as u8, now.minute() as u8);
        let night = self.hours.zip(clock.ok());
        self.sleepy != night.is_some_and(|(hours, now)| !hours.awake(now))
    }

    /// Keeps the position. That it cannot be kept is said, and no reason to end.
    fn save(&mut self, now: bool) {
        if let Err(error) = self.keeper.keep(self.kiosk.position(), now) {
            eprintln!("{error}");
        }
    }
}
