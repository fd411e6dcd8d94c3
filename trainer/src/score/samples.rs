//! Scores of a run's samples while it trains.

use std::fmt;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use quality::{Pictures, Quick, TooFew, quick};
use serde::Serialize;

use crate::config::Config;
use crate::data::{DataError, DataSet};
use crate::networks::{Condition, State, finished, noise, signed};

/// Samples that are scored, and real images: a compromise between noise and time.
const COUNT: usize = 512;
/// Latents over which batch norm's statistics are recomputed: enough for scores of this few
/// samples.
const STATISTICS: usize = 512;
/// Images per forward pass, bounded by memory.
const PASS: usize = 64;
/// Images over which D's logits are averaged.
const JUDGED: usize = 4 * PASS;

/// Scores of the averaged generator's samples: a line of `scores.jsonl`.
#[derive(Debug, Serialize)]
pub struct Samples {
    /// Images seen.
    pub images: u64,
    /// The scores.
    #[serde(flatten)]
    pub quick: Quick,
    /// Karras et al. 2020 ("ADA"), eq. 1: 0 if D rates held-out images like training images, 1 if
    /// it rates them like fakes. None without held-out images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overfit: Option<f64>,
}

/// Why samples have no scores.
#[derive(Debug)]
pub enum SampleError {
    /// An image cannot be read any more.
    Data(DataError),
    /// There are too few images.
    TooFew(TooFew),
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SampleError::Data(_) => write!(f, "cannot read the real images"),
            SampleError::TooFew(_) => write!(f, "too few images"),
        }
    }
}

impl std::error::Error for SampleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SampleError::Data(e) => Some(e),
            SampleError::TooFew(e) => Some(e),
        }
    }
}

impl Samples {
    /// Scores samples of `state` against images of `data`; `held` holds the images that are not
    /// trained on.
    ///
    /// # Errors
    /// [`SampleError`] if an image cannot be read or there are fewer than four.
    pub fn score(
        state: &State,
        cfg: &Config,
        data: &DataSet,
        held: Option<&DataSet>,
        device: &Device,
    ) -> Result<Samples, SampleError> {
        let fakes = samples(state, cfg, data, device);
        let (reals, classes) = some(data, COUNT)?;
        let quick = quick(&fakes, &reals, cfg.seed).map_err(SampleError::TooFew)?;
        let overfit = match held {
            Some(held) if !held.is_empty() => {
                let (held, held_classes) = some(held, JUDGED)?;
                // Seeds cycle through the classes.
                let turns: Vec<usize> = (0..COUNT).map(|i| i % cfg.labels.len().max(1)).collect();
                let of = |images: &Pictures, labels: &[usize]| {
                    mean_logit(state, cfg, images, labels, device)
                };
                let (train, fake) = (of(&reals, &classes), of(&fakes, &turns));
                let held = of(&held, &held_classes);
                Some((train - held) / (train - fake)).filter(|v| v.is_finite())
            }
            _ => None,
        };
        Ok(Samples { images: state.images, quick, overfit })
    }

    /// Every score by name.
    pub fn numbers(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let quick = &self.quick;
        let always =
            [("swd", quick.swd), ("ms_ssim", quick.ms_ssim), ("ms_ssim_real", quick.ms_ssim_real)];
        always.into_iter().chain(self.overfit.map(|v| ("overfit", v)))
    }

    /// As a line of the log.
    pub fn line(&self) -> String {
        let Quick { count, swd, ms_ssim, ms_ssim_real } = &self.quick;
        let mut line = format!(
            "{:>9} images  SWD {swd:.2}  MS-SSIM {ms_ssim:.4} (real images {ms_ssim_real:.4}) over {count} samples",
            self.images
        );
        if let Some(overfit) = self.overfit {
            line += &format!("  overfitting {overfit:.2}");
        }
        line
    }
}

/// The samples of seeds 0 to [`COUNT`].
fn samples(state: &State, cfg: &Config, data: &DataSet, device: &Device) -> Pictures {
    let generator = finished(&state.ema, cfg, STATISTICS, device);
    let mut fakes = Pictures::new(data.form().size, data.form().planes());
    for first in (0..COUNT).step_by(PASS) {
        let labels = cfg.labels.len();
        let z = noise::seeds(first as u64, PASS, cfg.nz, labels, &device.clone().inner());
        let values: Vec<f32> = signed(generator.forward(z), cfg)
            .into_data()
            .try_to_vec()
            .expect("a float tensor holds floats");
        fakes.push_values(&values);
    }
    fakes
}

/// At most `count` images of `data`, evenly spread, with their classes.
fn some(data: &DataSet, count: usize) -> Result<(Pictures, Vec<usize>), SampleError> {
    let which = data.evenly(count);
    let labels = which.iter().filter_map(|&i| data.label(i)).collect();
    let pictures = data.pictures(&which).map_err(SampleError::Data)?;
    Ok((pictures, labels))
}

/// D's mean logit over at most [`JUDGED`] images with these classes.
fn mean_logit(
    state: &State,
    cfg: &Config,
    images: &Pictures,
    labels: &[usize],
    device: &Device,
) -> f64 {
    let (side, planes) = (images.size() as usize, images.planes());
    let d = state.normalized(state.d.clone().no_grad());
    let (mut sum, mut count) = (0.0, 0);
    let all: Vec<&[u8]> = images.iter().take(JUDGED).collect();
    for (i, part) in all.chunks(PASS).enumerate() {
        let values: Vec<f32> = part
            .iter()
            .flat_map(|image| image.iter().map(|&v| f32::from(v) / 127.5 - 1.0))
            .collect();
        let data = TensorData::new(values, [part.len(), planes, side, side]);
        // On the training device, so that batch norm uses the statistics of the batch, as in
        // training.
        let x = Tensor::from_data(data, device);
        let first = i * PASS;
        let x = match Condition::new(cfg, labels.get(first..first + part.len()), device) {
            Some(condition) => condition.beside(x),
            None => x,
        };
        let logits = d.forward(x);
        sum += f64::from(logits.inner().sum().into_scalar::<f32>());
        count += part.len();
    }
    sum / f64::from(count.max(1) as u32)
}
