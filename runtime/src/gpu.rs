//! A model on a GPU, through wgpu on Vulkan, with kernels of our own: the same layers, the same weights, pictures within
//! 1/255 of the CPU's.
//!
//! Weights are uploaded once, in the order in which kernels read them; every layer that multiplies is one kernel, with bias and
//! activation (`gpu/kernels.wgsl`), and what comes back are the bytes of pixels. A large batch is cut into parts, of which two are in
//! flight: one is computed while the latents of the next are written and the pixels of the last are read. So are calls that
//! [`Gpu::begin`] queues. [`Fallback`] continues on the CPU where a GPU is lost on the way.

use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use crate::image::Image;
use crate::latent::{Latent, LatentLength};
use crate::model::{Model, Precision};
use crate::op::Shape;
use crate::simd::cast;

mod adapter;
mod device;
mod error;
mod fallback;
mod kernel;
mod layer;
mod slot;
mod template;
mod time;
mod trusted;

pub use adapter::{Adapter, Kind, adapters};
pub use error::GpuError;
pub use fallback::Fallback;
pub use time::Candidate;

use device::Device;
use kernel::{Kernel, Pipelines};
use layer::Layer;
use slot::{FEW, Flight, Set};

/// Bytes of a map of a part of a batch, and its faces: larger parts are no faster.
const PART: (u64, u64) = (256 << 20, 256);

/// A model on a GPU.
pub struct Gpu {
    device: Device,
    pipelines: Pipelines,
    layers: Vec<Layer>,
    latent: usize,
    classes: usize,
    output: Shape,
    half: bool,
    /// Bytes of the largest map of one face.
    face: u64,
    /// Faces at once.
    most: usize,
    /// For few faces, and for many.
    sets: [Option<Set>; 2],
    /// Calls that were begun, the oldest first.
    calls: VecDeque<Call>,
    /// Their parts in flight: set and slot.
    flights: VecDeque<(usize, usize)>,
    /// The faces of the call that was finished last, each of whole words.
    bytes: Vec<u8>,
    /// Buffers of calls that are over, to be used again.
    spare: Vec<Vec<u8>>,
    /// A layer and the kernel that it is run by, whatever suits it.
    forced: Option<(usize, kernel::Kind)>,
    /// CPU threads that latents of a large part are drawn by.
    threads: usize,
}

/// A call that was begun.
struct Call {
    faces: usize,
    /// Of the faces that are back.
    bytes: Vec<u8>,
}

