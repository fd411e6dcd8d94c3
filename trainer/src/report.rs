//! What a run shows: lines of a log, the same numbers as `stats.jsonl`, and sheets of pictures.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Write};
use std::path::Path;
use std::time::Duration;

use burn::tensor::Tensor;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use runtime::npy;
use serde::{Deserialize, Serialize};

use crate::data::sheet::sheet;
use crate::objective::Gauge;
use crate::run::{self, WriteError};

/// One row of `stats.jsonl`: means since the row before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Images seen so far.
    pub images: u64,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Seconds of training since the program started.
    pub seconds: f64,
    /// Images a second since the row before.
    pub images_per_s: f64,
    /// What the objective says of its steps, by the keys of its [`Gauge`]s.
    #[serde(flatten)]
    pub gauges: BTreeMap<String, f64>,
}

impl Row {
    /// The value of a gauge; not a number where the row has none.
    pub fn value(&self, key: &str) -> f64 {
        self.gauges.get(key).copied().unwrap_or(f64::NAN)
    }

    /// As a line of the log; `left` is the time to the end at this pace.
    pub fn line(&self, gauges: &[Gauge], left: Duration) -> String {
        let mut line = format!(
            "{:>9} images  epoch {:<7.2} {:>6.1}/s",
            self.images, self.epoch, self.images_per_s
        );
        for gauge in gauges {
            let Gauge { label, digits, .. } = gauge;
            line += &format!("{label}{:.digits$}", self.value(gauge.key));
        }
        line + &format!("  {} left", clock(left))
    }
}

/// `h:mm:ss`.
pub fn clock(time: Duration) -> String {
    let s = time.as_secs();
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// Appends a line to a file such as `stats.jsonl`.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn append(path: &Path, row: &impl Serialize) -> Result<(), WriteError> {
    let attempt = || -> io::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        // One write a line: a process that is killed leaves whole lines.
        file.write_all(&line)
    };
    attempt().map_err(|error| WriteError { path: path.into(), error })
}

/// Drops the rows after `images`: a run that was killed goes on from an older checkpoint and writes them again.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn rewind(path: &Path, images: u64) -> Result<(), WriteError> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(());
    };
    /// What every line has.
    #[derive(Deserialize)]
    struct At {
        images: u64,
    }
    let kept: String = text
        .lines()
        .filter(|line| serde_json::from_str::<At>(line).is_ok_and(|row| row.images <= images))
        .map(|line| format!("{line}\n"))
        .collect();
    match kept == text {
        true => Ok(()),
        false => run::write(path, kept.as_bytes()),
    }
}

/// Images of `[n, c, h, w]` in [-1, 1] as pictures.
pub fn pictures(images: Tensor<4>) -> Vec<RgbImage> {
    let [_, channels, height, width] = images.dims();
    let values: Vec<f32> = images.into_data().try_to_vec().expect("a float tensor holds floats");
    values
        .chunks_exact(channels * height * width)
        .map(|image| picture(image, channels, width as u32, height as u32))
        .collect()
}

/// One image, channels first, in [-1, 1], as a picture.
pub fn picture(image: &[f32], channels: usize, width: u32, height: u32) -> RgbImage {
    let plane = (width * height) as usize;
    RgbImage::from_fn(width, height, |x, y| {
        let at = (y * width + x) as usize;
        // A grey image has one plane for all three.
        image::Rgb([0, 1, 2].map(|c| byte(image[c.min(channels - 1) * plane + at])))
    })
}

/// -1 is black, 1 is white; what lies outside is clipped.
pub fn byte(v: f32) -> u8 {
    ((v + 1.0) * 127.5 + 0.5).clamp(0.0, 255.0) as u8
}

/// Writes numbers as a float32 array of NumPy's form, `[rows, columns]`.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn write_square(path: &Path, numbers: Tensor<2>) -> Result<(), WriteError> {
    let shape = numbers.dims();
    let values: Vec<f32> = numbers.into_data().try_to_vec().expect("a float tensor holds floats");
    run::write(path, &npy::write(&shape, values))
}

/// Writes pictures as one sheet of `columns`.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn write_sheet(path: &Path, images: &[RgbImage], columns: usize) -> Result<(), WriteError> {
    write_png(path, &DynamicImage::ImageRgb8(sheet(images, columns)))
}

/// Writes a PNG; a picture without colour as grey.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn write_png(path: &Path, picture: &DynamicImage) -> Result<(), WriteError> {
    let rgb = picture.to_rgb8();
    let grey = rgb.pixels().all(|p| p[0] == p[1] && p[1] == p[2]);
    let picture = match grey {
        true => DynamicImage::ImageLuma8(GrayImage::from_fn(rgb.width(), rgb.height(), |x, y| {
            image::Luma([rgb.get_pixel(x, y)[0]])
        })),
        false => DynamicImage::ImageRgb8(rgb),
    };
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|e| WriteError { path: path.into(), error: io::Error::other(e) })?;
    run::write(path, bytes.get_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_values() {
        let cases = [(-1.0, 0), (1.0, 255), (0.0, 128), (-7.0, 0), (9.0, 255)];
        for (value, want) in cases {
            assert_eq!(byte(value), want, "{value}");
        }
        assert_eq!(byte(f32::NAN), 0);
    }

    #[test]
    fn rewinding_drops_what_comes_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats.jsonl");
        let row = |images| Row {
            images,
            epoch: 0.0,
            seconds: 0.0,
            images_per_s: 0.0,
            gauges: BTreeMap::from([("d_loss".into(), 0.5)]),
        };
        for images in [10, 20, 30] {
            append(&path, &row(images)).unwrap();
        }
        // A line that a dying process left unfinished.
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"ima").unwrap();
        rewind(&path, 20).unwrap();
        let left: Vec<Row> = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(left, [row(10), row(20)]);
    }

    #[test]
    fn clocks() {
        assert_eq!(clock(Duration::from_secs(3_725)), "1:02:05");
    }
}
