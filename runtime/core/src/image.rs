//! The result of a generator, as pixels.

use core::fmt;

use crate::op::Shape;

/// The pixels of a picture do not suit a model: their number of bytes is not what it needs, or it
/// takes no picture at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureLength {
    /// Shape of the picture that the model needs; `None` if its input is a latent.
    pub need: Option<Shape>,
    /// Number of bytes.
    pub got: usize,
}

impl fmt::Display for PictureLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.need {
            None => write!(f, "the model takes a latent, not a picture: generate from one"),
            Some(shape) => write!(
                f,
                "the picture has {} bytes, the model needs {}: {} rows of {} pixels of {}",
                self.got,
                shape.values(),
                shape.h,
                shape.w,
                shape.c
            ),
        }
    }
}

impl core::error::Error for PictureLength {}

/// The value of a byte of a picture that a model reads: -1 for black, 1 for white.
pub(crate) fn value(byte: u8) -> f32 {
    byte as f32 / 127.5 - 1.0
}

/// An image, borrowed from the arena in which it was made.
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::Image;
/// use runtime::op::Shape;
///
/// let values = [-1.0, 0.0, 1.0]; // one pixel: red, green, blue
/// let image = Image::new(&values, Shape::new(3, 1, 1), (-1.0, 1.0));
/// assert_eq!(image.pixel(0, 0), [0, 128, 255]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Channels first; empty for an int8 model.
    values: &'a [f32],
    /// Channels last, from an int8 model.
    bytes: &'a [u8],
    shape: Shape,
    range: (f32, f32),
}

impl<'a> Image<'a> {
    /// From `values` of `shape`, channels first; `range` holds the values of black and white.
    ///
    /// # Panics
    /// If the number of values is not that of the shape.
    pub fn new(values: &'a [f32], shape: Shape, range: (f32, f32)) -> Image<'a> {
        assert_eq!(values.len(), shape.values(), "values of an image");
        Image { values, bytes: &[], shape, range }
    }

    /// From the `bytes` of an int8 model: `shape`, row by row, channels last.
    ///
    /// # Panics
    /// If the number of bytes is not that of the shape.
    pub fn from_bytes(bytes: &'a [u8], shape: Shape) -> Image<'a> {
        assert_eq!(bytes.len(), shape.values(), "bytes of an image");
        Image { values: &[], bytes, shape, range: (0.0, 255.0) }
    }

    /// Pixels per row.
    pub fn width(&self) -> usize {
        self.shape.w
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.shape.h
    }

    /// 1 for gray, 3 for color, 4 for color and alpha.
    pub fn channels(&self) -> usize {
        self.shape.c
    }

    /// The values that the generator computed, channels first; empty for an int8 model.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// The bytes that an int8 model computed, row by row, channels last; empty for other models.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// A value as a byte: black is 0, white is 255, halves round up, values outside are clamped,
    /// NaN is 0.
    fn byte(&self, value: f32) -> u8 {
        let (black, white) = self.range;
        // The conversion saturates, and NaN becomes 0.
        ((value - black) / (white - black) * 255.0 + 0.5) as u8
    }

    /// The pixel in column `x` of row `y` as red, green and blue, which are equal in a gray image. An
    /// image with alpha lies on white.
    ///
    /// # Panics
    /// If it lies outside the image.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width() && y < self.height(), "pixel ({x}, {y})");
        self.at(y * self.shape.w + x)
    }

    fn at(&self, at: usize) -> [u8; 3] {
        match (self.shape.c, self.rgba_at(at)) {
            (4, rgba) => on_white(rgba),
            (_, [r, g, b, _]) => [r, g, b],
        }
    }

    fn rgba_at(&self, at: usize) -> [u8; 4] {
        let (c, plane) = (self.shape.c, self.shape.plane());
        let channel = |i: usize| match self.bytes {
            [] => self.byte(self.values[i * plane + at]),
            bytes => bytes[at * c + i],
        };
        match c {
            1 => {
                let gray = channel(0);
                [gray, gray, gray, 255]
            }
            4 => [channel(0), channel(1), channel(2), channel(3)],
            _ => [channel(0), channel(1), channel(2), 255],
        }
    }

    /// All pixels, row by row, as red, green, blue and alpha, which is 255 in an image without it.
    pub fn rgba(&self) -> impl ExactSizeIterator<Item = [u8; 4]> + use<'a> {
        let image = *self;
        (0..self.shape.plane()).map(move |at| image.rgba_at(at))
    }

    /// All pixels, row by row, as red, green and blue.
    pub fn pixels(&self) -> impl ExactSizeIterator<Item = [u8; 3]> + use<'a> {
        let image = *self;
        (0..self.shape.plane()).map(move |at| image.at(at))
    }
}

/// A pixel with alpha, not premultiplied, as it looks on white.
pub fn on_white([r, g, b, a]: [u8; 4]) -> [u8; 3] {
    let a = u32::from(a);
    [r, g, b].map(|v| ((u32::from(v) * a + 255 * (255 - a) + 127) / 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_lies_on_white() {
        let values = [0.0, 1.0, 0.5, 0.0, 1.0, 0.0, 1.0, 0.2]; // two pixels
        let image = Image::new(&values, Shape::new(4, 1, 2), (0.0, 1.0));
        assert!(image.rgba().eq([[0, 128, 255, 255], [255, 0, 0, 51]]));
        assert_eq!(image.pixel(0, 0), [0, 128, 255]);
        assert_eq!(image.pixel(1, 0), [255, 204, 204]);
        assert!(Image::from_bytes(&[1, 2, 3, 0], Shape::new(4, 1, 1)).pixels().eq([[255; 3]]));
    }

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
    fn bytes_are_pixels() {
        let image = Image::from_bytes(&[1, 2, 3, 4, 5, 6], Shape::new(3, 1, 2));
        assert!(image.pixels().eq([[1, 2, 3], [4, 5, 6]]));
        let gray = Image::from_bytes(&[7, 8], Shape::new(1, 2, 1));
        assert_eq!(gray.pixel(0, 1), [8; 3]);
    }

    #[test]
    fn pixels_in_row_order() {
        let values: [f32; 12] = core::array::from_fn(|i| i as f32 / 255.0);
        let image = Image::new(&values, Shape::new(3, 2, 2), (0.0, 1.0));
        assert_eq!(image.pixel(1, 0), [1, 5, 9]);
        assert!(image.pixels().eq([[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]));
        assert_eq!(image.pixels().len(), 4);
    }
}
