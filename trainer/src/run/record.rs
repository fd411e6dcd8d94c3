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

/// Where one stretch of training is written down. What cannot be written is reported by the
/// [`Log`], and training goes on.
pub struct Record<'a> {
    run: &'a Run,
    log: &'a Log,
    metrics: &'static [Metric],
    /// The event file, if it could be created.
    events: Option<Events>,
}

impl<'a> Record<'a> {
    /// Starts an event file and the progress bar at `images` images.
    pub fn create(
        run: &'a Run,
        log: &'a Log,
        metrics: &'static [Metric],
        images: u64,
    ) -> Record<'a> {
        let events = match Events::create(run.root(), images) {
            Ok(events) => Some(events),
            Err(error) => {
                log.check(Err(error));
                None
            }
        };
        log.begin(images);
        log.say(&Row::heading(metrics));
        Record { run, log, metrics, events }
    }

    /// A row of metrics; `left` images remain.
    pub fn row(&mut self, row: &Row, rates: Rates, left: u64) {
        let left = Duration::try_from_secs_f64(left as f64 / row.images_per_s.max(1e-9));
        self.log.say(&row.line(self.metrics, left.unwrap_or_default()));
        self.log.check(stats::append(&self.run.stats(), row));
        let rates = [("images_per_s", row.images_per_s), ("lr", rates.lr), ("gamma", rates.gamma)];
        let numbers = row.metrics.iter().map(|(key, v)| (key.as_str(), *v));
        self.event(|events| events.scalars(row.images, numbers.chain(rates)));
    }

    /// Scores of samples.
    pub fn scores(&mut self, samples: &Samples) {
        self.log.say(&samples.line());
        self.log.check(stats::append(&self.run.scores(), samples));
        self.event(|events| events.scalars(samples.images, samples.numbers()));
    }

    /// A PNG for the event file, by name.
    pub fn picture(&mut self, images: u64, tag: &str, sides: [u32; 2], png: &[u8]) {
        self.event(|events| events.picture(images, tag, sides, png));
    }

    /// Figures on held-out images.
    pub fn held_out(&self, images: u64, measured: Vec<Measured>) {
        /// A line of `scores.jsonl`.
        #[derive(Serialize)]
        struct HeldOut {
            images: u64,
            #[serde(flatten)]
            measured: BTreeMap<&'static str, f64>,
        }
        if measured.is_empty() {
            return;
        }
        self.log.say(&format!("{images:>9} images  held out: {}", metric::line(&measured)));
        let measured = measured.into_iter().collect();
        self.log.check(stats::append(&self.run.scores(), &HeldOut { images, measured }));
    }

    fn event(&mut self, write: impl FnOnce(&mut Events) -> Result<(), WriteError>) {
        if let Some(events) = &mut self.events {
            self.log.check(write(events));
        }
    }
}

/// Logs a note and appends it to `verdicts.jsonl`.
pub fn note(run: &Run, log: &Log, note: &Note) {
    log.say(&format!("{:>9} images  {}", note.images, note.text));
    log.check(stats::append(&run.verdicts(), note));
}

/// Drops every line written after `images` images: resuming writes them again.
pub fn rewind(run: &Run, log: &Log, images: u64) {
    for path in [run.stats(), run.scores(), run.verdicts()] {
        log.check(stats::rewind(&path, images));
    }
}
