//! Every setting of a run, with its default and the reason for it.
//!
//! A run's settings are the defaults, overridden by a recipe (a TOML file of a few of the keys below), overridden by
//! the command line. What came out is written into the run's folder as `options.json`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

mod check;
mod names;

pub use names::{
    Corruption, Drawing, Network, Objective, Output, Penalty, Precision, Rates, Upsample,
};

use crate::augment::Augment;
use crate::data::Crop;
use crate::device::Device;
use crate::loss::Loss;

/// The settings of a run. The defaults are those of `drawn`, the recipe for a first run on two CPU cores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder, zip archive or IDX files of images; none: the built-in drawn faces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// How many images to draw where there is no `data`: enough that none is seen more than a few times.
    pub drawn: usize,
    /// What is drawn: `faces` or `digits` (which have labels).
    pub draw: Drawing,
    /// What is learnt: `gan` (a generator against a discriminator), `autoencoder` or `vae` (an encoder and a decoder, which
    /// is the generator).
    pub objective: Objective,
    /// Which pair of networks: `dcgan` (convolutions) or `mlp` (dense layers).
    pub network: Network,
    /// Tell both networks of a `gan` the class of each image: a folder a class, or IDX files with their labels.
    pub conditional: bool,
    /// The classes of a conditional run; found in the data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Layers between image and code of a dense autoencoder: how many values each has, the image's side first.
    pub hidden: Vec<usize>,
    /// What an autoencoder has to undo: `none`, `noise` or `grey` (it gets to see no colours).
    pub corruption: Corruption,
    /// Standard deviation of that noise, where black is 0 and white 1.
    pub noise: f64,
    /// Weight of a `vae`'s divergence from the prior: 1 is the bound on the likelihood; more orders codes, less sharpens.
    pub kl: f64,
    /// Side of the images in pixels: 16, 32, 64 or 128; dense networks take 8 to 64.
    pub size: usize,
    /// 1 (grey) or 3 (colour).
    pub channels: usize,
    /// Length of the latent: 100 in the DCGAN paper.
    pub nz: usize,
    /// Width of the generator before the image; 64 in the tutorials. Cost grows with its square.
    pub ngf: usize,
    /// Width of the discriminator after the image; 64 in the tutorials.
    pub ndf: usize,
    /// Batch norm in the generator; without it weights start larger and layers have a bias.
    pub g_norm: bool,
    /// Batch norm in the discriminator, as in the paper. It couples the images of a batch, so that no gradient penalty goes
    /// with it.
    pub d_norm: bool,
    /// Share of its values that a dense discriminator leaves out in a training step.
    pub dropout: f64,
    /// How the generator doubles a map: `transposed` (convolutions, the paper's) or `resize` (repeated pixels, then a
    /// convolution: no checkerboard; exported as the transposed convolution that it equals, at no cost).
    pub upsample: Upsample,
    /// What the generator ends with: `tanh` or `linear` (clipped where it is shown); an autoencoder's decoder with `sigmoid`.
    pub output: Output,
    /// What the two networks minimise: `bce`, `hinge`, `rpgan` or `wasserstein`.
    pub loss: Loss,
    /// How far below 1 the label of real images lies, for `bce`: 0.1 in the papers that use it.
    pub smooth: f64,
    /// Gradient penalties of the discriminator: `none`, `r1` (at real images), `r2` (at fakes) or `r1r2`.
    pub penalty: Penalty,
    /// Weight of the penalty: `gamma / 2` times the squared length of the gradient. Larger is steadier and less diverse.
    pub gamma: f64,
    /// Steps of which one has the penalty, with as many times the weight; more cost less.
    pub penalty_every: u64,
    /// Spectral normalisation of the discriminator.
    pub spectral: bool,
    /// Bound of the discriminator's weights, for `wasserstein`: 0.01 in the paper; 0: none.
    pub clip: f64,
    /// Steps of the discriminator for each of the generator: 5 in Wasserstein's paper.
    pub d_steps: u64,
    /// Standard deviation, at the beginning, of noise on all that the discriminator sees; it falls to 0 over `ramp`.
    pub instance_noise: f64,
    /// Differentiable augmentation: `none`, or some of `colour,translation,cutout`. For small data.
    pub augment: Augment,
    /// Probability that an image is augmented.
    pub augment_p: f64,
    /// Images a step. On a small budget updates count more than images: 32, where the tutorials have 128.
    pub batch: usize,
    /// Images to see in all; `epochs` says the same in passes over the data.
    pub images: u64,
    /// Passes over the data; where given it decides, and `images` is not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Adam's step length of both networks: 2e-4 in the paper.
    pub lr: f64,
    /// The discriminator's step length, as a multiple of the generator's.
    pub lr_d: f64,
    /// Adam's first moment: 0.5 in the paper, since 0.9 oscillates.
    pub beta1: f64,
    /// Adam's second moment.
    pub beta2: f64,
    /// Images over which `lr`, `beta2`, `gamma` and `augment_p` go from what they are to their ends below, along half a
    /// cosine, and `instance_noise` to 0; afterwards they stay. 0: at their ends from the beginning.
    pub ramp: u64,
    /// Where `lr` goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_end: Option<f64>,
    /// Where `beta2` goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2_end: Option<f64>,
    /// Where `gamma` goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma_end: Option<f64>,
    /// Where `augment_p` goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment_p_end: Option<f64>,
    /// Images after which a weight counts half in the average of the generator that is sampled and exported; 0:
    /// no average, the generator itself.
    pub ema: u64,
    /// What is cut out of each image: `centre` (the largest square), a number of pixels (CelebA: 108, 140 or 178), `celeba128`.
    pub crop: Crop,
    /// Share of the images that is held out, by content, to tell learning by heart; 0: none.
    pub held_out: f64,
    /// Images between two scores of the samples (SWD, MS-SSIM); 0: none.
    pub score: u64,
    /// Show each image mirrored half of the time: faces have no handedness.
    pub mirror: bool,
    /// Threads that read and decode images; 0: one a core.
    pub workers: usize,
    /// Where to train: `flex` (the CPU), `vulkan`, `vulkan:N` or `auto` (a GPU if there is one).
    pub device: Device,
    /// What a GPU multiplies: `f32`, or `mixed` (16-bit floats on matrix units, summed in 32 bits), which not every GPU has.
    pub precision: Precision,
    /// Seed of everything: weights, order of the data, latents.
    pub seed: u64,
    /// Images between two lines of the log and rows of `stats.jsonl`.
    pub log: u64,
    /// Images between two grids of samples.
    pub grid: u64,
    /// A grid of samples and what D says of them at the end of every epoch, instead of every `grid` images.
    pub per_epoch: bool,
    /// Images between two checkpoints.
    pub checkpoint: u64,
    /// Checkpoints kept; older ones are removed.
    pub keep: usize,
    /// Licence of the data, for the exported file's facts.
    pub license: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: None,
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
            upsample: Upsample::Transposed,
            output: Output::Tanh,
            loss: Loss::Bce,
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
            crop: Crop::Centre,
            held_out: 0.0,
            score: 0,
            mirror: false,
            workers: 0,
            device: Device::Flex,
            precision: Precision::F32,
            seed: 0,
            log: 1_000,
            grid: 10_000,
            per_epoch: false,
            checkpoint: 10_000,
            keep: 2,
            license: String::new(),
        }
    }
}

