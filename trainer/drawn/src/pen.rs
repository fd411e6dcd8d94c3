//! Shapes in the face's own coordinates, and the canvas that they are filled on.
//!
//! The picture spans about -43 to 43 both ways, y downwards; the eyes are near y = 0. A shape is
//! written once for every size.

use image::{Rgb, RgbImage};
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path,
    PathBuilder, Pixmap, PixmapPaint, Point, RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

use super::tone::Tone;

/// How much of the coordinates the picture spans.
const SPAN: f32 = 86.0;

/// Width of the lines of a sketch.
const SKETCHED: f32 = 1.5;
/// Alpha from which something is drawn in a sketch; less is shading.
const SOLID: f32 = 0.9;

/// How far down the picture y = 0 lies, so that there is room for hats.
const MIDDLE: f32 = 0.515;

/// A point.
pub(super) type At = (f32, f32);

/// An outline under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    path: PathBuilder,
    last: At,
}

impl Shape {
    /// An outline that begins here.
    pub fn at(x: f32, y: f32) -> Shape {
        Shape::default().to(x, y)
    }

    /// Another outline of the same shape.
    pub fn to(mut self, x: f32, y: f32) -> Shape {
        self.path.move_to(x, y);
        self.last = (x, y);
        self
    }

    /// A straight line.
    pub fn line(mut self, x: f32, y: f32) -> Shape {
        self.path.line_to(x, y);
        self.last = (x, y);
        self
    }

    /// A curve drawn towards `c`.
    pub fn quad(mut self, c: At, x: f32, y: f32) -> Shape {
        self.path.quad_to(c.0, c.1, x, y);
        self.last = (x, y);
        self
    }

    /// A curve that leaves towards `a` and arrives from `b`.
    pub fn cubic(mut self, a: At, b: At, x: f32, y: f32) -> Shape {
        self.path.cubic_to(a.0, a.1, b.0, b.1, x, y);
        self.last = (x, y);
        self
    }

    /// A smooth curve from here through points (Catmull and Rom 1974), with a corner at either end.
    pub fn through(mut self, points: &[At]) -> Shape {
        let row: Vec<At> = std::iter::once(self.last).chain(points.iter().copied()).collect();
        let get = |i: isize| row[i.clamp(0, row.len() as isize - 1) as usize];
        for i in 0..points.len() as isize {
            let (a, b) = bend(get(i - 1), get(i), get(i + 1), get(i + 2));
            let (x, y) = get(i + 1);
            self = self.cubic(a, b, x, y);
        }
        self
    }

    /// Back to where the outline began, straight.
    pub fn close(mut self) -> Shape {
        self.path.close();
        self
    }

    /// A smooth closed curve through points.
    pub fn blob(points: &[At]) -> Shape {
        let n = points.len();
        let get = |i: usize| points.get(i % n.max(1)).copied().unwrap_or_default();
        let mut shape = Shape::at(get(0).0, get(0).1);
        for i in 0..n {
            let (a, b) = bend(get(i + n - 1), get(i), get(i + 1), get(i + 2));
            let (x, y) = get(i + 1);
            shape = shape.cubic(a, b, x, y);
        }
        shape.close()
    }

    /// An ellipse.
    pub fn oval(x: f32, y: f32, rx: f32, ry: f32) -> Shape {
        Shape::default().and_oval(x, y, rx, ry)
    }

    /// An ellipse beside what is there.
    pub fn and_oval(mut self, x: f32, y: f32, rx: f32, ry: f32) -> Shape {
        // A quarter of a circle as a cubic: error below 3e-4 (Riskus 2006).
        let (kx, ky) = (0.5523 * rx, 0.5523 * ry);
        self = self.to(x + rx, y);
        self = self.cubic((x + rx, y + ky), (x + kx, y + ry), x, y + ry);
        self = self.cubic((x - kx, y + ry), (x - rx, y + ky), x - rx, y);
        self = self.cubic((x - rx, y - ky), (x - kx, y - ry), x, y - ry);
        self.cubic((x + kx, y - ry), (x + rx, y - ky), x + rx, y).close()
    }

