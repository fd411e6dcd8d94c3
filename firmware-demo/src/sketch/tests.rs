//! Drawing on a panel in memory, with a model of one layer.

extern crate std;
use std::vec::Vec;

use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use runtime::Cpu;
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::Buffer;

use super::*;
use crate::panel::Panel;

const PICTURE: Shape = Shape::new(1, 16, 16);

/// Makes black of white, and blue of black.
fn record() -> Buffer {
    let window = Window { kernel: 1, stride: 1, padding: 0 };
    let op = Op::Conv { out: 3, window };
    let layer = Layer {
        activation: Activation::Tanh,
        weight: [0.0, 0.0, -8.0].to_vec(),
        bias: [-8.0, -8.0, 0.0].to_vec(),
        ..Layer::new("out", op)
    };
    let graph =
        Graph { input: Input::Picture(PICTURE), layers: [layer].to_vec(), facts: Facts::default() };
    Buffer::from(graph.to_record().unwrap())
}

/// A panel, and a sketch with its model.
struct Desk<'a> {
    sketch: Sketch<'a>,
    cpu: Cpu<'a>,
    panel: Panel,
}

impl Desk<'_> {
    /// Does what a loop of firmware does once.
    fn step(&mut self) {
        self.sketch.draw(&mut self.panel).unwrap();
        if let Some(version) = self.sketch.unanswered() {
            let mut pixels = [0; 256];
            self.sketch.pixels(&mut pixels);
            let image = self.cpu.translate(&pixels).unwrap();
            self.sketch.answer(image, version, &mut self.panel).unwrap();
        }
    }

    fn touch(&mut self, touches: &[Touch]) {
        for touch in touches {
            self.sketch.touch(*touch);
            self.step();
        }
    }

    fn at(&self, x: i32, y: i32) -> Rgb888 {
        self.panel.pixels[y as usize * self.panel.size.width as usize + x as usize]
    }

    fn blue(&self) -> usize {
        self.panel.pixels.iter().filter(|c| **c == Rgb888::BLUE).count()
    }
}