/// The recipes that come with the program: name, file.
pub const RECIPES: [(&str, &str); 15] = [
    ("drawn", include_str!("../recipes/drawn.toml")),
    ("dcgan-tutorial", include_str!("../recipes/dcgan-tutorial.toml")),
    ("faces", include_str!("../recipes/faces.toml")),
    ("cpu", include_str!("../recipes/cpu.toml")),
    ("small-data", include_str!("../recipes/small-data.toml")),
    ("tiny", include_str!("../recipes/tiny.toml")),
    ("gan-mnist", include_str!("../recipes/gan-mnist.toml")),
    ("cgan-mnist", include_str!("../recipes/cgan-mnist.toml")),
    ("cgan-mnist-conv", include_str!("../recipes/cgan-mnist-conv.toml")),
    ("autoencoder", include_str!("../recipes/autoencoder.toml")),
    ("denoising-autoencoder", include_str!("../recipes/denoising-autoencoder.toml")),
    ("vae", include_str!("../recipes/vae.toml")),
    ("vae-conv", include_str!("../recipes/vae-conv.toml")),
    ("duplicates", include_str!("../recipes/duplicates.toml")),
    ("colourise", include_str!("../recipes/colourise.toml")),
];

/// Keys that may change when a run goes on: they decide how long it runs and what it shows, not what it computes.
const FREE: [&str; 12] = [
    "device",
    "precision",
    "score",
    "images",
    "epochs",
    "workers",
    "log",
    "grid",
    "per_epoch",
    "checkpoint",
    "keep",
    "license",
];

