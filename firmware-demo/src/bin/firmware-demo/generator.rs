//! What generates the faces: the CPU, or a GPU until it is lost.

use runtime::device::Device;
use runtime::{ArenaTooSmall, Backend, Cpu, Image, Latent, LatentLength, Model, PictureLength};

#[cfg(feature = "gpu")]
use crate::output::notice;

/// The kiosk's backend.
pub enum Generator<'a> {
    /// The CPU.
    Cpu(Cpu<'a>),
    /// A GPU, with the CPU as its fallback.
    #[cfg(feature = "gpu")]
    Gpu(Box<runtime::gpu::Fallback<'a>>),
}

impl<'a> Generator<'a> {
    /// Opens a device for `model`, with an arena of `model.arena_len()` values for the CPU.
    ///
    /// # Errors
    /// One line that names the device and what there is instead.
    pub fn open(
        device: Device,
        model: &'a Model<'a>,
        arena: &'a mut [f32],
    ) -> Result<Generator<'a>, String> {
        let cpu = Cpu::new(model, arena).map_err(|e: ArenaTooSmall| e.to_string())?;
        match device {
            Device::Cpu => Ok(Generator::Cpu(cpu)),
            #[cfg(feature = "gpu")]
            Device::Auto | Device::Vulkan(_) => Generator::open_gpu(device, model, cpu),
            #[cfg(not(feature = "gpu"))]
            Device::Auto => Ok(Generator::Cpu(cpu)),
            #[cfg(not(feature = "gpu"))]
            Device::Vulkan(_) => Err(format!(
                "--device {device}: this program was built without the feature gpu; build it with \
                 cargo build --release -p firmware-demo --features gpu"
            )),
        }
    }

    #[cfg(feature = "gpu")]
    fn open_gpu(
        device: Device,
        model: &'a Model<'a>,
        cpu: Cpu<'a>,
    ) -> Result<Generator<'a>, String> {
        use runtime::gpu::{Fallback, Gpu, adapters};
        let all = adapters();
        let real = all.iter().find(|a| a.is_real());
        let adapter = match device {
            // A software adapter is slower than the CPU's own kernels.
            Device::Auto => match real {
                Some(adapter) => Some(adapter),
                None => return Ok(Generator::Cpu(cpu)),
            },
            Device::Vulkan(Some(number)) => all.get(number),
            Device::Vulkan(None) | Device::Cpu => real.or(all.first()),
        };
        let adapter = adapter.ok_or_else(|| match all.len() {
            0 => format!("--device {device}: Vulkan finds no adapter"),
            n => format!("--device {device}: Vulkan finds {n}, numbered from 0"),
        })?;
        match Gpu::new(model, adapter, false) {
            Ok(gpu) => {
                notice(format_args!("generating on {} ({})", adapter.name, adapter.kind));
                let lost = |error: &_| notice(format_args!("{error}; continuing on the CPU"));
                Ok(Generator::Gpu(Box::new(Fallback::new(gpu, cpu, lost))))
            }
            Err(error) if device == Device::Auto => {
                notice(format_args!("{}: {error}; generating on the CPU", adapter.name));
                Ok(Generator::Cpu(cpu))
            }
            Err(error) => Err(format!("--device {device}: {error}")),
        }
    }
}

impl Generator<'_> {
    /// Makes a picture from the pixels of another.
    ///
    /// # Errors
    /// As [`Cpu::translate`].
    pub fn translate(&mut self, pixels: &[u8]) -> Result<Image<'_>, PictureLength> {
        match self {
            Generator::Cpu(cpu) => cpu.translate(pixels),
            #[cfg(feature = "gpu")]
            Generator::Gpu(gpu) => gpu.translate(pixels),
        }
    }
}

impl Backend for Generator<'_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        match self {
            Generator::Cpu(cpu) => cpu.generate(latent),
            #[cfg(feature = "gpu")]
            Generator::Gpu(gpu) => gpu.generate(latent),
        }
    }
}
