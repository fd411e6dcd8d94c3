//! What a winter's day adds to a person: sky and snow behind, snow on whatever faces up, a red nose,
//! and flakes in front.

use super::head::glow;
use super::pen::{At, Ink, Pen, Shape};
use super::person::Person;
use super::tone::{Tone, WHITE};
use crate::rng::Rng;

const SNOW: Tone = Tone::hex(0xf7fbff);
/// Shadow on snow: blue, as the sky lights it.
const SHADOW: Tone = Tone::hex(0xa9c1df);
const RED: Tone = Tone::hex(0xe0453f);

/// Distance of the points at which the outline of a person is looked up.
const STEP: f32 = 1.5;
/// Slope from which snow slides off.
const STEEP: f32 = 1.5;
/// Shortest ledge that snow stays on.
const LEDGE: usize = 4;

/// The background, opaque: a cold sky over hills in the snow, with firs on some of them.
pub(super) fn land(rng: &mut Rng, pen: &mut Pen) {
    let (high, low) = rng.pick(&[
        (0x8fb4dc, 0xe4eef8),
        (0xa9bdd3, 0xeef3f8),
        (0x7d9cc8, 0xf0d9d6),
        (0x6f86b5, 0xc3d3ea),
    ]);
    let sky = Ink::Linear(
        (0.0, -46.0),
        Tone::hex(high).alpha(1.0),
        (0.0, 24.0),
        Tone::hex(low).alpha(1.0),
    );
    pen.fill(Shape::plate(0.0, 0.0, 51.0, 51.0, 0.0), sky);
    flakes(rng, pen, 22, (0.6, 1.1), 0.75);
    let drift = rng.range(-8.0, 8.0);
    pen.fill(Shape::oval(30.0 + drift, 46.0, 54.0, 32.0), SHADOW.mix(SNOW, 0.45));
    for _ in 0..rng.below(4) {
        let side = rng.pick(&[-1.0, 1.0]);
        let foot = (side * rng.range(27.0, 42.0), rng.range(22.0, 30.0));
        fir(rng, pen, foot);
    }
    pen.fill(Shape::oval(-32.0 + drift, 48.0, 56.0, 30.0), SNOW);
}

/// A fir with its foot here, in three tiers with snow on each.
fn fir(rng: &mut Rng, pen: &mut Pen, (x, y): At) {
    let (tall, needles) =
        (rng.range(26.0, 40.0), Tone::hex(0x2f5d50).mix(SHADOW, rng.unit() * 0.4));
    for tier in 0..3 {
        let tier = tier as f32;
        let (foot, top) = (y - tall * 0.24 * tier, y - tall * (0.52 + 0.24 * tier));
        let half = tall * (0.27 - 0.065 * tier);
        let boughs = Shape::at(x, top).line(x + half, foot).line(x - half, foot);
        pen.fill(boughs.close(), needles);
        let cap = Shape::at(x, top - 0.6).line(x + 0.62 * half, foot - 0.36 * (foot - top)).quad(
            (x, foot - 0.6 * (foot - top)),
            x - 0.62 * half,
            foot - 0.36 * (foot - top),
        );
        pen.fill(cap.close(), SNOW);
    }
}

/// On a face: the red that the cold brings to nose and cheeks.
pub(super) fn cold(p: &Person, pen: &mut Pen) {
    let (x, y) = p.turn(0.0, p.nose.long, 1.65);
    glow(pen, (x, y), p.nose.wide + 3.2, 4.6, RED, 0.95);
    for side in [-1.0, 1.0] {
        let cheek = p.turn(side * 11.0, p.nose.long + 0.5, 0.9);
        glow(pen, cheek, 5.6, 4.4, RED, 0.5);
    }
}

/// Over the person: the light of a gray day.
pub(super) fn light(pen: &mut Pen) {
    let all = Shape::plate(0.0, 0.0, 51.0, 51.0, 0.0);
    pen.fill(all, Tone::hex(0xbdd4f4).alpha(0.14));
}

/// Snow on a person whose highest points are `top`.
pub(super) fn snow(rng: &mut Rng, pen: &mut Pen, top: impl Fn(f32) -> Option<f32>) {
    let deep = rng.range(3.6, 6.2);
    let all: Vec<Option<At>> = (0..=(86.0 / STEP) as i32)
        .map(|i| {
            let x = i as f32 * STEP - 43.0;
            Some((x, top(x)?))
        })
        .collect();
    let mut ledge: Vec<At> = Vec::new();
    for point in all.into_iter().chain([None]) {
        let goes_on = match (ledge.last(), point) {
            (Some(last), Some(point)) => (point.1 - last.1).abs() < STEEP * STEP,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if !goes_on {
            heap(rng, pen, &ledge, deep);
            ledge.clear();
        }
        ledge.extend(point);
    }
}

/// Snow on a ledge, thinner where it is steep and at its ends.
fn heap(rng: &mut Rng, pen: &mut Pen, ledge: &[At], deep: f32) {
    if ledge.len() < LEDGE {
        return;
    }
    let last = ledge.len() - 1;
    let thick = |i: usize| {
        let (a, b) = (ledge[i.saturating_sub(1)], ledge[(i + 1).min(last)]);
        let slope = (b.1 - a.1).abs() / (b.0 - a.0).max(STEP);
        let end = (i.min(last - i) as f32 / 3.0).min(1.0);
        (1.0 - 0.6 * slope / STEEP).max(0.0) * end
    };
    let above: Vec<At> = (0..=last).map(|i| (ledge[i].0, ledge[i].1 - 1.6 * thick(i))).collect();
    let below: Vec<At> = (0..=last)
        .map(|i| (ledge[i].0, ledge[i].1 + thick(i) * deep * rng.range(0.75, 1.15)))
        .collect();
    let back: Vec<At> = below.iter().rev().copied().collect();
    let (x, y) = above[0];
    pen.fill(Shape::at(x, y).through(&above[1..]).through(&back).close(), SNOW);
    let (x, y) = below[0];
    pen.line(Shape::at(x, y).through(&below[1..]), 0.9, SHADOW.alpha(0.7));
}

/// Falling snow, `count` flakes of these radii.
pub(super) fn flakes(
    rng: &mut Rng,
    pen: &mut Pen,
    count: usize,
    (small, large): (f32, f32),
    alpha: f32,
) {
    for _ in 0..count {
        let (x, y) = (rng.range(-43.0, 43.0), rng.range(-44.0, 42.0));
        let r = rng.range(small, large);
        pen.fill(Shape::oval(x, y, r, r), WHITE.alpha(alpha));
    }
}
