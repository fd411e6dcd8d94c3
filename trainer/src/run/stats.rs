//! The numbers of a run: rows of `stats.jsonl`, and the same as lines of the log.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::file::{self, WriteError};
use crate::objective::metric::Metric;

/// One row of `stats.jsonl`: means since the previous row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Images seen so far.
    pub images: u64,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Seconds of training since the program started.
    pub seconds: f64,
    /// Images per second since the previous row.
    pub images_per_s: f64,
    /// The metrics by key.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, f64>,
}

impl Row {
    /// The value of a metric; NaN if the row has none.
    pub fn value(&self, key: &str) -> f64 {
        self.metrics.get(key).copied().unwrap_or(f64::NAN)
    }

    /// The heading of the log's columns.
    pub fn heading(metrics: &[Metric]) -> String {
        let columns = metrics.iter().map(|m| format!("  {:>1$}", m.label, m.width()));
        format!("{:>9}  {:>8}{}  {:>9}", "images", "images/s", columns.collect::<String>(), "left")
    }

    /// As a line of the log below [`Row::heading`]; `left` is the time to the end at this pace.
    pub fn line(&self, metrics: &[Metric], left: Duration) -> String {
        let columns = metrics.iter().map(|m| {
            let (width, digits) = (m.width(), m.digits);
            format!("  {:>width$.digits$}", self.value(m.key))
        });
        let columns: String = columns.collect();
        format!("{:>9}  {:>8.1}{columns}  {:>9}", self.images, self.images_per_s, clock(left))
    }
}

/// `h:mm:ss`.
pub fn clock(time: Duration) -> String {
    let s = time.as_secs();
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// Appends a line to a file such as `stats.jsonl`, whole or not at all.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn append(path: &Path, row: &impl Serialize) -> Result<(), WriteError> {
    let attempt = || -> io::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file::append(&mut file, &line)
    };
    attempt().map_err(|error| WriteError { path: path.into(), error })
}

/// Drops the rows after `images`: a run that resumes from an older checkpoint writes them again.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn rewind(path: &Path, images: u64) -> Result<(), WriteError> {
    let Ok(bytes) = fs::read(path) else {
        return Ok(());
    };
    /// What every line has in common.
    #[derive(Deserialize)]
    struct At {
        images: u64,
    }
    let mut kept = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        let is_whole = line.ends_with(b"\n");
        if is_whole && serde_json::from_slice::<At>(line).is_ok_and(|row| row.images <= images) {
            kept.extend_from_slice(line);
        }
    }
    match bytes.strip_prefix(&kept[..]) {
        Some([]) => Ok(()),
        // Needs no space, so it succeeds on a full disk.
        Some(_) => OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| file.set_len(kept.len() as u64).and_then(|()| file.sync_all()))
            .map_err(|error| WriteError { path: path.into(), error }),
        None => file::write(path, &kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewinding_drops_what_comes_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats.jsonl");
        let row = |images| Row {
            images,
            epoch: 0.0,
            seconds: 0.0,
            images_per_s: 0.0,
            metrics: BTreeMap::from([("d_loss".into(), 0.5)]),
        };
        for images in [10, 20, 30] {
            append(&path, &row(images)).unwrap();
        }
        // A line that a killed process left unfinished.
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"ima").unwrap();
        rewind(&path, 20).unwrap();
        let left: Vec<Row> = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(left, [row(10), row(20)]);
        // A damaged line in the middle costs that line, not the file.
        let text = fs::read(&path).unwrap();
        fs::write(&path, [b"\xff\xfe\n", &text[..]].concat()).unwrap();
        rewind(&path, 20).unwrap();
        assert_eq!(fs::read(&path).unwrap(), text);
    }

    #[test]
    fn lines_fit_a_terminal_and_stand_below_their_heading() {
        use crate::objective::{autoencoder, gan, vae};
        for metrics in [gan::METRICS, gan::PENALIZED, autoencoder::METRICS, vae::METRICS] {
            let row = Row {
                images: 999_999_999,
                epoch: 12.0,
                seconds: 1.0,
                images_per_s: 99_999.9,
                metrics: metrics.iter().map(|m| (m.key.to_string(), 99.999)).collect(),
            };
            let heading = Row::heading(metrics);
            let line = row.line(metrics, Duration::from_secs(999 * 3600));
            assert_eq!(heading.len(), line.len(), "{heading}\n{line}");
            assert!(line.len() < 120, "{}", line.len());
        }
    }

    #[test]
    fn clocks() {
        assert_eq!(clock(Duration::from_secs(3_725)), "1:02:05");
    }
}
