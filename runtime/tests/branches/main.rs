//! Promises about branches and pictures: layers that read earlier outputs compute what they would
//! with every output in memory of its own, in every precision, and a model that takes a picture makes
//! the same picture everywhere.
#![cfg(feature = "std")]

mod batch;
mod nets;

use runtime::graph::{Facts, Graph, GraphError, Layer};
use runtime::layer::Source;
use runtime::model::key;
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::Buffer;
use runtime::{
    Cpu, Crew, Image, Input, Isa, Latent, Limits, Model, ModelError, PictureLength, plan,
};

use nets::{NORM, by_hand, cases, numbers, pixels};

const RELU: Activation = Activation::Relu;

fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    Window { kernel, stride, padding }
}

fn conv(out: usize, kernel: usize, stride: usize, padding: usize) -> Op {
    Op::Conv { out, window: window(kernel, stride, padding) }
}

/// Makes the image of a seed with `cpu`.
fn image<'c>(cpu: &'c mut Cpu<'_>, model: &Model<'_>, seed: u64) -> Image<'c> {
    match model.input() {
        Input::Latent(_) => cpu.generate(&Latent::from_seed(seed)).unwrap(),
        Input::Picture(shape) => cpu.translate(&pixels(shape, seed)).unwrap(),
    }
}

fn values(record: &[u8], isa: Option<Isa>, seed: u64) -> Vec<f32> {
    let model = Model::parse(record).unwrap();
    // Earlier contents of the arena must not matter.
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
    image(&mut cpu, &model, seed).values().to_vec()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let off = |(a, b): (&f32, &f32)| match (a - b).abs() {
        off if off.is_finite() => off,
        _ => f32::INFINITY,
    };
    a.iter().zip(b).map(off).fold(0.0, f32::max)
}

fn int8(graph: &Graph) -> Vec<u8> {
    match graph.input {
        Input::Latent(_) => graph.quantize(100..132).unwrap(),
        Input::Picture(shape) => {
            let pictures: Vec<_> = (100..132).map(|seed| pixels(shape, seed)).collect();
            graph.quantize_on_pictures(&pictures).unwrap()
        }
    }
}

fn isas() -> impl Iterator<Item = Option<Isa>> {
    Isa::all().into_iter().filter(Option::is_some).chain([None])
}

