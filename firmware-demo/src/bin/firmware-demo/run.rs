//! The main loop of a kiosk: frames in real time, and keys.

use std::time::Duration;

use firmware_demo::Hours;

use crate::attend::{LISTEN, attend};
use crate::keep::{Favorites, Keeper};
use crate::options::Options;
use crate::output::notice;
use crate::screen::{Faces, Fault, Key, Scene, Screen};
use crate::stop::Stop;
use crate::time::Time;

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
    /// The clocks.
    pub time: &'r dyn Time,
    /// Whether the sleep key has reversed what the hours say.
    pub reversed: bool,
    /// Frames left; `None` means no limit.
    pub frames: Option<u64>,
}

impl Run<'_, '_> {
    /// Shows faces until a key, a signal or the number of frames ends it.
    ///
    /// # Errors
    /// A [`Fault`] that trying again would not fix.
    pub fn run(
        &mut self,
        screen: Box<dyn Screen>,
        open: impl FnMut() -> Result<Box<dyn Screen>, Fault>,
    ) -> Result<(), Fault> {
        attend(screen, open, (self.stop, self.time), |screen| {
            let before = self.kiosk.position();
            self.kiosk.redraw();
            let end = self.show(screen);
            self.save(true);
            (end, self.kiosk.position() != before)
        })
    }

    /// Shows faces on one display until it fails or the program should end.
    fn show(&mut self, screen: &mut dyn Screen) -> Result<(), Fault> {
        let start = self.time.passed();
        // Frames elapsed since `start`.
        let mut passed = 0;
        loop {
            self.kiosk.sleep(self.asleep());
            self.kiosk.star(self.favorites.contains(self.kiosk.seed()));
            screen.show(&mut Scene::Faces(self.kiosk))?;
            self.save(false);
            if let Some(left) = &mut self.frames {
                *left -= 1;
                if *left == 0 {
                    return Ok(());
                }
            }
            let due = match screen.paced() {
                true => match self.wait(screen, start, passed)? {
                    Some(due) => due,
                    None => return Ok(()),
                },
                false if self.stop.asked() => return Ok(()),
                false => passed + 1,
            };
            self.kiosk.advance(due - passed);
            passed = due;
        }
    }

    /// Waits for the next frame or a key press. Returns the frames elapsed since `start`; `None` if the
    /// program should end.
    fn wait(
        &mut self,
        screen: &mut dyn Screen,
        start: Duration,
        passed: u64,
    ) -> Result<Option<u64>, Fault> {
        loop {
            if self.stop.asked() {
                return Ok(None);
            }
            let pressed = screen.key()?;
            match pressed {
                Some(Key::Quit) => return Ok(None),
                Some(key) => self.press(key),
                None => {}
            }
            let since = self.time.passed().saturating_sub(start);
            let now = since.as_secs_f64() * self.options.fps;
            // A display that is too slow skips frames.
            if now as u64 > passed || pressed.is_some() {
                return Ok(Some((now as u64).max(passed)));
            }
            let left = Duration::from_secs_f64((passed as f64 + 1.0 - now) / self.options.fps);
            self.time.sleep(left.min(LISTEN));
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
            Key::Quit | Key::Clear | Key::Undo | Key::Save => {}
        }
    }

    /// Whether the display should be blank now.
    fn asleep(&self) -> bool {
        let night = self.hours.zip(self.time.of_day());
        self.reversed != night.is_some_and(|(hours, now)| !hours.awake(now))
    }

