//! `runtime bench`: how long a face takes here, each kind of kernel, each layer, and what the machine could do.

use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use runtime::cpu::Cpu;
use runtime::crew::Crew;
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::record::Buffer;
use runtime::simd::{Isa, peak, read_speed};

use super::device::{Chosen, choose};
use super::load::{self, Bytes};
use super::output;
use crate::{Bench, Precision};

/// Sorted seconds.
struct Times(Vec<f64>);

impl Times {
    fn new(mut seconds: Vec<f64>) -> Times {
        seconds.sort_by(f64::total_cmp);
        Times(seconds)
    }

    /// The value that a share of all lies below, in milliseconds.
    fn ms(&self, share: f64) -> f64 {
        let at = (self.0.len() as f64 * share) as usize;
        self.0.get(at.min(self.0.len() - 1)).map_or(0.0, |s| s * 1e3)
    }
}

/// What was measured of one kind of kernel.
struct Row {
    isa: Isa,
    /// Of a batch.
    times: Times,
    /// Multiply-adds a second that one thread can do at most.
    peak: f64,
    /// Median milliseconds of each layer, one thread.
    layers: Vec<f64>,
}

/// What the machine can do, and what a process takes.
struct Frame {
    /// Bytes of the record.
    size: usize,
    /// Bytes a second of as many bytes, read over and over by one thread.
    read: f64,
    /// Median milliseconds from the start of a process to the PNG of one face.
    cold: f64,
    /// Most bytes that this process has had in memory, where the system tells.
    most: Option<u64>,
    /// Bytes that are in memory beside files: what a face takes beyond the record and the program.
    beside: Option<u64>,
}

impl Frame {
    fn of(args: &Bench, size: usize) -> Result<Frame, Box<dyn Error>> {
        // Before what is measured next takes memory of its own.
        let beside = memory("RssAnon:");
        Ok(Frame {
            size,
            read: read_speed(size),
            cold: cold(args)?,
            most: memory("VmHWM:"),
            beside,
        })
    }
}

/// Median milliseconds from the start of this program to the PNG of one face of the file, as it is.
fn cold(args: &Bench) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let program = std::env::current_exe()?;
    let mut times = Vec::new();
    for _ in 0..9 {
        let mut command = Command::new(&program);
        command.arg("generate").arg("--out").arg(folder.path().join("face.png"));
        if let Some(model) = &args.model {
            command.arg("--model").arg(model);
        }
        let start = Instant::now();
        let output = command.stdout(Stdio::null()).output()?;
        times.push(start.elapsed().as_secs_f64());
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the start of a process: {}", why.trim()).into());
        }
    }
    Ok(Times::new(times).ms(0.5))
}

/// Bytes of memory that Linux says of this process under a name, such as `VmHWM:`, the most that it has had.
fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Prints a row a kind of kernel.
///
/// # Errors
/// One that names the file.
pub fn run(args: &Bench) -> Result<(), Box<dyn Error>> {
    match choose(args.device)? {
        Chosen::Cpu => {}
        #[cfg(feature = "gpu")]
        Chosen::Gpu(adapter, _) => return super::gpu::bench(args, &adapter),
    }
    let converted;
    let loaded;
    let bytes = match args.precision {
        None => {
            let stored = Bytes::load(args.model.as_deref())?;
            loaded = match stored.is_made() {
                true => stored.packed(),
                false => stored,
            };
            loaded.bytes()
        }
        Some(precision) => {
            let mut graph = load::graph_or_own(args.model.as_deref())?;
            graph.fold();
            let record = match precision {
                Precision::F32 => graph.to_record(),
                Precision::Packed => graph.pack(),
                Precision::F16 => graph.halve(),
                Precision::Int8 => graph.quantise(super::convert::CALIBRATION),
            };
            converted = Buffer::from(record?);
            converted.bytes()
        }
    };
    let model = Model::parse(bytes).map_err(|e| e.to_string())?;
    let kinds = Isa::all().into_iter().flatten();
    let kinds: Vec<Isa> = match args.best {
        true => vec![Isa::best()],
        false => kinds.collect(),
    };
    let mut rows = Vec::new();
    for isa in kinds {
        rows.push(Row {
            isa,
            times: batches(&model, isa, args)?,
            peak: peak(isa, model.quantised().is_some()),
            layers: layers(&model, isa)?,
        });
    }
    let frame = Frame::of(args, bytes.len())?;
    let text = match args.json {
        true => json(&model, &frame, &rows, args)?,
        false => table(&model, &frame, &rows, args)?,
    };
    Ok(output::print(text.as_bytes())?)
}

