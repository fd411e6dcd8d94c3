//! A network on a device.

use std::vec::Vec;

use super::device::Device;
use super::layer::{self, Layer};
use super::pipelines::Pipelines;
use super::route::Route;
use crate::layer::Input;
use crate::op::Shape;

/// A network whose weights are uploaded.
pub struct Network {
    pub device: Device,
    pub pipelines: Pipelines,
    pub layers: Vec<Layer>,
    /// The feature maps of each layer, and their number.
    pub routes: Vec<Route>,
    pub maps: usize,
    /// What an image is made from.
    pub input: Input,
    pub classes: usize,
    pub output: Shape,
    /// Whether weights and feature maps are 16-bit floats.
    pub half: bool,
    /// Bytes of the largest feature map of one face.
    pub face: u64,
}

impl Network {
    /// Bytes of the input of one face, as layers read it.
    pub fn input_bytes(&self) -> u64 {
        let float = if self.half { 2 } else { 4 };
        float * layer::values(self.input.shape()) as u64
    }
}
