//! A trained autoencoder: images to codes and back, in batches, without gradients.

use burn::tensor::{Device, Tensor, TensorData};
use models::Sequential;

use crate::config::{Config, Corruption, Objective};
use crate::data::{DataError, DataSet};
use crate::networks::State;
use crate::networks::noise::{self, Stream};

/// Images per forward pass, bounded by memory.
const PASS: usize = 64;
/// Luma of red, green and blue (ITU-R BT.601, section 2.5.1).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Encoder and decoder of a run.
pub struct Coder<'a> {
    encoder: Sequential,
    decoder: Sequential,
    cfg: &'a Config,
    device: Device,
}

/// Images, their codes and reconstructions. Images are `[n, c, h, w]`, black 0 and white 1.
pub struct Coded {
    /// The images.
    pub originals: Tensor<4>,
    /// The images as the encoder sees them.
    pub seen: Tensor<4>,
    /// Their codes, `[n, nz, 1, 1]`; for a variational autoencoder the means.
    pub codes: Tensor<4>,
    /// Logarithms of the variances, for a variational autoencoder.
    pub log_variances: Option<Tensor<4>>,
    /// The reconstructions.
    pub restored: Tensor<4>,
}

/// Whether images are corrupted before they are encoded, as in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// As in training, with the random numbers of the index of the first image.
    As(u64),
    /// They are encoded as they are: already corrupted images.
    No,
}

impl<'a> Coder<'a> {
    /// Encoder and decoder of `state`.
    pub fn new(state: &State, cfg: &'a Config, device: &Device) -> Coder<'a> {
        use burn::module::Module;
        state.g.settle();
        state.d.settle();
        Coder {
            encoder: state.d.valid(),
            decoder: state.g.valid(),
            cfg,
            device: device.clone().inner(),
        }
    }

    /// Encodes and decodes images `[n, c, h, w]`, black 0 and white 1.
    pub fn code(&self, originals: Tensor<4>, spoil: Spoil) -> Coded {
        let seen = match spoil {
            Spoil::As(place) => {
                // Counts down, since training counts images up.
                let mut rng = noise::rng(self.cfg.seed, Stream::Corruption, u64::MAX - place);
                corrupted(originals.clone(), self.cfg, &mut rng)
            }
            Spoil::No if self.cfg.corruption == Corruption::Gray => gray(originals.clone()),
            Spoil::No => originals.clone(),
        };
        let values = self.encoder.forward(seen.clone());
        let nz = self.cfg.nz;
        let (codes, log_variances) = match self.cfg.objective {
            Objective::Vae => (values.clone().narrow(1, 0, nz), Some(values.narrow(1, nz, nz))),
            Objective::Gan | Objective::Autoencoder | Objective::Pix2pix | Objective::Cyclegan => {
                (values, None)
            }
        };
        let restored = self.decode(codes.clone());
        let restored = match self.cfg.corruption {
            Corruption::Gray => colored(restored, seen.clone()),
            Corruption::None | Corruption::Noise => restored,
        };
        Coded { originals, seen, codes, log_variances, restored }
    }

    /// The images of codes `[n, nz, 1, 1]`.
    pub fn decode(&self, codes: Tensor<4>) -> Tensor<4> {
        self.decoder.forward(codes)
    }

    /// The decoder's values before the logistic function.
    pub fn logits(&self, codes: Tensor<4>) -> Tensor<4> {
        self.decoder.logits(codes)
    }

    /// Encodes and decodes the images `which` of `data`, batch by batch.
    ///
    /// # Errors
    /// [`DataError`] if the file of an image is gone.
    pub fn each(
        &self,
        data: &DataSet,
        which: &[usize],
        spoil: bool,
        mut take: impl FnMut(Coded),
    ) -> Result<(), DataError> {
        for (pass, which) in which.chunks(PASS).enumerate() {
            let spoil = match spoil {
                true => Spoil::As((pass * PASS) as u64),
                false => Spoil::No,
            };
            take(self.code(load(data, which, &self.device)?, spoil));
        }
        Ok(())
    }
}

/// The images `which` of `data`, `[n, c, h, w]`, black 0 and white 1.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn load(data: &DataSet, which: &[usize], device: &Device) -> Result<Tensor<4>, DataError> {
    let form = data.form();
    let (side, planes) = (form.size as usize, form.planes());
    let mut values = Vec::with_capacity(which.len() * form.values());
    for &i in which {
        data.with(i, |pixels| {
            values.extend(pixels.iter().map(|&v| f32::from(v) / 255.0));
        })?;
    }
    let data = TensorData::new(values, [which.len(), planes, side, side]);
    Ok(Tensor::from_data(data, device))
}

/// Images as the encoder sees them in training.
pub fn corrupted(x: Tensor<4>, cfg: &Config, rng: &mut rand::rngs::StdRng) -> Tensor<4> {
    match cfg.corruption {
        Corruption::None => x,
        Corruption::Noise => {
            let noise = noise::normal(x.dims(), rng, &x.device());
            x + noise * cfg.noise
        }
        Corruption::Gray => gray(x),
    }
}

/// Luma of color images: `[n, 1, h, w]`.
fn gray(x: Tensor<4>) -> Tensor<4> {
    let planes = x.split(1, 1).into_iter().zip(LUMA);
    let weighted = planes.map(|(plane, weight)| plane * weight);
    weighted.reduce(|a, b| a + b).unwrap_or_else(|| unreachable!("images have planes"))
}

/// The colors of `x` on the luma of `gray`.
fn colored(x: Tensor<4>, gray: Tensor<4>) -> Tensor<4> {
    let off = gray - self::gray(x.clone());
    (x + off).clamp(0.0, 1.0)
}
