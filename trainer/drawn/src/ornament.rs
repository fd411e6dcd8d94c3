//! What else is worn on the head: bands, flowers, headphones, crowns.

use super::felt::felt;
use super::pen::{Ink, Pen, Shape};
use super::person::Person;
use super::tone::{Tone, WHITE};
use super::traits::Style;

/// A band around the forehead.
pub(super) fn band(p: &Person, pen: &mut Pen, t: f32) {
    let t = t - if p.style == Style::Bald { 3.2 } else { 1.0 };
    let (l, r) = (p.turn(-t, -13.5, 0.2), p.turn(t, -13.5, 0.2));
    let (l2, r2) = (p.turn(-t, -19.5, 0.2), p.turn(t, -19.5, 0.2));
    let shape = Shape::at(l.0, l.1)
        .line(l2.0, l2.1)
        .quad(p.turn(0.0, -28.6, 0.6), r2.0, r2.1)
        .line(r.0, r.1)
        .quad(p.turn(0.0, -20.6, 0.6), l.0, l.1);
    felt(p, pen, shape.close(), 0.0);
}

/// A flower behind the ear.
pub(super) fn flower(p: &Person, pen: &mut Pen) {
    let (x, y) = p.turn(-p.light * 17.0, -20.0, 0.4);
    for leaf in [-1.0, 1.0] {
        pen.fill(Shape::oval(x + leaf * 5.0, y + 3.6, 3.2, 1.7), Tone::hex(0x4f8f4a));
    }
    for (dx, dy) in [(0.0, -4.0), (3.8, -1.2), (2.4, 3.2), (-2.4, 3.2), (-3.8, -1.2)] {
        pen.fill(Shape::oval(x + dx, y + dy, 3.3, 3.3), p.trim.light(0.22));
        pen.fill(Shape::oval(x + dx * 0.6, y + dy * 0.6, 1.5, 1.5), p.trim.dark(0.2).alpha(0.45));
    }
    pen.fill(Shape::oval(x, y, 2.2, 2.2), Tone::hex(0xf6cf4a));
}

/// A bow.
pub(super) fn bow(p: &Person, pen: &mut Pen) {
    let (x, y) = p.turn(-p.light * 12.0, -28.5, 0.3);
    for s in [-1.0, 1.0] {
        let wing = Shape::at(x, y).through(&[
            (x + s * 7.0, y - 5.4),
            (x + s * 9.4, y - 1.0),
            (x + s * 7.6, y + 4.6),
            (x, y),
        ]);
        felt(p, pen, wing.close(), 0.0);
        pen.line(
            Shape::at(x + s * 1.5, y).line(x + s * 6.0, y - 1.2),
            0.8,
            p.trim.dark(0.45).alpha(0.7),
        );
    }
    pen.fill(Shape::oval(x, y, 2.3, 2.6), p.trim.dark(0.16));
}

/// The cups of headphones; their band is behind the head.
pub(super) fn phones(p: &Person, pen: &mut Pen) {
    for s in [-1.0, 1.0] {
        let hidden = (s * p.yaw).max(0.0);
        let (x, y) = p.turn(s * (p.build.cheek + 1.8 - 2.0 * hidden), 2.6, 0.1);
        pen.fill(Shape::plate(x, y, 4.4, 8.0, 3.6), p.trim.dark(0.4));
        pen.fill(Shape::plate(x + s * 1.0, y, 3.2, 6.6, 2.8), p.trim.light(0.1));
        pen.fill(Shape::oval(x + s * 1.4, y - 2.4, 1.0, 2.2), WHITE.alpha(0.4));
    }
}

/// A paper hat.
pub(super) fn party(p: &Person, pen: &mut Pen) {
    let (tip, l, r) =
        (p.turn(p.light * 3.0, -49.0, 0.1), p.turn(-10.5, -26.0, 0.4), p.turn(10.5, -26.0, 0.4));
    let cone =
        Shape::at(tip.0, tip.1).line(r.0, r.1).quad(p.turn(0.0, -22.5, 0.5), l.0, l.1).close();
    felt(p, pen, cone.clone(), 0.0);
    pen.clip(cone);
    for i in 0..4 {
        let y = -45.0 + 6.4 * i as f32;
        pen.line(Shape::at(-16.0, y + 3.0).line(16.0, y - 3.0), 2.0, p.cloth.light(0.4));
    }
    pen.unclip();
    pen.fill(Shape::oval(tip.0, tip.1 + 1.0, 3.0, 3.0), p.cloth.light(0.3));
}

/// A crown.
pub(super) fn crown(p: &Person, pen: &mut Pen) {
    let gold = [Tone::hex(0xffe08a), Tone::hex(0xd59a2a)];
    let points = [
        (-16.0, -24.0),
        (-18.5, -38.0),
        (-9.6, -31.5),
        (0.0, -41.0),
        (9.6, -31.5),
        (18.5, -38.0),
        (16.0, -24.0),
    ];
    let points = p.turned(&points, 0.35);
    let mut shape = Shape::at(points[0].0, points[0].1);
    for &(x, y) in &points[1..] {
        shape = shape.line(x, y);
    }
    let shape = shape.quad(p.turn(0.0, -28.0, 0.5), points[0].0, points[0].1).close();
    pen.fill(
        shape,
        Ink::Linear(
            (p.light * 16.0, -36.0),
            gold[0].alpha(1.0),
            (-p.light * 18.0, -26.0),
            gold[1].alpha(1.0),
        ),
    );
    for i in [1, 3, 5] {
        pen.fill(Shape::oval(points[i].0, points[i].1, 1.8, 1.8), Tone::hex(0xffe9ad));
    }
    for (x, tone) in [(-8.5, 0xd3455b), (0.0, 0x3f86c4), (8.5, 0x4f9a5f)] {
        let (x, y) = p.turn(x, -28.2 + 0.012 * x * x, 0.5);
        pen.fill(Shape::oval(x, y, 1.8, 1.6), Tone::hex(tone));
    }
}
