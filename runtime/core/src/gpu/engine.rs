//! A model on a GPU.

use std::collections::VecDeque;
use std::vec::Vec;

use super::adapter::Adapter;
use super::device::Device;
use super::error::GpuError;
use super::inputs::Inputs;
use super::kernel::Kind;
use super::layer::{self, Layer};
use super::network::Network;
use super::pipelines::Pipelines;
use super::route::routes;
use super::slot::Set;
use crate::half;
use crate::image::Image;
use crate::latent::Latent;
use crate::layer::{Input, Precision};
use crate::model::Model;
use crate::op::Shape;

/// Most bytes of a feature map for a part of a batch, and most faces of a part: larger parts are no
/// faster.
const PART: (u64, u64) = (256 << 20, 256);

/// A model on a GPU.
pub struct Gpu {
    pub(super) net: Network,
    /// Most faces at once.
    pub(super) most: usize,
    /// For few faces, and for many.
    pub(super) sets: [Option<Set>; 2],
    /// Calls that were begun, oldest first.
    pub(super) calls: VecDeque<Call>,
    /// Their parts in flight: set and slot.
    pub(super) flights: VecDeque<(usize, usize)>,
    /// The faces of the last finished call, each padded to whole words.
    pub(super) bytes: Vec<u8>,
    /// Buffers of finished calls, for reuse.
    spare: Vec<Vec<u8>>,
    /// A layer and the kernel to run it with, for measurements.
    pub(super) forced: Option<(usize, Kind)>,
    /// CPU threads that draw the latents of a large part.
    pub(super) threads: usize,
}

/// A call that was begun.
pub(super) struct Call {
    pub faces: usize,
    /// The faces that are back.
    pub bytes: Vec<u8>,
}

/// What the last layer writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Bytes,
    Map,
}

