//! Buffers for faces in flight: feature maps between layers, and what the CPU writes and reads for
//! each batch.

use std::vec::Vec;

use wgpu::BufferUsages as Use;

use super::device::{Device, Mapping};
use super::layer::{self, Layer};
use super::network::Network;
use super::pipelines::Pipelines;
use super::route::Route;

/// Up to this many faces, the first and last kernels work on memory that the CPU maps: fewer steps,
/// at the speed of the bus.
pub const FEW: usize = 8;

/// Batches in flight.
const SLOTS: usize = 2;

/// Buffers for batches of up to `faces` faces.
pub struct Set {
    pub faces: usize,
    /// The feature maps of [`Network::routes`].
    pub maps: Vec<wgpu::Buffer>,
    pub slots: Vec<Slot>,
}

/// A batch in flight.
pub struct Slot {
    /// The latents, written by the CPU; mapped unless in flight.
    pub upload: wgpu::Buffer,
    /// The bytes of the faces, read by the CPU.
    pub staging: wgpu::Buffer,
    /// What the last kernel writes: `staging` itself, or a buffer that is copied there.
    pub output: wgpu::Buffer,
    /// Whether the kernels work on `upload` and `staging`.
    pub direct: bool,
    /// Holds the number of faces of the batch.
    call: wgpu::Buffer,
    /// The number in `call`.
    pub called: usize,
    /// One per layer, and one for the step from a feature map to bytes.
    pub bindings: Vec<wgpu::BindGroup>,
    /// Commands recorded ahead for a batch of that many faces.
    pub recorded: Option<(usize, wgpu::CommandBuffer)>,
    pub flight: Option<Flight>,
}

/// What a slot waits for.
pub struct Flight {
    pub faces: usize,
    pub submission: wgpu::SubmissionIndex,
    /// Those of `staging` and `upload`.
    pub mappings: [Mapping; 2],
}

impl Set {
    pub fn new(net: &Network, faces: usize) -> Set {
        let device = &net.device;
        let map = || {
            let usage = Use::STORAGE | Use::COPY_DST | Use::COPY_SRC;
            device.buffer(faces as u64 * net.face, usage)
        };
        let maps = (0..net.maps).map(|_| map()).collect();
        let mut set = Set { faces, maps, slots: Vec::new() };
        let bytes = (4 * faces * layer::words(net.output)) as u64;
        let direct = device.direct && faces <= FEW;
        let shared = if direct { Use::STORAGE } else { Use::empty() };
        // Shared by all slots: batches run one after another.
        let copied = device.buffer(bytes, Use::STORAGE | Use::COPY_SRC);
        for _ in 0..SLOTS {
            let staging = device.buffer(bytes, Use::MAP_READ | Use::COPY_DST | shared);
            let output = if direct { staging.clone() } else { copied.clone() };
            let upload = device.raw.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: faces as u64 * net.input_bytes(),
                usage: Use::MAP_WRITE | Use::COPY_SRC | shared,
                mapped_at_creation: true,
            });
            let call = device.buffer(16, Use::UNIFORM | Use::COPY_DST);
            let first = if direct { &upload } else { &set.maps[0] };
            let bindings = set.bindings(net, first, &output, &call);
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
        net: &Network,
        first: &wgpu::Buffer,
        output: &wgpu::Buffer,
        call: &wgpu::Buffer,
    ) -> Vec<wgpu::BindGroup> {
        let Network { device, pipelines, layers, .. } = net;
        let mut bindings = Vec::new();
        for (i, (layer, route)) in layers.iter().zip(&net.routes).enumerate() {
            let [from, other] = inputs(route, first, &self.maps);
            let to = match i + 1 == layers.len() && layer.writes_bytes() {
                true => output,
                false => &self.maps[route.to],
            };
            bindings.push(binding(device, pipelines, layer, [from, to, call, other]));
        }
        if let Some((last, route)) = layers.last().zip(net.routes.last())
            && !last.writes_bytes()
        {
            let map = &self.maps[route.to];
            bindings.push(binding(device, pipelines, last, [map, output, call, map]));
        }
        bindings
    }
}

impl Slot {
    /// Sets the number of faces for the kernels.
    pub fn call(&mut self, device: &Device, faces: usize) {
        if self.called != faces {
            let call = [faces as u32, 0, 0, 0].map(u32::to_le_bytes).concat();
            device.queue.write_buffer(&self.call, 0, &call);
            self.called = faces;
        }
    }

    /// The bindings of the last layer when its output stays a feature map.
    pub fn as_map(&self, net: &Network, maps: &[wgpu::Buffer]) -> Option<wgpu::BindGroup> {
        let (last, route) = net.layers.last().zip(net.routes.last())?;
        let first = if self.direct { &self.upload } else { &maps[0] };
        let [from, other] = inputs(route, first, maps);
        let buffers = [from, &maps[route.to], &self.call, other];
        Some(binding(&net.device, &net.pipelines, last, buffers))
    }
}

/// The inputs of a layer; `first` holds the network's input.
fn inputs<'b>(
    route: &Route,
    first: &'b wgpu::Buffer,
    maps: &'b [wgpu::Buffer],
) -> [&'b wgpu::Buffer; 2] {
    let map = |number: usize, is_input| if is_input { first } else { &maps[number] };
    [map(route.from, route.is_input), map(route.other, route.other_is_input)]
}

fn binding(
    device: &Device,
    pipelines: &Pipelines,
    layer: &Layer,
    [from, to, call, other]: [&wgpu::Buffer; 4],
) -> wgpu::BindGroup {
    let own = [&layer.facts, &layer.groups, &layer.weight, &layer.bias];
    let buffers = own.into_iter().chain([from, to, call, other]);
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
