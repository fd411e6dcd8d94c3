//! An encoder and a decoder that learn to reconstruct images (Hinton and Salakhutdinov 2006), also
//! from corrupted ones (Vincent et al. 2008).
//!
//! In [`State`] the decoder is the generator `g`, the encoder the second network `d`. What is
//! sampled and exported is the decoder behind a layer that maps latents from N(0, 1) to the
//! distribution of codes.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use image::RgbImage;
use models::Sequential;
use models::autoencoder::{self as network, Codes};
use nalgebra::DMatrix;

use super::coder::{Coder, corrupted};
use super::loss;
use super::metric::{Batch, Chart, Measured, Metric, metric};
use super::picture::{self, Picture, Points};
use crate::config::{Config, Corruption};
use crate::data::sheet;
use crate::data::{DataError, DataSet};
use crate::networks::noise::{self, Stream};
use crate::networks::{State, ema, take};

/// What a step measures.
pub const METRICS: &[Metric] = &[
    metric("mse", "MSE", "mean squared error", 5, Some(Chart::Loss)),
    metric("psnr", "PSNR", "PSNR of a batch", 2, Some(Chart::Likeness)),
];

/// Steps between two updates of the distribution of codes: each waits for the device.
const LOOK: u64 = 10;
/// Updates after which one has the weight `1 / LOOKS`; before, all have the same weight.
const LOOKS: u64 = 50;
/// Added to the variances of codes, so that a constant one has a root too.
const LEAST: f64 = 1e-6;
/// Columns of the sheet of reconstructions, and groups of rows.
const SHEET: [usize; 2] = [10, 3];
/// Points in the picture of codes.
const POINTS: usize = 3_000;

/// One step of both networks down the mean squared error of reconstructions.
pub fn step(state: &mut State, batch: Batch, cfg: &Config, device: &Device) -> Tensor<1> {
    let n = batch.images.dims()[0];
    let rates = state.rates(cfg);
    state.beta2.set(rates.beta2);
    let mut rng = noise::rng(state.seed(cfg), Stream::Corruption, state.images);
    let x = (batch.images + 1.0) * 0.5;
    let codes = state.d.forward(corrupted(x.clone(), cfg, &mut rng));
    let mse = loss::squared_error(state.g.forward(codes.clone()), x);
    let steps = state.images / cfg.step() as u64;
    update(state, mse.clone(), rates.lr, cfg);

    let (generator, decoder) = (take(&mut state.ema), &state.g);
    let mut layers = generator.layers.into_iter();
    let first: Vec<_> = layers.next().into_iter().collect();
    let rest = Sequential { layers: layers.collect() };
    let rest = ema::update(rest, decoder, 0.0);
    let mut ema = Sequential { layers: first };
    ema.layers.extend(rest.layers);
    if steps.is_multiple_of(LOOK) {
        let looks = steps / LOOK;
        ema = look(ema, codes.inner(), looks, &device.clone().inner());
    }
    state.ema = ema;
    state.images += n as u64;
    let mse = mse.inner();
    let psnr = mse.clone().log() * (-10.0 / std::f64::consts::LN_10);
    Tensor::cat(vec![mse, psnr], 0)
}

/// Updates both networks down a loss.
pub fn update(state: &mut State, loss: Tensor<1>, lr: f64, cfg: &Config) {
    let mut grads = loss.backward();
    let of_g = GradientsParams::from_module(&mut grads, &state.g);
    let of_d = GradientsParams::from_module(&mut grads, &state.d);
    state.g = state.opt_g.step(lr, take(&mut state.g), of_g);
    state.d = state.opt_d.step(lr * cfg.lr_d, take(&mut state.d), of_d);
}

/// Updates the mean and covariance of codes in the generator with a batch of codes, `[n, nz, 1,
/// 1]`, after `looks` earlier updates.
fn look(generator: Sequential, codes: Tensor<4>, looks: u64, device: &Device) -> Sequential {
    let Some(known) = network::codes(&generator) else {
        return generator;
    };
    let nz = known.mean.len();
    let values: Vec<f64> = codes.into_data().iter::<f64>().collect();
    let share = 1.0 / (looks + 1).min(LOOKS) as f64;
    let now = moments(&values, nz);
    // About 0, so that means of moments are moments.
    let known = {
        let root = DMatrix::from_row_slice(nz, nz, &known.root);
        let mut second = &root * root.transpose();
        second += outer(&known.mean);
        (known.mean, second)
    };
    let mix = |old: f64, new: f64| old * (1.0 - share) + new * share;
    let mean: Vec<f64> = known.0.iter().zip(&now.0).map(|(&a, &b)| mix(a, b)).collect();
    let second = known.1.zip_map(&now.1, mix);
    let mut covariance = second - outer(&mean);
    (0..nz).for_each(|i| covariance[(i, i)] += LEAST);
    // No root: the codes are not finite, which the training loop detects itself.
    let Some(root) = covariance.cholesky() else {
        return generator;
    };
    // Columns of the transposed matrix are rows.
    let root = root.l().transpose().as_slice().to_vec();
    network::set_codes(generator, &Codes { mean, root }, device)
}

