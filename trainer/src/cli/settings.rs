//! The options that are settings of a run: each is a key of the configuration.

use std::ffi::OsString;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};
use toml::Table;
use trainer::config::{self, Config, ConfigError};

/// A key of [`Config`], its value's name, its help.
type Setting = (&'static str, &'static str, &'static str);

/// Keys that have an option of their own, by heading.
const SETTINGS: [(&str, &[Setting]); 4] = [
    (
        "Data",
        &[
            ("data", "PATH", "Folder, archive or arrays of images [default: drawn faces]"),
            ("data-a", "PATH", "Inputs with the names of the images of --data, for pix2pix"),
            (
                "data-b",
                "PATH",
                "Second set of images for cyclegan; --data has the first [default: faces in winter]",
            ),
            (
                "pair",
                "KIND",
                "Inputs of pix2pix without --data-a: left, right (half of each image), edges, gray, \
                 blur or mask (made from it)",
            ),
            (
                "size",
                "PIXELS",
                "Image size: 16, 32, 64 or 128; 8 to 64 for dense networks, 32 to 256 for pix2pix \
                 and cyclegan",
            ),
            ("channels", "1|3", "1 for gray, 3 for color [default: what the images have]"),
            ("crop", "CROP", "Square cut out of each image: center, a size in pixels, celeba128"),
            ("transpose", "BOOL", "Exchange rows and columns: EMNIST's images lie transposed"),
            ("mirror", "BOOL", "Mirror every other image at random"),
            (
                "augment",
                "LIST",
                "Differentiable augmentation: none, or some of color,translation,cutout",
            ),
            ("workers", "N", "Threads that read and decode images; 0: one per core"),
        ],
    ),
    (
        "Networks",
        &[
            ("nz", "N", "Length of the latent vector"),
            ("ngf", "N", "Width of the generator"),
            ("ndf", "N", "Width of the discriminator"),
        ],
    ),
    (
        "Optimization",
        &[
            ("loss", "LOSS", "bce, hinge, rpgan, wasserstein, or lsgan for pix2pix and cyclegan"),
            ("penalty", "KIND", "Gradient penalty on the discriminator: none, r1, r2 or r1r2"),
            ("gamma", "X", "Weight of the gradient penalty: higher is more stable, less diverse"),
            ("batch", "N", "Images per step"),
            ("images", "N", "Number of images to train on in total"),
            ("epochs", "X", "Number of passes over the data, instead of --images"),
            ("lr", "X", "Learning rate of Adam"),
            ("beta1", "X", "Decay rate of Adam's first moment"),
            ("beta2", "X", "Decay rate of Adam's second moment"),
            ("seed", "N", "Seed of weights, data order and latents"),
        ],
    ),
    (
        "Device",
        &[
            ("device", "DEVICE", "cpu, vulkan, vulkan:N as `runtime devices` counts, or auto"),
            (
                "precision",
                "f32|mixed",
                "Arithmetic on a GPU; mixed multiplies in 16 bits and sums in 32",
            ),
        ],
    ),
];

/// Settings from the command line.
#[derive(Debug)]
pub struct Settings {
    /// The recipe that they override.
    pub recipe: Option<String>,
    /// `key=value`, in the order in which they apply.
    pairs: Vec<(String, String)>,
}

impl Settings {
    /// As entries of a settings table.
    ///
    /// # Errors
    /// [`ConfigError`] names the option and what would work.
    pub fn table(&self) -> Result<Table, ConfigError> {
        let pairs = self.pairs.iter();
        pairs.map(|(option, text)| config::set(option, text)).collect()
    }

    /// The settings of a new run.
    ///
    /// # Errors
    /// [`ConfigError`] names the option and what would work.
    pub fn resolve(&self) -> Result<Config, ConfigError> {
        Config::new(self.recipe.as_deref(), &self.table()?)
    }
}

impl clap::Args for Settings {
    fn augment_args(command: Command) -> Command {
        let mut command =
            command.arg(Arg::new("recipe").long("recipe").value_name("NAME|FILE").help(
                "A recipe by name (`trainer recipes` lists them) or a TOML file [default: drawn]",
            ).value_parser(text()));
        for (heading, settings) in SETTINGS {
            for &(key, value, help) in settings {
                let mut arg =
                    Arg::new(key).long(key).value_name(value).help(help).help_heading(heading);
                arg = arg.value_parser(text());
                if ["mirror", "transpose"].contains(&key) {
                    arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true");
                }
                if key == "epochs" {
                    arg = arg.conflicts_with("images");
                }
                command = command.arg(arg);
            }
        }
        command.arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .value_parser(text())
                .action(ArgAction::Append)
                .help("Any other setting by its key in a recipe; may be repeated")
                .long_help(
                    "Any other setting by its key in a recipe; may be repeated. `trainer recipes \
                     NAME` prints all of them.",
                ),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Settings::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Settings, Error> {
        let text = |id: &str| matches.get_one::<String>(id).cloned();
        let mut pairs = Vec::new();
        for (key, ..) in SETTINGS.iter().flat_map(|(_, settings)| settings.iter()) {
            if let Some(value) = text(key) {
                pairs.push((format!("--{key} {value}"), format!("{key}={value}")));
            }
        }
        for pair in matches.get_many::<String>("set").into_iter().flatten() {
            pairs.push((format!("--set {pair}"), pair.clone()));
        }
        Ok(Settings { recipe: text("recipe"), pairs })
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), Error> {
        Err(Error::raw(ErrorKind::InvalidValue, "settings are read once"))
    }
}

/// Settings are kept as text, paths among them.
fn text() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(|value: OsString| {
        let why = "not UTF-8, and a run keeps its settings as text: rename the file, or give a link \
                   to it with another name";
        value.into_string().map_err(|_| why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_a_key() {
        let defaults = Config::default();
        let text = defaults.to_toml();
        for (key, ..) in SETTINGS.iter().flat_map(|(_, settings)| settings.iter()) {
            let known =
                text.contains(&format!("\n{key} = ")) || text.starts_with(&format!("{key} = "));
            assert!(known || ["data", "data-a", "data-b", "epochs"].contains(key), "{key}");
        }
    }
}
