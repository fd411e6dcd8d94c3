//! The log of a run: lines on standard output, and a progress bar on a terminal.

use std::cell::RefCell;
use std::collections::btree_map::{BTreeMap, Entry};
use std::error::Error;
use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runtime::terminal::escaped_lines;

use crate::file::WriteError;

/// Lines and a progress bar that do not disturb each other, and what could not be written.
///
/// Everything but checkpoints is beside the point of a run: if it cannot be written, that is
/// reported once and training goes on.
pub struct Log {
    bar: ProgressBar,
    /// Reports of failures by what failed, without the numbers in its name.
    failures: RefCell<BTreeMap<String, String>>,
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
        Log { bar, failures: RefCell::default() }
    }

    /// Changes the number of images at which the run ends.
    pub fn until(&self, total: u64) {
        self.bar.set_length(total);
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

    /// Prints a line. A reader that is gone (`fit | head`) is no failure; any other is reported as
    /// by [`Log::check`].
    pub fn say(&self, line: &str) {
        let wrote = self.bar.suspend(|| {
            let mut out = io::stdout().lock();
            writeln!(out, "{}", escaped_lines(line)).and_then(|()| out.flush())
        });
        match wrote {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => {
                self.check(Err(WriteError { path: "standard output".into(), error }));
            }
            Ok(()) => {}
        }
    }

    /// Whether something was written; if not, reports that on standard error, once for each kind of
    /// file.
    pub fn check(&self, done: Result<(), WriteError>) -> bool {
        let Err(error) = done else {
            return true;
        };
        let name = error.path.file_name().unwrap_or(error.path.as_os_str()).to_string_lossy();
        let kind = name.replace(|c: char| c.is_ascii_digit(), "");
        let mut failures = self.failures.borrow_mut();
        if let Entry::Vacant(first) = failures.entry(kind) {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            let report = format!("{error}: {cause}");
            let line = format!("warning: {report}; training goes on");
            // Standard error may be closed, too: nobody is left to be warned then.
            let _ = self.bar.suspend(|| writeln!(io::stderr(), "{}", escaped_lines(&line)));
            first.insert(report);
        }
        false
    }

    /// What could not be written so far: a report for each kind of file.
    pub fn failures(&self) -> Vec<String> {
        self.failures.borrow().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_reported_once_for_each_kind_of_file() {
        let log = Log::new(10);
        let fails = |path: &str| {
            let error = io::Error::other("no space");
            log.check(Err(WriteError { path: path.into(), error }))
        };
        assert!(log.check(Ok(())));
        assert!(!fails("run/fakes-000000320.png"));
        assert!(!fails("run/fakes-000000640.png"));
        assert!(!fails("run/stats.jsonl"));
        let want = [
            "cannot write run/fakes-000000320.png: no space",
            "cannot write run/stats.jsonl: no space",
        ];
        assert_eq!(log.failures(), want);
    }
}
