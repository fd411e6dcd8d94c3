//! A promise about memory: a model of every operation, in every precision, alone and by two
//! threads, reads and writes only what it may. It is small enough for Miri, which looks at each
//! access.
#![cfg(feature = "std")]

use runtime::graph::{Facts, Graph, GraphError, Layer};
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::Buffer;
use runtime::{Cpu, Crew, Input, Isa, Latent, Model, Precision};

fn layer(name: &str, op: Op, activation: Activation, lengths: [usize; 2]) -> Layer {
    let [weight, bias] = lengths;
    let weight = (0..weight).map(|i| (i % 5) as f32 * 0.25 - 0.5).collect();
    Layer { activation, weight, bias: vec![0.125; bias], ..Layer::new(name, op) }
}

fn every_operation() -> Graph {
    let (none, relu, leaky) = (Activation::None, Activation::Relu, Activation::LeakyRelu(0.2));
    let window = |kernel, stride, padding| Window { kernel, stride, padding };
    let same = |out| Op::Conv { out, window: window(3, 1, 1) };
    let up = Op::ConvTranspose { out: 2, window: window(4, 2, 1) };
    let edge = Op::ReflectConv { out: 2, window: window(3, 1, 1) };
    let inst = Op::InstanceNorm { epsilon: 0.01 };
    let to = Shape::new(2, 1, 1);
    let layers = vec![
        layer("dense", Op::Dense { out: 2 }, none, [6, 2]), // 2 x 1 x 1
        layer("shape", Op::Reshape { to }, none, [0, 0]),   // 2 x 1 x 1
        layer("norm", Op::Affine, leaky, [2, 2]),           // 2 x 1 x 1
        layer("up", up, relu, [64, 2]),                     // 2 x 2 x 2
        layer("wide", Op::Resize { factor: 2 }, none, [0, 0]), // 2 x 4 x 4
        layer("edge", edge, none, [36, 2]),                 // 2 x 4 x 4
        layer("inst", inst, relu, [2, 2]),                  // 2 x 4 x 4
        Layer { with: Some("wide".into()), ..layer("sum", Op::Add, leaky, [0, 0]) },
        Layer {
            from: Some("edge".into()),
            ..layer("both", Op::Concat { channels: 2 }, none, [0, 0]) // 4 x 4 x 4
        },
        layer("last", same(3), Activation::Tanh, [108, 3]), // 3 x 4 x 4
    ];
    Graph { input: Input::Latent(3), layers, facts: Facts::default() }
}

#[test]
fn floats_stay_in_their_memory() {
    stays(every_operation().to_record());
}

#[test]
fn packed_ones_do() {
    stays(every_operation().pack());
}

#[test]
fn half_ones_do() {
    stays(every_operation().halve());
}

#[test]
fn bytes_do() {
    stays(every_operation().quantize(0..1));
}

fn stays(record: Result<Vec<u8>, GraphError>) {
    let record = Buffer::from(record.unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let latent = Latent::from_seed(1);
    let face = |isa: Option<Isa>| {
        let mut arena = vec![f32::NAN; model.arena_len()];
        let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
        cpu.generate(&latent).unwrap().pixels().collect::<Vec<_>>()
    };
    let want = face(None);
    let mut arena = vec![f32::NAN; model.arena_len_of(2)];
    let two = Crew::with(&model, &mut arena, Isa::best(), 2, |crew| {
        crew.generate(&latent).unwrap().pixels().collect::<Vec<_>>()
    });
    // Floats are added in another order.
    let most = u8::from(model.precision() != Precision::Int8);
    for got in [face(Some(Isa::best())), two.unwrap()] {
        let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= most;
        assert!(got.iter().flatten().zip(want.iter().flatten()).all(near));
    }
}