/// Calls `work` with a panel of a size and memory for some dots.
fn with<T>(size: (u32, u32), dots: usize, turn: Turn, work: impl FnOnce(&mut Desk<'_>) -> T) -> T {
    let record = record();
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = std::vec![0.0; model.arena_len()];
    let mut dots = std::vec![Dot::default(); dots];
    let mut dry = [0; 32];
    let view = View { line: 1, scaling: Scaling::Nearest, turn };
    let sketch = Sketch::new(&model, view, Memory { dots: &mut dots, dry: &mut dry }).unwrap();
    let cpu = Cpu::new(&model, &mut arena).unwrap();
    let mut desk = Desk { sketch, cpu, panel: Panel::new(size.0, size.1) };
    desk.step();
    work(&mut desk)
}

fn down(x: i32, y: i32) -> Touch {
    Touch::Down(Point::new(x, y))
}

fn to(x: i32, y: i32) -> Touch {
    Touch::Move(Point::new(x, y))
}

/// A panel of 161 x 100 pixels: pads of 80 pixels, five to one of the model's, and buttons below them.
const WIDE: (u32, u32) = (161, 100);

#[test]
fn a_stroke_and_its_answer() {
    with(WIDE, 99, Turn::default(), |desk| {
        assert!(!desk.panel.pixels.contains(&Rgb888::RED), "every pixel is drawn");
        assert_eq!([desk.at(0, 0), desk.at(79, 79)], [Rgb888::WHITE; 2]);
        assert_eq!([desk.at(80, 0), desk.at(81, 0), desk.at(160, 79)], [Rgb888::BLACK; 3]);
        assert_eq!(desk.sketch.unanswered(), None, "blank paper has no answer");
        desk.touch(&[down(2, 42), to(77, 42), Touch::Up]);
        assert_eq!([desk.at(2, 42), desk.at(40, 42)], [Rgb888::BLACK; 2]);
        assert_eq!([desk.at(40, 36), desk.at(40, 48)], [Rgb888::WHITE; 2]);
        // Row 8 of the answer.
        assert_eq!([desk.at(81, 40), desk.at(160, 44)], [Rgb888::BLUE; 2]);
        assert_eq!([desk.at(81, 39), desk.at(81, 45)], [Rgb888::BLACK; 2]);
        assert_eq!(desk.blue(), 80 * 5);
        assert_eq!(desk.sketch.unanswered(), None);
        assert!(!desk.sketch.draw(&mut desk.panel).unwrap(), "nothing changed");
    });
}

#[test]
fn only_what_changed_is_drawn() {
    with(WIDE, 99, Turn::default(), |desk| {
        desk.touch(&[down(2, 42), to(22, 42)]);
        let before = desk.panel.pixels.clone();
        desk.panel.pixels[0] = Rgb888::RED;
        desk.panel.pixels[90 * 161] = Rgb888::RED;
        desk.touch(&[to(77, 42), Touch::Up]);
        assert_eq!([desk.at(0, 0), desk.at(0, 90)], [Rgb888::RED; 2]);
        assert_ne!(desk.panel.pixels, before);
        // In full, it is the same.
        desk.panel.pixels[0] = Rgb888::WHITE;
        desk.sketch.redraw();
        let added = desk.panel.pixels.clone();
        desk.panel.pixels.fill(Rgb888::RED);
        desk.step();
        desk.panel.pixels[90 * 161] = Rgb888::RED;
        assert!(desk.panel.pixels == added);
    });
}

#[test]
fn buttons_act_when_they_are_let_go() {
    let (clear, undo, save) = ((20, 90), (80, 90), (140, 90));
    with(WIDE, 99, Turn::default(), |desk| {
        let blank = desk.panel.pixels.clone();
        desk.touch(&[down(2, 42), to(77, 42), Touch::Up]);
        let one = desk.panel.pixels.clone();
        desk.touch(&[down(42, 2), to(42, 77), Touch::Up]);
        assert_eq!(desk.blue(), 31 * 25);
        desk.touch(&[down(undo.0, undo.1)]);
        assert_eq!(desk.blue(), 31 * 25, "not yet");
        assert_eq!(desk.at(56, 84), Rgb888::new(192, 192, 192), "it is light");
        // Dragged away, it does nothing, and the finger does not draw.
        desk.touch(&[to(40, 40), Touch::Up]);
        assert_eq!(desk.blue(), 31 * 25);
        desk.touch(&[down(undo.0, undo.1)]);
        assert_eq!(desk.sketch.touch(Touch::Up), Some(Button::Undo));
        desk.step();
        assert!(desk.panel.pixels == one);
        desk.touch(&[down(save.0, save.1)]);
        assert_eq!(desk.sketch.touch(Touch::Up), Some(Button::Save));
        desk.step();
        assert!(desk.panel.pixels == one, "saving is the caller's");
        desk.sketch.saved();
        desk.step();
        assert!(desk.panel.pixels != one && desk.blue() == 80 * 5);
        desk.touch(&[down(clear.0, clear.1), Touch::Up]);
        assert!(desk.panel.pixels == blank);
    });
}

#[test]
fn late_answers_to_what_was_erased_are_ignored() {
    with(WIDE, 99, Turn::default(), |desk| {
        desk.sketch.touch(down(2, 42));
        desk.sketch.draw(&mut desk.panel).unwrap();
        let version = desk.sketch.unanswered().unwrap();
        let values = [1.0; 768];
        let image = || Image::new(&values, Shape::new(3, 16, 16), (0.0, 1.0));
        desk.sketch.touch(to(20, 42));
        desk.sketch.draw(&mut desk.panel).unwrap();
        // An old answer is better than none.
        assert!(desk.sketch.answer(image(), version, &mut desk.panel).unwrap());
        assert_eq!(desk.at(100, 40), Rgb888::WHITE);
        assert_eq!(desk.sketch.unanswered(), Some(version + 1));
        desk.sketch.press(Button::Clear);
        assert!(!desk.sketch.answer(image(), version + 1, &mut desk.panel).unwrap());
        desk.sketch.draw(&mut desk.panel).unwrap();
        assert_eq!(desk.at(100, 40), Rgb888::BLACK);
        desk.sketch.touch(down(2, 42));
        desk.sketch.draw(&mut desk.panel).unwrap();
        assert!(!desk.sketch.answer(image(), version + 1, &mut desk.panel).unwrap());
        assert_eq!(desk.at(100, 40), Rgb888::BLACK);
    });
}

#[test]
fn a_turned_panel_is_the_upright_one_turned() {
    let strokes = [down(2, 42), to(70, 30), Touch::Up, down(20, 90), to(80, 90)];
    let want = with(WIDE, 99, Turn::default(), |desk| {
        desk.touch(&strokes);
        desk.panel.pixels.clone()
    });
    let upright = Size::new(WIDE.0, WIDE.1);
    for quarters in 0..4 {
        for mirror in [false, true] {
            let turn = Turn::new(quarters, mirror);
            let size = turn.size(upright);
            with((size.width, size.height), 99, turn, |desk| {
                let turned = strokes.map(|touch| match touch {
                    Touch::Down(at) => Touch::Down(turn.to_panel(at, size)),
                    Touch::Move(at) => Touch::Move(turn.to_panel(at, size)),
                    Touch::Up => Touch::Up,
                });
                desk.touch(&turned);
                for (i, got) in desk.panel.pixels.iter().enumerate() {
                    let (x, y) = (i as u32 % size.width, i as u32 / size.width);
                    let seen = turn.to_view(Point::new(x as i32, y as i32), size);
                    let i = seen.y as u32 * WIDE.0 + seen.x as u32;
                    assert_eq!(*got, want[i as usize], "{turn:?} {x} {y}");
                }
            });
        }
    }
}

#[test]
fn memory_that_is_full_shows_the_whole_drawing() {
    let zigzag: Vec<Touch> =
        (0..40).map(|i| to(2 + i * 5 % 75, if i % 2 == 0 { 10 } else { 70 })).collect();
    let draw = |desk: &mut Desk<'_>| {
        desk.touch(&[down(2, 10)]);
        desk.touch(&zigzag);
        desk.touch(&[Touch::Up]);
        let mut pixels = [0; 256];
        desk.sketch.pixels(&mut pixels);
        (pixels, desk.blue())
    };
    let want = with(WIDE, 99, Turn::default(), draw);
    for dots in [2, 3, 7, 20] {
        assert!(with(WIDE, dots, Turn::default(), draw) == want, "{dots} dots");
    }
}