/// Where a setting's value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything else.
    Default,
    /// A recipe, by the name it was asked for with.
    Recipe(String),
    /// The command line.
    Flag,
    /// The run that goes on.
    Run,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::Recipe(name) => write!(f, "recipe {name}"),
            Origin::Flag => write!(f, "command line"),
            Origin::Run => write!(f, "the run"),
        }
    }
}

/// Why there are no settings.
#[derive(Debug)]
pub enum ConfigError {
    /// No recipe of this name, nor a file.
    UnknownRecipe {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        nearest: Option<&'static str>,
    },
    /// A file that cannot be read.
    Read(PathBuf, std::io::Error),
    /// Not TOML, or JSON: where, which, and what the parser said.
    Syntax(String, &'static str, String),
    /// A key that no setting has.
    UnknownKey {
        /// The file or flag.
        source: String,
        /// The key.
        key: String,
        /// The nearest key there is.
        nearest: Option<String>,
    },
    /// A value of the wrong kind: where, what was said.
    Value(String, String),
    /// A value that makes no sense: key, what was given, what can be.
    Range(&'static str, String, &'static str),
    /// A setting of an existing run that cannot change: key, its value, what was asked for.
    Fixed(String, String, String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::UnknownRecipe { name, nearest } => {
                write!(f, "no recipe or file named {name:?}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
                    None => write!(f, "; there are {}", RECIPES.map(|(name, _)| name).join(", ")),
                }
            }
            ConfigError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            ConfigError::Syntax(source, form, what) => {
                write!(f, "{source} is not {form}: {what}")
            }
            ConfigError::UnknownKey { source, key, nearest } => {
                write!(f, "{source}: there is no setting {key:?}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
                    None => Ok(()),
                }
            }
            ConfigError::Value(source, what) => write!(f, "{source}: {what}"),
            ConfigError::Range(key, got, want) => write!(f, "{key} is {got}: {want}"),
            ConfigError::Fixed(key, was, asked) => write!(
                f,
                "the run was started with {key} = {was}, not {asked}: \
                 give the same options or another --out"
            ),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Read(_, error) => Some(error),
            ConfigError::UnknownRecipe { .. }
            | ConfigError::Syntax(..)
            | ConfigError::UnknownKey { .. }
            | ConfigError::Value(..)
            | ConfigError::Range(..)
            | ConfigError::Fixed(..) => None,
        }
    }
}

/// Adds settings over those of `table`. Where only one of the two lengths of a run is given, what `table` says of the
/// other must not outvote it.
fn lay_over(table: &mut Table, settings: &Table) {
    if settings.contains_key("images") && !settings.contains_key("epochs") {
        table.remove("epochs");
    }
    table.extend(settings.clone());
}

impl Config {
    /// The settings of a new run: defaults, then the recipe (a name of [`RECIPES`] or a TOML file), then `flags`.
    ///
    /// # Errors
    /// [`ConfigError`] names the recipe, key or value.
    pub fn new(recipe: Option<&str>, flags: &Table) -> Result<Config, ConfigError> {
        let mut table = match recipe {
            Some(recipe) => self::recipe(recipe)?,
            None => Table::new(),
        };
        lay_over(&mut table, flags);
        Config::from_table("the settings", table)
    }

