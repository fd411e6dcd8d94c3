//! Two generators that turn the images of one set into images of another, and back, learned without
//! pairs (Zhu et al. 2017): against a discriminator of each set, and so that there and back leads to
//! the image itself.
//!
//! In [`State`] the generator `g` leads from the set A to the set B and `d` judges images of B;
//! those of the way back are in [`State::back`].

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use models::Sequential;
use quality::{Pictures, swd};
use rand::rngs::StdRng;

use super::loss;
use super::metric::{Batch, Chart, Measured, Metric, metric};
use super::picture::{self, Picture};
use super::translation::{self, MEASURED, PASS, SHEET};
use crate::config::Config;
use crate::data::{DataError, DataSet};
use crate::networks::noise::{self, Stream};
use crate::networks::{Back, State, ema, take, twice};

/// What a step measures. Losses and shares are means over both directions.
pub const METRICS: &[Metric] = &[
    metric("d_loss", "loss D", "loss of D", 3, Some(Chart::Loss)),
    metric("g_loss", "loss G", "loss of G without errors", 3, Some(Chart::Loss)),
    metric("cycle", "cycle", "error there and back", 4, Some(Chart::Loss)),
    metric("identity", "identity", "error of what is there", 4, Some(Chart::Loss)),
    metric("d_real", "D(x)", "D of images", 2, Some(Chart::Probability)),
    metric("d_fake", "D(G(x))", "D of translations", 2, Some(Chart::Probability)),
    metric("d_right", "right", "patches that D tells apart", 2, Some(Chart::Health)),
    metric("variety", "variety", "variety of translations / of images", 2, Some(Chart::Health)),
];

/// One step of all four networks on a batch of each set: both generators first, down the sum of
/// their losses (eq. 3, and the identity loss of section 5.2), then each discriminator, on images of
/// its set and on translations of this step and of earlier ones (section 4).
pub fn step(state: &mut State, batch: Batch, cfg: &Config) -> Tensor<1> {
    let (Batch { images: a, others: Some(b), .. }, Some(mut back)) = (batch, state.back.take())
    else {
        unreachable!("a CycleGAN has two sets and two directions");
    };
    let n = a.dims()[0];
    let (seed, at) = (state.seed(cfg), state.images);
    let rates = state.rates(cfg);
    state.beta2.set(rates.beta2);

    let mut dropout = noise::rng(seed, Stream::Dropout, at);
    let Generated { fake_a, fake_b, metrics, loss } =
        generated(state, &back, [&a, &b], cfg, &mut dropout);
    let mut grads = loss.backward();
    let of_g = GradientsParams::from_module(&mut grads, &state.g);
    let of_back = GradientsParams::from_module(&mut grads, &back.g);
    state.g = state.opt_g.step(rates.lr, take(&mut state.g), of_g);
    back.g = back.opt_g.step(rates.lr, take(&mut back.g), of_back);
    drop(grads);
    // One image has no variety.
    let variety = (n > 1)
        .then(|| (translation::variety(&fake_b, &b) + translation::variety(&fake_a, &a)) * 0.5);

    let mut rng = noise::rng(seed, Stream::Pool, at);
    let [of_b, of_a] = &mut back.pools;
    let (seen_b, seen_a) = (of_b.exchange(fake_b, &mut rng), of_a.exchange(fake_a, &mut rng));
    let lr = rates.lr * cfg.lr_d;
    let on_b = judged(&mut state.d, &mut state.opt_d, b, seen_b, lr, cfg);
    let on_a = judged(&mut back.d, &mut back.opt_d, a, seen_a, lr, cfg);

    let decay = match cfg.ema {
        0 => 0.0,
        half_life => ema::decay(n, half_life, at),
    };
    state.ema = ema::update(take(&mut state.ema), &state.g, decay);
    back.ema = ema::update(take(&mut back.ema), &back.g, decay);
    state.back = Some(back);
    state.images += n as u64;
    let of_d = (on_b + on_a) * 0.5;
    let (d_loss, shares) = (of_d.clone().narrow(0, 0, 1), of_d.narrow(0, 1, 3));
    let all = [Some(d_loss), Some(metrics), Some(shares), variety];
    Tensor::cat(all.into_iter().flatten().collect(), 0)
}

/// What the generators make of a batch.
struct Generated {
    /// Translations of images of B, without gradients.
    fake_a: Tensor<4>,
    /// Translations of images of A, without gradients.
    fake_b: Tensor<4>,
    /// The generators' loss without errors, the error there and back, that of the identity.
    metrics: Tensor<1>,
    /// Their whole loss.
    loss: Tensor<1>,
}

