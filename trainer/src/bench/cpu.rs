//! Speed of a training step on the CPU, part by part.

use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use models::flex::norm::{self, Instances, Norm};
use models::flex::peak::peak;
use models::flex::{activation, conv};
use models::kernels::ConvShape;
use models::layer::Function;
use models::{Layer, Sequential, dcgan};
use serde::Serialize;

use crate::config::{Config, Objective};
use crate::networks;
use crate::networks::State;
use crate::objective::{self, Batch};

/// The measurements.
#[derive(Serialize)]
pub struct Report {
    /// Images per step.
    pub batch: usize,
    /// Number of threads.
    pub threads: usize,
    /// Measured peak of all threads, in multiply-adds per second on registers.
    pub peak: f64,
    /// Multiply-adds per image of the convolutions of a step, by the direct algorithm.
    pub multiply_adds: f64,
    /// The parts of each operation.
    pub rows: Vec<Row>,
    /// Median seconds of a whole step.
    pub step: f64,
}

impl Report {
    /// Images per second.
    pub fn images_per_s(&self) -> f64 {
        self.batch as f64 / self.step
    }

    /// Images per second if every multiply-add of the direct algorithm ran at the peak.
    pub fn limit(&self) -> f64 {
        self.peak / self.multiply_adds
    }

    /// Seconds of all parts of a step.
    pub fn parts(&self) -> f64 {
        self.rows.iter().map(|r| r.seconds * r.times as f64).sum()
    }
}

/// One operation of a step.
#[derive(Serialize)]
pub struct Row {
    /// Network and layer.
    pub name: String,
    /// The pass: forward, by data, by weight, back.
    pub what: &'static str,
    /// How often a step runs it.
    pub times: usize,
    /// Median seconds.
    pub seconds: f64,
    /// Multiply-adds by the direct algorithm.
    pub multiply_adds: f64,
}

/// Measures the parts of a step of `cfg`'s networks, then whole steps for at least `span`, on the
/// CPU.
///
/// # Errors
/// [`dcgan::Unsupported`] names the size or number of channels that no network takes.
pub fn measure(cfg: &Config, span: Duration) -> Result<Report, dcgan::Unsupported> {
    let device = Device::flex().autodiff();
    let mut state = networks::fresh(cfg, &device)?;
    let peak = peak();
    let mut all = Vec::new();
    // A step runs G once forward and back; D three times forward, twice back with its weights and
    // once without. An encoder runs once.
    let once = Times { forward: 1, data: 1, first_data: 0, weight: 1 };
    let [of_g, of_d] = match cfg.objective {
        Objective::Gan | Objective::Pix2pix => {
            [once, Times { forward: 3, data: 3, first_data: 1, weight: 2 }]
        }
        Objective::Autoencoder | Objective::Vae => {
            [once, Times { forward: 1, data: 0, first_data: 1, weight: 1 }]
        }
        // Both directions together. Each G translates, translates back and, for the identity,
        // maps pictures of its own target set.
        Objective::Cyclegan => {
            let passes = if cfg.cycle * cfg.identity > 0.0 { 6 } else { 4 };
            let of_g = Times { forward: passes, data: passes, first_data: 2, weight: passes };
            [of_g, Times { forward: 6, data: 6, first_data: 2, weight: 4 }]
        }
    };
    let batch = cfg.batch;
    let [[seen, side_g], [channels, side]] = networks::inputs(cfg);
    let rows = &mut all;
    Parts { whose: "G", batch, times: of_g, channels: seen, side: side_g, rows }.network(&state.g);
    let rows = &mut all;
    Parts { whose: "D", batch, times: of_d, channels, side, rows }.network(&state.d);
    let step = whole(cfg, &mut state, span);
    let sum: f64 = all.iter().map(|r| r.multiply_adds * r.times as f64).sum();
    Ok(Report {
        batch: cfg.step(),
        threads: rayon::current_num_threads(),
        peak,
        multiply_adds: sum / cfg.batch as f64,
        rows: all,
        step,
    })
}

/// Median seconds of whole steps on noise, for at least `span`.
pub fn whole(cfg: &Config, state: &mut State, span: Duration) -> f64 {
    let device = cfg.device.open();
    let batch = Batch::noise(cfg, &device);
    median(span, || {
        let losses = objective::step(state, batch.clone(), cfg, &device);
        black_box(losses.into_data());
    })
}

/// How long each part is measured.
const SPAN: Duration = Duration::from_millis(60);

/// How often a step runs a network.
#[derive(Clone, Copy)]
struct Times {
    forward: usize,
    /// Back to its data.
    data: usize,
    /// Back to its data in the first layer: only the last of D's three passes needs it, G's never.
    first_data: usize,
    /// Back to its weights.
    weight: usize,
}

/// The rows of a network, layer by layer.
struct Parts<'a> {
    whose: &'a str,
    batch: usize,
    times: Times,
    /// Channels and side of the next layer's input.
    channels: usize,
    side: usize,
    rows: &'a mut Vec<Row>,
}

