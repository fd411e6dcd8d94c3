//! Nose and mouth.

use super::head::glow;
use super::pen::{At, Ink, Pen, Shape};
use super::person::Person;
use super::tone::{Tone, WHITE};
use super::traits::{Mouth, MouthKind, NoseKind};

/// The nose.
pub(super) fn nose(p: &Person, pen: &mut Pen) {
    let n = &p.nose;
    // Shadows fall away from the light, and a turned head shows the nose from the side.
    let d = if p.yaw.abs() > 0.3 { p.yaw.signum() } else { -p.light };
    let on = |x: f32, y: f32, depth: f32| p.turn(x, y, depth);
    let (tip, root) = (on(0.0, n.long, 1.65), on(0.0, -1.5, 1.05));
    let ink = p.shade.dark(0.10 + 0.1 * p.contrast);

    let (side, low) = (on(d * n.wide, n.long - 0.2, 1.5), on(0.0, n.long + 0.6, 1.6));
    let wedge =
        Shape::at(root.0 + d * 0.6, root.1).line(tip.0, tip.1 - 1.0).quad(low, side.0, side.1);
    pen.fill(wedge.close(), p.shade.alpha(0.22 + 0.2 * p.contrast));
    glow(pen, (tip.0, tip.1 + 0.2), n.wide + 1.0, 2.6, p.shade, 0.42);
    let shine = tip.0 - d * 0.7;
    pen.line(
        Shape::at(root.0 - d * 0.4, root.1 + 2.5).line(shine, tip.1 - 3.2),
        1.0,
        p.skin.light(0.5).alpha(0.35),
    );
    glow(pen, (shine, tip.1 - 1.7), 1.9, 1.6, p.skin.light(0.85), 0.75);

    let nostril = |pen: &mut Pen, side: f32, r: f32| {
        let (x, y) = on(side * n.wide * 0.48, n.long + 0.9, 1.55);
        pen.fill(Shape::oval(x, y, r, r * 0.62), p.shade.dark(0.45).alpha(0.8));
    };
    let wing = |side: f32| -> [At; 3] {
        [
            on(side * n.wide * 0.82, n.long - 1.9, 1.5),
            on(side * (n.wide + 1.0), n.long + 0.4, 1.5),
            on(side * n.wide * 0.72, n.long + 1.4, 1.55),
        ]
    };
    match n.kind {
        NoseKind::Button => {
            let (a, b) =
                (on(-n.wide * 0.62, n.long + 0.5, 1.55), on(n.wide * 0.62, n.long + 0.5, 1.55));
            pen.line(
                Shape::at(a.0, a.1).quad((tip.0, tip.1 + 2.6), b.0, b.1),
                0.95,
                ink.alpha(0.85),
            );
        }
        NoseKind::Line => {
            let (bridge, hook) =
                (on(d * 1.3, 0.5, 1.15), on(-d * n.wide * 0.35, n.long + 1.3, 1.6));
            let (bend, out) =
                (on(d * 1.4, n.long * 0.5, 1.4), on(d * n.wide * 0.95, n.long - 0.2, 1.55));
            let shape = Shape::at(bridge.0, bridge.1).quad(bend, out.0, out.1);
            let under = on(d * n.wide * 0.8, n.long + 1.7, 1.6);
            pen.line(shape.quad(under, hook.0, hook.1), 0.9, ink.alpha(0.85));
        }
        NoseKind::Broad => {
            for side in [-1.0, 1.0] {
                let [a, b, c] = wing(side);
                pen.line(Shape::at(a.0, a.1).quad(b, c.0, c.1), 0.85, ink.alpha(0.8));
                nostril(pen, side, 0.95);
            }
        }
    }
    if n.kind == NoseKind::Button {
        nostril(pen, -1.0, 0.6);
        nostril(pen, 1.0, 0.6);
    }
}

/// The mouth.
pub(super) fn mouth(p: &Person, pen: &mut Pen) {
    let m = &p.mouth;
    let y = p.nose.long.mul_add(0.45, 13.0).min(p.build.end - 8.2);
    let (cx, cy) = p.turn(0.0, y, 1.25);
    let on = |x: f32, y: f32| {
        let far = if x * p.yaw > 0.0 { 1.0 - 0.12 * p.yaw.abs() } else { 1.0 };
        (cx + x * far, cy + y)
    };
    glow(pen, on(0.0, 4.6 + m.full), 5.4, 2.2, p.shade, 0.38);
    match m.kind {
        MouthKind::Closed | MouthKind::Smirk => closed(p, pen, m, &on),
        MouthKind::Thin => {
            let (l, r) = (on(-m.wide, -1.6 * m.smile), on(m.wide, -1.6 * m.smile));
            pen.line(
                Shape::at(l.0, l.1).quad(on(0.0, 2.2 * m.smile), r.0, r.1),
                1.25,
                p.lips.dark(0.45),
            );
        }
        MouthKind::Teeth => open(p, pen, m, 3.6, &on),
        MouthKind::Laugh => open(p, pen, m, 6.4, &on),
        MouthKind::Oh => {
            let (x, y) = on(0.0, 0.8);
            pen.fill(Shape::oval(x, y, 3.0 + m.full, 3.6), p.lips);
            pen.fill(Shape::oval(x, y + 0.1, 2.0 + m.full * 0.6, 2.4), Tone::hex(0x4a1420));
            pen.fill(Shape::oval(x, y + 1.5, 1.5, 0.9), Tone::hex(0xc4515c));
        }
    }
}