/// Mean and second moment of rows of `nz` values.
fn moments(values: &[f64], nz: usize) -> (Vec<f64>, DMatrix<f64>) {
    let n = values.len() / nz;
    let rows = DMatrix::from_row_slice(n, nz, values);
    let mean = rows.row_mean().iter().copied().collect();
    (mean, rows.transpose() * &rows / n as f64)
}

fn outer(v: &[f64]) -> DMatrix<f64> {
    DMatrix::from_fn(v.len(), v.len(), |i, j| v[i] * v[j])
}

/// Originals above reconstructions (corrupted images above both), and codes as points.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn pictures(
    state: &State,
    cfg: &Config,
    [data, held]: [&DataSet; 2],
    device: &Device,
) -> Result<Vec<Picture>, DataError> {
    let coder = Coder::new(state, cfg, device);
    Ok(vec![reconstructions(&coder, cfg, held)?, points(&coder, cfg, data)?])
}

/// Some images of a set above their reconstructions.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn reconstructions(
    coder: &Coder<'_>,
    cfg: &Config,
    data: &DataSet,
) -> Result<Picture, DataError> {
    let mut groups: [Vec<Tensor<4>>; 3] = Default::default();
    let [columns, count] = SHEET;
    coder.each(data, &data.evenly(columns * count), true, |coded| {
        // Noise exceeds black and white; gray images have one plane for all channels.
        let shape = coded.originals.dims();
        let seen = coded.seen.clamp(0.0, 1.0).expand(shape);
        for (group, images) in groups.iter_mut().zip([coded.originals, seen, coded.restored]) {
            group.push(images);
        }
    })?;
    let [originals, seen, restored] = groups.map(|group| Tensor::cat(group, 0));
    Ok(match cfg.corruption {
        Corruption::None => picture::rows("reconstructions", &[originals, restored], columns),
        Corruption::Noise | Corruption::Gray => {
            picture::rows("restored", &[seen, restored, originals], columns)
        }
    })
}

/// The codes of a set's images as points.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn points(coder: &Coder<'_>, cfg: &Config, data: &DataSet) -> Result<Picture, DataError> {
    let which = data.evenly(POINTS);
    let mut codes = Vec::new();
    coder.each(data, &which, false, |coded| {
        codes.extend(coded.codes.into_data().iter::<f32>());
    })?;
    let labels: Vec<usize> = which.iter().filter_map(|&i| data.label(i)).collect();
    let names = data.labels().to_vec();
    let means = names.iter().enumerate().map(|(label, _)| {
        let of = which.iter().filter(|&&i| data.label(i) == Some(label));
        mean(data, of.copied())
    });
    let means = means.collect::<Result<_, _>>()?;
    Ok(Points::new(&codes, cfg.nz, labels, names, means).picture("codes"))
}

/// The mean of some images; none without images.
fn mean(data: &DataSet, which: impl Iterator<Item = usize>) -> Result<Option<RgbImage>, DataError> {
    let mut sum = vec![0u64; data.form().values()];
    let mut count = 0;
    for i in which {
        data.with(i, |pixels| {
            sum.iter_mut().zip(pixels).for_each(|(s, &v)| *s += u64::from(v));
        })?;
        count += 1;
    }
    let size = data.form().size;
    let values: Vec<f32> =
        sum.iter().map(|&s| s as f32 / count.max(1) as f32 / 127.5 - 1.0).collect();
    let picture = sheet::picture(&values, data.form().planes(), size, size);
    Ok((count > 0).then_some(picture))
}

/// Mean squared error and PSNR of reconstructions, and for corrupted images the PSNR before.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn measure(
    state: &State,
    cfg: &Config,
    data: &DataSet,
    device: &Device,
) -> Result<Vec<Measured>, DataError> {
    let coder = Coder::new(state, cfg, device);
    let [mut before, mut after] = [0.0; 2];
    let which: Vec<usize> = (0..data.len()).collect();
    coder.each(data, &which, true, |coded| {
        let shape = coded.originals.dims();
        let seen = coded.seen.expand(shape);
        before += squares(coded.originals.clone() - seen);
        after += squares(coded.originals - coded.restored);
    })?;
    let count = (data.len() * data.form().values()).max(1) as f64;
    let db = |sum: f64| -10.0 * (sum / count).max(f64::MIN_POSITIVE).log10();
    let mut measured = vec![("mse", after / count), ("psnr", db(after))];
    match cfg.corruption {
        Corruption::None => {}
        Corruption::Noise | Corruption::Gray => measured.push(("psnr_before", db(before))),
    }
    Ok(measured)
}

