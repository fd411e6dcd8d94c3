//! How fast a step is on this CPU, and where the time goes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use models::flex::norm::{self, Norm};
use models::flex::{activation, conv};
use models::kernels::ConvShape;
use models::{Layer, Sequential, dcgan};
use pulp::{Arch, Simd, WithSimd};
use serde::Serialize;

use crate::checkpoint::State;
use crate::config::{Config, Corruption, Network, Objective};
use crate::networks;
use crate::objective::{self, Batch};

#[cfg(feature = "gpu")]
pub mod gpu;

/// What was measured.
#[derive(Serialize)]
pub struct Report {
    /// Images a step.
    pub batch: usize,
    /// Threads at work.
    pub threads: usize,
    /// Multiply-adds a second of all threads together, in registers, measured here.
    pub peak: f64,
    /// Multiply-adds of a step's convolutions, an image, by the direct algorithm.
    pub multiply_adds: f64,
    /// Each operation's parts.
    pub rows: Vec<Row>,
    /// Seconds of a whole step, the median.
    pub step: f64,
}

impl Report {
    /// Images a second.
    pub fn images_per_s(&self) -> f64 {
        self.batch as f64 / self.step
    }

    /// Images a second if every multiply-add of the direct algorithm were done at the peak.
    pub fn limit(&self) -> f64 {
        self.peak / self.multiply_adds
    }

    /// Seconds of the parts together, as often as a step has each.
    pub fn parts(&self) -> f64 {
        self.rows.iter().map(|r| r.seconds * r.times as f64).sum()
    }
}

/// One operation of a step.
#[derive(Serialize)]
pub struct Row {
    /// Whose, and which.
    pub name: String,
    /// What: forward, by data, by weight, ...
    pub what: &'static str,
    /// How often a step has it.
    pub times: usize,
    /// Seconds, the median.
    pub seconds: f64,
    /// Multiply-adds by the direct algorithm.
    pub multiply_adds: f64,
}

/// Measures the parts of a step of `cfg`'s networks, then whole steps for at least `span`, on the CPU.
///
/// # Errors
/// [`dcgan::Unsupported`] names what there is no network for.
pub fn measure(cfg: &Config, span: Duration) -> Result<Report, dcgan::Unsupported> {
    let device = Device::flex().autodiff();
    let mut state = networks::fresh(cfg, &device)?;
    let peak = peak();
    let mut rows = Vec::new();
    // A step runs G once forwards and once back; D three times forwards, twice back with and once without its weights. An
    // encoder runs once.
    let of_d = match cfg.objective {
        Objective::Gan => [3, 3, 2],
        Objective::Autoencoder | Objective::Vae => [1, 0, 1],
    };
    let labels = cfg.labels.len();
    let planes = match cfg.corruption {
        Corruption::Grey => 1,
        Corruption::None | Corruption::Noise => cfg.channels,
    };
    let seen = match (cfg.network, labels) {
        (Network::Mlp, 1..) => [planes * cfg.size * cfg.size + labels, 1],
        (Network::Dcgan, _) | (Network::Mlp, 0) => [planes + labels, cfg.size],
    };
    parts("G", &state.g, [cfg.nz + labels, 1], cfg.batch, [1, 1, 1], true, &mut rows);
    parts("D", &state.d, seen, cfg.batch, of_d, false, &mut rows);
    let step = whole(cfg, &mut state, span);
    let sum: f64 = rows.iter().map(|r| r.multiply_adds * r.times as f64).sum();
    Ok(Report {
        batch: cfg.step(),
        threads: rayon::current_num_threads(),
        peak,
        multiply_adds: sum / cfg.batch as f64,
        rows,
        step,
    })
}

/// The median of the seconds of whole steps on noise, for at least `span`.
pub fn whole(cfg: &Config, state: &mut State, span: Duration) -> f64 {
    let device = cfg.device.open();
    let shape = [cfg.step(), cfg.channels, cfg.size, cfg.size];
    let real = Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
    let classes = cfg.labels.len().max(1);
    median(span, || {
        let batch =
            Batch { images: real.clone(), labels: (0..cfg.step()).map(|i| i % classes).collect() };
        let losses = objective::step(state, batch, cfg, &device);
        black_box(losses.into_data());
    })
}

