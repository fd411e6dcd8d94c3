//! A generator that turns an image into another, learned from pairs (Isola et al. 2017): against a
//! discriminator that sees both images of a pair, and near the target itself.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use models::layer::concat;
use quality::{Pictures, edges, ssim, swd};

use super::loss;
use super::metric::{Batch, Chart, Measured, Metric, metric};
use super::picture::{self, Picture};
use super::translation::{self, MEASURED, SHEET};
use crate::config::Config;
use crate::data::{DataError, DataSet, Pair};
use crate::networks::noise::{self, Stream};
use crate::networks::{State, ema, take, twice};

/// What a step measures.
pub const METRICS: &[Metric] = &[
    metric("d_loss", "loss D", "loss of D", 3, Some(Chart::Loss)),
    metric("g_loss", "loss G", "loss of G without L1", 3, Some(Chart::Loss)),
    metric("l1", "L1", "mean absolute error", 4, Some(Chart::Loss)),
    metric("d_real", "D(x)", "D of pairs", 2, Some(Chart::Probability)),
    metric("d_fake", "D(G(a))", "D of translations", 2, Some(Chart::Probability)),
    metric("d_right", "right", "patches that D tells apart", 2, Some(Chart::Health)),
    metric("variety", "variety", "variety of translations / of targets", 2, Some(Chart::Health)),
];

/// One step of both networks on a batch of pairs: D first, on pairs and on inputs with their
/// translations; then G through the updated D (section 3.1, eq. 4, with the non-saturating loss of
/// section 3.3).
pub fn step(state: &mut State, batch: Batch, cfg: &Config) -> Tensor<1> {
    let Batch { images: target, inputs: Some(input), .. } = batch else {
        unreachable!("pix2pix trains on pairs");
    };
    let n = target.dims()[0];
    let rates = state.rates(cfg);
    state.beta2.set(rates.beta2);
    let mut dropout = noise::rng(state.seed(cfg), Stream::Dropout, state.images);
    let fake = state.g.forward_with(input.clone(), &mut dropout);
    let real = concat(input.clone(), target.clone());

    let [d_real, d_fake] = twice(state.d.clone());
    let on_real = d_real.forward(real.clone());
    let on_fake = d_fake.forward(concat(input.clone(), fake.clone().detach()));
    drop([d_real, d_fake]);
    let right = (on_real.clone() - on_fake.clone()).inner().greater_elem(0.0).float().mean();
    let mean = |logits: &Tensor<4>| cfg.loss.probability(logits.clone().inner()).mean();
    let shares = vec![mean(&on_real), mean(&on_fake), right];
    // One image has no variety.
    let variety = (n > 1).then(|| translation::variety(&fake, &target));
    let d_loss = cfg.loss.discriminator(on_real, on_fake, cfg.smooth);
    let grads = GradientsParams::from_grads(d_loss.backward(), &state.d);
    state.d = state.opt_d.step(rates.lr * cfg.lr_d, take(&mut state.d), grads);

    let d = state.d.clone().no_grad();
    let on_real = cfg.loss.is_relative().then(|| d.forward(real));
    let on_fake = d.forward(concat(input, fake.clone()));
    let g_loss = cfg.loss.generator(on_real, on_fake);
    let l1 = loss::absolute_error(fake, target);
    let total = g_loss.clone() + l1.clone() * cfg.l1;
    let grads = GradientsParams::from_grads(total.backward(), &state.g);
    state.g = state.opt_g.step(rates.lr, take(&mut state.g), grads);

    let decay = match cfg.ema {
        0 => 0.0,
        half_life => ema::decay(n, half_life, state.images),
    };
    state.ema = ema::update(take(&mut state.ema), &state.g, decay);
    state.images += n as u64;
    let losses = vec![d_loss.inner(), g_loss.inner(), l1.inner()];
    Tensor::cat([losses, shares, variety.into_iter().collect()].concat(), 0)
}

/// Inputs, translations and targets below each other.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn pictures(state: &State, data: &DataSet, device: &Device) -> Result<Vec<Picture>, DataError> {
    let [columns, groups] = SHEET;
    let which = data.evenly(columns * groups);
    let inputs = translation::inputs(data, &which, device)?;
    let targets = translation::images(data, &which, device)?;
    let outputs = translation::translations(state, data, &which, device)?;
    let rows = [inputs, outputs, targets].map(|images| (images + 1.0) * 0.5);
    Ok(vec![picture::rows("translated", &rows, columns)])
}

