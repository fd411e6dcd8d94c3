//! A scarf in place of hair.

use super::shadow;
use crate::pen::{At, Ink, Pen, Shape};
use crate::person::Person;

/// Around neck and shoulders.
pub(super) fn drape(p: &Person, pen: &mut Pen) {
    let drape = [
        (0.0, 14.0),
        (16.0, 16.0),
        (25.0, 26.0),
        (31.0, 40.0),
        (33.0, 56.0),
        (-33.0, 56.0),
        (-31.0, 40.0),
        (-25.0, 26.0),
        (-16.0, 16.0),
    ];
    fabric(p, pen, Shape::blob(&drape));
    for (a, b, c) in [
        ((-20.0, 24.0), (-2.0, 38.0), (22.0, 30.0)),
        ((-24.0, 32.0), (0.0, 48.0), (28.0, 40.0)),
        ((-16.0, 21.0), (2.0, 30.0), (18.0, 22.0)),
    ] {
        pen.line(Shape::at(a.0, a.1).quad(b, c.0, c.1), 1.1, p.cloth.dark(0.45).alpha(0.6));
    }
}

/// Around the face.
pub(super) fn wrap(p: &Person, pen: &mut Pen) {
    let (b, turned) = (&p.build, |points: &[At], depth| p.turned(points, depth));
    let half = [
        (0.6 * b.temple + 1.6, -29.0),
        (b.temple + 4.6, -15.0),
        (b.cheek + 5.2, 2.0),
        (b.jaw + 6.6, 16.0),
        (b.chin + 8.0, b.end + 2.0),
    ];
    let mut outer = vec![(0.0, -32.6)];
    outer.extend(half);
    outer.push((0.0, b.end + 7.0));
    outer.extend(half.iter().rev().map(|&(x, y)| (-x, y)));
    let open = [
        (11.0, -17.0),
        (b.temple - 2.6, -9.0),
        (b.cheek - 2.4, 3.0),
        (b.jaw - 0.6, 14.0),
        (b.chin + 1.5, b.end - 2.2),
    ];
    let mut inner = vec![(0.0, -18.8)];
    inner.extend(open);
    inner.push((0.0, b.end - 0.2));
    inner.extend(open.iter().rev().map(|&(x, y)| (-x, y)));
    let (outer, inner) = (Shape::blob(&turned(&outer, 0.25)), Shape::blob(&turned(&inner, 0.75)));
    shadow(p, pen, &inner);
    fabric(p, pen, outer.and(inner));
    for s in [-1.0, 1.0] {
        let (a, b, c) =
            (p.turn(s * 8.0, -28.0, 0.3), p.turn(s * 21.0, -18.0, 0.3), p.turn(s * 21.6, 8.0, 0.3));
        pen.line(Shape::at(a.0, a.1).quad(b, c.0, c.1), 0.9, p.cloth.dark(0.4).alpha(0.5));
    }
}

fn fabric(p: &Person, pen: &mut Pen, shape: Shape) {
    let (lit, dim) = (p.cloth.light(0.16), p.cloth.dark(0.32));
    let (from, to) = ((p.light * 16.0, -28.0), (-p.light * 22.0, 26.0));
    pen.fill_odd(shape, Ink::Linear(from, lit.alpha(1.0), to, dim.alpha(1.0)));
}
