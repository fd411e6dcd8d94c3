//! Images side by side.

use image::{RgbImage, imageops};

/// A contact sheet: images in rows of `columns` (at least one), in reading order. Cells are as large as the largest
/// image; what is left over is black. No images make an empty picture.
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
}
