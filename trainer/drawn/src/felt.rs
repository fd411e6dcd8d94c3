//! The material of hats.

use super::pen::{Ink, Pen, Shape};
use super::person::Person;

/// Fills with the color of the hat, darker by `dim`.
pub(super) fn felt(p: &Person, pen: &mut Pen, shape: Shape, dim: f32) {
    let (lit, dark) = (p.trim.light(0.18).dark(dim), p.trim.dark(0.36 + dim * 0.5));
    pen.fill(
        shape,
        Ink::Linear(
            (p.light * 18.0, -36.0),
            lit.alpha(1.0),
            (-p.light * 22.0, -8.0),
            dark.alpha(1.0),
        ),
    );
}
