//! A GPU that may be lost.

use super::engine::Gpu;
use super::error::GpuError;
use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::image::{Image, PictureLength};
use crate::latent::{Latent, LatentLength};

/// A GPU, or the CPU once the GPU is lost.
pub struct Fallback<'a> {
    gpu: Option<Gpu>,
    cpu: Cpu<'a>,
    report: fn(&GpuError),
}

impl<'a> Fallback<'a> {
    /// `report` is called once, when the GPU is lost.
    pub fn new(gpu: Gpu, cpu: Cpu<'a>, report: fn(&GpuError)) -> Fallback<'a> {
        Fallback { gpu: Some(gpu), cpu, report }
    }

    /// Whether the GPU still makes the faces.
    pub fn on_gpu(&self) -> bool {
        self.gpu.is_some()
    }
}

impl Fallback<'_> {
    /// Makes one image from the pixels of another; see [`Cpu::translate`].
    ///
    /// # Errors
    /// [`PictureLength`] if the number of bytes is not that of the picture, or the model takes a
    /// latent.
    pub fn translate(&mut self, pixels: &[u8]) -> Result<Image<'_>, PictureLength> {
        match self.gpu.as_mut().map(|gpu| gpu.translate_all(&[pixels])) {
            Some(Err(GpuError::Picture(error))) => return Err(error),
            made => self.note(made),
        }
        match &self.gpu {
            Some(gpu) => Ok(gpu.image(0)),
            None => self.cpu.translate(pixels),
        }
    }

    /// Gives up a GPU that failed.
    fn note(&mut self, made: Option<Result<(), GpuError>>) {
        if let Some(Err(error)) = made {
            (self.report)(&error);
            self.gpu = None;
        }
    }
}

impl Backend for Fallback<'_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        match self.gpu.as_mut().map(|gpu| gpu.generate_all(&[*latent])) {
            Some(Err(GpuError::Latent(error))) => return Err(error),
            made => self.note(made),
        }
        match &self.gpu {
            Some(gpu) => Ok(gpu.image(0)),
            None => self.cpu.generate(latent),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::gpu::adapter::adapters;
    use crate::graph::{Facts, Graph, Layer};
    use crate::layer::Input;
    use crate::model::Model;
    use crate::op::{Activation, Op};
    use crate::record::Buffer;

    #[test]
    fn a_device_that_is_taken_away() {
        let layer = Layer {
            name: "l".into(),
            op: Op::ConvTranspose {
                out: 1,
                window: crate::op::Window { kernel: 4, stride: 1, padding: 0 },
            },
            activation: Activation::Tanh,
            from: None,
            with: None,
            weight: vec![0.25; 5 * 16],
            bias: vec![],
        };
        let graph = Graph { input: Input::Latent(5), layers: vec![layer], facts: Facts::default() };
        let record = Buffer::from(graph.to_record().unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        for adapter in adapters() {
            let gpu = Gpu::new(&model, &adapter, false).unwrap();
            gpu.net.device.raw.destroy();
            let mut arena = vec![0.0; model.arena_len()];
            let cpu = Cpu::new(&model, &mut arena).unwrap();
            let tell = |error: &GpuError| assert!(matches!(error, GpuError::Driver(_)), "{error}");
            let mut both = Fallback::new(gpu, cpu, tell);
            for seed in [1, 2] {
                let image = both.generate(&Latent::from_seed(seed)).unwrap();
                assert!(image.values().iter().all(|v| v.is_finite()));
                assert!(!both.on_gpu());
            }
        }
    }
}
