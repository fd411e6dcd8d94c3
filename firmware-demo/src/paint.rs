//! Conversion of 8-bit red, green and blue to the colors of a panel.

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::{
    Bgr555, Bgr565, Bgr666, Bgr888, BinaryColor, Gray2, Gray4, Gray8, PixelColor, Rgb555, Rgb565,
    Rgb666, Rgb888,
};

/// A color that faces can be drawn in.
pub trait Paint: PixelColor {
    /// The color for `rgb` at the point `at` of the panel. Colors with few levels are dithered, so the
    /// result depends on the point.
    fn paint(rgb: [u8; 3], at: Point) -> Self;
}

/// Turns every pixel black.
///
/// # Errors
/// The display's.
pub fn darken<D>(display: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget<Color: Paint>,
{
    display.clear(D::Color::paint([0; 3], Point::zero()))
}

macro_rules! rgb {
    ($($color:ty),*) => {$(
        impl Paint for $color {
            fn paint([r, g, b]: [u8; 3], _: Point) -> $color {
                Rgb888::new(r, g, b).into()
            }
        }
    )*};
}

rgb!(Rgb888, Bgr888, Rgb666, Bgr666, Rgb565, Bgr565, Rgb555, Bgr555);

impl Paint for Gray8 {
    fn paint(rgb: [u8; 3], _: Point) -> Gray8 {
        Gray8::new(luma(rgb))
    }
}

impl Paint for Gray4 {
    fn paint(rgb: [u8; 3], at: Point) -> Gray4 {
        Gray4::new(level(luma(rgb), 15, at))
    }
}

impl Paint for Gray2 {
    fn paint(rgb: [u8; 3], at: Point) -> Gray2 {
        Gray2::new(level(luma(rgb), 3, at))
    }
}

impl Paint for BinaryColor {
    /// On is the light color, as on an OLED.
    fn paint(rgb: [u8; 3], at: Point) -> BinaryColor {
        (level(luma(rgb), 1, at) != 0).into()
    }
}

/// Luma by ITU-R BT.601, section 2.5.1, with coefficients in 256ths, rounded.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((77 * r as u32 + 150 * g as u32 + 29 * b as u32 + 128) >> 8) as u8
}

/// A level from 0 to `top`: an ordered threshold picks one of the two around `value` (Bayer 1973, "An
/// optimum method for two-level rendition of continuous-tone pictures").
fn level(value: u8, top: u32, at: Point) -> u8 {
    // No threshold moves 0 or 255.
    let scaled = value as u32 * top * 64;
    let threshold = bayer(at) as u32 * 255 + 127;
    ((scaled + threshold) / (255 * 64)).min(top) as u8
}

/// The threshold at a point: each of 0 to 63 once per 8 x 8 tile. Interleaves the bits of `x ^ y` and
/// `y`, lowest first.
fn bayer(at: Point) -> u8 {
    let (x, y) = (at.x as u32 & 7, at.y as u32 & 7);
    let (a, b) = (x ^ y, y);
    (0..3).fold(0, |sum, bit| (sum << 2) | ((a >> bit & 1) << 1 | (b >> bit & 1)) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::geometry::Size;
    use embedded_graphics::pixelcolor::{GrayColor, RgbColor};
    use embedded_graphics::prelude::PointsIter;
    use embedded_graphics::primitives::Rectangle;

    fn tile() -> impl Iterator<Item = Point> {
        Rectangle::new(Point::zero(), Size::new(8, 8)).points()
    }

    #[test]
    fn every_threshold_once_per_tile() {
        let mut seen = [0; 64];
        tile().for_each(|at| seen[bayer(at) as usize] += 1);
        assert_eq!(seen, [1; 64]);
        // The corner of the matrix as printed in the paper.
        assert_eq!([(0, 0), (1, 0), (0, 1), (1, 1)].map(|p| bayer(p.into())), [0, 32, 48, 16]);
    }

    #[test]
    fn a_tile_is_as_light_as_the_color() {
        for gray in 0..=255u8 {
            let want = gray as f64 / 255.0;
            let mean = |sum: u32, top: f64| sum as f64 / 64.0 / top;
            let on = tile().filter(|at| BinaryColor::paint([gray; 3], *at).is_on()).count() as u32;
            let two = tile().map(|at| Gray2::paint([gray; 3], at).luma() as u32).sum();
            let four = tile().map(|at| Gray4::paint([gray; 3], at).luma() as u32).sum();
            for (got, step) in
                [(mean(on, 1.0), 1.0), (mean(two, 3.0), 3.0), (mean(four, 15.0), 15.0)]
            {
                assert!((got - want).abs() <= 1.0 / 64.0 / step, "{gray}: {got} of {step} steps");
            }
        }
    }

    #[test]
    fn black_is_black_and_white_white() {
        for at in tile() {
            for (gray, on) in [(0, false), (255, true)] {
                assert_eq!(BinaryColor::paint([gray; 3], at).is_on(), on);
                assert_eq!(Gray2::paint([gray; 3], at).luma(), gray & 3);
                assert_eq!(Gray4::paint([gray; 3], at).luma(), gray & 15);
                assert_eq!(Gray8::paint([gray; 3], at).luma(), gray);
            }
            assert_eq!(Rgb565::paint([255, 128, 0], at), Rgb565::new(31, 32, 0));
            assert_eq!(Bgr888::paint([1, 2, 3], at).r(), 1);
        }
        assert_eq!(luma([255, 0, 0]), 77);
    }
}
