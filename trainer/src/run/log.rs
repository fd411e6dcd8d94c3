//! The log of a run: lines on standard output, and a progress bar on a terminal.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::file::WriteError;

/// Lines and a progress bar that do not disturb each other.
pub struct Log {
    bar: ProgressBar,
}

impl Log {
    /// A log of a run that ends after `total` images. The bar is on standard error, if that is a
    /// terminal.
    pub fn new(total: u64) -> Log {
        let style = ProgressStyle::with_template(
            "{wide_bar:.cyan/black} {human_pos}/{human_len} images  {per_sec}  {eta_precise} left",
        );
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(4));
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Log { bar }
    }

    /// Starts at `images`: speed and remaining time are measured from here.
    pub fn begin(&self, images: u64) {
        self.bar.set_position(images);
        self.bar.reset_eta();
    }

    /// Moves the bar to `images`.
    pub fn at(&self, images: u64) {
        self.bar.set_position(images);
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints a line.
    ///
    /// # Errors
    /// [`WriteError`] if it cannot be written. A closed pipe is not an error.
    pub fn say(&self, line: &str) -> Result<(), WriteError> {
        let wrote = self.bar.suspend(|| {
            let mut out = io::stdout().lock();
            writeln!(out, "{line}").and_then(|()| out.flush())
        });
        match wrote {
            // The reader is gone, but the run goes on.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(WriteError { path: "the log".into(), error }),
            Ok(()) => Ok(()),
        }
    }
}
