//! The built-in handwritten digits, so that recipes that need labels run without a download:
//! strokes of a pen, white on black like MNIST's, each in a different hand.
//!
//! A digit is a function of its seed, the same on every machine. They are easier than real ones: no
//! digit is ambiguous.

use image::GrayImage;
use tiny_skia::{LineCap, LineJoin, Paint, PathBuilder, Pixmap, Stroke, Transform};

use crate::rng::Rng;

/// Incremented with every change to the drawings.
pub const VERSION: u64 = 1;

/// A point of the unit square, y down.
type Point = (f32, f32);

/// A movement of the pen.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// Lifts and goes there.
    To(Point),
    /// A straight line.
    Line(Point),
    /// A curve by two handles.
    Curve(Point, Point, Point),
}

use Move::{Curve, Line, To};

/// How far a hand misses a point.
const SHAKE: f32 = 0.035;

/// The ways in which a digit is written: some have two.
fn strokes(digit: u8, rng: &mut Rng) -> Vec<Move> {
    let second = rng.chance(0.5);
    match digit {
        0 => vec![
            To((0.5, 0.1)),
            Curve((0.2, 0.1), (0.18, 0.9), (0.5, 0.9)),
            Curve((0.82, 0.9), (0.8, 0.1), (0.5, 0.1)),
        ],
        1 if second => vec![To((0.5, 0.1)), Line((0.5, 0.9))],
        1 => vec![To((0.33, 0.28)), Line((0.52, 0.1)), Line((0.52, 0.9))],
        2 => vec![
            To((0.24, 0.3)),
            Curve((0.28, 0.02), (0.76, 0.04), (0.74, 0.34)),
            Curve((0.72, 0.54), (0.4, 0.7), (0.24, 0.88)),
            Line((0.78, 0.88)),
        ],
        3 => vec![
            To((0.26, 0.2)),
            Curve((0.36, 0.04), (0.76, 0.06), (0.7, 0.32)),
            Curve((0.66, 0.46), (0.52, 0.48), (0.44, 0.48)),
            Curve((0.62, 0.48), (0.8, 0.56), (0.76, 0.74)),
            Curve((0.7, 0.96), (0.34, 0.94), (0.24, 0.78)),
        ],
        4 if second => vec![
            To((0.3, 0.12)),
            Line((0.24, 0.54)),
            Line((0.78, 0.54)),
            To((0.66, 0.14)),
            Line((0.64, 0.9)),
        ],
        4 => vec![To((0.62, 0.9)), Line((0.62, 0.1)), Line((0.2, 0.64)), Line((0.82, 0.64))],
        5 => vec![
            To((0.74, 0.12)),
            Line((0.34, 0.12)),
            Line((0.28, 0.46)),
            Curve((0.46, 0.34), (0.78, 0.42), (0.76, 0.66)),
            Curve((0.74, 0.92), (0.4, 0.94), (0.24, 0.82)),
        ],
        6 => vec![
            To((0.66, 0.12)),
            Curve((0.4, 0.2), (0.24, 0.46), (0.26, 0.68)),
            Curve((0.28, 0.96), (0.74, 0.94), (0.74, 0.68)),
            Curve((0.74, 0.46), (0.36, 0.46), (0.27, 0.7)),
        ],
        7 if second => vec![
            To((0.24, 0.14)),
            Line((0.76, 0.14)),
            Line((0.44, 0.9)),
            To((0.36, 0.52)),
            Line((0.7, 0.52)),
        ],
        7 => vec![To((0.24, 0.14)), Line((0.76, 0.14)), Line((0.44, 0.9))],
        8 => vec![
            To((0.5, 0.48)),
            Curve((0.2, 0.4), (0.26, 0.1), (0.5, 0.1)),
            Curve((0.74, 0.1), (0.8, 0.4), (0.5, 0.48)),
            Curve((0.14, 0.58), (0.2, 0.9), (0.5, 0.9)),
            Curve((0.8, 0.9), (0.86, 0.58), (0.5, 0.48)),
        ],
        _ => vec![
            To((0.72, 0.32)),
            Curve((0.64, 0.56), (0.28, 0.54), (0.27, 0.32)),
            Curve((0.26, 0.06), (0.7, 0.04), (0.73, 0.3)),
            Curve((0.76, 0.54), (0.68, 0.74), (0.54, 0.9)),
        ],
    }
}

/// The picture of a seed, `size` x `size` pixels, and its digit: the last decimal of the seed, so
/// that all are equally frequent.
pub fn digit(seed: u64, size: u32) -> (GrayImage, u8) {
    /// The stream of digits, apart from that of faces.
    const STREAM: u64 = 0x0d16_1700;
    let which = (seed % 10) as u8;
    let mut rng = Rng::new(seed, STREAM);
    let moves = strokes(which, &mut rng);
    let (turn, slant) = (rng.range(-0.18, 0.18), rng.range(-0.25, 0.2));
    let (wide, high) = (rng.range(0.72, 1.0), rng.range(0.82, 1.0));
    let middle = (0.5 + rng.range(-0.05, 0.05), 0.5 + rng.range(-0.05, 0.05));
    // A margin of a seventh, as MNIST's digits have.
    let scale = size as f32 * 0.74;
    let (sin, cos) = turn.sin_cos();
    let mut place = |(x, y): Point| {
        let x = (x - 0.5 + rng.range(-SHAKE, SHAKE)) * wide;
        let y = (y - 0.5 + rng.range(-SHAKE, SHAKE)) * high;
        let x = x - slant * y;
        let (x, y) = (x * cos - y * sin, x * sin + y * cos);
        (x * scale + middle.0 * size as f32, y * scale + middle.1 * size as f32)
    };
    let mut path = PathBuilder::new();
    for step in moves {
        match step {
            To(p) => {
                let (x, y) = place(p);
                path.move_to(x, y);
            }
            Line(p) => {
                let (x, y) = place(p);
                path.line_to(x, y);
            }
            Curve(a, b, p) => {
                let ((ax, ay), (bx, by), (x, y)) = (place(a), place(b), place(p));
                path.cubic_to(ax, ay, bx, by, x, y);
            }
        }
    }
    let width = size as f32 * rng.range(0.07, 0.125);
    let ink = rng.range(0.85, 1.0);
    (draw(path, size, width, ink), which)
}

/// A path in white of a brightness, on black.
fn draw(path: PathBuilder, size: u32, width: f32, ink: f32) -> GrayImage {
    let (Some(path), Some(mut canvas)) = (path.finish(), Pixmap::new(size, size)) else {
        return GrayImage::new(size, size);
    };
    let mut paint = Paint::default();
    let level = (ink * 255.0) as u8;
    paint.set_color_rgba8(level, level, level, 255);
    let stroke =
        Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
    canvas.stroke_path(&path, &paint, &stroke, Transform::identity(), None);
    // Premultiplied white over nothing: any channel is the gray.
    let gray = canvas.pixels().iter().map(|p| p.red()).collect();
    GrayImage::from_raw(size, size, gray).unwrap_or_else(|| GrayImage::new(size, size))
}
