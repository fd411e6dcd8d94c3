//! Where things lie on a panel that is drawn on.

use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;

use crate::scale::{self, Fit};

/// What a button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// Erases all strokes.
    Clear,
    /// Removes the last stroke.
    Undo,
    /// Saves the drawing and the answer.
    Save,
}

/// The buttons, left to right.
pub const BUTTONS: [Button; 3] = [Button::Clear, Button::Undo, Button::Save];

/// The parts of a view, which is the panel as it is seen upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What is drawn on.
    pub pad: Rectangle,
    /// Where the answer appears.
    pub answer: Rectangle,
    /// The buttons, in the order of [`BUTTONS`]; without width if there are none.
    pub buttons: [Rectangle; 3],
}

/// The smallest side of a pad in pixels.
const SMALLEST: u32 = 8;

impl Layout {
    /// Lays out a view for pictures of the sizes `input` and `output`: side by side or, where that
    /// makes the pad larger, one above the other. The buttons are at the bottom, a fifth of the view's
    /// shorter side high: 8 mm on a panel of 2.8 inches. `None` if the pad would be smaller than 8
    /// pixels.
    pub fn new(view: Size, input: Size, output: Size, buttons: bool) -> Option<Layout> {
        let shorter = view.width.min(view.height);
        let strip = if buttons { (shorter / 5).min(96) } else { 0 };
        let gap = shorter / 60;
        let room = Size::new(view.width, view.height - strip);
        let (width, height) = (room.width.saturating_sub(gap), room.height.saturating_sub(gap));
        let beside = [
            Rectangle::new(Point::zero(), Size::new(width / 2, room.height)),
            Rectangle::new(
                Point::new((room.width - width / 2) as i32, 0),
                Size::new(width / 2, room.height),
            ),
        ];
        let below = [
            Rectangle::new(Point::zero(), Size::new(room.width, height / 2)),
            Rectangle::new(
                Point::new(0, (room.height - height / 2) as i32),
                Size::new(room.width, height / 2),
            ),
        ];
        let pads = [beside, below].map(|[pad, _]| scale::area(Fit::Letterbox, &pad, input));
        let area = |pad: &Rectangle| u64::from(pad.size.width) * u64::from(pad.size.height);
        let (pad, half) = match area(&pads[1]) > area(&pads[0]) {
            true => (pads[1], below[1]),
            false => (pads[0], beside[1]),
        };
        let answer = scale::area(Fit::Letterbox, &half, output);
        if pad.size.width.min(pad.size.height) < SMALLEST {
            return None;
        }
        let edge = |i: u32| (view.width * i / 3) as i32;
        let button = |i: u32| {
            Rectangle::new(
                Point::new(edge(i), room.height as i32),
                Size::new((edge(i + 1) - edge(i)) as u32, strip),
            )
        };
        Some(Layout { pad, answer, buttons: [button(0), button(1), button(2)] })
    }

    /// The button at a point of the view.
    pub fn button(&self, at: Point) -> Option<Button> {
        let hit = self.buttons.iter().position(|area| area.contains(at))?;
        Some(BUTTONS[hit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landscape_and_portrait() {
        let square = Size::new(64, 64);
        // View, pad, answer (left, top, side), height of the buttons.
        let cases = [
            ((320, 240), (0, 17, 158), (162, 17, 158), 48),
            ((480, 320), (0, 9, 237), (243, 9, 237), 64),
            ((800, 480), (6, 0, 384), (410, 0, 384), 96),
            ((240, 320), (53, 0, 134), (53, 138, 134), 48),
            ((480, 800), (66, 0, 348), (66, 356, 348), 96),
        ];
        for ((w, h), pad, answer, strip) in cases {
            let layout = Layout::new(Size::new(w, h), square, square, true).unwrap();
            let corner = |area: Rectangle| (area.top_left.x, area.top_left.y, area.size.width);
            assert_eq!(corner(layout.pad), pad, "{w} x {h}");
            assert_eq!(corner(layout.answer), answer, "{w} x {h}");
            assert_eq!(layout.buttons[1].size.height, strip);
            let widths: u32 = layout.buttons.iter().map(|b| b.size.width).sum();
            assert_eq!(widths, w, "the buttons fill the row");
        }
    }

    #[test]
    fn parts_do_not_overlap_and_none_is_outside() {
        for w in (8..200).step_by(7) {
            for h in (8..200).step_by(5) {
                let (input, output) = (Size::new(32, 48), Size::new(96, 64));
                let Some(layout) = Layout::new(Size::new(w, h), input, output, true) else {
                    assert!(w < 40 || h < 40, "{w} x {h}");
                    continue;
                };
                let view = Rectangle::new(Point::zero(), Size::new(w, h));
                let [a, b, c] = layout.buttons;
                let parts = [layout.pad, layout.answer, a, b, c];
                for (i, part) in parts.iter().enumerate() {
                    assert_eq!(view.intersection(part), *part, "{w} x {h}: {part:?}");
                    for other in &parts[..i] {
                        assert!(part.intersection(other).is_zero_sized(), "{w} x {h}: {part:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn buttons_at_points() {
        let square = Size::new(64, 64);
        let layout = Layout::new(Size::new(320, 240), square, square, true).unwrap();
        for (x, y, want) in [
            (10, 230, Some(Button::Clear)),
            (160, 192, Some(Button::Undo)),
            (319, 239, Some(Button::Save)),
            (160, 191, None),
            (160, 240, None),
            (-1, 230, None),
        ] {
            assert_eq!(layout.button(Point::new(x, y)), want, "{x}, {y}");
        }
        let bare = Layout::new(Size::new(320, 240), square, square, false).unwrap();
        assert_eq!(bare.pad.size, Size::new(158, 158));
        assert_eq!(bare.button(Point::new(10, 239)), None);
        assert_eq!(Layout::new(Size::new(7, 240), square, square, true), None);
        assert_eq!(Layout::new(Size::zero(), square, square, true), None);
    }
}
