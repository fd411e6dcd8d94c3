//! An autoencoder by the folder of its run.

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use trainer::config::{Config, Objective};
use trainer::data::{DataSet, Form};
use trainer::networks::{self, State};
use trainer::objective::coder::Coder;
use trainer::run::Run;

use super::generator::{exported, newest};
use super::images;
use super::output::say;

/// The newest checkpoint of an autoencoder's run.
pub struct Trained {
    pub cfg: Config,
    pub state: State,
    pub device: Device,
}

impl Trained {
    /// Opens the run in `root`.
    ///
    /// # Errors
    /// One that names the run: it is of another kind, or holds no checkpoint yet.
    pub fn open(root: &Path) -> Result<Trained, Box<dyn Error>> {
        let run = Run::at(root);
        let cfg = Config::load(&run.options())?;
        if cfg.objective == Objective::Gan {
            return Err(format!(
                "{} is a run of a GAN, which has no encoder: give a run of an autoencoder, such as one of \
                 the recipes autoencoder, denoising-autoencoder, vae, duplicates or colorize",
                root.display()
            )
            .into());
        }
        if cfg.translates() {
            return Err(format!(
                "{} is a run that translates images, which has no codes: translate with: runtime \
                 translate {}",
                root.display(),
                exported(&run, &cfg).display()
            )
            .into());
        }
        let checkpoint = newest(&run)?;
        let device = cfg.device.open();
        let state = checkpoint.state(networks::fresh(&cfg, &device)?, None)?;
        Ok(Trained { cfg, state, device })
    }

    /// Encoder and decoder.
    pub fn coder(&self) -> Coder<'_> {
        Coder::new(&self.state, &self.cfg, &self.device)
    }

    /// The images of `path` in the form of the run's.
    ///
    /// # Errors
    /// One that names the path.
    pub fn data(&self, path: &Path) -> Result<DataSet, Box<dyn Error>> {
        let Config { size, channels, crop, transpose, .. } = self.cfg;
        let form = Form { size: size as u32, channels, crop, transpose };
        let data = images::from(path, &form, self.cfg.threads())?;
        say(images::describe(&data) + "\n");
        Ok(data)
    }
}

/// What image `i` is called in a list.
pub fn name(data: &DataSet, i: usize) -> String {
    data.name(i).map_or_else(|| format!("image {i}"), Into::into)
}

/// A field of a CSV file (RFC 4180).
pub fn field(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into(),
    }
}
