//! Panels mounted turned by quarters, mirrored, or both.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, Point, Size};
use embedded_graphics::primitives::Rectangle;

/// A clockwise turn by quarters, followed by a left-right mirror.
///
/// *View* coordinates are those of the upright picture a person sees; *panel* coordinates are those of
/// the display's pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    quarters: u8,
    mirror: bool,
}

impl Turn {
    /// Turns by `quarters` (modulo 4) clockwise, then mirrors.
    pub const fn new(quarters: u8, mirror: bool) -> Turn {
        Turn { quarters: quarters % 4, mirror }
    }

    /// The view's size for a panel's size, or the panel's for a view's.
    pub const fn size(self, size: Size) -> Size {
        match self.quarters % 2 {
            0 => size,
            _ => Size::new(size.height, size.width),
        }
    }

    /// Maps a point of a panel of `size` to the view.
    pub fn to_view(self, at: Point, size: Size) -> Point {
        let (right, bottom) = (size.width as i32 - 1, size.height as i32 - 1);
        let x = if self.mirror { right - at.x } else { at.x };
        match self.quarters {
            0 => Point::new(x, at.y),
            1 => Point::new(at.y, right - x),
            2 => Point::new(right - x, bottom - at.y),
            _ => Point::new(bottom - at.y, x),
        }
    }

    /// Maps a point of the view to a panel of `size`.
    pub fn to_panel(self, at: Point, size: Size) -> Point {
        let (right, bottom) = (size.width as i32 - 1, size.height as i32 - 1);
        let (x, y) = match self.quarters {
            0 => (at.x, at.y),
            1 => (right - at.y, at.x),
            2 => (right - at.x, bottom - at.y),
            _ => (at.y, bottom - at.x),
        };
        Point::new(if self.mirror { right - x } else { x }, y)
    }

    /// Maps a rectangle of the view to a panel of `size`.
    pub fn area_to_panel(self, area: &Rectangle, size: Size) -> Rectangle {
        match area.bottom_right() {
            Some(end) => Rectangle::with_corners(
                self.to_panel(area.top_left, size),
                self.to_panel(end, size),
            ),
            None => Rectangle::new(self.to_panel(area.top_left, size), Size::zero()),
        }
    }
}

/// Draws on a panel in view coordinates.
pub(crate) struct Turned<'d, D> {
    panel: &'d mut D,
    bounds: Rectangle,
    turn: Turn,
}

impl<'d, D: DrawTarget> Turned<'d, D> {
    pub(crate) fn new(panel: &'d mut D, turn: Turn) -> Turned<'d, D> {
        let bounds = panel.bounding_box();
        Turned { panel, bounds, turn }
    }
}

impl<D: DrawTarget> Dimensions for Turned<'_, D> {
    fn bounding_box(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.turn.size(self.bounds.size))
    }
}

impl<D: DrawTarget> DrawTarget for Turned<'_, D> {
    type Color = D::Color;
    type Error = D::Error;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), D::Error>
    where
        I: IntoIterator<Item = Pixel<D::Color>>,
    {
        let (turn, bounds) = (self.turn, self.bounds);
        let onto = |at| turn.to_panel(at, bounds.size) + bounds.top_left;
        let pixels = pixels.into_iter();
        self.panel.draw_iter(pixels.map(|Pixel(at, color)| Pixel(onto(at), color)))
    }

    fn fill_solid(&mut self, area: &Rectangle, color: D::Color) -> Result<(), D::Error> {
        let mut area = self.turn.area_to_panel(area, self.bounds.size);
        area.top_left += self.bounds.top_left;
        self.panel.fill_solid(&area, color)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::prelude::PointsIter;

    #[test]
    fn the_corners_of_a_3_by_2_panel() {
        // The panel coordinates of the view's top left and top right corners.
        let cases = [
            (0, false, (0, 0), (2, 0)),
            (1, false, (2, 0), (2, 1)),
            (2, false, (2, 1), (0, 1)),
            (3, false, (0, 1), (0, 0)),
            (0, true, (2, 0), (0, 0)),
            (1, true, (0, 0), (0, 1)),
            (6, false, (2, 1), (0, 1)),
        ];
        let size = Size::new(3, 2);
        for (quarters, mirror, first, last) in cases {
            let turn = Turn::new(quarters, mirror);
            let right = turn.size(size).width as i32 - 1;
            let got = [Point::zero(), Point::new(right, 0)].map(|p| turn.to_panel(p, size));
            assert_eq!(got.map(|p| (p.x, p.y)), [first, last], "{turn:?}");
        }
    }

    #[test]
    fn there_and_back() {
        let size = Size::new(5, 3);
        for quarters in 0..4 {
            for turn in [false, true].map(|mirror| Turn::new(quarters, mirror)) {
                for at in Rectangle::new(Point::zero(), size).points() {
                    let view = turn.to_view(at, size);
                    let seen = Rectangle::new(Point::zero(), turn.size(size));
                    assert!(seen.contains(view), "{turn:?} {at}");
                    assert_eq!(turn.to_panel(view, size), at, "{turn:?}");
                }
            }
        }
    }
}
