//! Records: their bytes, and models of every shape in every precision.

use std::cell::OnceCell;

use runtime::graph::{Graph, GraphError};
use runtime::op::{self, Shape};
use runtime::record::{Buffer, Record};
use runtime::{Cpu, Crew, Image, Input, Isa, Latent, Limits, Model, Precision, plan};

use crate::bytes::Choices;
use crate::graphs::{any_graph, every_operation, translator};

/// What a model may take to be run: some milliseconds.
pub const LIMITS: Limits = Limits {
    file: 1 << 20,
    layers: 48,
    arena: 1 << 20,
    multiply_adds: 1 << 21,
    pixels: 1 << 16,
    constants: 1 << 24,
    expansion: 16,
};

/// The bytes of a record, and of the model in it.
pub fn metadata(bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes) {
        for key in ["pocket-gan.layers", "pocket-gan.labels", ""] {
            let _ = record.get(key);
        }
        assert!(record.tensor(|_| false).is_none());
    }
    let buffer = Buffer::from(bytes);
    let checked = Model::parse(buffer.bytes()).is_ok();
    let model = Model::parse_unverified(buffer.bytes());
    assert!(!checked || model.is_ok(), "the checksum is one check more");
    if let Ok(model) = model {
        run(&model);
    }
}

/// A record that is whole, of one of two models in one of the precisions.
///
/// # Panics
/// If it cannot be written.
pub fn written(choice: usize) -> Vec<u8> {
    thread_local! {
        static WRITTEN: [OnceCell<Vec<u8>>; 8] = const { [const { OnceCell::new() }; 8] };
    }
    let write = || {
        let graph = if choice & 4 == 0 { every_operation() } else { translator() };
        let record = match choice & 3 {
            0 => graph.to_record(),
            1 => graph.pack(),
            2 => graph.halve(),
            _ => quantize(&graph, 1),
        };
        record.expect("the graph is a generator")
    };
    WRITTEN.with(|all| all[choice % 8].get_or_init(write).clone())
}

/// A record of one of two models in one of the precisions, with some bytes changed: the first byte
/// chooses, and every three are a place and a value.
pub fn record(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let mut record = written(choices.below(8));
    while !choices.0.is_empty() {
        let at = choices.short() % record.len();
        record[at] = choices.byte();
    }
    let buffer = Buffer::from(record);
    if let Ok(model) = Model::parse_unverified(buffer.bytes()) {
        run(&model);
    }
}

/// A model of any layers: its outputs are those of layers with memory of their own, and in one of
/// the precisions faces of all instruction sets and of two threads agree with those of the obvious
/// loops.
///
/// # Panics
/// If they do not.
pub fn graph(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let (precision, large) = (choices.below(4), choices.below(32) == 0);
    let graph = any_graph(&mut choices);
    // Each is run about ten times, some of them by the obvious loops.
    let quick = Limits { multiply_adds: if large { 1 << 17 } else { 1 << 14 }, ..LIMITS };
    if graph.check(&quick).is_err() {
        return;
    }
    let Ok(record) = graph.to_buffer() else { return };
    let model = Model::parse_within(record.bytes(), &LIMITS).expect("it was checked");
    assert_eq!(Graph::from_model(&model), graph, "a record keeps the graph");
    apart(&graph, &model);
    agree(&model);
    let record = match precision {
        0 => {
            let mut folded = graph;
            folded.fold();
            folded.to_record()
        }
        1 => graph.pack(),
        2 => graph.halve(),
        _ => quantize(&graph, 2),
    };
    if let Ok(record) = record {
        let record = Buffer::from(record);
        agree(&Model::parse_within(record.bytes(), &Limits::NONE).expect("it was just written"));
    }
}

