//! What a generator makes, as pixels.

use crate::op::Shape;

/// An image that borrows the arena it was made in.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    values: &'a [f32],
    shape: Shape,
    range: (f32, f32),
}

impl<'a> Image<'a> {
    /// `values` of `shape`, channels first, where `range` are the values of black and white.
    ///
    /// # Panics
    /// If there are not as many values as the shape says.
    pub fn new(values: &'a [f32], shape: Shape, range: (f32, f32)) -> Image<'a> {
        assert_eq!(values.len(), shape.values(), "values of an image");
        Image {
            values,
            shape,
            range,
        }
    }

    /// Pixels a row.
    pub fn width(&self) -> usize {
        self.shape.w
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.shape.h
    }

    /// 1 for grey, 3 for colour.
    pub fn channels(&self) -> usize {
        self.shape.c
    }

    /// The values as the generator made them, channels first.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// One value as a byte: black is 0, white 255, halves round up, what lies outside is clipped, and what is no
    /// number is 0.
    fn byte(&self, value: f32) -> u8 {
        let (black, white) = self.range;
        // A float turned integer saturates, and NaN becomes 0.
        ((value - black) / (white - black) * 255.0 + 0.5) as u8
    }

    /// The pixel in column `x` of row `y` as red, green and blue; grey is all three.
    ///
    /// # Panics
    /// If it lies outside the image.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width() && y < self.height(), "pixel ({x}, {y})");
        self.at(y * self.shape.w + x)
    }

    fn at(&self, at: usize) -> [u8; 3] {
        let plane = self.shape.plane();
        [0, 1, 2].map(|c| self.byte(self.values[c.min(self.shape.c - 1) * plane + at]))
    }

    /// All pixels, row by row, as red, green and blue.
    pub fn pixels(&self) -> impl ExactSizeIterator<Item = [u8; 3]> + use<'a> {
        let image = *self;
        (0..self.shape.plane()).map(move |at| image.at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_values() {
        let cases = [
            (-1.0, 0),
            (1.0, 255),
            (0.0, 128),
            (-3.0, 0),
            (3.0, 255),
            (f32::NAN, 0),
            (f32::INFINITY, 255),
        ];
        for (value, want) in cases {
            let values = [value];
            let image = Image::new(&values, Shape::new(1, 1, 1), (-1.0, 1.0));
            assert_eq!(image.pixel(0, 0), [want; 3], "{value}");
        }
    }

    #[test]
    fn pixels_in_row_order() {
        let values: [f32; 12] = core::array::from_fn(|i| i as f32 / 255.0);
        let image = Image::new(&values, Shape::new(3, 2, 2), (0.0, 1.0));
        assert_eq!(image.pixel(1, 0), [1, 5, 9]);
        assert!(
            image
                .pixels()
                .eq([[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]])
        );
        assert_eq!(image.pixels().len(), 4);
    }
}
