//! A panel that is drawn on, without an operating system: a scripted finger in place of a touch
//! controller, and a model that turns pictures into pictures.
//!
//! It draws what the file `STROKES` said when it was built and ends. `report=1` counts instructions.
#![no_std]
#![no_main]

#[path = "../count.rs"]
mod count;
#[path = "../host.rs"]
mod host;
#[path = "../panel.rs"]
mod panel;
#[path = "../stack.rs"]
mod stack;

use core::panic::PanicInfo;

use cortex_m::singleton;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use embedded_graphics::geometry::Point;
use firmware_demo::sketch::{Button, Dot, Memory, View};
use firmware_demo::{Sketch, Touch};
use runtime::record::Aligned;
use runtime::{Cpu, Input, Model};

use crate::count::{Counter, ticks};
use crate::panel::Panel;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The record, used in place.
#[allow(unsafe_code, reason = "a record may be larger than the code memory")]
#[unsafe(link_section = ".faces")]
static MODEL: Aligned<[u8; RECORD]> =
    Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/model.bpk")));

/// Strokes that can be undone, in dots: a drawing has some hundred.
const DOTS: usize = 2048;
/// Bytes for strokes beyond those, and for the model's input: up to 64 x 64 pixels of 3 bytes.
const DRY: usize = 64 * 64 / 8;
const PIXELS: usize = 64 * 64 * 3;

/// A touch controller that reports what a script says.
struct Script {
    lines: core::str::Lines<'static>,
}

/// What a line of the script says: a touch, or a button.
enum Event {
    Touch(Touch),
    Press(Button),
}

impl Script {
    /// The next event; lines that are not one are skipped.
    fn event(&mut self) -> Option<Event> {
        self.lines.find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let verb = words.next()?;
            let mut point =
                || Some(Point::new(words.next()?.parse().ok()?, words.next()?.parse().ok()?));
            Some(match verb {
                "down" => Event::Touch(Touch::Down(point()?)),
                "move" => Event::Touch(Touch::Move(point()?)),
                "up" => Event::Touch(Touch::Up),
                "undo" => Event::Press(Button::Undo),
                "clear" => Event::Press(Button::Clear),
                _ => return None,
            })
        })
    }
}

#[entry]
fn main() -> ! {
    stack::paint();
    match run() {
        Ok(()) => debug::exit(debug::EXIT_SUCCESS),
        Err(what) => {
            hprintln!("error: {}", what);
            debug::exit(debug::EXIT_FAILURE);
        }
    }
    // The host may not support exiting.
    loop {
        cortex_m::asm::wfi();
    }
}

fn run() -> Result<(), &'static str> {
    let report = host::arguments(&mut [0; 128]).any(|word| word == "report=1");
    let taken = "already started";
    let model = singleton!(: Option<Model<'static>> = None).ok_or(taken)?;
    let arena = singleton!(: [f32; ARENA] = [0.0; ARENA]).ok_or(taken)?;
    let dots = singleton!(: [Dot; DOTS] = [Dot::BLANK; DOTS]).ok_or(taken)?;
    let dry = singleton!(: [u8; DRY] = [0; DRY]).ok_or(taken)?;
    let pixels = singleton!(: [u8; PIXELS] = [0; PIXELS]).ok_or(taken)?;
    let core = cortex_m::Peripherals::take().ok_or(taken)?;
    let model = parse(model)?;
    let picture = match model.input() {
        Input::Picture(picture) => picture,
        Input::Latent(_) => return Err("the model does not take a picture"),
    };
    let pixels = pixels.get_mut(..picture.values()).ok_or("the model's input is too large")?;
    let mut sketch = Sketch::new(model, View::default(), Memory { dots, dry })
        .map_err(|_| "the model's input is too large")?;
    let mut cpu = Cpu::new(model, arena).map_err(|_| "the arena is too short")?;
    let counter = Counter::start(core.SYST);
    let mut panel = Panel::open().map_err(|_| "the host cannot create a file")?;
    let mut script =
        Script { lines: include_str!(concat!(env!("OUT_DIR"), "/strokes.txt")).lines() };
    let (mut answers, mut busy) = (0, 0);
    loop {
        sketch.draw(&mut panel).map_err(|_| "the panel failed")?;
        if let Some(version) = sketch.unanswered() {
            sketch.pixels(pixels);
            let start = ticks();
            let image = cpu.translate(pixels).map_err(|_| "the picture has the wrong size")?;
            busy += ticks() - start;
            answers += 1;
            sketch.answer(image, version, &mut panel).map_err(|_| "the panel failed")?;
        }
        match script.event() {
            Some(Event::Touch(touch)) => {
                sketch.touch(touch);
            }
            Some(Event::Press(button)) => sketch.press(button),
            None => break,
        }
    }
    if report {
        hprintln!("answers {}", answers);
        hprintln!("multiply-adds {}", MULTIPLY_ADDS);
        hprintln!("instructions-per-answer {}", counter.instructions(busy) / answers.max(1));
        hprintln!("record {}", RECORD);
        hprintln!("arena {}", 4 * ARENA);
        hprintln!("static {}", stack::data());
        hprintln!("stack {}", stack::deepest());
    }
    Ok(())
}

/// Parses the record into `place`. Not inlined, so that the stack that parsing needs is free again
/// afterwards.
#[inline(never)]
fn parse(
    place: &'static mut Option<Model<'static>>,
) -> Result<&'static Model<'static>, &'static str> {
    match Model::parse(&MODEL.0) {
        Ok(model) => Ok(place.insert(model)),
        Err(error) => {
            hprintln!("{}", error);
            Err("the record is damaged")
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}
