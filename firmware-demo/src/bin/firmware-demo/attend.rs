//! Displays that fail and come back.

use std::time::Duration;

use crate::output::notice;
use crate::screen::{Fault, Screen};
use crate::stop::Stop;
use crate::time::Time;

/// The longest sleep between two checks for keys and signals.
pub const LISTEN: Duration = Duration::from_millis(50);
/// The longest pause between two attempts to reopen a lost display.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `show` with a display until the program should end. A lost display is reopened after a pause
/// that doubles up to a minute. `show` returns why it ended, and whether it had shown anything.
///
/// # Errors
/// A [`Fault`] that trying again would not fix.
pub fn attend(
    mut screen: Box<dyn Screen>,
    mut open: impl FnMut() -> Result<Box<dyn Screen>, Fault>,
    (stop, time): (&Stop, &dyn Time),
    mut show: impl FnMut(&mut dyn Screen) -> (Result<(), Fault>, bool),
) -> Result<(), Fault> {
    let mut pause = Duration::from_secs(1);
    loop {
        let (end, worked) = show(&mut *screen);
        let mut what = match end {
            Ok(()) | Err(Fault::Closed) => return screen.leave(),
            Err(Fault::Lost(what)) => what,
            Err(fault) => return Err(fault),
        };
        // A quick retry is worthwhile.
        if worked {
            pause = Duration::from_secs(1);
        }
        // Two handles on one device may conflict.
        drop(screen);
        screen = loop {
            notice(format_args!("{what}; trying again in {} s", pause.as_secs()));
            if wait(pause, stop, time) {
                return Ok(());
            }
            pause = (pause * 2).min(PATIENCE);
            match open() {
                Ok(screen) => break screen,
                Err(Fault::Lost(again)) => what = again,
                Err(fault) => return Err(fault),
            }
        };
    }
}

/// Waits. Returns whether the program should end.
fn wait(pause: Duration, stop: &Stop, time: &dyn Time) -> bool {
    let end = time.passed() + pause;
    while time.passed() < end && !stop.asked() {
        time.sleep(LISTEN.min(pause));
    }
    stop.asked()
}
