//! Builds the networks of a run from its settings.

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use models::dcgan::{self, Unsupported};
use models::{Sequential, autoencoder, conditional, mlp, translate};
use rand::RngExt;
use rand::rngs::StdRng;

use super::adam::{Adam, Decay};
use super::condition::{Condition, with_condition};
use super::noise::{self, Stream};
use super::pool::Pool;
use super::spectral::Spectral;
use super::state::{Back, State};
use crate::config::{Config, Corruption, Network, Objective};

/// Networks and optimizers before the first step.
///
/// # Errors
/// [`Unsupported`] names the size or number of channels that no network takes.
pub fn fresh(cfg: &Config, device: &Device) -> Result<State, Unsupported> {
    let d = second(cfg, Stream::Discriminator, device)?;
    let beta2 = Decay::new(cfg.beta2);
    let adam = || ModuleOptimizer::from(Adam::new(cfg.beta1, beta2.clone()));
    let spectral = cfg.spectral.then(|| {
        let seed = seed(cfg, Stream::Spectral);
        Spectral::new(&d, seed, &device.clone().inner())
    });
    let back = match cfg.objective {
        Objective::Gan | Objective::Autoencoder | Objective::Vae | Objective::Pix2pix => None,
        Objective::Cyclegan => {
            let generator = || generator(cfg, Stream::BackGenerator, device);
            let image = [cfg.channels, cfg.size, cfg.size];
            let pool = || Pool::new(cfg.pool, image, device);
            Some(Back {
                g: generator()?,
                d: second(cfg, Stream::BackDiscriminator, device)?,
                ema: generator()?.valid(),
                opt_g: adam(),
                opt_d: adam(),
                pools: [pool(), pool()],
            })
        }
    };
    Ok(State {
        g: generator(cfg, Stream::Generator, device)?,
        d,
        // Built again rather than cloned: clones share their running statistics.
        ema: sampled(cfg, device)?.valid(),
        opt_g: adam(),
        opt_d: adam(),
        back,
        spectral,
        beta2,
        images: 0,
        retries: 0,
    })
}

fn seed(cfg: &Config, stream: Stream) -> u64 {
    noise::rng(cfg.seed, stream, 0).random()
}

/// The network that makes images: a generator with latents `[n, nz + labels, 1, 1]`, or a decoder
/// of codes.
fn generator(cfg: &Config, stream: Stream, device: &Device) -> Result<Sequential, Unsupported> {
    let (shape, seed) = (&cfg.shape(), seed(cfg, stream));
    let nz = cfg.nz + cfg.labels.len();
    let inputs = cfg.input_form().planes();
    let generator = match (cfg.network, cfg.objective) {
        (Network::Dcgan, _) => dcgan::generator_as(cfg.style(), shape, nz, cfg.ngf, seed, device),
        (Network::Mlp, Objective::Gan) => mlp::generator(shape, nz, cfg.ngf, seed, device),
        (Network::Mlp, Objective::Autoencoder | Objective::Vae) => {
            autoencoder::decoder(shape, &cfg.hidden, nz, seed, device)
        }
        (Network::Mlp, Objective::Pix2pix | Objective::Cyclegan) => {
            unreachable!("settings without one are refused")
        }
        (Network::Unet, _) => translate::unet(shape, inputs, &cfg.translator(), seed, device),
        (Network::Resnet, _) => {
            translate::resnet(shape, inputs, &cfg.translator(), cfg.blocks, seed, device)
        }
    }?;
    Ok(conditional::scale_label_weights(generator, cfg.labels.len()))
}

