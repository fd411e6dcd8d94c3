//! Shaders without the checks that wgpu adds to untrusted ones.
//!
//! Besides checking indices, wgpu counts the iterations of every loop and tests every divisor. In
//! the inner loops of a matrix product that is a large part of the instructions, and it keeps
//! drivers from unrolling.
#![allow(unsafe_code, reason = "wgpu calls unchecked shaders unsafe")]

/// Compiles one of this crate's own shaders.
pub fn module(device: &wgpu::Device, source: &str) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    };
    // SAFETY: the shaders are this crate's own. They are validated like any other; only run-time
    // checks are left out:
    // - indices into workgroup memory follow from the thread's number and constants that size the
    //   arrays;
    // - indices into buffers follow from the shapes that sized the buffers when the layer was
    //   uploaded, threads without work return first, and taps outside the input are not read;
    // - loops are bounded by the same shapes;
    // - divisors are constants, or sizes of at least 1 (layer.rs).
    unsafe {
        device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
    }
}

/// Consent to wgpu's experimental features.
pub fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: the only such feature requested is cooperative matrices, and only if the driver lists
    // the size and types that `coop.wgsl` uses; its pointers follow from constants that size the
    // arrays, and all threads of a subgroup take part.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}
