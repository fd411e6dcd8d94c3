//! The command line: one file per verb, each with its `Args` and `run`.

pub mod anomalies;
pub mod arithmetic;
pub mod bench;
pub mod data;
pub mod duplicates;
pub mod evaluate;
pub mod export;
pub mod fit;
mod generator;
pub mod help;
mod images;
pub mod import;
pub mod interpolate;
pub mod memory;
pub mod output;
pub mod recipes;
pub mod reconstruct;
pub mod report;
pub mod restore;
pub mod sample;
mod settings;
mod trained;
mod values;
