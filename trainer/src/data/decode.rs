//! From the bytes of a file to pixels of one form.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use codecs::Encoded;
use image::imageops::FilterType;
use image::{DynamicImage, ImageError, ImageFormat, guess_format};

use super::crop::Crop;
use super::error::Reason;
use super::foreign::{Foreign, HEAD};
use super::form::Form;
use super::formats::{Claim, claim};
use super::jpeg;
use super::room::{Budget, Room};

/// Bytes of pixels of the largest image, which is the default of `image`'s limits.
const LARGEST: u64 = 512 << 20;
/// An image, the decoder's own buffer and a converted copy are in memory at once.
const COPIES: u64 = 3;
/// What all threads together may decode into: a file of 35 bytes can be a GIF of 512 MiB of pixels.
static DECODING: Budget = Budget::new(2 << 30);
const _: () = assert!(COPIES * LARGEST <= 2 << 30);

/// Decodes a file and brings it to `form`: the shorter side is resized to the form's size, the
/// center is cut out. Returns planes of bytes. An animation gives its first frame; a photograph is
/// rotated by its EXIF orientation, in whichever format it is.
///
/// Transparent images are composited over white: most are cut-outs for a page, with dark outlines.
///
/// # Errors
/// [`Reason`]: what is wrong with the bytes. `name` is needed only for TGA, which has no magic
/// number.
pub(super) fn decode(bytes: &[u8], name: &str, form: &Form) -> Result<Box<[u8]>, Reason> {
    let format = format(bytes, name)?;
    // Decoders run on untrusted bytes: one that panics should cost one image, not the run.
    catch_unwind(AssertUnwindSafe(|| {
        let (image, _room) = pixels(bytes, format)?;
        let (width, height) = (image.width(), image.height());
        match form.crop.of(width, height) {
            Some(_) => Ok(fit(image, form)),
            None => Err(Reason::Small(width, height, form.crop)),
        }
    }))
    .unwrap_or(Err(Reason::Panicked))
}

/// A half of an image that holds a pair side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Left = 0,
    Right = 1,
}

/// Decodes a file that holds two square images side by side, and brings each of them to its form.
///
/// # Errors
/// As [`decode`], and if the image is not twice as wide as high.
pub(super) fn halves(
    bytes: &[u8],
    name: &str,
    [left, right]: [&Form; 2],
) -> Result<Vec<Box<[u8]>>, Reason> {
    let format = format(bytes, name)?;
    catch_unwind(AssertUnwindSafe(|| {
        let (image, _room) = pixels(bytes, format)?;
        let (width, height) = (image.width(), image.height());
        if width % 2 == 1 {
            return Err(Reason::OddWidth(width, height));
        }
        let half = width / 2;
        // A pixel or two are what a resize to a round number leaves.
        if half.abs_diff(height) > height / 50 {
            return Err(Reason::NotAPair(width, height));
        }
        [(left, 0), (right, half)]
            .map(|(form, x)| match form.crop.of(half, height) {
                Some(_) => Ok(fit(codecs::crop(&image, [x, 0], [half, height]), form)),
                None => Err(Reason::Small(half, height, form.crop)),
            })
            .into_iter()
            .collect()
    }))
    .unwrap_or(Err(Reason::Panicked))
}

/// Decodes a file as it is, and returns its format. The room is that of the image: keep it as long.
///
/// # Errors
/// As [`decode`].
pub(super) fn open(
    bytes: &[u8],
    name: &str,
) -> Result<(DynamicImage, ImageFormat, Room<'static>), Reason> {
    let format = format(bytes, name)?;
    catch_unwind(AssertUnwindSafe(|| pixels(bytes, format)))
        .unwrap_or(Err(Reason::Panicked))
        .map(|(image, room)| (image, format, room))
}

