//! The hours during which the kiosk shows faces.

use core::fmt;
use core::str::FromStr;

/// A time of day in minutes after midnight, written `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock(u16);

/// Not a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoClock;

impl fmt::Display for NoClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a time of day from 00:00 to 23:59")
    }
}

impl core::error::Error for NoClock {}

impl Clock {
    /// A time of day from hours (0 to 23) and minutes (0 to 59).
    ///
    /// # Errors
    /// [`NoClock`] outside these ranges.
    pub const fn new(hours: u8, minutes: u8) -> Result<Clock, NoClock> {
        match hours < 24 && minutes < 60 {
            true => Ok(Clock(hours as u16 * 60 + minutes as u16)),
            false => Err(NoClock),
        }
    }
}

impl FromStr for Clock {
    type Err = NoClock;

    fn from_str(text: &str) -> Result<Clock, NoClock> {
        let (hours, minutes) = text.split_once(':').ok_or(NoClock)?;
        let number = |digits: &str, longest| match digits.len() {
            n if n >= 1 && n <= longest && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| NoClock)
            }
            _ => Err(NoClock),
        };
        if minutes.len() != 2 {
            return Err(NoClock);
        }
        Clock::new(number(hours, 2)?, number(minutes, 2)?)
    }
}

/// Awake from one time of day to another, across midnight if the second is earlier. Two equal times
/// mean the whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// When faces appear.
    pub wake: Clock,
    /// When the panel is blanked.
    pub sleep: Clock,
}

impl Hours {
    /// Whether faces are shown at a time of day.
    pub fn awake(&self, now: Clock) -> bool {
        let (wake, sleep) = (self.wake, self.sleep);
        match wake < sleep {
            true => wake <= now && now < sleep,
            false => now >= wake || now < sleep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day() {
        let cases = [
            ("07:30", Some(450)),
            ("7:30", Some(450)),
            ("00:00", Some(0)),
            ("23:59", Some(1439)),
            ("24:00", None),
            ("12:60", None),
            ("12:5", None),
            ("+1:30", None),
            ("1230", None),
            ("012:30", None),
            (":30", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse().ok(), want.map(Clock), "{text}");
        }
    }

    #[test]
    fn by_day_by_night_and_always() {
        let cases = [
            ("08:00", "20:00", "07:59", false),
            ("08:00", "20:00", "08:00", true),
            ("08:00", "20:00", "19:59", true),
            ("08:00", "20:00", "20:00", false),
            ("20:00", "02:00", "23:00", true),
            ("20:00", "02:00", "01:59", true),
            ("20:00", "02:00", "02:00", false),
            ("20:00", "02:00", "12:00", false),
            ("09:00", "09:00", "09:00", true),
            ("09:00", "09:00", "08:59", true),
        ];
        for (wake, sleep, now, want) in cases {
            let clock = |text: &str| text.parse().unwrap();
            let hours = Hours { wake: clock(wake), sleep: clock(sleep) };
            assert_eq!(hours.awake(clock(now)), want, "{wake} to {sleep} at {now}");
        }
    }
}
