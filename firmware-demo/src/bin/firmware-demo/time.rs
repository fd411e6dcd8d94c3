//! Time as the main loop sees it.

use std::time::{Duration, Instant};

use chrono::Timelike;
use firmware_demo::Clock;

/// What passes, what a clock on the wall shows, and waiting.
pub trait Time {
    /// Time since the start of the program. It never goes back, and no one can set it.
    fn passed(&self) -> Duration;

    /// The time of day, which jumps when the clock is set; `None` if there is no clock.
    fn of_day(&self) -> Option<Clock>;

    /// Waits.
    fn sleep(&self, pause: Duration);
}

/// The system's.
pub struct System(Instant);

impl System {
    /// Starts now.
    pub fn start() -> System {
        System(Instant::now())
    }
}

impl Time for System {
    fn passed(&self) -> Duration {
        self.0.elapsed()
    }

    fn of_day(&self) -> Option<Clock> {
        let now = chrono::Local::now();
        Clock::new(now.hour() as u8, now.minute() as u8).ok()
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}
