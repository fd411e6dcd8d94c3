//! Means of a run's metrics between two rows of its log.

use std::time::Instant;

use burn::tensor::{Device, Tensor};

use super::error::FitError;
use super::stats::Row;
use crate::objective::metric::Metric;

/// Sums metrics on the device, so that a GPU is waited for only when a row is due.
pub struct Meter {
    began: Instant,
    last: Instant,
    images: u64,
    steps: u32,
    metrics: &'static [Metric],
    sum: Tensor<1>,
}

impl Meter {
    /// Empty, after `images` images.
    pub fn new(images: u64, metrics: &'static [Metric], device: &Device) -> Meter {
        Meter {
            began: Instant::now(),
            last: Instant::now(),
            images,
            steps: 0,
            metrics,
            sum: Tensor::zeros([metrics.len()], &device.clone().inner()),
        }
    }

    /// Adds what a step returned.
    pub fn add(&mut self, losses: Tensor<1>) {
        self.sum = self.sum.clone() + losses;
        self.steps += 1;
    }

    /// The sums. Waits for the device, so a failure of an earlier launch surfaces here.
    fn sums(&self, images: u64) -> Result<Vec<f32>, FitError> {
        let failed = |what: String| FitError::Device(images, what);
        let data = self.sum.try_to_data().map_err(|e| failed(e.to_string()))?;
        data.try_to_vec().map_err(|e| failed(format!("{e:?}")))
    }

    /// The name of the first metric that is not finite.
    ///
    /// # Errors
    /// [`FitError::Device`].
    pub fn broken(&self, images: u64) -> Result<Option<String>, FitError> {
        let sums = self.sums(images)?;
        let named = sums.iter().zip(self.metrics);
        let broken = named
            .filter(|(sum, _)| !sum.is_finite())
            .map(|(_, metric)| metric.name.to_string())
            .next();
        Ok(broken)
    }

    /// The means since the last row, after `images` images of a set of `len`.
    ///
    /// # Errors
    /// [`FitError::Device`].
    pub fn row(&mut self, images: u64, len: usize) -> Result<Row, FitError> {
        let sums = self.sums(images)?;
        let means = sums.iter().map(|&sum| sum as f64 / self.steps as f64);
        let keys = self.metrics.iter().map(|g| g.key.to_string());
        let row = Row {
            images,
            epoch: images as f64 / len as f64,
            seconds: self.began.elapsed().as_secs_f64(),
            images_per_s: (images - self.images) as f64 / self.last.elapsed().as_secs_f64(),
            metrics: keys.zip(means).collect(),
        };
        self.sum = self.sum.zeros_like();
        self.last = Instant::now();
        (self.images, self.steps) = (images, 0);
        Ok(row)
    }
}
