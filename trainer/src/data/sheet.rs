//! Tensors as pictures, pictures side by side, and PNG files.

use std::io;
use std::path::Path;

use burn::tensor::Tensor;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, imageops};
use quality::byte;
use runtime::npy;

use crate::file::{self, WriteError};

/// A contact sheet: images in rows of `columns` (at least one), in reading order. Cells are as
/// large as the largest image, the rest is black. Without images the sheet is empty.
pub fn sheet(images: &[RgbImage], columns: usize) -> RgbImage {
    let columns = columns.max(1).min(images.len());
    let width = images.iter().map(RgbImage::width).max().unwrap_or(0);
    let height = images.iter().map(RgbImage::height).max().unwrap_or(0);
    let rows = images.len().div_ceil(columns.max(1));
    let mut sheet = RgbImage::new(width * columns as u32, height * rows as u32);
    for (i, image) in images.iter().enumerate() {
        let (row, column) = (i / columns, i % columns);
        let (x, y) = (column as i64 * i64::from(width), row as i64 * i64::from(height));
        imageops::replace(&mut sheet, image, x, y);
    }
    sheet
}

/// Images of `[n, c, h, w]` in [-1, 1] as pictures.
pub fn pictures(images: Tensor<4>) -> Vec<RgbImage> {
    let [_, channels, height, width] = images.dims();
    let values: Vec<f32> = images.into_data().try_to_vec().expect("a float tensor holds floats");
    values
        .chunks_exact(channels * height * width)
        .map(|image| picture(image, channels, width as u32, height as u32))
        .collect()
}

/// One image, channels first, in [-1, 1], as a picture.
pub fn picture(image: &[f32], channels: usize, width: u32, height: u32) -> RgbImage {
    let plane = (width * height) as usize;
    RgbImage::from_fn(width, height, |x, y| {
        let at = (y * width + x) as usize;
        // A gray image has one plane for all three channels.
        image::Rgb([0, 1, 2].map(|c| byte(image[c.min(channels - 1) * plane + at])))
    })
}

/// Writes a matrix as a float32 array in NumPy's format.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn write_square(path: &Path, numbers: Tensor<2>) -> Result<(), WriteError> {
    let shape = numbers.dims();
    let values: Vec<f32> = numbers.into_data().try_to_vec().expect("a float tensor holds floats");
    file::write(path, &npy::write(&shape, values))
}

/// Writes pictures as one sheet of `columns`.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn write_sheet(path: &Path, images: &[RgbImage], columns: usize) -> Result<(), WriteError> {
    write_png(path, &DynamicImage::ImageRgb8(sheet(images, columns)))
}

/// Writes a PNG, in gray if the picture has no color.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn write_png(path: &Path, picture: &DynamicImage) -> Result<(), WriteError> {
    let rgb = picture.to_rgb8();
    let gray = rgb.pixels().all(|p| p[0] == p[1] && p[1] == p[2]);
    let picture = match gray {
        true => DynamicImage::ImageLuma8(GrayImage::from_fn(rgb.width(), rgb.height(), |x, y| {
            image::Luma([rgb.get_pixel(x, y)[0]])
        })),
        false => DynamicImage::ImageRgb8(rgb),
    };
    let bytes = codecs::encode(&picture, ImageFormat::Png)
        .map_err(|e| WriteError { path: path.into(), error: io::Error::other(e) })?;
    file::write(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn in_reading_order() {
        let images: Vec<_> = (1..=5).map(|i| RgbImage::from_pixel(2, 3, Rgb([i, 0, 0]))).collect();
        let sheet = sheet(&images, 3);
        assert_eq!(sheet.dimensions(), (6, 6));
        let red = |x, y| sheet.get_pixel(x, y)[0];
        let corners = [red(0, 0), red(2, 0), red(5, 2), red(0, 3), red(3, 5), red(4, 3)];
        assert_eq!(corners, [1, 2, 3, 4, 5, 0]);
    }

    #[test]
    fn odd_numbers() {
        let images = vec![RgbImage::new(2, 2); 3];
        let cases = [(0, (2, 6)), (1, (2, 6)), (2, (4, 4)), (9, (6, 2))];
        for (columns, want) in cases {
            assert_eq!(sheet(&images, columns).dimensions(), want, "{columns} columns");
        }
        assert_eq!(sheet(&[], 4).dimensions(), (0, 0));
    }

    #[test]
    fn bytes_of_values() {
        let cases = [(-1.0, 0), (1.0, 255), (0.0, 128), (-7.0, 0), (9.0, 255)];
        for (value, want) in cases {
            assert_eq!(byte(value), want, "{value}");
        }
        assert_eq!(byte(f32::NAN), 0);
    }
}
