//! What the two networks minimize, as pure functions of the discriminator's logits.

use burn::tensor::{Tensor, activation};
use models::kernels::{self, Error};
use serde::{Deserialize, Serialize};

/// A pair of losses, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Binary cross-entropy with the non-saturating generator loss (Goodfellow et al. 2014, section
    /// 3; the loss of DCGAN).
    Bce,
    /// Hinge (Lim and Ye 2017, section 3; Miyato et al. 2018, eq. 17).
    Hinge,
    /// Relativistic pairing (Jolicoeur-Martineau 2019, eq. 5 and 6 with the logistic function;
    /// Huang et al. 2025, section 2.1).
    RpGan,
    /// Least squares with the labels 0 and 1 (Mao et al. 2017, eq. 9), the generator's without the
    /// factor 1/2, as in CycleGAN (Zhu et al. 2017, section 4).
    Lsgan,
    /// Wasserstein (Arjovsky et al. 2017, algorithm 1): needs clipped weights or a gradient penalty
    /// in the discriminator.
    Wasserstein,
}

impl Loss {
    /// Whether the generator's loss depends on real images.
    pub fn is_relative(self) -> bool {
        match self {
            Loss::Bce | Loss::Hinge | Loss::Lsgan | Loss::Wasserstein => false,
            Loss::RpGan => true,
        }
    }

    /// The discriminator's output, `[n, 1, h, w]`, as the probability that an image is real.
    pub fn probability(self, logits: Tensor<4>) -> Tensor<4> {
        match self {
            // The labels themselves.
            Loss::Lsgan => logits.clamp(0.0, 1.0),
            Loss::Bce | Loss::Hinge | Loss::RpGan | Loss::Wasserstein => {
                activation::sigmoid(logits)
            }
        }
    }

    /// The discriminator's loss when it cannot tell: every logit is 0, or 1/2 between the labels of
    /// least squares. None for a loss that is 0 there.
    pub fn at_chance(self) -> Option<f64> {
        match self {
            Loss::Bce => Some(2.0 * std::f64::consts::LN_2),
            Loss::Hinge => Some(2.0),
            Loss::Lsgan => Some(0.25),
            Loss::RpGan => Some(std::f64::consts::LN_2),
            Loss::Wasserstein => None,
        }
    }

    /// The discriminator's loss of the logits of real images and fakes, `[n, 1, 1, 1]` each, as a
    /// scalar `[1]`. `smooth` is the distance of the label of real images from 1 in [`Loss::Bce`]
    /// (one-sided label smoothing, Salimans et al. 2016, section 3.4); others have no labels.
    pub fn discriminator(self, real: Tensor<4>, fake: Tensor<4>, smooth: f64) -> Tensor<1> {
        match self {
            // -log D(x) - log(1 - D(G(z))), D the logistic function of the logit
            Loss::Bce if smooth == 0.0 => logistic(real.neg()).mean() + logistic(fake).mean(),
            Loss::Bce => {
                let right = logistic(real.clone().neg()).mean() * (1.0 - smooth);
                right + logistic(real).mean() * smooth + logistic(fake).mean()
            }
            Loss::Wasserstein => fake.mean() - real.mean(),
            Loss::Hinge => {
                activation::relu(real.neg() + 1.0).mean() + activation::relu(fake + 1.0).mean()
            }
            Loss::Lsgan => (square(real - 1.0).mean() + square(fake).mean()) * 0.5,
            Loss::RpGan => logistic(fake - real).mean(),
        }
    }

    /// The generator's loss of the logits of its fakes and, for a relative loss, of real images.
    pub fn generator(self, real: Option<Tensor<4>>, fake: Tensor<4>) -> Tensor<1> {
        match (self, real) {
            (Loss::Bce, _) => logistic(fake.neg()).mean(),
            (Loss::Hinge | Loss::Wasserstein, _) => fake.neg().mean(),
            (Loss::Lsgan, _) => square(fake - 1.0).mean(),
            (Loss::RpGan, Some(real)) => logistic(real - fake).mean(),
            // Without real images: against a logit of 0.
            (Loss::RpGan, None) => logistic(fake.neg()).mean(),
        }
    }
}

/// The mean of `|x - y|` over all values, `[1]`.
pub fn absolute_error(x: Tensor<4>, y: Tensor<4>) -> Tensor<1> {
    error(x, y, Error::Absolute)
}

/// The mean of `(x - y)^2` over all values, `[1]`.
pub fn squared_error(x: Tensor<4>, y: Tensor<4>) -> Tensor<1> {
    error(x, y, Error::Squared)
}