impl Parts<'_> {
    fn network(mut self, net: &Sequential) {
        let data = self.times.data;
        let maps = net.maps([self.channels, self.side]);
        for (i, layer) in net.layers.iter().enumerate() {
            self.times.data = if i == 0 { self.times.first_data } else { data };
            let name = format!("{}.{i} {}", self.whose, label(layer));
            match layer {
                Layer::Conv(l) => self.conv(&name, l.weight.dims(), l.stride, l.padding),
                Layer::ConvTranspose(l) => {
                    self.conv_transpose(&name, l.weight.dims(), l.stride, l.padding);
                }
                Layer::ResizeConv(l) => {
                    self.conv_transpose(&name, l.transposed_weight().dims(), 2, 1)
                }
                Layer::BatchNorm(_) => self.batch_norm(&name),
                Layer::InstanceNorm(_) => self.instance_norm(&name),
                // Copies, and the few layers of dropout: they are part of the whole step's time only.
                Layer::Dropout(_) | Layer::ReflectPad(_) | Layer::Add(_) | Layer::Concat(_) => {}
                // After a norm it is fused with it.
                Layer::Activation(_)
                    if i > 0
                        && matches!(
                            net.layers[i - 1],
                            Layer::BatchNorm(_) | Layer::InstanceNorm(_)
                        ) => {}
                Layer::Activation(l) => self.activation(&name, l.function),
            }
            [self.channels, self.side] = maps[i];
        }
    }

    fn add(&mut self, name: &str, what: &'static str, times: usize, work: f64, seconds: f64) {
        let name = name.to_string();
        self.rows.push(Row { name, what, times, seconds, multiply_adds: work });
    }

    fn conv(&mut self, name: &str, weight: [usize; 4], stride: usize, padding: usize) {
        let [features, _, kernel, _] = weight;
        let shape = ConvShape {
            images: self.batch,
            height: self.side,
            width: self.side,
            channels: self.channels,
            features,
            kernel,
            stride,
            padding,
        };
        let [x, y, weight] = numbers(&shape);
        let each = [
            median(SPAN, || drop(black_box(conv::forward(&shape, &x, &weight)))),
            median(SPAN, || drop(black_box(conv::data(&shape, &y, &weight)))),
            median(SPAN, || drop(black_box(conv::weight(&shape, &x, &y)))),
        ];
        self.three(name, &shape, each);
    }

    /// The adjoint of a convolution: its forward pass is that one's gradient by data.
    fn conv_transpose(&mut self, name: &str, weight: [usize; 4], stride: usize, padding: usize) {
        let [features, to, kernel, _] = weight;
        let large = (self.side - 1) * stride + kernel - 2 * padding;
        let shape = ConvShape {
            images: self.batch,
            height: large,
            width: large,
            channels: to,
            features,
            kernel,
            stride,
            padding,
        };
        let [x, y, weight] = numbers(&shape);
        let each = [
            median(SPAN, || drop(black_box(conv::data(&shape, &y, &weight)))),
            median(SPAN, || drop(black_box(conv::forward(&shape, &x, &weight)))),
            median(SPAN, || drop(black_box(conv::weight(&shape, &x, &y)))),
        ];
        self.three(name, &shape, each);
    }

    fn three(&mut self, name: &str, shape: &ConvShape, [forward, data, weight]: [f64; 3]) {
        let (work, times) = (shape.multiply_adds(), self.times);
        self.add(name, "forward", times.forward, work, forward);
        self.add(name, "by data", times.data, work, data);
        self.add(name, "by weight", times.weight, work, weight);
    }

    fn batch_norm(&mut self, name: &str) {
        let (channels, picture) = (self.channels, self.channels * self.side * self.side);
        let x = ramp(self.batch * picture);
        let statistics = norm::statistics(&x, picture, channels);
        let norm = Norm {
            x: &x,
            image_len: picture,
            statistics: &statistics,
            gamma: &vec![1.0; channels],
            beta: &vec![0.0; channels],
            epsilon: 1e-5,
            slope: 0.2,
        };
        let forward = median(SPAN, || {
            black_box(norm::statistics(&x, picture, channels));
            black_box(norm.forward());
        });
        let back = median(SPAN, || drop(black_box(norm.backward(&x))));
        self.add(name, "forward", self.times.forward, 0.0, forward);
        self.add(name, "back", self.times.data, 0.0, back);
    }

    fn instance_norm(&mut self, name: &str) {
        let (channels, image_len) = (self.channels, self.channels * self.side * self.side);
        let norm = Instances {
            x: &ramp(self.batch * image_len),
            image_len,
            gamma: &vec![1.0; channels],
            beta: &vec![0.0; channels],
            epsilon: 1e-5,
            slope: 0.2,
        };
        let forward = median(SPAN, || drop(black_box(norm.forward())));
        let back = median(SPAN, || drop(black_box(norm.backward(norm.x))));
        self.add(name, "forward", self.times.forward, 0.0, forward);
        self.add(name, "back", self.times.data, 0.0, back);
    }

    fn activation(&mut self, name: &str, function: Function) {
        let x = ramp(self.batch * self.channels * self.side * self.side);
        let forward = median(SPAN, || drop(black_box(activation::forward(&x, function))));
        let back = median(SPAN, || drop(black_box(activation::backward(&x, &x, function))));
        self.add(name, "forward", self.times.forward, 0.0, forward);
        self.add(name, "back", self.times.data.max(1), 0.0, back);
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
        Layer::InstanceNorm(l) => format!("instance norm {}, activation", l.channels),
        Layer::ReflectPad(l) => format!("reflected border of {}", l.padding),
        Layer::Add(l) => format!("sum with {}", l.with),
        Layer::Concat(l) => format!("concatenation with {}", l.with),
    }
}

fn numbers(w: &ConvShape) -> [Vec<f32>; 3] {
    [ramp(w.images * w.x_len()), ramp(w.images * w.y_len()), ramp(w.weight_len())]
}

/// Values of usual magnitude, none denormal.
fn ramp(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 251) as f32 / 125.0 - 0.99).collect()
}

/// Median seconds of at least three calls after a warm-up, for at least `span`.
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
