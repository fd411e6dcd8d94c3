//! Promises of the core: every kernel agrees with the obvious loop, folding changes no picture,
//! damaged files are errors, and the arena is exact.
#![cfg(feature = "std")]

use runtime::Input;
use runtime::checksum::checksum;
use runtime::cpu::{ArenaTooSmall, Cpu};
use runtime::graph::{Facts, Graph, GraphError, Layer};
use runtime::latent::Latent;
use runtime::model::{Model, ModelError, key};
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::{Buffer, Record, RecordError};
use runtime::simd::Isa;

/// Deterministic numbers between -1 and 1 that look random.
fn numbers(n: usize, salt: usize) -> Vec<f32> {
    let at = |i: usize| ((i + 1) * (salt + 7) * 2_654_435_761) % 100_003;
    (0..n).map(|i| at(i) as f32 / 50_001.5 - 1.0).collect()
}

/// A layer with weights for `input`, scaled so that values keep their magnitude.
fn layer(name: &str, op: Op, activation: Activation, input: Shape, bias: bool) -> Layer {
    let weights = op.weight(input).map_or(0, |sides| sides.iter().product());
    let fan_in = (input.c as f32).sqrt();
    let weight = numbers(weights, name.len());
    Layer {
        name: name.into(),
        op,
        activation,
        from: None,
        with: None,
        weight: weight.iter().map(|w| w / fan_in).collect(),
        bias: match op.bias(input) {
            Some(n) if bias => numbers(n, 3),
            _ => vec![],
        },
    }
}

fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    Window { kernel, stride, padding }
}

fn up(out: usize) -> Op {
    let window = window(4, 2, 1);
    Op::ConvTranspose { out, window }
}

/// A graph of operations on a latent of `latent` values.
fn graph(latent: usize, ops: &[(Op, Activation)]) -> Graph {
    let mut shape = Shape::new(latent, 1, 1);
    let mut layers = Vec::new();
    for (i, (op, activation)) in ops.iter().enumerate() {
        layers.push(layer(&format!("l{i}"), *op, *activation, shape, i % 2 == 0));
        shape = op.output(shape).unwrap();
    }
    Graph {
        input: Input::Latent(latent),
        layers,
        facts: Facts {
            name: "test".into(),
            license: "MIT".into(),
            data: "none".into(),
            trained: "not at all".into(),
            range: (-1.0, 1.0),
            labels: vec!["zero".into(), "one".into()],
        },
    }
}

/// A DCGAN of 16 pixels with odd widths.
fn dcgan() -> Graph {
    let stem = Op::ConvTranspose { out: 13, window: window(4, 1, 0) };
    graph(
        10,
        &[(stem, Activation::Relu), (up(7), Activation::LeakyRelu(0.2)), (up(3), Activation::Tanh)],
    )
}

fn image(record: &[u8], isa: Option<Isa>, seed: u64) -> Vec<f32> {
    let record = Buffer::from(record);
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
    cpu.generate(&Latent::from_seed(seed)).unwrap().values().to_vec()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let off = |(a, b): (&f32, &f32)| match (a - b).abs() {
        off if off.is_nan() => f32::INFINITY,
        off => off,
    };
    a.iter().zip(b).map(off).fold(0.0, f32::max)
}

#[test]
fn every_kernel_agrees_with_the_obvious_loop() {
    let relu = Activation::Relu;
    let to = |c, h, w| Op::Reshape { to: Shape::new(c, h, w) };
    let conv = |out, k, s, p| Op::Conv { out, window: window(k, s, p) };
    let convt = |out, k, s, p| Op::ConvTranspose { out, window: window(k, s, p) };
    let mut cases: Vec<Vec<(Op, Activation)>> = vec![
        dcgan().layers.iter().map(|l| (l.op, l.activation)).collect(),
        vec![(Op::Dense { out: 60 }, relu), (to(3, 4, 5), relu)],
        vec![(Op::Dense { out: 1 }, Activation::Sigmoid)],
        vec![
            (to(3, 3, 1), Activation::None),
            (Op::Affine, Activation::None),
            (Op::Resize { factor: 3 }, relu),
        ],
        // Taller than wide and wider than tall.
        vec![(to(1, 9, 1), relu), (up(3), Activation::None)],
        vec![(to(1, 1, 9), relu), (up(1), Activation::Tanh)],
        // Wider than a run of registers.
        vec![(convt(2, 33, 1, 0), relu), (up(3), relu)],
        vec![(convt(5, 5, 1, 0), relu), (convt(3, 3, 3, 1), relu)],
    ];
    // Output channels on both sides of every block of channels.
    for out in 1..=14 {
        let mut ops = vec![(convt(3, 4, 1, 0), relu), (up(out), relu)];
        ops.push((conv(3, 1, 1, 0), Activation::None));
        cases.push(ops);
    }
    for kernel in 1..=5 {
        for stride in 1..=3 {
            for padding in 0..=kernel / 2 {
                let stem = (convt(4, 7, 1, 0), relu);
                cases.push(vec![stem, (conv(3, kernel, stride, padding), relu)]);
                cases.push(vec![stem, (convt(3, kernel, stride, padding), relu)]);
            }
        }
    }
    for ops in cases {
        let record = graph(9, &ops).to_record().unwrap();
        let want = image(&record, None, 1);
        assert!(want.iter().any(|v| *v != 0.0), "{ops:?}");
        for isa in Isa::all().into_iter().flatten() {
            let off = furthest(&image(&record, Some(isa), 1), &want);
            assert!(off < 1e-5, "{} is off by {off}: {ops:?}", isa.name());
        }
    }
}

