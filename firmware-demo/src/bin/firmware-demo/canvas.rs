//! A picture in memory with the colors of any panel.

use std::convert::Infallible;
use std::marker::PhantomData;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::{BinaryColor, Gray2, Gray4, Gray8, Rgb565, Rgb888, RgbColor};
use embedded_graphics::primitives::Rectangle;
use firmware_demo::Paint;

use crate::screen::{Fault, Scene};
use crate::values::Colors;

/// A picture in memory.
pub struct Canvas {
    size: Size,
    colors: Colors,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    /// A black picture that previews a panel of these colors.
    pub fn new(size: Size, colors: Colors) -> Canvas {
        Canvas { size, colors, pixels: vec![[0; 3]; size.width as usize * size.height as usize] }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Red, green and blue, row by row.
    pub fn pixels(&self) -> &[[u8; 3]] {
        &self.pixels
    }

    /// Draws the current frame if it changed. Returns whether it did.
    ///
    /// # Errors
    /// Those of the scene.
    pub fn draw(&mut self, scene: &mut Scene<'_, '_>) -> Result<bool, Fault> {
        match self.colors {
            Colors::Rgb888 => scene.draw(&mut self.view::<Rgb888>()),
            Colors::Rgb565 => scene.draw(&mut self.view::<Rgb565>()),
            Colors::Gray8 => scene.draw(&mut self.view::<Gray8>()),
            Colors::Gray4 => scene.draw(&mut self.view::<Gray4>()),
            Colors::Gray2 => scene.draw(&mut self.view::<Gray2>()),
            Colors::Mono => scene.draw(&mut self.view::<BinaryColor>()),
        }
    }

    /// The picture as a panel of 24-bit colors.
    pub fn rgb888(&mut self) -> View<'_, Rgb888> {
        self.view()
    }

    fn view<C>(&mut self) -> View<'_, C> {
        View { canvas: self, color: PhantomData }
    }
}

/// A canvas as a panel of one color type.
pub struct View<'c, C> {
    canvas: &'c mut Canvas,
    color: PhantomData<C>,
}

impl<C> OriginDimensions for View<'_, C> {
    fn size(&self) -> Size {
        self.canvas.size
    }
}

fn bytes<C: Into<Rgb888>>(color: C) -> [u8; 3] {
    let color = color.into();
    [color.r(), color.g(), color.b()]
}

impl<C: Paint + Into<Rgb888>> DrawTarget for View<'_, C> {
    type Color = C;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<C>>,
    {
        let bounds = self.bounding_box();
        for Pixel(at, color) in pixels {
            if bounds.contains(at) {
                let at = at.y as usize * self.canvas.size.width as usize + at.x as usize;
                self.canvas.pixels[at] = bytes(color);
            }
        }
        Ok(())
    }

    fn fill_contiguous<I>(&mut self, area: &Rectangle, colors: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = C>,
    {
        let bounds = self.bounding_box();
        let inside = bounds.intersection(area);
        if inside != *area {
            let pixels = embedded_graphics::primitives::PointsIter::points(area);
            return self.draw_iter(pixels.zip(colors).map(|(at, color)| Pixel(at, color)));
        }
        let (left, width) = (area.top_left.x as usize, area.size.width as usize);
        let top = area.top_left.y as usize;
        let rows = self.canvas.pixels.chunks_exact_mut(bounds.size.width.max(1) as usize);
        let mut colors = colors.into_iter();
        for row in rows.skip(top).take(area.size.height as usize) {
            for (pixel, color) in row[left..left + width].iter_mut().zip(&mut colors) {
                *pixel = bytes(color);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::geometry::Point;

    #[test]
    fn areas_inside_and_across_the_edge() {
        let mut canvas = Canvas::new(Size::new(4, 3), Colors::Gray8);
        let grays = |n: u8| (1..=n).map(Gray8::new);
        let inside = Rectangle::new(Point::new(1, 1), Size::new(2, 2));
        canvas.view().fill_contiguous(&inside, grays(4)).unwrap();
        let across = Rectangle::new(Point::new(3, -1), Size::new(2, 2));
        canvas.view().fill_contiguous(&across, grays(4)).unwrap();
        let got: Vec<u8> = canvas.pixels().iter().map(|p| p[1]).collect();
        assert_eq!(got, [0, 0, 0, 3, 0, 1, 2, 0, 0, 3, 4, 0]);
    }
}
