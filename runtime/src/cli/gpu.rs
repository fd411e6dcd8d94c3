//! Faces from a GPU, some at a time, and from the CPU once it is lost.

use std::error::Error;
use std::time::Instant;

use image::RgbImage;
use runtime::cpu::Cpu;
use runtime::gpu::{Adapter, Gpu, GpuError};
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::record::Buffer;

use super::generate::picture;
use super::load;
use crate::Bench;

/// Faces at a time: enough for a GPU to be busy, few enough for any memory.
const BATCH: usize = 64;

/// Makes faces in order.
pub struct Maker<'a> {
    gpu: Option<Gpu>,
    cpu: Cpu<'a>,
    /// How many there will be.
    count: usize,
    /// The first of those that are ready, and they.
    ready: (usize, Vec<RgbImage>),
}

impl<'a> Maker<'a> {
    /// The first faces come from `gpu`.
    pub fn new(gpu: Gpu, cpu: Cpu<'a>, count: usize) -> Maker<'a> {
        Maker {
            gpu: Some(gpu),
            cpu,
            count,
            ready: (0, Vec::new()),
        }
    }

    /// Face `i`, of the latent that `latent` gives.
    ///
    /// # Errors
    /// Where a latent is of another length.
    pub fn face<'l>(
        &mut self,
        i: usize,
        latent: impl Fn(usize) -> Latent<'l>,
    ) -> Result<RgbImage, Box<dyn Error>> {
        let (first, faces) = &self.ready;
        if let Some(face) = i.checked_sub(*first).and_then(|at| faces.get(at)) {
            return Ok(face.clone());
        }
        if let Some(gpu) = &mut self.gpu {
            let last = (i + BATCH).min(self.count);
            let latents: Vec<Latent<'_>> = (i..last).map(latent).collect();
            match gpu.generate_all(&latents) {
                Ok(()) => {
                    let faces = (0..latents.len()).map(|at| picture(&gpu.image(at)));
                    self.ready = (i, faces.collect());
                    return Ok(self.ready.1[0].clone());
                }
                Err(GpuError::Latent(error)) => return Err(error.into()),
                Err(error) => {
                    eprintln!("{error}: going on on the CPU from face {i}");
                    self.gpu = None;
                    return Ok(picture(&self.cpu.generate(&latents[0])?));
                }
            }
        }
        Ok(picture(&self.cpu.generate(&latent(i))?))
    }
}

/// `runtime bench` of a GPU.
///
/// # Errors
/// One that names the file or what the GPU lacks.
pub fn bench(args: &Bench, adapter: &Adapter) -> Result<(), Box<dyn Error>> {
    let mut graph = load::graph_or_own(args.model.as_deref())?;
    graph.fold();
    let record = Buffer::from(&graph.to_record()?);
    let model = Model::parse(record.bytes()).map_err(|e| e.to_string())?;
    let start = Instant::now();
    let mut gpu = Gpu::new(&model, adapter, args.half)?;
    let ready = start.elapsed().as_secs_f64();
    let mut rows = Vec::new();
    let mut batches = vec![1, args.batch];
    batches.dedup();
    for batch in batches {
        let latents: Vec<Latent<'_>> = (0..batch as u64).map(Latent::from_seed).collect();
        gpu.generate_all(&latents)?;
        let mut times = Vec::new();
        let start = Instant::now();
        while times.len() < 3 || start.elapsed().as_secs_f64() < args.seconds {
            let start = Instant::now();
            gpu.generate_all(&latents)?;
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        rows.push((batch, at(0.5), at(0.99)));
    }
    let work = model.multiply_adds() as f64;
    let text = match args.json {
        true => {
            let rows: Vec<String> = rows
                .iter()
                .map(|(batch, median, p99)| {
                    format!(
                        "{{\"batch\":{batch},\"median_ms\":{:.4},\"p99_ms\":{:.4},\"faces_per_s\":{:.1}}}",
                        median * 1e3,
                        p99 * 1e3,
                        *batch as f64 / median
                    )
                })
                .collect();
            format!(
                "{{\"adapter\":{:?},\"half\":{},\"ready_s\":{ready:.3},\"rows\":[{}]}}\n",
                adapter.name,
                args.half,
                rows.join(",")
            )
        }
        false => {
            let mut text = format!(
                "{} ({}, {}){}\nready after {ready:.2} s: device, weights, a first face\n",
                adapter.name,
                adapter.kind,
                adapter.driver,
                if args.half { ", 16-bit floats" } else { "" }
            );
            for (batch, median, p99) in rows {
                text += &format!(
                    "batch {batch:<5} median {:>9.3} ms  p99 {:>9.3} ms  {:>9.1} faces/s  {:.1} G multiply-adds/s\n",
                    median * 1e3,
                    p99 * 1e3,
                    batch as f64 / median,
                    work * batch as f64 / median / 1e9
                );
            }
            text
        }
    };
    super::output::print(text.as_bytes())?;
    Ok(())
}