/// Both generators on images of A and B, and what they minimize.
fn generated(
    state: &State,
    back: &Back,
    [a, b]: [&Tensor<4>; 2],
    cfg: &Config,
    dropout: &mut StdRng,
) -> Generated {
    let weight = cfg.cycle * cfg.identity;
    // An image to translate, and one that is there already, in one pass.
    let mut pass = |g: &Sequential, from: &Tensor<4>, there: &Tensor<4>| match weight > 0.0 {
        true => {
            let n = from.dims()[0];
            let both = Tensor::cat(vec![from.clone(), there.clone()], 0);
            let both = g.forward_with(both, dropout);
            (both.clone().narrow(0, 0, n), Some(both.narrow(0, n, n)))
        }
        false => (g.forward_with(from.clone(), dropout), None),
    };
    let (fake_b, same_b) = pass(&state.g, a, b);
    let (fake_a, same_a) = pass(&back.g, b, a);
    let again_a = back.g.forward_with(fake_b.clone(), dropout);
    let again_b = state.g.forward_with(fake_a.clone(), dropout);

    let adversary = |d: &Sequential, real: &Tensor<4>, fake: &Tensor<4>| {
        let d = d.clone().no_grad();
        let on_real = cfg.loss.is_relative().then(|| d.forward(real.clone()));
        cfg.loss.generator(on_real, d.forward(fake.clone()))
    };
    let g_loss = adversary(&state.d, b, &fake_b) + adversary(&back.d, a, &fake_a);
    let off = |x: Tensor<4>, from: &Tensor<4>| loss::absolute_error(x, from.clone());
    let cycle = off(again_a, a) + off(again_b, b);
    let mut loss = g_loss.clone() + cycle.clone() * cfg.cycle;
    let mut same = cycle.clone().inner().zeros_like();
    if let (Some(same_a), Some(same_b)) = (same_a, same_b) {
        let identity = off(same_a, a) + off(same_b, b);
        loss = loss + identity.clone() * weight;
        same = identity.inner();
    }
    Generated {
        fake_a: fake_a.inner(),
        fake_b: fake_b.inner(),
        metrics: Tensor::cat(vec![g_loss.inner(), cycle.inner(), same], 0) * 0.5,
        loss,
    }
}

/// A discriminator's update. Returns its loss, its mean output as probabilities for images and for
/// translations, and the share of patches that it tells apart.
fn judged(
    d: &mut Sequential,
    optimizer: &mut ModuleOptimizer,
    real: Tensor<4>,
    fake: Tensor<4>,
    lr: f64,
    cfg: &Config,
) -> Tensor<1> {
    let [d_real, d_fake] = twice(d.clone());
    let on_real = d_real.forward(real);
    let on_fake = d_fake.forward(Tensor::from_inner(fake));
    drop([d_real, d_fake]);
    let right = (on_real.clone() - on_fake.clone()).inner().greater_elem(0.0).float().mean();
    let mean = |logits: &Tensor<4>| cfg.loss.probability(logits.clone().inner()).mean();
    let shares = [mean(&on_real), mean(&on_fake), right];
    let loss = cfg.loss.discriminator(on_real, on_fake, cfg.smooth);
    let grads = GradientsParams::from_grads(loss.backward(), d);
    *d = optimizer.step(lr, take(d), grads);
    Tensor::cat([vec![loss.inner()], shares.to_vec()].concat(), 0)
}

/// The way from A to B, then the way back, without gradients.
fn ways(state: &State) -> Option<[Sequential; 2]> {
    Some([state.ema.valid(), state.back.as_ref()?.ema.valid()])
}

/// Images of one set, their translations, and what the way back makes of those, each `[n, c, h, w]`
/// in [-1, 1]. From A if `from` is 0, from B if it is 1.
fn there_and_back(
    ways: &[Sequential; 2],
    from: usize,
    data: &DataSet,
    which: &[usize],
    device: &Device,
) -> Result<[Tensor<4>; 3], DataError> {
    let mut all: [Vec<Tensor<4>>; 3] = Default::default();
    for which in which.chunks(PASS) {
        let x = translation::images(data, which, device)?;
        let there = ways[from].forward(x.clone());
        let again = ways[1 - from].forward(there.clone());
        all.iter_mut().zip([x, there, again]).for_each(|(all, images)| all.push(images));
    }
    Ok(all.map(|images| Tensor::cat(images, 0)))
}

