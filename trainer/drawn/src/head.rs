//! Neck, ears, the head and the light on it.

use super::pen::{At, Ink, Pen, Shape};
use super::person::Person;
use super::tone::{Tone, WHITE};
use super::traits::Earring;

/// The head's outline, larger by `more`.
pub(super) fn outline(p: &Person, more: f32) -> Shape {
    Shape::blob(&points(p, more))
}

fn points(p: &Person, more: f32) -> Vec<At> {
    let b = &p.build;
    let right = [
        (0.62 * b.temple, -25.4 - more),
        (b.temple + more, -14.0),
        (b.cheek + more, 1.0),
        (b.jaw + more, 13.5),
        (b.chin + more, b.end - 3.6 + more),
    ];
    let left = right.iter().rev().map(|&(x, y)| (-x, y));
    let mut all = vec![(0.0, -28.0 - more)];
    all.extend(right);
    all.push((0.0, b.end + more));
    all.extend(left);
    // The chin stands out further than the crown.
    all.iter().map(|&(x, y)| p.turn(x, y, 0.12 + 0.0105 * (y + 28.0))).collect()
}

/// Behind the head: the neck, with the head's shadow on it.
pub(super) fn neck(p: &Person, pen: &mut Pen) {
    let w = 7.6 + 2.8 * p.rugged;
    let neck = Shape::at(-w, 10.0)
        .line(-w, 28.0)
        .cubic((-w, 34.0), (-w - 4.0, 36.0), -w - 13.0, 38.5)
        .line(-w - 13.0, 60.0)
        .line(w + 13.0, 60.0)
        .line(w + 13.0, 38.5)
        .cubic((w + 4.0, 36.0), (w, 34.0), w, 28.0)
        .line(w, 10.0)
        .close();
    let (from, to) = ((p.light * 12.0, 20.0), (-p.light * 12.0, 40.0));
    pen.fill(
        neck.clone(),
        Ink::Linear(from, p.skin.alpha(1.0), to, p.skin.mix(p.shade, 0.6).alpha(1.0)),
    );
    pen.clip(neck);
    let drop =
        Shape::oval(-p.light * 1.5 + p.yaw * 1.5, p.build.end - 4.0, p.build.jaw * 0.95, 11.5);
    pen.fill(drop, p.shade.alpha(0.55 + 0.25 * p.contrast));
    pen.unclip();
}

/// Both ears, or the one that can be seen.
pub(super) fn ears(p: &Person, pen: &mut Pen) {
    for side in [-1.0, 1.0] {
        // The one on the far side goes behind the head.
        let hidden = (side * p.yaw).max(0.0);
        let (x, y) = p.turn(side * (p.build.cheek + 0.6 - 2.6 * hidden), 3.0, 0.1);
        let ear = Shape::oval(x, y, 3.7, 5.4);
        let lit = p.skin.mix(p.shade, 0.14 + if side == p.light { 0.0 } else { 0.3 * p.contrast });
        pen.fill(ear, lit);
        let fold = Shape::at(x + side * 1.4, y - 3.0).quad(
            (x - side * 1.8, y - 1.0),
            x + side * 0.4,
            y + 2.8,
        );
        pen.line(fold, 1.0, p.shade.alpha(0.7));
    }
}

/// In front of ears: what hangs from them.
pub(super) fn earrings(p: &Person, pen: &mut Pen) {
    let gold = if p.trim.luma() > 0.55 { Tone::hex(0xe9bd4e) } else { Tone::hex(0xd9dde3) };
    for side in [-1.0, 1.0] {
        if side * p.yaw > 0.45 {
            continue;
        }
        let (x, y) = p.turn(side * (p.build.cheek + 1.2), 8.2, 0.1);
        match p.earring {
            Earring::None => {}
            Earring::Stud => {
                pen.fill(Shape::oval(x, y, 1.3, 1.3), gold);
                pen.fill(Shape::oval(x - 0.4, y - 0.4, 0.45, 0.45), WHITE);
            }
            Earring::Hoop => pen.line(Shape::oval(x, y + 2.9, 2.6, 3.0), 0.9, gold),
            Earring::Drop => {
                pen.line(Shape::at(x, y - 0.5).line(x, y + 2.5), 0.6, gold);
                let drop = Shape::at(x, y + 1.6).quad((x + 2.6, y + 6.0), x, y + 6.6);
                pen.fill(drop.quad((x - 2.6, y + 6.0), x, y + 1.6).close(), p.trim);
            }
        }
    }
}

