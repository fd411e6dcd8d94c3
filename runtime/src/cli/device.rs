//! Where to compute.

pub use runtime::device::Device;

/// What it resolves to.
pub enum Chosen {
    /// The CPU.
    Cpu,
    /// This adapter, and whether it is an error if it does not work.
    #[cfg(feature = "gpu")]
    Gpu(runtime::gpu::Adapter, bool),
}

/// The message when a program without the feature is asked for a GPU.
#[cfg(not(feature = "gpu"))]
const WITHOUT: &str = "this program was built without GPU support; build it with --features gpu";

/// Resolves a device; the choice for `auto` is printed.
///
/// # Errors
/// One that lists the available devices.
#[cfg(not(feature = "gpu"))]
pub fn choose(device: Device) -> Result<Chosen, String> {
    match device {
        Device::Auto | Device::Cpu => Ok(Chosen::Cpu),
        Device::Vulkan(_) => Err(format!("--device {device}: {WITHOUT}")),
    }
}

/// Resolves a device; the choice for `auto` is printed.
///
/// # Errors
/// One that lists the available devices.
#[cfg(feature = "gpu")]
pub fn choose(device: Device) -> Result<Chosen, String> {
    use runtime::gpu::adapters;

    use super::terminal::note;
    if device == Device::Cpu {
        return Ok(Chosen::Cpu);
    }
    let all = adapters();
    let real = all.iter().find(|a| a.is_real());
    match device {
        Device::Cpu => Ok(Chosen::Cpu),
        Device::Auto => match (real, all.first()) {
            (Some(gpu), _) => {
                note(format_args!("device: {} ({}, {})", gpu.name, gpu.kind, gpu.driver));
                Ok(Chosen::Gpu(gpu.clone(), false))
            }
            (None, Some(other)) => {
                note(format_args!("device: CPU (Vulkan has only {}, {})", other.name, other.kind));
                Ok(Chosen::Cpu)
            }
            (None, None) => {
                note(format_args!("device: CPU (Vulkan finds no adapter)"));
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

/// The adapters found, on one line.
#[cfg(feature = "gpu")]
fn found(all: &[runtime::gpu::Adapter]) -> String {
    if all.is_empty() {
        return "Vulkan finds no adapter; its loader (Debian: libvulkan1) or a driver (mesa-vulkan-drivers, or the \
                vendor's) is missing"
            .into();
    }
    let each = all.iter().enumerate();
    let each: Vec<String> = each.map(|(i, a)| format!("{i} is {}", a.name)).collect();
    format!("there are {}: {}", all.len(), each.join(", "))
}

/// `runtime devices`: lists the devices.
///
/// # Errors
/// If standard output cannot be written.
pub fn list() -> Result<(), Box<dyn std::error::Error>> {
    use std::fmt::Write;
    let mut text = String::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let isa = runtime::Isa::from_env()?;
    let others = runtime::Isa::all().into_iter().flatten().filter(|other| *other != isa);
    let others: Vec<&str> = others.map(runtime::Isa::name).collect();
    write!(text, "{:<10} {cores} cores, {}", "cpu", isa.name())?;
    match &others[..] {
        [] => writeln!(text)?,
        others => writeln!(text, " (has {} too)", others.join(", "))?,
    }
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
    super::output::text(&text)?;
    Ok(())
}
