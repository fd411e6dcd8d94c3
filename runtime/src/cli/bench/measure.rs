//! What `bench` measures on the CPU.

use std::error::Error;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use image::ImageFormat;
use runtime::op::Shape;
use runtime::simd::read_speed;
use runtime::{Batch, Cpu, Crew, Image, Input, Isa, Latent, Limit, Limits, Model};

use super::super::pictures::pattern;
use super::super::threads::together;

use super::args::Args;

/// Sorted seconds.
pub struct Times(pub Vec<f64>);

impl Times {
    pub fn new(mut seconds: Vec<f64>) -> Times {
        seconds.sort_by(f64::total_cmp);
        Times(seconds)
    }

    /// A quantile, in milliseconds.
    pub fn ms(&self, share: f64) -> f64 {
        let at = (self.0.len() as f64 * share) as usize;
        self.0.get(at.min(self.0.len() - 1)).map_or(0.0, |s| s * 1e3)
    }
}

/// Measurements of one instruction set.
pub struct Row {
    pub isa: Isa,
    /// Times of batches.
    pub times: Times,
    /// Peak multiply-adds per second of one thread.
    pub peak: f64,
    /// Median milliseconds of each layer with one thread.
    pub layers: Vec<f64>,
}

/// Measurements of the machine and of the process.
pub struct Frame {
    /// Bytes of the record.
    pub size: usize,
    /// Bytes of a thread's arena.
    pub arena: usize,
    /// Bytes per second when one thread reads that many bytes over and over.
    pub read: f64,
    /// Median milliseconds from the start of a process to the PNG of one face.
    pub cold: f64,
    /// Most bytes that this process has had in memory, if the system reports it.
    pub most: Option<u64>,
    /// Bytes in memory that are not pages of files: what a face takes besides record and program.
    pub beside: Option<u64>,
}

impl Frame {
    pub fn of(
        args: &Args,
        model: &Model<'_>,
        size: usize,
        limits: &Limits,
    ) -> Result<Frame, Box<dyn Error>> {
        // First, because the other measurements take memory.
        let beside = memory("RssAnon:");
        let images = match args.batch < args.threads {
            true => 1,
            false => together(model, limits, (args.batch, args.threads)),
        };
        Ok(Frame {
            size,
            arena: size_of::<f32>() * model.arena_len_of_batch(images),
            read: read_speed(size),
            cold: cold(args, model, limits)?,
            most: memory("VmHWM:"),
            beside,
        })
    }
}

/// Median milliseconds from the start of this program to the PNG of one face of the file as stored.
fn cold(args: &Args, model: &Model<'_>, limits: &Limits) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let program = std::env::current_exe()?;
    let mut times = Vec::new();
    let before = folder.path().join("before.png");
    if let Input::Picture(shape) = model.input() {
        let (w, h) = (shape.w as u32, shape.h as u32);
        let picture = image::GrayImage::from_raw(w, h, pattern(Shape { c: 1, ..shape }));
        let picture = picture.ok_or("no picture to translate")?.into();
        std::fs::write(&before, codecs::encode(&picture, ImageFormat::Png)?)?;
    }
    for _ in 0..9 {
        let mut command = Command::new(&program);
        match model.input() {
            Input::Latent(_) => command.arg("generate").args(&args.model),
            Input::Picture(_) => command.arg("translate").args(&args.model).arg(&before),
        };
        command.arg("--out").arg(folder.path().join("face.png"));
        for limit in Limit::ALL {
            command.arg("--limit").arg(format!("{}={}", limit.name(), limits.of(limit)));
        }
        let start = Instant::now();
        let output = command.stdout(Stdio::null()).output()?;
        times.push(start.elapsed().as_secs_f64());
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cannot measure the start of a process: {}", why.trim()).into());
        }
    }
    Ok(Times::new(times).ms(0.5))
}

