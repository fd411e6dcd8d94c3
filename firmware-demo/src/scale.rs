//! Scales, turns and crops a face pixel by pixel, without a second frame buffer.

use core::marker::PhantomData;

use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use runtime::Image;

use crate::paint::Paint;
use crate::turn::Turn;

/// Interpolation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// Nearest neighbor: the cheapest, with visible squares.
    Nearest,
    /// Bilinear, from the four nearest pixels.
    #[default]
    Bilinear,
}

/// What to do on a panel of another aspect ratio than the face's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// Show the whole face, with black margins.
    #[default]
    Letterbox,
    /// Cover the whole panel, cropping the face.
    Fill,
}

impl Fit {
    /// How large a picture becomes in `room`, and how much of it is visible, in units of 2^-32 pixels.
    /// No side is 0 unless the room's is.
    fn place(self, room: Size, picture: Size) -> (Size, (u64, u64)) {
        let [rw, rh] = [room.width as u64, room.height as u64];
        let [pw, ph] = [picture.width as u64, picture.height as u64];
        let wide = rw * ph > rh * pw;
        let whole = (pw << 32, ph << 32);
        match (self, wide) {
            (Fit::Letterbox, true) => {
                let w = ((2 * rh * pw + ph) / (2 * ph)).max(1).min(rw);
                (Size::new(w as u32, room.height), whole)
            }
            (Fit::Letterbox, false) => {
                let h = ((2 * rw * ph + pw) / (2 * pw)).max(1).min(rh);
                (Size::new(room.width, h as u32), whole)
            }
            (Fit::Fill, _) if rw == 0 || rh == 0 => (room, whole),
            (Fit::Fill, true) => (room, (whole.0, (rh * whole.0) / rw)),
            (Fit::Fill, false) => (room, ((rw * whole.1) / rh, whole.1)),
        }
    }
}

/// The centered rectangle of `room` that a picture covers.
pub fn area(fit: Fit, room: &Rectangle, picture: Size) -> Rectangle {
    let (size, _) = fit.place(room.size, picture);
    let left = (room.size.width - size.width) / 2;
    let top = (room.size.height - size.height) / 2;
    Rectangle::new(room.top_left + Point::new(left as i32, top as i32), size)
}

/// Maps panel pixels to picture pixels along one axis, in units of 2^-32 pixels.
#[derive(Clone, Copy)]
struct Axis {
    first: i64,
    step: i64,
    last: i64,
}

impl Axis {
    /// Spreads the middle `visible` units of `source` pixels over `target` pixels, sampled at their
    /// centers. With `between`, neighbors are weighted by the distance from their centers.
    fn new(source: u32, visible: u64, target: u32, between: bool) -> Axis {
        let step = (visible / target.max(1) as u64) as i64;
        let margin = (((source as u64) << 32) - visible) as i64 / 2;
        let half = if between { 1 << 31 } else { 0 };
        Axis { first: margin + step / 2 - half, step, last: source as i64 - 1 }
    }

    /// The two neighbors of pixel `i` and the weight of the second, in 256ths.
    fn at(&self, i: u32) -> (i32, i32, u32) {
        let at = self.first + self.step * i as i64;
        let low = at >> 32;
        let weight = (at >> 24) as u32 & 255;
        let clip = |v: i64| v.clamp(0, self.last) as i32;
        (clip(low), clip(low + 1), weight)
    }
}

/// The colors of a rectangle of the panel, row by row from the top left.
pub struct Scaled<'a, C> {
    image: Image<'a>,
    turn: Turn,
    scaling: Scaling,
    /// Size of the picture in panel orientation.
    turned: Size,
    area: Rectangle,
    across: Axis,
    down: Axis,
    x: u32,
    y: u32,
    /// The source columns of `left` and `right`; `None` at the start of a row.
    columns: Option<(i32, i32)>,
    left: [u32; 3],
    right: [u32; 3],
    color: PhantomData<C>,
}