/// Sum of squares.
fn squares(x: Tensor<4>) -> f64 {
    f64::from((x.clone() * x).sum().into_scalar::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Batches;
    use crate::data::{Crop, Form};
    use crate::networks::fresh;
    use std::sync::Arc;
    use toml::Table;

    fn digits(size: u32) -> Arc<DataSet> {
        let form = Form { size, channels: 1, crop: Crop::Center, transpose: false };
        Arc::new(DataSet::digits(200, 0, &form, 1))
    }

    /// The state after `steps` steps on drawn digits, and the metrics of the last one.
    fn trained(cfg: &Config, steps: usize) -> (State, Vec<f32>) {
        let device = cfg.device.open();
        let mut state = fresh(cfg, &device).unwrap();
        let mut batches = Batches::new(digits(cfg.size as u32), cfg.step(), 0, 0, 1);
        let mut metrics = Vec::new();
        for _ in 0..steps {
            let batch = Batch::new(batches.next().unwrap(), cfg, &device);
            let losses = step(&mut state, batch, cfg, &device);
            metrics = losses.into_data().try_to_vec().unwrap();
        }
        (state, metrics)
    }

    fn setting(recipe: &str, more: &str) -> Config {
        let flags: Table = format!("size = 16\nbatch = 16\nlr = 2e-3\n{more}").parse().unwrap();
        Config::new(Some(recipe), &flags).unwrap()
    }

    #[test]
    fn it_learns_and_its_decoder_makes_images_of_latents() {
        let cfg = setting("autoencoder", "hidden = [64, 16]\nnz = 4\nramp = 4_800\nlr_end = 1e-4");
        let (_, first) = trained(&cfg, 1);
        let (state, last) = trained(&cfg, 300);
        assert!(last[0] < 0.6 * first[0], "{first:?} {last:?}");
        assert!((last[1] + 10.0 * last[0].log10()).abs() < 1e-3);
        // Latents map to the distribution of the images' codes.
        let device = cfg.device.open();
        let coder = Coder::new(&state, &cfg, &device);
        let data = digits(16);
        let mut codes = Vec::new();
        coder
            .each(&data, &data.evenly(200), true, |c| {
                codes.extend(c.codes.into_data().iter::<f64>())
            })
            .unwrap();
        let (mean, second) = moments(&codes, 4);
        let known = network::codes(&state.ema).unwrap();
        for i in 0..4 {
            let deviation = (second[(i, i)] - mean[i] * mean[i]).sqrt();
            let off = (known.mean[i] - mean[i]).abs() / deviation;
            assert!(off < 0.6, "mean of value {i} is off by {off} deviations");
            let row: f64 = known.root[i * 4..][..4].iter().map(|v| v * v).sum();
            let ratio = row.sqrt() / deviation;
            assert!((0.5..2.0).contains(&ratio), "deviation of value {i}: {ratio} of what it is");
        }
    }

    #[test]
    fn noise_is_taken_off_and_gray_becomes_colored() {
        let cfg = setting(
            "denoising-autoencoder",
            "hidden = [64]\nnz = 16\nnoise = 0.4\nramp = 0\nlr_end = 2e-3",
        );
        let (state, _) = trained(&cfg, 100);
        let measured = measure(&state, &cfg, &digits(16), &cfg.device.open()).unwrap();
        let of = |key: &str| measured.iter().find(|m| m.0 == key).unwrap().1;
        // Noise of 0.4 is 7.96 dB.
        assert!((of("psnr_before") - 7.96).abs() < 0.2, "{measured:?}");
        assert!(of("psnr") > of("psnr_before") + 3.0, "{measured:?}");
    }

    #[test]
    fn moments_of_several_looks_are_those_of_all() {
        let device = Device::flex();
        let shape = models::dcgan::Shape { size: 8, channels: 1 };
        let decoder = network::decoder(&shape, &[4], 2, 0, &device).unwrap();
        let mut generator = network::generator(decoder, 2, &device);
        let mut all = Vec::new();
        for looks in 0..20 {
            let mut rng = noise::rng(3, Stream::Latents, looks);
            let z = noise::latents(8, 2, &mut rng, &device);
            let codes =
                Tensor::cat(vec![z.clone().narrow(1, 0, 1) * 3.0 + 1.0, z.sum_dim(1) - 2.0], 1);
            all.extend(codes.clone().into_data().iter::<f64>());
            generator = look(generator, codes, looks, &device);
        }
        let (mean, second) = moments(&all, 2);
        let known = network::codes(&generator).unwrap();
        let root = DMatrix::from_row_slice(2, 2, &known.root);
        let covariance = &root * root.transpose();
        for i in 0..2 {
            assert!((known.mean[i] - mean[i]).abs() < 1e-4);
            for j in 0..2 {
                let want = second[(i, j)] - mean[i] * mean[j];
                assert!((covariance[(i, j)] - want).abs() < 1e-3, "{i} {j}");
            }
        }
    }
}
