//! Faces as pictures: enlarged, or in a grid.

use clap::ValueEnum;
use image::imageops::{self, FilterType};
use image::{Rgba, RgbaImage};
use runtime::limits::Exceeded;
use runtime::{Image, Limit, Limits};

use super::limits::Hint;

/// How pictures are enlarged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Filter {
    /// Every pixel becomes a square
    Nearest,
    /// Catmull-Rom cubic interpolation
    Smooth,
}

/// An image as a picture, opaque unless it has an alpha channel.
pub fn picture(image: &Image<'_>) -> RgbaImage {
    let mut picture = RgbaImage::new(image.width() as u32, image.height() as u32);
    for (to, pixel) in picture.pixels_mut().zip(image.rgba()) {
        *to = Rgba(pixel);
    }
    picture
}

/// A picture `scale` times as wide and high.
pub fn enlarge(picture: RgbaImage, scale: u32, filter: Filter) -> RgbaImage {
    if scale == 1 {
        return picture;
    }
    let filter = match filter {
        Filter::Nearest => FilterType::Nearest,
        Filter::Smooth => FilterType::CatmullRom,
    };
    let size = [picture.width() * scale, picture.height() * scale];
    codecs::resize(&picture.into(), size, filter).into_rgba8()
}

/// Faces in a grid, row by row.
pub struct Sheet {
    pub picture: RgbaImage,
    columns: usize,
    /// Width and height of a face.
    size: [u32; 2],
}

/// Width and height of a picture of rows and columns of faces of `w` x `h` pixels, enlarged by
/// `scale`. Every picture is measured with it before it is allocated.
///
/// # Errors
/// If it has more pixels than the limit.
pub fn size(
    (rows, columns): (usize, usize),
    [w, h]: [usize; 2],
    scale: u32,
    limits: &Limits,
) -> Result<[u32; 2], String> {
    let side = |n: usize, of: usize| -> Option<u32> {
        n.checked_mul(of)?.checked_mul(scale as usize)?.try_into().ok()
    };
    let sides = side(columns, w).zip(side(rows, h));
    let pixels = |w, h| u64::from(w) * u64::from(h);
    // Whatever the limit, the bytes of a picture can be counted.
    let most = limits.pixels.min(isize::MAX as u64 / 4);
    let within = sides.filter(|(w, h)| pixels(*w, *h) <= most);
    within.map(|(w, h)| [w, h]).ok_or_else(|| {
        let need = sides.map_or(u64::MAX, |(w, h)| pixels(w, h));
        Hint(&Exceeded { limit: Limit::Pixels, need, most }).to_string()
    })
}

impl Sheet {
    /// An empty grid for faces of `w` x `h` pixels that are enlarged by `scale`.
    ///
    /// # Errors
    /// If it has more pixels than the limit.
    pub fn new(
        grid: (usize, usize),
        face: [usize; 2],
        scale: u32,
        limits: &Limits,
    ) -> Result<Sheet, String> {
        let [width, height] = size(grid, face, scale, limits)?;
        Ok(Sheet {
            picture: RgbaImage::new(width, height),
            columns: grid.1,
            size: face.map(|side| side as u32 * scale),
        })
    }

    /// Puts face `i` into its place.
    pub fn put(&mut self, i: usize, face: &RgbaImage) {
        let [w, h] = self.size.map(i64::from);
        let (x, y) = ((i % self.columns) as i64, (i / self.columns) as i64);
        imageops::replace(&mut self.picture, face, x * w, y * h);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bound_for_all_pictures() {
        let limits = Limits { pixels: 4 * 8 * 6, ..Limits::DEFAULT };
        assert_eq!(size((2, 2), [6, 8], 1, &limits), Ok([12, 16]));
        assert_eq!(size((1, 1), [6, 8], 2, &limits), Ok([12, 16]));
        for (grid, face, scale) in
            [((2, 2), [6, 8], 2), ((1, 5), [6, 8], 1), ((1, 1), [6, 8], 3), ((1, 1), [193, 1], 1)]
        {
            let error = size(grid, face, scale, &limits).unwrap_err();
            assert!(error.starts_with("the picture would have more than 192 pixels;"), "{error}");
            assert!(error.contains("--limit pixels=N"), "{error}");
        }
        for side in [1 << 28, usize::MAX] {
            assert!(size((1000, 1000), [side, side], 64, &Limits::NONE).is_err());
        }
    }
}
