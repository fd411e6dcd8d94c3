//! What the program prints: text, progress, errors.

use std::error::Error;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runtime::stdout;
use runtime::terminal::escaped_lines;

/// What every verb returns.
pub type Ended = Result<(), Box<dyn Error>>;

/// Prints the result of a verb. A closed pipe (`trainer ... | head`) is not an error.
///
/// # Errors
/// Any other reason that standard output cannot be written.
pub fn print(text: impl std::fmt::Display) -> io::Result<()> {
    // Rust replaces it by /dev/null, and the text would be lost without an error.
    match stdout::was_closed() {
        true => Err(io::Error::other("cannot write to standard output: it is closed")),
        false => write(text),
    }
}

/// Whether a line of [`say`] was lost.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line about files that are being written. If it cannot be printed, that is a warning, so
/// that the files are not lost as well.
pub fn say(text: impl std::fmt::Display) {
    if let Err(error) = write(text)
        && !LOST.swap(true, Ordering::Relaxed)
    {
        complain(format!("warning: {error}"));
    }
}

/// Whether a line of [`say`] could not be printed: the program then ends with an error.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Names from archives in the text do nothing to a terminal.
fn write(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let text = escaped_lines(&text.to_string());
    let wrote = write!(out, "{text}").and_then(|()| out.flush());
    match wrote {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(io::Error::new(e.kind(), format!("cannot write to standard output: {e}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a line to standard error, if that can be written: nobody reads it otherwise.
pub fn complain(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{}", escaped_lines(&line.to_string()));
}

/// A progress bar on standard error, drawn only if that is a terminal.
pub fn bar(what: &str, count: usize) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(8);
    let bar = ProgressBar::with_draw_target(Some(count as u64), target);
    let style = "{msg}  {wide_bar:.cyan/black} {human_pos}/{human_len}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.with_message(what.to_string())
}

/// An error and its causes on one line, without the line breaks that libraries put into theirs.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {error}");
        cause = error.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
