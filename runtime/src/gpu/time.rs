//! How long layers take, and what an adapter could do.

use std::time::Instant;
use std::vec::Vec;

use wgpu::BufferUsages as Use;

use super::device::Device;
use super::kernel;
use super::{Gpu, GpuError};
use crate::latent::Latent;

/// Workgroups of 256 threads, enough for any adapter.
const WORKGROUPS: u32 = 1024;
/// How often `peak.wgsl` repeats its three vectors' multiply-adds in a round.
const REPEATED: usize = 32;

impl Gpu {
    /// Seconds that each layer takes for all of these latents at once (as many as the adapter takes), in order: by the
    /// adapter's clock, or, where it has none, from handing a layer over until it is done.
    ///
    /// # Errors
    /// As [`Gpu::generate_all`].
    pub fn layer_seconds(&mut self, latents: &[Latent<'_>]) -> Result<Vec<f64>, GpuError> {
        let part = &latents[..latents.len().min(self.most)];
        self.write(part)?;
        // Kernels that were not wanted before are compiled outside of the time.
        self.one_by_one(part.len())?;
        match self.device.clock {
            true => self.by_clock(part.len()),
            false => self.one_by_one(part.len()),
        }
    }

    fn one_by_one(&mut self, faces: usize) -> Result<Vec<f64>, GpuError> {
        let mut times = Vec::new();
        for i in 0..self.layers.len() {
            let mut encoder = self.device.raw.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                self.step(&mut pass, i, faces);
            }
            let start = Instant::now();
            self.device.queue.submit([encoder.finish()]);
            self.device.wait()?;
            times.push(start.elapsed().as_secs_f64());
        }
        self.device.check()?;
        Ok(times)
    }

    fn by_clock(&mut self, faces: usize) -> Result<Vec<f64>, GpuError> {
        let count = 2 * self.layers.len() as u32;
        let bytes = 8 * u64::from(count);
        let raw = &self.device.raw;
        let ticks = raw.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let mut encoder = raw.create_command_encoder(&Default::default());
        for (i, tick) in (0..self.layers.len()).zip((0..).step_by(2)) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &ticks,
                    beginning_of_pass_write_index: Some(tick),
                    end_of_pass_write_index: Some(tick + 1),
                }),
            });
            self.step(&mut pass, i, faces);
        }
        let device = &self.device;
        let written = device.buffer(bytes, Use::QUERY_RESOLVE | Use::COPY_SRC);
        let staging = device.buffer(bytes, Use::MAP_READ | Use::COPY_DST);
        encoder.resolve_query_set(&ticks, 0..count, &written, 0);
        encoder.copy_buffer_to_buffer(&written, 0, &staging, 0, bytes);
        device.queue.submit([encoder.finish()]);
        let second = f64::from(device.queue.get_timestamp_period()) * 1e-9;
        device.read(&staging, bytes, |bytes| {
            let (ticks, _) = bytes.as_chunks::<16>();
            let pairs = ticks.iter().map(|pair| {
                let (halves, _) = pair.as_chunks::<8>();
                u64::from_le_bytes(halves[1]).saturating_sub(u64::from_le_bytes(halves[0]))
            });
            pairs.map(|ticks| ticks as f64 * second).collect()
        })
    }

    /// Multiply-adds of 32-bit floats that the adapter does in a second with nothing else to do: the best of a few tries.
    ///
    /// # Errors
    /// [`GpuError::Driver`].
    pub fn peak(&self) -> Result<f64, GpuError> {
        let device = &self.device;
        let line =
            "        a = fma(a, m, n);\n        b = fma(b, m, n);\n        c = fma(c, m, n);\n";
        let source = include_str!("peak.wgsl").replace("REPEATED", &line.repeat(REPEATED));
        let pipeline = kernel::compile(device, &source, "peak", None);
        let mut best = 0.0f64;
        // Longer and longer, until handing it over is nothing beside it.
        let mut rounds = 1u32;
        for _ in 0..24 {
            let seconds = peak_once(device, &pipeline, rounds)?;
            let vectors = f64::from(WORKGROUPS * 256) * f64::from(rounds) * 3.0 * REPEATED as f64;
            best = best.max(4.0 * vectors / seconds.max(1e-9));
            if seconds > 0.1 {
                break;
            }
            if seconds < 0.05 {
                rounds *= 2;
            }
        }
        Ok(best)
    }
}

fn peak_once(
    device: &Device,
    pipeline: &wgpu::ComputePipeline,
    rounds: u32,
) -> Result<f64, GpuError> {
    let given = [0.5, 0.25, rounds as f32, 0.0];
    let given = device.upload(crate::simd::cast::bytes(&given), Use::UNIFORM);
    let never = device.buffer(16, Use::STORAGE);
    let entries = [&given, &never].map(wgpu::Buffer::as_entire_binding);
    let entries: Vec<_> = (0..)
        .zip(entries)
        .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
        .collect();
    let group = device.raw.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let mut encoder = device.raw.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(WORKGROUPS, 1, 1);
    }
    let start = Instant::now();
    device.queue.submit([encoder.finish()]);
    device.wait()?;
    device.check()?;
    Ok(start.elapsed().as_secs_f64())
}
