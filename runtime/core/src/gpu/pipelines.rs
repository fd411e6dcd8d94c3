//! Compiled kernels.

use std::vec::Vec;

use super::device::Device;
use super::kernel::Kernel;
use super::trusted;

/// The pipelines compiled so far.
pub struct Pipelines {
    pub layout: wgpu::BindGroupLayout,
    whole: wgpu::PipelineLayout,
    made: Vec<(Kernel, wgpu::ComputePipeline)>,
}

impl Pipelines {
    pub fn new(device: &Device) -> Pipelines {
        use wgpu::BufferBindingType::{Storage, Uniform};
        let reads = Storage { read_only: true };
        let writes = Storage { read_only: false };
        let kinds = [Uniform, reads, reads, reads, reads, writes, Uniform, reads];
        let entries: Vec<_> = (0..)
            .zip(kinds)
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = device.raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &entries,
        });
        let whole = device.raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            bind_group_layouts: &[Some(&layout)],
            ..wgpu::PipelineLayoutDescriptor::default()
        });
        Pipelines { layout, whole, made: Vec::new() }
    }

    /// The pipeline of a kernel, compiled on first use.
    pub fn get(&mut self, device: &Device, kernel: Kernel) -> wgpu::ComputePipeline {
        if let Some((_, pipeline)) = self.made.iter().find(|(k, _)| *k == kernel) {
            return pipeline.clone();
        }
        let source = kernel.source();
        let pipeline = compile(device, &source, kernel.kind.entry(), Some(&self.whole));
        self.made.push((kernel, pipeline.clone()));
        pipeline
    }
}

/// Compiles one of this crate's own shaders. [`Device::check`] reports errors.
pub fn compile(
    device: &Device,
    source: &str,
    entry: &str,
    layout: Option<&wgpu::PipelineLayout>,
) -> wgpu::ComputePipeline {
    let module = trusted::module(&device.raw, source);
    device.raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry),
        layout,
        module: &module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Kernels write all shared memory before they read it.
            zero_initialize_workgroup_memory: false,
            ..wgpu::PipelineCompilationOptions::default()
        },
        cache: None,
    })
}
