//! Long hair, worn loose.

use super::{cap, coat, curls as cloud, fan, shadow, sided, symmetric};
use crate::pen::{At, Ink, Pen, Shape};
use crate::person::Person;

/// A curtain behind the neck: half widths at some heights, from the ear down.
pub(super) fn curtain(p: &Person, pen: &mut Pen, half: &[At]) {
    let t = p.build.temple;
    let mut points = vec![(0.0, -30.0), (t, -22.0), (t + 4.0, -8.0)];
    points.extend(half);
    let left: Vec<At> = points.iter().skip(1).rev().map(|&(x, y)| (-x, y)).collect();
    points.extend(left);
    let points: Vec<At> = points.iter().map(|&(x, y)| (x - p.yaw * 1.2, y)).collect();
    let shape = Shape::blob(&points);
    coat(p, pen, shape.clone(), &[]);
    // In the shade of the head.
    let (dark, none) = (p.hair.dark(0.62).alpha(0.75), p.hair.dark(0.6).alpha(0.0));
    pen.fill(shape, Ink::Radial((0.0, 14.0), 30.0, dark, none));
}

pub(super) fn bob_back(p: &Person, pen: &mut Pen) {
    let c = p.build.cheek;
    curtain(p, pen, &[(c + 5.0, 6.0), (c + 3.8, 17.0), (c - 4.0, 21.5), (7.0, 21.0)]);
}

pub(super) fn straight_back(p: &Person, pen: &mut Pen) {
    let c = p.build.cheek;
    curtain(p, pen, &[(c + 4.8, 8.0), (c + 5.2, 28.0), (c + 4.6, 44.0), (10.0, 47.0)]);
}

pub(super) fn wavy_back(p: &Person, pen: &mut Pen) {
    let c = p.build.cheek;
    curtain(
        p,
        pen,
        &[
            (c + 6.4, 4.0),
            (c + 3.9, 14.0),
            (c + 8.0, 24.0),
            (c + 4.6, 34.0),
            (c + 7.2, 43.0),
            (10.0, 47.0),
        ],
    );
}

pub(super) fn curls_back(p: &Person, pen: &mut Pen) {
    let c = p.build.cheek;
    curtain(p, pen, &[(c + 5.0, 8.0), (c + 6.0, 24.0), (c + 2.0, 36.0), (10.0, 38.0)]);
    let mut rings = Vec::new();
    for s in [-1.0, 1.0] {
        for i in 0..7 {
            let y = -14.0 + 8.0 * i as f32;
            let x = c + 3.6 + 2.2 * (i % 2) as f32 + (i as f32 * 0.8).min(3.0);
            rings.push((s * x - p.yaw * 1.2, y, 5.4 + 0.5 * ((i + 1) % 2) as f32));
        }
    }
    cloud(p, pen, &rings);
}

/// A lock beside the face, mirrored by `s`: outer and inner edge, from the top down.
fn lock(p: &Person, pen: &mut Pen, s: f32, outer: &[At], inner: &[At]) {
    let side = |points: &[At]| -> Vec<At> {
        points.iter().map(|&(x, y)| p.turn(s * x, y, 0.25)).collect()
    };
    let (outer, mut inner) = (side(outer), side(inner));
    let (Some(&first), Some(&tip)) = (outer.first(), outer.last()) else {
        return;
    };
    inner.reverse();
    inner.push(first);
    let shape = Shape::at(first.0, first.1).through(&outer[1..]).through(&inner).close();
    shadow(p, pen, &shape);
    let strand = |k: f32| {
        let at = |i: usize| -> At {
            let o = outer[i.min(outer.len() - 1)];
            (o.0 - s * k, o.1)
        };
        [at(0), at(outer.len() / 2), (tip.0 - s * k * 0.6, tip.1)]
    };
    coat(p, pen, shape, &[strand(1.6), strand(3.2), strand(4.6)]);
}

/// Hair parted in the middle, down to the ears.
fn curtain_top(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let line = symmetric(&[(t - 0.6, -1.0), (t - 2.8, -9.0), (t - 8.4, -17.4)], (0.0, -24.6));
    let shape = cap(p, 2.8, 3.0, &line);
    shadow(p, pen, &shape);
    let part = p.turn(0.0, -30.0, 0.3);
    coat(
        p,
        pen,
        shape,
        &fan(
            part,
            &[
                (-19.0, -4.0),
                (-14.0, -12.0),
                (-8.0, -18.0),
                (8.0, -18.0),
                (14.0, -12.0),
                (19.0, -4.0),
            ],
        ),
    );
}