/// By content; the name decides only if the content does not.
fn format(bytes: &[u8], name: &str) -> Result<ImageFormat, Reason> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tga, Tiff, WebP};
    let extension = Path::new(name).extension().unwrap_or_default();
    let extension = extension.to_string_lossy().to_ascii_lowercase();
    let foreign = || Foreign::of(&bytes[..bytes.len().min(HEAD)], name).map(Reason::Foreign);
    match guess_format(bytes) {
        // Camera raw files are TIFF files whose first image is a thumbnail.
        Ok(Tiff) | Err(_) if claim(name) == Claim::Foreign => {
            Err(foreign().unwrap_or(Reason::Format(extension)))
        }
        Ok(format @ (Jpeg | Png | WebP | Bmp | Pnm | Gif | Tiff)) => Ok(format),
        Ok(other) => {
            Err(foreign().unwrap_or_else(|| Reason::Format(other.extensions_str()[0].into())))
        }
        Err(_) if extension == "tga" => Ok(Tga),
        Err(_) => Err(foreign().unwrap_or(Reason::NotAnImage)),
    }
}

/// Decodes within the limit of 512 MiB of pixels of [`Encoded::decode`] and within [`DECODING`].
fn pixels(bytes: &[u8], format: ImageFormat) -> Result<(DynamicImage, Room<'static>), Reason> {
    let failed = |error: ImageError| match error {
        ImageError::Limits(_) => Reason::Large,
        error => Reason::Broken(error),
    };
    let encoded = Encoded::new(bytes, format).map_err(failed)?;
    let most = encoded.bytes().saturating_mul(COPIES);
    let room = DECODING.take(most.min(COPIES * LARGEST));
    let image = encoded.decode().map_err(failed)?;
    if format == ImageFormat::Jpeg && jpeg::is_cut(bytes, &image) {
        return Err(Reason::Truncated);
    }
    Ok((image, room))
}

/// An image as planes of `form`.
pub(super) fn fit(image: DynamicImage, form: &Form) -> Box<[u8]> {
    let image = codecs::over_white(image);
    let planes = if form.planes() == 1 || !image.color().has_color() {
        let gray = DynamicImage::ImageLuma8(codecs::gray(image));
        form.planar(square(gray, form).as_bytes(), 1)
    } else {
        let rgb = DynamicImage::ImageRgb8(image.into_rgb8());
        form.planar(square(rgb, form).as_bytes(), 3)
    };
    form.turned(planes)
}

/// The square of the form's crop, resized to the form's size. A crop that does not fit is replaced
/// by the largest centered square.
///
/// Bicubic with a = -1/2, widened when shrinking: the filter with the least aliasing (Parmar, Zhang
/// and Zhu 2022, "On aliased resizing and surprising subtleties in GAN evaluation"). Much larger
/// photographs are first averaged over boxes of pixels, which is many times faster. An image of the
/// right size is left as it is.
fn square(image: DynamicImage, form: &Form) -> DynamicImage {
    let (width, height, size) = (image.width(), image.height(), form.size);
    if (width, height) == (size, size) && form.crop == Crop::Center {
        return image;
    }
    let whole = || Crop::Center.of(width, height);
    let Some([x, y, side]) = form.crop.of(width, height).or_else(whole) else {
        return image;
    };
    let mut image = codecs::crop(&image, [x, y], [side; 2]);
    if side == size {
        return image;
    }
    // What the boxes alias lies above the finer grid's frequencies, which the second filter
    // removes.
    let fine = size.saturating_mul(4);
    if side > fine.saturating_mul(2) {
        image = codecs::shrink(&image, [fine, fine]);
    }
    codecs::resize(&image, [size, size], FilterType::CatmullRom)
}

#[cfg(test)]
mod tests {
    use super::*;

    use image::{DynamicImage as D, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba};

    const COLOR: Form =
        Form { size: 8, channels: 3, crop: crate::data::Crop::Center, transpose: false };
    const GRAY: Form =
        Form { size: 8, channels: 1, crop: crate::data::Crop::Center, transpose: false };

    fn write(image: &D, format: ImageFormat) -> Vec<u8> {
        codecs::encode(image, format).unwrap()
    }

    /// The value at the middle of each plane.
    fn middle(planes: &[u8], form: &Form) -> Vec<u8> {
        let at = form.size as usize * 4 + 4;
        planes.chunks(form.pixels()).map(|plane| plane[at]).collect()
    }

