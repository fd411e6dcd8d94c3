//! `runtime bench` of a GPU.

use std::error::Error;
use std::fmt::Write;
use std::time::Instant;

use runtime::gpu::{Adapter, Gpu, GpuError};
use runtime::record::Buffer;
use runtime::{Input, Latent, Limits, Model};

use super::args::Args;
use crate::cli::{load, output};

/// Measurements of batches of one size, in seconds.
struct Row {
    batch: usize,
    median: f64,
    p99: f64,
    /// Time per batch with two in flight.
    pipelined: f64,
}

/// `runtime bench` of a GPU.
///
/// # Errors
/// One that names the file or what the GPU lacks.
pub fn bench(args: &Args, adapter: &Adapter, limits: &Limits) -> Result<(), Box<dyn Error>> {
    if args.compare.is_some() {
        return Err("--compare measures the CPU only: --device cpu".into());
    }
    let graph = load::graph_or_built_in(args.model.as_deref(), &args.reading, limits)?;
    let record = Buffer::from(&graph.to_record()?);
    let model = Model::parse_within(record.bytes(), limits).map_err(|e| e.to_string())?;
    if let Input::Picture(_) = model.input() {
        return Err("models that take a picture are measured on the CPU only: --device cpu".into());
    }
    let start = Instant::now();
    let mut gpu = Gpu::new(&model, adapter, args.half)?;
    let ready = start.elapsed().as_secs_f64();
    let mut rows = Vec::new();
    let mut batches = vec![1, args.batch];
    batches.dedup();
    for batch in batches {
        rows.push(row(&mut gpu, batch, args.seconds)?);
    }
    let latents = latents(args.batch);
    if args.sweep {
        let text = sweep(&mut gpu, &model, &latents)?;
        return Ok(output::text(&text)?);
    }
    let mut layers = vec![f64::INFINITY; model.layers().len()];
    for _ in 0..3 {
        for (best, seconds) in layers.iter_mut().zip(gpu.layer_seconds(&latents)?) {
            *best = best.min(seconds);
        }
    }
    let measured =
        Measured { ready, rows, at_once: gpu.at_once().min(args.batch), layers, peak: gpu.peak()? };
    let text = match args.json {
        true => measured.json(&model, adapter, args),
        false => measured.table(&model, adapter, args)?,
    };
    output::text(&text)?;
    Ok(())
}

/// The kernels that could run each layer, fastest first.
fn sweep(
    gpu: &mut Gpu,
    model: &Model<'_>,
    latents: &[Latent<'_>],
) -> Result<String, Box<dyn Error>> {
    let peak = gpu.peak()?;
    let faces = gpu.at_once().min(latents.len());
    let mut all = gpu.candidates(latents)?;
    all.sort_by(|a, b| a.layer.cmp(&b.layer).then(a.seconds.total_cmp(&b.seconds)));
    let mut text = String::new();
    writeln!(text, "{faces} faces at once, peak {:.1} G multiply-adds/s; * is in use", peak / 1e9)?;
    for candidate in &all {
        let layer = &model.layers()[candidate.layer];
        let work = layer.op.multiply_adds(layer.input, layer.output) as f64 * faces as f64;
        writeln!(
            text,
            "{:<16}{:>11.4} ms{:>7.1}% {} {}",
            layer.name,
            candidate.seconds * 1e3,
            100.0 * work / candidate.seconds / peak,
            if candidate.used { "*" } else { " " },
            candidate.kernel
        )?;
    }
    Ok(text)
}

fn latents(batch: usize) -> Vec<Latent<'static>> {
    (0..batch as u64).map(Latent::from_seed).collect()
}

fn row(gpu: &mut Gpu, batch: usize, seconds: f64) -> Result<Row, GpuError> {
    let latents = latents(batch);
    // The first batch may compile kernels.
    gpu.generate_all(&latents)?;
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 3 || start.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        gpu.generate_all(&latents)?;
        times.push(start.elapsed().as_secs_f64());
    }
    let pipelined = pipelined(gpu, &latents, seconds)?;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Row { batch, median: at(0.5), p99: at(0.99), pipelined })
}

