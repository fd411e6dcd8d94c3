//! What is behind people and what they wear.

use super::pen::{Ink, Pen, Shape};
use super::person::Person;
use super::tone::{Tone, WALL, WHITE};
use super::traits::Wear;
use crate::rng::Rng;

/// The background, opaque.
#[allow(clippy::too_many_lines, reason = "a drawing is a list of strokes")]
pub(super) fn wall(p: &Person, rng: &mut Rng, pen: &mut Pen) {
    // Away from hair and skin, so that heads have edges.
    let apart = |tone: Tone| {
        (tone.luma() - p.hair.luma()).abs() + 0.6 * (tone.luma() - p.skin.luma()).abs()
    };
    let (a, b) = (rng.pick(&WALL), rng.pick(&WALL));
    let tone = if apart(a) > apart(b) { a } else { b };
    let other = rng.pick(&WALL);
    let all = Shape::plate(0.0, 0.0, 51.0, 51.0, 0.0);
    let (high, low) = (tone.light(0.18), tone.mix(other, 0.12).dark(0.05));
    let kind = rng.below(9);
    let drift = rng.range(-1.0, 1.0);
    match kind {
        0 | 1 => pen.fill(
            all,
            Ink::Linear(
                (drift * 30.0, -50.0),
                high.alpha(1.0),
                (-drift * 30.0, 50.0),
                low.alpha(1.0),
            ),
        ),
        2 => pen.fill(
            all,
            Ink::Radial(
                (p.light * 20.0, -20.0),
                85.0,
                high.light(0.25).alpha(1.0),
                low.dark(0.1).alpha(1.0),
            ),
        ),
        3 => {
            pen.fill(all, tone);
            for i in -4..=6 {
                let x = i as f32 * 20.0 + drift * 10.0;
                let stripe = Shape::at(x - 40.0, 51.0)
                    .line(x + 20.0, -51.0)
                    .line(x + 30.0, -51.0)
                    .line(x - 30.0, 51.0);
                pen.fill(stripe.close(), high.alpha(0.7));
            }
        }
        4 => {
            pen.fill(all, tone);
            for row in -5i32..=5 {
                for column in -5..=5 {
                    let x = (column as f32 + 0.5 * (row & 1) as f32) * 13.0 + drift * 5.0;
                    pen.fill(Shape::oval(x, row as f32 * 11.5, 2.5, 2.5), high.alpha(0.85));
                }
            }
        }
        5 => {
            pen.fill(all, Ink::Linear((0.0, -50.0), high.alpha(1.0), (0.0, 50.0), tone.alpha(1.0)));
            pen.fill(Shape::oval(drift * 8.0, -4.0, 39.0, 39.0), other.light(0.15).alpha(0.8));
        }
        6 => {
            // Out of doors: sky, sun, hills.
            let sky = [
                Tone::hex(0x8ec9ef),
                Tone::hex(0xf7c9a0),
                Tone::hex(0x6f86c9),
                Tone::hex(0xbfe3f0),
            ][rng.below(4) as usize];
            pen.fill(
                all,
                Ink::Linear((0.0, -50.0), sky.alpha(1.0), (0.0, 30.0), sky.light(0.6).alpha(1.0)),
            );
            pen.fill(Shape::oval(p.light * 33.0, -32.0, 8.0, 8.0), Tone::hex(0xfff3c2));
            let hill = Tone::hex(0x7fae73);
            pen.fill(Shape::oval(-34.0 + drift * 10.0, 42.0, 50.0, 34.0), hill.light(0.15));
            pen.fill(Shape::oval(34.0 + drift * 10.0, 48.0, 48.0, 34.0), hill.dark(0.12));
        }
        7 => {
            pen.fill(
                all,
                Ink::Linear((0.0, -50.0), low.dark(0.25).alpha(1.0), (0.0, 50.0), low.alpha(1.0)),
            );
            for _ in 0..9 {
                let (x, y, r) =
                    (rng.range(-50.0, 50.0), rng.range(-50.0, 40.0), rng.range(4.0, 11.0));
                pen.fill(Shape::oval(x, y, r, r), other.light(0.4).alpha(0.28));
            }
        }
        _ => {
            pen.fill(all, tone);
            let half = Shape::at(drift * 20.0 - 12.0, -51.0)
                .line(51.0, -51.0)
                .line(51.0, 51.0)
                .line(drift * 20.0 + 12.0, 51.0);
            pen.fill(half.close(), tone.mix(other, 0.6).light(0.1));
        }
    }
}