impl Gpu {
    /// Uploads a model's weights to an adapter and makes a first face, which compiles the kernels;
    /// the first batch may need others. `half` stores weights and feature maps as 16-bit floats;
    /// sums have 32 bits.
    ///
    /// # Errors
    /// [`GpuError`]; a driver never causes a panic.
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
        let layers = layers.map(|(i, l)| {
            let range = (i == last).then(|| model.range());
            Layer::new(&device, l, range, half)
        });
        let layers: Vec<Layer> = layers.collect();
        let pipelines = Pipelines::new(&device);
        let (routes, maps) = routes(model.layers());
        let net = Network {
            device,
            pipelines,
            layers,
            routes,
            maps,
            input: model.input(),
            classes: model.classes(),
            output: model.output(),
            half,
            face,
        };
        let mut gpu = Gpu {
            net,
            most: (limit.min(PART.0) / face).clamp(1, PART.1) as usize,
            sets: [None, None],
            calls: VecDeque::new(),
            flights: VecDeque::new(),
            bytes: Vec::new(),
            spare: Vec::new(),
            forced: None,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
        };
        match model.input() {
            Input::Latent(_) => gpu.generate_all(&[Latent::from_seed(0)])?,
            Input::Picture(shape) => gpu.translate_all(&[&std::vec![0; shape.values()]])?,
        }
        Ok(gpu)
    }

    /// Makes a face from each latent, to be read with [`Gpu::image`] until the next call. Faces of
    /// calls that were begun and not finished are lost.
    ///
    /// # Errors
    /// [`GpuError::Latent`], or [`GpuError::Driver`] if the device is lost.
    pub fn generate_all(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        self.make(Inputs::Latents(latents))
    }

    /// [`Gpu::generate_all`] from the pixels of pictures; see [`crate::Cpu::translate`].
    ///
    /// # Errors
    /// [`GpuError::Picture`], or [`GpuError::Driver`] if the device is lost.
    pub fn translate_all(&mut self, pictures: &[&[u8]]) -> Result<(), GpuError> {
        self.make(Inputs::Pictures(pictures))
    }

    pub(super) fn make(&mut self, inputs: Inputs<'_>) -> Result<(), GpuError> {
        self.begin_inputs(inputs)?;
        while self.finish()? {
            if self.calls.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Begins to make a face from each latent and returns, so that device and CPU work at the same
    /// time. Calls are finished in order by [`Gpu::finish`]; a second call can be begun before the
    /// first is finished.
    ///
    /// # Errors
    /// As [`Gpu::generate_all`]; all calls that were begun are then canceled.
    pub fn begin(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        self.begin_inputs(Inputs::Latents(latents))
    }

    fn begin_inputs(&mut self, inputs: Inputs<'_>) -> Result<(), GpuError> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        self.calls.push_back(Call { faces: inputs.len(), bytes });
        let mut parts = inputs.parts(self.most);
        let begun = parts.try_for_each(|part| self.launch(part));
        self.or_stop(begun)
    }

    /// Waits for the oldest call that was begun; its faces are then those of [`Gpu::image`].
    /// `false` if there is none.
    ///
    /// # Errors
    /// As [`Gpu::begin`].
    pub fn finish(&mut self) -> Result<bool, GpuError> {
        let face = 4 * layer::words(self.net.output);
        while let Some(call) = self.calls.front() {
            if call.bytes.len() == call.faces * face {
                break;
            }
            let landed = self.land();
            self.or_stop(landed)?;
        }
        match self.calls.pop_front() {
            Some(call) => {
                self.spare.push(std::mem::replace(&mut self.bytes, call.bytes));
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Cancels everything in flight after an error.
    pub(super) fn or_stop<T>(&mut self, result: Result<T, GpuError>) -> Result<T, GpuError> {
        if result.is_err() {
            self.calls.clear();
            self.flights.clear();
            self.sets = [None, None];
        }
        result
    }

    /// Most faces that the adapter makes at once.
    pub fn at_once(&self) -> usize {
        self.most
    }

    /// Face `i` of the call that was finished last.
    ///
    /// # Panics
    /// If it had fewer faces.
    pub fn image(&self, i: usize) -> Image<'_> {
        let face = 4 * layer::words(self.net.output);
        let bytes = &self.bytes[i * face..(i + 1) * face];
        Image::from_bytes(&bytes[..self.net.output.values()], self.net.output)
    }

    /// The output values for each latent, channels first: slower, for comparisons.
    ///
    /// # Errors
    /// As [`Gpu::generate_all`].
    pub fn values(&mut self, latents: &[Latent<'_>]) -> Result<Vec<f32>, GpuError> {
        self.all_values(Inputs::Latents(latents))
    }

    /// [`Gpu::values`] for the pixels of pictures.
    ///
    /// # Errors
    /// As [`Gpu::translate_all`].
    pub fn translated_values(&mut self, pictures: &[&[u8]]) -> Result<Vec<f32>, GpuError> {
        self.all_values(Inputs::Pictures(pictures))
    }

    fn all_values(&mut self, inputs: Inputs<'_>) -> Result<Vec<f32>, GpuError> {
        while self.finish()? {}
        let mut values = Vec::new();
        for part in inputs.parts(self.most) {
            let made = self.values_of(part, &mut values);
            self.or_stop(made)?;
        }
        Ok(values)
    }

    fn values_of(&mut self, inputs: Inputs<'_>, values: &mut Vec<f32>) -> Result<(), GpuError> {
        let n = inputs.len();
        let index = self.ready(n)?;
        self.write(inputs, (index, 0))?;
        let mut encoder = self.record(n, (index, 0), Output::Map);
        let float = if self.net.half { 2 } else { 4 };
        let bytes = (float * n * layer::values(self.net.output)) as u64;
        let staging = self
            .net
            .device
            .buffer(bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let set = self.sets[index].as_mut();
        let Some(set) = set else { return Ok(()) };
        let Some(last) = self.net.routes.last() else { return Ok(()) };
        let map = &set.maps[last.to];
        encoder.copy_buffer_to_buffer(map, 0, &staging, 0, bytes);
        let submission = self.net.device.queue.submit([encoder.finish()]);
        let upload = self.net.device.map(&set.slots[0].upload, wgpu::MapMode::Write);
        let (half, shape) = (self.net.half, self.net.output);
        self.net.device.read(&staging, bytes, &submission, |bytes| {
            let value = |at: usize| match half {
                true => half::widen(u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]])),
                false => {
                    let (floats, _) = bytes.as_chunks::<4>();
                    f32::from_le_bytes(floats[at])
                }
            };
            let pixel = layer::values(Shape::new(shape.c, 1, 1));
            for face in 0..n {
                for channel in 0..shape.c {
                    let first = face * shape.plane() * pixel + channel;
                    values.extend((0..shape.plane()).map(|p| value(first + p * pixel)));
                }
            }
        })?;
        self.net.device.mapped(&[&upload], &submission)
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::gpu::adapter::{self, adapters};
    use crate::graph::{Facts, Graph};
    use crate::op::{Activation, Op, Window};
    use crate::record::Buffer;

    /// Transposed convolutions with these channels, each of which doubles the size.
    fn record(latent: usize, channels: &[usize]) -> Buffer {
        let mut input = latent;
        let mut layers = Vec::new();
        for (i, &out) in channels.iter().enumerate() {
            let [stride, padding] = if i == 0 { [1, 0] } else { [2, 1] };
            let mut state = i as u32;
            let mut number = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            let size = (3.0 / (4 * input) as f32).sqrt();
            layers.push(crate::graph::Layer {
                name: std::format!("l{i}"),
                op: Op::ConvTranspose { out, window: Window { kernel: 4, stride, padding } },
                activation: match i + 1 == channels.len() {
                    true => Activation::Tanh,
                    false => Activation::LeakyRelu(0.2),
                },
                from: None,
                with: None,
                weight: (0..input * out * 16).map(|_| size * number()).collect(),
                bias: (0..out).map(|_| number()).collect(),
            });
            input = out;
        }
        let graph = Graph { input: Input::Latent(latent), layers, facts: Facts::default() };
        Buffer::from(graph.to_record().unwrap())
    }

    #[test]
    fn every_kernel_that_could_be_used_is_right() {
        every_kernel_is_right(1);
    }

    #[test]
    fn so_is_every_kernel_of_the_image() {
        every_kernel_is_right(2);
    }

    fn every_kernel_is_right(layer: usize) {
        let record = record(9, &[20, 128, 3]);
        let model = Model::parse(record.bytes()).unwrap();
        let latents: Vec<Latent<'_>> = (0..2).map(Latent::from_seed).collect();
        for mut adapter in adapters() {
            // As a card, so that a software adapter is given all kernels.
            adapter.kind = adapter::Kind::Discrete;
            let mut gpu = Gpu::new(&model, &adapter, false).unwrap();
            assert_eq!(gpu.net.layers.len(), 3);
            let want = gpu.values(&latents).unwrap();
            gpu.generate_all(&latents).unwrap();
            let pixels: Vec<u8> = gpu.bytes.clone();
            let limits = gpu.net.device.limits;
            for kind in gpu.net.layers[layer].candidates(latents.len(), &limits) {
                gpu.forced = Some((layer, kind));
                let got = gpu.values(&latents).unwrap();
                let off = want.iter().zip(&got).map(|(a, b)| (a - b).abs());
                let worst = off.fold(0.0, f32::max);
                assert!(worst < 1e-5, "layer {layer}, {kind}: {worst}");
                // Commands were recorded for another kernel.
                gpu.sets = [None, None];
                gpu.generate_all(&latents).unwrap();
                let mut pairs = pixels.iter().zip(&gpu.bytes);
                assert!(pairs.all(|(a, b)| a.abs_diff(*b) <= 1), "layer {layer}, {kind}");
            }
        }
    }

    #[test]
    fn calls_are_finished_in_order() {
        let record = record(7, &[8, 3]);
        let model = Model::parse(record.bytes()).unwrap();
        for adapter in adapters() {
            let mut gpu = Gpu::new(&model, &adapter, false).unwrap();
            let sizes = [3, 300, 1, 9, 0, 9, 40];
            let seeds = |call: usize| {
                (0..sizes[call]).map(move |i| Latent::from_seed(100 * call as u64 + i))
            };
            let mut want = Vec::new();
            for call in 0..sizes.len() {
                gpu.generate_all(&seeds(call).collect::<Vec<_>>()).unwrap();
                want.push(gpu.bytes.clone());
            }
            for call in 0..sizes.len() {
                gpu.begin(&seeds(call).collect::<Vec<_>>()).unwrap();
            }
            for want in &want {
                assert!(gpu.finish().unwrap());
                assert!(gpu.bytes == *want);
            }
            assert!(!gpu.finish().unwrap());
            // A latent of another length ends all calls, and the next one works.
            gpu.begin(&seeds(1).collect::<Vec<_>>()).unwrap();
            assert!(gpu.begin(&[Latent::from_values(&[1.0])]).is_err());
            assert!(!gpu.finish().unwrap());
            gpu.generate_all(&seeds(0).collect::<Vec<_>>()).unwrap();
            assert!(gpu.bytes == want[0]);
        }
    }
}