/// Scores of translations of at most 128 unseen pairs `data[1]` against their targets: mean absolute
/// error, also of training pairs `data[0]`, and PSNR (black 0, white 1), SSIM, and the sliced
/// Wasserstein distance if there are enough; and how far their edges lie from those of their inputs,
/// and of the inputs of other pairs, in pixels.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn measure(
    state: &State,
    cfg: &Config,
    [seen, data]: [&DataSet; 2],
    device: &Device,
) -> Result<Vec<Measured>, DataError> {
    let translated = |data: &DataSet| -> Result<[Pictures; 2], DataError> {
        let which = data.evenly(MEASURED);
        let outputs =
            translation::pictures(translation::translations(state, data, &which, device)?);
        Ok([outputs, data.pictures(&which)?])
    };
    let l1 = |[outputs, targets]: &[Pictures; 2]| {
        let errors = outputs.iter().zip(targets.iter()).map(|(a, b)| off(a, b, 1));
        errors.sum::<f64>() / outputs.iter().count().max(1) as f64
    };
    let pairs = translated(data)?;
    let mut measured = vec![("l1", l1(&pairs))];
    if !seen.is_empty() {
        measured.push(("l1_train", l1(&translated(seen)?)));
    }
    let [outputs, targets] = pairs;
    let which = data.evenly(MEASURED);
    let (side, count) = (cfg.size, which.len().max(1) as f64);
    let (mut psnr, mut similarity) = (0.0, 0.0);
    for (a, b) in outputs.iter().zip(targets.iter()) {
        psnr += -10.0 * off(a, b, 2).max(1e-10).log10() / count;
        similarity += f64::from(ssim::similarity(a, b, side)) / count;
    }
    measured.extend([("psnr", psnr), ("ssim", similarity)]);
    if let Ok(levels) = swd::distance(&outputs, &targets, cfg.seed) {
        measured.push(("swd", levels.mean()));
    }
    let of_outputs = translation::edges_of(&outputs);
    let plane = side * side;
    let drawn = cfg.data_a.is_none()
        && (cfg.pair == Pair::Edges || (cfg.data.is_none() && !cfg.pair.is_made()));
    let of_inputs = which.iter().map(|&i| {
        data.with_input(i, |pixels| match drawn {
            // Lines, black on white: their own edges would be on both sides of them.
            true => pixels[..plane].iter().map(|&v| v < 128).collect(),
            false => edges::canny(&translation::gray(pixels, plane), side),
        })
    });
    let of_inputs: Vec<Vec<bool>> = of_inputs.collect::<Result<_, _>>()?;
    measured.extend(translation::edges_apart(&of_inputs, &of_outputs, side));
    Ok(measured)
}

/// The mean of a power of the differences of two images, black 0 and white 1.
fn off(a: &[u8], b: &[u8], power: i32) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(power)).sum();
    sum / a.len() as f64 / 255f64.powi(power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Batches, Open};
    use crate::networks::fresh;
    use std::sync::Arc;
    use toml::Table;

    fn setting(more: &str) -> Config {
        let small = "size = 32\nngf = 4\nndf = 4\nbatch = 4\nlr = 2e-3\nema = 0";
        let mut flags: Table = small.parse().unwrap();
        flags.extend(more.parse::<Table>().unwrap());
        Config::new(Some("pix2pix"), &flags).unwrap()
    }

    fn pairs(cfg: &Config) -> DataSet {
        let form = cfg.form();
        let open = Open::new(&form);
        match cfg.pair.is_made() {
            true => open.faces(24, 0).made(cfg.pair, &cfg.input_form()),
            false => open.sketches(24, 0, &cfg.input_form()),
        }
    }

    /// The state after `steps` steps on drawn faces, and the metrics of each step.
    fn trained(cfg: &Config, steps: usize) -> (State, Vec<Vec<f32>>) {
        let device = cfg.device.open();
        let mut state = fresh(cfg, &device).unwrap();
        let mut batches = Batches::new(Arc::new(pairs(cfg)), cfg.step(), 0, 0, 1);
        let metrics = (0..steps)
            .map(|_| {
                let batch = Batch::new(batches.next().unwrap(), cfg, &device);
                step(&mut state, batch, cfg).into_data().try_to_vec().unwrap()
            })
            .collect();
        (state, metrics)
    }

    #[test]
    fn every_network_and_loss_takes_a_step_and_returns_every_metric() {
        for more in [
            "",
            "loss = 'rpgan'\nupsample = 'resize'",
            "loss = 'hinge'\nd_norm = false",
            "network = 'resnet'\nblocks = 1\npair = 'mask'",
            "skips = false",
            "pair = 'gray'\ndropout = 0\nloss = 'lsgan'",
            "batch = 1",
        ] {
            let cfg = setting(more);
            let (state, metrics) = trained(&cfg, 2);
            let all = super::super::metrics(&cfg);
            assert_eq!(metrics[0].len(), all.len(), "{more}");
            for (metric, value) in all.iter().zip(&metrics[1]) {
                let share = metric.chart == Some(Chart::Probability) || metric.key == "d_right";
                assert!(value.is_finite(), "{more}: {} is {value}", metric.key);
                assert!(!share || (0.0..=1.0).contains(value), "{more}: {value}");
            }
            assert_eq!(state.images, 2 * cfg.batch as u64);
        }
    }

    #[test]
    fn translations_come_near_their_targets() {
        let cfg = setting("pair = 'blur'");
        let (state, metrics) = trained(&cfg, 60);
        let l1 = |step: usize| metrics[step][2];
        assert!(l1(59) < 0.5 * l1(0), "{} to {}", l1(0), l1(59));
        let device = cfg.device.open();
        let data = pairs(&cfg);
        let measured = measure(&state, &cfg, [&data, &data], &device).unwrap();
        let of = |key: &str| measured.iter().find(|m| m.0 == key).unwrap().1;
        // In steps from 0 to 1 where training has -1 to 1, and without dropout.
        assert!((0.2..0.9).contains(&(of("l1") / f64::from(l1(59)))), "{measured:?}");
        assert_eq!(of("l1"), of("l1_train"), "of the same pairs");
        assert!(of("psnr") > 12.0 && of("ssim") > 0.2, "{measured:?}");
        assert!(of("edges") < of("edges_of_others"), "{measured:?}");
    }

    #[test]
    fn a_sheet_has_inputs_outputs_and_targets() {
        let cfg = setting("");
        let device = cfg.device.open();
        let (state, _) = trained(&cfg, 1);
        let data = pairs(&cfg);
        let sheet = &pictures(&state, &data, &device).unwrap()[0].image;
        assert_eq!(sheet.dimensions(), (8 * 32, 3 * 3 * 32));
        let cell = |row: u32| image::imageops::crop_imm(sheet, 32, row * 32, 32, 32).to_image();
        assert_eq!(cell(0), data.input_picture(1).unwrap());
        assert_eq!(cell(2), data.picture(1).unwrap());
        assert_ne!(cell(1), cell(2));
    }
}
