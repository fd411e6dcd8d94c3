//! What is shown when: a face dwells, then morphs into the next along the latent sphere, for ever.

use core::fmt;

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor, WebColors};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use runtime::backend::Backend;
use runtime::image::Image;
use runtime::latent::{Latent, LatentLength};

/// How the faces follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Show {
    /// Seed of the first face; the others count up from it.
    pub seed: u64,
    /// Frames that a face stays.
    pub dwell: u32,
    /// Frames from one face to the next.
    pub morph: u32,
    /// Factor on the latents: below 1 faces are more ordinary and better formed.
    pub truncation: f32,
    /// Whether a face's seed is written below it.
    pub caption: bool,
}

impl Default for Show {
    /// At 20 frames a second: three seconds each.
    fn default() -> Self {
        Show {
            seed: 0,
            dwell: 60,
            morph: 60,
            truncation: 0.8,
            caption: true,
        }
    }
}

/// Endless faces.
pub struct Kiosk<B> {
    backend: B,
    show: Show,
    frame: u64,
}

/// Why a frame was not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KioskError<E> {
    /// The display failed.
    Display(E),
    /// The display has no pixels to show a face on.
    NoRoom(Size),
    /// The backend wants another latent.
    Latent(LatentLength),
}

impl<E: fmt::Debug> fmt::Display for KioskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KioskError::Display(error) => write!(f, "the display failed: {error:?}"),
            KioskError::NoRoom(size) => write!(
                f,
                "a display of {} x {} pixels has no room for a face",
                size.width, size.height
            ),
            KioskError::Latent(error) => write!(f, "{error}"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for KioskError<E> {}

/// Rows that a caption takes.
const CAPTION: u32 = 12;

impl<B: Backend> Kiosk<B> {
    /// A kiosk that is about to show its first face.
    pub fn new(backend: B, show: Show) -> Kiosk<B> {
        Kiosk {
            backend,
            show,
            frame: 0,
        }
    }

    /// Frames shown so far.
    pub fn frame(&self) -> u64 {
        self.frame
    }

    /// The seed of the face that is shown, or morphed away from.
    pub fn seed(&self) -> u64 {
        self.show.seed.wrapping_add(self.frame / self.cycle())
    }

    /// Frames that a face stays: one at least.
    fn dwell(&self) -> u64 {
        self.show.dwell.max(1) as u64
    }

    /// Frames from a face to the next one.
    fn cycle(&self) -> u64 {
        self.dwell() + self.show.morph as u64
    }

    /// The latent of the current frame.
    fn latent(&self) -> Latent<'static> {
        let (seed, within) = (self.seed(), self.frame % self.cycle());
        let latent = match within.checked_sub(self.dwell()) {
            None => Latent::from_seed(seed),
            // Neither end of the way is part of the morph: both are faces that dwell.
            Some(n) => {
                let t = (n + 1) as f32 / (self.show.morph as u64 + 1) as f32;
                Latent::between(seed, seed.wrapping_add(1), ease(t))
            }
        };
        latent.truncated(self.show.truncation)
    }

    /// Draws the current frame and moves on to the next. While a face dwells, its first frame alone is drawn: the
    /// display keeps it. Returns whether anything was drawn.
    ///
    /// # Errors
    /// [`KioskError`]; the frame is then still the current one.
    pub fn step<D>(&mut self, display: &mut D) -> Result<bool, KioskError<D::Error>>
    where
        D: DrawTarget,
        D::Color: From<Rgb888>,
    {
        let within = self.frame % self.cycle();
        let drawn = within == 0 || within >= self.dwell();
        if drawn {
            self.draw(display)?;
        }
        self.frame = self.frame.wrapping_add(1);
        Ok(drawn)
    }

    fn draw<D>(&mut self, display: &mut D) -> Result<(), KioskError<D::Error>>
    where
        D: DrawTarget,
        D::Color: From<Rgb888>,
    {
        let (latent, seed) = (self.latent(), self.seed());
        let bounds = display.bounding_box();
        let caption = self.show.caption && bounds.size.height > 4 * CAPTION;
        let below = if caption { CAPTION } else { 0 };
        let side = bounds.size.width.min(bounds.size.height - below);
        if side == 0 {
            return Err(KioskError::NoRoom(bounds.size));
        }
        // What lies around the face stays as it was cleared.
        if self.frame == 0 {
            let black = D::Color::from(Rgb888::BLACK);
            display.clear(black).map_err(KioskError::Display)?;
        }
        let corner = Point::new(
            ((bounds.size.width - side) / 2) as i32,
            ((bounds.size.height - below - side) / 2) as i32,
        );
        let area = Rectangle::new(bounds.top_left + corner, Size::new(side, side));
        let image = self.backend.generate(&latent).map_err(KioskError::Latent)?;
        face(&image, &area, display).map_err(KioskError::Display)?;
        match caption {
            true => write_seed(seed, &bounds, display).map_err(KioskError::Display),
            false => Ok(()),
        }
    }
}

