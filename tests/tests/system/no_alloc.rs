//! No allocation: parsing a model and making faces with an allocator that panics.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use std::marker::PhantomData;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::{BinaryColor, Gray2, PixelColor, Rgb565};
use firmware_demo::sketch::{Button, Dot, Memory, View};
use firmware_demo::{Fit, Kiosk, Paint, Scaling, Show, Sketch, Touch, Turn};
use runtime::cpu::{Batch, Cpu};
use runtime::graph::Graph;
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::record::Buffer;
use runtime::simd::Isa;

/// The system allocator, which panics on threads that forbid allocation.
struct Watched;

thread_local! {
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
}

#[allow(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Panicking allocates too, so allow that first.
        if FORBIDDEN.replace(false) {
            panic!("allocates {} bytes", layout.size());
        }
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// Runs `work` with allocation forbidden.
fn without_allocation<T>(work: impl FnOnce() -> T) -> T {
    FORBIDDEN.set(true);
    let result = work();
    FORBIDDEN.set(false);
    result
}

const RECORD: &[u8] = runtime::include_record!("../../../models/pretrained/faces64.bpk");

/// A small one: scalar code makes its faces too.
const TINY: &[u8] = runtime::include_record!("../../../models/pretrained/faces-tiny.bpk");

#[test]
fn parsing_and_generating_do_not_allocate() {
    let graph = Graph::from_model(&Model::parse(TINY).unwrap());
    let packed = Buffer::from(graph.pack().unwrap());
    let int8 = Buffer::from(graph.quantize(0..4).unwrap());
    let records = [("f32", TINY), ("packed", packed.bytes()), ("int8", int8.bytes())];
    for (precision, record) in records {
        let mut arena = vec![0.0; Model::parse(record).unwrap().arena_len()];
        for isa in Isa::all().into_iter().chain([None]) {
            let sum = without_allocation(|| {
                let model = Model::parse(record).ok()?;
                let mut cpu = Cpu::with(&model, &mut arena, isa).ok()?;
                let first = cpu.generate(&Latent::from_seed(1)).ok()?.pixel(9, 9)[0] as u32;
                let between = Latent::between(1, 2, 0.5).truncated(0.7);
                let image = cpu.generate(&between).ok()?;
                Some(first + image.pixels().map(|p| p[1] as u32).sum::<u32>())
            });
            assert!(sum.is_some_and(|sum| sum > 0), "{precision} {isa:?}");
        }
        let mut arena = vec![0.0; Model::parse(record).unwrap().arena_len_of_batch(3)];
        let mut images = 0;
        let made = without_allocation(|| {
            let model = Model::parse(record).ok()?;
            let mut batch = Batch::new(&model, &mut arena, Isa::best(), 3).ok()?;
            batch.generate(&[1, 2, 3, 4].map(Latent::from_seed), |_, _| images += 1).ok()
        });
        assert_eq!((made, images), (Some(()), 4), "{precision}");
    }
}

#[test]
fn branches_and_pictures_do_not_allocate() {
    for name in ["unet", "resnet"] {
        let path = tests::root().join(format!("tests/fixtures/branches/{name}.onnx"));
        let mut graph = runtime::onnx::read(&std::fs::read(path).unwrap()).unwrap();
        graph.fold();
        let picture = vec![77; graph.input.shape().values()];
        let records = [
            graph.to_record().unwrap(),
            graph.pack().unwrap(),
            graph.halve().unwrap(),
            graph.quantize_on_pictures(std::slice::from_ref(&picture)).unwrap(),
        ];
        for record in records.map(Buffer::from) {
            let record = record.bytes();
            let mut arena = vec![0.0; Model::parse(record).unwrap().arena_len()];
            for isa in Isa::all().into_iter().chain([None]) {
                let sum = without_allocation(|| {
                    let model = Model::parse(record).ok()?;
                    let mut cpu = Cpu::with(&model, &mut arena, isa).ok()?;
                    let image = cpu.translate(&picture).ok()?;
                    Some(image.pixels().map(|p| p[1] as u32).sum::<u32>())
                });
                assert!(sum.is_some_and(|sum| sum > 0), "{name} {isa:?}");
            }
        }
    }
}

/// A display of any color that discards its pixels.
struct Panel<C>(PhantomData<C>);

