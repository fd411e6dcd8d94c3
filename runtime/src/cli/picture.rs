//! Faces as pictures: enlarged, or in a grid.

use clap::ValueEnum;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use runtime::Image;

/// How pictures are enlarged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Filter {
    /// Every pixel becomes a square
    Nearest,
    /// Catmull-Rom cubic interpolation
    Smooth,
}

/// An image as a picture.
pub fn picture(image: &Image<'_>) -> RgbImage {
    let mut picture = RgbImage::new(image.width() as u32, image.height() as u32);
    for (to, pixel) in picture.pixels_mut().zip(image.pixels()) {
        *to = Rgb(pixel);
    }
    picture
}

/// A picture `scale` times as wide and high.
pub fn enlarge(picture: RgbImage, scale: u32, filter: Filter) -> RgbImage {
    if scale == 1 {
        return picture;
    }
    let filter = match filter {
        Filter::Nearest => FilterType::Nearest,
        Filter::Smooth => FilterType::CatmullRom,
    };
    imageops::resize(&picture, picture.width() * scale, picture.height() * scale, filter)
}

/// Faces in a grid, row by row.
pub struct Sheet {
    pub picture: RgbImage,
    columns: usize,
    /// Width and height of a face.
    size: [u32; 2],
}

/// Most pixels of a picture: a larger one is refused before it is allocated.
const MOST_PIXELS: usize = 1 << 29;

impl Sheet {
    /// An empty grid for faces of `w` x `h` pixels that are enlarged by `scale`.
    ///
    /// # Errors
    /// If it would have more than [`MOST_PIXELS`].
    pub fn new(
        (rows, columns): (usize, usize),
        [w, h]: [usize; 2],
        scale: u32,
    ) -> Result<Sheet, String> {
        let side = |n: usize, of: usize| n.checked_mul(of)?.checked_mul(scale as usize);
        let sides = side(columns, w).zip(side(rows, h));
        let sides =
            sides.filter(|(w, h)| w.checked_mul(*h).is_some_and(|pixels| pixels <= MOST_PIXELS));
        let (width, height) = sides.ok_or_else(|| {
            format!("the picture would have more than {MOST_PIXELS} pixels; use a smaller --grid or --scale")
        })?;
        Ok(Sheet {
            picture: RgbImage::new(width as u32, height as u32),
            columns,
            size: [w as u32 * scale, h as u32 * scale],
        })
    }

    /// Puts face `i` into its place.
    pub fn put(&mut self, i: usize, face: &RgbImage) {
        let [w, h] = self.size.map(i64::from);
        let (x, y) = ((i % self.columns) as i64, (i / self.columns) as i64);
        imageops::replace(&mut self.picture, face, x * w, y * h);
    }
}