    /// Another shape beside this one.
    pub fn and(mut self, other: Shape) -> Shape {
        if let Some(path) = other.path.finish() {
            self.path.push_path(&path);
        }
        self
    }

    /// A rectangle with round corners.
    pub fn plate(x: f32, y: f32, rx: f32, ry: f32, round: f32) -> Shape {
        let r = round.min(rx).min(ry);
        let (l, t, w, h) = (x - rx, y - ry, x + rx, y + ry);
        Shape::at(l + r, t)
            .line(w - r, t)
            .quad((w, t), w, t + r)
            .line(w, h - r)
            .quad((w, h), w - r, h)
            .line(l + r, h)
            .quad((l, h), l, h - r)
            .line(l, t + r)
            .quad((l, t), l + r, t)
            .close()
    }
}

/// The control points of the piece from `b` to `c` of a curve through four points.
fn bend(a: At, b: At, c: At, d: At) -> (At, At) {
    (
        (b.0 + (c.0 - a.0) / 6.0, b.1 + (c.1 - a.1) / 6.0),
        (c.0 - (d.0 - b.0) / 6.0, c.1 - (d.1 - b.1) / 6.0),
    )
}

/// What a shape is filled with.
pub(super) enum Ink {
    /// One color.
    Flat(Color),
    /// From one point to another.
    Linear(At, Color, At, Color),
    /// From a center to a radius.
    Radial(At, f32, Color, Color),
}

impl From<Tone> for Ink {
    fn from(tone: Tone) -> Ink {
        Ink::Flat(tone.alpha(1.0))
    }
}

impl From<Color> for Ink {
    fn from(color: Color) -> Ink {
        Ink::Flat(color)
    }
}

impl Ink {
    /// Whether it hides what is below it.
    fn is_solid(&self) -> bool {
        match self {
            Ink::Flat(color) => color.alpha() >= SOLID,
            Ink::Linear(_, a, _, b) | Ink::Radial(_, _, a, b) => a.alpha().min(b.alpha()) >= SOLID,
        }
    }

    fn paint(self) -> Paint<'static> {
        let at = |(x, y)| Point::from_xy(x, y);
        let stops = |a, b| vec![GradientStop::new(0.0, a), GradientStop::new(1.0, b)];
        let (pad, none) = (SpreadMode::Pad, Transform::identity());
        let (shader, plain) = match self {
            Ink::Flat(color) => (None, color),
            Ink::Linear(from, a, to, b) => {
                (LinearGradient::new(at(from), at(to), stops(a, b), pad, none), a)
            }
            Ink::Radial(c, r, a, b) => {
                (RadialGradient::new(at(c), 0.0, at(c), r, stops(a, b), pad, none), a)
            }
        };
        Paint {
            shader: shader.unwrap_or(Shader::SolidColor(plain)),
            anti_alias: true,
            ..Paint::default()
        }
    }
}

/// A canvas, where on it coordinates lie, and what part of it may be drawn on.
pub(super) struct Pen {
    pixmap: Pixmap,
    whole: Transform,
    at: Transform,
    clip: Option<Mask>,
    /// Whether it draws outlines in black on white instead of surfaces.
    sketch: bool,
}

impl Pen {
    /// A canvas of `side` pixels; none of no pixels, or more than there is memory for.
    pub fn new(side: u32) -> Option<Pen> {
        let scale = side as f32 / SPAN;
        let whole =
            Transform::from_row(scale, 0.0, 0.0, scale, side as f32 / 2.0, side as f32 * MIDDLE);
        let pixmap = Pixmap::new(side, side)?;
        Some(Pen { pixmap, whole, at: whole, clip: None, sketch: false })
    }

    /// A white canvas on which only outlines are drawn: shapes without color and shading.
    pub fn sketch(side: u32) -> Option<Pen> {
        let mut pen = Pen::new(side)?;
        pen.pixmap.fill(Color::WHITE);
        Some(Pen { sketch: true, ..pen })
    }

