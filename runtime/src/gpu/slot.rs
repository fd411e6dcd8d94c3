//! What faces on their way need: maps between layers, and for each batch in flight what the CPU writes and reads.

use std::vec::Vec;

use wgpu::BufferUsages as Use;

use super::Gpu;
use super::device::{Device, Mapping};
use super::kernel::Pipelines;
use super::layer::{self, Layer};

/// Up to so many faces the first and last kernels work on memory that the CPU maps: fewer steps, at the speed of the bus.
pub const FEW: usize = 8;

/// Batches in flight.
const SLOTS: usize = 2;

/// Buffers for batches of up to `faces` faces.
pub struct Set {
    pub faces: usize,
    /// Layers read one and write the other, in turn.
    pub pair: [wgpu::Buffer; 2],
    pub slots: Vec<Slot>,
}

/// A batch in flight.
pub struct Slot {
    /// The latents, written by the CPU: mapped, unless in flight.
    pub upload: wgpu::Buffer,
    /// The bytes of the faces, read by the CPU.
    pub staging: wgpu::Buffer,
    /// What the last kernel writes: `staging` itself, or what is copied there.
    pub output: wgpu::Buffer,
    /// Whether the kernels work on `upload` and `staging`.
    pub direct: bool,
    /// How many faces the call has.
    call: wgpu::Buffer,
    /// What `call` has.
    pub called: usize,
    /// Of each layer, and of the step from a map to bytes.
    pub bindings: Vec<wgpu::BindGroup>,
    /// The commands of the next batch of so many faces.
    pub recorded: Option<(usize, wgpu::CommandBuffer)>,
    pub flight: Option<Flight>,
}

/// What a slot waits for.
pub struct Flight {
    pub faces: usize,
    pub submission: wgpu::SubmissionIndex,
    /// Of `staging` and `upload`.
    pub mappings: [Mapping; 2],
}

impl Set {
    pub fn new(gpu: &Gpu, faces: usize) -> Set {
        let device = &gpu.device;
        let map = || {
            let usage = Use::STORAGE | Use::COPY_DST | Use::COPY_SRC;
            device.buffer(faces as u64 * gpu.face, usage)
        };
        let mut set = Set { faces, pair: [map(), map()], slots: Vec::new() };
        let bytes = (4 * faces * layer::words(gpu.output)) as u64;
        let direct = device.direct && faces <= FEW;
        let shared = if direct { Use::STORAGE } else { Use::empty() };
        // One for all slots: batches run one after the other.
        let copied = device.buffer(bytes, Use::STORAGE | Use::COPY_SRC);
        for _ in 0..SLOTS {
            let staging = device.buffer(bytes, Use::MAP_READ | Use::COPY_DST | shared);
            let output = if direct { staging.clone() } else { copied.clone() };
            let upload = device.raw.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: faces as u64 * gpu.latent_bytes(),
                usage: Use::MAP_WRITE | Use::COPY_SRC | shared,
                mapped_at_creation: true,
            });
            let call = device.buffer(16, Use::UNIFORM | Use::COPY_DST);
            let first = if direct { &upload } else { &set.pair[0] };
            let bindings = set.bindings(gpu, first, &output, &call);
            set.slots.push(Slot {
                upload,
                staging,
                output,
                direct,
                call,
                called: 0,
                bindings,
                recorded: None,
                flight: None,
            });
        }
        set
    }

    fn bindings(
        &self,
        gpu: &Gpu,
        first: &wgpu::Buffer,
        output: &wgpu::Buffer,
        call: &wgpu::Buffer,
    ) -> Vec<wgpu::BindGroup> {
        let Gpu { device, pipelines, layers, .. } = gpu;
        let mut bindings = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let from = if i == 0 { first } else { &self.pair[i % 2] };
            let to = match i + 1 == layers.len() && layer.writes_bytes() {
                true => output,
                false => &self.pair[(i + 1) % 2],
            };
            bindings.push(binding(device, pipelines, layer, [from, to, call]));
        }
        if let Some(last) = layers.last().filter(|l| !l.writes_bytes()) {
            let map = &self.pair[layers.len() % 2];
            bindings.push(binding(device, pipelines, last, [map, output, call]));
        }
        bindings
    }
}

impl Slot {
    /// Tells kernels how many faces there are.
    pub fn call(&mut self, device: &Device, faces: usize) {
        if self.called != faces {
            let call = [faces as u32, 0, 0, 0].map(u32::to_le_bytes).concat();
            device.queue.write_buffer(&self.call, 0, &call);
            self.called = faces;
        }
    }

    /// The last layer with its output as a map, in `to`.
    pub fn as_map(&self, gpu: &Gpu, pair: &[wgpu::Buffer; 2]) -> Option<wgpu::BindGroup> {
        let count = gpu.layers.len();
        let from = match count == 1 && self.direct {
            true => &self.upload,
            false => &pair[(count + 1) % 2],
        };
        let to = &pair[count % 2];
        let last = gpu.layers.last()?;
        Some(binding(&gpu.device, &gpu.pipelines, last, [from, to, &self.call]))
    }
}

fn binding(
    device: &Device,
    pipelines: &Pipelines,
    layer: &Layer,
    [from, to, call]: [&wgpu::Buffer; 3],
) -> wgpu::BindGroup {
    let buffers = [&layer.facts, &layer.groups, &layer.weight, &layer.bias, from, to, call];
    let entries: Vec<_> = (0..)
        .zip(buffers)
        .map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    device.raw.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipelines.layout,
        entries: &entries,
    })
}