/// Shoulders, dressed.
#[allow(clippy::too_many_lines, reason = "a drawing is a list of strokes")]
pub(super) fn clothes(p: &Person, pen: &mut Pen) {
    let wide = 33.0 + 5.0 * p.rugged;
    let body = |neck: f32, top: f32| {
        Shape::at(-neck, top)
            .cubic((-neck - 5.0, top + 2.5), (-wide + 4.0, 36.0), -wide, 43.5)
            .quad((-wide - 2.5, 47.0), -wide - 3.0, 56.0)
            .line(wide + 3.0, 56.0)
            .quad((wide + 2.5, 47.0), wide, 43.5)
            .cubic((wide - 4.0, 36.0), (neck + 5.0, top + 2.5), neck, top)
    };
    let n = 9.6 + 2.4 * p.rugged;
    let crew = body(n, 34.0).quad((0.0, 47.0), -n, 34.0).close();
    let vee = body(n, 33.6).line(0.0, 50.0).close();
    match p.wear {
        Wear::Tee => {
            weave(p, pen, crew, p.cloth);
            collar(p, pen, n, 34.0, 47.0);
        }
        Wear::Vee => {
            weave(p, pen, vee, p.cloth);
            pen.line(Shape::at(-n, 33.8).line(0.0, 50.0).line(n, 33.8), 1.4, p.cloth.dark(0.28));
        }
        Wear::Stripes => {
            weave(p, pen, crew.clone(), p.cloth.light(0.75));
            pen.clip(crew);
            for i in 0..5 {
                let y = 35.0 + 5.0 * i as f32;
                pen.line(
                    Shape::at(-45.0, y + 4.0).quad((0.0, y - 1.0), 45.0, y + 4.0),
                    2.2,
                    p.cloth,
                );
            }
            pen.unclip();
            collar(p, pen, n, 34.0, 47.0);
        }
        Wear::Hoodie => {
            let hood = [
                (-n - 6.0, 39.0),
                (-n - 7.5, 30.5),
                (-n - 1.5, 27.0),
                (0.0, 31.0),
                (n + 1.5, 27.0),
                (n + 7.5, 30.5),
                (n + 6.0, 39.0),
                (0.0, 43.5),
            ];
            weave(p, pen, body(n, 33.0).close(), p.cloth);
            pen.fill(Shape::blob(&hood), p.cloth.dark(0.16));
            pen.fill(
                Shape::at(-n + 1.0, 30.0).quad((0.0, 47.0), n - 1.0, 30.0).close(),
                p.skin.mix(p.shade, 0.75),
            );
            for s in [-1.0, 1.0] {
                pen.line(
                    Shape::at(s * 4.5, 40.0).quad((s * 5.4, 45.0), s * 4.6, 50.0),
                    1.0,
                    WHITE.alpha(0.9),
                );
            }
        }
        Wear::Shirt => {
            weave(p, pen, vee, p.cloth);
            pen.line(Shape::at(0.0, 47.0).line(0.0, 51.0), 0.8, p.cloth.dark(0.4));
            lapels(p, pen, n, p.cloth.light(0.3), 8.0);
        }
        Wear::Suit => {
            let cloth = p.cloth.dark(0.45);
            weave(p, pen, body(n, 33.6).close(), WHITE);
            let knot = Shape::at(-2.4, 41.0)
                .line(2.4, 41.0)
                .line(1.7, 44.6)
                .line(4.0, 56.0)
                .line(-4.0, 56.0)
                .line(-1.7, 44.6);
            let open = Shape::at(2.0 - n, 32.0).line(0.0, 43.0).line(n - 2.0, 32.0).close();
            pen.fill(open, p.skin.mix(p.shade, 0.55));
            pen.fill(knot.close(), p.trim);
            lapels(p, pen, n, Tone::hex(0xf6f3ee), 6.0);
            for s in [-1.0, 1.0] {
                let jacket = Shape::at(s * (n + 0.4), 33.4)
                    .line(s * 5.5, 56.0)
                    .line(s * (wide + 3.0), 56.0)
                    .quad((s * (wide + 2.5), 47.0), s * wide, 43.5)
                    .cubic((s * (wide - 4.0), 36.0), (s * (n + 5.0), 36.5), s * (n + 0.4), 33.4);
                weave(p, pen, jacket.close(), cloth);
                let lapel = Shape::at(s * (n + 0.2), 33.6)
                    .line(s * 5.0, 56.0)
                    .line(s * (n + 4.0), 45.5)
                    .line(s * (n + 5.6), 41.5);
                pen.fill(lapel.close(), cloth.light(0.12));
            }
        }
        Wear::Roll => {
            weave(p, pen, body(n, 34.0).close(), p.cloth);
            let roll = Shape::plate(0.0, 34.0, n + 1.0, 5.4, 3.4);
            weave(p, pen, roll, p.cloth.light(0.08));
            pen.line(
                Shape::at(-n - 0.6, 35.6).quad((0.0, 39.0), n + 0.6, 35.6),
                0.8,
                p.cloth.dark(0.4).alpha(0.7),
            );
        }
        Wear::Straps => {
            weave(
                p,
                pen,
                body(n + 3.0, 36.0).quad((0.0, 38.5), -n - 3.0, 36.0).close(),
                p.skin.mix(p.shade, 0.18),
            );
            let dress = Shape::at(-22.0, 56.0)
                .quad((-21.0, 48.0), -15.0, 46.5)
                .quad((0.0, 53.0), 15.0, 46.5)
                .quad((21.0, 48.0), 22.0, 56.0);
            pen.fill(dress.close(), p.cloth);
            for s in [-1.0, 1.0] {
                pen.line(
                    Shape::at(s * 16.0, 48.0).quad((s * 17.0, 42.0), s * (n + 6.0), 36.6),
                    1.7,
                    p.cloth,
                );
            }
            pen.line(
                Shape::at(-n + 0.5, 34.0).quad((0.0, 47.5), n - 0.5, 34.0),
                0.7,
                Tone::hex(0xe9bd4e),
            );
            pen.fill(Shape::oval(0.0, 41.2, 1.3, 1.3), Tone::hex(0xe9bd4e));
        }
        Wear::Overalls => {
            weave(p, pen, crew, p.trim.light(0.2));
            collar(p, pen, n, 34.0, 47.0);
            for s in [-1.0, 1.0] {
                pen.line(Shape::at(s * 17.0, 36.0).line(s * 14.0, 52.0), 4.6, p.cloth.dark(0.1));
                pen.fill(Shape::oval(s * 14.6, 47.8, 1.5, 1.5), Tone::hex(0xf1d27a));
            }
        }
    }
}

