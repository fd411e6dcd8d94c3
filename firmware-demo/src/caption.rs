//! The line below a face: the seed that makes it again.

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

use crate::paint::Paint;

/// What a caption says: `7`, while a face becomes another `7 > 8`, and a star behind a favourite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caption {
    /// Seed of the face.
    pub seed: u64,
    /// Seed of the face that it becomes.
    pub next: Option<u64>,
    /// Whether it was made a favourite.
    pub favourite: bool,
}

/// Rows that a caption takes of a view; none where there is no room for one.
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
    /// Writes the caption into the last rows of a view, over whatever is there.
    ///
    /// # Errors
    /// The display's.
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
        // At this place dithering rounds up: ink is one colour, and a light one on a panel that has two.
        let color = |grey| D::Color::paint([grey; 3], Point::new(0, 7));
        view.fill_solid(&band, color(0))?;
        let style = MonoTextStyle::new(font, color(192));
        let middle =
            TextStyleBuilder::new().alignment(Alignment::Center).baseline(Baseline::Middle).build();
        let mut line = [0; 48];
        Text::with_text_style(self.text(&mut line), band.center(), style, middle).draw(view)?;
        Ok(())
    }

    /// The line itself, without an allocator.
    fn text<'t>(&self, line: &'t mut [u8; 48]) -> &'t str {
        let mut at = line.len();
        let mut put = |text: &[u8]| {
            line[at - text.len()..at].copy_from_slice(text);
            at -= text.len();
        };
        if self.favourite {
            put(b" *");
        }
        if let Some(next) = self.next {
            digits(next, &mut put);
            put(b" > ");
        }
        digits(self.seed, &mut put);
        // Digits and signs are text.
        core::str::from_utf8(&line[at..]).unwrap_or_default()
    }
}

/// The decimal digits of a number, the last one first.
fn digits(mut n: u64, put: &mut impl FnMut(&[u8])) {
    loop {
        put(&[b'0' + (n % 10) as u8]);
        n /= 10;
        if n == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::BinaryColor;

    #[test]
    fn ink_is_light_on_two_colours() {
        let mut display = MockDisplay::<BinaryColor>::new();
        display.set_allow_overdraw(true);
        let caption = Caption { seed: 1, next: None, favourite: false };
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
        for (seed, next, favourite, want) in cases {
            let caption = Caption { seed, next, favourite };
            assert_eq!(caption.text(&mut [0; 48]), want);
        }
    }
}