#[test]
fn folding_changes_no_picture() {
    let none = Activation::None;
    let norm = |name: &str, n: usize| {
        let positive = |salt| numbers(n, salt).iter().map(|v| v.abs() + 0.1).collect::<Vec<_>>();
        Layer::batch_norm(name, &positive(1), &numbers(n, 2), &numbers(n, 3), &positive(4), 1e-5)
    };
    let activate =
        |name, activation| layer(name, Op::Activate, activation, Shape::new(1, 1, 1), false);
    // A stem with batch norm, resize and convolution with batch norm, a norm that cannot be folded
    // after the tanh.
    let mut convolutional = dcgan();
    let at = Shape::new(7, 8, 8);
    let same = Op::Conv { out: 3, window: window(3, 1, 1) };
    convolutional.layers.truncate(2);
    convolutional.layers[0].activation = none;
    convolutional.layers.insert(1, norm("n0", 13));
    convolutional.layers.insert(2, activate("a0", Activation::Relu));
    convolutional.layers.extend([
        layer("resize", Op::Resize { factor: 2 }, none, at, false),
        layer("same", same, none, Shape::new(7, 16, 16), true),
        norm("n1", 3),
        activate("a1", Activation::Tanh),
        norm("n2", 3),
    ]);
    // A dense stem whose norm counts channels behind the reshape.
    let to = Shape::new(6, 4, 4);
    let mut dense = graph(5, &[(Op::Dense { out: 96 }, none), (Op::Reshape { to }, none)]);
    dense.layers.extend([
        norm("n0", 6),
        activate("a0", Activation::Relu),
        layer("up", up(3), Activation::Tanh, to, true),
        layer("nothing", Op::Reshape { to: Shape::new(3, 8, 8) }, none, to, false),
    ]);
    for (mut graph, layers) in [(convolutional, 4), (dense, 3)] {
        let want = image(&graph.to_record().unwrap(), None, 2);
        graph.fold();
        assert_eq!(
            graph.layers.len(),
            layers,
            "{:?}",
            graph.layers.iter().map(|l| l.op).collect::<Vec<_>>()
        );
        let got = image(&graph.to_record().unwrap(), None, 2);
        let off = furthest(&got, &want);
        assert!(off < 1e-5, "{off}");
        let once = graph.clone();
        graph.fold();
        assert_eq!(graph, once);
    }
}