impl<'a, C: Paint> Scaled<'a, C> {
    /// Scales `image` to `area` of a panel, given the `room` in the view passed to [`area`].
    pub fn new(
        image: Image<'a>,
        area: Rectangle,
        room: Size,
        fit: Fit,
        scaling: Scaling,
        turn: Turn,
    ) -> Scaled<'a, C> {
        let picture = Size::new(image.width() as u32, image.height() as u32);
        let turned = turn.size(picture);
        let (_, visible) = fit.place(turn.size(room), turned);
        let between = scaling == Scaling::Bilinear;
        Scaled {
            image,
            turn,
            scaling,
            turned,
            area,
            across: Axis::new(turned.width, visible.0, area.size.width, between),
            down: Axis::new(turned.height, visible.1, area.size.height, between),
            x: 0,
            y: 0,
            columns: None,
            left: [0; 3],
            right: [0; 3],
            color: PhantomData,
        }
    }

    /// A pixel of the picture, in panel orientation.
    fn source(&self, x: i32, y: i32) -> [u8; 3] {
        let at = self.turn.to_view(Point::new(x, y), self.turned);
        self.image.pixel(at.x as usize, at.y as usize)
    }

    /// A column interpolated between two rows, in 256ths of a level.
    fn column(&self, x: i32, (top, bottom, weight): (i32, i32, u32)) -> [u32; 3] {
        let a = self.source(x, top).map(|v| v as u32 * (256 - weight));
        let b = self.source(x, bottom).map(|v| v as u32 * weight);
        [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
    }

    fn between(&mut self) -> [u8; 3] {
        let rows = self.down.at(self.y);
        let (left, right, weight) = self.across.at(self.x);
        // The next pixel mostly needs the same two columns, or one of them and the next.
        if self.columns != Some((left, right)) {
            self.left = match self.columns {
                Some((_, old)) if old == left => self.right,
                _ => self.column(left, rows),
            };
            self.right = self.column(right, rows);
            self.columns = Some((left, right));
        }
        let mix = |c: usize| {
            let sum = self.left[c] * (256 - weight) + self.right[c] * weight;
            ((sum + (1 << 15)) >> 16) as u8
        };
        [mix(0), mix(1), mix(2)]
    }
}

