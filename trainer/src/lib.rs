//! Trains image generators and exports them.
//!
//! The modules in the order that data flows through them: [`data`] (images to batches), [`config`] (every
//! setting), [`loss`], [`fit`] (the loop), [`objective`] (what a step minimises: [`gan`],
//! [`autoencoder`], [`vae`]) of two [`networks`], [`ema`], [`checkpoint`], [`report`] (what a run shows) and
//! [`export`] (burn record and ONNX, checked).

pub mod adam;
pub mod anomalies;
pub mod augment;
pub mod autoencoder;
pub mod bench;
pub mod checkpoint;
pub mod coder;
pub mod config;
pub mod curves;
pub mod data;
pub mod device;
pub mod dry;
pub mod duplicates;
pub mod ema;
pub mod evaluate;
pub mod events;
pub mod export;
pub mod fit;
pub mod gan;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod import;
pub mod latents;
pub mod log;
pub mod loss;
pub mod memory;
pub mod networks;
pub mod noise;
pub mod objective;
pub mod page;
pub mod picture;
pub mod report;
pub mod run;
pub mod score;
pub mod spectral;
pub mod vae;
pub mod verdict;
