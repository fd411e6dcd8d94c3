//! A panel with its own memory, as an ST7789 or ILI9341 has: rows are sent from a line buffer. Here the
//! memory is a file on the host with 16 bits per pixel, which can be compared byte by byte.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::pixelcolor::raw::ToBytes;
use embedded_graphics::primitives::{PointsIter, Rectangle};

use crate::host::{File, Refused};

/// Width in pixels.
pub const WIDTH: u32 = 240;
/// Height in pixels.
pub const HEIGHT: u32 = 240;

/// A panel backed by a file on the host.
pub struct Panel {
    file: File,
    line: [u8; 2 * WIDTH as usize],
}

impl Panel {
    /// Creates the file, empty.
    ///
    /// # Errors
    /// [`Refused::Create`].
    pub fn open() -> Result<Panel, Refused> {
        Ok(Panel { file: File::create(c"panel.rgb565")?, line: [0; 2 * WIDTH as usize] })
    }
}

/// The offset of a pixel in the panel's memory.
fn place(x: i32, y: i32) -> usize {
    2 * (y as usize * WIDTH as usize + x as usize)
}

impl OriginDimensions for Panel {
    fn size(&self) -> Size {
        Size::new(WIDTH, HEIGHT)
    }
}

impl DrawTarget for Panel {
    type Color = Rgb565;
    type Error = Refused;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Refused>
    where
        I: IntoIterator<Item = Pixel<Rgb565>>,
    {
        let bounds = self.bounding_box();
        for Pixel(at, color) in pixels {
            if bounds.contains(at) {
                self.file.write_at(place(at.x, at.y), &color.to_le_bytes())?;
            }
        }
        Ok(())
    }

    fn fill_contiguous<I>(&mut self, area: &Rectangle, colors: I) -> Result<(), Refused>
    where
        I: IntoIterator<Item = Rgb565>,
    {
        if self.bounding_box().intersection(area) != *area {
            return self.draw_iter(area.points().zip(colors).map(|(at, c)| Pixel(at, c)));
        }
        let mut colors = colors.into_iter();
        for row in area.rows() {
            let line = &mut self.line[..2 * area.size.width as usize];
            for (bytes, color) in line.chunks_exact_mut(2).zip(&mut colors) {
                bytes.copy_from_slice(&color.to_le_bytes());
            }
            self.file.write_at(place(area.top_left.x, row), line)?;
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, color: Rgb565) -> Result<(), Refused> {
        self.fill_contiguous(area, core::iter::repeat(color))
    }
}