/// What the last layer writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Bytes,
    Map,
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
        let layers = layers.map(|(i, l)| {
            let range = (i == last).then(|| model.range());
            Layer::new(&device, l, range, half)
        });
        let layers: Vec<Layer> = layers.collect();
        let pipelines = Pipelines::new(&device);
        let mut gpu = Gpu {
            device,
            pipelines,
            layers,
            latent: model.latent(),
            classes: model.classes(),
            output: model.output(),
            half,
            face,
            most: (limit.min(PART.0) / face).clamp(1, PART.1) as usize,
            sets: [None, None],
            calls: VecDeque::new(),
            flights: VecDeque::new(),
            bytes: Vec::new(),
            spare: Vec::new(),
            forced: None,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
        };
        gpu.generate_all(&[Latent::from_seed(0)])?;
        Ok(gpu)
    }

    /// Makes a face of each latent. They are read with [`Gpu::image`], until the next call. Of calls that were begun and not
    /// finished, the faces are lost.
    ///
    /// # Errors
    /// [`GpuError::Latent`], or [`GpuError::Driver`] where the device is lost.
    pub fn generate_all(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        self.begin(latents)?;
        while self.finish()? {
            if self.calls.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Begins to make a face of each latent and returns, so that the device has work while the CPU has other work. Calls are
    /// finished in order, with [`Gpu::finish`]; a second one waits for no more than its turn.
    ///
    /// # Errors
    /// As [`Gpu::generate_all`]; then none of the calls that were begun goes on.
    pub fn begin(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        self.calls.push_back(Call { faces: latents.len(), bytes });
        let mut parts = latents.chunks(self.most);
        let begun = parts.try_for_each(|part| self.launch(part));
        self.or_stop(begun)
    }

    /// Waits for the oldest call that was begun: its faces are those of [`Gpu::image`]. `false` where there is none.
    ///
    /// # Errors
    /// As [`Gpu::begin`].
    pub fn finish(&mut self) -> Result<bool, GpuError> {
        let face = 4 * layer::words(self.output);
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

    /// After an error nothing is in flight.
    fn or_stop<T>(&mut self, result: Result<T, GpuError>) -> Result<T, GpuError> {
        if result.is_err() {
            self.calls.clear();
            self.flights.clear();
            self.sets = [None, None];
        }
        result
    }

    /// How many faces the adapter makes at once, at most.
    pub fn at_once(&self) -> usize {
        self.most
    }

    /// Face `i` of the call that was finished last.
    ///
    /// # Panics
    /// Where there were fewer.
    pub fn image(&self, i: usize) -> Image<'_> {
        let face = 4 * layer::words(self.output);
        let bytes = &self.bytes[i * face..(i + 1) * face];
        Image::from_bytes(&bytes[..self.output.values()], self.output)
    }

    /// The values that pixels are made of, of each latent, channels first: slower, for comparisons.
    ///
    /// # Errors
    /// As [`Gpu::generate_all`].
    pub fn values(&mut self, latents: &[Latent<'_>]) -> Result<Vec<f32>, GpuError> {
        while self.finish()? {}
        let mut values = Vec::new();
        for part in latents.chunks(self.most) {
            let made = self.values_of(part, &mut values);
            self.or_stop(made)?;
        }
        Ok(values)
    }

    fn values_of(&mut self, latents: &[Latent<'_>], values: &mut Vec<f32>) -> Result<(), GpuError> {
        let n = latents.len();
        let index = self.ready(n)?;
        self.write(latents, (index, 0))?;
        let mut encoder = self.record(n, (index, 0), Output::Map);
        let float = if self.half { 2 } else { 4 };
        let bytes = (float * n * layer::values(self.output)) as u64;
        let staging =
            self.device.buffer(bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let set = self.sets[index].as_mut();
        let Some(set) = set else { return Ok(()) };
        let map = &set.pair[self.layers.len() % 2];
        encoder.copy_buffer_to_buffer(map, 0, &staging, 0, bytes);
        let submission = self.device.queue.submit([encoder.finish()]);
        let upload = self.device.map(&set.slots[0].upload, wgpu::MapMode::Write);
        let (half, shape) = (self.half, self.output);
        self.device.read(&staging, bytes, &submission, |bytes| {
            let value = |at: usize| match half {
                true => crate::half::widen(u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]])),
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
        self.device.mapped(&[&upload], &submission)
    }

    /// Bytes of the latent of a face, as the first layer reads it.
    fn latent_bytes(&self) -> u64 {
        let float = if self.half { 2 } else { 4 };
        float * layer::values(Shape::new(self.latent, 1, 1)) as u64
    }

    /// The set for `n` faces, with room for them.
    fn ready(&mut self, n: usize) -> Result<usize, GpuError> {
        let index = usize::from(n > FEW);
        if self.sets[index].as_ref().is_none_or(|set| set.faces < n) {
            while !self.flights.is_empty() {
                self.land()?;
            }
            let faces = if n > FEW { n } else { FEW.min(self.most) };
            self.sets[index] = Some(Set::new(self, faces));
        }
        Ok(index)
    }

    /// Puts a part of a call on its way.
    fn launch(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        let n = latents.len();
        let index = self.ready(n)?;
        // A slot that is free, or the one that is next to be.
        let slot = loop {
            let slots = self.sets[index].iter().flat_map(|set| &set.slots);
            let free = slots.enumerate().find(|(_, slot)| slot.flight.is_none());
            if let Some((slot, _)) = free {
                break slot;
            }
            self.land()?;
        };
        let at = (index, slot);
        self.write(latents, at)?;
        let recorded = self.slot(at).and_then(|slot| slot.recorded.take());
        let commands = match recorded {
            Some((faces, commands)) if faces == n => commands,
            _ => self.record(n, at, Output::Bytes).finish(),
        };
        let submission = self.device.queue.submit([commands]);
        let device = &self.device;
        if let Some(slot) = self.sets[index].as_mut().map(|set| &mut set.slots[slot]) {
            slot.flight = Some(Flight {
                faces: n,
                submission,
                mappings: [
                    device.map(&slot.staging, wgpu::MapMode::Read),
                    device.map(&slot.upload, wgpu::MapMode::Write),
                ],
            });
        }
        self.flights.push_back(at);
        // The next batch is most often as large: its commands are recorded while the device is busy.
        let next = self.record(n, at, Output::Bytes).finish();
        if let Some(slot) = self.slot(at) {
            slot.recorded = Some((n, next));
        }
        self.device.check()
    }

    fn slot(&mut self, (set, slot): (usize, usize)) -> Option<&mut slot::Slot> {
        self.sets[set].as_mut().map(|set| &mut set.slots[slot])
    }

    /// Waits for the oldest part, and adds its faces to its call.
    fn land(&mut self) -> Result<(), GpuError> {
        let Some((set, slot)) = self.flights.pop_front() else {
            return Ok(());
        };
        let Some(slot) = self.sets[set].as_mut().map(|set| &mut set.slots[slot]) else {
            return Ok(());
        };
        let Some(flight) = slot.flight.take() else {
            return Ok(());
        };
        let [staging, upload] = &flight.mappings;
        self.device.mapped(&[staging, upload], &flight.submission)?;
        let face = 4 * layer::words(self.output);
        let call = self.calls.iter_mut().find(|c| c.bytes.len() < c.faces * face);
        let bytes = (flight.faces * face) as u64;
        self.device.view(&slot.staging, bytes, |bytes| {
            if let Some(call) = call {
                call.bytes.reserve_exact(call.faces * face - call.bytes.len());
                call.bytes.extend_from_slice(bytes);
            }
        })
    }

    /// Draws latents and writes them where the first layer, or a copy to it, reads them.
    fn write(
        &mut self,
        latents: &[Latent<'_>],
        (set, slot): (usize, usize),
    ) -> Result<(), GpuError> {
        let pixel = layer::values(Shape::new(self.latent, 1, 1));
        let mut z = vec![0.0; latents.len() * pixel];
        self.draw(latents, &mut z, pixel).map_err(GpuError::Latent)?;
        let halves: Vec<u8>;
        let bytes = match self.half {
            true => {
                let narrow = z.iter().map(|v| crate::half::narrow(*v).to_le_bytes());
                halves = narrow.flatten().collect();
                &halves
            }
            false => cast::bytes(&z),
        };
        let Some(set) = &mut self.sets[set] else {
            return Ok(());
        };
        let slot = &mut set.slots[slot];
        slot.call(&self.device, latents.len());
        match slot.upload.get_mapped_range_mut(..bytes.len() as u64) {
            Ok(mut view) => view.copy_from_slice(bytes),
            Err(error) => {
                self.device.check()?;
                return Err(GpuError::Driver(std::format!("{error}")));
            }
        }
        slot.upload.unmap();
        self.device.check()
    }

    /// Latents of a large part are drawn by several threads.
    fn draw(
        &self,
        latents: &[Latent<'_>],
        z: &mut [f32],
        pixel: usize,
    ) -> Result<(), LatentLength> {
        let fill = |latents: &[Latent<'_>], z: &mut [f32]| {
            let mut pairs = z.chunks_exact_mut(pixel).zip(latents);
            pairs.try_for_each(|(z, l)| l.fill_for(&mut z[..self.latent], self.classes))
        };
        let threads = self.threads.min(latents.len() / 16);
        if threads < 2 {
            return fill(latents, z);
        }
        let each = latents.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let parts = latents.chunks(each).zip(z.chunks_mut(each * pixel));
            let parts: Vec<_> =
                parts.map(|(latents, z)| scope.spawn(move || fill(latents, z))).collect();
            parts.into_iter().try_for_each(|part| match part.join() {
                Ok(filled) => filled,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// The commands for `n` faces in a slot.
    fn record(
        &mut self,
        n: usize,
        (set, slot): (usize, usize),
        output: Output,
    ) -> wgpu::CommandEncoder {
        let mut encoder = self.device.raw.create_command_encoder(&Default::default());
        let latents = n as u64 * self.latent_bytes();
        if let Some(set) = &self.sets[set] {
            let slot = &set.slots[slot];
            if !slot.direct {
                encoder.copy_buffer_to_buffer(&slot.upload, 0, &set.pair[0], 0, latents);
            }
        }
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for i in 0..self.steps(output) {
                self.step(&mut pass, i, n, (set, slot), output);
            }
        }
        let bytes = (4 * n * layer::words(self.output)) as u64;
        if let Some(set) = &self.sets[set] {
            let slot = &set.slots[slot];
            if !slot.direct && output == Output::Bytes {
                encoder.copy_buffer_to_buffer(&slot.output, 0, &slot.staging, 0, bytes);
            }
        }
        encoder
    }

    /// Kernels of a batch: one a layer, and one from the last map to bytes if the last layer does not write them.
    fn steps(&self, output: Output) -> usize {
        let last = self.layers.last().is_some_and(Layer::writes_bytes);
        self.layers.len() + usize::from(output == Output::Bytes && !last)
    }

    /// Has step `i` run on `n` faces.
    fn step(
        &mut self,
        pass: &mut wgpu::ComputePass<'_>,
        i: usize,
        n: usize,
        (set, slot): (usize, usize),
        output: Output,
    ) {
        let kind = match (self.layers.get(i), self.forced) {
            (Some(_), Some((layer, kind))) if layer == i => kind,
            (Some(layer), _) => layer.kind(n, self.device.eight, &self.device.limits),
            (None, _) => kernel::Kind::Pixels,
        };
        let Some(set) = &self.sets[set] else { return };
        let slot = &set.slots[slot];
        let last = i + 1 >= self.layers.len();
        let (block, sides) = match self.layers.get(i) {
            Some(layer) => (layer.block(), layer.sides(kind, n)),
            None => {
                let words = n * layer::words(self.output);
                (1, kernel::sides(words.div_ceil(64), 1))
            }
        };
        let bytes =
            output == Output::Bytes && last && self.layers.get(i).is_none_or(Layer::writes_bytes);
        let kernel = Kernel { kind, block, half: self.half, bytes };
        let map = match last && output == Output::Map {
            true => slot.as_map(self, &set.pair),
            false => None,
        };
        pass.set_pipeline(&self.pipelines.get(&self.device, kernel));
        pass.set_bind_group(0, map.as_ref().unwrap_or(&slot.bindings[i]), &[]);
        let [x, y, z] = sides;
        pass.dispatch_workgroups(x, y, z);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Facts, Graph};
    use crate::op::{Activation, Op, Window};
    use crate::record::Buffer;

    /// Transposed convolutions of doubling size behind a stem, of so many channels.
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
                weight: (0..input * out * 16).map(|_| size * number()).collect(),
                bias: (0..out).map(|_| number()).collect(),
            });
            input = out;
        }
        let graph = Graph { latent, layers, facts: Facts::default() };
        Buffer::from(graph.to_record().unwrap())
    }

    #[test]
    fn every_kernel_that_could_be_used_is_right() {
        let record = record(9, &[20, 128, 3]);
        let model = Model::parse(record.bytes()).unwrap();
        let latents: Vec<Latent<'_>> = (0..2).map(Latent::from_seed).collect();
        for mut adapter in adapters() {
            // As a card, so that a software adapter is given all kernels.
            adapter.kind = Kind::Discrete;
            let mut gpu = Gpu::new(&model, &adapter, false).unwrap();
            let want = gpu.values(&latents).unwrap();
            gpu.generate_all(&latents).unwrap();
            let pixels: Vec<u8> = gpu.bytes.clone();
            for layer in 1..gpu.layers.len() {
                let limits = gpu.device.limits;
                for kind in gpu.layers[layer].candidates(latents.len(), &limits) {
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
