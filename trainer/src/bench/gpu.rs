//! Speed of a training step on a GPU, launch by launch, by the timestamps of the adapter.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use burn::cubecl::config::{TypeNameFormatLevel, type_name_format};
use burn::cubecl::future::block_on;
use burn::cubecl::logging::{
    LaunchObservation, LaunchObserver, ProfileDuration, TimingMethod, TimingRequest,
};
use burn::tensor::{Device, Distribution, Tensor};
use models::gpu::conv::measure::{self, Job};
use models::gpu::conv::{self, GemmShape, Plan};
use models::gpu::gemm::{Pass, Tile, Units};
use models::gpu::machine::Machine;
use models::gpu::note::{Note, set_noting, take_note};
use models::gpu::peak::peak_work;
use models::kernels::ConvShape;
use models::{Layer, Sequential, dcgan};
use serde::Serialize;

use crate::config::Config;
use crate::networks;
use crate::networks::State;
use crate::objective::{self, Batch};

/// The measurements.
#[derive(Serialize)]
pub struct Report {
    /// Images per step.
    pub batch: usize,
    /// Measured peak in multiply-adds per second of 32-bit floats.
    pub peak: f64,
    /// Launches per step.
    pub launches: usize,
    /// The launches of a step by kernel, the longest first.
    pub rows: Vec<Row>,
    /// Mean seconds of a whole step.
    pub step: f64,
    /// Whether matrix units were used.
    pub matrix_units: bool,
}

/// Launches of one kernel.
#[derive(Serialize, Clone, Default)]
pub struct Row {
    /// The kernel.
    pub name: String,
    /// How often a step runs it.
    pub times: usize,
    /// Seconds of all of them.
    pub seconds: f64,
    /// Multiply-adds of all of them.
    pub multiply_adds: f64,
}

impl Report {
    /// Images per second.
    pub fn images_per_s(&self) -> f64 {
        self.batch as f64 / self.step
    }

    /// Seconds of all launches.
    pub fn busy(&self) -> f64 {
        self.rows.iter().map(|r| r.seconds).sum()
    }
}

/// Measures whole steps of `cfg` on its device for at least `span`, then the launches of one.
///
/// # Errors
/// [`dcgan::Unsupported`] names the size or number of channels that no network takes.
pub fn measure(cfg: &Config, span: Duration) -> Result<Report, dcgan::Unsupported> {
    let device = cfg.device.open();
    let mut state = networks::fresh(cfg, &device)?;
    let batch = Batch::noise(cfg, &device);
    // With lazy penalties, whole cycles.
    let rounds = cfg.penalty_every.clamp(1, 16);
    let run = |state: &mut State, steps: u64| {
        let mut losses = None;
        for _ in 0..steps {
            losses = Some(objective::step(state, batch.clone(), cfg, &device));
        }
        // The loss is ready before the backward pass ends.
        let _ = (losses.map(black_box), device.clone().inner().sync());
    };
    run(&mut state, 2 * rounds);
    let began = Instant::now();
    let mut steps = 0;
    while steps < 2 * rounds || began.elapsed() < span {
        run(&mut state, 4 * rounds);
        steps += 4 * rounds;
    }
    let step = began.elapsed().as_secs_f64() / steps as f64;
    // A step without the lazy penalty.
    run(&mut state, 1);
    let (losses, seen) = watch(|| objective::step(&mut state, batch, cfg, &device));
    black_box(losses.into_data());
    let launches = seen.len();
    Ok(Report {
        batch: cfg.step(),
        peak: peak(&device.inner()),
        launches,
        rows: rows(seen),
        step,
        matrix_units: conv::matrix_units(),
    })
}

fn rows(seen: Vec<Seen>) -> Vec<Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for launch in seen {
        let name = launch.name();
        let row = rows.entry(name.clone()).or_default();
        row.name = name;
        row.times += 1;
        row.seconds += launch.seconds;
        row.multiply_adds += launch.note.map_or(0.0, |n| n.multiply_adds);
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    rows
}

/// A launch and its time.
struct Seen {
    kernel: &'static str,
    note: Option<Note>,
    seconds: f64,
}

