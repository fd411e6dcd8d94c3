//! Short hair, and what stands up.

use super::{cap, coat, crown, edge, fan, outlined, shadow, sided, symmetric};
use crate::head::glow;
use crate::pen::{At, Ink, Pen, Shape};
use crate::person::Person;

/// Shaved: skin shows through.
pub(super) fn buzz(p: &Person, pen: &mut Pen, thick: f32) {
    let t = p.build.temple;
    let line = symmetric(&[(t - 1.6, -5.5), (t - 3.8, -12.5), (t - 8.5, -17.6)], (0.0, -18.6));
    let shape = cap(p, 0.7, -2.5, &line);
    let (lit, dim) = (p.hair.mix(p.skin, 0.30), p.hair.mix(p.shade, 0.15));
    let (from, to) = ((p.light * 14.0, -28.0), (-p.light * 18.0, 0.0));
    pen.fill(shape, Ink::Linear(from, lit.alpha(thick), to, dim.alpha(thick)));
}

/// A wreath, and a bare crown.
pub(super) fn receding(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    for s in [-1.0, 1.0] {
        let (e, inner) = (s * edge(p), s * (t - 3.2));
        let points = [
            (e, 3.0),
            (s * (t + 2.2), -10.0),
            (s * (t - 1.0), -21.0),
            (s * (t - 6.0), -24.0),
            (inner, -15.0),
            (s * (t - 1.6), -5.0),
        ];
        coat(p, pen, Shape::blob(&p.turned(&points, 0.3)), &[]);
    }
    glow(pen, p.turn(p.light * 6.0, -23.0, 0.5), 6.5, 3.2, p.skin.light(0.8), 0.5);
}

pub(super) fn crop(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let line = symmetric(
        &[(t - 1.8, -5.0), (t - 3.2, -12.5), (t - 6.0, -16.0), (5.5, -16.2), (4.6, -17.4)],
        (0.0, -16.4),
    );
    let shape = cap(p, 2.0, -1.0, &line);
    shadow(p, pen, &shape);
    coat(
        p,
        pen,
        shape,
        &fan(
            (0.0, -31.0),
            &[
                (-13.0, -14.0),
                (-7.0, -15.0),
                (-2.0, -16.0),
                (5.0, -15.0),
                (11.0, -14.5),
                (16.0, -10.0),
            ],
        ),
    );
}

pub(super) fn side_part(p: &Person, pen: &mut Pen) {
    let (t, s) = (p.build.temple, p.light);
    let line = sided(
        &[
            (t - 1.6, -4.0),
            (t - 3.4, -13.0),
            (t - 7.0, -19.0),
            (8.6, -24.4),
            (5.0, -18.6),
            (-4.0, -15.4),
            (-12.0, -14.8),
            (-t + 2.6, -9.0),
            (-t + 1.5, -3.5),
        ],
        s,
    );
    let half = [(t + 1.8, -13.0), (t * 0.78 + 1.6, -25.5)];
    let shape = crown(p, &half, -32.2, -0.5, &line);
    shadow(p, pen, &shape);
    let part = p.turn(s * 8.4, -25.0, 0.5);
    coat(
        p,
        pen,
        shape,
        &fan(
            part,
            &[
                (-s * 17.0, -11.0),
                (-s * 12.0, -16.0),
                (-s * 17.0, -20.0),
                (-s * 5.0, -17.0),
                (-s * 12.0, -27.0),
                (s * 17.0, -14.0),
            ],
        ),
    );
}

pub(super) fn quiff(p: &Person, pen: &mut Pen) {
    let (t, s) = (p.build.temple, p.light);
    let line = symmetric(
        &[(t - 1.6, -4.5), (t - 3.2, -12.0), (t - 6.4, -17.0), (7.0, -19.6)],
        (0.0, -19.4),
    );
    let sides = cap(p, 1.4, -0.5, &line);
    shadow(p, pen, &sides);
    coat(p, pen, sides, &[]);
    let wave = [
        (-14.5, -19.0),
        (-17.0, -27.0),
        (-11.0, -34.5),
        (s * 2.0, -37.8),
        (12.0, -34.5),
        (17.0, -27.0),
        (14.5, -19.0),
        (6.0, -20.6),
        (0.0, -18.4),
        (-6.0, -20.6),
    ];
    let roots = |x: f32| [(x, -19.0), (x * 1.15 - s * 1.0, -27.0), (x * 0.8 + s * 5.0, -35.0)];
    let strands: Vec<[At; 3]> =
        [-11.0, -6.5, -2.0, 2.5, 7.0, 11.0].into_iter().map(roots).collect();
    coat(p, pen, Shape::blob(&p.turned(&wave, 0.5)), &strands);
}

