//! What is shown while many pictures are written: one bar on a terminal, nothing otherwise.

use std::fmt;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal;

/// A progress bar, or a list of files with `-v`.
pub struct Progress {
    bar: ProgressBar,
    verbose: bool,
}

impl Progress {
    /// For `count` pictures. The bar is hidden unless standard error is a terminal.
    pub fn new(count: usize, verbose: bool) -> Progress {
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(Some(count as u64), target);
        // The template is a constant; the default style is used if it is wrong.
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress { bar, verbose }
    }

    /// One more picture is done; `line` describes it.
    pub fn step(&self, line: fmt::Arguments<'_>) {
        if self.verbose {
            self.bar.suspend(|| terminal::note(line));
        }
        self.bar.inc(1);
    }

    /// All pictures are done; `line` sums up.
    pub fn finish(self, line: fmt::Arguments<'_>) {
        self.bar.finish_and_clear();
        terminal::note(line);
    }
}
