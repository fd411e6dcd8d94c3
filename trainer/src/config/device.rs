//! The device that a run trains on.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
#[cfg(feature = "gpu")]
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "gpu")]
use burn::tensor::DeviceKind;
#[cfg(feature = "gpu")]
use burn_wgpu::{WgpuBackend, WgpuSetup, wgpu};
#[cfg(feature = "gpu")]
use runtime::gpu::{Adapter, Kind};
use serde::{Deserialize, Serialize};

use super::names::Precision;

/// A device by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// All cores of the CPU.
    Cpu,
    /// A GPU if there is one, otherwise the CPU.
    Auto,
    /// A Vulkan adapter: the best one, or by its number in `runtime devices`.
    Vulkan(Option<usize>),
}

/// Why a run cannot train on a device, in one line that lists the devices there are.
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
            ("cpu", _) => Ok(Device::Cpu),
            ("auto", _) => Ok(Device::Auto),
            ("vulkan", _) => Ok(Device::Vulkan(None)),
            (_, Some(Ok(number))) => Ok(Device::Vulkan(Some(number))),
            _ => Err(DeviceError(format!(
                "no device {text:?}: expected cpu, vulkan, vulkan:N or auto, where N is a number from \
                 `runtime devices`"
            ))),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
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

/// The GPU that this process prepared, and its limit on the bytes of a tensor.
static PREPARED: OnceLock<(burn::tensor::Device, u64)> = OnceLock::new();

/// The GPUs that this process opened: burn initializes a device only once.
#[cfg(feature = "gpu")]
static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

/// An initialized GPU.
#[cfg(feature = "gpu")]
struct Opened {
    kind: Kind,
    ordinal: usize,
    device: burn::tensor::Device,
    facts: Facts,
}

/// What a GPU supports.
#[cfg(feature = "gpu")]
#[derive(Clone, Copy)]
struct Facts {
    /// Why its matrix units cannot be used, if they cannot.
    no_matrix: Option<&'static str>,
    /// Largest number of bytes that a kernel can bind as one tensor.
    largest: u64,
}

/// Kernel launches per submission to the driver: a step has hundreds, and each submission costs
/// time.
#[cfg(feature = "gpu")]
const TOGETHER: usize = 64;

/// The burn device of an adapter, without gradients.
///
/// # Errors
/// The driver's message.
#[cfg(feature = "gpu")]
pub fn on(adapter: &Adapter) -> Result<burn::tensor::Device, String> {
    opened(adapter).map(|(device, _)| device)
}

/// The burn device of an adapter, and what it supports.
#[cfg(feature = "gpu")]
fn opened(adapter: &Adapter) -> Result<(burn::tensor::Device, Facts), String> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let here = opened.iter().find(|o| (o.kind, o.ordinal) == (adapter.kind, adapter.ordinal));
    if let Some(here) = here {
        return Ok((here.device.clone(), here.facts));
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
        .graphics_api(WgpuBackend::Vulkan)
        .tasks_max(TOGETHER);
    let (device, setup) = options.init_with_setup().map_err(|e| e.to_string())?;
    let limits = setup.device.limits();
    let facts = Facts {
        no_matrix: no_matrix(&setup),
        largest: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
    };
    opened.push(Opened {
        kind: adapter.kind,
        ordinal: adapter.ordinal,
        device: device.clone(),
        facts,
    });
    Ok((device, facts))
}

/// Why our kernels cannot use an adapter's matrix units, if they cannot.
#[cfg(feature = "gpu")]
fn no_matrix(setup: &WgpuSetup) -> Option<&'static str> {
    use wgpu::{CooperativeScalarType, Features};
    let features = setup.device.features();
    if !features.contains(Features::SHADER_F16) {
        return Some("it has no 16-bit floats");
    }
    if !features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
        return Some("it has no cooperative matrices");
    }
    let sizes = setup.adapter.cooperative_matrix_properties();
    let ours = sizes.iter().any(|p| {
        (p.m_size, p.n_size, p.k_size) == (16, 16, 16)
            && p.ab_type == CooperativeScalarType::F16
            && p.cr_type == CooperativeScalarType::F32
    });
    let info = setup.adapter.get_info();
    let subgroups = (info.subgroup_min_size, info.subgroup_max_size);
    match (ours, subgroups) {
        (false, _) => Some("its cooperative matrices are not 16 x 16 of 16-bit floats"),
        (true, (32, 32)) => None,
        (true, _) => Some("its subgroups are not of 32 threads"),
    }
}

