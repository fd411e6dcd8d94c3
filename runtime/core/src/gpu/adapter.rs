//! The Vulkan adapters of this machine.

use std::fmt;
use std::string::{String, ToString};
use std::vec::Vec;

/// A Vulkan adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// Its driver, with the version.
    pub driver: String,
    /// Its kind.
    pub kind: Kind,
    /// Whether it supports 16-bit floats.
    pub half: bool,
    /// Largest buffer that a kernel can use, in bytes.
    pub largest_buffer: u64,
    /// Number among the adapters of its kind, from 0.
    pub ordinal: usize,
    /// wgpu's handle.
    pub(super) handle: wgpu::Adapter,
}

/// The kind of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A card.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// Provided by a virtual machine.
    Virtual,
    /// Software that runs on the CPU.
    Software,
    /// Unknown.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Discrete => "discrete GPU",
            Kind::Integrated => "integrated GPU",
            Kind::Virtual => "virtual GPU",
            Kind::Software => "software",
            Kind::Other => "unknown",
        })
    }
}

impl Adapter {
    /// Whether it is hardware.
    pub fn is_real(&self) -> bool {
        match self.kind {
            Kind::Discrete | Kind::Integrated | Kind::Virtual => true,
            Kind::Software | Kind::Other => false,
        }
    }
}

/// All adapters; none without a Vulkan loader or driver.
pub fn adapters() -> Vec<Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN;
    let instance = wgpu::Instance::new(descriptor);
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let mut all: Vec<Adapter> = Vec::new();
    for adapter in found {
        let info = adapter.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
            wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
            wgpu::DeviceType::VirtualGpu => Kind::Virtual,
            wgpu::DeviceType::Cpu => Kind::Software,
            wgpu::DeviceType::Other => Kind::Other,
        };
        let limits = adapter.limits();
        let ordinal = all.iter().filter(|a| a.kind == kind).count();
        let driver = std::format!("{} {}", info.driver, info.driver_info);
        all.push(Adapter {
            name: info.name,
            driver: driver.trim().to_string(),
            kind,
            half: adapter.features().contains(wgpu::Features::SHADER_F16),
            largest_buffer: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            ordinal,
            handle: adapter,
        });
    }
    all
}
