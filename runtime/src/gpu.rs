//! A model on a GPU, through wgpu on Vulkan, with kernels of our own: the same layers, the same weights, pictures within
//! 1/255 of the CPU's.
//!
//! Weights are uploaded once, in the order in which kernels read them; every layer that multiplies is one kernel, with
//! bias and activation (`gpu/kernels.wgsl`). [`Fallback`] goes on on the CPU where a GPU is lost on the way.

use std::vec;
use std::vec::Vec;

use crate::image::Image;
use crate::latent::Latent;
use crate::model::{Model, Precision};
use crate::op::Shape;
use crate::simd::cast;

mod adapter;
mod device;
mod error;
mod fallback;
mod kernel;
mod layer;
mod time;

pub use adapter::{Adapter, Kind, adapters};
pub use error::GpuError;
pub use fallback::Fallback;

use device::Device;
use kernel::{Kernel, Pipelines};
use layer::Layer;

/// Bytes of a map of all faces at once: more are no faster.
const ROOM: u64 = 256 << 20;

/// A model on a GPU.
pub struct Gpu {
    device: Device,
    pipelines: Pipelines,
    layers: Vec<Layer>,
    latent: usize,
    classes: usize,
    output: Shape,
    range: (f32, f32),
    half: bool,
    /// Bytes of the largest map of one face.
    face: u64,
    /// Faces at once.
    most: usize,
    maps: Maps,
    /// The faces of the last call.
    values: Vec<f32>,
}

/// What is between layers, for so many faces.
struct Maps {
    faces: usize,
    /// How many faces the call has.
    call: wgpu::Buffer,
    /// Layers read one and write the other, in turn.
    pair: [wgpu::Buffer; 2],
    /// What the CPU reads.
    staging: wgpu::Buffer,
    /// Of each layer.
    bindings: Vec<wgpu::BindGroup>,
}

impl Gpu {
    /// Uploads a model's weights to an adapter and makes a first face, which compiles what the others run; a first batch
    /// may want other kernels. `half` stores weights and maps as 16-bit floats; sums are of 32 bits.
    ///
    /// # Errors
    /// [`GpuError`]; never a panic of a driver.
    pub fn new(model: &Model<'_>, adapter: &Adapter, half: bool) -> Result<Gpu, GpuError> {
        match model.precision() {
            Precision::F32 => {}
            other @ (Precision::Packed | Precision::F16 | Precision::Int8) => {
                return Err(GpuError::Precision(other));
            }
        }
        if half && !adapter.half {
            return Err(GpuError::NoHalf(adapter.name.clone()));
        }
        let device = Device::open(adapter, half)?;
        let limit = adapter.largest_buffer;
        let float = if half { 2 } else { 4 };
        let mut face = (4 * model.output().values()).max(4 * model.latent()) as u64;
        for layer in model.layers() {
            let weights =
                layer::weights(layer, device.eight).map_or(u64::MAX, |n| float * n as u64);
            if weights > limit {
                return Err(GpuError::TooLarge(weights, limit));
            }
            for shape in [layer.input, layer.output] {
                face = face.max(float * layer::values(shape) as u64);
            }
        }
        if face > limit {
            return Err(GpuError::TooLarge(face, limit));
        }
        let last = model.layers().len() - 1;
        let layers = model.layers().iter().enumerate();
        let layers = layers.map(|(i, l)| Layer::new(&device, l, i == last, half));
        let layers: Vec<Layer> = layers.collect();
        let pipelines = Pipelines::new(&device);
        let maps = Maps::new(&device, &pipelines, &layers, 1, face, model.output());
        let mut gpu = Gpu {
            device,
            pipelines,
            layers,
            latent: model.latent(),
            classes: model.classes(),
            output: model.output(),
            range: model.range(),
            half,
            face,
            most: (limit.min(ROOM) / face).clamp(1, 1 << 16) as usize,
            maps,
            values: Vec::new(),
        };
        gpu.run(&[Latent::from_seed(0)])?;
        Ok(gpu)
    }

