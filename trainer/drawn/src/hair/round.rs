//! Curls and afros.

use super::{cap, coat, curls, shadow, symmetric};
use crate::pen::Pen;
use crate::person::Person;

pub(super) fn curly(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let line = symmetric(&[(t - 1.8, -4.5), (t - 3.6, -12.0), (9.0, -16.6)], (0.0, -17.2));
    let base = cap(p, 1.8, -0.5, &line);
    shadow(p, pen, &base);
    coat(p, pen, base, &[]);
    let mut rings = Vec::new();
    for i in 0..11 {
        let a = i as f32 / 10.0 * 2.0 - 1.0;
        let (x, y) = p.turn(a * (t + 1.6), -9.0 - 22.5 * (1.0 - a * a).max(0.0).sqrt(), 0.25);
        if !p.covered() || y > -20.0 {
            rings.push((x, y, 4.4 + 0.6 * (i % 2) as f32));
        }
    }
    for i in 0..7 {
        let a = i as f32 / 6.0 * 2.0 - 1.0;
        let (x, y) = p.turn(
            a * (t - 4.2),
            -10.6 - 8.4 * (1.0 - a * a).max(0.0).sqrt() + 1.1 * (i % 2) as f32,
            0.7,
        );
        rings.push((x, y, 3.9));
    }
    for i in 0..6 {
        let a = i as f32 / 5.0 * 2.0 - 1.0;
        let (x, y) = p.turn(a * (t - 6.5), -24.5 + 3.0 * a * a, 0.4);
        if !p.covered() {
            rings.push((x, y, 4.6));
        }
    }
    curls(p, pen, &rings);
}

/// Round, and larger than the head.
pub(super) fn afro(p: &Person, pen: &mut Pen) {
    let mut rings = vec![(p.yaw, -12.0, 27.0)];
    for i in 0..26 {
        // Every 13.8 degrees, on a circle around the crown.
        let (sin, cos) = (i as f32 / 26.0 * std::f32::consts::TAU).sin_cos();
        rings.push((p.yaw + cos * 28.0, -11.0 + sin * 26.5, 5.2 + 0.7 * (i % 3) as f32));
    }
    curls(p, pen, &rings);
}

pub(super) fn afro_front(p: &Person, pen: &mut Pen) {
    let t = p.build.temple;
    let line = symmetric(&[(t - 1.9, -4.5), (t - 3.8, -12.0), (9.0, -17.8)], (0.0, -18.8));
    let base = cap(p, 2.0, 1.0, &line);
    shadow(p, pen, &base);
    coat(p, pen, base, &[]);
    let mut rings = Vec::new();
    for i in 0..9 {
        let a = i as f32 / 8.0 * 2.0 - 1.0;
        let (x, y) = p.turn(a * (t - 2.0), -9.5 - 11.0 * (1.0 - a * a).max(0.0).sqrt(), 0.6);
        rings.push((x, y, 3.4));
        let (x, y) = p.turn(a * (t - 3.5), -17.0 - 9.5 * (1.0 - a * a).max(0.0).sqrt(), 0.4);
        rings.push((x, y, 4.8));
    }
    curls(p, pen, &rings);
}
