//! Where a run trains.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
#[cfg(feature = "gpu")]
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "gpu")]
use burn::tensor::DeviceKind;
#[cfg(feature = "gpu")]
use burn_wgpu::WgpuBackend;
#[cfg(feature = "gpu")]
use runtime::gpu::{Adapter, Kind};
use serde::{Deserialize, Serialize};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The CPU, all cores.
    Flex,
    /// A GPU if there is one, otherwise the CPU.
    Auto,
    /// A Vulkan adapter: the best, or by its number in `runtime devices`.
    Vulkan(Option<usize>),
}

/// Why a run cannot train there: one line, which lists what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceError(String);

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DeviceError {}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Device, DeviceError> {
        let number = text.strip_prefix("vulkan:").map(str::parse);
        match (text, number) {
            ("flex" | "cpu", _) => Ok(Device::Flex),
            ("auto", _) => Ok(Device::Auto),
            ("vulkan", _) => Ok(Device::Vulkan(None)),
            (_, Some(Ok(number))) => Ok(Device::Vulkan(Some(number))),
            _ => Err(DeviceError(format!(
                "there is no device {text}; there are flex (the CPU), vulkan, vulkan:N and auto"
            ))),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Flex => f.write_str("flex"),
            Device::Auto => f.write_str("auto"),
            Device::Vulkan(None) => f.write_str("vulkan"),
            Device::Vulkan(Some(number)) => write!(f, "vulkan:{number}"),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<Device, DeviceError> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> String {
        device.to_string()
    }
}

/// The GPU of this process, once one was prepared.
static PREPARED: OnceLock<burn::tensor::Device> = OnceLock::new();

/// What this process has opened: burn brings a device up once.
#[cfg(feature = "gpu")]
static OPENED: Mutex<Vec<(Kind, usize, burn::tensor::Device)>> = Mutex::new(Vec::new());

/// The burn device of an adapter, without gradients.
///
/// # Errors
/// What the driver says where it refuses.
#[cfg(feature = "gpu")]
pub fn on(adapter: &Adapter) -> Result<burn::tensor::Device, String> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let here = opened
        .iter()
        .find(|o| (o.0, o.1) == (adapter.kind, adapter.ordinal));
    if let Some((_, _, device)) = here {
        return Ok(device.clone());
    }
    let kind = match adapter.kind {
        Kind::Discrete => DeviceKind::DiscreteGpu(adapter.ordinal),
        Kind::Integrated => DeviceKind::IntegratedGpu(adapter.ordinal),
        Kind::Virtual => DeviceKind::VirtualGpu(adapter.ordinal),
        Kind::Software => DeviceKind::Cpu,
        Kind::Other => DeviceKind::DefaultDevice,
    };
    let options = burn::tensor::Device::wgpu_options()
        .device_kind(kind)
        .graphics_api(WgpuBackend::Vulkan);
    let device = options.init().map_err(|e| e.to_string())?;
    opened.push((adapter.kind, adapter.ordinal, device.clone()));
    Ok(device)
}

impl Device {
    /// The burn device, with gradients: the GPU that was prepared, for a run that wants one, otherwise the CPU. What does not
    /// train prepares none, so that a run of a GPU is exported, sampled and evaluated on any machine.
    pub fn open(self) -> burn::tensor::Device {
        let gpu = match self {
            Device::Flex => None,
            Device::Auto | Device::Vulkan(_) => PREPARED.get().cloned(),
        };
        gpu.unwrap_or_else(burn::tensor::Device::flex).autodiff()
    }

    /// Finds the device and brings it up. Returns what was chosen and why, in a line, where there was a choice.
    ///
    /// # Errors
    /// [`DeviceError`] lists what there is.
    #[cfg(not(feature = "gpu"))]
    pub fn prepare(self) -> Result<Option<String>, DeviceError> {
        match self {
            Device::Flex => Ok(None),
            Device::Auto => Ok(Some(
                "device: CPU (this program was built without the feature gpu)".into(),
            )),
            Device::Vulkan(_) => Err(DeviceError(format!(
                "--device {self}: this program was built without a GPU: cargo run --release -p trainer --features gpu -- \
                 ..."
            ))),
        }
    }

    /// Finds the device and brings it up. Returns what was chosen and why, in a line, where there was a choice.
    ///
    /// # Errors
    /// [`DeviceError`] lists what there is.
    #[cfg(feature = "gpu")]
    pub fn prepare(self) -> Result<Option<String>, DeviceError> {
        use runtime::gpu::adapters;
        if self == Device::Flex {
            return Ok(None);
        }
        let all = adapters();
        let real = all.iter().find(|a| a.is_real());
        let (chosen, why) = match self {
            Device::Flex => (None, String::new()),
            Device::Auto => match (real, all.first()) {
                (Some(gpu), _) => (Some(gpu), String::new()),
                (None, Some(other)) => (
                    None,
                    format!("Vulkan has only {}, {}", other.name, other.kind),
                ),
                (None, None) => (None, "Vulkan finds no adapter".into()),
            },
            Device::Vulkan(number) => {
                let adapter = match number {
                    Some(number) => all.get(number),
                    None => real.or(all.first()),
                };
                let names: Vec<&str> = all.iter().map(|a| a.name.as_str()).collect();
                let found = match names.is_empty() {
                    true => {
                        "Vulkan finds no adapter: its loader or a driver is missing".to_string()
                    }
                    false => format!("Vulkan finds {}", names.join(", ")),
                };
                let adapter = adapter.ok_or(DeviceError(format!("--device {self}: {found}")))?;
                (Some(adapter), String::new())
            }
        };
        let Some(adapter) = chosen else {
            return Ok(Some(format!("device: CPU ({why})")));
        };
        let device = on(adapter)
            .map_err(|e| DeviceError(format!("--device {self}: {}: {e}", adapter.name)))?;
        let device = PREPARED.get_or_init(|| device);
        // What is not usable is better found out here than in the middle of a run.
        let probe = burn::tensor::Tensor::<1>::ones([2], device).sum();
        probe
            .try_into_data()
            .map_err(|e| DeviceError(format!("--device {self}: {}: {e}", adapter.name)))?;
        Ok(Some(format!(
            "device: {} ({}, {})",
            adapter.name, adapter.kind, adapter.driver
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["flex", "auto", "vulkan", "vulkan:3"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        let error = "cuda".parse::<Device>().unwrap_err().to_string();
        assert!(
            error.contains("cuda") && error.contains("vulkan"),
            "{error}"
        );
        assert!("vulkan:x".parse::<Device>().is_err());
    }

    #[test]
    fn what_does_not_train_runs_on_the_cpu() {
        let flex = burn::tensor::Device::flex().autodiff();
        assert_eq!(Device::Vulkan(Some(7)).open(), flex);
        assert_eq!(Device::Flex.prepare(), Ok(None));
    }
}