    fn near(got: &[u8], want: &[u8], slack: u8) -> bool {
        got.len() == want.len() && got.iter().zip(want).all(|(g, w)| g.abs_diff(*w) <= slack)
    }

    #[test]
    fn every_format() {
        struct Case {
            format: ImageFormat,
            slack: u8,
        }
        let case = |format, slack| Case { format, slack };
        let cases = [
            case(ImageFormat::Jpeg, 3),
            case(ImageFormat::Png, 0),
            case(ImageFormat::WebP, 0),
            case(ImageFormat::Bmp, 0),
            case(ImageFormat::Pnm, 0),
            case(ImageFormat::Gif, 2),
            case(ImageFormat::Tiff, 0),
            case(ImageFormat::Tga, 0),
        ];
        let picture = D::ImageRgb8(RgbImage::from_pixel(12, 10, Rgb([200, 100, 40])));
        for Case { format, slack } in cases {
            let bytes = write(&picture, format);
            // Only TGA needs its name.
            let name = if format == ImageFormat::Tga { "a.TGA" } else { "wrong.png" };
            let planes = decode(&bytes, name, &COLOR).unwrap();
            assert_eq!(planes.len(), 3 * 64, "{format:?}");
            let got = middle(&planes, &COLOR);
            assert!(near(&got, &[200, 100, 40], slack), "{format:?}: {got:?}");
        }
    }

    #[test]
    fn every_kind_of_pixel() {
        let of = |image: D| write(&image, ImageFormat::Png);
        let cases = [
            (
                "gray",
                of(D::ImageLuma8(ImageBuffer::from_pixel(9, 9, Luma([77])))),
                [77, 77, 77],
                77,
            ),
            (
                "gray 16",
                of(D::ImageLuma16(ImageBuffer::from_pixel(9, 9, Luma([77 * 257])))),
                [77, 77, 77],
                77,
            ),
            (
                "color 16",
                of(D::ImageRgb16(ImageBuffer::from_pixel(
                    9,
                    9,
                    Rgb([10 * 257, 20 * 257, 30 * 257]),
                ))),
                [10, 20, 30],
                19,
            ),
            (
                "clear",
                of(D::ImageRgba8(ImageBuffer::from_pixel(9, 9, Rgba([1, 2, 3, 0])))),
                [255, 255, 255],
                255,
            ),
            (
                "half clear",
                of(D::ImageRgba8(ImageBuffer::from_pixel(9, 9, Rgba([55, 155, 255, 102])))),
                [175, 215, 255],
                209,
            ),
            (
                "half clear gray",
                of(D::ImageLumaA8(ImageBuffer::from_pixel(9, 9, LumaA([0, 51])))),
                [204, 204, 204],
                204,
            ),
            ("palette", PALETTE.to_vec(), [255, 0, 0], 54),
        ];
        for (name, bytes, color, gray) in cases {
            let got = decode(&bytes, "a.png", &COLOR).unwrap();
            assert!(near(&middle(&got, &COLOR), &color, 1), "{name}: {:?}", middle(&got, &COLOR));
            let got = decode(&bytes, "a.png", &GRAY).unwrap();
            assert!(near(&middle(&got, &GRAY), &[gray], 1), "{name}: {:?}", middle(&got, &GRAY));
        }
    }

    /// A PNG of 1 x 1, one bit a pixel, its second palette entry red.
    const PALETTE: [u8; 85] = [
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 1, 3,
        0, 0, 0, 37, 219, 86, 202, 0, 0, 0, 6, 80, 76, 84, 69, 0, 0, 255, 255, 0, 0, 197, 250, 139,
        211, 0, 0, 0, 10, 73, 68, 65, 84, 120, 156, 99, 104, 0, 0, 0, 130, 0, 129, 119, 205, 114,
        182, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
    ];

