//! Promises about batches: several images at a time are, bit for bit, those that are made one by one.

use runtime::graph::Graph;
use runtime::op::{Activation, Op, Window};
use runtime::record::Buffer;
use runtime::{ArenaTooSmall, Batch, Cpu, Image, Input, Isa, Latent, Model, Precision};

use crate::nets::{cases, graph, pixels};

/// A network whose layers are wide enough for every kernel, with more tiles than are computed at a time.
fn wide() -> Graph {
    let same =
        |out, kernel, padding| Op::Conv { out, window: Window { kernel, stride: 1, padding } };
    let up = |out| Op::ConvTranspose { out, window: Window { kernel: 4, stride: 2, padding: 1 } };
    let stem = Op::ConvTranspose { out: 66, window: Window { kernel: 4, stride: 1, padding: 0 } };
    let relu = Activation::Relu;
    graph(
        Input::Latent(20),
        &[
            ("stem", stem, relu, "", ""),
            ("up1", up(52), relu, "", ""),
            ("same1", same(48, 3, 1), relu, "", ""),
            ("up2", up(36), relu, "", ""),
            ("image", up(3), Activation::Tanh, "", ""),
        ],
    )
}

fn records(graph: &Graph) -> [Vec<u8>; 4] {
    let int8 = match graph.input {
        Input::Latent(_) => graph.quantize(100..104),
        Input::Picture(shape) => {
            let pictures: Vec<_> = (100..104).map(|seed| pixels(shape, seed)).collect();
            graph.quantize_on_pictures(&pictures)
        }
    };
    let [float, packed, half] = [graph.to_record(), graph.pack(), graph.halve()];
    [float, packed, half, int8].map(Result::unwrap)
}

fn values(image: &Image<'_>) -> (Vec<f32>, Vec<u8>) {
    (image.values().to_vec(), image.bytes().to_vec())
}

/// Images of seeds 0 to `count`, which a batch makes.
fn batch(batch: &mut Batch<'_>, input: Input, count: usize) -> Vec<(Vec<f32>, Vec<u8>)> {
    let mut images = Vec::new();
    let mut each = |i: usize, image: Image<'_>| {
        assert_eq!(i, images.len(), "in order");
        images.push(values(&image));
    };
    match input {
        Input::Latent(_) => {
            let latents: Vec<_> = (0..count as u64).map(Latent::from_seed).collect();
            batch.generate(&latents, &mut each).unwrap();
        }
        Input::Picture(shape) => {
            let pictures: Vec<_> = (0..count as u64).map(|seed| pixels(shape, seed)).collect();
            let pictures: Vec<&[u8]> = pictures.iter().map(|pixels| &pixels[..]).collect();
            batch.translate(&pictures, &mut each).unwrap();
        }
    }
    images
}

#[test]
fn images_are_those_made_one_by_one() {
    const COUNT: usize = 7;
    for (name, graph) in cases().into_iter().chain([("wide", wide())]) {
        for record in records(&graph).map(Buffer::from) {
            let model = Model::parse(record.bytes()).unwrap();
            for isa in Isa::all().into_iter().flatten() {
                let mut arena = vec![f32::NAN; model.arena_len()];
                let mut cpu = Cpu::with(&model, &mut arena, Some(isa)).unwrap();
                let want: Vec<_> = (0..COUNT as u64)
                    .map(|seed| {
                        values(&match model.input() {
                            Input::Latent(_) => cpu.generate(&Latent::from_seed(seed)).unwrap(),
                            Input::Picture(shape) => cpu.translate(&pixels(shape, seed)).unwrap(),
                        })
                    })
                    .collect();
                let what = (model.precision().name(), isa.name());
                let mut arena = vec![f32::NAN; model.arena_len_of_batch(3)];
                let mut some = Batch::new(&model, &mut arena, isa, 3).unwrap();
                assert!(batch(&mut some, model.input(), COUNT) == want, "{name}, {what:?}");
                // All layers, whether or not it is worthwhile.
                let mut arena = vec![f32::NAN; 64 * model.arena_len()];
                let mut all = Batch::of_all_layers(&model, &mut arena, isa, 6).unwrap();
                assert!(batch(&mut all, model.input(), COUNT) == want, "{name}, {what:?}");
            }
        }
    }
}

#[test]
fn the_arena_is_exact_and_stated() {
    for record in records(&wide()).map(Buffer::from) {
        let model = Model::parse(record.bytes()).unwrap();
        assert_eq!(model.arena_len_of_batch(1), model.arena_len());
        let need = model.arena_len_of_batch(4);
        // Plain f32 shares nothing.
        assert_eq!(need > model.arena_len(), model.precision() != Precision::F32);
        let mut short = vec![0.0; need - 1];
        let error = Batch::new(&model, &mut short, Isa::best(), 4).err();
        assert_eq!(error, Some(ArenaTooSmall { need, got: need - 1 }));
        const CANARY: f32 = 123.456;
        for isa in Isa::all().into_iter().flatten() {
            let mut arena = vec![CANARY; need + 64];
            let mut some = Batch::new(&model, &mut arena, isa, 4).unwrap();
            batch(&mut some, model.input(), 6);
            assert!(arena[need..].iter().all(|v| *v == CANARY));
        }
    }
}

#[test]
fn a_bad_input_is_an_error_and_the_next_ones_work() {
    let record = Buffer::from(wide().pack().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![0.0; model.arena_len_of_batch(4)];
    let mut some = Batch::new(&model, &mut arena, Isa::best(), 4).unwrap();
    let short = [0.5; 19];
    let latents = [Latent::from_seed(1), Latent::from_values(&short)];
    let error = some.generate(&latents, |_, _| ()).unwrap_err();
    assert_eq!((error.need, error.got), (20, 19));
    assert!(some.translate(&[&[0; 3]], |_, _| ()).is_err());
    assert!(some.generate(&[], |_, _| panic!("no latent")).is_ok());
    let mut made = 0;
    some.generate(&[Latent::from_seed(1), Latent::from_seed(2)], |_, _| made += 1).unwrap();
    assert_eq!(made, 2);
}