/// A value in bytes from `/proc/self/status`, such as `VmHWM:`, the peak in memory.
fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Times of batches.
pub fn batches(
    model: &Model<'_>,
    isa: Isa,
    args: &Args,
    limits: &Limits,
) -> Result<Times, Box<dyn Error>> {
    match args.batch < args.threads {
        true => by_all(model, isa, args),
        false => apart(model, isa, args, limits),
    }
}

/// Times calls of `batch` for `--seconds`, after a few that warm the caches.
fn timed(args: &Args, mut batch: impl FnMut()) -> Times {
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

/// Fewer faces than threads: each face is split across all.
fn by_all(model: &Model<'_>, isa: Isa, args: &Args) -> Result<Times, Box<dyn Error>> {
    let mut arena = vec![0.0; model.arena_len_of(args.threads)];
    let pixels = pattern(model.input().shape());
    let times = Crew::with(model, &mut arena, isa, args.threads, |crew| {
        timed(args, || {
            for face in 0..args.batch {
                // Both fit the model.
                match model.input() {
                    Input::Latent(_) => {
                        let _ = black_box(crew.generate(&Latent::from_seed(face as u64)));
                    }
                    Input::Picture(_) => {
                        let _ = black_box(crew.translate(&pixels));
                    }
                }
            }
        })
    });
    Ok(times?)
}

/// Threads make their own faces, some at a time, each in its own arena.
fn apart(
    model: &Model<'_>,
    isa: Isa,
    args: &Args,
    limits: &Limits,
) -> Result<Times, Box<dyn Error>> {
    let (threads, batch) = (args.threads, args.batch);
    let together = together(model, limits, (batch, threads));
    let mut arenas = vec![vec![0.0; model.arena_len_of_batch(together)]; threads];
    let mut batches = Vec::new();
    for arena in &mut arenas {
        batches.push(Batch::new(model, arena, isa, together)?);
    }
    // A thread takes the next faces when it is free, so that a delayed one delays only its own.
    let next = AtomicUsize::new(0);
    let latents: Vec<Latent<'_>> = (0..batch as u64).map(Latent::from_seed).collect();
    let pixels = pattern(model.input().shape());
    let pictures = vec![&pixels[..]; batch];
    let faces = |own: &mut Batch<'_>| {
        loop {
            let first = next.fetch_add(together, Ordering::Relaxed);
            if first >= batch {
                break;
            }
            let some = first..batch.min(first + together);
            let see = |_: usize, image: Image<'_>| {
                black_box(image);
            };
            // Both fit the model.
            let _ = match model.input() {
                Input::Latent(_) => own.generate(&latents[some], see).is_ok(),
                Input::Picture(_) => own.translate(&pictures[some], see).is_ok(),
            };
        }
    };
    let (barrier, over) = (Barrier::new(threads), AtomicBool::new(false));
    let mut batches = batches.into_iter();
    let mut own = batches.next().ok_or("no threads")?;
    let times = std::thread::scope(|scope| {
        for mut batch in batches {
            let (barrier, over, faces) = (&barrier, &over, &faces);
            scope.spawn(move || {
                loop {
                    barrier.wait();
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    faces(&mut batch);
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
pub fn layers(model: &Model<'_>, isa: Isa) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::with(model, &mut arena, Some(isa))?;
    let mut times = vec![Vec::new(); model.layers().len()];
    for seed in 0..40 {
        let mut last = Instant::now();
        let watch = |i: usize, _: &[f32]| {
            let now = Instant::now();
            times[i].push((now - last).as_secs_f64());
            last = now;
        };
        match model.input() {
            Input::Latent(_) => {
                cpu.watched(&Latent::from_seed(seed), watch)?;
            }
            Input::Picture(shape) => {
                cpu.translate_watched(&pattern(shape), watch)?;
            }
        }
    }
    Ok(times.into_iter().map(|t| Times::new(t).ms(0.5)).collect())
}
