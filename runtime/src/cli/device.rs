//! Where faces are made.

use std::fmt;
use std::str::FromStr;

/// What can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// A GPU if there is one, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A Vulkan adapter: the best, or by its number in `runtime devices`.
    Vulkan(Option<usize>),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Device, String> {
        let number = text.strip_prefix("vulkan:").map(str::parse);
        match (text, number) {
            ("auto", _) => Ok(Device::Auto),
            ("cpu", _) => Ok(Device::Cpu),
            ("vulkan", _) => Ok(Device::Vulkan(None)),
            (_, Some(Ok(number))) => Ok(Device::Vulkan(Some(number))),
            _ => Err(format!(
                "there is no device {text}; there are auto, cpu, vulkan and vulkan:N, the N-th of runtime devices"
            )),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Auto => f.write_str("auto"),
            Device::Cpu => f.write_str("cpu"),
            Device::Vulkan(None) => f.write_str("vulkan"),
            Device::Vulkan(Some(number)) => write!(f, "vulkan:{number}"),
        }
    }
}

/// What it comes to.
pub enum Chosen {
    /// The CPU.
    Cpu,
    /// This adapter; whether it was asked for, so that it is an error where it does not work.
    #[cfg(feature = "gpu")]
    Gpu(runtime::gpu::Adapter, bool),
}

/// Said where a program without the feature is asked for a GPU.
#[cfg(not(feature = "gpu"))]
const WITHOUT: &str =
    "this program was built without a GPU: cargo run --release -p runtime --features gpu -- ...";

/// Chooses, and says what and why in one line where that was left to the program.
///
/// # Errors
/// One that lists what there is.
#[cfg(not(feature = "gpu"))]
pub fn choose(device: Device) -> Result<Chosen, String> {
    match device {
        Device::Auto | Device::Cpu => Ok(Chosen::Cpu),
        Device::Vulkan(_) => Err(format!("--device {device}: {WITHOUT}")),
    }
}

/// Chooses, and says what and why in one line where that was left to the program.
///
/// # Errors
/// One that lists what there is.
#[cfg(feature = "gpu")]
pub fn choose(device: Device) -> Result<Chosen, String> {
    use runtime::gpu::adapters;
    if device == Device::Cpu {
        return Ok(Chosen::Cpu);
    }
    let all = adapters();
    let real = all.iter().find(|a| a.is_real());
    match device {
        Device::Cpu => Ok(Chosen::Cpu),
        Device::Auto => match (real, all.first()) {
            (Some(gpu), _) => {
                eprintln!("device: {} ({}, {})", gpu.name, gpu.kind, gpu.driver);
                Ok(Chosen::Gpu(gpu.clone(), false))
            }
            (None, Some(other)) => {
                eprintln!("device: CPU (Vulkan has only {}, {})", other.name, other.kind);
                Ok(Chosen::Cpu)
            }
            (None, None) => {
                eprintln!("device: CPU (Vulkan finds no adapter)");
                Ok(Chosen::Cpu)
            }
        },
        Device::Vulkan(None) => match real.or(all.first()) {
            Some(adapter) => Ok(Chosen::Gpu(adapter.clone(), true)),
            None => Err(format!("--device vulkan: {}", found(&all))),
        },
        Device::Vulkan(Some(number)) => match all.get(number) {
            Some(adapter) => Ok(Chosen::Gpu(adapter.clone(), true)),
            None => Err(format!("--device vulkan:{number}: {}", found(&all))),
        },
    }
}

/// What was found, in a line.
#[cfg(feature = "gpu")]
fn found(all: &[runtime::gpu::Adapter]) -> String {
    if all.is_empty() {
        return "Vulkan finds no adapter: its loader (Debian: libvulkan1) or a driver (mesa-vulkan-drivers, or the \
                maker's) is missing"
            .into();
    }
    let each = all.iter().enumerate();
    let each: Vec<String> = each.map(|(i, a)| format!("{i} is {}", a.name)).collect();
    format!("there are {}: {}", all.len(), each.join(", "))
}

/// `runtime devices`: what there is.
///
/// # Errors
/// Where standard output cannot be written.
pub fn list() -> Result<(), Box<dyn std::error::Error>> {
    use std::fmt::Write;
    let mut text = String::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let isa = runtime::simd::Isa::best().name();
    writeln!(text, "{:<10} {cores} cores, {isa}", "cpu")?;
    #[cfg(feature = "gpu")]
    {
        let all = runtime::gpu::adapters();
        for (i, a) in all.iter().enumerate() {
            let half = if a.half { "f16" } else { "no f16" };
            writeln!(
                text,
                "{:<10} {}, {}, {}, {half}, buffers up to {} MiB",
                format!("vulkan:{i}"),
                a.name,
                a.kind,
                a.driver,
                a.largest_buffer >> 20
            )?;
        }
        if all.is_empty() {
            writeln!(text, "{:<10} {}", "vulkan", found(&all))?;
        }
    }
    #[cfg(not(feature = "gpu"))]
    writeln!(text, "{:<10} {WITHOUT}", "vulkan")?;
    super::output::print(text.as_bytes())?;
    Ok(())
}