    #[test]
    fn the_center_of_the_shorter_side() {
        // Thirds across: red, green, blue; the square in the middle is green but for its edges.
        let wide = RgbImage::from_fn(48, 16, |x, _| match x / 16 {
            0 => Rgb([255, 0, 0]),
            1 => Rgb([0, 255, 0]),
            _ => Rgb([0, 0, 255]),
        });
        let tall = image::imageops::rotate90(&wide);
        for (name, image) in [("wide", wide), ("tall", tall)] {
            for size in [4, 8, 16, 32] {
                let form =
                    Form { size, channels: 3, crop: crate::data::Crop::Center, transpose: false };
                let planes =
                    decode(&write(&D::ImageRgb8(image.clone()), ImageFormat::Png), "", &form)
                        .unwrap();
                let green = &planes[form.pixels()..2 * form.pixels()];
                assert!(green.iter().all(|&v| v > 200), "{name} at {size}: {green:?}");
            }
        }
    }

    #[test]
    fn the_right_size_is_left_alone() {
        let image =
            RgbImage::from_fn(8, 8, |x, y| Rgb([x as u8 * 31, y as u8 * 31, (x * y) as u8]));
        let planes =
            decode(&write(&D::ImageRgb8(image.clone()), ImageFormat::Bmp), "", &COLOR).unwrap();
        for (x, y, pixel) in image.enumerate_pixels() {
            let at = (y * 8 + x) as usize;
            assert_eq!([planes[at], planes[64 + at], planes[128 + at]], pixel.0);
        }
    }

    #[test]
    fn shrinking_averages() {
        // Lines a pixel wide: without a filter these come out black or white.
        for side in [40, 64, 100, 999] {
            let line = |x: u32, _| Luma([(x % 2) as u8 * 255]);
            let lines = D::ImageLuma8(ImageBuffer::from_fn(side, side, line));
            let planes = decode(&write(&lines, ImageFormat::Png), "", &GRAY).unwrap();
            let far = planes.iter().map(|v| v.abs_diff(128)).max();
            assert!(far < Some(12), "{side}: {planes:?}");
        }
    }

    #[test]
    fn large_and_small_come_out_alike() {
        // A slope: whatever the way down, each pixel is the mean of what lies under it.
        for side in [24, 60, 64, 65, 300, 1200] {
            let slope = |x: u32, _| Luma([(x * 255 / (side - 1)) as u8]);
            let slope = D::ImageLuma8(ImageBuffer::from_fn(side, side, slope));
            let planes = decode(&write(&slope, ImageFormat::Png), "", &GRAY).unwrap();
            for (x, &got) in planes[..8].iter().enumerate().skip(1).take(6) {
                let middle = (x as f32 + 0.5) * side as f32 / 8.0 - 0.5;
                let want = middle * 255.0 / (side - 1) as f32;
                assert!((f32::from(got) - want).abs() < 4.0, "{side}: {got} for {want}");
            }
        }
    }

    #[test]
    fn photographs_are_turned() {
        // Left half black, right half white, and EXIF that says: turn by 180 degrees.
        let halves =
            D::ImageLuma8(ImageBuffer::from_fn(16, 16, |x, _| Luma([(x / 8) as u8 * 255])));
        let plain = write(&halves, ImageFormat::Jpeg);
        let exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0";
        let turned = [&plain[..2], exif, &plain[2..]].concat();
        let left = |bytes: &[u8]| decode(bytes, "a.jpg", &GRAY).unwrap()[8 * 4];
        assert!(left(&plain) < 20 && left(&turned) > 235, "{} {}", left(&plain), left(&turned));
        // The same data as a chunk of a PNG, before the pixels, and of a WebP, behind them.
        let tiff = &exif[10..];
        let png = write(&halves, ImageFormat::Png);
        let data = [b"eXIf", tiff].concat();
        let length = (tiff.len() as u32).to_be_bytes();
        let chunk = [&length[..], &data, &crc32(&data).to_be_bytes()].concat();
        let turned = [&png[..33], &chunk, &png[33..]].concat();
        assert!(left(&png) < 20 && left(&turned) > 235, "png: {} {}", left(&png), left(&turned));
        let webp = write(&D::ImageRgb8(halves.into_rgb8()), ImageFormat::WebP);
        // The extended header: bit 3 of the flags says EXIF; then width and height, less 1.
        let header = b"VP8X\x0a\0\0\0\x08\0\0\0\x0f\0\0\x0f\0\0";
        let length = (tiff.len() as u32).to_le_bytes();
        let chunks = [&b"WEBP"[..], header, &webp[12..], b"EXIF", &length, tiff].concat();
        let length = (chunks.len() as u32).to_le_bytes();
        let turned = [&b"RIFF"[..], &length, &chunks].concat();
        assert!(left(&webp) < 20 && left(&turned) > 235, "webp: {} {}", left(&webp), left(&turned));
    }