impl Seen {
    fn name(&self) -> String {
        match &self.note {
            Some(note) => note.what.clone(),
            // burn's kernels are named by their types.
            None => type_name_format(self.kernel, TypeNameFormatLevel::Balanced),
        }
    }
}

/// A kernel, its description and its measurement.
type Launched = (&'static str, Option<Note>, Option<ProfileDuration>);

/// Launches and their measurements, read when all are done.
#[derive(Default)]
struct Watch(Mutex<Vec<Launched>>);

impl Watch {
    fn with<R>(&self, f: impl FnOnce(&mut Vec<Launched>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LaunchObserver for Watch {
    fn launched(&self, kernel: &'static str) {
        self.with(|all| all.push((kernel, take_note(), None)));
    }

    fn timing(&self) -> TimingRequest {
        TimingRequest::Deferred
    }

    fn profiled(&self, _: &'static str, profile: ProfileDuration) {
        self.with(|all| {
            if let Some(last) = all.last_mut() {
                last.2 = Some(profile);
            }
        });
    }

    fn timed(&self, _: &'static str, _: Duration, _: TimingMethod) {}
}

/// Every launch of `run`.
fn watch<R>(run: impl FnOnce() -> R) -> (R, Vec<Seen>) {
    let watch = Arc::new(Watch::default());
    set_noting(true);
    let guard = LaunchObservation::new(watch.clone());
    let result = run();
    drop(guard);
    set_noting(false);
    let all = watch.with(std::mem::take);
    let seen = all.into_iter().map(|(kernel, note, profile)| {
        let ticks = profile.and_then(|profile| block_on(profile.resolve()));
        let seconds = ticks.map_or(0.0, |ticks| ticks.duration().as_secs_f64());
        Seen { kernel, note, seconds }
    });
    let seen = seen.collect();
    (result, seen)
}

/// Multiply-adds per second of 32-bit floats: the best of a few tries of increasing length.
fn peak(device: &Device) -> f64 {
    let like = Tensor::<1>::zeros([4], device);
    let mut best = 0.0f64;
    let mut rounds = 8;
    for _ in 0..8 {
        let (_, seen) = watch(|| measure::peak(like.clone(), rounds));
        let seconds: f64 = seen.iter().map(|s| s.seconds).sum();
        if seconds > 0.0 {
            best = best.max(peak_work(rounds) / seconds);
        }
        if seconds < 2e-3 {
            rounds *= 2;
        }
    }
    best
}

/// A tile tried for a pass.
#[derive(Serialize)]
pub struct Trial {
    /// The pass and the convolution.
    pub pass: String,
    /// The tile.
    pub tile: String,
    /// Parts that the sum is split into.
    pub parts: usize,
    /// Seconds, the best of a few tries, with the sum of the parts.
    pub seconds: f64,
    /// Multiply-adds.
    pub multiply_adds: f64,
    /// Mean difference from the result of a plain tile, relative to the mean size.
    pub off: f32,
    /// Whether it is the one in use.
    pub used: bool,
    /// Whether it runs on matrix units.
    pub matrix: bool,
}

/// Tries every tile for every pass of `cfg`'s networks. `each` is called once per pass, with the
/// fastest tile first.
///
/// # Errors
/// [`dcgan::Unsupported`] names the size or number of channels that no network takes.
pub fn tiles(
    cfg: &Config,
    matrix: bool,
    mut each: impl FnMut(&[Trial]),
) -> Result<(), dcgan::Unsupported> {
    let device = cfg.device.open().inner();
    let state = networks::fresh(cfg, &cfg.device.open())?;
    let seen = networks::inputs(cfg);
    let windows = [(&state.g, seen[0]), (&state.d, seen[1])];
    let mut known: Vec<(Pass, ConvShape)> = Vec::new();
    for (net, seen) in windows {
        for window in windows_of(net, seen, cfg.batch) {
            for pass in [Pass::Forward, Pass::Data, Pass::Weight] {
                let window = conv::as_matmul(&window);
                if !known.contains(&(pass, window)) {
                    known.push((pass, window));
                    each(&tried(pass, &window, matrix, &device));
                }
            }
        }
    }
    Ok(())
}

fn windows_of(net: &Sequential, [_, mut side]: [usize; 2], batch: usize) -> Vec<ConvShape> {
    let mut windows = Vec::new();
    for layer in &net.layers {
        let (sides, stride, padding, transposed) = match layer {
            Layer::Conv(l) => (l.weight.dims(), l.stride, l.padding, false),
            Layer::ConvTranspose(l) => (l.weight.dims(), l.stride, l.padding, true),
            Layer::ResizeConv(l) => {
                let [out, from, _, _] = l.weight.dims();
                ([from, out, 4, 4], 2, 1, true)
            }
            Layer::ReflectPad(l) => {
                side += 2 * l.padding;
                continue;
            }
            Layer::BatchNorm(_)
            | Layer::InstanceNorm(_)
            | Layer::Activation(_)
            | Layer::Add(_)
            | Layer::Concat(_)
            | Layer::Dropout(_) => continue,
        };
        let [features, channels, kernel, _] = sides;
        if transposed {
            side = (side - 1) * stride + kernel - 2 * padding;
        }
        let window = ConvShape {
            images: batch,
            height: side,
            width: side,
            channels,
            features,
            kernel,
            stride,
            padding,
        };
        if !transposed {
            side = window.rows();
        }
        windows.push(window);
    }
    windows
}

fn tried(pass: Pass, w: &ConvShape, matrix: bool, device: &Device) -> Vec<Trial> {
    let random = |shape: [usize; 4]| {
        Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), device).permute([0, 3, 1, 2])
    };
    // In the memory layout in which they are read.
    let x = || random([w.images, w.height, w.width, w.channels]);
    let y = || random([w.images, w.rows(), w.columns(), w.features]);
    let weight = || random([w.features, w.kernel, w.kernel, w.channels]);
    let (left, right) = match pass {
        Pass::Forward => (x(), weight()),
        Pass::Data => (y(), weight()),
        Pass::Weight => (y(), x()),
    };
    let sides = GemmShape::of(pass, w);
    let machine = Machine { groups: 264, memory: 48 << 10, threads: 1024 };
    let used = conv::plan(pass, &sides, &machine);
    // The reference.
    let plain = Plan { tile: Tile::threads(64, 64, 16, [8, 4]), parts: 1 };
    let mut plans = vec![plain, used];
    for tile in conv::candidates(matrix) {
        let waste = tile.m.div_ceil(sides.m.max(1)).max(tile.n.div_ceil(sides.n.max(1)));
        if waste > 4 || tile.bytes(pass) > machine.memory {
            continue;
        }
        // Narrow tiles are for narrow matrices.
        if tile.m.min(tile.n) <= 16 && sides.m.min(sides.n) > 4 * tile.m.min(tile.n) {
            continue;
        }
        for wanted in [132, 264, 528] {
            let parts = conv::parts(&tile, &sides, wanted);
            let plan = Plan { tile, parts };
            if !plans.contains(&plan) {
                plans.push(plan);
            }
        }
    }
    let mut first: Option<Tensor<4>> = None;
    let mut trials: Vec<Trial> = plans
        .into_iter()
        .map(|plan| {
            let job = Job { pass, shape: *w, plan };
            let run = || measure::product(left.clone(), right.clone(), job);
            // Warm up: compile first.
            let result = run();
            let off = match &first {
                None => 0.0,
                Some(want) => {
                    let size = want.clone().abs().mean();
                    let off = (result.clone() - want.clone()).abs().mean();
                    (off / size).into_scalar()
                }
            };
            first.get_or_insert(result);
            let seconds = (0..4).map(|_| {
                let (_, seen) = watch(run);
                seen.iter().map(|s| s.seconds).sum::<f64>()
            });
            let seconds = seconds.fold(f64::MAX, f64::min);
            Trial {
                pass: conv::describe(pass, w),
                tile: name(&plan.tile),
                parts: plan.parts,
                seconds,
                multiply_adds: w.multiply_adds(),
                off,
                used: plan == used,
                matrix: matches!(plan.tile.units, Units::Matrix(_)),
            }
        })
        .collect();
    trials.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    trials
}

fn name(tile: &Tile) -> String {
    let Tile { m, n, k, units } = tile;
    let (kind, [a, b]) = match units {
        Units::Threads(each) => ("", each),
        Units::Matrix(each) => (" matrix", each),
    };
    format!("{m}x{n}x{k} {a}x{b}{kind}")
}
