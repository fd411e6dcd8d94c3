//! Every setting of a run, with its default and the reason for it.
//!
//! A run's settings are the defaults, overridden by a recipe (a TOML file with a few of the keys of
//! [`Config`]), overridden by the command line. The result is written into the run's folder as
//! `options.json`.

mod check;
mod device;
mod error;
mod names;
mod parse;
mod recipes;
mod resolve;
mod settings;
mod translation;

#[cfg(feature = "gpu")]
pub use device::on;
pub use device::{Device, DeviceError};
pub use error::ConfigError;
pub use names::{
    Corruption, Drawing, Network, Objective, Output, Penalty, Precision, Rates, Upsample,
};
pub use parse::set;
pub use recipes::RECIPES;
pub use resolve::Origin;
pub use settings::Config;