fn error(x: Tensor<4>, y: Tensor<4>, kind: Error) -> Tensor<1> {
    if kernels::on_cpu(&x) && kernels::on_cpu(&y) {
        return kernels::error(x, y, kind);
    }
    match kind {
        Error::Absolute => (x - y).abs().mean(),
        Error::Squared => square(x - y).mean(),
    }
}

fn square(x: Tensor<4>) -> Tensor<4> {
    x.clone() * x
}

/// `log(1 + exp(x))`, which does not overflow.
fn logistic(x: Tensor<4>) -> Tensor<4> {
    activation::log_sigmoid(x.neg()).neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn logits(values: [f32; 2]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [2, 1, 1, 1]), &Device::flex())
    }

    #[test]
    fn by_hand() {
        let (real, fake) = ([0.5f64, -1.0], [2.0f64, 0.25]);
        let softplus = |x: f64| (1.0 + x.exp()).ln();
        let mean = |f: &dyn Fn(usize) -> f64| (f(0) + f(1)) / 2.0;
        let cases: [(Loss, f64, f64); 5] = [
            (
                Loss::Lsgan,
                mean(&|i| ((real[i] - 1.0).powi(2) + fake[i].powi(2)) / 2.0),
                mean(&|i| (fake[i] - 1.0).powi(2)),
            ),
            (Loss::Wasserstein, mean(&|i| fake[i] - real[i]), mean(&|i| -fake[i])),
            (
                Loss::Bce,
                mean(&|i| softplus(-real[i]) + softplus(fake[i])),
                mean(&|i| softplus(-fake[i])),
            ),
            (
                Loss::Hinge,
                mean(&|i| (1.0 - real[i]).max(0.0) + (1.0 + fake[i]).max(0.0)),
                mean(&|i| -fake[i]),
            ),
            (
                Loss::RpGan,
                mean(&|i| softplus(fake[i] - real[i])),
                mean(&|i| softplus(real[i] - fake[i])),
            ),
        ];
        for (loss, d, g) in cases {
            let x = || logits(real.map(|v| v as f32));
            let y = || logits(fake.map(|v| v as f32));
            let got_d: f32 = loss.discriminator(x(), y(), 0.0).into_scalar();
            let got_g: f32 = loss.generator(Some(x()), y()).into_scalar();
            assert!((got_d as f64 - d).abs() < 1e-5, "{loss:?}: {got_d} {d}");
            assert!((got_g as f64 - g).abs() < 1e-5, "{loss:?}: {got_g} {g}");
        }
    }

    #[test]
    fn the_loss_at_chance_is_that_of_a_probability_of_one_half() {
        for loss in [Loss::Bce, Loss::Hinge, Loss::Lsgan, Loss::RpGan, Loss::Wasserstein] {
            let half = if loss == Loss::Lsgan { 0.5 } else { 0.0 };
            let got: f32 =
                loss.discriminator(logits([half; 2]), logits([half; 2]), 0.0).into_scalar();
            assert!((f64::from(got) - loss.at_chance().unwrap_or(0.0)).abs() < 1e-6, "{loss:?}");
            let probability: f32 = loss.probability(logits([half; 2])).mean().into_scalar();
            assert_eq!(probability, 0.5, "{loss:?}");
        }
    }

    #[test]
    fn a_smoothed_label_is_a_cross_entropy() {
        let (real, fake) = ([0.5f64, -1.0], [2.0f64, 0.25]);
        let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
        let entropy =
            |label: f64, x: f64| -label * sigma(x).ln() - (1.0 - label) * (1.0 - sigma(x)).ln();
        let want = (entropy(0.9, real[0])
            + entropy(0.9, real[1])
            + entropy(0.0, fake[0])
            + entropy(0.0, fake[1]))
            / 2.0;
        let [x, y] = [real, fake].map(|v| logits(v.map(|v| v as f32)));
        let got: f32 = Loss::Bce.discriminator(x, y, 0.1).into_scalar();
        assert!((got as f64 - want).abs() < 1e-5, "{got} {want}");
    }

    #[test]
    fn large_logits_stay_finite() {
        for loss in [Loss::Bce, Loss::Hinge, Loss::RpGan, Loss::Wasserstein] {
            let (x, y) = (logits([-500.0, 500.0]), logits([500.0, -500.0]));
            let d: f32 = loss.discriminator(x.clone(), y.clone(), 0.1).into_scalar();
            let g: f32 = loss.generator(Some(x), y).into_scalar();
            assert!(d.is_finite() && g.is_finite(), "{loss:?}: {d} {g}");
        }
    }
}
