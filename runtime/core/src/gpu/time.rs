//! How long layers take, and the peak rate of an adapter.

use std::string::{String, ToString};
use std::time::{Duration, Instant};
use std::vec::Vec;

use wgpu::BufferUsages as Use;

use super::device::Device;
use super::engine::{Gpu, Output};
use super::error::GpuError;
use super::pipelines::compile;
use crate::cast;
use crate::latent::Latent;

/// Workgroups of 256 threads, enough for any adapter.
const WORKGROUPS: u32 = 1024;
/// Least time to measure a candidate for.
const WARM: Duration = Duration::from_millis(30);
/// How often `peak.wgsl` repeats its three vectors' multiply-adds in a round.
const REPEATED: usize = 32;

/// How long a kernel takes for a layer.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Number of the layer.
    pub layer: usize,
    /// The kernel and its tiling.
    pub kernel: String,
    /// Seconds: the least of several tries.
    pub seconds: f64,
    /// Whether it is the one in use.
    pub used: bool,
}

impl Gpu {
    /// Seconds of each layer, in order, for all of these latents at once (up to [`Gpu::at_once`]):
    /// by the adapter's clock, or without one from submission to completion. The last layer's
    /// include the conversion to pixels.
    ///
    /// # Errors
    /// As [`Gpu::generate_all`].
    pub fn layer_seconds(&mut self, latents: &[Latent<'_>]) -> Result<Vec<f64>, GpuError> {
        self.quiet(latents, |gpu, at, faces| {
            let steps = gpu.steps(Output::Bytes);
            // The first pass compiles kernels, outside the measured time.
            let step = |gpu: &mut Gpu, pass: &mut wgpu::ComputePass<'_>, i: usize| {
                gpu.step(pass, i, faces, at, Output::Bytes);
            };
            gpu.passes(steps, step)?;
            let mut times = gpu.passes(steps, step)?;
            let after: f64 = times.drain(gpu.net.layers.len()..).sum();
            if let Some(last) = times.last_mut() {
                *last += after;
            }
            Ok(times)
        })
    }