impl Device {
    /// The burn device, with gradients: the prepared GPU for a run that wants one, otherwise the
    /// CPU. Only training prepares a GPU, so that a run trained on one can be exported, sampled and
    /// evaluated on any machine.
    pub fn open(self) -> burn::tensor::Device {
        let gpu = match self {
            Device::Cpu => None,
            Device::Auto | Device::Vulkan(_) => PREPARED.get().map(|(device, _)| device.clone()),
        };
        gpu.unwrap_or_else(burn::tensor::Device::flex).autodiff()
    }

    /// Limit on the bytes of a tensor; none on the CPU.
    pub fn largest(self) -> Option<u64> {
        match self {
            Device::Cpu => None,
            Device::Auto | Device::Vulkan(_) => PREPARED.get().map(|(_, largest)| *largest),
        }
    }

    /// Refuses a precision that only a GPU has.
    fn plain(self, precision: Precision) -> Result<(), DeviceError> {
        match precision {
            Precision::F32 => Ok(()),
            Precision::Mixed => Err(DeviceError(format!(
                "--precision mixed is for a GPU, and --device {self} is the CPU here"
            ))),
        }
    }

    /// Finds and initializes the device. If there was a choice, returns a line that names what was
    /// chosen and why.
    ///
    /// # Errors
    /// [`DeviceError`] lists what there is.
    #[cfg(not(feature = "gpu"))]
    pub fn prepare(self, precision: Precision) -> Result<Option<String>, DeviceError> {
        match self {
            Device::Cpu => self.plain(precision).map(|()| None),
            Device::Auto => self.plain(precision).map(|()| {
                Some("device: CPU (this program was built without the feature gpu)".into())
            }),
            Device::Vulkan(_) => Err(DeviceError(format!(
                "--device {self}: this program was built without GPU support: use cargo run --release -p trainer --features gpu -- \
                 ..."
            ))),
        }
    }

    /// Finds and initializes the device. If there was a choice, returns a line that names what was
    /// chosen and why.
    ///
    /// # Errors
    /// [`DeviceError`] lists what there is.
    #[cfg(feature = "gpu")]
    pub fn prepare(self, precision: Precision) -> Result<Option<String>, DeviceError> {
        use runtime::gpu::adapters;
        if self == Device::Cpu {
            return self.plain(precision).map(|()| None);
        }
        let all = adapters();
        let real = all.iter().find(|a| a.is_real());
        let (chosen, why) = match self {
            Device::Cpu => (None, String::new()),
            Device::Auto => match (real, all.first()) {
                (Some(gpu), _) => (Some(gpu), String::new()),
                (None, Some(other)) => {
                    (None, format!("Vulkan has only {}, {}", other.name, other.kind))
                }
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
            self.plain(precision)?;
            return Ok(Some(format!("device: CPU ({why})")));
        };
        let (device, facts) = opened(adapter)
            .map_err(|e| DeviceError(format!("--device {self}: {}: {e}", adapter.name)))?;
        if let (Precision::Mixed, Some(why)) = (precision, facts.no_matrix) {
            return Err(DeviceError(format!(
                "--precision mixed: {} cannot: {why}; use --precision f32",
                adapter.name
            )));
        }
        models::gpu::conv::set_matrix_units(precision == Precision::Mixed);
        let (device, _) = PREPARED.get_or_init(|| (device, facts.largest));
        // An unusable device should fail here rather than in the middle of a run.
        let probe = burn::tensor::Tensor::<1>::ones([2], device).sum();
        probe
            .try_into_data()
            .map_err(|e| DeviceError(format!("--device {self}: {}: {e}", adapter.name)))?;
        Ok(Some(format!("device: {} ({}, {})", adapter.name, adapter.kind, adapter.driver)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["cpu", "auto", "vulkan", "vulkan:3"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        let error = "cuda".parse::<Device>().unwrap_err().to_string();
        assert!(error.contains("cuda") && error.contains("vulkan"), "{error}");
        assert!("vulkan:x".parse::<Device>().is_err());
    }

    #[test]
    fn only_training_needs_the_gpu() {
        let flex = burn::tensor::Device::flex().autodiff();
        assert_eq!(Device::Vulkan(Some(7)).open(), flex);
        assert_eq!(Device::Cpu.prepare(Precision::F32), Ok(None));
        let error = Device::Cpu.prepare(Precision::Mixed).unwrap_err();
        assert!(error.to_string().contains("--precision mixed"), "{error}");
    }
}