#[test]
fn a_saved_pair_has_no_buttons() {
    with(WIDE, 99, Turn::new(1, true), |desk| {
        let mut pair = Panel::new(161, 80);
        let values = [1.0; 768];
        let image = Image::new(&values, Shape::new(3, 16, 16), (0.0, 1.0));
        desk.sketch.pair(image, &mut pair).unwrap();
        let white = pair.pixels.iter().filter(|c| **c == Rgb888::WHITE).count();
        assert!(white > 2 * 80 * 78, "{white}: the pad with its hint, and the answer");
        assert_eq!(pair.pixels[80], Rgb888::BLACK);
    });
}

#[test]
fn what_is_not_suited() {
    let record = runtime::include_record!("../../../models/pretrained/faces-tiny-int8.bpk");
    let faces = Model::parse(record).unwrap();
    let mut dots = [Dot::default(); 2];
    let memory = Memory { dots: &mut dots, dry: &mut [] };
    let error = Sketch::new(&faces, View::default(), memory).err();
    assert_eq!(error, Some(Unsuited::Latent(faces.latent())));
}

#[test]
fn a_panel_without_room_is_an_error() {
    let record = record();
    let model = Model::parse(record.bytes()).unwrap();
    let (mut dots, mut dry) = ([Dot::default(); 2], [0; 32]);
    let memory = Memory { dots: &mut dots, dry: &mut dry };
    let mut sketch = Sketch::new(&model, View::default(), memory).unwrap();
    // Nothing was drawn yet: there is nothing to touch.
    assert_eq!(sketch.touch(down(0, 0)), None);
    let error = sketch.draw(&mut Panel::new(9, 7)).unwrap_err();
    assert_eq!(error, SketchError::NoRoom(Size::new(9, 7)));
    assert!(sketch.is_blank());
}
