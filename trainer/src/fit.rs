//! The training loop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use crate::config::Config;
use crate::data::{Batches, DataSet};
use crate::networks::noise::{self, Stream};
use crate::networks::{self, State, fresh};
use crate::objective::{self, Batch, Metric};
use crate::run::checkpoint::LoadError;
use crate::run::due::Due;
use crate::run::error::FitError;
use crate::run::log::Log;
use crate::run::meter::Meter;
use crate::run::record::{self, Record};
use crate::run::show::Show;
use crate::run::verdict::{self, Note, Watch};
use crate::run::{Run, checkpoint};
use crate::score::samples::Samples;

/// How often a run that diverged returns to its last checkpoint.
const RETRIES: u32 = 3;

/// A run and what it trains on. The caller holds the run's [`Lock`](crate::run::Lock).
pub struct Fit<'a> {
    run: &'a Run,
    cfg: &'a Config,
    data: Arc<DataSet>,
    held: Option<&'a DataSet>,
    log: &'a Log,
    stop: &'a AtomicBool,
    device: Device,
    metrics: &'static [Metric],
}

/// How training ended without an error.
pub enum End {
    /// All images were seen.
    Done(State),
    /// `stop` was set, and a checkpoint was written.
    Stopped(State),
}

/// How one stretch of training ended.
enum Stretch {
    Done,
    Stopped,
    /// Names the value that is not finite.
    Diverged(String),
}

