//! What a step minimises, and what it says of itself: the seam between the loop, which does not know what it trains,
//! and the kinds of training.

use burn::tensor::{Device, Tensor};

use crate::checkpoint::State;
use crate::config::{Config, Penalty};
use crate::gan;

/// One of the numbers that a step returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauge {
    /// Its key in `stats.jsonl`.
    pub key: &'static str,
    /// What stands before it in a line of the log, spaces included.
    pub label: &'static str,
    /// What its curve is called.
    pub name: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// Where its curve is drawn.
    pub panel: Option<Panel>,
}

/// Curves of one scale, drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    /// What is minimised.
    Loss,
    /// Numbers from 0 to 1.
    Probability,
    /// Whether the two networks are a match for each other.
    Health,
    /// Lengths of gradients.
    Penalty,
}

impl Panel {
    /// What stands above it.
    pub fn caption(self) -> &'static str {
        match self {
            Panel::Loss => "losses",
            Panel::Probability => "mean of D, as a probability",
            Panel::Health => "health",
            Panel::Penalty => "gradient penalties, unweighted",
        }
    }
}

/// The numbers that every step of a run returns, in their order.
pub fn gauges(cfg: &Config) -> &'static [Gauge] {
    match cfg.penalty {
        Penalty::None => gan::GAUGES,
        Penalty::R1 | Penalty::R2 | Penalty::R1r2 => gan::PENALISED,
    }
}

/// One step on one batch of real images, `[n, c, h, w]` in [-1, 1]: changes the networks, their optimisers and the
/// average, and counts the images. Returns a value for each of [`gauges`], left on the device: reading them every step
/// would stall a GPU.
pub fn step(state: &mut State, real: Tensor<4>, cfg: &Config, device: &Device) -> Tensor<1> {
    gan::step(state, real, cfg, device)
}