    #[test]
    fn transposed() {
        let image = RgbImage::from_fn(8, 8, |x, y| Rgb([x as u8, y as u8, 0]));
        let form = Form { transpose: true, ..COLOR };
        let planes = decode(&write(&D::ImageRgb8(image), ImageFormat::Png), "", &form).unwrap();
        for (at, pixel) in (0..64).map(|at| (at, [planes[at], planes[64 + at]])) {
            assert_eq!(pixel, [at as u8 / 8, at as u8 % 8]);
        }
    }

    #[test]
    fn half_an_image_is_refused_in_every_format() {
        let image = RgbImage::from_fn(64, 64, |x, y| {
            Rgb([(x * 4) as u8, (y * 4) as u8, (x ^ y) as u8 * 4])
        });
        use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tga, Tiff, WebP};
        for format in [Jpeg, Png, WebP, Bmp, Pnm, Gif, Tiff, Tga] {
            let whole = write(&D::ImageRgb8(image.clone()), format);
            decode(&whole, "a.tga", &COLOR).unwrap();
            let half = decode(&whole[..whole.len() / 2], "a.tga", &COLOR);
            assert!(half.is_err(), "{format:?}");
        }
    }

    #[test]
    fn what_cannot_be_decoded() {
        let png = write(&D::ImageRgb8(RgbImage::new(40, 40)), ImageFormat::Png);
        let bomb = {
            // The header says 60,000 x 60,000; its checksum is right.
            let mut bytes = png.clone();
            bytes[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
            let crc = crc32(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&crc.to_be_bytes());
            bytes
        };
        let cases: [(&str, &[u8], &str); 10] = [
            ("a.jpg", b"just text", "not an image despite its name"),
            ("a.jpg", b"", "not an image despite its name"),
            ("a.heic", b"\0\0\0\x18ftypheic", "heic is not supported"),
            ("a.nef", b"MM\0*rest of it", "nef is not supported"),
            ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "heic is not supported: convert it"),
            ("a.jpg", b"\0\0\0\x1cftypavif\0\0\0\0", "avif is not supported: convert it"),
            ("a.png", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
            ("a.png", &png[..png.len() / 2], "unexpected end of file"),
            ("a.tga", b"just text that is no tga at all", "tga"),
            ("a.png", &bomb, "too many pixels"),
        ];
        for (name, bytes, want) in cases {
            let reason = decode(bytes, name, &COLOR).unwrap_err().to_string();
            assert!(reason.to_lowercase().contains(want), "{name}: {reason}");
        }
    }

    /// PNG's checksum.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, &b| {
            (0..8).fold(crc ^ u32::from(b), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    }

    #[test]
    fn truncation_anywhere_does_not_panic() {
        let image =
            D::ImageRgb8(RgbImage::from_fn(9, 7, |x, y| Rgb([x as u8 * 20, y as u8 * 30, 9])));
        use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tga, Tiff, WebP};
        for format in [Jpeg, Png, WebP, Bmp, Pnm, Gif, Tiff, Tga] {
            let whole = write(&image, format);
            for len in 0..whole.len() {
                // A JPEG that lacks only its end is shown; others may be, too. None may panic.
                let got = decode(&whole[..len], "a.tga", &COLOR);
                assert!(!matches!(got, Err(Reason::Panicked)), "{format:?} cut to {len}");
            }
        }
    }
}