    /// Every setting of [`Config::new`] with its value and where that is from.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn origins(
        recipe: Option<&str>,
        flags: &Table,
    ) -> Result<Vec<(String, String, Origin)>, ConfigError> {
        let cfg = Config::new(recipe, flags)?.to_table();
        let from = match recipe {
            Some(recipe) => self::recipe(recipe)?,
            None => Table::new(),
        };
        let origin = |key: &String| match (flags.contains_key(key), recipe) {
            (true, _) => Origin::Flag,
            (false, Some(recipe)) if from.contains_key(key) => Origin::Recipe(recipe.into()),
            (false, _) => Origin::Default,
        };
        let each = cfg.iter().map(|(key, value)| {
            let origin = origin(key);
            (key.clone(), value.to_string(), origin)
        });
        Ok(each.collect())
    }

    /// The settings that a run folder was started with.
    ///
    /// # Errors
    /// [`ConfigError`] where the file cannot be read or is not one.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = fs::read_to_string(path).map_err(|e| ConfigError::Read(path.into(), e))?;
        let source = path.display().to_string();
        let table: Table = serde_json::from_str(&text)
            .map_err(|e| ConfigError::Syntax(source.clone(), "JSON", e.to_string()))?;
        check_keys(&source, &table)?;
        Config::from_table(&source, table)
    }

    /// The settings of a run that goes on: its own, with those of `asked` that may change.
    ///
    /// # Errors
    /// [`ConfigError::Fixed`] names the first setting that was asked for and differs but cannot change.
    pub fn go_on(&self, recipe: Option<&str>, flags: &Table) -> Result<Config, ConfigError> {
        let mut asked = match recipe {
            Some(recipe) => self::recipe(recipe)?,
            None => Table::new(),
        };
        lay_over(&mut asked, flags);
        let mut table = self.to_table();
        let new = Config::from_table("the settings", {
            let mut all = table.clone();
            lay_over(&mut all, &asked);
            all
        })?
        .to_table();
        for key in asked.keys() {
            let show = |t: &Table| t.get(key).map_or("none".into(), Value::to_string);
            if FREE.contains(&key.as_str()) {
                if let Some(value) = new.get(key) {
                    table.insert(key.clone(), value.clone());
                }
            } else if table.get(key) != new.get(key) {
                return Err(ConfigError::Fixed(key.clone(), show(&table), show(&new)));
            }
        }
        if asked.contains_key("images") && !asked.contains_key("epochs") {
            table.remove("epochs");
        }
        Config::from_table("the settings", table)
    }

    /// As the text of `options.json`.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.to_table()).expect("a table of plain values is JSON")
            + "\n"
    }

    /// As a recipe.
    pub fn to_toml(&self) -> String {
        self.to_table().to_string()
    }

    /// Every setting of a run that goes on, as from the run.
    pub fn kept(&self) -> Vec<(String, String, Origin)> {
        let table = self.to_table();
        let each = table.iter();
        each.map(|(key, value)| (key.clone(), value.to_string(), Origin::Run)).collect()
    }

    fn to_table(&self) -> Table {
        Table::try_from(self).expect("plain numbers, strings and booleans are TOML")
    }

    fn from_table(source: &str, table: Table) -> Result<Config, ConfigError> {
        let config: Config = table
            .try_into()
            .map_err(|e: toml::de::Error| ConfigError::Value(source.into(), e.message().into()))?;
        config.check()?;
        Ok(config)
    }

    /// Output values of black and white.
    pub fn range(&self) -> (f32, f32) {
        match self.output {
            Output::Tanh | Output::Linear => (-1.0, 1.0),
            Output::Sigmoid => (0.0, 1.0),
        }
    }

    /// These settings for data of these classes.
    ///
    /// # Errors
    /// [`ConfigError`] where a conditional run has none.
    pub fn classed(mut self, labels: &[String]) -> Result<Config, ConfigError> {
        self.labels = match self.conditional {
            true => labels.to_vec(),
            false => Vec::new(),
        };
        if self.conditional && labels.len() < 2 {
            let got = format!("true, and the data has {} classes", labels.len());
            let want =
                "images in a folder for each class, or IDX files with their labels beside them";
            return Err(ConfigError::Range("conditional", got, want));
        }
        self.check()?;
        Ok(self)
    }

    /// Images of one step: a batch for each of the discriminator's.
    pub fn step(&self) -> usize {
        self.batch * self.d_steps as usize
    }

    /// Where the generator departs from the paper's.
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

    /// The numbers of the step after `images` images.
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

    /// Images to see in all, for a data set of `len` images.
    pub fn total(&self, len: usize) -> u64 {
        match self.epochs {
            Some(epochs) => (epochs * len as f64).ceil() as u64,
            None => self.images,
        }
    }

    /// Threads that decode: `workers`, or one a core.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }

    /// What the networks make.
    pub fn shape(&self) -> models::dcgan::Shape {
        models::dcgan::Shape { size: self.size, channels: self.channels }
    }
}

/// The overrides of a recipe: one of [`RECIPES`] by name, or a TOML file.
fn recipe(name: &str) -> Result<Table, ConfigError> {
    if let Some((_, text)) = RECIPES.iter().find(|(known, _)| *known == name) {
        let table = parse(name, text)?;
        check_keys(name, &table)?;
        return Ok(table);
    }
    let path = Path::new(name);
    if !name.ends_with(".toml") && !path.is_file() {
        return Err(ConfigError::UnknownRecipe {
            name: name.into(),
            nearest: nearest(name, RECIPES.iter().map(|(known, _)| *known)),
        });
    }
    let text = fs::read_to_string(path).map_err(|e| ConfigError::Read(path.into(), e))?;
    let table = parse(name, &text)?;
    check_keys(name, &table)?;
    Ok(table)
}

fn parse(source: &str, text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|e: toml::de::Error| {
        let before = e.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        ConfigError::Syntax(source.into(), "TOML", format!("line {line}: {}", e.message()))
    })
}