/// Times of batches.
fn batches(model: &Model<'_>, isa: Isa, args: &Bench) -> Result<Times, Box<dyn Error>> {
    match args.batch < args.threads {
        true => together(model, isa, args),
        false => shared_out(model, isa, args),
    }
}

/// Calls `batch` for as long as was asked for, after a few times that bring weights into the caches.
fn timed(args: &Bench, mut batch: impl FnMut()) -> Times {
    let (mut times, began) = (Vec::new(), Instant::now());
    for i in 0.. {
        let start = Instant::now();
        batch();
        if i >= 3 {
            times.push(start.elapsed().as_secs_f64());
            if began.elapsed() >= Duration::from_secs_f64(args.seconds) {
                break;
            }
        }
    }
    Times::new(times)
}

/// Fewer faces than threads: all of them make each.
fn together(model: &Model<'_>, isa: Isa, args: &Bench) -> Result<Times, Box<dyn Error>> {
    let mut arena = vec![0.0; model.arena_len_of(args.threads)];
    let times = Crew::with(model, &mut arena, isa, args.threads, |crew| {
        timed(args, || {
            for face in 0..args.batch {
                // Latents of seeds are of any length.
                let _ = black_box(crew.generate(&Latent::from_seed(face as u64)));
            }
        })
    });
    Ok(times?)
}

/// Threads take faces of their own, and each has its own arena.
fn shared_out(model: &Model<'_>, isa: Isa, args: &Bench) -> Result<Times, Box<dyn Error>> {
    let (threads, batch) = (args.threads, args.batch);
    let mut arenas = vec![vec![0.0; model.arena_len()]; threads];
    let mut cpus = Vec::new();
    for arena in &mut arenas {
        cpus.push(Cpu::with(model, arena, Some(isa))?);
    }
    // Threads take the next face: one that is held up holds up no more than its own.
    let next = AtomicUsize::new(0);
    let faces = |cpu: &mut Cpu<'_>| {
        loop {
            let face = next.fetch_add(1, Ordering::Relaxed);
            if face >= batch {
                break;
            }
            // Latents of seeds are of any length.
            let _ = black_box(cpu.generate(&Latent::from_seed(face as u64)));
        }
    };
    let (barrier, over) = (Barrier::new(threads), AtomicBool::new(false));
    let mut cpus = cpus.into_iter();
    let mut own = cpus.next().ok_or("no threads")?;
    let times = std::thread::scope(|scope| {
        for mut cpu in cpus {
            let (barrier, over, faces) = (&barrier, &over, &faces);
            scope.spawn(move || {
                loop {
                    barrier.wait();
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    faces(&mut cpu);
                    barrier.wait();
                }
            });
        }
        let times = timed(args, || {
            next.store(0, Ordering::SeqCst);
            barrier.wait();
            faces(&mut own);
            barrier.wait();
        });
        over.store(true, Ordering::SeqCst);
        barrier.wait();
        times
    });
    Ok(times)
}

/// Median milliseconds of every layer.
fn layers(model: &Model<'_>, isa: Isa) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::with(model, &mut arena, Some(isa))?;
    let mut times = vec![Vec::new(); model.layers().len()];
    for seed in 0..40 {
        let mut last = Instant::now();
        cpu.watched(&Latent::from_seed(seed), |i, _| {
            let now = Instant::now();
            times[i].push((now - last).as_secs_f64());
            last = now;
        })?;
    }
    Ok(times.into_iter().map(|t| Times::new(t).ms(0.5)).collect())
}

