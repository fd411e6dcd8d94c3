//! What makes the faces: the CPU, or a GPU and the CPU once that is lost.

use clap::ValueEnum;
use runtime::backend::Backend;
use runtime::cpu::{ArenaTooSmall, Cpu};
use runtime::image::Image;
use runtime::latent::{Latent, LatentLength};
use runtime::model::Model;

/// Where faces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compute {
    /// The CPU
    Cpu,
    /// A GPU, through Vulkan; the CPU once it is lost
    Vulkan,
}

/// What makes the faces.
pub enum Maker<'a> {
    /// The CPU.
    Cpu(Cpu<'a>),
    /// A GPU.
    #[cfg(feature = "gpu")]
    Gpu(Box<runtime::gpu::Fallback<'a>>),
}

impl<'a> Maker<'a> {
    /// Opens a device for `model`, with an arena for the CPU.
    ///
    /// # Errors
    /// One line that says what there is.
    pub fn open(
        compute: Compute,
        model: &'a Model<'a>,
        arena: &'a mut [f32],
    ) -> Result<Maker<'a>, String> {
        let cpu = Cpu::new(model, arena).map_err(|e: ArenaTooSmall| e.to_string())?;
        match compute {
            Compute::Cpu => Ok(Maker::Cpu(cpu)),
            #[cfg(feature = "gpu")]
            Compute::Vulkan => {
                use runtime::gpu::{Fallback, Gpu, adapters};
                let all = adapters();
                let adapter = all.iter().find(|a| a.is_real()).or(all.first());
                let adapter = adapter.ok_or("--compute vulkan: Vulkan finds no adapter")?;
                let gpu = Gpu::new(model, adapter, false);
                let gpu = gpu.map_err(|e| format!("--compute vulkan: {e}"))?;
                eprintln!("faces by {} ({})", adapter.name, adapter.kind);
                let tell = |error: &_| eprintln!("{error}: going on on the CPU");
                Ok(Maker::Gpu(Box::new(Fallback::new(gpu, cpu, tell))))
            }
            #[cfg(not(feature = "gpu"))]
            Compute::Vulkan => Err(
                "--compute vulkan: this program was built without the feature gpu: cargo run --release -p firmware-demo \
                 --features gpu"
                    .into(),
            ),
        }
    }
}

impl Backend for Maker<'_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        match self {
            Maker::Cpu(cpu) => cpu.generate(latent),
            #[cfg(feature = "gpu")]
            Maker::Gpu(gpu) => gpu.generate(latent),
        }
    }
}