/// One `key=value` of the command line's `--set` as an entry of the table: the value as TOML, or as a string.
///
/// # Errors
/// [`ConfigError`] where there is no `=` or no such key.
pub fn set(text: &str) -> Result<(String, Value), ConfigError> {
    let source = format!("--set {text}");
    let Some((key, value)) = text.split_once('=') else {
        return Err(ConfigError::Value(source, "not of the form key=value".into()));
    };
    let (key, value) = (key.trim().replace('-', "_"), value.trim());
    let value = format!("x = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut t| t.remove("x"))
        .unwrap_or_else(|| Value::String(value.into()));
    let table = Table::from_iter([(key.clone(), value.clone())]);
    check_keys(&source, &table)?;
    Ok((key, value))
}

fn check_keys(source: &str, table: &Table) -> Result<(), ConfigError> {
    let mut known: Vec<String> = Config::default().to_table().keys().cloned().collect();
    // Those that are absent by default.
    let absent = ["data", "epochs", "labels", "lr_end", "beta2_end", "gamma_end", "augment_p_end"];
    known.extend(absent.map(String::from));
    match table.keys().find(|key| !known.contains(key)) {
        None => Ok(()),
        Some(key) => Err(ConfigError::UnknownKey {
            source: source.into(),
            key: key.clone(),
            nearest: nearest(key, known.iter().map(String::as_str)).map(String::from),
        }),
    }
}

/// The name nearest to `name`, if it is near.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|k| (strsim::jaro_winkler(name, k), k))
        .filter(|(near, _)| *near > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn every_recipe_resolves() {
        for (name, _) in RECIPES {
            Config::new(Some(name), &Table::new()).unwrap();
        }
        let tutorial = Config::new(Some("dcgan-tutorial"), &Table::new()).unwrap();
        assert_eq!((tutorial.size, tutorial.nz, tutorial.batch), (64, 100, 128));
        assert_eq!((tutorial.ngf, tutorial.ndf, tutorial.lr), (64, 64, 2e-4));
    }

    #[test]
    fn flags_win_over_the_recipe() {
        let c = Config::new(Some("dcgan-tutorial"), &flags("batch = 7")).unwrap();
        assert_eq!((c.batch, c.ngf), (7, 64));
        // The tutorial's recipe counts epochs; whoever asks for a number of images gets it.
        let c = Config::new(Some("dcgan-tutorial"), &flags("images = 640")).unwrap();
        assert_eq!(c.total(25_000), 640);
    }

    #[test]
    fn saved_settings_read_back_equal() {
        let c = Config::new(Some("faces"), &flags("data = 'x.zip'\nepochs = 2.5")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("options.json");
        fs::write(&path, c.to_json()).unwrap();
        assert_eq!(Config::load(&path).unwrap(), c);
    }

    #[test]
    fn mistakes_name_the_thing() {
        let cases: [(Result<Config, ConfigError>, &str); 7] = [
            (
                Config::new(Some("dcgan-tutoral"), &Table::new()),
                "no recipe or file named \"dcgan-tutoral\"; did you mean \"dcgan-tutorial\"?",
            ),
            (
                set("bach=3").map(|_| Config::default()),
                "--set bach=3: there is no setting \"bach\"; did you mean \"batch\"?",
            ),
            (set("batch").map(|_| Config::default()), "--set batch: not of the form key=value"),
            (
                Config::new(None, &flags("size = 48")),
                "size is 48: 16, 32, 64 or 128 for the network dcgan",
            ),
            (Config::new(None, &flags("batch = 0")), "batch is 0: at least 1"),
            (Config::new(None, &flags("lr = -1.0")), "lr is -1: above 0"),
            (Config::new(None, &flags("beta1 = 1.0")), "beta1 is 1: at least 0 and below 1"),
        ];
        for (got, want) in cases {
            assert_eq!(got.unwrap_err().to_string(), want);
        }
        let error = Config::new(None, &flags("batch = 'many'")).unwrap_err();
        assert!(error.to_string().contains("many"), "{error}");
    }

    #[test]
    fn a_run_goes_on_with_the_options_it_was_started_with() {
        let was = Config::default();
        let longer = was.go_on(None, &flags("images = 500000")).unwrap();
        assert_eq!(longer.images, 500_000);
        was.go_on(None, &flags("batch = 32")).unwrap();
        let error = was.go_on(None, &flags("batch = 64")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the run was started with batch = 32, not 64: give the same options or another --out"
        );
    }
}