/// Slow, fast, slow: the cubic from 0 to 1 that is flat at both ends.
fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// Fills a square with an image, nearest pixels, in one run from the top left.
fn face<D>(image: &Image<'_>, area: &Rectangle, display: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget,
    D::Color: From<Rgb888>,
{
    let side = area.size.width as usize;
    let (w, h) = (image.width(), image.height());
    let colors = (0..side * side).map(|at| {
        let (x, y) = (at % side * w / side, at / side * h / side);
        let [r, g, b] = image.pixel(x, y);
        D::Color::from(Rgb888::new(r, g, b))
    });
    display.fill_contiguous(area, colors)
}

/// Writes a seed into the last rows of the display.
fn write_seed<D>(seed: u64, bounds: &Rectangle, display: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget,
    D::Color: From<Rgb888>,
{
    let band = Rectangle::new(
        bounds.top_left + Point::new(0, (bounds.size.height - CAPTION) as i32),
        Size::new(bounds.size.width, CAPTION),
    );
    display.fill_solid(&band, D::Color::from(Rgb888::BLACK))?;
    let mut digits = [0; 20];
    let style = MonoTextStyle::new(&FONT_6X10, D::Color::from(Rgb888::CSS_GRAY));
    let middle = TextStyleBuilder::new()
        .alignment(Alignment::Center)
        .baseline(Baseline::Middle)
        .build();
    Text::with_text_style(decimal(seed, &mut digits), band.center(), style, middle)
        .draw(display)?;
    Ok(())
}

/// A number in decimal, without an allocator.
fn decimal(mut n: u64, digits: &mut [u8; 20]) -> &str {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    // Digits are text.
    core::str::from_utf8(&digits[at..]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use embedded_graphics::Pixel;
    use embedded_graphics::geometry::{Dimensions, OriginDimensions};
    use runtime::op::Shape;

    /// A backend whose images are its latents: two values, grey.
    struct Echo([f32; 2]);

    impl Backend for Echo {
        fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
            latent.fill(&mut self.0)?;
            Ok(Image::new(&self.0, Shape::new(1, 1, 2), (-4.0, 4.0)))
        }
    }

    /// A display that remembers.
    struct Panel {
        size: Size,
        pixels: Vec<Rgb888>,
    }

    impl Panel {
        fn new(width: u32, height: u32) -> Panel {
            Panel {
                size: Size::new(width, height),
                pixels: std::vec![Rgb888::RED; (width * height) as usize],
            }
        }
    }

    impl OriginDimensions for Panel {
        fn size(&self) -> Size {
            self.size
        }
    }

    impl DrawTarget for Panel {
        type Color = Rgb888;
        type Error = core::convert::Infallible;

        fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
        where
            I: IntoIterator<Item = Pixel<Rgb888>>,
        {
            for Pixel(at, color) in pixels {
                if self.bounding_box().contains(at) {
                    self.pixels[(at.y as u32 * self.size.width + at.x as u32) as usize] = color;
                }
            }
            Ok(())
        }
    }

    const SHOW: Show = Show {
        seed: 5,
        dwell: 3,
        morph: 4,
        truncation: 1.0,
        caption: false,
    };

    #[test]
    fn faces_dwell_then_morph_then_the_next_one() {
        let mut kiosk = Kiosk::new(Echo([0.0; 2]), SHOW);
        let mut panel = Panel::new(2, 1);
        let mut shown = Vec::new();
        let mut drawn = Vec::new();
        for _ in 0..8 {
            drawn.push(kiosk.step(&mut panel).unwrap());
            shown.push(kiosk.backend.0);
        }
        assert_eq!(drawn, [true, false, false, true, true, true, true, true]);
        let seed = |seed| {
            let mut z = [0.0; 2];
            Latent::from_seed(seed).fill(&mut z).unwrap();
            z
        };
        assert_eq!(shown[..3], [seed(5); 3]);
        assert!(shown[3..7].iter().all(|z| *z != seed(5) && *z != seed(6)));
        assert_eq!(shown[7], seed(6));
        assert_eq!(kiosk.seed(), 6);
    }

    #[test]
    fn a_face_is_centred_and_what_is_around_it_is_black() {
        let show = Show {
            caption: true,
            ..SHOW
        };
        let mut kiosk = Kiosk::new(Echo([0.0; 2]), show);
        let mut panel = Panel::new(100, 80);
        kiosk.step(&mut panel).unwrap();
        assert!(!panel.pixels.contains(&Rgb888::RED), "every pixel is drawn");
        let at = |x: usize, y: usize| panel.pixels[y * 100 + x];
        // 68 x 68 in the middle of 100 x 68, then 12 rows of caption.
        assert_eq!(at(15, 30), Rgb888::BLACK);
        assert_eq!(at(84, 30), Rgb888::BLACK);
        assert_ne!(at(16, 30), at(83, 30), "two halves");
        assert_eq!(at(16, 0), at(49, 67));
        let text = panel.pixels[68 * 100..]
            .iter()
            .filter(|c| **c == Rgb888::CSS_GRAY);
        assert!(text.count() > 5, "the seed is written");
    }

    #[test]
    fn a_display_without_pixels_is_an_error() {
        let mut kiosk = Kiosk::new(Echo([0.0; 2]), SHOW);
        let error = kiosk.step(&mut Panel::new(0, 7)).unwrap_err();
        assert_eq!(error, KioskError::NoRoom(Size::new(0, 7)));
        assert_eq!(kiosk.frame(), 0);
    }

    #[test]
    fn the_last_seed_is_followed_by_the_first() {
        let show = Show {
            seed: u64::MAX,
            dwell: 1,
            morph: 0,
            ..SHOW
        };
        let mut kiosk = Kiosk::new(Echo([0.0; 2]), show);
        let mut panel = Panel::new(2, 2);
        kiosk.step(&mut panel).unwrap();
        kiosk.step(&mut panel).unwrap();
        assert_eq!(kiosk.seed(), 1);
    }

    #[test]
    fn decimals() {
        for n in [0, 7, 10, 18_446_744_073_709_551_615] {
            assert_eq!(decimal(n, &mut [0; 20]), std::format!("{n}"));
        }
    }
}