/// The obvious loops in the arena write what they write into memory of their own.
fn apart(graph: &Graph, model: &Model<'_>) {
    let shape = graph.input.shape();
    let picture = picture(model);
    let mut input = vec![0.0; shape.values()];
    match graph.input {
        Input::Latent(_) => Latent::from_seed(1).fill(&mut input).expect("seeds have any length"),
        Input::Picture(_) => {
            for (at, byte) in picture.iter().enumerate() {
                let place = at % shape.c * shape.plane() + at / shape.c;
                input[place] = f32::from(*byte) / 127.5 - 1.0;
            }
        }
    }
    let mut all = vec![("input", shape, input)];
    for layer in &graph.layers {
        let find = |name: &Option<String>| match name {
            None => &all[all.len() - 1],
            Some(name) => all.iter().rfind(|(n, ..)| n == name).expect("it was checked"),
        };
        let (x, other) = (find(&layer.from), find(&layer.with));
        let output = layer.op.output(x.1).expect("it was checked");
        let mut y = vec![f32::NAN; output.values()];
        let inputs = [&x.2[..], &other.2[..]];
        op::reference(&layer.op, [x.1, output], inputs, &layer.weight, &layer.bias, &mut y);
        layer.activation.apply(&mut y);
        all.push((&layer.name, output, y));
    }
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::with(model, &mut arena, None).expect("the arena has the stated length");
    let same = |i: usize, got: &[f32]| {
        let want = &all[i + 1].2;
        let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let same = got.len() == want.len() && got.iter().zip(want).all(same);
        assert!(same, "layer {i} reads or writes where it should not: {model:?}");
    };
    match &picture[..] {
        [] => _ = cpu.watched(&Latent::from_seed(1), same).expect("seeds have any length"),
        picture => {
            _ = cpu.translate_watched(picture, same).expect("the picture has the right size");
        }
    }
}

/// Runs a model that may have any weights, if that is quick; then those that are made from it.
pub fn run(model: &Model<'_>) {
    if plan::check(model.layers(), model.input(), &LIMITS).is_err() {
        return;
    }
    face(model);
    if model.precision() == Precision::F32 {
        let mut graph = Graph::from_model(model);
        graph.fold();
        for record in [graph.pack(), graph.halve(), quantize(&graph, 1)].into_iter().flatten() {
            let record = Buffer::from(record);
            if let Ok(model) = Model::parse(record.bytes()) {
                face(&model);
            }
        }
    }
}

/// One face with the fastest kernels.
///
/// # Panics
/// If it has another number of pixels than the model states.
pub fn face(model: &Model<'_>) {
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::new(model, &mut arena).expect("the arena has the stated length");
    let picture = picture(model);
    let image = made(&mut cpu, &picture);
    assert_eq!(image.pixels().len(), model.output().plane());
    assert!(model.labels().count() == model.classes() && model.multiply_adds() < 1 << 40);
}

/// A picture for a model that takes one; empty for others.
fn picture(model: &Model<'_>) -> Vec<u8> {
    match model.input() {
        Input::Latent(_) => vec![],
        Input::Picture(shape) => pattern(shape),
    }
}

fn pattern(shape: Shape) -> Vec<u8> {
    (0..shape.values()).map(|i| (i * 37 % 256) as u8).collect()
}

/// The image of a seed, or of a picture if there is one.
fn made<'c>(cpu: &'c mut Cpu<'_>, picture: &[u8]) -> Image<'c> {
    match picture {
        [] => cpu.generate(&Latent::from_seed(1)).expect("seeds have any length"),
        picture => cpu.translate(picture).expect("the picture has the right size"),
    }
}

/// The int8 record of a graph.
fn quantize(graph: &Graph, seeds: u64) -> Result<Vec<u8>, GraphError> {
    match graph.input {
        Input::Latent(_) => graph.quantize(0..seeds),
        Input::Picture(shape) => graph.quantize_on_pictures(&[pattern(shape)]),
    }
}

fn agree(model: &Model<'_>) {
    let picture = picture(model);
    // Kernels must not read what they have not written.
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut pixels = |isa: Option<Isa>| -> Vec<[u8; 3]> {
        arena.fill(f32::NAN);
        let mut cpu = Cpu::with(model, &mut arena, isa).expect("the arena has the stated length");
        made(&mut cpu, &picture).pixels().collect()
    };
    let want = pixels(None);
    for isa in Isa::all().into_iter().flatten() {
        close(model, &pixels(Some(isa)), &want, isa.name());
    }
    let mut arena = vec![f32::NAN; model.arena_len_of(2)];
    let got = Crew::with(model, &mut arena, Isa::best(), 2, |crew| {
        let image = match &picture[..] {
            [] => crew.generate(&Latent::from_seed(1)).expect("seeds have any length"),
            picture => crew.translate(picture).expect("the picture has the right size"),
        };
        image.pixels().collect::<Vec<_>>()
    });
    close(model, &got.expect("the arena has the stated length"), &want, "two threads");
}

/// int8 to the byte; floats are added in another order.
fn close(model: &Model<'_>, got: &[[u8; 3]], want: &[[u8; 3]], what: &str) {
    let most = if model.precision() == Precision::Int8 { 0 } else { 1 };
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().flatten().zip(want.iter().flatten()).enumerate() {
        assert!(got.abs_diff(*want) <= most, "{what}: value {i} is {got}, not {want}: {model:?}");
    }
}
