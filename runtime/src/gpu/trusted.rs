//! Shaders without the checks that wgpu adds to those of strangers.
//!
//! Beside the checks of indices, wgpu counts the rounds of every loop and tests every divisor. In the inner loops of a matrix
//! product that is a large part of the instructions, and it keeps drivers from unrolling.
#![allow(unsafe_code)]

/// The module of one of this crate's own texts.
pub fn module(device: &wgpu::Device, source: &str) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    };
    // SAFETY: the texts are this crate's own, they are validated as any other, and only their run-time checks are left out:
    // - indices into workgroup memory follow from the thread's number and constants that size the same arrays;
    // - indices into buffers are computed from the shapes that sized the buffers when the layer was uploaded, threads that have
    //   nothing to do there return first, and taps outside of the input are not read;
    // - loops run up to numbers of the same shapes;
    // - divisors are constants, or sides of shapes of at least 1 (layer.rs).
    unsafe {
        device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
    }
}

/// Consent to wgpu's experimental features.
pub fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: of these features only cooperative matrices are asked for, where the driver lists the size and types of those that
    // `coop.wgsl` uses; its pointers follow from constants that size the same arrays, and all threads of a subgroup are there.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}