fn table(
    model: &Model<'_>,
    frame: &Frame,
    rows: &[Row],
    args: &Bench,
) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{}, {} thread(s), batches of {}: times of a batch",
        model.precision().name(),
        args.threads,
        args.batch
    )?;
    writeln!(
        text,
        "{:<12}{:>10}{:>12}{:>12}{:>12}{:>12}{:>18}{:>10}",
        "kernels",
        "batches",
        "min ms",
        "median ms",
        "p99 ms",
        "faces/s",
        "Gmultiply-adds/s",
        "of peak"
    )?;
    for row in rows {
        let rate = model.multiply_adds() as f64 * args.batch as f64 / row.times.ms(0.5) * 1e3;
        writeln!(
            text,
            "{:<12}{:>10}{:>12.3}{:>12.3}{:>12.3}{:>12.0}{:>18.1}{:>9.0}%",
            row.isa.name(),
            row.times.0.len(),
            row.times.ms(0.0),
            row.times.ms(0.5),
            row.times.ms(0.99),
            args.batch as f64 * 1e3 / row.times.ms(0.5),
            rate / 1e9,
            100.0 * rate / row.peak / args.threads as f64
        )?;
    }
    if let Some(row) = rows.last() {
        writeln!(text, "\nlayers with {} kernels, one thread", row.isa.name())?;
        for (layer, ms) in model.layers().iter().zip(&row.layers) {
            let rate = layer.op.multiply_adds(layer.input, layer.output) as f64 / ms * 1e3;
            writeln!(
                text,
                "{:<24}{:>22.3}{:>42.1}{:>9.0}%",
                layer.name,
                ms,
                rate / 1e9,
                100.0 * rate / row.peak
            )?;
        }
    }
    let megabytes = |bytes: f64| bytes / 1e6;
    writeln!(text)?;
    if let Some(row) = rows.last() {
        let peak = row.peak / 1e9;
        writeln!(text, "{:<24}{peak:>22.1} G/s", "multiply-adds at most")?;
    }
    let facts = [
        ("memory read", format!("{:.1} GB/s of as many bytes", frame.read / 1e9)),
        ("start to PNG", format!("{:.1} ms, one face of the file", frame.cold)),
        ("record", format!("{:.2} MB", megabytes(frame.size as f64))),
        ("arena", format!("{:.2} MB, one a thread", megabytes(4.0 * model.arena_len() as f64))),
    ];
    for (what, how_much) in facts {
        let (number, unit) = how_much.split_once(' ').unwrap_or((&how_much, ""));
        writeln!(text, "{what:<24}{number:>22} {unit}")?;
    }
    let memories = [
        ("memory at most", frame.most, "this process"),
        ("memory beside files", frame.beside, "record and program apart"),
    ];
    for (what, bytes, of) in memories {
        if let Some(bytes) = bytes {
            let bytes = megabytes(bytes as f64);
            writeln!(text, "{what:<24}{bytes:>22.1} MB, {of}")?;
        }
    }
    Ok(text)
}

fn json(
    model: &Model<'_>,
    frame: &Frame,
    rows: &[Row],
    args: &Bench,
) -> Result<String, std::fmt::Error> {
    let mut kernels = Vec::new();
    for row in rows {
        let mut text = String::new();
        let layers: Vec<String> = row.layers.iter().map(|ms| format!("{ms:.4}")).collect();
        write!(
            text,
            "{{\"kernels\": \"{}\", \"batches\": {}, \"min_ms\": {:.4}, \"median_ms\": {:.4}, \"p99_ms\": {:.4}, \
             \"peak_multiply_adds_per_s\": {:.0}, \"layers_ms\": [{}]}}",
            row.isa.name(),
            row.times.0.len(),
            row.times.ms(0.0),
            row.times.ms(0.5),
            row.times.ms(0.99),
            row.peak,
            layers.join(", ")
        )?;
        kernels.push(text);
    }
    let number = |n: Option<u64>| n.map_or("null".into(), |n| n.to_string());
    Ok(format!(
        "{{\"precision\": \"{}\", \"threads\": {}, \"batch\": {}, \"multiply_adds\": {}, \"record_bytes\": {}, \
         \"arena_bytes\": {}, \"read_bytes_per_s\": {:.0}, \"cold_start_ms\": {:.3}, \"peak_memory_bytes\": {}, \
         \"memory_beside_files_bytes\": {}, \
         \"rows\": [{}]}}\n",
        model.precision().name(),
        args.threads,
        args.batch,
        model.multiply_adds(),
        frame.size,
        4 * model.arena_len(),
        frame.read,
        frame.cold,
        number(frame.most),
        number(frame.beside),
        kernels.join(", ")
    ))
}