    /// Seconds of each kernel that could be used, layer by layer, for all of these latents at once
    /// (up to [`Gpu::at_once`]).
    ///
    /// # Errors
    /// As [`Gpu::generate_all`].
    pub fn candidates(&mut self, latents: &[Latent<'_>]) -> Result<Vec<Candidate>, GpuError> {
        self.quiet(latents, |gpu, at, faces| {
            let mut all = Vec::new();
            for layer in 0..gpu.net.layers.len() {
                let limits = gpu.net.device.limits;
                let used = gpu.net.layers[layer].kind(faces, gpu.net.device.eight, &limits);
                let mut kinds = gpu.net.layers[layer].candidates(faces, &limits);
                if !kinds.contains(&used) {
                    kinds.push(used);
                }
                for kind in kinds {
                    gpu.forced = Some((layer, kind));
                    let best = gpu.best(layer, faces, at);
                    gpu.forced = None;
                    let seconds = best?;
                    all.push(Candidate {
                        layer,
                        kernel: kind.to_string(),
                        seconds,
                        used: kind == used,
                    });
                }
            }
            Ok(all)
        })
    }

    /// Least seconds of a layer, measured long enough for the device to reach its full clock.
    fn best(&mut self, layer: usize, faces: usize, at: (usize, usize)) -> Result<f64, GpuError> {
        let start = Instant::now();
        let mut best = f64::INFINITY;
        loop {
            let times = self.passes(8, |gpu, pass, _| {
                gpu.step(pass, layer, faces, at, Output::Bytes);
            })?;
            best = times.into_iter().fold(best, f64::min);
            if start.elapsed() >= WARM {
                return Ok(best);
            }
        }
    }

    /// Calls `work` with the buffers of a batch just made and nothing else in flight.
    fn quiet<T>(
        &mut self,
        latents: &[Latent<'_>],
        work: impl FnOnce(&mut Gpu, (usize, usize), usize) -> Result<T, GpuError>,
    ) -> Result<T, GpuError> {
        let part = &latents[..latents.len().min(self.most)];
        self.generate_all(part)?;
        let index = self.ready(part.len())?;
        let at = (index, 0);
        let Some(upload) = self.slot(at).map(|slot| slot.upload.clone()) else {
            return Err(GpuError::Driver("no buffers".into()));
        };
        if let Some(set) = &mut self.sets[index] {
            set.slots[0].call(&self.net.device, part.len());
        }
        upload.unmap();
        let done = work(self, at, part.len());
        let submission = self.net.device.queue.submit([]);
        let mapping = self.net.device.map(&upload, wgpu::MapMode::Write);
        let mapped = self.net.device.mapped(&[&mapping], &submission);
        self.or_stop(done.and_then(|done| mapped.map(|()| done)))
    }

    /// Seconds of `count` passes, each encoded by `step`.
    fn passes(
        &mut self,
        count: usize,
        step: impl Fn(&mut Gpu, &mut wgpu::ComputePass<'_>, usize),
    ) -> Result<Vec<f64>, GpuError> {
        match self.net.device.clock {
            true => self.by_clock(count, step),
            false => self.one_by_one(count, step),
        }
    }

    fn one_by_one(
        &mut self,
        count: usize,
        step: impl Fn(&mut Gpu, &mut wgpu::ComputePass<'_>, usize),
    ) -> Result<Vec<f64>, GpuError> {
        let mut times = Vec::new();
        for i in 0..count {
            let mut encoder = self.net.device.raw.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                step(self, &mut pass, i);
            }
            let start = Instant::now();
            self.net.device.queue.submit([encoder.finish()]);
            self.net.device.wait()?;
            times.push(start.elapsed().as_secs_f64());
        }
        self.net.device.check()?;
        Ok(times)
    }

    fn by_clock(
        &mut self,
        count: usize,
        step: impl Fn(&mut Gpu, &mut wgpu::ComputePass<'_>, usize),
    ) -> Result<Vec<f64>, GpuError> {
        let ticks_count = 2 * count as u32;
        let bytes = 8 * u64::from(ticks_count);
        let ticks = self.net.device.raw.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: ticks_count,
        });
        let mut encoder = self.net.device.raw.create_command_encoder(&Default::default());
        for (i, tick) in (0..count).zip((0..).step_by(2)) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &ticks,
                    beginning_of_pass_write_index: Some(tick),
                    end_of_pass_write_index: Some(tick + 1),
                }),
            });
            step(self, &mut pass, i);
        }
        let device = &self.net.device;
        let written = device.buffer(bytes, Use::QUERY_RESOLVE | Use::COPY_SRC);
        let staging = device.buffer(bytes, Use::MAP_READ | Use::COPY_DST);
        encoder.resolve_query_set(&ticks, 0..ticks_count, &written, 0);
        encoder.copy_buffer_to_buffer(&written, 0, &staging, 0, bytes);
        let submission = device.queue.submit([encoder.finish()]);
        let second = f64::from(device.queue.get_timestamp_period()) * 1e-9;
        device.read(&staging, bytes, &submission, |bytes| {
            let (ticks, _) = bytes.as_chunks::<16>();
            let pairs = ticks.iter().map(|pair| {
                let (halves, _) = pair.as_chunks::<8>();
                u64::from_le_bytes(halves[1]).saturating_sub(u64::from_le_bytes(halves[0]))
            });
            pairs.map(|ticks| ticks as f64 * second).collect()
        })
    }

    /// Multiply-adds of 32-bit floats per second when the adapter does nothing else: the best of
    /// several tries.
    ///
    /// # Errors
    /// [`GpuError::Driver`].
    pub fn peak(&self) -> Result<f64, GpuError> {
        let device = &self.net.device;
        let line =
            "        a = fma(a, m, n);\n        b = fma(b, m, n);\n        c = fma(c, m, n);\n";
        let source = include_str!("peak.wgsl").replace("REPEATED", &line.repeat(REPEATED));
        let pipeline = compile(device, &source, "peak", None);
        let mut best = 0.0f64;
        // Longer and longer, until submission takes a negligible part of it.
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
    let given = device.upload(cast::bytes(&given), Use::UNIFORM);
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
