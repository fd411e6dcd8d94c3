//! Every setting of a run, with its default and the reason for it.
//!
//! A run's settings are the defaults, overridden by a recipe (a TOML file with a few of the keys
//! below), overridden by the command line. The result is written into the run's folder as
//! `options.json`.

use std::path::PathBuf;

use runtime::op::Shape;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::device::Device;
use super::names::{
    Corruption, Drawing, Network, Objective, Output, Penalty, Precision, Rates, Upsample,
};
use crate::data::{Crop, Form, Pair};
use crate::objective::augment::Augment;
use crate::objective::loss::Loss;

/// The settings of a run. The defaults are those of `drawn`, the recipe for a first run on two CPU
/// cores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder, archive or arrays of images (docs/data.md); none: the built-in drawn faces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Folder, zip archive or IDX files of inputs with the names of the images in `data`, which are the
    /// targets; for `pix2pix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_a: Option<PathBuf>,
    /// The other set of images of a `cyclegan`, in any form that `data` takes; `data` is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_b: Option<PathBuf>,
    /// Where the inputs of `pix2pix` come from without `data_a`: the `left` or `right` half of each
    /// image, whose other half is the target (of drawn faces the line drawing), or made from the image:
    /// `edges`, `gray`, `blur` or `mask` (without a square).
    pub pair: Pair,
    /// Number of images to draw without `data`: enough that each is seen only a few times.
    pub drawn: usize,
    /// What is drawn: `faces` or `digits` (which have labels).
    pub draw: Drawing,
    /// What is trained: `gan` (a generator against a discriminator), `autoencoder` or `vae` (an
    /// encoder and a decoder, which is the generator), `pix2pix` (a generator of images from images)
    /// or `cyclegan` (two, from one set of images to another and back, without pairs).
    pub objective: Objective,
    /// Which pair of networks: `dcgan` (convolutions) or `mlp` (dense layers); for `pix2pix` and
    /// `cyclegan` `unet` (skip connections) or `resnet` (residual blocks), both with a discriminator of
    /// patches.
    pub network: Network,
    /// Condition both networks of a `gan` on the class of each image: one folder per class, or
    /// arrays with labels.
    pub conditional: bool,
    /// The classes of a conditional run; found in the data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Widths of the layers between image and code of a dense autoencoder, the image's side first.
    pub hidden: Vec<usize>,
    /// What an autoencoder has to undo: `none`, `noise` or `gray` (it sees no colors).
    pub corruption: Corruption,
    /// Standard deviation of that noise, where black is 0 and white 1.
    pub noise: f64,
    /// Weight of a `vae`'s divergence from the prior: 1 is the bound on the likelihood; more gives
    /// smoother codes, less sharper images.
    pub kl: f64,
    /// Side of the images in pixels: 16, 32, 64 or 128; dense networks take 8 to 64, translators 32,
    /// 64, 128 or 256.
    pub size: usize,
    /// 1 (gray) or 3 (color).
    pub channels: usize,
    /// Length of the latent: 100 in the DCGAN paper.
    pub nz: usize,
    /// Width of the generator before the image; 64 in the tutorials. Cost grows with its square.
    pub ngf: usize,
    /// Width of the discriminator after the image; 64 in the tutorials.
    pub ndf: usize,
    /// Batch norm in the generator; without it weights start larger and layers have a bias.
    pub g_norm: bool,
    /// Batch norm in the discriminator, as in the paper. It couples the images of a batch, which
    /// rules out a gradient penalty.
    pub d_norm: bool,
    /// Dropout rate of a dense discriminator, or of the first layers of a U-Net's decoder.
    pub dropout: f64,
    /// Whether the decoder of a `unet` sees the maps of its encoder; without, it is a plain encoder and
    /// decoder, to compare with.
    pub skips: bool,
    /// Residual blocks of a `resnet`: 6 in the paper for 128 pixels, 9 for 256.
    pub blocks: usize,
    /// How the generator doubles the size of a map: `transposed` (convolutions, as in the paper) or
    /// `resize` (repeated pixels, then a convolution, which avoids checkerboards; exported as the
    /// equivalent transposed convolution).
    pub upsample: Upsample,
    /// The last activation of the generator: `tanh` or `linear` (clipped when shown); `sigmoid` for
    /// autoencoders.
    pub output: Output,
    /// What the two networks minimize: `bce`, `hinge`, `rpgan` or `wasserstein`; for `pix2pix` and
    /// `cyclegan` also `lsgan`, but not `wasserstein`.
    pub loss: Loss,
    /// Weight of the mean absolute error in the loss of a `pix2pix` generator: 100 in the paper.
    pub l1: f64,
    /// Weight of the mean absolute error of a `cyclegan` there and back: 10 in the paper.
    pub cycle: f64,
    /// Weight of the change of images that are in the other set already, as a multiple of `cycle`:
    /// 0.5 in the paper, where colors have to stay.
    pub identity: f64,
    /// Earlier translations that each discriminator of a `cyclegan` sees again: 50 in the paper.
    pub pool: usize,
    /// Label smoothing for `bce`: the label of real images is 1 minus this; 0.1 in the papers that
    /// use it.
    pub smooth: f64,
    /// Gradient penalties of the discriminator: `none`, `r1` (at real images), `r2` (at fakes) or
    /// `r1r2`.
    pub penalty: Penalty,
    /// Weight of the penalty: `gamma / 2` times the squared length of the gradient. Higher is more
    /// stable and less diverse.
    pub gamma: f64,
    /// Steps per penalty, whose weight is scaled by this: a higher interval costs less.
    pub penalty_every: u64,
    /// Spectral normalization of the discriminator.
    pub spectral: bool,
    /// Weight clipping of the discriminator for `wasserstein`: 0.01 in the paper; 0: none.
    pub clip: f64,
    /// Discriminator steps per generator step: 5 in the paper on Wasserstein GANs.
    pub d_steps: u64,
    /// Initial standard deviation of noise on the discriminator's input; it falls to 0 over `ramp`.
    pub instance_noise: f64,
    /// Differentiable augmentation: `none`, or some of `color,translation,cutout`. For small data.
    pub augment: Augment,
    /// Probability that an image is augmented.
    pub augment_p: f64,
    /// Images per step. On a small budget the number of updates matters more: 32, not 128 as in the
    /// tutorials.
    pub batch: usize,
    /// Number of images to train on in total.
    pub images: u64,
    /// Number of passes over the data; overrides `images`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Learning rate of Adam: 2e-4 in the paper.
    pub lr: f64,
    /// Learning rate of the discriminator, as a multiple of `lr`.
    pub lr_d: f64,
    /// Decay of Adam's first moment: 0.5 in the paper, since 0.9 oscillates.
    pub beta1: f64,
    /// Decay of Adam's second moment.
    pub beta2: f64,
    /// Number of images over which `lr`, `beta2`, `gamma` and `augment_p` move to their final
    /// values below, along half a cosine, and `instance_noise` to 0. 0: final values from the
    /// start.
    pub ramp: u64,
    /// Final value of `lr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_end: Option<f64>,
    /// Final value of `beta2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2_end: Option<f64>,
    /// Final value of `gamma`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma_end: Option<f64>,
    /// Final value of `augment_p`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment_p_end: Option<f64>,
    /// Half-life, in images, of the average of the generator that is sampled and exported; 0: no
    /// average.
    pub ema: u64,
    /// Square cut out of each image: `center` (the largest square), a number of pixels (CelebA:
    /// 108, 140 or 178), `celeba128`.
    pub crop: Crop,
    /// Exchange rows and columns of each image: EMNIST's lie transposed.
    pub transpose: bool,
    /// Share of the images that is held out, by content, to detect overfitting; 0: none.
    pub held_out: f64,
    /// Number of images between two scores of the samples (SWD, MS-SSIM); 0: none.
    pub score_every: u64,
    /// Mirror every other image at random: faces are symmetric.
    pub mirror: bool,
    /// Pixels by which the images of `pix2pix` and `cyclegan` are enlarged before a window of `size` is
    /// cut at random: 30 in the papers, for 256 pixels; 0: none.
    pub jitter: usize,
    /// Threads that read and decode images; 0: one per core.
    pub workers: usize,
    /// Where to train: `cpu`, `vulkan`, `vulkan:N` or `auto` (a GPU if there is one).
    pub device: Device,
    /// Arithmetic on a GPU: `f32`, or `mixed` (16-bit floats on matrix units, summed in 32 bits),
    /// which not every GPU has.
    pub precision: Precision,
    /// Seed of weights, order of the data and latents.
    pub seed: u64,
    /// Number of images between two lines of the log and rows of `stats.jsonl`.
    pub log_every: u64,
    /// Number of images between two grids of samples.
    pub grid_every: u64,
    /// Write a grid of samples and D's outputs after every epoch instead of every `grid_every`
    /// images.
    pub per_epoch: bool,
    /// Number of images between two checkpoints.
    pub checkpoint_every: u64,
    /// Number of checkpoints to keep; older ones are removed.
    pub keep: usize,
    /// License of the data, stored in the exported files.
    pub license: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: None,
            data_a: None,
            data_b: None,
            pair: Pair::Left,
            drawn: 20_000,
            draw: Drawing::Faces,
            objective: Objective::Gan,
            network: Network::Dcgan,
            conditional: false,
            labels: Vec::new(),
            hidden: vec![128, 64, 12],
            corruption: Corruption::None,
            noise: 0.2,
            kl: 1.0,
            size: 32,
            channels: 3,
            nz: 64,
            ngf: 32,
            ndf: 32,
            g_norm: true,
            d_norm: true,
            dropout: 0.3,
            skips: true,
            blocks: 6,
            upsample: Upsample::Transposed,
            output: Output::Tanh,
            loss: Loss::Bce,
            l1: 100.0,
            cycle: 10.0,
            identity: 0.5,
            pool: 50,
            smooth: 0.0,
            penalty: Penalty::None,
            gamma: 1.0,
            penalty_every: 1,
            spectral: false,
            clip: 0.0,
            d_steps: 1,
            instance_noise: 0.0,
            augment: Augment::default(),
            augment_p: 1.0,
            batch: 32,
            images: 240_000,
            epochs: None,
            lr: 2e-4,
            lr_d: 1.0,
            beta1: 0.5,
            beta2: 0.999,
            ramp: 0,
            lr_end: None,
            beta2_end: None,
            gamma_end: None,
            augment_p_end: None,
            ema: 5_000,
            crop: Crop::Center,
            transpose: false,
            held_out: 0.0,
            score_every: 0,
            mirror: false,
            jitter: 0,
            workers: 0,
            device: Device::Cpu,
            precision: Precision::F32,
            seed: 0,
            log_every: 1_000,
            grid_every: 10_000,
            per_epoch: false,
            checkpoint_every: 10_000,
            keep: 2,
            license: String::new(),
        }
    }
}

