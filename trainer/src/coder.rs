//! An autoencoder at work: images to codes and back, in batches, without gradients.

use burn::tensor::{Device, Tensor, TensorData};
use models::Sequential;

use crate::checkpoint::State;
use crate::config::{Config, Corruption, Objective};
use crate::data::{DataError, DataSet};
use crate::noise::{self, Stream};

/// Images at a time, bounded by memory.
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

/// What became of some images. Pictures are `[n, c, h, w]` with black 0 and white 1.
pub struct Coded {
    /// As they were.
    pub originals: Tensor<4>,
    /// As the encoder saw them.
    pub seen: Tensor<4>,
    /// Their codes, `[n, nz, 1, 1]`; of a variational autoencoder the means.
    pub codes: Tensor<4>,
    /// Logarithms of the variances about those means; of a variational autoencoder only.
    pub log_variances: Option<Tensor<4>>,
    /// As they come back.
    pub restored: Tensor<4>,
}

/// Whether what the encoder sees is spoilt first, as in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// As in training, by the numbers of the first image's place.
    As(u64),
    /// It is what it is: images that came spoilt.
    No,
}

impl<'a> Coder<'a> {
    /// That of a state of a run that has one.
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

    /// Codes images `[n, c, h, w]` with black 0 and white 1, and decodes them again.
    pub fn code(&self, originals: Tensor<4>, spoil: Spoil) -> Coded {
        let seen = match spoil {
            Spoil::As(place) => {
                // Counted down, where training counts images up.
                let mut rng = noise::rng(self.cfg.seed, Stream::Corruption, u64::MAX - place);
                spoilt(originals.clone(), self.cfg, &mut rng)
            }
            Spoil::No if self.cfg.corruption == Corruption::Grey => grey(originals.clone()),
            Spoil::No => originals.clone(),
        };
        let values = self.encoder.forward(seen.clone());
        let nz = self.cfg.nz;
        let (codes, log_variances) = match self.cfg.objective {
            Objective::Vae => (values.clone().narrow(1, 0, nz), Some(values.narrow(1, nz, nz))),
            Objective::Gan | Objective::Autoencoder => (values, None),
        };
        let restored = self.decode(codes.clone());
        let restored = match self.cfg.corruption {
            Corruption::Grey => coloured(restored, seen.clone()),
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

    /// Codes the images `which` of `data`, some at a time.
    ///
    /// # Errors
    /// [`DataError`] where an image's file has gone.
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
/// [`DataError`] where an image's file has gone.
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

/// At most `count` of a data set's images, evenly spread.
pub fn evenly(data: &DataSet, count: usize) -> Vec<usize> {
    let count = count.min(data.len());
    (0..count).map(|i| i * data.len() / count).collect()
}

/// Images as an autoencoder gets to see them in training.
pub fn spoilt(x: Tensor<4>, cfg: &Config, rng: &mut rand::rngs::StdRng) -> Tensor<4> {
    match cfg.corruption {
        Corruption::None => x,
        Corruption::Noise => {
            let noise = noise::normal(x.dims(), rng, &x.device());
            x + noise * cfg.noise
        }
        Corruption::Grey => grey(x),
    }
}

/// Luma of colour images: `[n, 1, h, w]`.
fn grey(x: Tensor<4>) -> Tensor<4> {
    let planes = x.split(1, 1).into_iter().zip(LUMA);
    let weighted = planes.map(|(plane, weight)| plane * weight);
    weighted.reduce(|a, b| a + b).unwrap_or_else(|| unreachable!("images have planes"))
}

/// The colours of `x` on the luma of `grey`.
fn coloured(x: Tensor<4>, grey: Tensor<4>) -> Tensor<4> {
    let off = grey - self::grey(x.clone());
    (x + off).clamp(0.0, 1.0)
}
