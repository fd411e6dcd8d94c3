//! A GPU that can be lost.

use super::{Gpu, GpuError};
use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::image::Image;
use crate::latent::{Latent, LatentLength};

/// A GPU, and the CPU once it is lost.
pub struct Fallback<'a> {
    gpu: Option<Gpu>,
    cpu: Cpu<'a>,
    tell: fn(&GpuError),
}

impl<'a> Fallback<'a> {
    /// `tell` is called once, where the GPU is lost.
    pub fn new(gpu: Gpu, cpu: Cpu<'a>, tell: fn(&GpuError)) -> Fallback<'a> {
        Fallback {
            gpu: Some(gpu),
            cpu,
            tell,
        }
    }

    /// Whether faces are still made by the GPU.
    pub fn on_gpu(&self) -> bool {
        self.gpu.is_some()
    }
}

impl Backend for Fallback<'_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        let made = self.gpu.as_mut().map(|gpu| gpu.generate_all(&[*latent]));
        match made {
            Some(Ok(())) => {}
            Some(Err(GpuError::Latent(error))) => return Err(error),
            Some(Err(error)) => {
                (self.tell)(&error);
                self.gpu = None;
            }
            None => {}
        }
        match &self.gpu {
            Some(gpu) => Ok(gpu.image(0)),
            None => self.cpu.generate(latent),
        }
    }
}
