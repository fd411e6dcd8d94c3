//! The name of a device.

use std::fmt;
use std::str::FromStr;

/// A device to generate faces on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// A GPU if there is one, otherwise the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A Vulkan adapter: the best one, or that of this number in `runtime devices`.
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
            _ => Err("expected cpu, vulkan, vulkan:N or auto".into()),
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
