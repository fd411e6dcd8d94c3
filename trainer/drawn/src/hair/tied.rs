//! Long hair that is tied, plaited or knotted.

use super::long::curtain;
use super::{cap, coat, crown, edge, fan, shadow, symmetric};
use crate::pen::{At, Pen, Shape};
use crate::person::Person;

/// Combed back tightly.
pub(super) fn swept(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let line = symmetric(&[(t - 1.2, -3.0), (t - 3.2, -10.5), (9.8, -18.0)], (0.0, -20.0));
    let shape = cap(p, 1.6, 0.5, &line);
    shadow(p, pen, &shape);
    let ends = [
        (-18.0, -5.0),
        (-14.0, -13.0),
        (-8.0, -19.0),
        (0.0, -20.0),
        (8.0, -19.0),
        (14.0, -13.0),
        (18.0, -5.0),
    ];
    coat(p, pen, shape, &fan(p.turn(0.0, -34.0, 0.2), &p.turned(&ends, 0.7)));
}

/// Combed to both sides from a part in the middle.
pub(super) fn parted(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let line =
        symmetric(&[(t - 1.2, -3.0), (t - 3.0, -10.0), (9.0, -16.8), (3.0, -20.6)], (0.0, -25.0));
    let shape = crown(p, &[(t + 2.0, -13.0), (t * 0.78 + 1.4, -25.4)], -30.6, 1.0, &line);
    shadow(p, pen, &shape);
    let part = p.turn(0.0, -29.0, 0.4);
    coat(
        p,
        pen,
        shape,
        &fan(
            part,
            &[
                (-18.0, -6.0),
                (-13.0, -14.0),
                (-7.0, -18.0),
                (7.0, -18.0),
                (13.0, -14.0),
                (18.0, -6.0),
            ],
        ),
    );
}

pub(super) fn ponytail(p: &Person, pen: &mut Pen) {
    let s = -p.light;
    let tail = [
        (s * 8.0, -30.0),
        (s * 20.0, -35.0),
        (s * 31.0, -24.0),
        (s * 33.0, -4.0),
        (s * 28.0, 18.0),
        (s * 24.0, 22.0),
        (s * 25.0, 2.0),
        (s * 21.0, -16.0),
    ];
    let strands = [
        [(s * 14.0, -30.0), (s * 30.0, -28.0), (s * 28.0, 14.0)],
        [(s * 14.0, -27.0), (s * 26.0, -22.0), (s * 26.0, 16.0)],
        [(s * 14.0, -32.0), (s * 34.0, -30.0), (s * 31.0, 8.0)],
    ];
    coat(p, pen, Shape::blob(&tail), &strands);
    pen.fill(Shape::oval(s * 15.5, -28.6, 3.0, 4.2), p.trim);
}

pub(super) fn braids(p: &Person, pen: &mut Pen) {
    parted(p, pen);
    for s in [-1.0, 1.0] {
        for i in (0..6).rev() {
            let i = i as f32;
            let (x, y) = p.turn(s * (edge(p) + 1.2 + 0.25 * i), 7.0 + 6.2 * i, 0.2);
            let r = 4.3 - 0.22 * i;
            let across = [(x - s * r, y - 2.6), (x, y + 0.6), (x + s * r, y - 1.0)];
            coat(
                p,
                pen,
                Shape::oval(x, y, r, 4.1),
                &[across, [(x - r, y + 2.0), (x, y + 3.0), (x + r, y + 1.0)]],
            );
        }
        let (x, y) = p.turn(s * (edge(p) + 2.6), 42.5, 0.2);
        pen.fill(Shape::plate(x, y, 3.0, 1.7, 1.2), p.trim);
    }
}

pub(super) fn locs_back(p: &Person, pen: &mut Pen) {
    let c = p.build.cheek;
    curtain(p, pen, &[(c + 3.0, 6.0), (c + 3.0, 22.0), (c - 2.0, 30.0), (10.0, 32.0)]);
}

pub(super) fn locs(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let line = symmetric(&[(t - 1.4, -3.0), (t - 3.4, -11.0), (9.4, -17.0)], (0.0, -18.4));
    let shape = cap(p, 2.6, 1.0, &line);
    shadow(p, pen, &shape);
    let ends = [
        (-15.0, -11.0),
        (-10.5, -15.0),
        (-6.0, -17.0),
        (-2.0, -18.0),
        (2.0, -18.0),
        (6.0, -17.0),
        (10.5, -15.0),
        (15.0, -11.0),
    ];
    coat(p, pen, shape, &fan(p.turn(0.0, -32.0, 0.3), &p.turned(&ends, 0.7)));
    let rope = |pen: &mut Pen, a: At, b: At, c: At| {
        let line = |[a, b, c]: [At; 3]| Shape::at(a.0, a.1).quad(b, c.0, c.1);
        pen.line(line([a, b, c]), 4.0, p.hair.dark(0.45));
        pen.line(line([a, b, c]), 3.0, p.hair);
        let off = |(x, y): At| (x + p.light * 0.6, y - 0.4);
        pen.line(line([off(a), off(b), off(c)]), 0.8, p.hair.light(0.3).alpha(0.5));
    };
    for s in [-1.0, 1.0] {
        for i in (0..5).rev() {
            let i = i as f32;
            let from = p.turn(s * (2.5 + 3.6 * i), -29.6 + 0.55 * i * i, 0.3);
            let to = p.turn(s * (t + 5.2 - 1.9 * i), 26.0 - 3.2 * (i % 2.0) - 2.0 * i, 0.2);
            let over = p.turn(s * (t + 9.0 - 0.6 * i), -26.0 + 5.0 * i, 0.2);
            if i > 1.0 {
                rope(pen, from, over, to);
            } else {
                // Short ones frame the forehead.
                rope(
                    pen,
                    from,
                    p.turn(s * (10.0 + 6.0 * i), -28.0, 0.4),
                    p.turn(s * (t - 3.0 + 2.0 * i), -8.0 + 8.0 * i, 0.5),
                );
            }
        }
    }
}

/// Knots on top of the head.
pub(super) fn buns(p: &Person, pen: &mut Pen, at: &[At], r: f32) {
    for &(x, y) in at {
        let (x, y) = p.turn(x, y, 0.0);
        let turns = [
            [(x - r * 0.8, y + r * 0.2), (x, y - r * 0.9), (x + r * 0.8, y + r * 0.1)],
            [(x - r * 0.5, y + r * 0.5), (x, y - r * 0.3), (x + r * 0.6, y + r * 0.5)],
            [(x - r * 0.6, y - r * 0.4), (x, y - r * 1.2), (x + r * 0.6, y - r * 0.4)],
        ];
        coat(p, pen, Shape::oval(x, y, r, r * 0.94), &turns);
    }
}
