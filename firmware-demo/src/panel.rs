//! A panel in memory, for tests.

extern crate std;
use std::vec::Vec;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

/// A display in memory.
pub(crate) struct Panel {
    pub(crate) size: Size,
    pub(crate) pixels: Vec<Rgb888>,
}

impl Panel {
    pub(crate) fn new(width: u32, height: u32) -> Panel {
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