impl<'a> Fit<'a> {
    /// `held` is the held-out set used to detect overfitting; `stop` is read after every step.
    pub fn new(
        run: &'a Run,
        cfg: &'a Config,
        data: Arc<DataSet>,
        held: Option<&'a DataSet>,
        log: &'a Log,
        stop: &'a AtomicBool,
    ) -> Fit<'a> {
        let held = held.filter(|held| !held.is_empty());
        let (device, metrics) = (cfg.device.open(), objective::metrics(cfg));
        Fit { run, cfg, data, held, log, stop, device, metrics }
    }

    /// Trains until `cfg.images` images are seen, resuming from the newest checkpoint. A run that
    /// diverges returns to it and continues with half the learning rate.
    ///
    /// # Errors
    /// [`FitError`]; whatever was written before is kept. Only a checkpoint that cannot be written is
    /// an error: the log reports other failures.
    pub fn train(&self) -> Result<End, FitError> {
        let (mut state, mut watch) = (self.resume()?, Watch::new(self.cfg));
        if let Some(most) = state.largest_batch(self.cfg).filter(|&most| self.cfg.batch > most) {
            return Err(FitError::Batch(self.cfg.batch, most));
        }
        loop {
            let stretch = self.stretch(&mut state, &mut watch);
            self.log.end();
            let what = match stretch? {
                Stretch::Done => return Ok(End::Done(state)),
                Stretch::Stopped => return Ok(End::Stopped(state)),
                Stretch::Diverged(what) => what,
            };
            let (images, retries) = (state.images, state.retries + 1);
            if retries > RETRIES {
                return Err(FitError::Diverged { images, what, times: retries });
            }
            state = self.resume()?;
            state.retries = retries;
            let text = format!(
                "undone: {what} is not finite after {images} images; back at {} images with half \
                 the learning rate (retry {retries} of {RETRIES})",
                state.images
            );
            let note = Note { images: state.images, verdict: None, text };
            record::note(self.run, self.log, &note);
        }
    }

    /// Trains from `state` on until it ends or diverges.
    fn stretch(&self, state: &mut State, watch: &mut Watch) -> Result<Stretch, FitError> {
        let Fit { run, cfg, data, log, stop, device, metrics, .. } = self;
        let (total, seed) = (cfg.total(data.len()), state.seed(cfg));
        let mut batches = Batches::new(data.clone(), cfg.step(), seed, state.images, cfg.threads());
        let mut meter = Meter::new(state.images, metrics, device);
        let mut record = Record::create(run, log, metrics, state.images);
        while state.images < total {
            meter.add(objective::step(state, self.batch(&mut batches, state)?, cfg, device));
            log.at(state.images);
            let due = Due::after(state.images, total, data.len(), cfg, stop);
            if due.check
                && let Some(metric) = meter.broken(state.images)?
            {
                return Ok(Stretch::Diverged(verdict::broken(state).unwrap_or(metric)));
            }
            if due.log {
                let mut row = meter.row(state.images, data.len())?;
                if due.score {
                    let samples = Samples::score(state, cfg, data, self.held, device)?;
                    record.scores(&samples);
                    row.metrics.extend(samples.overfit.map(|v| ("overfit".into(), v)));
                }
                record.row(&row, state.rates(cfg), total.saturating_sub(state.images));
                for note in watch.look(&row) {
                    record::note(run, log, &note);
                }
            }
            if due.show {
                self.show(state, &mut record, watch)?;
            }
            if due.save {
                if let Some(what) = verdict::broken(state) {
                    return Ok(Stretch::Diverged(what));
                }
                checkpoint::save(run, state, data.fingerprint(), cfg.keep)?;
            }
            if due.stop {
                return Ok(Stretch::Stopped);
            }
        }
        Ok(Stretch::Done)
    }

    /// The state of the newest whole checkpoint, or a fresh one whose first pictures are written.
    /// Damaged checkpoints are set aside.
    fn resume(&self) -> Result<State, FitError> {
        let fresh = fresh(self.cfg, &self.device)?;
        let newest = match checkpoint::newest(self.run) {
            Ok(newest) => newest,
            Err(LoadError::None(_)) => {
                record::rewind(self.run, self.log, 0);
                self.pictures().first(&fresh)?;
                return Ok(fresh);
            }
            Err(error) => return Err(error.into()),
        };
        let state = newest.checkpoint.state(fresh, Some(self.data.fingerprint()))?;
        for (path, what) in newest.damaged {
            let aside = checkpoint::set_aside(&path)?;
            self.log.say(&format!("{what}: set aside as {}", aside.display()));
        }
        record::rewind(self.run, self.log, state.images);
        self.log.say(&format!("resuming from {} images", state.images));
        Ok(state)
    }

    fn batch(&self, batches: &mut Batches, state: &State) -> Result<Batch, FitError> {
        let cfg = self.cfg;
        let mut ready = batches.next()?;
        let (planes, inputs) = (cfg.channels, cfg.input_form().planes());
        // Inputs with the numbers of their images: a pair is changed as a whole.
        let parts = [
            (&mut ready.values, planes, [Stream::Mirror, Stream::Jitter]),
            (&mut ready.inputs, inputs, [Stream::Mirror, Stream::Jitter]),
            (&mut ready.others, planes, [Stream::MirrorOthers, Stream::JitterOthers]),
        ];
        for (values, planes, [mirror, jitter]) in parts {
            let rng = |stream| noise::rng(state.seed(cfg), stream, state.images);
            if cfg.mirror {
                noise::mirror(values, planes * cfg.size * cfg.size, cfg.size, &mut rng(mirror));
            }
            if cfg.jitter > 0 {
                networks::jitter(values, planes, cfg.size, cfg.jitter, &mut rng(jitter));
            }
        }
        Ok(Batch::new(ready, cfg, &self.device))
    }

    /// A grid of samples, reconstructions if there are any, figures on held-out images and what they
    /// say, curves.
    fn show(
        &self,
        state: &State,
        record: &mut Record<'_>,
        watch: &mut Watch,
    ) -> Result<(), FitError> {
        match self.cfg.per_epoch {
            true => self.pictures().epoch(state, state.images / self.data.len() as u64)?,
            false => self.pictures().samples(state, record)?,
        }
        if let Some(held) = self.held {
            let data = [&*self.data, held];
            let measured = objective::measure(state, self.cfg, data, &self.device)?;
            let notes = watch.look_at_scores(state.images, &measured);
            record.held_out(state.images, measured);
            for note in notes {
                record::note(self.run, self.log, &note);
            }
        }
        self.pictures().curves(self.metrics);
        Ok(())
    }

    fn pictures(&self) -> Show<'_> {
        let Fit { run, cfg, held, log, .. } = *self;
        Show { run, log, cfg, data: &self.data, held, device: &self.device }
    }
}
