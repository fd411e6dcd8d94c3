//! Tensors that depend on the input.

use super::view::View;
use crate::op::{Edge, Shape};

/// What is known about such a tensor.
#[derive(Clone)]
pub(super) struct Data {
    /// How it sees the output of a layer, and the shape of that.
    pub view: View,
    pub shape: Shape,
    /// The layer; `None` for the model's input.
    pub layer: Option<usize>,
    /// Padding that the next convolution takes over.
    pub pad: Option<Pad>,
    /// Rows and columns to cut off, begin and end of both: exporters slice them one after the other.
    pub cut: Option<[[usize; 2]; 2]>,
    /// How values were rounded.
    pub rounded: Option<Rounded>,
}

impl Data {
    /// An input of `shape`.
    pub fn input(shape: Shape, view: View) -> Data {
        Data { view, shape, layer: None, pad: None, cut: None, rounded: None }
    }
}

/// Padding of an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pad {
    /// Rows and columns: begin and end of both.
    pub sides: [[usize; 2]; 2],
    pub edge: Edge,
}

/// How values became integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rounded {
    Down,
    Nearest,
}
