//! Each layer of a DCGAN generator (nz 100, ngf 64, 64 px: 104 M multiply-adds), by precision and
//! instruction set:
//!
//!     cargo bench --manifest-path runtime/kernels/Cargo.toml
//!     cargo bench --manifest-path runtime/kernels/Cargo.toml -- packed/avx512
//! A whole face is made each time, so that a layer finds its input in the caches as in use; only
//! its own time counts.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use runtime::Input;
use runtime::cpu::Cpu;
use runtime::graph::{Facts, Graph, Layer};
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::op::{Activation, Op, Window};
use runtime::record::Buffer;
use runtime::simd::Isa;

/// Channels of the maps, from the latent to the image.
const CHANNELS: [usize; 6] = [100, 512, 256, 128, 64, 3];

/// The tutorial's generator with weights that look random; their values do not affect the time.
fn generator() -> Graph {
    let mut state = 1u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut layers = Vec::new();
    for (i, pair) in CHANNELS.windows(2).enumerate() {
        let (from, out) = (pair[0], pair[1]);
        let last = i + 2 == CHANNELS.len();
        let (stride, padding) = if i == 0 { (1, 0) } else { (2, 1) };
        // Scaled so that sums have the magnitude of their terms.
        let size = 1.0 / (from as f32 * if i == 0 { 1.0 } else { 4.0 }).sqrt();
        layers.push(Layer {
            name: format!("{i}-{from}x{out}"),
            op: Op::ConvTranspose { out, window: Window { kernel: 4, stride, padding } },
            activation: if last { Activation::Tanh } else { Activation::Relu },
            from: None,
            with: None,
            weight: (0..from * out * 16).map(|_| next() * size).collect(),
            bias: (0..out).map(|_| next() * 0.1).collect(),
        });
    }
    Graph { input: Input::Latent(CHANNELS[0]), layers, facts: Facts::default() }
}

fn layers(criterion: &mut Criterion) {
    let graph = generator();
    let records = [
        ("f32", graph.to_record()),
        ("packed", graph.pack()),
        ("f16", graph.halve()),
        ("int8", graph.quantize(0..8)),
    ];
    for (precision, record) in records {
        let record = Buffer::from(&record.expect("a generator"));
        let model = Model::parse(record.bytes()).expect("a record that was just written");
        for isa in Isa::all().into_iter().flatten() {
            let mut group = criterion.benchmark_group(format!("{precision}/{}", isa.name()));
            let mut arena = vec![0.0; model.arena_len()];
            let mut cpu =
                Cpu::with(&model, &mut arena, Some(isa)).expect("an arena of that length");
            for (i, layer) in model.layers().iter().enumerate() {
                let work = layer.op.multiply_adds(layer.input, layer.output);
                group.throughput(Throughput::Elements(work));
                group.bench_function(layer.name, |bencher| {
                    bencher.iter_custom(|times| {
                        let mut sum = Duration::ZERO;
                        for seed in 0..times {
                            let mut before = Instant::now();
                            let made = cpu.generate_timed(seed, |done| {
                                if done == i {
                                    sum += before.elapsed();
                                }
                                before = Instant::now();
                            });
                            made.expect("a seed makes a latent of any length");
                        }
                        sum
                    });
                });
            }
            group.finish();
        }
    }
}

/// Makes a face and reports each layer when it is done.
trait Timed {
    fn generate_timed(
        &mut self,
        seed: u64,
        done: impl FnMut(usize),
    ) -> Result<(), runtime::latent::LatentLength>;
}

impl Timed for Cpu<'_> {
    fn generate_timed(
        &mut self,
        seed: u64,
        mut done: impl FnMut(usize),
    ) -> Result<(), runtime::latent::LatentLength> {
        self.watched(&Latent::from_seed(seed), |layer, _| done(layer))?;
        Ok(())
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    targets = layers
}
criterion_main!(benches);