impl Config {
    /// As a table of keys; those without a value are absent.
    pub(super) fn to_table(&self) -> Table {
        Table::try_from(self).expect("plain numbers, strings and booleans are TOML")
    }

    /// Output values of black and white.
    pub fn range(&self) -> (f32, f32) {
        match self.output {
            Output::Tanh | Output::Linear => (-1.0, 1.0),
            Output::Sigmoid => (0.0, 1.0),
        }
    }

    /// Images per training step: one batch per discriminator step.
    pub fn step(&self) -> usize {
        self.batch * self.d_steps as usize
    }

    /// How the generator differs from the paper's.
    pub fn style(&self) -> models::dcgan::Style {
        use models::dcgan;
        dcgan::Style {
            upsample: match self.upsample {
                Upsample::Transposed => dcgan::Upsample::Transposed,
                Upsample::Resize => dcgan::Upsample::Resize,
            },
            norm: self.g_norm,
            output: match self.output {
                Output::Tanh => dcgan::Output::Tanh,
                Output::Linear => dcgan::Output::Linear,
                Output::Sigmoid => dcgan::Output::Sigmoid,
            },
        }
    }

    /// How a translator's generator differs from the paper's.
    pub fn translator(&self) -> models::translate::Style {
        models::translate::Style {
            ngf: self.ngf,
            upsample: self.style().upsample,
            dropout: self.dropout as f32,
            skips: self.skips,
        }
    }

