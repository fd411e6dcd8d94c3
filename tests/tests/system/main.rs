//! One binary for every file: each would link burn again.

mod cli;
mod cyclegan;
mod engines;
mod family;
mod faults;
mod fit;
mod gpu;
#[cfg(unix)]
mod kills;
mod network;
mod no_alloc;
mod pipeline;
mod pix2pix;
mod pytorch;
mod trainer_verbs;
