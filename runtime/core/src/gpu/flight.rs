//! Batches in flight: submitting them, and reading what comes back.

use std::vec::Vec;

use super::engine::{Gpu, Output};
use super::error::GpuError;
use super::inputs::Inputs;
use super::kernel::{self, Kernel, Kind};
use super::layer::{self, Layer};
use super::slot::{FEW, Flight, Set, Slot};
use crate::cast;
use crate::half;

impl Gpu {
    /// The index of the set for `n` faces, which has room for them.
    pub(super) fn ready(&mut self, n: usize) -> Result<usize, GpuError> {
        let index = usize::from(n > FEW);
        if self.sets[index].as_ref().is_none_or(|set| set.faces < n) {
            while !self.flights.is_empty() {
                self.land()?;
            }
            let faces = if n > FEW { n } else { FEW.min(self.most) };
            self.sets[index] = Some(Set::new(&self.net, faces));
        }
        Ok(index)
    }

    /// Submits a part of a call.
    pub(super) fn launch(&mut self, inputs: Inputs<'_>) -> Result<(), GpuError> {
        let n = inputs.len();
        let index = self.ready(n)?;
        // A free slot, or the one that becomes free next.
        let slot = loop {
            let slots = self.sets[index].iter().flat_map(|set| &set.slots);
            let free = slots.enumerate().find(|(_, slot)| slot.flight.is_none());
            if let Some((slot, _)) = free {
                break slot;
            }
            self.land()?;
        };
        let at = (index, slot);
        self.write(inputs, at)?;
        let recorded = self.slot(at).and_then(|slot| slot.recorded.take());
        let commands = match recorded {
            Some((faces, commands)) if faces == n => commands,
            _ => self.record(n, at, Output::Bytes).finish(),
        };
        let submission = self.net.device.queue.submit([commands]);
        let device = &self.net.device;
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
        // The next batch usually has the same size: record its commands while the device is busy.
        let next = self.record(n, at, Output::Bytes).finish();
        if let Some(slot) = self.slot(at) {
            slot.recorded = Some((n, next));
        }
        self.net.device.check()
    }

    pub(super) fn slot(&mut self, (set, slot): (usize, usize)) -> Option<&mut Slot> {
        self.sets[set].as_mut().map(|set| &mut set.slots[slot])
    }

    /// Waits for the oldest part and adds its faces to its call.
    pub(super) fn land(&mut self) -> Result<(), GpuError> {
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
        self.net.device.mapped(&[staging, upload], &flight.submission)?;
        let face = 4 * layer::words(self.net.output);
        let call = self.calls.iter_mut().find(|c| c.bytes.len() < c.faces * face);
        let bytes = (flight.faces * face) as u64;
        self.net.device.view(&slot.staging, bytes, |bytes| {
            if let Some(call) = call {
                call.bytes.reserve_exact(call.faces * face - call.bytes.len());
                call.bytes.extend_from_slice(bytes);
            }
        })
    }

    /// Writes inputs to the upload buffer of a slot.
    pub(super) fn write(
        &mut self,
        inputs: Inputs<'_>,
        (set, slot): (usize, usize),
    ) -> Result<(), GpuError> {
        let z = inputs.values(&self.net, self.threads)?;
        let halves: Vec<u8>;
        let bytes = match self.net.half {
            true => {
                let narrow = z.iter().map(|v| half::narrow(*v).to_le_bytes());
                halves = narrow.flatten().collect();
                &halves
            }
            false => cast::bytes(&z),
        };
        let Some(set) = &mut self.sets[set] else {
            return Ok(());
        };
        let slot = &mut set.slots[slot];
        slot.call(&self.net.device, inputs.len());
        match slot.upload.get_mapped_range_mut(..bytes.len() as u64) {
            Ok(mut view) => view.copy_from_slice(bytes),
            Err(error) => {
                self.net.device.check()?;
                return Err(GpuError::Driver(std::format!("{error}")));
            }
        }
        slot.upload.unmap();
        self.net.device.check()
    }

    /// The commands for `n` faces in a slot.
    pub(super) fn record(
        &mut self,
        n: usize,
        (set, slot): (usize, usize),
        output: Output,
    ) -> wgpu::CommandEncoder {
        let mut encoder = self.net.device.raw.create_command_encoder(&Default::default());
        let bytes = n as u64 * self.net.input_bytes();
        if let Some(set) = &self.sets[set] {
            let slot = &set.slots[slot];
            if !slot.direct {
                encoder.copy_buffer_to_buffer(&slot.upload, 0, &set.maps[0], 0, bytes);
            }
        }
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for i in 0..self.steps(output) {
                self.step(&mut pass, i, n, (set, slot), output);
            }
        }
        let bytes = (4 * n * layer::words(self.net.output)) as u64;
        if let Some(set) = &self.sets[set] {
            let slot = &set.slots[slot];
            if !slot.direct && output == Output::Bytes {
                encoder.copy_buffer_to_buffer(&slot.output, 0, &slot.staging, 0, bytes);
            }
        }
        encoder
    }

    /// Number of kernels of a batch: one per layer, and one that turns the last feature map into
    /// bytes unless the last layer does.
    pub(super) fn steps(&self, output: Output) -> usize {
        let last = self.net.layers.last().is_some_and(Layer::writes_bytes);
        self.net.layers.len() + usize::from(output == Output::Bytes && !last)
    }

    /// Encodes step `i` for `n` faces.
    pub(super) fn step(
        &mut self,
        pass: &mut wgpu::ComputePass<'_>,
        i: usize,
        n: usize,
        (set, slot): (usize, usize),
        output: Output,
    ) {
        let kind = match (self.net.layers.get(i), self.forced) {
            (Some(_), Some((layer, kind))) if layer == i => kind,
            (Some(layer), _) => layer.kind(n, self.net.device.eight, &self.net.device.limits),
            (None, _) => Kind::Pixels,
        };
        let Some(set) = &self.sets[set] else { return };
        let slot = &set.slots[slot];
        let last = i + 1 >= self.net.layers.len();
        let (block, sides) = match self.net.layers.get(i) {
            Some(layer) => (layer.block(), layer.sides(kind, n)),
            None => {
                let words = n * layer::words(self.net.output);
                (1, kernel::sides(words.div_ceil(64), 1))
            }
        };
        let bytes = output == Output::Bytes
            && last
            && self.net.layers.get(i).is_none_or(Layer::writes_bytes);
        let reflect = self.net.layers.get(i).is_some_and(Layer::reflects);
        let kernel = Kernel { kind, block, half: self.net.half, bytes, reflect };
        let map = match last && output == Output::Map {
            true => slot.as_map(&self.net, &set.maps),
            false => None,
        };
        pass.set_pipeline(&self.net.pipelines.get(&self.net.device, kernel));
        pass.set_bind_group(0, map.as_ref().unwrap_or(&slot.bindings[i]), &[]);
        let [x, y, z] = sides;
        pass.dispatch_workgroups(x, y, z);
    }
}
