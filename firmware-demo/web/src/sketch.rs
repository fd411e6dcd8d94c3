//! A page that is drawn on. Two instances of the module share the work: that of the page draws, that
//! of a worker translates, so that drawing never waits.

use std::cell::RefCell;

use embedded_graphics::geometry::{Point, Size};
use firmware_demo::sketch::{BUTTONS, Button, Dot, Memory, View};
use firmware_demo::{Sketch, Touch};
use runtime::op::Shape;
use runtime::{Cpu, Image, Input, Model};

use crate::canvas::Canvas;

/// Dots in memory: a long evening of drawing without `clear`.
const DOTS: usize = 1 << 16;

struct Page {
    sketch: Sketch<'static>,
    cpu: Cpu<'static>,
    canvas: Canvas,
    /// What is saved.
    pair: Canvas,
    /// The picture that the model takes.
    pixels: Vec<u8>,
    /// Red, green and blue of the answer.
    answer: Vec<u8>,
    shape: Shape,
}

thread_local! {
    static RECORD: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static PAGE: RefCell<Option<Page>> = const { RefCell::new(None) };
}

/// Memory for a record of `bytes` bytes, to be filled before [`sketch_open`].
#[unsafe(no_mangle)]
pub extern "C" fn sketch_record(bytes: usize) -> *mut u32 {
    RECORD.with_borrow_mut(|record| {
        record.clear();
        // Records are aligned to 4.
        record.resize(bytes.div_ceil(4), 0);
        record.as_mut_ptr()
    })
}

/// Starts with the record in [`sketch_record`], on a canvas of this size. Returns 1; 0 if it is not a
/// record, 2 if the model does not take a picture.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_open(bytes: usize, width: u32, height: u32) -> u32 {
    // Called once per page; what it leaks lives as long.
    let words: &'static [u32] = RECORD.take().leak();
    // SAFETY: any word is four bytes; the length is that of the words or less.
    let record = unsafe {
        std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), bytes.min(4 * words.len()))
    };
    let Ok(model) = Model::parse(record) else {
        return 0;
    };
    let model = Box::leak(Box::new(model));
    let Input::Picture(picture) = model.input() else {
        return 2;
    };
    let memory = Memory {
        dots: vec![Dot::default(); DOTS].leak(),
        dry: vec![0; Memory::dry_len(picture)].leak(),
    };
    let arena = vec![0.0; model.arena_len()].leak();
    let (Ok(sketch), Ok(cpu)) =
        (Sketch::new(model, View::default(), memory), Cpu::new(model, arena))
    else {
        return 0;
    };
    let shape = Shape::new(3, model.output().h, model.output().w);
    PAGE.replace(Some(Page {
        sketch,
        cpu,
        canvas: Canvas::new(Size::new(width, height)),
        pair: Canvas::new(Size::new(516, 256)),
        pixels: vec![0; picture.values()],
        answer: vec![0; shape.values()],
        shape,
    }));
    1
}

/// A touch: 0 down, 1 move, 2 up. Returns what [`sketch_press`] takes if a button was pressed: 0
/// clear, 1 undo, 2 save; otherwise 3.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_touch(kind: u32, x: i32, y: i32) -> u32 {
    with(|page| {
        let pressed = page.sketch.touch(match kind {
            0 => Touch::Down(Point::new(x, y)),
            1 => Touch::Move(Point::new(x, y)),
            _ => Touch::Up,
        });
        BUTTONS.iter().position(|button| Some(*button) == pressed).unwrap_or(3) as u32
    })
    .unwrap_or(3)
}

/// Presses a button by its number; saving is the page's to do.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_press(button: usize) {
    with(|page| {
        if let Some(button) = BUTTONS.get(button).filter(|button| **button != Button::Save) {
            page.sketch.press(*button);
        }
    });
}

/// Draws what changed. Returns the address of the canvas if anything did, otherwise 0.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_frame() -> *const u8 {
    with(|page| match page.sketch.draw(&mut page.canvas) {
        Ok(true) => page.canvas.bytes(),
        Ok(false) | Err(_) => std::ptr::null(),
    })
    .unwrap_or(std::ptr::null())
}

/// The version of the drawing whose answer is not shown; 0 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_unanswered() -> u64 {
    with(|page| page.sketch.unanswered().unwrap_or(0)).unwrap_or(0)
}

/// The picture that the model takes, as it is drawn now.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_pixels() -> *mut u8 {
    with(|page| {
        page.sketch.pixels(&mut page.pixels);
        page.pixels.as_mut_ptr()
    })
    .unwrap_or(std::ptr::null_mut())
}

/// Number of bytes of [`sketch_pixels`].
#[unsafe(no_mangle)]
pub extern "C" fn sketch_pixels_length() -> usize {
    with(|page| page.pixels.len()).unwrap_or(0)
}

/// The answer, to be filled before [`sketch_answer`]: red, green and blue, row by row.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_answer_pixels() -> *mut u8 {
    with(|page| page.answer.as_mut_ptr()).unwrap_or(std::ptr::null_mut())
}

/// Number of bytes of [`sketch_answer_pixels`].
#[unsafe(no_mangle)]
pub extern "C" fn sketch_answer_length() -> usize {
    with(|page| page.answer.len()).unwrap_or(0)
}

/// Translates what the page wrote to where [`sketch_pixels`] was, into [`sketch_answer_pixels`].
#[unsafe(no_mangle)]
pub extern "C" fn sketch_translate() {
    with(|page| {
        if let Ok(image) = page.cpu.translate(&page.pixels) {
            for (to, pixel) in page.answer.chunks_exact_mut(3).zip(image.pixels()) {
                to.copy_from_slice(&pixel);
            }
        }
    });
}

/// Draws the answer to a version. Returns the address of the canvas if it did, otherwise 0.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_answer(version: u64) -> *const u8 {
    with(|page| {
        let image = Image::from_bytes(&page.answer, page.shape);
        match page.sketch.answer(image, version, &mut page.canvas) {
            Ok(true) => page.canvas.bytes(),
            Ok(false) | Err(_) => std::ptr::null(),
        }
    })
    .unwrap_or(std::ptr::null())
}

/// What is saved, 516 x 256 pixels: the drawing and the last answer; 0 if nothing is drawn.
#[unsafe(no_mangle)]
pub extern "C" fn sketch_pair() -> *const u8 {
    with(|page| {
        let image = Image::from_bytes(&page.answer, page.shape);
        if page.sketch.is_blank() || page.sketch.pair(image, &mut page.pair).is_err() {
            return std::ptr::null();
        }
        page.sketch.saved();
        page.pair.bytes()
    })
    .unwrap_or(std::ptr::null())
}

fn with<T>(work: impl FnOnce(&mut Page) -> T) -> Option<T> {
    PAGE.with_borrow_mut(|page| page.as_mut().map(work))
}
