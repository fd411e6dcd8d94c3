//! A network on a device.

use std::vec::Vec;

use super::device::Device;
use super::layer::{self, Layer};
use super::pipelines::Pipelines;
use crate::op::Shape;

/// A network whose weights are uploaded.
pub struct Network {
    pub device: Device,
    pub pipelines: Pipelines,
    pub layers: Vec<Layer>,
    /// Length of the latent.
    pub latent: usize,
    pub classes: usize,
    pub output: Shape,
    /// Whether weights and feature maps are 16-bit floats.
    pub half: bool,
    /// Bytes of the largest feature map of one face.
    pub face: u64,
}

impl Network {
    /// Bytes of the latent of one face, as the first layer reads it.
    pub fn latent_bytes(&self) -> u64 {
        let float = if self.half { 2 } else { 4 };
        float * layer::values(Shape::new(self.latent, 1, 1)) as u64
    }
}
