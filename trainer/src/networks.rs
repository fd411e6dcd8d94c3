//! The two networks of a run, by its settings, and what classes they are told.

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use models::dcgan::{self, Unsupported};
use models::{Sequential, autoencoder, conditional, mlp};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::adam::{Adam, Decay};
use crate::checkpoint::State;
use crate::config::{Config, Corruption, Network, Objective};
use crate::noise::{self, Stream};
use crate::spectral::Spectral;

/// Networks and optimisers as they are before the first step.
///
/// # Errors
/// [`Unsupported`] names what there is no network for.
pub fn fresh(cfg: &Config, device: &Device) -> Result<State, Unsupported> {
    let d = second(cfg, device)?;
    let beta2 = Decay::new(cfg.beta2);
    let adam = || ModuleOptimizer::from(Adam::new(cfg.beta1, beta2.clone()));
    let spectral = cfg.spectral.then(|| {
        let seed = seed(cfg, Stream::Spectral);
        Spectral::new(&d, seed, &device.clone().inner())
    });
    Ok(State {
        g: generator(cfg, device)?,
        d,
        // Made again rather than cloned: clones share their running statistics.
        ema: sampled(cfg, device)?.valid(),
        opt_g: adam(),
        opt_d: adam(),
        spectral,
        beta2,
        images: 0,
        retries: 0,
    })
}

fn seed(cfg: &Config, stream: Stream) -> u64 {
    noise::rng(cfg.seed, stream, 0).random()
}

/// The network that makes images: a generator of latents, `[n, nz + labels, 1, 1]`, or a decoder of codes.
fn generator(cfg: &Config, device: &Device) -> Result<Sequential, Unsupported> {
    let (shape, seed) = (&cfg.shape(), seed(cfg, Stream::Generator));
    let nz = cfg.nz + cfg.labels.len();
    let generator = match (cfg.network, cfg.objective) {
        (Network::Dcgan, _) => dcgan::generator_as(cfg.style(), shape, nz, cfg.ngf, seed, device),
        (Network::Mlp, Objective::Gan) => mlp::generator(shape, nz, cfg.ngf, seed, device),
        (Network::Mlp, Objective::Autoencoder | Objective::Vae) => {
            autoencoder::decoder(shape, &cfg.hidden, nz, seed, device)
        }
    }?;
    Ok(conditional::scale_label_weights(generator, cfg.labels.len()))
}

/// The network that sees images: a discriminator, or an encoder.
fn second(cfg: &Config, device: &Device) -> Result<Sequential, Unsupported> {
    let (shape, seed) = (&mut cfg.shape(), seed(cfg, Stream::Discriminator));
    if cfg.corruption == Corruption::Grey {
        shape.channels = 1;
    }
    let labels = cfg.labels.len();
    let values = match cfg.objective {
        Objective::Gan => 1,
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
    }
}

/// The network that is sampled and exported: the generator, or a decoder that takes latents from N(0, 1).
fn sampled(cfg: &Config, device: &Device) -> Result<Sequential, Unsupported> {
    let generator = generator(cfg, device)?;
    Ok(match cfg.objective {
        // A variational autoencoder's codes are such latents.
        Objective::Gan | Objective::Vae => generator,
        Objective::Autoencoder => autoencoder::generator(generator, cfg.nz, device),
    })
}

/// Latents in one pass when statistics are recomputed, bounded by memory.
const PASS: usize = 64;

/// The average generator ready for use, without gradients. Of a GAN's, batch norm's statistics are recomputed over
/// `latents` latents under the average's own weights; a decoder is no average, and its statistics are those of codes.
pub fn finished(average: &Sequential, cfg: &Config, latents: usize, device: &Device) -> Sequential {
    average.settle();
    let record = average.clone().into_record();
    // A copy that shares no running statistics with the average that training goes on with.
    let copy =
        sampled(cfg, device).expect("a network of these settings exists").load_record(record);
    match cfg.objective {
        Objective::Gan => {}
        Objective::Autoencoder | Objective::Vae => return copy.valid(),
    }
    let mut rng = noise::rng(cfg.seed, Stream::Statistics, 0);
    let batches: Vec<_> =
        (0..latents.div_ceil(PASS)).map(|_| random_latents(PASS, cfg, &mut rng, device)).collect();
    copy.no_grad().restandardize(batches).valid()
}

/// `n` latents from N(0, 1), with the classes in turn behind them: `[n, nz + labels, 1, 1]`.
fn random_latents(n: usize, cfg: &Config, rng: &mut StdRng, device: &Device) -> Tensor<4> {
    let z = noise::latents(n, cfg.nz, rng, device);
    let labels: Vec<usize> = (0..n).map(|i| i % cfg.labels.len().max(1)).collect();
    told_latents(z, &Told::new(cfg, Some(&labels), device))
}

/// The classes of a batch, as the networks take them.
pub struct Told {
    classes: Tensor<4>,
    network: Network,
}

impl Told {
    /// The classes `labels` of a batch; none of a run that is not conditional.
    pub fn new(cfg: &Config, labels: Option<&[usize]>, device: &Device) -> Option<Told> {
        let labels = labels.filter(|_| !cfg.labels.is_empty())?;
        Some(Told {
            classes: conditional::one_hot(labels, cfg.labels.len(), device),
            network: cfg.network,
        })
    }

    /// Images with their classes, as the discriminator takes them.
    pub fn beside(&self, x: Tensor<4>) -> Tensor<4> {
        match self.network {
            Network::Dcgan => conditional::planes(x, self.classes.clone()),
            Network::Mlp => conditional::values(x, self.classes.clone()),
        }
    }

    /// How many planes [`Told::beside`] adds.
    pub fn planes(&self) -> usize {
        self.classes.dims()[1]
    }
}

/// Latents with their classes, where there are any.
pub fn told_latents(z: Tensor<4>, told: &Option<Told>) -> Tensor<4> {
    match told {
        Some(told) => conditional::latents(z, told.classes.clone()),
        None => z,
    }
}