/// The head itself: skin, light, cheeks, what age and the sun leave.
pub(super) fn head(p: &Person, pen: &mut Pen) {
    let l = p.light;
    let bright = p.skin.light(0.10 + 0.08 * p.contrast);
    let dim = p.skin.mix(p.shade, 0.25 + 0.5 * p.contrast);
    pen.fill(
        outline(p, 0.0),
        Ink::Linear((l * 16.0, -18.0), bright.alpha(1.0), (-l * 24.0, 16.0), dim.alpha(1.0)),
    );
    pen.clip(outline(p, 0.0));

    // The side away from the light, softly, and the underside of jaw and chin.
    let side = p.shade.alpha(0.75 * p.contrast);
    pen.fill(
        Shape::plate(0.0, 0.0, 26.0, 32.0, 0.0),
        Ink::Linear((-l * 25.0, 2.0), side, (-l * 10.0, 0.0), p.shade.alpha(0.0)),
    );
    pen.fill(
        Shape::plate(0.0, 25.0, 26.0, 10.0, 0.0),
        Ink::Linear(
            (0.0, p.build.end + 1.0),
            p.shade.alpha(0.55),
            (0.0, p.build.end - 8.0),
            p.shade.alpha(0.0),
        ),
    );

    // Eye sockets, cheeks, forehead.
    for side in [-1.0, 1.0] {
        let (x, y) = p.turn(side * p.eyes.apart, -1.5, 1.0);
        glow(pen, (x, y), 8.0, 6.5, p.shade, 0.30);
        let (x, y) = p.turn(side * 12.3, 9.2, 0.8);
        glow(pen, (x, y), 6.2, 5.0, p.skin.mix(Tone::hex(0xe2353f), 0.6), 0.10 + 0.55 * p.blush);
        glow(pen, (x - side, y - 4.2), 4.6, 2.6, p.skin.light(0.6), 0.30);
    }
    let (x, y) = p.turn(l * 4.5, -17.0, 0.6);
    glow(pen, (x, y), 9.0, 5.5, p.skin.light(0.7), 0.38);
    let (x, y) = p.turn(0.0, p.build.end - 4.6, 0.9);
    glow(pen, (x, y), 4.2, 2.8, p.skin.light(0.6), 0.30);
    if p.freckles {
        freckles(p, pen);
    }
    wrinkles(p, pen);
    pen.unclip();
}

/// A soft spot.
pub(super) fn glow(pen: &mut Pen, (x, y): At, rx: f32, ry: f32, tone: Tone, alpha: f32) {
    let r = rx.max(ry);
    pen.fill(Shape::oval(x, y, rx, ry), Ink::Radial((x, y), r, tone.alpha(alpha), tone.alpha(0.0)));
}

fn freckles(p: &Person, pen: &mut Pen) {
    // Not random: freckles that jump about from face to face would be noise.
    let spots = [
        (5.2, 6.2),
        (8.0, 7.4),
        (10.8, 6.4),
        (13.4, 7.8),
        (6.6, 9.0),
        (9.6, 9.4),
        (12.2, 10.2),
        (15.4, 5.9),
        (1.2, 4.4),
    ];
    for (i, (x, y)) in spots.into_iter().enumerate() {
        for side in [-1.0, 1.0] {
            let (x, y) = p.turn(side * x, y + side * 0.5, 0.9);
            pen.fill(
                Shape::oval(x, y, 0.62 + 0.12 * (i % 3) as f32, 0.6),
                Tone::hex(0x9c5526).alpha(0.55),
            );
        }
    }
}

fn wrinkles(p: &Person, pen: &mut Pen) {
    let deep = (p.age - 0.68).max(0.0) * 1.9;
    if deep < 0.05 {
        return;
    }
    let ink = p.shade.dark(0.12);
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| p.turn(side * x, y, 1.0);
        let (a, b, c) = (at(5.4, 9.4), at(8.8, 12.0), at(9.4, 16.2));
        pen.line(Shape::at(a.0, a.1).quad(b, c.0, c.1), 0.8, ink.alpha(deep));
        let (a, b, c) = (at(5.5, 5.2), at(9.6, 7.4), at(13.4, 5.2));
        pen.line(Shape::at(a.0, a.1).quad(b, c.0, c.1), 0.6, ink.alpha(deep * 0.7));
    }
    for (i, y) in [-14.0, -17.5].into_iter().enumerate() {
        let w = 8.0 - 1.5 * i as f32;
        let (a, b, c) = (p.turn(-w, y, 0.8), p.turn(0.0, y - 1.4, 0.8), p.turn(w, y, 0.8));
        pen.line(Shape::at(a.0, a.1).quad(b, c.0, c.1), 0.7, ink.alpha(deep * 0.8));
    }
}
