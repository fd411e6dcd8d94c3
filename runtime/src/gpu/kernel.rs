//! The kernels of `kernels.wgsl`, compiled: which there are, and which one suits a layer.

use std::string::String;
use std::vec::Vec;

use super::device::Device;

/// Workgroups in a row of a dispatch, which has rows because none may be longer than 65,535.
const ROW: usize = 32_768;
/// Columns of a tile.
const TILE: usize = 64;

/// Lanes of eight threads.
const EIGHT: usize = 32;

/// What a pipeline is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub kind: Kind,
    /// Writes planes of floats, the image, not a map.
    pub image: bool,
    /// Reads and writes 16-bit floats; sums are of 32 bits.
    pub half: bool,
}

/// One of the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Many columns, blocks of so many lanes: 32 or 64.
    Tile(usize),
    /// Few columns or few lanes, blocks of so many: 4, 16, 32 or 64.
    Slim(usize),
    /// A CPU in disguise, blocks of 32 lanes.
    Eight,
    /// What multiplies nothing.
    Move,
}

/// Lanes of a block of a layer of `lanes`; `eight`: on a CPU in disguise.
pub fn block(lanes: usize, eight: bool) -> usize {
    match lanes {
        0..=4 => 4,
        _ if eight => EIGHT,
        5..=16 => 16,
        17..=32 => 32,
        _ => 64,
    }
}

impl Kind {
    /// For `groups` products with `columns` columns each and `blocks` blocks of `block` lanes; `eight`: on a CPU
    /// in disguise.
    pub fn of(groups: usize, columns: usize, blocks: usize, block: usize, eight: bool) -> Kind {
        // As many workgroups as keep a small GPU busy; with fewer, each thread has to do less.
        let tiles = groups * columns.div_ceil(TILE) * blocks;
        match block {
            EIGHT if eight => Kind::Eight,
            32 | 64 if tiles >= 32 => Kind::Tile(block),
            _ => Kind::Slim(block),
        }
    }

    /// Columns, or vectors of the output, of a workgroup.
    pub fn columns(self) -> usize {
        match self {
            Kind::Tile(_) => TILE,
            Kind::Slim(block) => 4 * 256 / (block / 4 * slices(block)),
            Kind::Eight => 16,
            Kind::Move => 64,
        }
    }

    fn entry(self) -> &'static str {
        match self {
            Kind::Tile(_) => "tile",
            Kind::Slim(_) => "slim",
            Kind::Eight => "eight",
            Kind::Move => "move_values",
        }
    }

    /// What stands before the text for this one.
    fn constants(self) -> String {
        let lanes = match self {
            Kind::Tile(block) | Kind::Slim(block) => block,
            Kind::Eight => EIGHT,
            Kind::Move => 64,
        };
        std::format!(
            "const LANES = {}u;\nconst SLICES = {}u;\nconst TALL = {};\n",
            lanes / 4,
            slices(lanes),
            lanes == 64
        )
    }
}

/// Parts that the rows of a slim kernel are cut into.
fn slices(block: usize) -> usize {
    match block {
        64 => 16,
        32 => 8,
        _ => 4,
    }
}

impl Kernel {
    fn source(self) -> String {
        // Subgroups are not everywhere: a text of its own.
        let eight = match self.kind {
            Kind::Eight => include_str!("eight.wgsl"),
            Kind::Tile(_) | Kind::Slim(_) | Kind::Move => "",
        };
        let stored = match self.half {
            true => "enable f16;\nalias Stored = vec4<f16>;\n",
            false => "alias Stored = vec4<f32>;\n",
        };
        let put = match self.image {
            true => {
                "@group(0) @binding(5) var<storage, read_write> to: array<f32>;
                fn put(face: u32, pixel: u32, depth: u32, value: vec4<f32>) {
                    for (var i = 0u; i < min(4u, layer.out_channels - 4u * depth); i++) {
                        to[(face * layer.out_channels + 4u * depth + i) * layer.out_plane + pixel] = value[i];
                    }
                }\n"
            }
            false => {
                "@group(0) @binding(5) var<storage, read_write> to: array<Stored>;
                fn put(face: u32, pixel: u32, depth: u32, value: vec4<f32>) {
                    to[(face * layer.out_plane + pixel) * layer.out_depth + depth] = Stored(value);
                }\n"
            }
        };
        [
            stored,
            eight,
            &self.kind.constants(),
            put,
            include_str!("kernels.wgsl"),
        ]
        .concat()
    }
}

/// Workgroups of a dispatch as its three sides.
pub fn sides(workgroups: usize, groups: usize) -> [u32; 3] {
    [
        workgroups.min(ROW) as u32,
        workgroups.div_ceil(ROW) as u32,
        groups as u32,
    ]
}

/// The pipelines that were wanted so far.
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
        let kinds = [Uniform, reads, reads, reads, reads, writes, Uniform];
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
        let layout = device
            .raw
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: None,
                entries: &entries,
            });
        let whole = device
            .raw
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                bind_group_layouts: &[Some(&layout)],
                ..wgpu::PipelineLayoutDescriptor::default()
            });
        Pipelines {
            layout,
            whole,
            made: Vec::new(),
        }
    }

    /// The pipeline of a kernel, compiled now if it was not before.
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

/// A pipeline of a text. What is wrong is found by [`Device::check`].
pub fn compile(
    device: &Device,
    source: &str,
    entry: &str,
    layout: Option<&wgpu::PipelineLayout>,
) -> wgpu::ComputePipeline {
    let module = device
        .raw
        .create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
    device
        .raw
        .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout,
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Everything is written before it is read.
                zero_initialize_workgroup_memory: false,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        })
}