/// Images, translations and what the way back makes of those below each other: first of A, then of
/// B.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn pictures(state: &State, data: &DataSet, device: &Device) -> Result<Vec<Picture>, DataError> {
    let (Some(other), Some(ways)) = (data.other(), ways(state)) else {
        return Ok(Vec::new());
    };
    let [columns, groups] = SHEET;
    let mut halves = Vec::new();
    for (from, set) in [data, other].into_iter().enumerate().filter(|(_, set)| !set.is_empty()) {
        let which = set.evenly(columns * groups / 2);
        let rows = there_and_back(&ways, from, set, &which, device)?;
        halves.push(picture::rows("translated", &rows.map(|x| (x + 1.0) * 0.5), columns));
    }
    Ok(picture::stacked("translated", &halves).into_iter().collect())
}

/// Scores of translations of at most 128 images of each set: the mean absolute error there and back
/// (black 0, white 1) from A and from B; the sliced Wasserstein distances of translations to B and
/// to A, and of A to B before, if there are enough images; and how far the edges of translations to
/// B lie from those of their images, and of other images, in pixels.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn measure(
    state: &State,
    cfg: &Config,
    data: &DataSet,
    device: &Device,
) -> Result<Vec<Measured>, DataError> {
    let (Some(other), Some(ways)) = (data.other(), ways(state)) else {
        return Ok(Vec::new());
    };
    if data.is_empty() || other.is_empty() {
        return Ok(Vec::new());
    }
    let mut errors = [0.0; 2];
    let mut sets: Vec<[Pictures; 2]> = Vec::new();
    for (from, set) in [data, other].into_iter().enumerate() {
        let which = set.evenly(MEASURED);
        let [x, there, again] = there_and_back(&ways, from, set, &which, device)?;
        errors[from] = f64::from((again - x.clone()).abs().mean().into_scalar::<f32>()) / 2.0;
        sets.push([x, there].map(translation::pictures));
    }
    let [[a, to_b], [b, to_a]] = [&sets[0], &sets[1]];
    let mut measured = vec![("cycle_a", errors[0]), ("cycle_b", errors[1])];
    for (key, from, to) in [("swd_to_b", to_b, b), ("swd_to_a", to_a, a), ("swd_before", a, b)] {
        if let Ok(levels) = swd::distance(from, to, cfg.seed) {
            measured.push((key, levels.mean()));
        }
    }
    let [of_a, of_b] = [a, to_b].map(translation::edges_of);
    measured.extend(translation::edges_apart(&of_a, &of_b, cfg.size));
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Batches, Open};
    use crate::networks::fresh;
    use std::sync::Arc;
    use toml::Table;

    fn setting(more: &str) -> Config {
        let small = "size = 32\nngf = 4\nndf = 4\nbatch = 2\nlr = 2e-3\nema = 0\nblocks = 1";
        let mut flags: Table = small.parse().unwrap();
        flags.extend(more.parse::<Table>().unwrap());
        Config::new(Some("cyclegan"), &flags).unwrap()
    }

    fn seasons(cfg: &Config) -> DataSet {
        Open::new(&cfg.form()).seasons(24, 0)
    }

    /// The state after `steps` steps on drawn faces, and the metrics of each step.
    fn trained(cfg: &Config, steps: usize) -> (State, Vec<Vec<f32>>) {
        let device = cfg.device.open();
        let mut state = fresh(cfg, &device).unwrap();
        let mut batches = Batches::new(Arc::new(seasons(cfg)), cfg.step(), 0, 0, 1);
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
            "loss = 'rpgan'\nidentity = 0\npool = 0",
            "loss = 'bce'\nnetwork = 'unet'\ndropout = 0.5\nbatch = 1",
            "loss = 'hinge'\nd_norm = false\nupsample = 'resize'",
        ] {
            let cfg = setting(more);
            let (state, steps) = trained(&cfg, 2);
            let metrics = super::super::metrics(&cfg);
            assert_eq!(metrics.len(), if cfg.batch == 1 { 7 } else { 8 });
            assert_eq!(steps[0].len(), metrics.len(), "{more}");
            for (metric, value) in metrics.iter().zip(&steps[1]) {
                let share = metric.chart == Some(Chart::Probability) || metric.key == "d_right";
                assert!(value.is_finite(), "{more}: {} is {value}", metric.key);
                assert!(!share || (0.0..=1.0).contains(value), "{more}: {value}");
                if metric.key == "identity" {
                    assert_eq!(*value == 0.0, cfg.identity == 0.0, "{more}");
                }
            }
            assert_eq!(state.images, 2 * cfg.batch as u64);
            let back = state.back.unwrap();
            let kept = back.pools.map(|pool| pool.kept().is_some());
            assert_eq!(kept, [cfg.pool > 0; 2]);
        }
    }

    #[test]
    fn the_losses_are_those_of_the_definitions() {
        let cfg = setting("cycle = 7.0\nidentity = 0.3");
        let device = cfg.device.open();
        let state = fresh(&cfg, &device).unwrap();
        let back = state.back.as_ref().unwrap();
        let data = seasons(&cfg);
        let load = |set: &DataSet| translation::images(set, &[0, 1], &device).unwrap();
        let [a, b] = [load(&data), load(data.other().unwrap())];
        let values = |x: Tensor<4>| -> Vec<f64> { x.into_data().iter::<f64>().collect() };
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let off = |x: Tensor<4>, y: &Tensor<4>| {
            let pairs = values(x).into_iter().zip(values(y.clone()));
            mean(&pairs.map(|(x, y)| (x - y).abs()).collect::<Vec<_>>())
        };
        let squares =
            |x: Tensor<4>| mean(&values(x).iter().map(|v| (v - 1.0).powi(2)).collect::<Vec<_>>());
        let [g, f, d_b, d_a] = [&state.g, &back.g, &state.d, &back.d].map(|net| net.valid());
        let (fake_a, fake_b) = (f.forward(b.clone()), g.forward(a.clone()));
        // Zhu et al. 2017, eq. 1 and 2 with the squares of section 4, and section 5.2.
        let gan = squares(d_b.forward(fake_b.clone())) + squares(d_a.forward(fake_a.clone()));
        let cycle = off(f.forward(fake_b), &a) + off(g.forward(fake_a), &b);
        let identity = off(g.forward(b.clone()), &b) + off(f.forward(a.clone()), &a);
        let want = gan + 7.0 * cycle + 7.0 * 0.3 * identity;

        let [a, b] = [a, b].map(Tensor::from_inner);
        let mut rng = noise::rng(0, Stream::Dropout, 0);
        let got = generated(&state, back, [&a, &b], &cfg, &mut rng);
        let loss = f64::from(got.loss.into_scalar::<f32>());
        assert!((loss - want).abs() < 1e-4 * want, "{loss} {want}");
        let metrics: Vec<f64> = got.metrics.into_data().iter::<f64>().collect();
        for (got, want) in metrics.iter().zip([gan, cycle, identity]) {
            assert!((got - want / 2.0).abs() < 1e-4, "{got} {want}");
        }
    }

    #[test]
    fn there_and_back_comes_to_the_image_itself() {
        let cfg = setting("batch = 1");
        let (state, steps) = trained(&cfg, 60);
        let cycle = |step: usize| steps[step][2];
        assert!(cycle(59) < 0.6 * cycle(0), "{} to {}", cycle(0), cycle(59));
        let device = cfg.device.open();
        let data = seasons(&cfg);
        let measured = measure(&state, &cfg, &data, &device).unwrap();
        let of = |key: &str| measured.iter().find(|m| m.0 == key).unwrap().1;
        // In steps from 0 to 1 where training has -1 to 1.
        let error = (of("cycle_a") + of("cycle_b")) / 2.0;
        assert!((0.3..0.8).contains(&(error / f64::from(cycle(59)))), "{measured:?}");
        assert!(of("swd_before") > 0.0 && of("swd_to_b") > 0.0 && of("swd_to_a") > 0.0);
        assert!(of("edges") < of("edges_of_others"), "{measured:?}");
    }

    #[test]
    fn a_sheet_has_both_ways() {
        let cfg = setting("");
        let device = cfg.device.open();
        let (state, _) = trained(&cfg, 1);
        let data = seasons(&cfg);
        let sheet = &pictures(&state, &data, &device).unwrap()[0].image;
        assert_eq!(sheet.dimensions(), (8 * 32, 2 * 2 * 3 * 32));
        let cell = |row: u32| image::imageops::crop_imm(sheet, 32, row * 32, 32, 32).to_image();
        let which = data.evenly(16);
        assert_eq!(cell(0), data.picture(which[1]).unwrap());
        assert_eq!(cell(6), data.other().unwrap().picture(which[1]).unwrap());
        let there = translation::translations(&state, &data, &[which[1]], &device).unwrap();
        let there = &crate::data::sheet::pictures(there)[0];
        assert!(cell(1).iter().zip(there.iter()).all(|(a, b)| a.abs_diff(*b) <= 1));
        assert_ne!(cell(2), cell(0));
    }
}
