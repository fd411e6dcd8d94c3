//! Trains image generators and exports them.
//!
//! The modules in the order of the data:
//!
//! - [`data`]: images to batches
//! - [`config`]: every setting, with its default and the reason for it
//! - [`networks`]: generator and discriminator, Adam, the average, random numbers
//! - [`objective`]: what a step minimizes (GAN, autoencoder, variational autoencoder)
//! - [`fit`](mod@fit): the training loop
//! - [`run`]: the folder of a run, checkpoints, logs, curves, verdicts
//! - [`score`]: how good samples are
//! - [`apply`]: anomalies, duplicates, latent arithmetic
//! - [`export`] and [`import`]: burn records, ONNX, PyTorch checkpoints
//! - [`mod@bench`]: what a step costs
//!
//! [`file`](mod@file) writes files that are whole or absent.

pub mod apply;
pub mod bench;
pub mod config;
pub mod data;
pub mod export;
pub mod file;
pub mod fit;
pub mod import;
pub mod networks;
pub mod objective;
pub mod run;
pub mod score;