/// Rows for each layer of a network on pictures of `[channels, side]`: `times` it runs forward, back to its data, and
/// back to its weights. The first layer's data wants a gradient only in the last of D's three times, G's never.
fn parts(
    whose: &str,
    net: &Sequential,
    [mut channels, mut side]: [usize; 2],
    batch: usize,
    times: [usize; 3],
    is_generator: bool,
    rows: &mut Vec<Row>,
) {
    let [forwards, by_data, by_weight] = times;
    for (i, layer) in net.layers.iter().enumerate() {
        let by_data = match (i, is_generator) {
            (0, true) => 0,
            (0, false) => 1,
            _ => by_data,
        };
        let mut add = |what, times, multiply_adds, seconds| {
            let name = format!("{whose}.{i} {}", label(layer));
            rows.push(Row { name, what, times, seconds, multiply_adds });
        };
        let span = Duration::from_millis(60);
        match layer {
            Layer::Conv(l) => {
                let [features, _, kernel, _] = l.weight.dims();
                let window = ConvShape {
                    images: batch,
                    height: side,
                    width: side,
                    channels,
                    features,
                    kernel,
                    stride: l.stride,
                    padding: l.padding,
                };
                let work = window.multiply_adds();
                let [x, y, weight] = numbers(&window);
                let each = [
                    median(span, || drop(black_box(conv::forward(&window, &x, &weight)))),
                    median(span, || drop(black_box(conv::data(&window, &y, &weight)))),
                    median(span, || drop(black_box(conv::weight(&window, &x, &y)))),
                ];
                add("forward", forwards, work, each[0]);
                add("by data", by_data, work, each[1]);
                add("by weight", by_weight, work, each[2]);
                (channels, side) = (features, window.rows());
            }
            Layer::ConvTranspose(_) | Layer::ResizeConv(_) => {
                let ([features, to, kernel, _], stride, padding) = match layer {
                    Layer::ConvTranspose(l) => (l.weight.dims(), l.stride, l.padding),
                    Layer::ResizeConv(l) => (l.transposed_weight().dims(), 2, 1),
                    _ => continue,
                };
                let large = (side - 1) * stride + kernel - 2 * padding;
                let window = ConvShape {
                    images: batch,
                    height: large,
                    width: large,
                    channels: to,
                    features,
                    kernel,
                    stride,
                    padding,
                };
                let work = window.multiply_adds();
                let [x, y, weight] = numbers(&window);
                let each = [
                    median(span, || drop(black_box(conv::data(&window, &y, &weight)))),
                    median(span, || drop(black_box(conv::forward(&window, &x, &weight)))),
                    median(span, || drop(black_box(conv::weight(&window, &x, &y)))),
                ];
                add("forward", forwards, work, each[0]);
                add("by data", by_data, work, each[1]);
                add("by weight", by_weight, work, each[2]);
                (channels, side) = (to, large);
            }
            Layer::BatchNorm(_) => {
                let x = ramp(batch * channels * side * side);
                let picture = channels * side * side;
                let statistics = norm::statistics(&x, picture, channels);
                let normed = Norm {
                    x: &x,
                    image_len: picture,
                    statistics: &statistics,
                    gamma: &vec![1.0; channels],
                    beta: &vec![0.0; channels],
                    epsilon: 1e-5,
                    slope: 0.2,
                };
                let forward = median(span, || {
                    black_box(norm::statistics(&x, picture, channels));
                    black_box(normed.forward());
                });
                let back = median(span, || drop(black_box(normed.backward(&x))));
                add("forward", forwards, 0.0, forward);
                add("back", by_data, 0.0, back);
            }
            // Three of them a network, in the time of the whole step only.
            Layer::Dropout(_) => {}
            Layer::Activation(l) => {
                // After a batch norm it is a part of it.
                let before = i.checked_sub(1).map(|i| &net.layers[i]);
                if matches!(before, Some(Layer::BatchNorm(_))) {
                    continue;
                }
                let x = ramp(batch * channels * side * side);
                let function = l.function;
                let forward = median(span, || drop(black_box(activation::forward(&x, function))));
                let back = median(span, || drop(black_box(activation::backward(&x, &x, function))));
                add("forward", forwards, 0.0, forward);
                add("back", by_data.max(1), 0.0, back);
            }
        }
    }
}

fn label(layer: &Layer) -> String {
    match layer {
        Layer::Conv(l) => {
            let [to, from, k, _] = l.weight.dims();
            format!("conv {from} to {to}, {k}x{k}/{}", l.stride)
        }
        Layer::ConvTranspose(l) => {
            let [from, to, k, _] = l.weight.dims();
            format!("conv transpose {from} to {to}, {k}x{k}/{}", l.stride)
        }
        Layer::ResizeConv(l) => {
            let [to, from, _, _] = l.weight.dims();
            format!("resize conv {from} to {to}, as 4x4/2")
        }
        Layer::BatchNorm(l) => format!("batch norm {}, activation", l.gamma.dims()[0]),
        Layer::Activation(l) => format!("{:?}", l.function),
        Layer::Dropout(l) => format!("dropout {}", l.rate),
    }
}

fn numbers(w: &ConvShape) -> [Vec<f32>; 3] {
    [ramp(w.images * w.x_len()), ramp(w.images * w.y_len()), ramp(w.weight_len())]
}

/// Numbers of the usual sizes, never so small that a CPU handles them slowly.
fn ramp(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 251) as f32 / 125.0 - 0.99).collect()
}

/// The median of the seconds of at least three calls, after one that does not count, for at least `span`.
fn median(span: Duration, mut call: impl FnMut()) -> f64 {
    call();
    let began = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < 3 || began.elapsed() < span {
        let one = Instant::now();
        call();
        seconds.push(one.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Multiply-adds a second of all threads, each on registers alone: the best of a few tries.
fn peak() -> f64 {
    const STEPS: usize = 4_000_000;
    let lanes = Arch::new().dispatch(Lanes) as f64;
    (0..5)
        .map(|_| {
            let began = Instant::now();
            let all = rayon::broadcast(|_| Arch::new().dispatch(Products(STEPS)));
            black_box(&all);
            let count = all.len() as f64 * STEPS as f64 * CHAINS as f64 * lanes;
            count / began.elapsed().as_secs_f64()
        })
        .fold(0.0, f64::max)
}

/// Independent chains of multiply-adds: more than a CPU has in flight.
const CHAINS: usize = 12;

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

struct Products(usize);

impl WithSimd for Products {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let by = simd.splat_f32s(black_box(0.999));
        let add = simd.splat_f32s(black_box(0.001));
        let mut sums = [simd.splat_f32s(black_box(1.0)); CHAINS];
        for _ in 0..self.0 {
            let mut i = 0;
            while i < CHAINS {
                sums[i] = simd.mul_add_e_f32s(sums[i], by, add);
                i += 1;
            }
        }
        let mut sum = 0.0;
        for s in sums {
            sum += simd.reduce_sum_f32s(s);
        }
        sum
    }
}