/// Seconds per batch when the next is begun before one is finished.
fn pipelined(gpu: &mut Gpu, latents: &[Latent<'_>], seconds: f64) -> Result<f64, GpuError> {
    gpu.begin(latents)?;
    let start = Instant::now();
    let mut batches = 0;
    while batches < 3 || start.elapsed().as_secs_f64() < seconds {
        gpu.begin(latents)?;
        gpu.finish()?;
        batches += 1;
    }
    let each = start.elapsed().as_secs_f64() / f64::from(batches);
    gpu.finish()?;
    Ok(each)
}

/// Measurements of an adapter.
struct Measured {
    /// Seconds until the first face.
    ready: f64,
    rows: Vec<Row>,
    /// Faces at once when layers were measured.
    at_once: usize,
    /// Seconds of each layer: the least of several tries.
    layers: Vec<f64>,
    /// Peak multiply-adds per second.
    peak: f64,
}

impl Measured {
    /// Multiply-adds of layer `i` for the faces it was measured with.
    fn work(&self, model: &Model<'_>, i: usize) -> f64 {
        let layer = &model.layers()[i];
        layer.op.multiply_adds(layer.input, layer.output) as f64 * self.at_once as f64
    }

    fn table(
        &self,
        model: &Model<'_>,
        adapter: &Adapter,
        args: &Args,
    ) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(
            text,
            "{} ({}, {}){}\nready after {:.2} s: device, weights, first face",
            adapter.name,
            adapter.kind,
            adapter.driver,
            if args.half { ", 16-bit floats" } else { "" },
            self.ready
        )?;
        for row in &self.rows {
            let rate = model.multiply_adds() as f64 * row.batch as f64 / row.pipelined;
            writeln!(
                text,
                "batch {:<5} median {:>9.3} ms  p99 {:>9.3} ms  {:>9.1} faces/s, pipelined {:>9.1}  {:.2} G multiply-adds/s  {:.1}% of peak",
                row.batch,
                row.median * 1e3,
                row.p99 * 1e3,
                row.batch as f64 / row.median,
                row.batch as f64 / row.pipelined,
                rate / 1e9,
                100.0 * rate / self.peak
            )?;
        }
        writeln!(text, "\nlayers, {} faces at once", self.at_once)?;
        for (i, (layer, seconds)) in model.layers().iter().zip(&self.layers).enumerate() {
            let rate = self.work(model, i) / seconds;
            writeln!(
                text,
                "{:<24}{:>12.3} ms{:>12.2} G multiply-adds/s{:>9.1}%",
                layer.name,
                seconds * 1e3,
                rate / 1e9,
                100.0 * rate / self.peak
            )?;
        }
        let peak = self.peak / 1e9;
        writeln!(text, "\n{:<24}{peak:>12.1} G/s", "peak multiply-adds")?;
        Ok(text)
    }

    fn json(&self, model: &Model<'_>, adapter: &Adapter, args: &Args) -> String {
        let rows = self.rows.iter().map(|row| {
            format!(
                "{{\"batch\":{},\"median_ms\":{:.4},\"p99_ms\":{:.4},\"faces_per_s\":{:.1},\"pipelined_faces_per_s\":{:.1}}}",
                row.batch,
                row.median * 1e3,
                row.p99 * 1e3,
                row.batch as f64 / row.median,
                row.batch as f64 / row.pipelined
            )
        });
        let layers = self.layers.iter().enumerate().map(|(i, seconds)| {
            let share = self.work(model, i) / seconds / self.peak;
            format!("{{\"ms\":{:.4},\"share_of_peak\":{share:.4}}}", seconds * 1e3)
        });
        format!(
            "{{\"adapter\":{:?},\"half\":{},\"ready_s\":{:.3},\"peak_multiply_adds_per_s\":{:.0},\"rows\":[{}],\
             \"layers_batch\":{},\"layers\":[{}]}}\n",
            adapter.name,
            args.half,
            self.ready,
            self.peak,
            rows.collect::<Vec<_>>().join(","),
            self.at_once,
            layers.collect::<Vec<_>>().join(",")
        )
    }
}
