//! Two networks against each other (Goodfellow et al. 2014).

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, activation};
use models::Sequential;
#[cfg(feature = "gpu")]
use models::kernels;
use rand::rngs::StdRng;

use super::augment::Augment;
#[cfg(feature = "gpu")]
use super::gpu;
use super::metric::{Batch, Chart, Metric, metric};
use crate::config::{Config, Penalty, Rates};
use crate::networks::ema;
use crate::networks::noise::{self, Stream};
use crate::networks::{Condition, State, take, twice, with_condition};

/// What a step measures.
pub const METRICS: &[Metric] = ALL.split_at(7).0;

/// The same with gradient penalties.
pub const PENALIZED: &[Metric] = ALL;

const ALL: &[Metric] = &[
    metric("d_loss", "loss D", "loss of D", 3, Some(Chart::Loss)),
    metric("g_loss", "loss G", "loss of G", 3, Some(Chart::Loss)),
    metric("d_real", "D(x)", "D(x)", 2, Some(Chart::Probability)),
    metric("d_fake", "D(G(z))", "D(G(z)) before D's step", 2, Some(Chart::Probability)),
    metric("d_fake_after", "after", "D(G(z)) after it", 2, Some(Chart::Probability)),
    metric("d_right", "right", "pairs that D tells apart", 2, Some(Chart::Health)),
    metric("variety", "variety", "variety of fakes / of reals", 2, Some(Chart::Health)),
    metric("r1", "R1", "squared gradient at reals", 3, Some(Chart::Penalty)),
    metric("r2", "R2", "squared gradient at fakes", 3, Some(Chart::Penalty)),
];

/// One step of both networks on real images, one batch for each of D's updates. In a conditional
/// run a fake has the class of the real image that it is paired with.
///
/// D first, on real images and as many fakes; then G through the updated D, on the last of these
/// fakes (Goodfellow et al. 2014, algorithm 1). Returns one value per metric, left on the device.
pub fn step(state: &mut State, batch: Batch, cfg: &Config, device: &Device) -> Tensor<1> {
    let n = batch.images.dims()[0];
    let (seed, at) = (state.seed(cfg), state.images);
    let rates = state.rates(cfg);
    state.beta2.set(rates.beta2);
    let mut latents = noise::rng(seed, Stream::Latents, at);
    let mut view = View {
        augment: cfg.augment,
        rates,
        dropout: noise::rng(seed, Stream::Dropout, at),
        noise: noise::rng(seed, Stream::Augment, at),
        condition: None,
    };

    let reals = batch.images.chunk(cfg.d_steps as usize, 0);
    let mut sums: Option<Tensor<1>> = None;
    let mut last = None;
    for (i, real) in reals.into_iter().enumerate() {
        let n = real.dims()[0];
        let z = noise::latents(n, cfg.nz, &mut latents, device);
        view.condition = Condition::new(cfg, batch.labels.get(i * n..(i + 1) * n), device);
        let fake = state.g.forward(with_condition(z, &view.condition));
        let metrics = d_phase(state, &real, fake.clone().detach(), cfg, &mut view);
        sums = Some(match sums {
            Some(sums) => sums + metrics,
            None => metrics,
        });
        last = Some((real, fake));
    }
    let (Some(sums), Some((real, fake))) = (sums, last) else {
        unreachable!("a batch has images");
    };
    let [g_loss, fake_after] = g_phase(state, real, fake, cfg, &mut view);

    let decay = match cfg.ema {
        0 => 0.0,
        half_life => ema::decay(n, half_life, state.images),
    };
    state.ema = ema::update(take(&mut state.ema), &state.g, decay);
    state.images += n as u64;

    let of_d = match cfg.d_steps {
        1 => sums,
        steps => sums / steps as f64,
    };
    let penalties = of_d.dims()[0] - 5;
    let both = in_order(of_d.clone(), g_loss, fake_after);
    match penalties {
        0 => both,
        _ => Tensor::cat(vec![both, of_d.narrow(0, 5, penalties)], 0),
    }
}

