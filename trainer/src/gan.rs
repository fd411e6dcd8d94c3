//! Two networks against each other (Goodfellow et al. 2014).

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, activation};
use models::Sequential;
use rand::rngs::StdRng;

use crate::augment::Augment;
use crate::checkpoint::State;
use crate::config::{Config, Penalty, Rates};
use crate::ema;
use crate::noise::{self, Stream};
use crate::objective::{Gauge, Panel};

/// What a step says of itself.
pub const GAUGES: &[Gauge] = ALL.split_at(7).0;

/// The same with gradient penalties.
pub const PENALISED: &[Gauge] = ALL;

const ALL: &[Gauge] = &[
    gauge("d_loss", "  Loss_D ", "Loss_D", 3, Some(Panel::Loss)),
    gauge("g_loss", "  Loss_G ", "Loss_G", 3, Some(Panel::Loss)),
    gauge("d_real", "  D(x) ", "D(x)", 2, Some(Panel::Probability)),
    gauge(
        "d_fake",
        "  D(G(z)) ",
        "D(G(z)) before D's step",
        2,
        Some(Panel::Probability),
    ),
    gauge(
        "d_fake_after",
        " / ",
        "D(G(z)) after it",
        2,
        Some(Panel::Probability),
    ),
    gauge(
        "d_right",
        "  right ",
        "pairs that D tells apart",
        2,
        Some(Panel::Health),
    ),
    gauge(
        "variety",
        "  variety ",
        "variety of fakes / of reals",
        2,
        Some(Panel::Health),
    ),
    gauge(
        "r1",
        "  R1 ",
        "squared gradient at reals",
        3,
        Some(Panel::Penalty),
    ),
    gauge(
        "r2",
        "  R2 ",
        "squared gradient at fakes",
        3,
        Some(Panel::Penalty),
    ),
];

const fn gauge(
    key: &'static str,
    label: &'static str,
    name: &'static str,
    digits: usize,
    panel: Option<Panel>,
) -> Gauge {
    Gauge {
        key,
        label,
        name,
        digits,
        panel,
    }
}

/// One step of both networks on real images, `[n, c, h, w]` in [-1, 1], `n` a batch for each of D's steps.
///
/// D first, on real images and as many fakes; then G through the new D, on the last of the same fakes (Goodfellow et al.
/// 2014, algorithm 1). Returns a value for each gauge, left on the device.
pub fn step(state: &mut State, real: Tensor<4>, cfg: &Config, device: &Device) -> Tensor<1> {
    let n = real.dims()[0];
    let (seed, at) = (state.seed(cfg), state.images);
    let rates = state.rates(cfg);
    state.beta2.set(rates.beta2);
    let mut latents = noise::rng(seed, Stream::Latents, at);
    let mut eyes = Eyes {
        augment: cfg.augment,
        rates,
        drops: noise::rng(seed, Stream::Dropout, at),
        changes: noise::rng(seed, Stream::Augment, at),
    };

    let batches = real.chunk(cfg.d_steps as usize, 0);
    let mut sums: Option<Tensor<1>> = None;
    let mut last = None;
    for real in batches {
        let z = noise::latents(real.dims()[0], cfg.nz, &mut latents, device);
        let fake = state.g.forward(z);
        let said = d_phase(state, &real, fake.clone().detach(), cfg, &mut eyes);
        sums = Some(match sums {
            Some(sums) => sums + said,
            None => said,
        });
        last = Some((real, fake));
    }
    let (Some(sums), Some((real, fake))) = (sums, last) else {
        unreachable!("a batch has images");
    };
    let [g_loss, fake_after] = g_phase(state, real, fake, cfg, &mut eyes);

    let decay = match cfg.ema {
        0 => 0.0,
        half_life => ema::decay(n, half_life, state.images),
    };
    state.ema = ema::update(take(&mut state.ema), &state.g, decay);
    state.images += n as u64;

    let of_d = sums / cfg.d_steps as f64;
    let part = |from: usize, to: usize| of_d.clone().slice([from..to]);
    let penalties = part(5, of_d.dims()[0]);
    Tensor::cat(
        vec![
            part(0, 1),
            g_loss,
            part(1, 3),
            fake_after,
            part(3, 5),
            penalties,
        ],
        0,
    )
}

/// What D sees of images, and what it forgets of them.
struct Eyes {
    augment: Augment,
    rates: Rates,
    drops: StdRng,
    changes: StdRng,
}

impl Eyes {
    /// Images changed as the settings have it.
    fn see(&mut self, x: Tensor<4>) -> Tensor<4> {
        let mut x = x;
        if !self.augment.is_none() {
            x = self
                .augment
                .apply(x, self.rates.augment_p as f32, &mut self.changes);
        }
        if self.rates.noise > 0.0 {
            let noise = noise::normal(x.dims(), &mut self.changes, &x.device());
            x = x + noise * self.rates.noise;
        }
        x
    }
}