/// Hair parted at one side and swept over the forehead.
fn side_top(p: &Person, pen: &mut Pen) {
    let (t, s) = (p.build.temple, p.light);
    let line = sided(
        &[
            (t - 0.6, -1.0),
            (t - 2.4, -8.0),
            (t - 5.8, -17.0),
            (8.8, -24.6),
            (4.0, -18.4),
            (-6.0, -13.6),
            (-13.6, -9.6),
            (-t + 1.4, -3.0),
            (-t + 0.6, 1.0),
        ],
        s,
    );
    let shape = cap(p, 3.0, 3.0, &line);
    shadow(p, pen, &shape);
    let part = p.turn(s * 8.6, -27.0, 0.5);
    coat(
        p,
        pen,
        shape,
        &fan(
            part,
            &[
                (-s * 19.0, -4.0),
                (-s * 14.0, -11.0),
                (-s * 7.0, -15.0),
                (-s * 18.0, -18.0),
                (s * 15.0, -16.0),
                (s * 20.0, -6.0),
            ],
        ),
    );
}

/// Straight across the brows.
fn bangs(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let line = symmetric(
        &[
            (t - 0.4, -0.5),
            (t - 2.2, -7.5),
            (11.0, -9.8),
            (10.2, -10.8),
            (5.0, -10.6),
            (4.4, -11.6),
        ],
        (0.0, -10.8),
    );
    let shape = cap(p, 2.9, 3.0, &line);
    shadow(p, pen, &shape);
    let ends = [-16.0, -11.0, -6.0, -1.5, 3.5, 8.0, 13.0, 18.0];
    let ends: Vec<At> = ends.into_iter().map(|x| p.turn(x, -8.0, 0.8)).collect();
    coat(p, pen, shape, &fan(p.turn(0.0, -31.0, 0.3), &ends));
}

pub(super) fn bob(p: &Person, pen: &mut Pen) {
    let (t, c) = (p.build.temple, p.build.cheek);
    for s in [-1.0, 1.0] {
        lock(
            p,
            pen,
            s,
            &[(t + 1.6, -14.0), (c + 4.6, 0.0), (c + 4.8, 12.0), (c - 0.6, 20.8)],
            &[(t - 3.0, -11.0), (c - 1.6, 0.0), (c - 2.0, 10.0), (c - 5.0, 18.4)],
        );
    }
    if p.age < 0.5 { bangs(p, pen) } else { side_top(p, pen) }
}

fn long_locks(p: &Person, pen: &mut Pen) {
    let (t, c) = (p.build.temple, p.build.cheek);
    for s in [-1.0, 1.0] {
        lock(
            p,
            pen,
            s,
            &[(t + 1.8, -14.0), (c + 4.2, 4.0), (c + 4.4, 22.0), (c + 2.6, 43.0)],
            &[(t - 3.0, -11.0), (c - 1.2, 2.0), (c - 1.6, 18.0), (c - 4.6, 42.0)],
        );
    }
}

pub(super) fn straight(p: &Person, pen: &mut Pen) {
    long_locks(p, pen);
    curtain_top(p, pen);
}

pub(super) fn fringe(p: &Person, pen: &mut Pen) {
    long_locks(p, pen);
    bangs(p, pen);
}

pub(super) fn wavy(p: &Person, pen: &mut Pen) {
    let (t, c) = (p.build.temple, p.build.cheek);
    for s in [-1.0, 1.0] {
        lock(
            p,
            pen,
            s,
            &[
                (t + 2.0, -14.0),
                (c + 5.4, 0.0),
                (c + 3.4, 10.0),
                (c + 6.4, 21.0),
                (c + 3.4, 31.0),
                (c + 5.0, 42.0),
            ],
            &[
                (t - 3.0, -11.0),
                (c - 0.8, 0.0),
                (c - 2.4, 9.0),
                (c + 0.4, 20.0),
                (c - 3.2, 30.0),
                (c - 1.6, 41.0),
            ],
        );
    }
    side_top(p, pen);
}

pub(super) fn curls(p: &Person, pen: &mut Pen) {
    let (t, c) = (p.build.temple, p.build.cheek);
    curtain_top(p, pen);
    let mut rings = Vec::new();
    for s in [-1.0, 1.0] {
        for i in 0..6 {
            let i = i as f32;
            let (x, y) = p.turn(s * (c + 1.6 + 1.4 * (i % 2.0)), -8.0 + 7.4 * i, 0.25);
            rings.push((x, y, 4.4));
        }
    }
    let crown = if p.covered() { 0 } else { 9 };
    for i in 0..crown {
        let a = i as f32 / 8.0 * 2.0 - 1.0;
        let (x, y) = p.turn(a * (t + 2.4), -8.0 - 23.0 * (1.0 - a * a).max(0.0).sqrt(), 0.2);
        rings.push((x, y, 5.2));
    }
    cloud(p, pen, &rings);
}