fn weave(p: &Person, pen: &mut Pen, shape: Shape, tone: Tone) {
    let (lit, dim) = (tone.light(0.12), tone.dark(0.30));
    pen.fill(
        shape,
        Ink::Linear(
            (p.light * 26.0, 30.0),
            lit.alpha(1.0),
            (-p.light * 30.0, 48.0),
            dim.alpha(1.0),
        ),
    );
}

fn collar(p: &Person, pen: &mut Pen, n: f32, top: f32, low: f32) {
    pen.line(Shape::at(-n, top).quad((0.0, low), n, top), 1.9, p.cloth.dark(0.22));
}

fn lapels(p: &Person, pen: &mut Pen, n: f32, tone: Tone, long: f32) {
    for s in [-1.0, 1.0] {
        let flap = Shape::at(s * (n - 1.4), 30.6)
            .line(0.0, 43.0)
            .line(s * 5.6, 43.0 + long * 0.6)
            .line(s * (n + 2.4), 35.6);
        let dim = if s == p.light { 0.0 } else { 0.14 };
        pen.fill(flap.close(), tone.dark(dim));
    }
}

/// Over everything: the color of the light.
pub(super) fn light(p: &Person, rng: &mut Rng, pen: &mut Pen) {
    let tint = Tone::hex(rng.pick(&[0xffd9a0, 0xa8c8ff, 0xffffff, 0xffb0a0, 0x2a1a4a]));
    let strong = rng.range(0.0, 0.14);
    let (from, to) = ((p.light * 45.0, -30.0), (-p.light * 45.0, 30.0));
    let all = Shape::plate(0.0, 0.0, 51.0, 51.0, 0.0);
    pen.fill(all, Ink::Linear(from, tint.alpha(strong), to, tint.alpha(0.0)));
}
