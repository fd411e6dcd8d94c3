//! What a run says while it trains: lines on standard output, and a progress bar where somebody watches.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::WriteError;

/// Lines and a bar, which do not get into each other's way.
pub struct Log {
    bar: ProgressBar,
}

impl Log {
    /// A log of a run that ends after `total` images. The bar is on standard error, if that is a terminal.
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

    /// Begins at `images`: pace and time left count from here.
    pub fn begin(&self, images: u64) {
        self.bar.set_position(images);
        self.bar.reset_eta();
    }

    /// So many images seen.
    pub fn at(&self, images: u64) {
        self.bar.set_position(images);
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// A line.
    ///
    /// # Errors
    /// [`WriteError`] if it cannot be written; that nobody listens any more is none.
    pub fn say(&self, line: &str) -> Result<(), WriteError> {
        let wrote = self.bar.suspend(|| {
            let mut out = io::stdout().lock();
            writeln!(out, "{line}").and_then(|()| out.flush())
        });
        match wrote {
            // Whoever listened has gone; the run has not.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(WriteError { path: "the log".into(), error }),
            Ok(()) => Ok(()),
        }
    }
}
