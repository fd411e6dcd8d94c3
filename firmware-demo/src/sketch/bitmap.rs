//! Bitmaps of black and white that can be drawn on.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;

/// Whether a pixel of a bitmap is set.
pub(super) fn inked(bits: &[u8], size: Size, x: u32, y: u32) -> bool {
    let row = size.width.div_ceil(8);
    bits[(y * row + x / 8) as usize] >> (x % 8) & 1 != 0
}

/// A bitmap as a draw target.
pub(super) struct Bits<'b> {
    pub size: Size,
    pub bits: &'b mut [u8],
}

impl OriginDimensions for Bits<'_> {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Bits<'_> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        let bounds = self.bounding_box();
        let row = self.size.width.div_ceil(8) as usize;
        for Pixel(at, color) in pixels {
            if bounds.contains(at) && color.is_on() {
                self.bits[at.y as usize * row + at.x as usize / 8] |= 1 << (at.x % 8);
            }
        }
        Ok(())
    }
}

/// The pixels of the model's input as a draw target: on is black.
pub(super) struct Input<'p> {
    pub size: Size,
    pub channels: usize,
    pub pixels: &'p mut [u8],
}

impl OriginDimensions for Input<'_> {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Input<'_> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        let bounds = self.bounding_box();
        for Pixel(at, color) in pixels {
            if bounds.contains(at) && color.is_on() {
                let i = at.y as usize * self.size.width as usize + at.x as usize;
                self.pixels[i * self.channels..][..self.channels].fill(0);
            }
        }
        Ok(())
    }
}