impl<C: Paint> Iterator for Scaled<'_, C> {
    type Item = C;

    #[inline]
    fn next(&mut self) -> Option<C> {
        if self.x == self.area.size.width {
            (self.x, self.y, self.columns) = (0, self.y + 1, None);
        }
        if self.y >= self.area.size.height || self.area.size.width == 0 {
            return None;
        }
        let rgb = match self.scaling {
            Scaling::Nearest => self.source(self.across.at(self.x).0, self.down.at(self.y).0),
            Scaling::Bilinear => self.between(),
        };
        let at = self.area.top_left + Point::new(self.x as i32, self.y as i32);
        self.x += 1;
        Some(C::paint(rgb, at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let Size { width, height } = self.area.size;
        let done = self.y as usize * width as usize + self.x as usize;
        let left = (width as usize * height as usize).saturating_sub(done);
        (left, Some(left))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::Fit::{Fill, Letterbox};
    use super::Scaling::{Bilinear, Nearest};
    use super::*;
    use embedded_graphics::pixelcolor::{Gray8, GrayColor};
    use runtime::op::Shape;

    /// Scales a gray picture to a whole panel and returns its rows.
    fn scaled(
        values: &[f32],
        width: usize,
        panel: (u32, u32),
        fit: Fit,
        scaling: Scaling,
        turn: Turn,
    ) -> Vec<Vec<u8>> {
        let shape = Shape::new(1, values.len() / width, width);
        let image = Image::new(values, shape, (0.0, 255.0));
        let panel = Size::new(panel.0, panel.1);
        let room = Rectangle::new(Point::zero(), turn.size(panel));
        let picture = Size::new(width as u32, shape.h as u32);
        let area = turn.area_to_panel(&area(fit, &room, picture), panel);
        let colors: Vec<u8> = Scaled::<Gray8>::new(image, area, room.size, fit, scaling, turn)
            .map(|c| c.luma())
            .collect();
        assert_eq!(colors.len() as u32, area.size.width * area.size.height);
        let rows = colors.chunks(area.size.width.max(1) as usize);
        rows.map(<[u8]>::to_vec).collect()
    }

    type Case<'a> = (&'a str, &'a [f32], usize, (u32, u32), Fit, Scaling, Turn, &'a [&'a [u8]]);

    fn check(cases: &[Case]) {
        for &(name, values, width, panel, fit, scaling, turn, want) in cases {
            assert_eq!(scaled(values, width, panel, fit, scaling, turn), want, "{name}");
        }
    }

    const SQUARE: [f32; 4] = [10.0, 20.0, 30.0, 40.0];

    #[test]
    fn pictures_on_panels() {
        let up = Turn::default();
        check(&[
            ("as it is", &SQUARE, 2, (2, 2), Letterbox, Nearest, up, &[&[10, 20], &[30, 40]]),
            (
                "as it is, smooth",
                &SQUARE,
                2,
                (2, 2),
                Letterbox,
                Bilinear,
                up,
                &[&[10, 20], &[30, 40]],
            ),
            (
                "twice",
                &SQUARE,
                2,
                (4, 4),
                Letterbox,
                Nearest,
                up,
                &[&[10, 10, 20, 20], &[10, 10, 20, 20], &[30, 30, 40, 40], &[30, 30, 40, 40]],
            ),
            (
                "twice, smooth",
                &[0.0, 100.0],
                2,
                (4, 2),
                Letterbox,
                Bilinear,
                up,
                &[&[0, 25, 75, 100], &[0, 25, 75, 100]],
            ),
            ("a wide panel", &SQUARE, 2, (6, 2), Letterbox, Nearest, up, &[&[10, 20], &[30, 40]]),
            (
                "a wide panel filled",
                &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
                3,
                (3, 1),
                Fill,
                Nearest,
                up,
                &[&[4, 5, 6]],
            ),
            (
                "a high panel filled",
                &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
                3,
                (1, 3),
                Fill,
                Nearest,
                up,
                &[&[2], &[5], &[8]],
            ),
        ]);
    }

    #[test]
    fn turned_pictures_on_panels() {
        check(&[
            (
                "a quarter",
                &SQUARE,
                2,
                (2, 2),
                Letterbox,
                Bilinear,
                Turn::new(1, false),
                &[&[30, 10], &[40, 20]],
            ),
            (
                "a quarter the other way",
                &[1.0, 2.0, 3.0],
                3,
                (1, 3),
                Letterbox,
                Nearest,
                Turn::new(3, false),
                &[&[3], &[2], &[1]],
            ),
            (
                "mirrored",
                &SQUARE,
                2,
                (2, 2),
                Letterbox,
                Nearest,
                Turn::new(0, true),
                &[&[20, 10], &[40, 30]],
            ),
        ]);
    }

    #[test]
    fn bilinear_matches_the_textbook() {
        let values: Vec<f32> = (0..35).map(|i| (i * 37 % 251) as f32).collect();
        let (w, h, pw, ph) = (7usize, 5usize, 21u32, 15u32);
        let got = scaled(&values, w, (pw, ph), Fit::Letterbox, Scaling::Bilinear, Turn::default());
        for (y, row) in got.iter().enumerate() {
            for (x, v) in row.iter().enumerate() {
                let (u, v_at) = ((x as f64 + 0.5) / 3.0 - 0.5, (y as f64 + 0.5) / 3.0 - 0.5);
                let (u, t) = (u.clamp(0.0, w as f64 - 1.0), v_at.clamp(0.0, h as f64 - 1.0));
                let (i, j) = (u as usize, t as usize);
                let (fu, ft) = (u - i as f64, t - j as f64);
                let at = |i: usize, j: usize| values[j.min(h - 1) * w + i.min(w - 1)] as f64;
                let want = (at(i, j) * (1.0 - fu) + at(i + 1, j) * fu) * (1.0 - ft)
                    + (at(i, j + 1) * (1.0 - fu) + at(i + 1, j + 1) * fu) * ft;
                assert!((want - *v as f64).abs() < 2.5, "({x}, {y}): {v}, {want}");
            }
        }
    }

    #[test]
    fn every_turn_is_the_picture_turned() {
        let values: Vec<f32> = (0..12).map(|i| (i * 20) as f32).collect();
        for quarters in 0..4 {
            for mirror in [false, true] {
                let turn = Turn::new(quarters, mirror);
                let panel = turn.size(Size::new(12, 9));
                let upright =
                    scaled(&values, 4, (12, 9), Fit::Fill, Scaling::Nearest, Turn::default());
                let got = scaled(
                    &values,
                    4,
                    (panel.width, panel.height),
                    Fit::Fill,
                    Scaling::Nearest,
                    turn,
                );
                for (y, row) in got.iter().enumerate() {
                    for (x, v) in row.iter().enumerate() {
                        let at = turn.to_view(Point::new(x as i32, y as i32), panel);
                        assert_eq!(
                            *v, upright[at.y as usize][at.x as usize],
                            "{turn:?} ({x}, {y})"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn large_panels_keep_the_grid() {
        let values: Vec<f32> = (0..64).map(|i| i as f32).collect();
        let rows = scaled(&values, 64, (8192, 128), Fit::Fill, Scaling::Nearest, Turn::default());
        assert!(rows[0].iter().enumerate().all(|(x, v)| *v as usize == x / 128));
    }

    #[test]
    fn no_room_no_colors() {
        for panel in [(0, 5), (5, 0), (0, 0)] {
            for fit in [Fit::Letterbox, Fit::Fill] {
                let rows = scaled(&[1.0; 4], 2, panel, fit, Scaling::Bilinear, Turn::default());
                assert!(rows.is_empty());
            }
        }
    }
}
