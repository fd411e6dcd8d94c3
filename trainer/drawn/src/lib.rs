//! Data sets that need no download: faces drawn by the program and, in [`digits`], digits.
//!
//! A seed decides a person, and the person is drawn from back to front as one would on paper: wall,
//! hair behind the head, neck and clothes, head, features, hair, glasses, hat. Heads are centered
//! with the eyes on one line, as in aligned photographs, so that a small network can learn them.

mod beard;
pub mod digits;
mod eyes;
mod felt;
mod glasses;
mod hair;
mod hat;
mod head;
mod mouth;
mod ornament;
mod pen;
mod person;
mod rng;
mod scene;
mod tone;
mod traits;
mod winter;

use image::{GrayImage, Luma, RgbImage};

use self::pen::{At, Pen};
use self::person::Person;
pub use self::rng::Rng;

/// Changes whenever a seed's face does.
pub const VERSION: u64 = 1;

/// Small faces are drawn at this size at least and then averaged: with antialiasing alone their
/// thin lines flicker.
const DRAWN: u32 = 96;

/// Largest size that is drawn.
const MOST: u32 = 8192;

/// The point about which heads turn.
const NECK: At = (0.0, 30.0);

/// The stream of a seed's numbers that decides the weather of [`winter()`].
const WEATHER: u64 = 1;

/// The face of a seed: the same one at every size, up to detail. At most 8192 pixels; larger ones
/// are empty.
pub fn face(seed: u64, size: u32) -> RgbImage {
    let by = DRAWN.div_ceil(size.max(1)).clamp(1, 16);
    let Some(mut pen) = Pen::new(size.min(MOST) * by) else {
        return RgbImage::new(size, size);
    };
    let mut rng = Rng::new(seed, 0);
    let person = Person::new(&mut rng);
    draw(&person, &mut rng, &mut pen);
    pen.picture(by)
}

/// The line drawing of a seed's face: outlines in black on white, without the background.
pub fn sketch(seed: u64, size: u32) -> GrayImage {
    let by = DRAWN.div_ceil(size.max(1)).clamp(1, 16);
    let Some(mut pen) = Pen::sketch(size.min(MOST) * by) else {
        return GrayImage::new(size, size);
    };
    figure(&Person::new(&mut Rng::new(seed, 0)), &mut pen);
    let lines = pen.picture(by);
    GrayImage::from_fn(lines.width(), lines.height(), |x, y| Luma([lines.get_pixel(x, y)[0]]))
}

/// The face of a seed on a winter's day: the same person in the cold, with snow on what faces up.
pub fn winter(seed: u64, size: u32) -> RgbImage {
    let by = DRAWN.div_ceil(size.max(1)).clamp(1, 16);
    let side = size.min(MOST) * by;
    let (Some(mut pen), Some(mut person_pen)) = (Pen::new(side), Pen::new(side)) else {
        return RgbImage::new(size, size);
    };
    let person = Person::new(&mut Rng::new(seed, 0));
    let mut rng = Rng::new(seed, WEATHER);
    let straight = |pen: &mut Pen| pen.place(0.0, (0.0, 0.0), (0.0, 0.0));
    straight(&mut pen);
    winter::land(&mut rng, &mut pen);
    // Apart from the land, so that the outline is known.
    figure(&person, &mut person_pen);
    person_pen.place(person.tilt, NECK, (0.0, 0.0));
    winter::cold(&person, &mut person_pen);
    pen.lay(&person_pen);
    winter::light(&mut pen);
    winter::snow(&mut rng, &mut pen, |x| person_pen.top(x));
    winter::flakes(&mut rng, &mut pen, 30, (0.8, 1.7), 0.95);
    pen.picture(by)
}

fn draw(p: &Person, rng: &mut Rng, pen: &mut Pen) {
    pen.place(0.0, (0.0, 0.0), (0.0, 0.0));
    scene::wall(p, rng, pen);
    figure(p, pen);
    scene::light(p, rng, pen);
}

/// The person, without background and light.
fn figure(p: &Person, pen: &mut Pen) {
    let body = |pen: &mut Pen| pen.place(0.0, (0.0, 0.0), (0.0, 0.0));
    let head = |pen: &mut Pen| pen.place(p.tilt, NECK, (0.0, 0.0));
    head(pen);
    hat::back(p, pen);
    hair::back(p, pen);
    body(pen);
    head::neck(p, pen);
    scene::clothes(p, pen);
    hair::drape(p, pen);
    head(pen);
    head::ears(p, pen);
    head::head(p, pen);
    mouth::nose(p, pen);
    eyes::eyes(p, pen);
    eyes::brows(p, pen);
    beard::beard(p, pen);
    mouth::mouth(p, pen);
    head::earrings(p, pen);
    glasses::temples(p, pen);
    hair::front(p, pen);
    glasses::glasses(p, pen);
    hat::front(p, pen);
    body(pen);
}
