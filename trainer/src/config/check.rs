//! Valid settings, and combinations that are not.

use std::fmt;

use super::error::ConfigError;
use super::names::{Corruption, Network, Objective, Output, Penalty, Upsample};
use super::settings::Config;
use crate::data::Pair;
use crate::objective::loss::Loss;

impl Config {
    /// Refuses values that make no sense, alone or together.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.counts()?;
        self.numbers()?;
        self.agree()
    }

    fn counts(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("batch", self.batch as u64),
            ("nz", self.nz as u64),
            ("ngf", self.ngf as u64),
            ("ndf", self.ndf as u64),
            ("blocks", self.blocks as u64),
            ("drawn", self.drawn as u64),
            ("log_every", self.log_every),
            ("grid_every", self.grid_every),
            ("checkpoint_every", self.checkpoint_every),
            ("keep", self.keep as u64),
            ("penalty_every", self.penalty_every),
            ("d_steps", self.d_steps),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                return Err(ConfigError::Range(key, "0".into(), "at least 1"));
            }
        }
        // Larger widths are typing errors, and would end in a failed allocation.
        let at_most = [
            ("batch", self.batch, 65_536, "at most 65536"),
            ("nz", self.nz, 4_096, "at most 4096"),
            ("ngf", self.ngf, 1_024, "at most 1024"),
            ("ndf", self.ndf, 1_024, "at most 1024"),
            ("blocks", self.blocks, 9, "at most 9: an exported model has at most 64 layers"),
            ("workers", self.workers, 1_024, "at most 1024"),
            ("d_steps", self.d_steps as usize, 100, "at most 100"),
            ("pool", self.pool, 1_000, "at most 1000"),
            ("jitter", self.jitter, self.size, "at most the size"),
            ("drawn", self.drawn, 10_000_000, "at most 10000000"),
        ];
        for (key, value, limit, want) in at_most {
            if value > limit {
                return Err(ConfigError::Range(key, value.to_string(), want));
            }
        }
        if self.labels.len() > 256 {
            let got = format!("{} names", self.labels.len());
            return Err(ConfigError::Range("labels", got, "at most 256 classes"));
        }
        if self.hidden.len() > 8 || self.hidden.iter().any(|n| !(1..=8_192).contains(n)) {
            let got = format!("{:?}", self.hidden);
            let want = "at most 8 layers of 1 to 8192 values";
            return Err(ConfigError::Range("hidden", got, want));
        }
        if let Some(want) = self.network.refuses(self.size) {
            return Err(ConfigError::Range("size", self.size.to_string(), want));
        }
        if ![1, 3].contains(&self.channels) {
            let want = "1 (gray) or 3 (color)";
            return Err(ConfigError::Range("channels", self.channels.to_string(), want));
        }
        Ok(())
    }

    fn numbers(&self) -> Result<(), ConfigError> {
        let end = |value: Option<f64>, start: f64| value.unwrap_or(start);
        let above_0 = (f64::MIN_POSITIVE, f64::MAX, "above 0");
        let from_0 = (0.0, f64::MAX, "0 or more");
        let share = (0.0, 1.0, "from 0 to 1");
        let rate = (0.0, 1.0 - f64::EPSILON, "at least 0 and below 1");
        let ranges = [
            ("lr", self.lr, above_0),
            ("lr_end", end(self.lr_end, self.lr), above_0),
            ("lr_d", self.lr_d, above_0),
            ("beta1", self.beta1, rate),
            ("beta2", self.beta2, rate),
            ("beta2_end", end(self.beta2_end, self.beta2), rate),
            ("gamma", self.gamma, from_0),
            ("gamma_end", end(self.gamma_end, self.gamma), from_0),
            ("augment_p", self.augment_p, share),
            ("augment_p_end", end(self.augment_p_end, self.augment_p), share),
            ("instance_noise", self.instance_noise, from_0),
            ("clip", self.clip, from_0),
            ("noise", self.noise, (0.0, 2.0, "from 0 to 2")),
            ("kl", self.kl, from_0),
            ("l1", self.l1, from_0),
            ("cycle", self.cycle, from_0),
            ("identity", self.identity, from_0),
            ("smooth", self.smooth, (0.0, 0.5, "from 0 to 0.5")),
            ("held_out", self.held_out, (0.0, 0.5, "from 0 to 0.5")),
            ("dropout", self.dropout, (0.0, 0.9, "from 0 to 0.9")),
        ];
        for (key, value, (least, most, want)) in ranges {
            if !(least..=most).contains(&value) {
                return Err(ConfigError::Range(key, value.to_string(), want));
            }
        }
        if self.epochs.is_some_and(|e| !(e.is_finite() && e >= 0.0)) {
            let got = format!("{:?}", self.epochs.unwrap_or_default());
            return Err(ConfigError::Range("epochs", got, "0 or more"));
        }
        Ok(())
    }

    /// Settings that do not go together.
    fn agree(&self) -> Result<(), ConfigError> {
        self.agree_on_data()?;
        match self.objective {
            Objective::Pix2pix | Objective::Cyclegan => self.agree_on_translation()?,
            Objective::Gan => self.agree_on_gan()?,
            Objective::Autoencoder | Objective::Vae => self.agree_on_autoencoder()?,
        }
        self.agree_on_networks()
    }

    /// Networks, data and losses that only translators have, and those that they lack.
    fn agree_on_data(&self) -> Result<(), ConfigError> {
        let translates = matches!(self.network, Network::Unet | Network::Resnet);
        if translates != self.translates() {
            let want = match translates {
                true => "dcgan or mlp except for pix2pix and cyclegan",
                false => "unet or resnet for pix2pix and cyclegan",
            };
            return off("network", &self.network, want);
        }
        if self.objective != Objective::Pix2pix
            && (self.data_a.is_some() || self.pair != Pair::Left)
        {
            return off("objective", &self.objective, "pix2pix for data_a and pair");
        }
        if self.objective != Objective::Cyclegan && self.data_b.is_some() {
            return off("objective", &self.objective, "cyclegan for data_b");
        }
        if !translates && self.jitter > 0 {
            return off("jitter", &self.jitter, "0 except for pix2pix and cyclegan");
        }
        if !self.skips && self.network != Network::Unet {
            return off("skips", &self.skips, "true for other networks than unet");
        }
        if !translates && self.loss == Loss::Lsgan {
            let want = "bce, hinge, rpgan or wasserstein except for pix2pix and cyclegan";
            return off("loss", &self.loss, want);
        }
        Ok(())
    }

    fn agree_on_gan(&self) -> Result<(), ConfigError> {
        if self.output == Output::Sigmoid {
            return off("output", &self.output, "tanh or linear for a gan");
        }
        if self.corruption != Corruption::None {
            return off("corruption", &self.corruption, "none except for an autoencoder");
        }
        Ok(())
    }

    fn agree_on_autoencoder(&self) -> Result<(), ConfigError> {
        if self.output != Output::Sigmoid {
            return off("output", &self.output, "sigmoid for an autoencoder");
        }
        if self.ema > 0 {
            let want = "0 for an autoencoder: encoder and decoder go together";
            return off("ema", &self.ema, want);
        }
        if self.penalty != Penalty::None
            || self.spectral
            || self.clip > 0.0
            || self.d_steps > 1
            || self.instance_noise > 0.0
            || !self.augment.is_none()
            || self.conditional
        {
            let want = "gan for penalty, spectral, clip, d_steps, instance_noise, augment and \
                        conditional";
            return off("objective", &self.objective, want);
        }
        if self.objective == Objective::Vae && self.corruption != Corruption::None {
            return off("corruption", &self.corruption, "none for a vae");
        }
        if self.corruption == Corruption::Gray && self.channels == 1 {
            return off("corruption", &self.corruption, "none or noise for gray images");
        }
        Ok(())
    }

    fn agree_on_networks(&self) -> Result<(), ConfigError> {
        let penalized = self.penalty != Penalty::None;
        let dense = self.network == Network::Mlp;
        if penalized && self.d_norm {
            let want = "none with d_norm, which couples images: set d_norm=false";
            return off("penalty", &self.penalty, want);
        }
        if penalized && dense && self.dropout > 0.0 {
            let want = "none with a network that has dropout: set dropout=0";
            return off("penalty", &self.penalty, want);
        }
        if self.smooth > 0.0 && self.loss != Loss::Bce {
            return off("smooth", &self.smooth, "0 except with bce");
        }
        let plain = match self.objective {
            Objective::Gan | Objective::Pix2pix | Objective::Cyclegan => Output::Tanh,
            Objective::Autoencoder | Objective::Vae => Output::Sigmoid,
        };
        if dense && (self.upsample != Upsample::Transposed || self.output != plain || !self.g_norm)
        {
            return off("network", &self.network, "dcgan for upsample, output and g_norm");
        }
        if self.instance_noise > 0.0 && self.ramp == 0 {
            let want = "above 0 with instance_noise, which falls to 0 over it";
            return off("ramp", &self.ramp, want);
        }
        Ok(())
    }
}

fn off(key: &'static str, value: &dyn fmt::Debug, want: &'static str) -> Result<(), ConfigError> {
    Err(ConfigError::Range(key, format!("{value:?}").to_lowercase(), want))
}
