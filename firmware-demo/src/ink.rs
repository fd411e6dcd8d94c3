//! Black and white pictures that can be drawn on.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;

/// A draw target that calls `put` with the column and row of every pixel within `size` that is drawn
/// on. Pixels that are drawn off are left alone.
pub(crate) struct Ink<F> {
    pub size: Size,
    pub put: F,
}

impl<F> OriginDimensions for Ink<F> {
    fn size(&self) -> Size {
        self.size
    }
}

impl<F: FnMut(usize, usize)> DrawTarget for Ink<F> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        let bounds = self.bounding_box();
        for Pixel(at, color) in pixels {
            if bounds.contains(at) && color.is_on() {
                (self.put)(at.x as usize, at.y as usize);
            }
        }
        Ok(())
    }
}