    /// Makes a face of each latent, as many at once as the adapter takes. They are read with [`Gpu::image`], until the next
    /// call.
    ///
    /// # Errors
    /// [`GpuError::Latent`], or [`GpuError::Driver`] where the device is lost.
    pub fn generate_all(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        self.values.clear();
        let mut parts = latents.chunks(self.most);
        parts.try_for_each(|part| self.run(part))
    }

    /// How many faces the adapter makes at once, at most.
    pub fn at_once(&self) -> usize {
        self.most
    }

    /// Face `i` of the last call.
    ///
    /// # Panics
    /// Where there were fewer.
    pub fn image(&self, i: usize) -> Image<'_> {
        let n = self.output.values();
        Image::new(&self.values[i * n..(i + 1) * n], self.output, self.range)
    }

    /// Adds a face of each latent to those that are there.
    fn run(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        let n = latents.len();
        self.write(latents)?;
        let mut encoder = self.device.raw.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for i in 0..self.layers.len() {
                self.step(&mut pass, i, n);
            }
        }
        let bytes = (4 * n * self.output.values()) as u64;
        let result = &self.maps.pair[self.layers.len() % 2];
        encoder.copy_buffer_to_buffer(result, 0, &self.maps.staging, 0, bytes);
        self.device.queue.submit([encoder.finish()]);
        let values = &mut self.values;
        self.device.read(&self.maps.staging, bytes, |bytes| {
            let (floats, _) = bytes.as_chunks::<4>();
            values.extend(floats.iter().map(|b| f32::from_le_bytes(*b)));
        })
    }

    /// Puts latents where the first layer reads, making room if there are more than ever.
    fn write(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        let n = latents.len();
        let pixel = layer::values(Shape::new(self.latent, 1, 1));
        let mut z = vec![0.0; n * pixel];
        for (z, latent) in z.chunks_exact_mut(pixel).zip(latents) {
            let z = &mut z[..self.latent];
            latent.fill_for(z, self.classes).map_err(GpuError::Latent)?;
        }
        if n > self.maps.faces {
            self.maps = Maps::new(
                &self.device,
                &self.pipelines,
                &self.layers,
                n,
                self.face,
                self.output,
            );
        }
        let queue = &self.device.queue;
        let call = [n as u32, 0, 0, 0].map(u32::to_le_bytes).concat();
        queue.write_buffer(&self.maps.call, 0, &call);
        match self.half {
            true => {
                let halves = z.iter().map(|v| crate::half::narrow(*v).to_le_bytes());
                let halves: Vec<u8> = halves.flatten().collect();
                queue.write_buffer(&self.maps.pair[0], 0, &halves);
            }
            false => queue.write_buffer(&self.maps.pair[0], 0, cast::bytes(&z)),
        }
        self.device.check()
    }

    /// Has layer `i` run on `n` faces.
    fn step(&mut self, pass: &mut wgpu::ComputePass<'_>, i: usize, n: usize) {
        let (kind, [x, y, z]) = self.layers[i].plan(n);
        let kernel = Kernel {
            kind,
            image: self.layers[i].image,
            half: self.half,
        };
        pass.set_pipeline(&self.pipelines.get(&self.device, kernel));
        pass.set_bind_group(0, &self.maps.bindings[i], &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

impl Maps {
    fn new(
        device: &Device,
        pipelines: &Pipelines,
        layers: &[Layer],
        faces: usize,
        face: u64,
        output: Shape,
    ) -> Maps {
        use wgpu::BufferUsages as Use;
        let map = || {
            let usage = Use::STORAGE | Use::COPY_DST | Use::COPY_SRC;
            device.buffer(faces as u64 * face, usage)
        };
        let call = device.buffer(16, Use::UNIFORM | Use::COPY_DST);
        let pair = [map(), map()];
        let bindings = layers.iter().enumerate().map(|(i, layer)| {
            let buffers = [
                &layer.facts,
                &layer.groups,
                &layer.weight,
                &layer.bias,
                &pair[i % 2],
                &pair[(i + 1) % 2],
                &call,
            ];
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
        });
        Maps {
            faces,
            bindings: bindings.collect(),
            call,
            pair,
            staging: device.buffer(
                (faces * 4 * output.values()) as u64,
                Use::MAP_READ | Use::COPY_DST,
            ),
        }
    }
}
