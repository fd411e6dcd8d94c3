//! Which feature map each layer reads and writes.

use std::vec;
use std::vec::Vec;

use crate::layer::{Layer, Source};

/// The maps of a layer, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The input, and whether that is the network's.
    pub from: usize,
    pub is_input: bool,
    /// The second input, and whether that is the network's; the first without a second.
    pub other: usize,
    pub other_is_input: bool,
    pub to: usize,
}

/// The maps of all layers, and how many there are. The network's input is in the first. A map is
/// used again once nothing reads it any more, so a chain of layers has two.
pub fn routes(layers: &[Layer<'_>]) -> (Vec<Route>, usize) {
    let reads = |layer: &Layer<'_>, source| layer.from == source || layer.other == Some(source);
    let last = |source: Source| layers.iter().rposition(|layer| reads(layer, source));
    // For each map the last layer that reads what is in it.
    let mut until = vec![last(Source::Input).unwrap_or(0)];
    let mut routes: Vec<Route> = Vec::new();
    for (i, layer) in layers.iter().enumerate() {
        let find = |source: Source| match source {
            Source::Input => 0,
            Source::Layer(of) => routes[usize::from(of)].to,
        };
        let (from, is_input) = (find(layer.from), layer.from == Source::Input);
        let (other, other_is_input) = match layer.other {
            Some(source) => (find(source), source == Source::Input),
            None => (from, is_input),
        };
        let free = until.iter().position(|until| *until < i);
        let to = free.unwrap_or(until.len());
        if to == until.len() {
            until.push(0);
        }
        until[to] = last(Source::Layer(i as u16)).unwrap_or(i);
        routes.push(Route { from, is_input, other, other_is_input, to });
    }
    (routes, until.len().max(2))
}
