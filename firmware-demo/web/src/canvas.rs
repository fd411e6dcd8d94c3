//! A picture that the page copies to a canvas.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

/// Red, green, blue and alpha, row by row.
pub struct Canvas {
    size: Size,
    bytes: Vec<u8>,
}

impl Canvas {
    /// A transparent picture.
    pub fn new(size: Size) -> Canvas {
        Canvas { size, bytes: vec![0; 4 * size.width as usize * size.height as usize] }
    }

    /// The address of its bytes.
    pub fn bytes(&self) -> *const u8 {
        self.bytes.as_ptr()
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        let bounds = self.bounding_box();
        for Pixel(at, color) in pixels {
            if bounds.contains(at) {
                let at = 4 * (at.y as usize * self.size.width as usize + at.x as usize);
                self.bytes[at..at + 4].copy_from_slice(&[color.r(), color.g(), color.b(), 255]);
            }
        }
        Ok(())
    }
}
