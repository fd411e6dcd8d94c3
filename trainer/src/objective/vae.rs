//! A variational autoencoder (Kingma and Welling 2014): codes are distributions close to N(0, 1),
//! so that latents from N(0, 1) make images.
//!
//! Pixel values are treated as probabilities of white (Bernoulli, appendix C.1), so the terms of
//! the bound are nats per image and comparable only between runs on the same images.

use burn::tensor::{Device, Tensor, TensorData, activation};
use models::kernels;

use super::autoencoder::{points, reconstructions, update};
use super::coder::Coder;
use super::metric::{Batch, Chart, Measured, Metric, metric};
use super::picture::{self, Picture};
use crate::config::Config;
use crate::data::{DataError, DataSet};
use crate::networks::noise::{self, Stream};
use crate::networks::{State, ema, take};

/// What a step measures, in nats per image.
pub const METRICS: &[Metric] = &[
    metric("elbo", "ELBO", "bound on the log-likelihood", 2, None),
    metric("reconstruction", "reconstruction", "nats of the reconstruction", 2, Some(Chart::Loss)),
    metric("kl", "KL", "nats of the code", 2, Some(Chart::Loss)),
];

/// Images along a side of the plane of two latents, and its extent: 99 % of N(0, 1).
const PLANE: (usize, f32) = (20, 2.5);

/// One step of both networks up the bound.
pub fn step(state: &mut State, batch: Batch, cfg: &Config, device: &Device) -> Tensor<1> {
    let n = batch.images.dims()[0];
    let rates = state.rates(cfg);
    state.beta2.set(rates.beta2);
    let mut rng = noise::rng(state.seed(cfg), Stream::Codes, state.images);
    let x = (batch.images + 1.0) * 0.5;
    let values = state.d.forward(x.clone());
    let mean = values.clone().narrow(1, 0, cfg.nz);
    let log_variance = values.narrow(1, cfg.nz, cfg.nz);
    let e = noise::latents(n, cfg.nz, &mut rng, device);
    // Section 2.4, the reparameterization trick.
    let z = mean.clone() + (log_variance.clone() * 0.5).exp() * e;
    let reconstruction = cross_entropy(state.g.logits(z), x) / n as f64;
    let kl = divergence(mean, log_variance) / n as f64;
    let loss = reconstruction.clone() + kl.clone() * cfg.kl;
    update(state, loss, rates.lr, cfg);
    state.ema = ema::update(take(&mut state.ema), &state.g, 0.0);
    state.images += n as u64;
    let [reconstruction, kl] = [reconstruction.inner(), kl.inner()];
    let elbo = (reconstruction.clone() + kl.clone()).neg();
    Tensor::cat(vec![elbo, reconstruction, kl], 0)
}

/// `-log p(x | z)` of images `x` in [0, 1] under independent Bernoulli distributions with these
/// logits, summed over pixels and images: `log(1 + exp(l)) - x l`.
fn cross_entropy(logits: Tensor<4>, x: Tensor<4>) -> Tensor<1> {
    if kernels::on_cpu(&logits) && kernels::on_cpu(&x) {
        return kernels::cross_entropy(logits, x);
    }
    let softplus = activation::log_sigmoid(logits.clone().neg()).neg();
    (softplus - x * logits).sum()
}

/// The divergence of N(mean, variance) from N(0, 1), summed over values and images (appendix B).
fn divergence(mean: Tensor<4>, log_variance: Tensor<4>) -> Tensor<1> {
    let variance = log_variance.clone().exp();
    ((mean.clone() * mean + variance - log_variance - 1.0) * 0.5).sum()
}

/// Originals above reconstructions, codes as points, and for two latents the plane that they span.
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
    let mut all = vec![reconstructions(&coder, cfg, held)?, points(&coder, cfg, data)?];
    if cfg.nz == 2 {
        let (side, reach) = PLANE;
        let at = |i: usize| (2.0 * i as f32 / (side - 1) as f32 - 1.0) * reach;
        let codes: Vec<f32> = (0..side * side)
            // The second latent points up.
            .flat_map(|i| [at(i % side), -at(i / side)])
            .collect();
        let codes = TensorData::new(codes, [side * side, 2, 1, 1]);
        let codes = Tensor::from_data(codes, &device.clone().inner());
        all.push(picture::rows("plane", &[coder.decode(codes)], side));
    }
    Ok(all)
}

/// The bound and its two terms in nats per image, with one code drawn per image.
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
    let mut rng = noise::rng(cfg.seed, Stream::Codes, u64::MAX);
    let [mut reconstruction, mut kl] = [0.0; 2];
    let which: Vec<usize> = (0..data.len()).collect();
    coder.each(data, &which, false, |coded| {
        let log_variances = coded.log_variances.unwrap_or_else(|| coded.codes.zeros_like());
        let shape = coded.codes.dims();
        let e = noise::latents(shape[0], cfg.nz, &mut rng, &coded.codes.device());
        let z = coded.codes.clone() + (log_variances.clone() * 0.5).exp() * e;
        let scalar = |t: Tensor<1>| f64::from(t.into_scalar::<f32>());
        reconstruction += scalar(cross_entropy(coder.logits(z), coded.originals));
        kl += scalar(divergence(coded.codes, log_variances));
    })?;
    let n = data.len().max(1) as f64;
    let [reconstruction, kl] = [reconstruction / n, kl / n];
    Ok(vec![("elbo", -reconstruction - kl), ("reconstruction", reconstruction), ("kl", kl)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> Tensor<4> {
        Tensor::from_data(
            TensorData::new(values.to_vec(), [1, values.len(), 1, 1]),
            &Device::flex(),
        )
    }

    #[test]
    fn terms_against_their_definitions() {
        let got = |t: Tensor<1>| t.into_scalar::<f32>() as f64;
        // KL(N(0.5, 4) | N(0, 1)) = (0.25 + 4 - ln 4 - 1) / 2, and 0 for N(0, 1) itself.
        let kl = got(divergence(tensor(&[0.5, 0.0]), tensor(&[4f32.ln(), 0.0])));
        assert!((kl - (3.25 - 4f64.ln()) / 2.0).abs() < 1e-6);
        let (l, x) = (1.3f64, 0.25f64);
        let p = 1.0 / (1.0 + (-l).exp());
        let want = -(x * p.ln() + (1.0 - x) * (1.0 - p).ln());
        let ce = got(cross_entropy(tensor(&[l as f32]), tensor(&[x as f32])));
        assert!((ce - want).abs() < 1e-6);
        // Logits far out are finite.
        let far = got(cross_entropy(tensor(&[200.0, -200.0]), tensor(&[0.0, 1.0])));
        assert!((far - 400.0).abs() < 1e-3);
    }
}
