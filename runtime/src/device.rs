//! The name of a device, as `--device` takes it.

use core::fmt;
use core::str::FromStr;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// A GPU if there is one, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A Vulkan adapter: the best one, or one by its number in `runtime devices`.
    Vulkan(Option<usize>),
}

impl FromStr for Device {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Device, &'static str> {
        let number = text.strip_prefix("vulkan:").map(str::parse);
        match (text, number) {
            ("auto", _) => Ok(Device::Auto),
            ("cpu", _) => Ok(Device::Cpu),
            ("vulkan", _) => Ok(Device::Vulkan(None)),
            (_, Some(Ok(number))) => Ok(Device::Vulkan(Some(number))),
            _ => Err("expected cpu, vulkan, vulkan:N or auto, where N is a number from \
                      `runtime devices`"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn names_and_what_is_not_one() {
        for name in ["auto", "cpu", "vulkan", "vulkan:0", "vulkan:12"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        for wrong in ["", "gpu", "vulkan:", "vulkan:x", "vulkan:-1", "Cpu"] {
            assert!(wrong.parse::<Device>().is_err(), "{wrong}");
        }
    }
}
