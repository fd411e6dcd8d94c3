//! Drawings: scripts of touches on a panel.

use embedded_graphics::geometry::Size;
use firmware_demo::sketch::{Dot, Memory, Sketch, View};
use firmware_demo::{Scaling, Turn};
use runtime::record::Buffer;
use runtime::{Cpu, Input, Model};

use crate::model::written;
use crate::panel::Panel;
use crate::place;
use crate::strokes::{self, Event};

/// Memory for few dots, so that strokes dry.
const DOTS: usize = 24;

/// What a loop of firmware does once.
fn step(sketch: &mut Sketch<'_>, cpu: &mut Cpu<'_>, pixels: &mut [u8], panel: &mut Panel) {
    sketch.draw(panel).expect("the panel is large enough");
    if let Some(version) = sketch.unanswered() {
        sketch.pixels(pixels);
        let image = cpu.translate(pixels).expect("it has the size that the model takes");
        sketch.answer(image, version, panel).expect("the panel is large enough");
    }
}

/// A script, drawn step by step with its answers: the panel is what drawing all of it at once shows.
/// The length of the script chooses the panel and the strokes.
///
/// # Panics
/// If it is not.
pub fn sketch(bytes: &[u8]) {
    let Ok(events) = strokes::read(&place::file("script.txt", bytes)) else { return };
    let record = Buffer::from(written(4));
    let model = Model::parse(record.bytes()).expect("it is whole");
    let Input::Picture(picture) = model.input() else { unreachable!("it is the translator") };
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).expect("the arena has the stated length");
    let (mut dots, mut dry) = ([Dot::BLANK; DOTS], vec![0; Memory::dry_len(picture)]);
    let choice = bytes.len();
    let view = View {
        line: (choice / 4 % 4) as u32,
        scaling: if choice.is_multiple_of(3) { Scaling::Nearest } else { Scaling::Bilinear },
        turn: Turn::new((choice % 4) as u8, choice.is_multiple_of(5)),
    };
    let memory = Memory { dots: &mut dots, dry: &mut dry };
    let mut sketch = Sketch::new(&model, view, memory).expect("the memory is as large as stated");
    let size = [Size::new(160, 120), Size::new(97, 203), Size::new(240, 240)][choice % 3];
    let mut panel = Panel::new(size.width, size.height);
    let mut pixels = vec![0; picture.values()];
    step(&mut sketch, &mut cpu, &mut pixels, &mut panel);
    for event in events.iter().take(200) {
        match event {
            Event::Touch(touch) => _ = sketch.touch(*touch),
            Event::Press(button) => sketch.press(*button),
        }
        step(&mut sketch, &mut cpu, &mut pixels, &mut panel);
    }
    let shown = std::mem::replace(&mut panel, Panel::new(size.width, size.height)).pixels;
    sketch.redraw();
    step(&mut sketch, &mut cpu, &mut pixels, &mut panel);
    assert!(panel.pixels == shown, "a panel of {size:?} shows something else when drawn in full");
}
