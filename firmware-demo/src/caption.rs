//! The caption: the seed that recalls the face.

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

use crate::ink::Ink;
use crate::paint::Paint;

/// What a caption shows: `7`, during a morph `7 > 8`, and a star after a favorite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caption {
    /// Seed of the face.
    pub seed: u64,
    /// Seed of the face it morphs into.
    pub next: Option<u64>,
    /// Whether a star follows.
    pub starred: bool,
}

/// Longest caption in characters: two seeds of 20 digits, the sign between them and the star take 45.
const LONGEST: usize = 48;

/// Height of the caption band in pixels; 0 for views too small to have one.
pub fn rows(view: Size) -> u32 {
    match font(view) {
        Some(font) => font.character_size.height + 2,
        None => 0,
    }
}

fn font(view: Size) -> Option<&'static MonoFont<'static>> {
    match view.height {
        ..=48 => None,
        49..=200 => Some(&FONT_6X10),
        _ => Some(&FONT_10X20),
    }
}

impl Caption {
    /// Draws the caption on a black band at the bottom of a view.
    ///
    /// # Errors
    /// Those of the display.
    pub fn draw<D>(&self, view: &mut D) -> Result<(), D::Error>
    where
        D: DrawTarget<Color: Paint>,
    {
        let bounds = view.bounding_box();
        let Some(font) = font(bounds.size) else {
            return Ok(());
        };
        let rows = rows(bounds.size);
        let band = Rectangle::new(
            bounds.top_left + Point::new(0, (bounds.size.height - rows) as i32),
            Size::new(bounds.size.width, rows),
        );
        // The dither threshold at (0, 7) is a low one: the ink is one flat color, and light on a
        // panel that only has two.
        let color = |gray| D::Color::paint([gray; 3], Point::new(0, 7));
        view.fill_solid(&band, color(0))?;
        let style = MonoTextStyle::new(font, color(192));
        let middle =
            TextStyleBuilder::new().alignment(Alignment::Center).baseline(Baseline::Middle).build();
        let mut line = [0; LONGEST];
        Text::with_text_style(self.text(&mut line), band.center(), style, middle).draw(view)?;
        Ok(())
    }

    /// The caption as a bitmap for a view of this size, to be drawn over a face.
    pub(crate) fn overlay(&self, view: Size) -> Overlay {
        let mut overlay = Overlay { area: Rectangle::zero(), ink: [[0; STRIDE]; HEIGHT] };
        let Some(font) = font(view) else {
            return overlay;
        };
        let mut line = [0; LONGEST];
        let text = self.text(&mut line);
        let width = text.len() as u32 * font.character_size.width;
        overlay.area = Rectangle::new(
            Point::new(
                (view.width as i32 - width as i32) / 2,
                (view.height - rows(view) + 1) as i32,
            ),
            Size::new(width, font.character_size.height),
        );
        let style = MonoTextStyle::new(font, BinaryColor::On);
        let text = Text::with_baseline(text, Point::zero(), style, Baseline::Top);
        let put = |x: usize, y: usize| overlay.ink[y][x / 8] |= 1 << (x % 8);
        let Ok(_) = text.draw(&mut Ink { size: overlay.area.size, put });
        overlay
    }

    /// The text, formatted without an allocator.
    fn text<'t>(&self, line: &'t mut [u8; LONGEST]) -> &'t str {
        let mut at = line.len();
        let mut put = |text: &[u8]| {
            line[at - text.len()..at].copy_from_slice(text);
            at -= text.len();
        };
        if self.starred {
            put(b" *");
        }
        if let Some(next) = self.next {
            digits(next, &mut put);
            put(b" > ");
        }
        digits(self.seed, &mut put);
        // ASCII is valid UTF-8.
        core::str::from_utf8(&line[at..]).unwrap_or_default()
    }
}

/// The decimal digits of a number, last one first.
fn digits(mut n: u64, put: &mut impl FnMut(&[u8])) {
    loop {
        put(&[b'0' + (n % 10) as u8]);
        n /= 10;
        if n == 0 {
            break;
        }
    }
}

/// Bytes per row and rows of the longest caption in the largest font.
const STRIDE: usize = LONGEST * 10 / 8;
const HEIGHT: usize = 20;

/// A caption's text as a bitmap: light ink with a black outline, legible on any face.
pub(crate) struct Overlay {
    /// The text's rectangle in the view.
    area: Rectangle,
    /// One bit per pixel.
    ink: [[u8; STRIDE]; HEIGHT],
}

impl Overlay {
    /// The color at a point of the view, given that of the face there.
    pub(crate) fn over<C: Paint>(&self, at: Point, face: C) -> C {
        let at = at - self.area.top_left;
        let (right, bottom) = (self.area.size.width as i32, self.area.size.height as i32);
        if !((-1..=right).contains(&at.x) && (-1..=bottom).contains(&at.y)) {
            return face;
        }
        if self.inked(at.x, at.y) {
            return C::paint([255; 3], at);
        }
        let mut around =
            (at.y - 1..=at.y + 1).flat_map(|y| (at.x - 1..=at.x + 1).map(move |x| (x, y)));
        match around.any(|(x, y)| self.inked(x, y)) {
            true => C::paint([0; 3], at),
            false => face,
        }
    }

    fn inked(&self, x: i32, y: i32) -> bool {
        let inside = x >= 0 && y >= 0 && y < HEIGHT as i32 && x < 8 * STRIDE as i32;
        inside && self.ink[y as usize][x as usize / 8] >> (x % 8) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::Gray8;

    #[test]
    fn ink_is_light_on_a_panel_of_two_colors() {
        let mut display = MockDisplay::<BinaryColor>::new();
        display.set_allow_overdraw(true);
        let caption = Caption { seed: 1, next: None, starred: false };
        caption.draw(&mut display).unwrap();
        let on = |p: &Point| display.get_pixel(*p) == Some(BinaryColor::On);
        let area = display.affected_area();
        assert_eq!(area.size, Size::new(64, 12));
        let lit = embedded_graphics::primitives::PointsIter::points(&area).filter(on);
        assert!((5..40).contains(&lit.count()));
    }

    #[test]
    fn lines() {
        let cases = [
            (0, None, false, "0"),
            (1090, None, false, "1090"),
            (7, Some(8), false, "7 > 8"),
            (7, None, true, "7 *"),
            (u64::MAX, Some(u64::MAX), true, "18446744073709551615 > 18446744073709551615 *"),
        ];
        for (seed, next, starred, want) in cases {
            let caption = Caption { seed, next, starred };
            assert_eq!(caption.text(&mut [0; LONGEST]), want);
        }
    }

    #[test]
    fn an_overlay_has_the_ink_of_the_band_and_an_outline() {
        let caption = Caption { seed: 90, next: None, starred: true };
        let mut band = MockDisplay::<BinaryColor>::new();
        band.set_allow_overdraw(true);
        caption.draw(&mut band).unwrap();
        let overlay = caption.overlay(Size::new(64, 64));
        let points = Rectangle::new(Point::zero(), Size::new(64, 64));
        let gray = Gray8::new(128);
        let mut outline = 0;
        for at in embedded_graphics::primitives::PointsIter::points(&points) {
            let color = overlay.over(at, gray);
            let ink = band.get_pixel(at) == Some(BinaryColor::On);
            assert_eq!(color == Gray8::new(255), ink, "{at}");
            outline += (color == Gray8::new(0)) as u32;
        }
        assert!((20..200).contains(&outline), "{outline}");
        assert_eq!(caption.overlay(Size::new(64, 48)).area.size, Size::zero());
    }
}