#[test]
fn the_arena_is_exact() {
    let record = Buffer::from(dcgan().to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let need = model.arena_len();
    let short = &mut vec![0.0; need - 1];
    let error = Cpu::new(&model, short).err();
    assert_eq!(error, Some(ArenaTooSmall { need, got: need - 1 }));
    for isa in Isa::all().into_iter().flatten() {
        const CANARY: f32 = 123.456;
        let mut arena = vec![CANARY; need + 64];
        let mut cpu = Cpu::with(&model, &mut arena, Some(isa)).unwrap();
        cpu.generate(&Latent::from_seed(0)).unwrap();
        assert!(arena[need..].iter().all(|v| *v == CANARY));
        assert!(arena[..need].iter().all(|v| *v != CANARY), "all of it is used");
    }
}

#[test]
fn a_record_reads_back_as_it_was() {
    let graph = dcgan();
    let record = Buffer::from(graph.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    assert_eq!(Graph::from_model(&model), graph);
    assert_eq!(model.output(), Shape::new(3, 16, 16));
    assert_eq!(model.latent(), 10);
    // 10*13*16 + 13*7*16*16 + 7*3*16*64 and the biases of the first and the last.
    assert_eq!(model.multiply_adds(), 2_080 + 23_296 + 21_504);
    assert_eq!(model.parameters(), 2_080 + 13 + 1_456 + 336 + 3);
    assert!(model.labels().eq(["zero", "one"]));
}

#[test]
fn burn_reads_our_records_and_we_read_burns() {
    let graph = dcgan();
    let bytes = graph.to_record().unwrap();
    let reader =
        burn_pack::Reader::from_bytes(burn_pack::Bytes::from_bytes_vec(bytes.clone())).unwrap();
    let mut seen = 0;
    for tensor in reader.into_tensors().unwrap() {
        let (path, _, shape, _, values) = tensor.into_parts().unwrap();
        let layer = graph.layers.iter().find(|l| path.starts_with(&l.name)).unwrap();
        let want = match path.ends_with("weight") {
            true => &layer.weight,
            false => &layer.bias,
        };
        assert_eq!(shape.iter().product::<usize>(), want.len());
        let want: Vec<u8> = want.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(&values[..], &want[..]);
        seen += 1;
    }
    assert_eq!(seen, 5);

    // The same model as burn's own writer lays it out, with keys that we do not know.
    let ours = Buffer::from(&bytes);
    let model = Model::parse(ours.bytes()).unwrap();
    let tensor = |name: String, values: &[f32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes = burn_pack::Bytes::from_bytes_vec(bytes);
        burn_pack::Tensor::new(name, burn_pack::DType::F32, [values.len()], Some(7), bytes)
    };
    let mut tensors = Vec::new();
    for l in &graph.layers {
        tensors.push(tensor(format!("{}.weight", l.name), &l.weight));
        if !l.bias.is_empty() {
            tensors.push(tensor(format!("{}.bias", l.name), &l.bias));
        }
    }
    let mut writer = burn_pack::Writer::new(tensors)
        .with_scalar("steps", 3u64.into())
        .with_metadata("another.key", "of another program");
    for k in [key::FORMAT, key::LATENT, key::LAYERS, key::RANGE] {
        writer = writer.with_metadata(k, model.fact(k));
    }
    let theirs = writer.into_bytes().unwrap();
    let buffer = Buffer::from(&theirs[..]);
    let read = Model::parse_unverified(buffer.bytes()).unwrap();
    for (a, b) in read.layers().iter().zip(model.layers()) {
        assert_eq!(a.floats(), b.floats());
    }
    let missing = Model::parse(buffer.bytes()).unwrap_err();
    assert_eq!(missing, ModelError::Missing(key::CHECKSUM));
}

#[test]
fn damage_is_an_error() {
    let bytes = dcgan().to_record().unwrap();
    for len in 0..bytes.len() {
        let cut = Buffer::from(&bytes[..len]);
        assert!(Model::parse(cut.bytes()).is_err(), "cut at {len}");
    }
    for at in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let buffer = Buffer::from(&bytes);
            // A model with damaged metadata may still parse; one with damaged weights may not.
            let parsed = Model::parse(buffer.bytes());
            let start = bytes.len() - Record::parse(buffer.bytes()).map_or(0, |r| r.data().len());
            assert!(parsed.is_err() || at < start, "bit {bit} of byte {at}");
            if let Ok(model) = parsed {
                let mut arena = vec![0.0; model.arena_len()];
                Cpu::new(&model, &mut arena).unwrap().generate(&Latent::from_seed(0)).unwrap();
            }
        }
    }
}

#[test]
fn sign_flips_do_not_cancel_out() {
    let data = numbers(4096, 1);
    let bytes = |data: &[f32]| data.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let want = checksum(&bytes(&data));
    let negated: Vec<f32> = data.iter().map(|v| -v).collect();
    assert_ne!(checksum(&bytes(&negated)), want);
    // Pairs of sign flips within one lane.
    for other in 1..200 {
        let mut data = data.clone();
        data[5] = -data[5];
        data[5 + 16 * other] = -data[5 + 16 * other];
        assert_ne!(checksum(&bytes(&data)), want, "{other}");
    }
}

