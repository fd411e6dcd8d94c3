//! What a run writes down while it trains: the log, files of JSON lines, and an event file.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::events::Events;
use super::folder::Run;
use super::log::Log;
use super::stats::{self, Row};
use super::verdict::Note;
use crate::config::Rates;
use crate::file::WriteError;
use crate::objective::{Measured, Metric, metric};
use crate::score::samples::Samples;

/// Where one stretch of training is written down.
pub struct Record<'a> {
    run: &'a Run,
    log: &'a Log,
    metrics: &'static [Metric],
    /// The event file, for pictures.
    pub events: Events,
}

impl<'a> Record<'a> {
    /// Starts an event file and the progress bar at `images` images.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn create(
        run: &'a Run,
        log: &'a Log,
        metrics: &'static [Metric],
        images: u64,
    ) -> Result<Record<'a>, WriteError> {
        let events = Events::create(run.root(), images)?;
        log.begin(images);
        log.say(&Row::heading(metrics))?;
        Ok(Record { run, log, metrics, events })
    }

    /// A row of metrics; `left` images remain.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn row(&mut self, row: &Row, rates: Rates, left: u64) -> Result<(), WriteError> {
        let left = Duration::try_from_secs_f64(left as f64 / row.images_per_s.max(1e-9));
        self.log.say(&row.line(self.metrics, left.unwrap_or_default()))?;
        stats::append(&self.run.stats(), row)?;
        let rates = [("images_per_s", row.images_per_s), ("lr", rates.lr), ("gamma", rates.gamma)];
        let numbers = row.metrics.iter().map(|(key, v)| (key.as_str(), *v));
        self.events.scalars(row.images, numbers.chain(rates))
    }

    /// Scores of samples.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn scores(&mut self, samples: &Samples) -> Result<(), WriteError> {
        self.log.say(&samples.line())?;
        stats::append(&self.run.scores(), samples)?;
        self.events.scalars(samples.images, samples.numbers())
    }

    /// Figures on held-out images.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn held_out(&self, images: u64, measured: Vec<Measured>) -> Result<(), WriteError> {
        /// A line of `scores.jsonl`.
        #[derive(Serialize)]
        struct HeldOut {
            images: u64,
            #[serde(flatten)]
            measured: BTreeMap<&'static str, f64>,
        }
        if measured.is_empty() {
            return Ok(());
        }
        self.log.say(&format!("{images:>9} images  held out: {}", metric::line(&measured)))?;
        let measured = measured.into_iter().collect();
        stats::append(&self.run.scores(), &HeldOut { images, measured })
    }
}

/// Logs a note and appends it to `verdicts.jsonl`.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn note(run: &Run, log: &Log, note: &Note) -> Result<(), WriteError> {
    log.say(&format!("{:>9} images  {}", note.images, note.text))?;
    stats::append(&run.verdicts(), note)
}

/// Drops every line written after `images` images: resuming writes them again.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn rewind(run: &Run, images: u64) -> Result<(), WriteError> {
    [run.stats(), run.scores(), run.verdicts()]
        .iter()
        .try_for_each(|path| stats::rewind(path, images))
}