#[test]
fn every_output_is_as_in_memory_of_its_own() {
    for (name, graph) in cases() {
        let record = Buffer::from(graph.to_record().unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        for seed in 0..2 {
            let want = by_hand(&graph, seed);
            for isa in isas() {
                let mut arena = vec![f32::NAN; model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                let mut worst = (0.0, 0);
                let watch = |i: usize, values: &[f32]| {
                    let off = furthest(values, &want[i]);
                    worst = if off > worst.0 { (off, i) } else { worst };
                };
                match model.input() {
                    Input::Latent(_) => {
                        cpu.watched(&Latent::from_seed(seed), watch).unwrap();
                    }
                    Input::Picture(shape) => {
                        cpu.translate_watched(&pixels(shape, seed), watch).unwrap();
                    }
                }
                assert!(worst.0 < 2e-5, "{name}, {isa:?}: off by {} in layer {}", worst.0, worst.1);
            }
        }
    }
}

#[test]
fn folded_packed_and_halved_they_make_the_same_pictures() {
    for (name, graph) in cases() {
        let want = by_hand(&graph, 3).pop().unwrap();
        let mut folded = graph.clone();
        folded.fold();
        let records = [
            ("folded", folded.to_record().unwrap(), 2e-5),
            ("packed", graph.pack().unwrap(), 3e-5),
            ("f16", graph.halve().unwrap(), 2e-2),
        ];
        for (precision, record, most) in records {
            let record = Buffer::from(record);
            for isa in isas() {
                let off = furthest(&values(record.bytes(), isa, 3), &want);
                assert!(off < most, "{name}, {precision}, {isa:?}: {off}");
            }
        }
    }
}

#[test]
fn bytes_are_the_same_on_every_kernel_and_near_the_floats() {
    for (name, graph) in cases() {
        let record = Buffer::from(int8(&graph));
        let model = Model::parse(record.bytes()).unwrap();
        let (black, white) = model.range();
        let mut squares = Vec::new();
        for seed in 0..4 {
            let mut want: Vec<u8> = vec![];
            for isa in isas() {
                let mut arena = vec![f32::from_bits(0x5a5a_a5a5); model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                let got = image(&mut cpu, &model, seed).bytes().to_vec();
                assert!(want.is_empty() || got == want, "{name}, {isa:?}, seed {seed}");
                want = got;
            }
            let floats = by_hand(&graph, seed).pop().unwrap();
            let shape = model.output();
            squares.extend(want.iter().enumerate().map(|(at, byte)| {
                let value = floats[at % shape.c * shape.plane() + at / shape.c];
                let exact = ((value - black) / (white - black) * 255.0).clamp(0.0, 255.0);
                (f64::from(*byte) - f64::from(exact)).powi(2)
            }));
        }
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        let psnr = 10.0 * (255.0 * 255.0 / mean).log10();
        assert!(psnr > 28.0, "{name}: {psnr} dB");
    }
}

#[test]
fn any_number_of_threads_makes_the_same_picture() {
    for (name, graph) in cases() {
        let records = [
            graph.to_record().unwrap(),
            graph.pack().unwrap(),
            graph.halve().unwrap(),
            int8(&graph),
        ];
        for record in records {
            let record = Buffer::from(record);
            let model = Model::parse(record.bytes()).unwrap();
            for isa in Isa::all().into_iter().flatten() {
                let mut arena = vec![f32::NAN; model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, Some(isa)).unwrap();
                let want: Vec<[u8; 3]> = image(&mut cpu, &model, 5).pixels().collect();
                for threads in [1, 2, 3, 7] {
                    let mut arena = vec![f32::NAN; model.arena_len_of(threads)];
                    let got: Vec<[u8; 3]> = Crew::with(&model, &mut arena, isa, threads, |crew| {
                        let image = match model.input() {
                            Input::Latent(_) => crew.generate(&Latent::from_seed(5)).unwrap(),
                            Input::Picture(shape) => crew.translate(&pixels(shape, 5)).unwrap(),
                        };
                        image.pixels().collect()
                    })
                    .unwrap();
                    assert!(got == want, "{name}, {threads} threads, {}", isa.name());
                }
            }
        }
    }
}

#[test]
fn worked_by_hand() {
    let plain = |name: &str, op| Layer::new(name, op);
    let named = |name: &str| Some(name.to_string());
    // x = (1, -2, 3, -4) as 2 x 2; y = 2 x + 1; the sum with x, rectified: max(3 x + 1, 0).
    let graph = Graph {
        input: Input::Latent(4),
        layers: vec![
            plain("x", Op::Reshape { to: Shape::new(1, 2, 2) }),
            Layer { weight: vec![2.0], bias: vec![1.0], ..plain("y", Op::Affine) },
            Layer { with: named("x"), activation: RELU, ..plain("sum", Op::Add) },
        ],
        facts: Facts::default(),
    };
    let record = Buffer::from(graph.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    // While y is made, x is kept, and while the sum is, both are.
    assert_eq!(model.arena_len(), 12);
    assert_eq!(model.fact(key::FORMAT), "2");
    assert_eq!(model.fact(key::LAYERS), "x Reshape 1 2 2 None\ny Affine None\nsum Add Relu with x");
    for isa in isas() {
        let mut arena = vec![f32::NAN; 12];
        let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
        let latent = Latent::from_values(&[1.0, -2.0, 3.0, -4.0]);
        assert_eq!(cpu.generate(&latent).unwrap().values(), [4.0, 0.0, 10.0, 0.0]);
    }
    // Channels of the first input, then of the second.
    let mut graph = graph;
    graph.layers[2] = Layer { from: named("x"), ..plain("both", Op::Concat { channels: 1 }) };
    graph.layers.push(Layer {
        weight: vec![1.0, 10.0],
        ..plain("out", Op::Conv { out: 1, window: window(1, 1, 0) })
    });
    let record = Buffer::from(graph.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    for isa in isas() {
        let mut arena = vec![f32::NAN; model.arena_len()];
        let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
        let latent = Latent::from_values(&[1.0, -2.0, 3.0, -4.0]);
        assert_eq!(cpu.generate(&latent).unwrap().values(), [31.0, -32.0, 73.0, -74.0]);
    }
}

#[test]
fn arenas_are_exact_and_skips_take_no_more_than_themselves() {
    for (name, graph) in cases() {
        for record in [graph.to_record().unwrap(), graph.pack().unwrap(), int8(&graph)] {
            let record = Buffer::from(record);
            let model = Model::parse(record.bytes()).unwrap();
            let need = model.arena_len();
            let mut short = vec![0.0; need - 1];
            assert!(Cpu::new(&model, &mut short).is_err(), "{name}");
            const CANARY: f32 = 123.456;
            let mut arena = vec![CANARY; need + 64];
            for isa in isas() {
                let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                image(&mut cpu, &model, 0);
            }
            assert!(arena[need..].iter().all(|v| *v == CANARY), "{name}");
        }
    }
    // What must be there at once, and the scratch of the layer, with few holes.
    for (name, graph) in cases() {
        let record = Buffer::from(graph.to_record().unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        let layers = model.layers();
        let reads = |i: usize, source: Source| {
            layers[i..].iter().any(|l| l.from == source || l.other == Some(source))
        };
        let need = (0..layers.len()).map(|i| {
            let input = if reads(i, Source::Input) { model.input().shape().values() } else { 0 };
            let made = layers[..i].iter().enumerate();
            let live = made.filter(|(of, _)| reads(i, Source::Layer(*of as u16)));
            let live: usize = live.map(|(_, l)| l.output.values()).sum();
            input + live + layers[i].output.values() + plan::scratch_len(&layers[i])
        });
        let (least, len) = (need.max().unwrap(), model.arena_len());
        assert!(least <= len && len <= least + least / 5, "{name}: {len} for {least}");
    }
    // Blocks in a row need no more than one: its input, and input and output of a layer within.
    let blocks = |n: usize| {
        let stem = Op::ConvTranspose { out: 8, window: window(8, 1, 0) };
        let mut layers = vec![Layer { weight: vec![0.1; 4 * 8 * 64], ..Layer::new("x0", stem) }];
        for i in 0..n {
            for name in ["a", "b"] {
                let scale = Layer::new(format!("{name}{i}"), Op::Affine);
                layers.push(Layer { weight: vec![0.5; 8], ..scale });
            }
            let with = Some(format!("x{i}"));
            layers.push(Layer { with, ..Layer::new(format!("x{}", i + 1), Op::Add) });
        }
        layers.push(Layer { weight: vec![0.1; 8], ..Layer::new("out", conv(1, 1, 1, 0)) });
        let graph = Graph { input: Input::Latent(4), layers, facts: Facts::default() };
        let record = Buffer::from(graph.to_record().unwrap());
        Model::parse(record.bytes()).unwrap().arena_len()
    };
    assert_eq!([1, 2, 3].map(blocks), [3 * 8 * 64; 3]);
}

#[test]
fn nothing_folds_across_an_output_that_several_layers_read() {
    let plain = |name: &str, op| Layer::new(name, op);
    let named = |name: &str| Some(name.to_string());
    let scale = |name: &str, v: f32| Layer { weight: vec![v; 3], ..plain(name, Op::Affine) };
    let square = |name: &str| Layer { weight: numbers(9, 2), ..plain(name, conv(3, 1, 1, 0)) };
    let mut graph = Graph {
        input: Input::Picture(Shape::new(3, 2, 2)),
        layers: vec![
            square("a"),
            // The sum reads what comes before it.
            Layer { activation: RELU, ..plain("r", Op::Activate) },
            // Nothing, whose readers read what it reads.
            plain("i", Op::Reshape { to: Shape::new(3, 2, 2) }),
            scale("s", 2.0),
            Layer { with: named("a"), ..plain("sum", Op::Add) },
            Layer { with: named("i"), ..plain("sum2", Op::Add) },
            scale("t", 0.5),
            Layer { activation: Activation::Tanh, ..plain("end", Op::Activate) },
        ],
        facts: Facts::default(),
    };
    let want = by_hand(&graph, 1).pop().unwrap();
    graph.fold();
    let names: Vec<_> = graph.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["a", "r", "s", "sum", "sum2", "t"]);
    assert_eq!(graph.layers[4].with, named("r"));
    assert_eq!(graph.layers[5].activation, Activation::Tanh);
    assert!(furthest(&by_hand(&graph, 1).pop().unwrap(), &want) < 1e-6);
    let once = graph.clone();
    graph.fold();
    assert_eq!(graph, once);
    // A norm takes over the scale behind it.
    let norm = |name: &str| Layer { weight: vec![1.5; 3], ..plain(name, NORM) };
    let mut graph = Graph { layers: vec![norm("n"), scale("s", -2.0)], ..graph };
    graph.fold();
    assert_eq!((graph.layers.len(), &graph.layers[0].weight), (1, &vec![-3.0; 3]));
}

#[test]
fn records_read_back_and_chains_keep_their_version() {
    for (name, graph) in cases() {
        let record = Buffer::from(graph.to_record().unwrap());
        let model = Model::parse(record.bytes()).unwrap();
        let again = Graph::from_model(&model);
        assert_eq!(again.input, graph.input);
        assert_eq!(by_hand(&again, 1), by_hand(&graph, 1), "{name}");
        // The layer before is not named, so a second time nothing changes.
        let second = Buffer::from(again.to_record().unwrap());
        assert_eq!(Graph::from_model(&Model::parse(second.bytes()).unwrap()), again, "{name}");
        assert_eq!(model.fact(key::FORMAT), "2");
    }
    let dense = Layer { weight: vec![0.5; 9], ..Layer::new("a", Op::Dense { out: 3 }) };
    let chain = Graph { input: Input::Latent(3), layers: vec![dense], facts: Facts::default() };
    let record = Buffer::from(chain.to_record().unwrap());
    assert_eq!(Model::parse(record.bytes()).unwrap().fact(key::FORMAT), "1");
}

/// What the layers of a record, replaced by others of the same length, are refused with.
fn refused(from: &str, to: &str) -> String {
    let record = cases()[1].1.to_record().unwrap();
    assert_eq!(from.len(), to.len(), "{from}, {to}");
    let at = record.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
    let mut bytes = record;
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let buffer = Buffer::from(bytes);
    let error = Model::parse_unverified(buffer.bytes()).unwrap_err();
    error.to_string()
}

#[test]
fn hostile_branches_are_errors() {
    let cases = [
        // A later layer, the layer itself, one that is not there.
        ("Relu from n2\n", "Relu from d2\n", "layer 6 (c2): reads \"d2\", which no earlier layer"),
        ("Relu from n2\n", "Relu from c2\n", "layer 6 (c2): reads \"c2\", which no earlier layer"),
        ("Relu from n2\n", "Relu from zz\n", "layer 6 (c2): reads \"zz\", which no earlier layer"),
        // Another shape: half as wide, other channels.
        (
            "Relu from n2\n",
            "Relu from e1\n",
            "layer 6 (c2): the second input is 9 x 4 x 4, not 9 x",
        ),
        ("Concat 9", "Concat 8", "layer 6 (c2): the second input is 9 x 4 x 4, not 8 x 4 x 4"),
        ("Concat 9", "Concat 0", "layer 6 (c2): the number of channels is 0"),
        // No source at all.
        ("Relu from n2", "Relu        ", "is not a layer"),
        ("m2 InstanceNorm 0.00001", "m2 InstanceNorm -.00001", "is not a layer"),
        ("m2 InstanceNorm 0.00001", "m2 InstanceNorm     inf", "is not a layer"),
        ("3 16 16", "2 16 16", "\"pocket-gan.picture\" has the invalid value \"2 16 16\""),
        ("3 16 16", "3 16  0", "\"pocket-gan.picture\" has the invalid value \"3 16  0\""),
    ];
    for (from, to, want) in cases {
        let got = refused(from, to);
        assert!(got.contains(want), "{from} -> {to}: {got}");
    }
}

#[test]
fn graphs_that_do_not_fit_are_errors() {
    let (_, unet) = cases().remove(1);
    type Damage = fn(&mut Graph);
    let damage: [(Damage, &str); 8] = [
        (|g| g.layers[6].from = Some("out".into()), "reads \"out\", which no earlier layer makes"),
        (|g| g.layers[6].from = Some("e1".into()), "the second input is 9 x 4 x 4, not 9 x 8 x 8"),
        (|g| g.layers[6].from = None, "the inputs that it names are too few or too many"),
        (|g| g.layers[7].with = Some("e1".into()), "too few or too many"),
        (|g| g.layers[5].from = Some("n2".into()), "no later layer reads its output"),
        (
            |g| g.layers[5].op = Op::InstanceNorm { epsilon: f32::NAN },
            "epsilon NaN is not a finite number from 0 on",
        ),
        (|g| g.input = Input::Picture(Shape::new(4, 16, 16)), "not that of a picture"),
        (|g| g.facts.labels = vec!["a".into()], "1 classes are too many"),
    ];
    for (damage, want) in damage {
        let mut graph = unet.clone();
        damage(&mut graph);
        let error = graph.to_record().unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        assert!(graph.check(&Limits::NONE).is_err(), "{want}");
    }
    assert!(matches!(unet.quantize(0..2), Err(GraphError::Examples(_))));
    let error = unet.quantize_on_pictures(&[vec![0; 3 * 16 * 15]]).unwrap_err();
    assert!(matches!(error, GraphError::Examples(_)), "{error}");
    assert!(unet.quantize_on_pictures(&[]).is_err());
}

#[test]
fn pictures_and_latents_are_not_confused() {
    let all = cases();
    let (latent, picture) = (&all[0].1, &all[1].1);
    let record = Buffer::from(latent.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).unwrap();
    let error = cpu.translate(&[0; 12]).unwrap_err();
    assert_eq!(error, PictureLength { need: None, got: 12 });
    assert_eq!(error.to_string(), "the model takes a latent, not a picture: generate from one");
    let record = Buffer::from(picture.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    assert_eq!((model.latent(), model.input().shape()), (0, Shape::new(3, 16, 16)));
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).unwrap();
    for latent in [Latent::from_seed(1), Latent::from_values(&[0.0; 768])] {
        let error = cpu.generate(&latent).unwrap_err().to_string();
        assert_eq!(error, "the model takes a picture, not a latent: translate one");
    }
    let error = cpu.translate(&[0; 767]).unwrap_err().to_string();
    assert_eq!(error, "the picture has 767 bytes, the model needs 768: 16 rows of 16 pixels of 3");
}

#[test]
fn pictures_come_through_unchanged() {
    for c in [1, 3] {
        let shape = Shape::new(c, 5, 7);
        let mut weight = vec![0.0; c * c];
        (0..c).for_each(|i| weight[i * c + i] = 1.0);
        let same = Layer { weight, ..Layer::new("same", conv(c, 1, 1, 0)) };
        let graph =
            Graph { input: Input::Picture(shape), layers: vec![same], facts: Facts::default() };
        let bytes: Vec<u8> = pixels(shape, 8);
        let every: Vec<u8> = (0..shape.values()).map(|i| (i * 37 % 256) as u8).collect();
        let int8 = graph.quantize_on_pictures(&[bytes.clone(), every.clone()]).unwrap();
        let records = [
            (graph.to_record().unwrap(), 0),
            (graph.pack().unwrap(), 0),
            (graph.halve().unwrap(), 0),
            (int8, 2),
        ];
        for (record, most) in records {
            let record = Buffer::from(record);
            let model = Model::parse(record.bytes()).unwrap();
            for isa in isas() {
                let mut arena = vec![f32::NAN; model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, isa).unwrap();
                for picture in [&bytes, &every] {
                    let got: Vec<u8> = cpu
                        .translate(picture)
                        .unwrap()
                        .pixels()
                        .flat_map(|p| p.into_iter().take(c))
                        .collect();
                    let off = got.iter().zip(picture).map(|(a, b)| a.abs_diff(*b)).max();
                    assert!(off <= Some(most), "{c} channels, {:?}: {off:?}", model.precision());
                }
            }
        }
    }
}

#[test]
fn damage_to_branches_never_panics() {
    let (_, graph) = cases().remove(1);
    let record = int8(&graph);
    let text = record.windows(6).position(|w| w == b"Concat").unwrap();
    for at in text.saturating_sub(400)..(text + 400).min(record.len()) {
        for bit in [0, 2, 4, 6] {
            let mut bytes = record.clone();
            bytes[at] ^= 1 << bit;
            let buffer = Buffer::from(&bytes);
            let Ok(model) = Model::parse_unverified(buffer.bytes()) else { continue };
            let mut arena = vec![0.0; model.arena_len()];
            let mut cpu = Cpu::new(&model, &mut arena).unwrap();
            if let Input::Picture(shape) = model.input() {
                cpu.translate(&pixels(shape, 1)).unwrap();
            }
        }
    }
    assert!(matches!(Model::parse(&[]), Err(ModelError::Record(_))));
}

/// The values of a `.npy` in C order: what lies behind its header.
#[cfg(feature = "onnx")]
fn npy(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/branches/");
    let bytes = std::fs::read(format!("{folder}{name}")).unwrap();
    let header = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    bytes[10 + header..].to_vec()
}

/// See `tests/fixtures/branches/branches.py`.
#[cfg(feature = "onnx")]
#[test]
fn published_architectures_make_what_onnxruntime_makes() {
    for (name, layers) in [("unet", 11), ("resnet", 17)] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/branches/");
        let bytes = std::fs::read(format!("{path}{name}.onnx")).unwrap();
        let mut graph = runtime::onnx::read(&bytes).unwrap();
        let (pixels, want) =
            (npy(&format!("{name}-pixels.npy")), npy(&format!("{name}-image.npy")));
        let (want, _) = want.as_chunks::<4>();
        let want: Vec<f32> = want.iter().map(|v| f32::from_le_bytes(*v)).collect();
        let plain = graph.to_record().unwrap();
        graph.fold();
        assert_eq!(graph.layers.len(), layers, "{name}: {:?}", graph.layers);
        let n = graph.input.shape().values();
        let examples: Vec<Vec<u8>> = pixels.chunks(n).map(<[u8]>::to_vec).collect();
        let records = [
            (plain, 1e-5),
            (graph.to_record().unwrap(), 1e-5),
            (graph.pack().unwrap(), 1e-5),
            (graph.halve().unwrap(), 1e-2),
            (graph.quantize_on_pictures(&examples).unwrap(), 0.0),
        ];
        for (record, most) in records {
            let record = Buffer::from(record);
            let model = Model::parse(record.bytes()).unwrap();
            let mut arena = vec![f32::NAN; model.arena_len()];
            let mut cpu = Cpu::new(&model, &mut arena).unwrap();
            let shape = model.output();
            for (pixels, want) in examples.iter().zip(want.chunks(shape.values())) {
                let image = cpu.translate(pixels).unwrap();
                if most > 0.0 {
                    let off = furthest(image.values(), want);
                    assert!(off < most, "{name}, {:?}: {off}", model.precision());
                    continue;
                }
                let squares = image.bytes().iter().enumerate().map(|(at, byte)| {
                    let value = want[at % shape.c * shape.plane() + at / shape.c];
                    (f64::from(*byte) - (f64::from(value) + 1.0) * 127.5).powi(2)
                });
                let mean = squares.sum::<f64>() / shape.values() as f64;
                let psnr = 10.0 * (255.0 * 255.0 / mean).log10();
                assert!(psnr > 25.0, "{name}, int8: {psnr} dB");
            }
        }
    }
}

#[cfg(feature = "onnx")]
#[test]
fn onnx_reads_back() {
    for (name, graph) in cases() {
        let bytes = runtime::onnx::write(&graph).unwrap();
        let mut read = runtime::onnx::read(&bytes).unwrap();
        assert_eq!(read.input, graph.input, "{name}");
        for folded in [false, true] {
            if folded {
                read.fold();
            }
            let [got, want] = [&read, &graph].map(|g| by_hand(g, 2).pop().unwrap());
            let off = furthest(&got, &want);
            assert!(off < 2e-5, "{name}, folded {folded}: {off}");
        }
    }
}