/// The values of D and G in the order of [`METRICS`].
fn in_order(of_d: Tensor<1>, g_loss: Tensor<1>, fake_after: Tensor<1>) -> Tensor<1> {
    #[cfg(feature = "gpu")]
    if kernels::is_gpu(&of_d) {
        let order = [(0, 0), (1, 0), (0, 1), (0, 2), (2, 1), (0, 3), (0, 4)];
        return gpu::gather([of_d, g_loss, fake_after], &order);
    }
    let part = |from: usize, count: usize| of_d.clone().narrow(0, from, count);
    Tensor::cat(vec![part(0, 1), g_loss, part(1, 2), fake_after, part(3, 2)], 0)
}

/// A loss, three shares and the variety in one tensor.
fn together(loss: Tensor<1>, shares: Tensor<1>, variety: Tensor<1>) -> Tensor<1> {
    #[cfg(feature = "gpu")]
    if kernels::is_gpu(&loss) {
        let order = [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0)];
        return gpu::gather([loss, shares, variety], &order);
    }
    Tensor::cat(vec![loss, shares, variety], 0)
}

/// How D sees images in a step: augmented, with noise, with their classes.
struct View {
    augment: Augment,
    rates: Rates,
    dropout: StdRng,
    noise: StdRng,
    /// The images' classes, in a conditional run.
    condition: Option<Condition>,
}

impl View {
    /// Images as the settings change them, with their classes.
    fn of(&mut self, x: Tensor<4>) -> Tensor<4> {
        let mut x = x;
        if !self.augment.is_none() {
            x = self.augment.apply(x, self.rates.augment_p as f32, &mut self.noise);
        }
        if self.rates.noise > 0.0 {
            let noise = noise::normal(x.dims(), &mut self.noise, &x.device());
            x = x + noise * self.rates.noise;
        }
        match &self.condition {
            Some(condition) => condition.beside(x),
            None => x,
        }
    }
}

/// D's update. Returns d_loss, D(x), D(G(z)), the share of pairs that it tells apart, the fakes'
/// variety, and the penalties if there are any.
fn d_phase(
    state: &mut State,
    real: &Tensor<4>,
    fake: Tensor<4>,
    cfg: &Config,
    view: &mut View,
) -> Tensor<1> {
    let variety = deviation(&fake) / deviation(real);
    if let Some(spectral) = &mut state.spectral {
        spectral.iterate(&state.d);
    }
    let [d_real, d_fake] = twice(state.normalized(state.d.clone()));
    let due = (state.images / cfg.batch as u64).is_multiple_of(cfg.penalty_every);
    let [at_real, at_fake] = cfg.penalty.at().map(|at| at && due);
    let (real, fake) = (view.of(real.clone()), view.of(fake));
    let (on_real, r1) = logits(&d_real, real, at_real, view);
    let (on_fake, r2) = logits(&d_fake, fake, at_fake, view);
    drop([d_real, d_fake]);

    let (d_loss, shares) = d_loss(cfg, on_real, on_fake);
    let mut metrics = vec![together(d_loss.clone().inner(), shares, variety)];
    let weight = view.rates.gamma / 2.0 * cfg.penalty_every as f64;
    let mut total = d_loss;
    if cfg.penalty != Penalty::None {
        for squared in [r1, r2] {
            // Logged scaled by the interval, and as 0 in between, so that the mean is right.
            let shown = squared.clone().map(|s| s.inner() * cfg.penalty_every as f64);
            metrics.push(shown.unwrap_or_else(|| Tensor::zeros([1], &metrics[0].device())));
            if let Some(squared) = squared {
                total = total + squared * weight;
            }
        }
    }
    let grads = GradientsParams::from_grads(total.backward(), &state.d);
    let lr = view.rates.lr * cfg.lr_d;
    state.d = state.opt_d.step(lr, take(&mut state.d), grads);
    if cfg.clip > 0.0 {
        state.d = take(&mut state.d).map(&mut Clip(cfg.clip));
    }
    match metrics.len() {
        1 => metrics.remove(0),
        _ => Tensor::cat(metrics, 0),
    }
}

