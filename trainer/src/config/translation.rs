//! Settings of objectives that make images from images, and combinations of them that are refused.

use super::error::ConfigError;
use super::names::{Corruption, Drawing, Objective, Output, Penalty};
use super::settings::Config;
use crate::data::Pair;
use crate::objective::loss::Loss;

fn off(key: &'static str, value: impl Into<String>, want: &'static str) -> Result<(), ConfigError> {
    Err(ConfigError::Range(key, value.into(), want))
}

impl Config {
    /// Settings that do not go together with images from images.
    pub(super) fn agree_on_translation(&self) -> Result<(), ConfigError> {
        let objective = match self.objective {
            Objective::Cyclegan => "cyclegan",
            Objective::Pix2pix | Objective::Gan | Objective::Autoencoder | Objective::Vae => {
                "pix2pix"
            }
        };
        if self.penalty != Penalty::None
            || self.spectral
            || self.clip > 0.0
            || self.d_steps > 1
            || self.instance_noise > 0.0
            || !self.augment.is_none()
            || self.conditional
            || self.corruption != Corruption::None
        {
            let want = "another for penalty, spectral, clip, d_steps, instance_noise, augment, \
                        conditional and corruption";
            return off("objective", objective, want);
        }
        if self.loss == Loss::Wasserstein {
            let want = "bce, hinge, lsgan or rpgan for pix2pix and cyclegan";
            return off("loss", "wasserstein", want);
        }
        if self.output != Output::Tanh || !self.g_norm {
            return off("objective", objective, "another for output and g_norm");
        }
        match self.objective {
            Objective::Cyclegan => self.agree_on_sets(),
            Objective::Pix2pix | Objective::Gan | Objective::Autoencoder | Objective::Vae => {
                self.agree_on_pairs()
            }
        }
    }

    fn agree_on_pairs(&self) -> Result<(), ConfigError> {
        if self.data_a.is_some() && self.data.is_none() {
            return off("data_a", "given", "given together with data, the targets");
        }
        if self.data_a.is_some() && self.pair != Pair::Left {
            let want = "left out with data_a, which has the inputs";
            return off("pair", self.pair.to_string(), want);
        }
        if self.pair == Pair::Gray && self.channels == 1 {
            let want = "another for gray images, which have no colors to learn";
            return off("pair", "gray", want);
        }
        if self.data.is_none() && self.draw == Drawing::Digits && !self.pair.is_made() {
            let want = "edges, blur or mask for drawn digits, which have no line drawings";
            return off("pair", self.pair.to_string(), want);
        }
        Ok(())
    }

    fn agree_on_sets(&self) -> Result<(), ConfigError> {
        match (&self.data, &self.data_b) {
            (Some(_), None) => {
                let want = "given for cyclegan: the images that those of data are to become";
                return off("data_b", "missing", want);
            }
            (None, Some(_)) => {
                return off("data_b", "given", "given together with data, the first set");
            }
            (Some(data), Some(other)) if data == other => {
                let want = "another set than data: there would be nothing to learn";
                return off("data_b", other.display().to_string(), want);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if self.data.is_none() && self.draw == Drawing::Digits {
            let want = "faces for cyclegan, whose drawn sets are faces and faces in winter";
            return off("draw", "digits", want);
        }
        Ok(())
    }
}
