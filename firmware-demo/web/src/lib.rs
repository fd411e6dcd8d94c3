//! The kiosk and the sketch as a WebAssembly module. The page calls these functions and copies the picture from the
//! module's memory to a canvas, without generated bindings.
#![allow(unsafe_code, reason = "exports functions to the page")]

mod canvas;
mod sketch;

use std::cell::RefCell;
use std::collections::BTreeSet;

use embedded_graphics::geometry::Size;
use firmware_demo::{Kiosk, Show};
use runtime::{Cpu, Model};

use crate::canvas::Canvas;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 344;

struct Page {
    kiosk: Kiosk<Cpu<'static>>,
    favorites: BTreeSet<u64>,
    canvas: Canvas,
}

thread_local! {
    static PAGE: RefCell<Option<Page>> = const { RefCell::new(None) };
}

/// Width of the picture in pixels.
#[unsafe(no_mangle)]
pub extern "C" fn width() -> u32 {
    WIDTH
}

/// Height of the picture in pixels.
#[unsafe(no_mangle)]
pub extern "C" fn height() -> u32 {
    HEIGHT
}

/// Starts at the face of a seed, at 30 frames per second. Returns 1, or 0 if the model is damaged.
#[unsafe(no_mangle)]
pub extern "C" fn start(seed: u64) -> u32 {
    let record = runtime::include_record!("../../../models/pretrained/faces64.bpk");
    let Ok(model) = Model::parse(record) else {
        return 0;
    };
    // Called once; the model lives as long as the page.
    let model = Box::leak(Box::new(model));
    let arena = vec![0.0; model.arena_len()].leak();
    let Ok(cpu) = Cpu::new(model, arena) else {
        return 0;
    };
    let show = Show { seed, dwell: 90, morph: 90, ..Show::default() };
    let page = Page {
        kiosk: Kiosk::new(cpu, show),
        favorites: BTreeSet::new(),
        canvas: Canvas::new(Size::new(WIDTH, HEIGHT)),
    };
    PAGE.replace(Some(page));
    1
}

/// Advances by `passed` frames. Returns the address of the picture if it changed, otherwise 0.
#[unsafe(no_mangle)]
pub extern "C" fn frame(passed: u32) -> *const u8 {
    with(|page| {
        page.kiosk.advance(passed.into());
        page.kiosk.star(page.favorites.contains(&page.kiosk.seed()));
        match page.kiosk.draw(&mut page.canvas) {
            Ok(true) => page.canvas.bytes(),
            Ok(false) | Err(_) => std::ptr::null(),
        }
    })
    .unwrap_or(std::ptr::null())
}

/// Handles a key: 0 holds or resumes, 1 skips to the next face, 2 returns to the previous one, 3 adds
/// the face to the favorites or removes it.
#[unsafe(no_mangle)]
pub extern "C" fn press(key: u32) {
    with(|page| match key {
        0 => page.kiosk.hold(!page.kiosk.held()),
        1 => page.kiosk.next(),
        2 => page.kiosk.previous(),
        3 => {
            let seed = page.kiosk.seed();
            if !page.favorites.remove(&seed) {
                page.favorites.insert(seed);
            }
        }
        _ => {}
    });
}

/// The seed of the current face.
#[unsafe(no_mangle)]
pub extern "C" fn seed() -> u64 {
    with(|page| page.kiosk.seed()).unwrap_or(0)
}

/// Whether the current face is a favorite.
#[unsafe(no_mangle)]
pub extern "C" fn is_favorite() -> u32 {
    with(|page| page.favorites.contains(&page.kiosk.seed()) as u32).unwrap_or(0)
}

fn with<T>(work: impl FnOnce(&mut Page) -> T) -> Option<T> {
    PAGE.with_borrow_mut(|page| page.as_mut().map(work))
}
