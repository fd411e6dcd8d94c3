//! Two networks against each other (Goodfellow et al. 2014).

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, activation};
use models::Sequential;

use crate::checkpoint::State;
use crate::config::Config;
use crate::ema;
use crate::noise::{self, Stream};
use crate::objective::{Gauge, Panel};

/// What a step says of itself.
pub const GAUGES: &[Gauge] = &[
    Gauge {
        key: "d_loss",
        label: "  Loss_D ",
        name: "Loss_D",
        digits: 3,
        panel: Some(Panel::Loss),
    },
    Gauge {
        key: "g_loss",
        label: "  Loss_G ",
        name: "Loss_G",
        digits: 3,
        panel: Some(Panel::Loss),
    },
    Gauge {
        key: "d_real",
        label: "  D(x) ",
        name: "D(x)",
        digits: 2,
        panel: Some(Panel::Probability),
    },
    Gauge {
        key: "d_fake",
        label: "  D(G(z)) ",
        name: "D(G(z)) before D's step",
        digits: 2,
        panel: Some(Panel::Probability),
    },
    Gauge {
        key: "d_fake_after",
        label: " / ",
        name: "D(G(z)) after it",
        digits: 2,
        panel: Some(Panel::Probability),
    },
];

/// One step of both networks on one batch of real images, `[n, c, h, w]` in [-1, 1].
///
/// D first, on the real images and as many fakes; then G through the new D, on the same fakes (Goodfellow et al.
/// 2014, algorithm 1 with k = 1). Returns `[d_loss, g_loss, D(x), D(G(z)) before and after D's step]`, left on the
/// device: reading them every step would stall a GPU.
pub fn step(state: &mut State, real: Tensor<4>, cfg: &Config, device: &Device) -> Tensor<1> {
    let n = real.dims()[0];
    let mut rng = noise::rng(cfg.seed, Stream::Latents, state.images);
    let fake = state.g.forward(noise::latents(n, cfg.nz, &mut rng, device));

    let mut drops = noise::rng(cfg.seed, Stream::Dropout, state.images);
    let on_real = state.d.forward_with(real.clone(), &mut drops);
    let on_fake = state.d.forward_with(fake.clone().detach(), &mut drops);
    let mean = |logits: &Tensor<4>| activation::sigmoid(logits.clone().inner()).mean();
    let (real_before, fake_before) = (mean(&on_real), mean(&on_fake));
    let d_loss = cfg.loss.discriminator(on_real, on_fake);
    let grads = GradientsParams::from_grads(d_loss.backward(), &state.d);
    state.d = state.opt_d.step(cfg.lr, take(&mut state.d), grads);

    // The discriminator's weights need no gradient here.
    let judge = state.d.clone().no_grad();
    let on_real = cfg
        .loss
        .is_relative()
        .then(|| judge.forward_with(real, &mut drops));
    let on_fake = judge.forward_with(fake, &mut drops);
    let fake_after = mean(&on_fake);
    let g_loss = cfg.loss.generator(on_real, on_fake);
    let grads = GradientsParams::from_grads(g_loss.backward(), &state.g);
    state.g = state.opt_g.step(cfg.lr, take(&mut state.g), grads);

    let decay = match cfg.ema {
        0 => 0.0,
        half_life => ema::decay(n, half_life, state.images),
    };
    state.ema = ema::update(take(&mut state.ema), &state.g, decay);
    state.images += n as u64;
    let means = [real_before, fake_before, fake_after];
    Tensor::cat(
        [d_loss.inner(), g_loss.inner()]
            .into_iter()
            .chain(means)
            .collect(),
        0,
    )
}

/// Takes a network out of its place, to be put back changed: nobody else holds its weights then, and they are
/// changed where they are.
fn take(net: &mut Sequential) -> Sequential {
    std::mem::replace(net, Sequential { layers: Vec::new() })
}