/// D's step. Returns d_loss, D(x), D(G(z)), how many pairs it tells apart, the fakes' variety, and the penalties, if there
/// are any.
fn d_phase(
    state: &mut State,
    real: &Tensor<4>,
    fake: Tensor<4>,
    cfg: &Config,
    eyes: &mut Eyes,
) -> Tensor<1> {
    let variety = spread(&fake) / spread(real);
    if let Some(spectral) = &mut state.spectral {
        spectral.iterate(&state.d);
    }
    let judge = state.judge(state.d.clone());
    let due = (state.images / cfg.batch as u64).is_multiple_of(cfg.penalty_every);
    let [at_real, at_fake] = cfg.penalty.at().map(|at| at && due);
    let (real, fake) = (eyes.see(real.clone()), eyes.see(fake));
    let (on_real, r1) = judged(&judge, real, at_real, eyes);
    let (on_fake, r2) = judged(&judge, fake, at_fake, eyes);
    drop(judge);

    let apart = (on_real.clone() - on_fake.clone()).inner();
    let right = apart.greater_elem(0.0).float().mean();
    let mut said = vec![mean(&on_real), mean(&on_fake), right, variety];
    let d_loss = cfg.loss.discriminator(on_real, on_fake, cfg.smooth);
    said.insert(0, d_loss.clone().inner());
    let weight = eyes.rates.gamma / 2.0 * cfg.penalty_every as f64;
    let mut total = d_loss;
    if cfg.penalty != Penalty::None {
        for squared in [r1, r2] {
            // A step without the penalty counts as nought of as many times the size.
            let shown = squared
                .clone()
                .map(|s| s.inner() * cfg.penalty_every as f64);
            said.push(shown.unwrap_or_else(|| said[0].zeros_like()));
            if let Some(squared) = squared {
                total = total + squared * weight;
            }
        }
    }
    let grads = GradientsParams::from_grads(total.backward(), &state.d);
    let lr = eyes.rates.lr * cfg.lr_d;
    state.d = state.opt_d.step(lr, take(&mut state.d), grads);
    if cfg.clip > 0.0 {
        state.d = take(&mut state.d).map(&mut Clip(cfg.clip));
    }
    Tensor::cat(said, 0)
}

/// G's step, through a D whose weights need no gradient. Returns g_loss and what D now makes of the fakes.
fn g_phase(
    state: &mut State,
    real: Tensor<4>,
    fake: Tensor<4>,
    cfg: &Config,
    eyes: &mut Eyes,
) -> [Tensor<1>; 2] {
    let judge = state.judge(state.d.clone().no_grad());
    let on_real = cfg.loss.is_relative().then(|| {
        let real = eyes.see(real);
        judge.forward_with(real, &mut eyes.drops)
    });
    let fake = eyes.see(fake);
    let on_fake = judge.forward_with(fake, &mut eyes.drops);
    let after = mean(&on_fake);
    let g_loss = cfg.loss.generator(on_real, on_fake);
    let grads = GradientsParams::from_grads(g_loss.backward(), &state.g);
    state.g = state.opt_g.step(eyes.rates.lr, take(&mut state.g), grads);
    [g_loss.inner(), after]
}

/// D's logits of `x` and, where it is penalised, the squared length of its gradient there, as a mean over the images
/// (Mescheder et al. 2018, eq. 9, without the factor).
fn judged(
    judge: &Sequential,
    x: Tensor<4>,
    penalised: bool,
    eyes: &mut Eyes,
) -> (Tensor<4>, Option<Tensor<1>>) {
    if !penalised {
        return (judge.forward_with(x, &mut eyes.drops), None);
    }
    let n = x.dims()[0] as f64;
    let trace = judge.trace(x);
    let gradient = judge
        .input_gradient(&trace)
        .expect("settings that do not go together were refused");
    let squared = (gradient.clone() * gradient).sum() / n;
    let logits = trace.last().cloned().expect("a network has layers");
    (logits, Some(squared))
}

/// Mean over pixels of the standard deviation over a batch's images.
fn spread(x: &Tensor<4>) -> Tensor<1> {
    x.clone().inner().var(0).sqrt().mean()
}

/// Mean of logits as probabilities.
fn mean(logits: &Tensor<4>) -> Tensor<1> {
    activation::sigmoid(logits.clone().inner()).mean()
}

/// Keeps every number of a network within a bound.
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

/// Takes a network out of its place, to be put back changed: nobody else holds its weights then, and they are
/// changed where they are.
fn take(net: &mut Sequential) -> Sequential {
    std::mem::replace(net, Sequential { layers: Vec::new() })
}