    /// Saves the position. A failure is reported but not fatal.
    fn save(&mut self, now: bool) {
        if let Err(error) = self.keeper.keep(self.kiosk.position(), now, self.time.passed()) {
            notice(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Generator;
    use clap::Parser;
    use firmware_demo::{Clock, Kiosk};
    use runtime::{Cpu, Model};
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    /// Clocks that a test sets.
    struct Fake {
        passed: Cell<Duration>,
        /// Minutes that the clock on the wall is ahead of `passed`.
        ahead: Cell<i64>,
    }

    impl Time for Fake {
        fn passed(&self) -> Duration {
            self.passed.get()
        }

        fn of_day(&self) -> Option<Clock> {
            let minutes = self.passed.get().as_secs() as i64 / 60 + self.ahead.get();
            let day = minutes.rem_euclid(24 * 60);
            Clock::new((day / 60) as u8, (day % 60) as u8).ok()
        }

        fn sleep(&self, pause: Duration) {
            // No real sleep is as short as what is left after rounding.
            self.passed.set(self.passed.get() + pause.max(Duration::from_micros(1)));
        }
    }

    /// What was shown: the time, the position, and whether it was dark.
    type Shown = Rc<RefCell<Vec<(Duration, u64, bool)>>>;

    /// A display on which the clocks jump between two frames.
    struct Jumps {
        time: Rc<Fake>,
        shown: Shown,
        at: fn(&Fake, usize),
        frames: usize,
    }

    impl Screen for Jumps {
        fn show(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Fault> {
            let Scene::Faces(kiosk) = scene else { unreachable!("a kiosk") };
            let n = self.shown.borrow().len();
            if n == self.frames {
                return Err(Fault::Closed);
            }
            self.shown.borrow_mut().push((self.time.passed(), kiosk.position(), kiosk.asleep()));
            (self.at)(&self.time, n);
            Ok(())
        }

        fn leave(&mut self) -> Result<(), Fault> {
            Ok(())
        }
    }

    /// Shows `frames` frames from a position, at a time.
    fn play(
        flags: &[&str],
        (start, passed, frames): (u64, Duration, usize),
        at: fn(&Fake, usize),
    ) -> Vec<(Duration, u64, bool)> {
        let options = Options::parse_from([&["firmware-demo"], flags].concat());
        let record = runtime::include_record!("../../../../models/pretrained/faces-tiny-int8.bpk");
        let model = Model::parse(record).unwrap();
        let mut arena = vec![0.0; model.arena_len()];
        let cpu = Cpu::new(&model, &mut arena).unwrap();
        let mut kiosk = Kiosk::new(Generator::Cpu(cpu), options.show());
        kiosk.seek(start);
        let time = Rc::new(Fake { passed: Cell::new(passed), ahead: Cell::new(0) });
        let shown = Shown::default();
        let screen = Jumps { time: time.clone(), shown: shown.clone(), at, frames };
        let mut run = Run {
            kiosk: &mut kiosk,
            options: &options,
            hours: options.hours().unwrap(),
            keeper: Keeper::open(&options).0,
            favorites: Favorites::open(&options.favorites),
            stop: &Stop::default(),
            time: &*time,
            reversed: false,
            frames: None,
        };
        run.run(Box::new(screen), || unreachable!()).unwrap();
        shown.take()
    }

    const MONTH: i64 = 30 * 24 * 60;

    #[test]
    fn a_clock_that_is_set_changes_the_hours_and_not_the_sequence() {
        // A frame each minute; the clock on the wall jumps by a month and 12 hours, and back.
        let flags = ["--fps=0.0166666666666666667", "--wake=08:00", "--sleep=20:00"];
        let shown = play(&flags, (5, Duration::ZERO, 2200), |time, n| match n {
            700 => time.ahead.set(MONTH + 12 * 60),
            1400 => time.ahead.set(-MONTH),
            2100 => time.ahead.set(0),
            _ => {}
        });
        for (n, &(passed, position, dark)) in shown.iter().enumerate() {
            assert_eq!(position, 5 + n as u64, "no frame is skipped or shown twice");
            assert!(passed.as_secs().abs_diff(60 * n as u64) <= 1, "{passed:?}");
            let jump = if (701..=1400).contains(&n) { 12 * 60 } else { 0 };
            let minute = (passed.as_secs() / 60 + jump) % (24 * 60);
            assert_eq!(dark, !(8 * 60..20 * 60).contains(&minute), "frame {n}, minute {minute}");
        }
    }

    #[test]
    fn counts_of_32_bits_end_and_nothing_happens() {
        // 2^32 ms is 49.7 days; positions and seeds pass 2^32 too, and the last ones wrap.
        let edges = [1 << 32, u64::MAX, (1 << 32) * 120];
        for edge in edges {
            let passed = Duration::from_millis(1 << 32) - Duration::from_secs(10);
            let start = edge - 200;
            let shown = play(&["--fps=20"], (start, passed, 400), |_, _| {});
            for (n, &(at, position, _)) in shown.iter().enumerate() {
                assert_eq!(position, start.wrapping_add(n as u64));
                let want = passed + Duration::from_millis(50 * n as u64);
                assert!(at.abs_diff(want) <= Duration::from_millis(1), "{at:?}, not {want:?}");
            }
        }
    }

    #[test]
    fn a_program_that_was_stopped_for_a_month_goes_on() {
        let shown = play(&["--fps=20"], (0, Duration::ZERO, 10), |time, n| {
            if n == 4 {
                time.sleep(Duration::from_secs(60 * MONTH as u64));
            }
        });
        let positions: Vec<u64> = shown.iter().map(|shown| shown.1).collect();
        let after = 4 + 20 * 60 * MONTH as u64;
        assert_eq!(positions[..5], [0, 1, 2, 3, 4]);
        assert!(positions[5].abs_diff(after) <= 1 && positions[9] == positions[5] + 4);
    }
}
