//! Hair: what lies behind the head and what lies on it.

mod long;
mod round;
mod scarf;
mod short;
mod tied;

use super::head::glow;
use super::pen::{At, Ink, Pen, Shape};
use super::person::Person;
use super::traits::Style;

/// Behind neck and head.
pub(super) fn back(p: &Person, pen: &mut Pen) {
    use Style::*;
    match p.style {
        Bald | Receding | Buzz | Crop | SidePart | Quiff | Messy | Spiky | Mohawk | Curly
        | Pixie | Scarf => {}
        Afro => round::afro(p, pen),
        Bob => long::bob_back(p, pen),
        Fringe | Long => long::straight_back(p, pen),
        Wavy => long::wavy_back(p, pen),
        LongCurly => long::curls_back(p, pen),
        Ponytail => tied::ponytail(p, pen),
        Bun => tied::buns(p, pen, &[(0.0, -35.0)], 8.6),
        Buns => tied::buns(p, pen, &[(-15.5, -29.5), (15.5, -29.5)], 7.4),
        Braids => {}
        Locs => tied::locs_back(p, pen),
    }
}

/// Between body and head: what hangs over the shoulders.
pub(super) fn drape(p: &Person, pen: &mut Pen) {
    if p.style == Style::Scarf {
        scarf::drape(p, pen);
    }
}

/// On the head, over face and ears.
pub(super) fn front(p: &Person, pen: &mut Pen) {
    use Style::*;
    match p.style {
        Bald => {}
        Receding => short::receding(p, pen),
        Buzz => short::buzz(p, pen, 0.85),
        Crop => short::crop(p, pen),
        SidePart => short::side_part(p, pen),
        Quiff => short::quiff(p, pen),
        Messy => short::messy(p, pen),
        Spiky => short::spiky(p, pen),
        Mohawk => short::mohawk(p, pen),
        Curly => round::curly(p, pen),
        Afro => round::afro_front(p, pen),
        Pixie => short::pixie(p, pen),
        Bob => long::bob(p, pen),
        Fringe => long::fringe(p, pen),
        Long => long::straight(p, pen),
        Wavy => long::wavy(p, pen),
        LongCurly => long::curls(p, pen),
        Ponytail | Bun => tied::swept(p, pen),
        Buns => tied::parted(p, pen),
        Braids => tied::braids(p, pen),
        Locs => tied::locs(p, pen),
        Scarf => scarf::wrap(p, pen),
    }
}

/// The top of a head of hair: an outline `more` outside the skull, from the left side at `low` over
/// the crown to the right side, and back along a hairline (right to left).
fn cap(p: &Person, more: f32, low: f32, hairline: &[At]) -> Shape {
    crown(
        p,
        &[(p.build.temple + more, -13.0), (p.build.temple * 0.72 + more * 0.7, -25.0 - more * 0.6)],
        -28.6 - more,
        low,
        hairline,
    )
}

/// As [`cap`], with the right half of the outline given, from the side to the top.
fn crown(p: &Person, half: &[At], top: f32, low: f32, hairline: &[At]) -> Shape {
    let left = half.iter().map(|&(x, y)| (-x, y));
    let right = half.iter().rev().copied();
    let edge = edge(p);
    let end = (edge, low);
    let outer: Vec<At> = left.chain([(0.0, top)]).chain(right).chain([end]).collect();
    outlined(p, (-edge, low), &outer, hairline)
}

/// Where hair ends at the side of the face.
fn edge(p: &Person) -> f32 {
    p.build.cheek + 0.9
}

/// From a point through an outer edge, then back through a hairline.
fn outlined(p: &Person, from: At, outer: &[At], hairline: &[At]) -> Shape {
    let (x, y) = p.turn(from.0, from.1, 0.2);
    let outer = p.turned(outer, 0.2);
    // Hairlines lie on the forehead, which stands out.
    let mut inner = p.turned(hairline, 0.8);
    inner.push((x, y));
    Shape::at(x, y).through(&outer).through(&inner).close()
}

/// A hairline and its mirror image: points from the right temple to the middle, the middle, and
/// back.
fn symmetric(half: &[At], middle: At) -> Vec<At> {
    let left = half.iter().rev().map(|&(x, y)| (-x, y));
    half.iter().copied().chain([middle]).chain(left).collect()
}

/// Mirrors a hairline if `side` is negative; it still runs from right to left.
fn sided(points: &[At], side: f32) -> Vec<At> {
    match side < 0.0 {
        true => points.iter().rev().map(|&(x, y)| (-x, y)).collect(),
        false => points.to_vec(),
    }
}

/// Fills hair with its light, a shine, and strands.
fn coat(p: &Person, pen: &mut Pen, shape: Shape, strands: &[[At; 3]]) {
    let l = p.light;
    let (lit, dim) = (p.hair.light(0.16), p.hair.dark(0.34));
    pen.fill(
        shape.clone(),
        Ink::Linear((l * 16.0, -30.0), lit.alpha(1.0), (-l * 20.0, 14.0), dim.alpha(1.0)),
    );
    if strands.is_empty() {
        return;
    }
    pen.clip(shape);
    glow(pen, (l * 9.0, -23.5), 11.0, 5.0, p.hair.light(0.6), 0.42);
    for (i, [a, b, c]) in strands.iter().enumerate() {
        let tone =
            if i % 3 == 2 { p.hair.light(0.35).alpha(0.35) } else { p.hair.dark(0.5).alpha(0.38) };
        pen.line(Shape::at(a.0, a.1).quad(*b, c.0, c.1), 0.8, tone);
    }
    pen.unclip();
}

/// The shadow that hair throws on the face: the same shape, lower.
fn shadow(p: &Person, pen: &mut Pen, shape: &Shape) {
    pen.clip(super::head::outline(p, 0.0));
    pen.line(shape.clone(), 4.2, p.shade.dark(0.1).alpha(0.16 + 0.2 * p.contrast));
    pen.unclip();
}

/// Strands that leave one point for a row of others, bent outwards.
fn fan(from: At, to: &[At]) -> Vec<[At; 3]> {
    to.iter()
        .map(|&(x, y)| {
            [from, ((from.0 + x) * 0.5 + (x - from.0) * 0.22, (from.1 + y) * 0.5 - 2.2), (x, y)]
        })
        .collect()
}

/// A cloud of curls: circles around points, with a lighter one in some, so that it is no blot.
fn curls(p: &Person, pen: &mut Pen, points: &[(f32, f32, f32)]) {
    let mut all = Shape::default();
    for &(x, y, r) in points {
        all = all.and_oval(x, y, r, r);
    }
    coat(p, pen, all, &[]);
    for (i, &(x, y, r)) in points.iter().enumerate() {
        let lit = x * p.light > -6.0;
        let tone = match (i % 2, lit) {
            (0, true) => p.hair.light(0.30).alpha(0.40),
            (0, false) => p.hair.light(0.10).alpha(0.40),
            _ => p.hair.dark(0.45).alpha(0.40),
        };
        let r = r * 0.55;
        let s = if i % 3 == 0 { -1.0 } else { 1.0 };
        let curl = Shape::at(x - s * r, y + r * 0.3).cubic(
            (x - s * r, y - r * 1.1),
            (x + s * r * 1.1, y - r * 1.1),
            x + s * r * 0.8,
            y + r * 0.2,
        );
        pen.line(curl, 0.9, tone);
    }
}