/// G's update, through a D whose weights need no gradient. Returns g_loss and D(G(z)) after D's
/// update.
fn g_phase(
    state: &mut State,
    real: Tensor<4>,
    fake: Tensor<4>,
    cfg: &Config,
    view: &mut View,
) -> [Tensor<1>; 2] {
    let d = state.normalized(state.d.clone().no_grad());
    let on_real = cfg.loss.is_relative().then(|| {
        let real = view.of(real);
        d.forward_with(real, &mut view.dropout)
    });
    let fake = view.of(fake);
    let on_fake = d.forward_with(fake, &mut view.dropout);
    let (g_loss, after) = g_loss(cfg, on_real, on_fake);
    let grads = GradientsParams::from_grads(g_loss.backward(), &state.g);
    state.g = state.opt_g.step(view.rates.lr, take(&mut state.g), grads);
    [g_loss.inner(), after]
}

/// D's logits of `x`, `[n, 1, 1, 1]`, and if `penalized` the squared norm of its gradient by the
/// pixels, as a mean over the images (Mescheder et al. 2018, eq. 9, without the factor).
fn logits(
    d: &Sequential,
    x: Tensor<4>,
    penalized: bool,
    view: &mut View,
) -> (Tensor<4>, Option<Tensor<1>>) {
    if !penalized {
        return (d.forward_with(x, &mut view.dropout), None);
    }
    let n = x.dims()[0] as f64;
    let trace = d.trace(x);
    let gradient = d.input_gradient(&trace).expect("settings without such a gradient are refused");
    // Without the planes of the classes, which are not continuous.
    let planes = gradient.dims()[1] - view.condition.as_ref().map_or(0, Condition::planes);
    let gradient = gradient.narrow(1, 0, planes);
    let squared = mean_square(gradient, n);
    let logits = trace.last().cloned().expect("a network has layers");
    (logits, Some(squared))
}

/// D's loss; and D(x), D(G(z)) and the share of pairs that it tells apart.
fn d_loss(cfg: &Config, on_real: Tensor<4>, on_fake: Tensor<4>) -> (Tensor<1>, Tensor<1>) {
    #[cfg(feature = "gpu")]
    if kernels::is_gpu(&on_fake) {
        return gpu::discriminator(cfg.loss, on_real, on_fake, cfg.smooth);
    }
    let apart = (on_real.clone() - on_fake.clone()).inner();
    let right = apart.greater_elem(0.0).float().mean();
    let shares = Tensor::cat(vec![mean(&on_real), mean(&on_fake), right], 0);
    let loss = cfg.loss.discriminator(on_real, on_fake, cfg.smooth);
    (loss, shares)
}

/// G's loss, and D(G(z)); on a GPU the latter is the second of three shares, see [`in_order`].
fn g_loss(cfg: &Config, on_real: Option<Tensor<4>>, on_fake: Tensor<4>) -> (Tensor<1>, Tensor<1>) {
    #[cfg(feature = "gpu")]
    if kernels::is_gpu(&on_fake) {
        let (loss, shares) = gpu::generator(cfg.loss, on_real, on_fake);
        return (loss, shares.inner());
    }
    let after = mean(&on_fake);
    (cfg.loss.generator(on_real, on_fake), after)
}

/// The sum of squares over `n`.
fn mean_square(x: Tensor<4>, n: f64) -> Tensor<1> {
    #[cfg(feature = "gpu")]
    if kernels::is_gpu(&x) {
        return gpu::squares(x, 1.0 / n);
    }
    (x.clone() * x).sum() / n
}

/// Mean over pixels of the standard deviation over a batch's images.
pub(super) fn deviation(x: &Tensor<4>) -> Tensor<1> {
    let x = x.clone().inner();
    #[cfg(feature = "gpu")]
    if kernels::is_gpu(&x) {
        return gpu::deviation(x);
    }
    x.var(0).sqrt().mean()
}

/// Mean of the logits as probabilities.
fn mean(logits: &Tensor<4>) -> Tensor<1> {
    activation::sigmoid(logits.clone().inner()).mean()
}

/// Clips every weight of a network.
struct Clip(f64);

