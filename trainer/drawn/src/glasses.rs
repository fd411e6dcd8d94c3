//! Glasses.

use super::pen::{Ink, Pen, Shape};
use super::person::Person;
use super::tone::{Tone, WHITE};
use super::traits::Glasses;

/// Below the hair: the temples, to the ears.
pub(super) fn temples(p: &Person, pen: &mut Pen) {
    if p.glasses == Glasses::None {
        return;
    }
    for side in [-1.0, 1.0] {
        if side * p.yaw < 0.5 {
            let (x, y) = p.turn(side * (p.eyes.apart + 6.5), -1.0, 1.1);
            let ear = p.turn(side * (p.build.cheek + 0.2), -1.4, 0.1);
            pen.line(Shape::at(x, y).line(ear.0, ear.1), 1.2, p.rim);
        }
    }
}

/// What sits on the nose.
pub(super) fn glasses(p: &Person, pen: &mut Pen) {
    if p.glasses == Glasses::None {
        return;
    }
    let y = 0.6;
    for side in [-1.0, 1.0] {
        let far = 1.0 - 0.13 * (side * p.yaw).max(0.0);
        let (x, y) = p.turn(side * (p.eyes.apart + 0.3), y, 1.1);
        let lens = lens(p.glasses, x, y, side, far);
        match p.glasses {
            Glasses::None => {}
            Glasses::Sun => {
                let (top, low) = (p.rim.dark(0.72), p.rim.dark(0.35));
                pen.fill(
                    lens.clone(),
                    Ink::Linear((x, y - 6.0), top.alpha(0.97), (x, y + 7.0), low.alpha(0.9)),
                );
            }
            Glasses::Round | Glasses::Square | Glasses::Cat | Glasses::Half => {
                pen.fill(lens.clone(), Tone::hex(0xdff0ff).alpha(0.08));
            }
        }
        pen.clip(lens.clone());
        let glare = if p.glasses == Glasses::Sun { 0.22 } else { 0.17 };
        let streak = Shape::at(x - 6.4, y + 8.0)
            .line(x - 0.6, y - 8.0)
            .line(x + 2.4, y - 8.0)
            .line(x - 3.4, y + 8.0);
        pen.fill(streak.close(), WHITE.alpha(glare));
        pen.unclip();
        match p.glasses {
            Glasses::Half => {
                let top =
                    Shape::at(x - 6.9 * far, y - 0.6).quad((x - 6.6 * far, y - 5.2), x, y - 5.2);
                pen.line(top.quad((x + 6.6 * far, y - 5.2), x + 6.9 * far, y - 0.6), 1.7, p.rim);
                pen.line(lens, 0.45, p.rim.alpha(0.7));
            }
            Glasses::None => {}
            Glasses::Round | Glasses::Square | Glasses::Cat | Glasses::Sun => {
                pen.line(lens, 1.25, p.rim)
            }
        }
    }
    let (l, r) =
        (p.turn(-p.eyes.apart + 6.4, y - 0.6, 1.2), p.turn(p.eyes.apart - 6.4, y - 0.6, 1.2));
    let (cx, cy) = p.turn(0.0, y - 2.6, 1.3);
    pen.line(Shape::at(l.0, l.1).quad((cx, cy), r.0, r.1), 1.25, p.rim);
}

fn lens(kind: Glasses, x: f32, y: f32, side: f32, far: f32) -> Shape {
    let w = 7.3 * far;
    match kind {
        Glasses::Round => Shape::oval(x, y + 0.2, 6.9 * far, 6.9),
        Glasses::None | Glasses::Square | Glasses::Half => Shape::plate(x, y + 0.2, w, 5.4, 2.2),
        Glasses::Sun => {
            let on = |dx: f32, dy: f32| (x + side * dx * far, y + dy);
            Shape::blob(&[
                on(-6.2, -4.6),
                on(0.5, -5.5),
                on(7.4, -4.6),
                on(7.6, 0.5),
                on(4.2, 6.0),
                on(-2.4, 6.0),
                on(-6.4, 1.0),
            ])
        }
        Glasses::Cat => {
            let on = |dx: f32, dy: f32| (x + side * dx * far, y + dy);
            Shape::blob(&[
                on(-6.4, -3.2),
                on(0.5, -4.4),
                on(6.2, -5.4),
                on(9.2, -7.4),
                on(7.8, 0.4),
                on(3.6, 5.0),
                on(-3.0, 5.0),
                on(-6.6, 1.0),
            ])
        }
    }
}