#[test]
fn each_mistake_has_its_message() {
    let bytes = dcgan().to_record().unwrap();
    let message = |bytes: &[u8]| {
        let buffer = Buffer::from(bytes);
        let result = Model::parse(buffer.bytes());
        result.unwrap_err().to_string()
    };
    // Swaps text for text of the same length within the metadata.
    let swapped = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut bytes = bytes.clone();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).expect(from);
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        message(&bytes)
    };
    assert_eq!(message(b"hello, hello"), "not a burn record: begins with 0x6c6c6568");
    assert_eq!(message(b"hi"), "not a burn record: 2 bytes, shorter than its header of 10");
    let mut other = bytes.clone();
    other[4] = 9;
    assert_eq!(message(&other), "burn record of version 9, only version 1 is supported");
    assert!(message(&bytes[..60]).contains("the file has only 60 bytes"));
    assert!(
        message(&bytes[..bytes.len() - 1])
            .ends_with(&format!("the file has only {} bytes", bytes.len() - 1))
    );
    assert_eq!(
        swapped("pocket-gan.layers", "pocket-gan.lasers"),
        "the record has no \"pocket-gan.layers\": it is not an exported generator"
    );
    assert_eq!(
        swapped("l1 ConvTranspose 7", "l1 ConfTranspose 7"),
        "layer 1: \"l1 ConfTranspose 7 4 2 1 LeakyRelu 0.2\" is not a layer"
    );
    assert_eq!(
        swapped("l1 ConvTranspose 7 4 2", "l1 ConvTranspose 8 4 2"),
        "layer 1 (l1): the weight has 1456 values, the layer needs 1664"
    );
    assert_eq!(
        swapped("l1 ConvTranspose 7 4", "l1 ConvTranspose 7 0"),
        "layer 1 (l1): the kernel is 0"
    );
    assert_eq!(swapped("l1.weight", "l9.weight"), "layer 1 (l1): the record has no weight");
    assert_eq!(
        swapped("F32", "F16"),
        "layer 0 (l0): values of type \"F16\", the model's precision needs \"F32\""
    );
    assert_eq!(swapped("-1 1", "-1 X"), "\"pocket-gan.range\" has the invalid value \"-1 X\"");
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(message(&flipped).starts_with("the weights are damaged"));
    // Misaligned by one byte.
    let shifted = Buffer::from([&[0], &bytes[..]].concat());
    assert_eq!(Model::parse(&shifted.bytes()[1..]).unwrap_err(), ModelError::Misaligned);
    assert_eq!(Record::parse(&[]).unwrap_err(), RecordError::Short(0));
}

#[test]
fn graphs_that_are_not_generators() {
    type Edit = fn(&mut Graph);
    let cases: [(Edit, &str); 8] = [
        (|g| g.layers.clear(), "the generator has no layers or no latent"),
        (
            |g| g.input = Input::Latent(11),
            "layer 0 (l0): the weight has 2080 values, the layer needs 2288",
        ),
        (
            |g| g.layers[1].bias = vec![0.0; 3],
            "layer 1 (l1): the bias has 3 values, the layer needs 7",
        ),
        (
            |g| g.layers[2].weight[5] = f32::NAN,
            "layer 2 (l2): the weight has a value that is not finite",
        ),
        (
            |g| drop(g.layers.pop()),
            "the output has shape 7 x 8 x 8, not that of an image of 1, 3 or 4 channels",
        ),
        (
            |g| g.layers[1].name = "l 1".into(),
            "layer 1: \"l 1\" is not a unique name without whitespace",
        ),
        (
            |g| g.layers[1].name = "l0".into(),
            "layer 1: \"l0\" is not a unique name without whitespace",
        ),
        (
            |g| g.facts.range = (1.0, 1.0),
            "black (1) and white (1) must be two different finite numbers",
        ),
    ];
    for (edit, want) in cases {
        let mut graph = dcgan();
        edit(&mut graph);
        assert_eq!(graph.to_record().unwrap_err().to_string(), want);
    }
    let mut long = dcgan();
    let nothing = layer("x", Op::Activate, Activation::None, Shape::new(3, 16, 16), false);
    for i in 0..62 {
        long.layers.push(Layer { name: format!("x{i}"), ..nothing.clone() });
    }
    assert_eq!(long.to_record().unwrap_err(), GraphError::Layers(65));
}

/// Firmware has a few kilobytes of stack: parsing must not need many times the size of a model.
#[test]
fn parsing_and_generating_fit_a_small_stack() {
    const STACK: usize = 5 * size_of::<Model<'_>>();
    assert!(size_of::<Model<'_>>() < 16 << 10, "{}", size_of::<Model<'_>>());
    let record = Buffer::from(dcgan().quantize(0..1).unwrap());
    let work = move || {
        let model = Model::parse(record.bytes()).unwrap();
        let mut arena = vec![0.0; model.arena_len()];
        let mut cpu = Cpu::with(&model, &mut arena, Isa::all()[0]).unwrap();
        cpu.generate(&Latent::from_seed(1)).unwrap().pixels().len()
    };
    // A larger stack frame ends the whole process.
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap();
    assert_eq!(thread.join().unwrap(), 16 * 16);
}
