//! What is due after a step.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::{Config, Objective};

/// What is due after a step. Everything is due after the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Whether the metrics are finite: before a row is logged or a checkpoint is written.
    pub check: bool,
    /// A row of the log.
    pub log: bool,
    /// Scores of samples, with a row of the log.
    pub score: bool,
    /// A grid of samples.
    pub show: bool,
    /// A checkpoint.
    pub save: bool,
    /// The end, because `stop` was set.
    pub stop: bool,
}

impl Due {
    /// After `images` of `total` images, from a data set of `len`.
    pub fn after(images: u64, total: u64, len: usize, cfg: &Config, stop: &AtomicBool) -> Due {
        let before = images - cfg.step() as u64;
        let passed = |every: u64| images / every > before / every;
        let due = |every: u64| passed(every) || images >= total;
        let stop = stop.load(Ordering::Relaxed);
        let (log, save) = (due(cfg.log_every), due(cfg.checkpoint_every) || stop);
        let scored = cfg.objective == Objective::Gan && cfg.score_every > 0;
        Due {
            check: log || save,
            log,
            score: scored && due(cfg.score_every),
            show: match cfg.per_epoch {
                true => passed(len as u64),
                false => due(cfg.grid_every),
            },
            save,
            stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_counted_in_images_and_the_end_is_always_due() {
        let text = "batch = 32\nlog_every = 100\ngrid_every = 64\ncheckpoint_every = 1_000";
        let cfg = Config::new(None, &text.parse().unwrap()).unwrap();
        let after = |images, stop| Due::after(images, 10_000, 50, &cfg, &AtomicBool::new(stop));
        assert_eq!(after(32, false), Due::default());
        assert_eq!(after(64, false), Due { show: true, ..Due::default() });
        let row = Due { check: true, log: true, show: true, ..Due::default() };
        assert_eq!(after(128, false), row);
        let stopped = Due { check: true, save: true, stop: true, ..Due::default() };
        assert_eq!(after(32, true), stopped);
        let last = Due { check: true, log: true, show: true, save: true, ..Due::default() };
        assert_eq!(after(10_016, false), last);
        let epochs = Config { per_epoch: true, ..cfg.clone() };
        let after = |images| Due::after(images, 10_000, 50, &epochs, &AtomicBool::new(false)).show;
        assert_eq!([32, 64, 96, 128].map(after), [false, true, false, true]);
    }
}