pub(super) fn messy(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    // Tufts out and in, not quite alike left and right.
    let outer = [
        (-t - 3.6, -6.0),
        (-t - 1.8, -9.0),
        (-t - 5.2, -15.5),
        (-t - 1.2, -18.5),
        (-t - 2.4, -26.0),
        (-t + 4.5, -26.5),
        (-11.0, -34.0),
        (-6.5, -30.5),
        (-1.0, -36.4),
        (3.0, -31.2),
        (9.6, -35.2),
        (11.6, -29.5),
        (18.6, -29.5),
        (t - 0.2, -22.5),
        (t + 5.0, -19.0),
        (t + 1.7, -13.0),
        (t + 4.2, -7.6),
        (edge(p), -1.0),
    ];
    let line = [
        (t - 1.6, -4.0),
        (t - 2.8, -11.0),
        (14.0, -10.0),
        (11.0, -15.2),
        (7.4, -11.4),
        (3.2, -16.4),
        (-1.6, -11.0),
        (-4.8, -15.8),
        (-9.8, -11.2),
        (-12.4, -15.0),
        (-t + 2.6, -9.0),
        (-t + 1.6, -3.0),
    ];
    let line = sided(&line, p.light);
    let (x, y) = p.turn(-edge(p), -1.0, 0.2);
    let mut shape = Shape::at(x, y);
    for (x, y) in p.turned(&outer, 0.2).into_iter().chain(p.turned(&line, 0.8)) {
        shape = shape.line(x, y);
    }
    let shape = shape.close();
    shadow(p, pen, &shape);
    coat(
        p,
        pen,
        shape,
        &fan(
            (0.0, -29.0),
            &[
                (-18.0, -14.0),
                (-10.0, -13.0),
                (-2.0, -13.0),
                (7.0, -13.0),
                (15.0, -12.0),
                (12.0, -30.0),
                (-12.0, -30.0),
            ],
        ),
    );
}

pub(super) fn spiky(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let (x, y) = p.turn(-edge(p), -1.0, 0.2);
    let mut shape = Shape::at(x, y);
    let tips = 8;
    for i in 0..=tips {
        // Spikes along the crown from left to right, longest in the middle.
        let a = i as f32 / tips as f32 * 2.0 - 1.0;
        let (root, long) =
            ((a * (t + 0.6), -12.0 - 18.5 * (1.0 - a * a).max(0.0).sqrt()), 8.0 - 3.0 * a * a);
        let tip = (root.0 * 1.10, root.1 - long);
        let gap = a + 1.0 / tips as f32;
        let (rx, ry) = p.turn(root.0 - 2.6, root.1 + 1.2, 0.3);
        let (tx, ty) = p.turn(tip.0, tip.1, 0.3);
        shape = shape.line(rx, ry).line(tx, ty);
        if i < tips {
            let (gx, gy) =
                p.turn(gap * (t + 0.4), -12.0 - 18.0 * (1.0 - gap * gap).max(0.0).sqrt(), 0.3);
            shape = shape.line(gx, gy);
        }
    }
    let line = symmetric(
        &[(t - 1.7, -4.5), (t - 3.2, -13.0), (9.0, -18.8), (5.6, -15.8), (2.6, -18.8)],
        (0.0, -15.6),
    );
    let (ex, ey) = p.turn(edge(p), -1.0, 0.2);
    shape = shape.line(ex, ey);
    for (x, y) in p.turned(&line, 0.8) {
        shape = shape.line(x, y);
    }
    let shape = shape.close();
    shadow(p, pen, &shape);
    coat(
        p,
        pen,
        shape,
        &fan(
            (0.0, -17.0),
            &[
                (-17.0, -26.0),
                (-10.0, -34.0),
                (-3.0, -37.0),
                (4.0, -37.0),
                (11.0, -33.0),
                (17.0, -25.0),
            ],
        ),
    );
}

pub(super) fn mohawk(p: &Person, pen: &mut Pen) {
    buzz(p, pen, 0.42);
    let crest = [
        (-5.6, -19.5),
        (-6.8, -30.0),
        (-4.6, -39.5),
        (0.0, -44.0),
        (4.6, -39.5),
        (6.8, -30.0),
        (5.6, -19.5),
        (0.0, -17.2),
    ];
    let strands: Vec<[At; 3]> = [-4.0, -1.5, 1.5, 4.0]
        .into_iter()
        .map(|x| [(x, -19.0), (x * 1.4, -30.0), (x * 0.7, -41.0)])
        .collect();
    coat(p, pen, Shape::blob(&p.turned(&crest, 0.5)), &strands);
}

pub(super) fn pixie(p: &Person, pen: &mut Pen) {
    let (t, s) = (p.build.temple, p.light);
    let line = sided(
        &[
            (t - 2.4, 3.5),
            (t - 2.6, -6.0),
            (t - 5.6, -15.5),
            (8.0, -23.0),
            (3.0, -15.6),
            (-6.0, -10.6),
            (-13.0, -8.0),
            (-t + 2.4, -3.0),
            (-t + 2.6, 4.0),
        ],
        s,
    );
    let half = [(edge(p) + 1.8, -4.0), (t + 2.0, -14.0), (t * 0.76 + 1.8, -25.6)];
    let shape = outlined_low(p, &half, &line);
    shadow(p, pen, &shape);
    let part = p.turn(s * 8.0, -24.5, 0.5);
    coat(
        p,
        pen,
        shape,
        &fan(
            part,
            &[
                (-s * 18.0, -6.0),
                (-s * 13.0, -9.0),
                (-s * 7.0, -12.0),
                (-s * 18.0, -17.0),
                (-s * 10.0, -28.0),
                (s * 19.0, -8.0),
            ],
        ),
    );
}

fn outlined_low(p: &Person, half: &[At], line: &[At]) -> Shape {
    let left = half.iter().map(|&(x, y)| (-x, y));
    let right = half.iter().rev().copied();
    let low = (edge(p) - 1.0, 8.0);
    let outer: Vec<At> = left.chain([(0.0, -31.4)]).chain(right).chain([low]).collect();
    outlined(p, (-low.0, low.1), &outer, line)
}
