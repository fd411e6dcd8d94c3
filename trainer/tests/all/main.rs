//! One binary for every file: each would link burn again.

mod average;
mod gan_mnist;
mod import;
mod score;