    /// The rates of the step after `images` images.
    pub fn rates(&self, images: u64) -> Rates {
        let done = match self.ramp {
            0 => 1.0,
            ramp => (images as f64 / ramp as f64).min(1.0),
        };
        // Half a cosine, as in Huang et al. 2025, appendix.
        let left = 0.5 + 0.5 * (std::f64::consts::PI * done).cos();
        let between = |from: f64, to: Option<f64>| {
            let to = to.unwrap_or(from);
            to + (from - to) * left
        };
        Rates {
            lr: between(self.lr, self.lr_end),
            beta2: between(self.beta2, self.beta2_end),
            gamma: between(self.gamma, self.gamma_end),
            augment_p: between(self.augment_p, self.augment_p_end),
            noise: between(self.instance_noise, Some(0.0)),
        }
    }

    /// Number of images to train on in total, for a data set of `len` images.
    pub fn total(&self, len: usize) -> u64 {
        match self.epochs {
            Some(epochs) => (epochs * len as f64).ceil() as u64,
            None => self.images,
        }
    }

    /// Threads that decode: `workers`, or one per core.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }

    /// The form of the images.
    pub fn form(&self) -> Form {
        Form {
            size: self.size as u32,
            channels: self.channels,
            crop: self.crop,
            transpose: self.transpose,
        }
    }

    /// The form of what a translator's images are made from.
    pub fn input_form(&self) -> Form {
        let channels = match (&self.data_a, &self.data, self.pair) {
            _ if self.objective == Objective::Cyclegan => self.channels,
            (Some(_), _, _) => self.channels,
            // The line drawings of drawn faces.
            (None, None, Pair::Left | Pair::Right) => 1,
            (None, _, pair) => pair.channels(self.channels),
        };
        Form { channels, ..self.form() }
    }

    /// The shape of what a translator's images are made from.
    pub fn input_shape(&self) -> Shape {
        Shape::new(self.input_form().planes(), self.size, self.size)
    }

    /// Whether the generator makes images from images.
    pub fn translates(&self) -> bool {
        match self.objective {
            Objective::Pix2pix | Objective::Cyclegan => true,
            Objective::Gan | Objective::Autoencoder | Objective::Vae => false,
        }
    }

    /// Names of the generators that are exported.
    pub fn exports(&self) -> &'static [&'static str] {
        match self.objective {
            Objective::Gan | Objective::Autoencoder | Objective::Vae | Objective::Pix2pix => {
                &["generator"]
            }
            Objective::Cyclegan => &["a-to-b", "b-to-a"],
        }
    }

    /// The shape of the images.
    pub fn shape(&self) -> models::dcgan::Shape {
        models::dcgan::Shape { size: self.size, channels: self.channels }
    }
}