    /// Draws from here on turned by `degrees` about a point and moved.
    pub fn place(&mut self, degrees: f32, about: At, by: At) {
        self.at = self
            .whole
            .pre_translate(by.0, by.1)
            .pre_concat(Transform::from_rotate_at(degrees, about.0, about.1));
    }

    /// Draws inside a shape only.
    pub fn clip(&mut self, shape: Shape) {
        let mask = Mask::new(self.pixmap.width(), self.pixmap.height());
        self.clip = mask.zip(shape.path.finish()).map(|(mut mask, path)| {
            mask.fill_path(&path, FillRule::Winding, true, self.at);
            mask
        });
    }

    /// Draws everywhere.
    pub fn unclip(&mut self) {
        self.clip = None;
    }

    /// Fills a shape. One without extent is nothing.
    pub fn fill(&mut self, shape: Shape, ink: impl Into<Ink>) {
        self.fill_by(shape, ink.into(), FillRule::Winding);
    }

    /// Fills what an odd number of a shape's outlines surround.
    pub fn fill_odd(&mut self, shape: Shape, ink: impl Into<Ink>) {
        self.fill_by(shape, ink.into(), FillRule::EvenOdd);
    }

    fn fill_by(&mut self, shape: Shape, ink: Ink, rule: FillRule) {
        if self.sketch && !ink.is_solid() {
            return;
        }
        let ink = if self.sketch { Ink::Flat(Color::WHITE) } else { ink };
        if let Some(path) = shape.path.finish() {
            let paint = ink.paint();
            self.pixmap.fill_path(&path, &paint, rule, self.at, self.clip.as_ref());
            if self.sketch {
                self.stroke(&path, SKETCHED, Ink::Flat(Color::BLACK));
            }
        }
    }

    /// Draws along a shape.
    pub fn line(&mut self, shape: Shape, width: f32, ink: impl Into<Ink>) {
        self.line_by(shape, width, ink.into());
    }

    fn line_by(&mut self, shape: Shape, width: f32, ink: Ink) {
        let (width, ink) = match self.sketch {
            true if !ink.is_solid() => return,
            true => (SKETCHED, Ink::Flat(Color::BLACK)),
            false => (width, ink),
        };
        if let Some(path) = shape.path.finish() {
            self.stroke(&path, width, ink);
        }
    }

    fn stroke(&mut self, path: &Path, width: f32, ink: Ink) {
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        let paint = ink.paint();
        self.pixmap.stroke_path(path, &paint, &stroke, self.at, self.clip.as_ref());
    }

    /// The highest point of the column at `x` that something opaque is drawn on.
    pub fn top(&self, x: f32) -> Option<f32> {
        let side = self.pixmap.width();
        let scale = side as f32 / SPAN;
        let column = (x * scale + side as f32 / 2.0).clamp(0.0, side as f32 - 1.0) as usize;
        let mut pixels = self.pixmap.pixels().iter().skip(column).step_by(side as usize);
        let row = pixels.position(|pixel| pixel.alpha() > 127)?;
        Some((row as f32 - side as f32 * MIDDLE) / scale)
    }

    /// Lays a canvas of the same size over this one.
    pub fn lay(&mut self, other: &Pen) {
        let (paint, none) = (PixmapPaint::default(), Transform::identity());
        self.pixmap.draw_pixmap(0, 0, other.pixmap.as_ref(), &paint, none, None);
    }

    /// The picture, every `by` x `by` pixels averaged into one.
    pub fn picture(&self, by: u32) -> RgbImage {
        let side = self.pixmap.width() / by.max(1);
        let (width, area) = (self.pixmap.width() as usize, by * by);
        let pixels = self.pixmap.pixels();
        RgbImage::from_fn(side, side, |x, y| {
            let mut sum = [area / 2; 3];
            for row in 0..by {
                let at = (y * by + row) as usize * width + (x * by) as usize;
                for p in &pixels[at..at + by as usize] {
                    // The background is opaque, so nothing is premultiplied by less than 1.
                    sum[0] += u32::from(p.red());
                    sum[1] += u32::from(p.green());
                    sum[2] += u32::from(p.blue());
                }
            }
            Rgb(sum.map(|v| (v / area) as u8))
        })
    }
}
