//! A script of touches: a drawing that repeats, without a display or a hand.

use std::fmt;
use std::path::{Path, PathBuf};

use embedded_graphics::geometry::Point;
use firmware_demo::Touch;
use firmware_demo::sketch::Button;

use crate::config::read_text;

/// A line of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `down X Y`, `move X Y` or `up`.
    Touch(Touch),
    /// `clear`, `undo` or `save`.
    Press(Button),
}

/// Why a script is not used.
#[derive(Debug)]
pub enum ScriptError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// Its mistakes: the line, counted from 1, and what it says.
    Wrong(PathBuf, Vec<(usize, String)>),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScriptError::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            ScriptError::Wrong(path, mistakes) => {
                for (i, (line, text)) in mistakes.iter().enumerate() {
                    let lead = if i == 0 { "" } else { "\nerror: " };
                    let path = path.display();
                    write!(
                        f,
                        "{lead}{path}, line {line}: {text:?} is not down X Y, move X Y, up, "
                    )?;
                    write!(f, "undo, clear or save")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ScriptError {}

/// Reads a script: one event per line, points in pixels of the display. Blank lines and those that
/// begin with `#` are skipped.
///
/// # Errors
/// [`ScriptError`], with every line that is wrong.
pub fn read(path: &Path) -> Result<Vec<Event>, ScriptError> {
    let text = read_text(path).map_err(|e| ScriptError::Read(path.into(), e))?;
    parse(&text).map_err(|mistakes| ScriptError::Wrong(path.into(), mistakes))
}

/// The events of a script, or its wrong lines.
fn parse(text: &str) -> Result<Vec<Event>, Vec<(usize, String)>> {
    let (mut events, mut mistakes) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match event(line) {
            Some(event) => events.push(event),
            None => mistakes.push((i + 1, line.to_owned())),
        }
    }
    if mistakes.is_empty() { Ok(events) } else { Err(mistakes) }
}

fn event(line: &str) -> Option<Event> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    // A display has at most 8192 pixels a side; a finger may leave it.
    let side = |word: &str| word.parse().ok().filter(|n| (-8192..=8192).contains(n));
    let point = |x, y| Some(Point::new(side(x)?, side(y)?));
    Some(match words[..] {
        ["down", x, y] => Event::Touch(Touch::Down(point(x, y)?)),
        ["move", x, y] => Event::Touch(Touch::Move(point(x, y)?)),
        ["up"] => Event::Touch(Touch::Up),
        ["clear"] => Event::Press(Button::Clear),
        ["undo"] => Event::Press(Button::Undo),
        ["save"] => Event::Press(Button::Save),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_events() {
        let text = "# a line\n\ndown 1 2\n  move -3\t400 \r\nup\nundo\nclear\nsave";
        assert_eq!(
            parse(text).unwrap(),
            [
                Event::Touch(Touch::Down(Point::new(1, 2))),
                Event::Touch(Touch::Move(Point::new(-3, 400))),
                Event::Touch(Touch::Up),
                Event::Press(Button::Undo),
                Event::Press(Button::Clear),
                Event::Press(Button::Save),
            ]
        );
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn every_mistake_with_its_line() {
        let text = "down 1\nup\nmove 1 2 3\n\ndown 1 99999\nUP\nup 1\nmove a b\n";
        let lines: Vec<usize> = parse(text).unwrap_err().iter().map(|m| m.0).collect();
        assert_eq!(lines, [1, 3, 5, 6, 7, 8]);
        let error = ScriptError::Wrong("s.txt".into(), parse("up 1\ngo").unwrap_err());
        let want = "s.txt, line 1: \"up 1\" is not down X Y, move X Y, up, undo, clear or save\n\
                    error: s.txt, line 2: \"go\" is not down X Y, move X Y, up, undo, clear or save";
        assert_eq!(error.to_string(), want);
    }
}