impl ModuleMapper for Clip {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|t| {
            let clipped = t.clone().inner().clamp(-self.0, self.0);
            match t.device().is_autodiff() {
                true => Tensor::from_inner(clipped).set_require_grad(t.is_require_grad()),
                false => clipped,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::fresh;
    use toml::Table;

    fn setting(more: &str) -> Config {
        let flags = format!("size = 16\nngf = 4\nndf = 4\nnz = 8\nbatch = 8\n{more}");
        Config::new(None, &flags.parse::<Table>().unwrap()).unwrap()
    }

    /// A few steps on noise: the state, and the metrics of each step.
    fn steps(cfg: &Config, count: usize) -> (State, Vec<Vec<f32>>) {
        let device = cfg.device.open();
        let mut state = fresh(cfg, &device).unwrap();
        let metrics = (0..count)
            .map(|i| {
                let mut rng = noise::rng(9, Stream::Mirror, i as u64);
                let real = noise::normal([cfg.step(), 3, 16, 16], &mut rng, &device);
                let labels = (0..cfg.step()).map(|i| i % cfg.labels.len().max(1)).collect();
                let batch = Batch { images: real, inputs: None, others: None, labels };
                let metrics = step(&mut state, batch, cfg, &device);
                metrics.into_data().try_to_vec().unwrap()
            })
            .collect();
        (state, metrics)
    }

    #[test]
    fn a_step_returns_every_metric() {
        let classes = "conditional = true\nlabels = ['a', 'b', 'c']";
        let cases = [
            ("", METRICS),
            ("penalty = 'r1'\nd_norm = false", PENALIZED),
            (classes, METRICS),
            (&format!("{classes}\nnetwork = 'mlp'"), METRICS),
            (&format!("{classes}\npenalty = 'r1r2'\nd_norm = false\nloss = 'rpgan'"), PENALIZED),
        ];
        for (more, metrics) in cases {
            let (_, values) = steps(&setting(more), 2);
            assert_eq!(values[0].len(), metrics.len(), "{more}");
            for (metric, value) in metrics.iter().zip(&values[1]) {
                let share = metric.chart == Some(Chart::Probability) || metric.key == "d_right";
                assert!(value.is_finite(), "{} is {value}", metric.key);
                assert!(!share || (0.0..=1.0).contains(value), "{} is {value}", metric.key);
            }
        }
    }

    #[test]
    fn a_lazy_penalty_is_scaled_by_its_interval() {
        let of = |every: usize| {
            let more = format!("penalty = 'r1r2'\nd_norm = false\npenalty_every = {every}");
            let (_, values) = steps(&setting(&more), 4);
            values.iter().map(|s| s[7..9].to_vec()).collect::<Vec<_>>()
        };
        let (always, lazy) = (of(1), of(3));
        assert!(always.iter().flatten().all(|&v| v > 0.0), "{always:?}");
        assert!(lazy[1..3].iter().flatten().all(|&v| v == 0.0), "{lazy:?}");
        // The first step has the same network.
        for (lazy, always) in lazy[0].iter().zip(&always[0]) {
            assert!((lazy - 3.0 * always).abs() < 1e-4 * lazy, "{lazy} {always}");
        }
        assert!(lazy[3].iter().all(|&v| v > 0.0));
    }

    #[test]
    fn clipped_weights_stay_within_their_bound() {
        let (state, _) =
            steps(&setting("loss = 'wasserstein'\nclip = 0.01\nd_norm = false\nlr = 0.1"), 2);
        let mut largest = 0.0f32;
        for layer in &state.d.layers {
            if let models::Layer::Conv(l) = layer {
                largest = largest.max(l.weight.val().inner().abs().max().into_scalar());
            }
        }
        assert_eq!(largest, 0.01);
    }

    #[test]
    fn several_steps_of_d_for_one_of_g_see_as_many_batches() {
        let (state, values) = steps(&setting("d_steps = 3"), 2);
        assert_eq!(state.images, 2 * 3 * 8);
        assert_eq!(values[0].len(), METRICS.len());
    }

    #[test]
    fn a_penalty_shortens_the_gradient() {
        let long = |gamma: f64| {
            let more = format!(
                "penalty = 'r1r2'\nd_norm = false\nloss = 'rpgan'\nlr = 2e-3\ngamma = {gamma}"
            );
            steps(&setting(&more), 20).1[19][7]
        };
        let (free, held) = (long(0.0), long(10.0));
        assert!(held * 2.0 < free, "{held} with the penalty, {free} without");
    }
}
