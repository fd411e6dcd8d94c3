//! Beards and moustaches.

use super::pen::{At, Ink, Pen, Shape};
use super::person::Person;
use super::traits::Beard;

/// What grows below the nose; the mouth is drawn over it.
pub(super) fn beard(p: &Person, pen: &mut Pen) {
    match p.beard {
        Beard::None => {}
        Beard::Stubble => full(p, pen, 0.0, 0.30),
        Beard::Moustache => moustache(p, pen, 0.0),
        Beard::Handlebar => moustache(p, pen, 3.0),
        Beard::Goatee => {
            goatee(p, pen);
            moustache(p, pen, 0.0);
        }
        Beard::Full => {
            full(p, pen, 2.4, 0.97);
            moustache(p, pen, 0.0);
        }
        Beard::Long => {
            full(p, pen, 11.0, 0.98);
            moustache(p, pen, 1.2);
        }
    }
}

fn fill(p: &Person, pen: &mut Pen, shape: Shape, alpha: f32) {
    let (lit, dim) = (p.brow.light(0.12).mix(p.shade, 0.08), p.brow.dark(0.3).mix(p.shade, 0.08));
    pen.fill(
        shape,
        Ink::Linear(
            (p.light * 16.0, 2.0),
            lit.alpha(alpha),
            (-p.light * 18.0, 26.0),
            dim.alpha(alpha),
        ),
    );
}

/// From ear to ear, `low` below the chin; round the mouth it leaves the lips free.
fn full(p: &Person, pen: &mut Pen, low: f32, alpha: f32) {
    let b = &p.build;
    let out = low.min(2.0) * 0.5;
    let half = [
        (b.cheek - 0.4 + out * 0.4, 1.0),
        (b.jaw + 0.4 + out, 13.6),
        (b.chin + 1.0 + out + low * 0.12, b.end - 3.4 + low * 0.55),
    ];
    let middle = (0.0, b.end + 0.4 + low);
    let inner = [
        (5.0, p.nose.long + 4.0),
        (10.4, p.nose.long + 5.6),
        (b.jaw - 3.6, 9.5),
        (b.cheek - 3.0, 1.5),
    ];
    let mut points: Vec<At> = half.to_vec();
    points.push(middle);
    points.extend(half.iter().rev().map(|&(x, y)| (-x, y)));
    let mut cheek: Vec<At> = inner.iter().rev().map(|&(x, y)| (-x, y)).collect();
    cheek.push((0.0, p.nose.long + 3.4));
    cheek.extend(inner);
    let place = |points: &[At], depth: f32| p.turned(points, depth);
    let (outer, mut back) = (place(&points, 0.42), place(&cheek, 1.0));
    let Some(&(x, y)) = outer.first() else { return };
    back.push((x, y));
    let shape = Shape::at(x, y).through(&outer[1..]).through(&back).close();
    if low > 0.0 {
        fill(p, pen, shape.clone(), alpha);
        pen.clip(shape);
        for i in 0..9 {
            // Strands fall from the cheeks to the chin's tip.
            let a = i as f32 / 8.0 * 2.0 - 1.0;
            let (x, y) = p.turn(a * 13.0, 14.5 + 4.0 * (1.0 - a * a), 0.9);
            let (tx, ty) = p.turn(a * 9.0, b.end + low - 1.0 - 5.0 * a * a, 0.6);
            let tone = if i % 2 == 0 { p.brow.dark(0.45) } else { p.brow.light(0.3) };
            pen.line(
                Shape::at(x, y).quad((x * 1.08, (y + ty) * 0.5), tx, ty),
                0.8,
                tone.alpha(0.4),
            );
        }
        pen.unclip();
    } else {
        pen.clip(super::head::outline(p, 0.0));
        fill(p, pen, shape, alpha);
        pen.unclip();
    }
}

fn goatee(p: &Person, pen: &mut Pen) {
    let e = p.build.end;
    let m = p.nose.long.mul_add(0.45, 13.0).min(e - 8.2);
    let points = [
        (0.0, m + 3.4),
        (4.0, m + 4.2),
        (7.0, m + 1.0),
        (8.4, m + 4.0),
        (6.4, e - 1.4),
        (0.0, e + 2.4),
        (-6.4, e - 1.4),
        (-8.4, m + 4.0),
        (-7.0, m + 1.0),
        (-4.0, m + 4.2),
    ];
    fill(p, pen, Shape::blob(&p.turned(&points, 1.0)), 0.96);
}

/// Under the nose; `curl` turns its ends up.
fn moustache(p: &Person, pen: &mut Pen, curl: f32) {
    let y = p.nose.long + 2.2;
    let half = [
        (3.0, y - 0.1),
        (7.4, y + 2.2),
        (9.6 + curl * 0.9, y + 4.2 - curl * 1.7),
        (6.6, y + 5.0 - curl * 0.2),
    ];
    let mut points: Vec<At> = vec![(0.0, y + 0.5)];
    points.extend(half);
    points.push((0.0, y + 3.0));
    points.extend(half.iter().rev().map(|&(x, y)| (-x, y)));
    fill(p, pen, Shape::blob(&p.turned(&points, 1.3)), 0.98);
    for s in [-1.0, 1.0] {
        for x in [2.2, 4.4, 6.4] {
            let (a, b) = (p.turn(s * x * 0.7, y + 0.8, 1.3), p.turn(s * (x + 1.4), y + 3.6, 1.3));
            pen.line(Shape::at(a.0, a.1).line(b.0, b.1), 0.6, p.brow.dark(0.45).alpha(0.4));
        }
    }
}