fn closed(p: &Person, pen: &mut Pen, m: &Mouth, on: &dyn Fn(f32, f32) -> At) {
    let skew = if m.kind == MouthKind::Smirk { 0.75 * p.light } else { 0.0 };
    let up = -1.5 * m.smile - skew.abs();
    let (w, f) = (m.wide * 0.92, m.full);
    let (l, r, dip) = (on(-w, up + skew), on(w, up - skew), on(0.0, 0.9 * m.smile));
    let upper = Shape::at(l.0, l.1)
        .quad(on(-0.45 * w, -1.7 * f + up * 0.4), on(-0.16 * w, -1.9 * f).0, on(0.0, -1.9 * f).1)
        .quad(on(0.0, -f), on(0.16 * w, 0.0).0, on(0.0, -1.9 * f).1)
        .quad(on(0.45 * w, -1.7 * f + up * 0.4), r.0, r.1)
        .quad(dip, l.0, l.1);
    pen.fill(upper.close(), p.lips.mix(p.shade.dark(0.2), 0.28));
    let lower = Shape::at(l.0 + 0.8, l.1 + 0.2)
        .quad(on(0.0, 4.6 * f + m.smile), r.0 - 0.8, r.1 + 0.2)
        .quad(dip, l.0 + 0.8, l.1 + 0.2);
    let (top, bottom) = (on(0.0, 0.0), on(0.0, 3.4 * f));
    pen.fill(
        lower.close(),
        Ink::Linear(top, p.lips.alpha(1.0), bottom, p.lips.light(0.14).alpha(1.0)),
    );
    let (gx, gy) = on(p.light * 1.4, 1.7 * f + 0.4 * m.smile);
    pen.fill(Shape::oval(gx, gy, 1.9, 0.5), WHITE.alpha(0.28));
    pen.line(Shape::at(l.0, l.1).quad(dip, r.0, r.1), 0.8, p.lips.dark(0.55));
    corner(p, pen, l, -1.0);
    corner(p, pen, r, 1.0);
}

/// Teeth, and with a larger `gap` a tongue.
fn open(p: &Person, pen: &mut Pen, m: &Mouth, gap: f32, on: &dyn Fn(f32, f32) -> At) {
    let up = -1.2 - 0.9 * m.smile;
    let (l, r) = (on(-m.wide, up), on(m.wide, up));
    let inside = |grow: f32| {
        let (l, r) = (on(-m.wide - grow, up - grow * 0.2), on(m.wide + grow, up - grow * 0.2));
        let low = gap * 1.32 + grow;
        Shape::at(l.0, l.1)
            .quad(on(0.0, -0.2 - 1.6 * grow), r.0, r.1)
            .cubic(on(m.wide * 0.72 + grow, low), on(-m.wide * 0.72 - grow, low), l.0, l.1)
            .close()
    };
    pen.fill(inside(0.75 + 0.65 * m.full), p.lips);
    pen.fill(inside(0.0), Tone::hex(0x571824));
    pen.clip(inside(0.0));
    if gap > 5.0 {
        let (x, y) = on(0.0, gap * 0.98);
        pen.fill(Shape::oval(x, y, m.wide * 0.62, 2.5), Tone::hex(0xd4616b));
    }
    let deep = if gap > 5.0 { 2.1 } else { 2.7 };
    let teeth = Shape::at(l.0, l.1 - 3.0)
        .line(r.0, r.1 - 3.0)
        .line(r.0, r.1)
        .quad(on(0.0, -0.2 + deep * 1.7), l.0, l.1)
        .close();
    pen.fill(teeth, Tone::hex(0xfffdf8));
    pen.unclip();
    corner(p, pen, l, -1.0);
    corner(p, pen, r, 1.0);
}

/// The crease at a corner of a smile.
fn corner(p: &Person, pen: &mut Pen, (x, y): At, side: f32) {
    if p.mouth.smile > 0.25 {
        let crease =
            Shape::at(x + side * 0.5, y - 1.2).quad((x + side * 1.6, y), x + side * 0.6, y + 1.3);
        pen.line(crease, 0.65, p.shade.dark(0.1).alpha(0.7));
    }
}