impl<C> OriginDimensions for Panel<C> {
    fn size(&self) -> Size {
        Size::new(320, 240)
    }
}

impl<C: PixelColor> DrawTarget for Panel<C> {
    type Color = C;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<C>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        pixels.into_iter().for_each(|p| {
            std::hint::black_box(p);
        });
        Ok(())
    }
}

/// Runs a show with every key pressed; returns the number of frames drawn.
fn show<C: Paint>(kiosk: &mut Kiosk<Cpu<'_>>) -> u32 {
    let panel = &mut Panel::<C>(PhantomData);
    let mut drawn = 0;
    kiosk.redraw();
    for step in 0..12 {
        match step {
            4 => kiosk.next(),
            5 => kiosk.previous(),
            6 => kiosk.star(true),
            7 => kiosk.hold(true),
            8 => kiosk.hold(false),
            9 => kiosk.sleep(true),
            10 => kiosk.sleep(false),
            _ => {}
        }
        drawn += kiosk.step(panel).is_ok_and(|drawn| drawn) as u32;
    }
    drawn
}

#[test]
fn the_kiosk_does_not_allocate() {
    // The large model once: what is drawn of a face does not depend on it.
    for (record, scaling, fit) in [
        (RECORD, Scaling::Bilinear, Fit::Letterbox),
        (TINY, Scaling::Bilinear, Fit::Fill),
        (TINY, Scaling::Nearest, Fit::Letterbox),
        (TINY, Scaling::Nearest, Fit::Fill),
    ] {
        let model = Model::parse(record).unwrap();
        let mut arena = vec![0.0; model.arena_len()];
        let wish =
            Show { dwell: 2, morph: 2, scaling, fit, turn: Turn::new(1, true), ..Show::default() };
        let mut kiosk = Kiosk::new(Cpu::new(&model, &mut arena).unwrap(), wish);
        let drawn = without_allocation(|| {
            show::<Rgb565>(&mut kiosk) + show::<Gray2>(&mut kiosk) + show::<BinaryColor>(&mut kiosk)
        });
        assert!(drawn > 20, "{drawn}");
    }
}

#[test]
fn a_sketch_does_not_allocate() {
    let path = tests::root().join("tests/fixtures/branches/resnet.onnx");
    let mut graph = runtime::onnx::read(&std::fs::read(path).unwrap()).unwrap();
    graph.fold();
    let shape = graph.input.shape();
    let record = Buffer::from(graph.pack().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    let mut pixels = vec![0; shape.values()];
    // So few dots that strokes dry.
    let (mut dots, mut dry) = (vec![Dot::default(); 16], vec![0; Memory::dry_len(shape)]);
    let drawn = without_allocation(|| {
        let mut cpu = Cpu::new(&model, &mut arena).ok()?;
        let memory = Memory { dots: &mut dots, dry: &mut dry };
        let view = View { turn: Turn::new(1, true), ..View::default() };
        let mut sketch = Sketch::new(&model, view, memory).ok()?;
        let panel = &mut Panel::<Rgb565>(PhantomData);
        let mut drawn = 0;
        for step in 0..90 {
            let at = Point::new(30 + 7 * step % 90, 60 + 11 * step % 60);
            match step % 30 {
                0 | 10 => sketch.touch(Touch::Down(at)),
                9 | 20 => sketch.touch(Touch::Up),
                21 => {
                    sketch.press(Button::Undo);
                    None
                }
                22 => {
                    sketch.saved();
                    None
                }
                23 if step > 60 => {
                    sketch.press(Button::Clear);
                    None
                }
                _ => sketch.touch(Touch::Move(at)),
            };
            drawn += u32::from(sketch.draw(panel).ok()?);
            if let Some(version) = sketch.unanswered() {
                sketch.pixels(&mut pixels);
                let image = cpu.translate(&pixels).ok()?;
                sketch.answer(image, version, panel).ok()?;
            }
        }
        Some(drawn)
    });
    assert!(drawn.is_some_and(|drawn| drawn > 30), "{drawn:?}");
}

#[test]
#[should_panic(expected = "allocates 3 bytes")]
fn an_allocation_is_noticed() {
    without_allocation(|| std::hint::black_box(vec![1u8; 3]));
}