/// The network that sees images: a discriminator, or an encoder.
fn second(cfg: &Config, stream: Stream, device: &Device) -> Result<Sequential, Unsupported> {
    let (shape, seed) = (&mut cfg.shape(), seed(cfg, stream));
    if cfg.corruption == Corruption::Gray {
        shape.channels = 1;
    }
    let labels = cfg.labels.len();
    let values = match cfg.objective {
        Objective::Gan | Objective::Pix2pix | Objective::Cyclegan => 1,
        Objective::Autoencoder => cfg.nz,
        Objective::Vae => 2 * cfg.nz,
    };
    match (cfg.network, cfg.objective) {
        (Network::Dcgan, _) => {
            dcgan::encoder(shape, [labels, values], cfg.ndf, cfg.d_norm, seed, device)
        }
        (Network::Mlp, Objective::Gan) => {
            let dropout = cfg.dropout as f32;
            let d = mlp::conditional_discriminator(shape, labels, cfg.ndf, dropout, seed, device)?;
            Ok(conditional::scale_label_weights(d, labels))
        }
        (Network::Mlp, Objective::Autoencoder | Objective::Vae) => {
            autoencoder::encoder(shape, &cfg.hidden, values, seed, device)
        }
        (Network::Mlp, Objective::Pix2pix | Objective::Cyclegan) => {
            unreachable!("settings without one are refused")
        }
        (Network::Unet | Network::Resnet, _) => {
            let inputs = match cfg.objective {
                Objective::Cyclegan => 0,
                Objective::Gan | Objective::Autoencoder | Objective::Vae | Objective::Pix2pix => {
                    cfg.input_form().planes()
                }
            };
            translate::patch_discriminator(shape, inputs, cfg.ndf, cfg.d_norm, seed, device)
        }
    }
}

/// The network that is sampled and exported: the generator, or a decoder that takes latents from
/// N(0, 1).
fn sampled(cfg: &Config, device: &Device) -> Result<Sequential, Unsupported> {
    let generator = generator(cfg, Stream::Generator, device)?;
    Ok(match cfg.objective {
        // A variational autoencoder's codes are such latents.
        Objective::Gan | Objective::Vae | Objective::Pix2pix | Objective::Cyclegan => generator,
        Objective::Autoencoder => autoencoder::generator(generator, cfg.nz, device),
    })
}

/// Latents per forward pass when statistics are recomputed, bounded by memory.
const PASS: usize = 64;

/// The averaged generator ready for use, without gradients. For a GAN, batch norm's statistics are
/// recomputed over `latents` latents with the averaged weights; a decoder is not averaged and keeps
/// the statistics of codes.
pub fn finished(average: &Sequential, cfg: &Config, latents: usize, device: &Device) -> Sequential {
    average.settle();
    let record = average.clone().into_record();
    // A copy that shares no running statistics with the average, which training still updates.
    let copy =
        sampled(cfg, device).expect("a network of these settings exists").load_record(record);
    match cfg.objective {
        Objective::Gan => {}
        // The norms of a translator have no statistics of the training images.
        Objective::Autoencoder | Objective::Vae | Objective::Pix2pix | Objective::Cyclegan => {
            return copy.valid();
        }
    }
    let mut rng = noise::rng(cfg.seed, Stream::Statistics, 0);
    let batches: Vec<_> =
        (0..latents.div_ceil(PASS)).map(|_| random_latents(PASS, cfg, &mut rng, device)).collect();
    copy.no_grad().restandardize(batches).valid()
}

/// `n` latents from N(0, 1), followed by their classes in turn: `[n, nz + labels, 1, 1]`.
fn random_latents(n: usize, cfg: &Config, rng: &mut StdRng, device: &Device) -> Tensor<4> {
    let z = noise::latents(n, cfg.nz, rng, device);
    let labels: Vec<usize> = (0..n).map(|i| i % cfg.labels.len().max(1)).collect();
    with_condition(z, &Condition::new(cfg, Some(&labels), device))
}

/// The output of a generator scaled so that black is -1 and white is 1.
pub fn signed(images: Tensor<4>, cfg: &Config) -> Tensor<4> {
    match cfg.range() {
        (-1.0, 1.0) => images,
        (black, white) => (images - black) * (2.0 / f64::from(white - black)) - 1.0,
    }
}
