//! Picture files: decoded upright and within limits, encoded, resized.
//!
//! A package of its own, without generic functions, because the codecs of `image` are generic: each
//! program and each test would compile all of them again.

use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::{GifEncoder, Repeat};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{
    Delay, DynamicImage, Frame, GrayImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader,
    ImageResult, Limits, Luma, RgbImage, RgbaImage,
};

mod jpeg;

/// A picture file whose header has been read.
pub struct Encoded<'a>(Box<dyn ImageDecoder + 'a>);

impl<'a> Encoded<'a> {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// If it is damaged, or not of this format.
    pub fn new(bytes: &'a [u8], format: ImageFormat) -> ImageResult<Encoded<'a>> {
        if format == ImageFormat::Jpeg {
            return Ok(Encoded(Box::new(jpeg::Jpeg::new(bytes)?)));
        }
        let decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder()?;
        Ok(Encoded(Box::new(decoder)))
    }

    /// Width and height as stored, before a rotation.
    pub fn size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    /// Bytes of all pixels.
    pub fn bytes(&self) -> u64 {
        self.0.total_bytes()
    }

    /// The pixels; of an animation, those of its first frame. A photograph is rotated as its EXIF
    /// data say.
    ///
    /// # Errors
    /// [`image::ImageError::Limits`] above 512 MiB of pixels; others if the file is damaged.
    pub fn decode(mut self) -> ImageResult<DynamicImage> {
        let mut limits = Limits::default();
        limits.reserve(self.bytes())?;
        self.0.set_limits(limits)?;
        // A photograph with damaged EXIF data is still a photograph.
        let orientation = self.0.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(self.0)?;
        image.apply_orientation(orientation);
        Ok(image)
    }
}

/// Decodes a file whose content tells the format.
///
/// # Errors
/// As [`Encoded::decode`], and if the format is not recognized.
pub fn decode(bytes: &[u8]) -> ImageResult<DynamicImage> {
    Encoded::new(bytes, image::guess_format(bytes)?)?.decode()
}

/// Reads and decodes a file. Its extension tells the format if the content does not.
///
/// # Errors
/// As [`decode`], and if the file cannot be read.
pub fn open(path: impl AsRef<Path>) -> ImageResult<DynamicImage> {
    let path = path.as_ref();
    let bytes = std::fs::read(path)?;
    let format = image::guess_format(&bytes).or_else(|_| ImageFormat::from_path(path))?;
    Encoded::new(&bytes, format)?.decode()
}

/// A picture as a file.
///
/// # Errors
/// If the format does not have such pixels or is only read.
pub fn encode(picture: &DynamicImage, format: ImageFormat) -> ImageResult<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

/// Writes a picture in the format of the file's extension.
///
/// # Errors
/// As [`encode`], and if the file cannot be written.
pub fn save(picture: impl Into<DynamicImage>, path: impl AsRef<Path>) -> ImageResult<()> {
    let path = path.as_ref();
    let bytes = encode(&picture.into(), ImageFormat::from_path(path)?)?;
    Ok(std::fs::write(path, bytes)?)
}

/// A picture as a JPEG of a quality from 1 to 100.
///
/// # Errors
/// If a side is 0 or above 65,535.
pub fn jpeg(picture: &RgbImage, quality: u8) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture)?;
    Ok(bytes)
}

/// Pictures as an endless animation.
///
/// # Errors
/// If a side is above 65,535.
pub fn gif(pictures: &[RgbImage], fps: u16) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Infinite)?;
    let delay = Delay::from_numer_denom_ms(1000, fps.into());
    for picture in pictures {
        let mut frame = RgbaImage::new(picture.width(), picture.height());
        for (to, &image::Rgb([r, g, b])) in frame.pixels_mut().zip(picture.pixels()) {
            to.0 = [r, g, b, 255];
        }
        encoder.encode_frame(Frame::from_parts(frame, 0, 0, delay))?;
    }
    drop(encoder);
    Ok(bytes)
}

/// A picture of bytes at another size; others are resized by `image` itself, more slowly.
pub fn resize(picture: &DynamicImage, [w, h]: [u32; 2], filter: FilterType) -> DynamicImage {
    match picture {
        DynamicImage::ImageLuma8(p) => imageops::resize(p, w, h, filter).into(),
        DynamicImage::ImageRgb8(p) => imageops::resize(p, w, h, filter).into(),
        DynamicImage::ImageRgba8(p) => imageops::resize(p, w, h, filter).into(),
        other => other.resize_exact(w, h, filter),
    }
}

/// A picture of bytes at a smaller size: each pixel is the mean of those that it covers.
pub fn shrink(picture: &DynamicImage, [w, h]: [u32; 2]) -> DynamicImage {
    match picture {
        DynamicImage::ImageLuma8(p) => imageops::thumbnail(p, w, h).into(),
        DynamicImage::ImageRgb8(p) => imageops::thumbnail(p, w, h).into(),
        other => other.thumbnail_exact(w, h),
    }
}

/// A plane of `side` x `side` values at `size` x `size`.
pub fn resize_plane(values: Vec<f32>, side: u32, size: u32, filter: FilterType) -> Vec<f32> {
    match ImageBuffer::<Luma<f32>, _>::from_raw(side, side, values) {
        Some(plane) => imageops::resize(&plane, size, size, filter).into_raw(),
        None => vec![0.0; size as usize * size as usize],
    }
}

/// A part of a picture, which lies inside it.
pub fn crop(picture: &DynamicImage, [x, y]: [u32; 2], [w, h]: [u32; 2]) -> DynamicImage {
    match picture {
        DynamicImage::ImageLuma8(p) => imageops::crop_imm(p, x, y, w, h).to_image().into(),
        DynamicImage::ImageRgb8(p) => imageops::crop_imm(p, x, y, w, h).to_image().into(),
        other => other.crop_imm(x, y, w, h),
    }
}

/// A picture in gray: the luminance of its colors (ITU-R BT.709).
pub fn gray(picture: DynamicImage) -> GrayImage {
    let DynamicImage::ImageRgb8(picture) = picture else {
        return picture.into_luma8();
    };
    let mut gray = GrayImage::new(picture.width(), picture.height());
    for (to, from) in gray.pixels_mut().zip(picture.pixels()) {
        let [r, g, b] = from.0.map(f32::from);
        to.0 = [(0.2126 * r + 0.7152 * g + 0.0722 * b).round() as u8];
    }
    gray
}

/// A picture without its alpha channel, gray if it was gray. Do this before resizing: the hidden colors
/// of transparent pixels would bleed into visible ones.
pub fn over_white(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture;
    }
    let is_gray = !picture.color().has_color();
    let rgba = picture.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (to, from) in rgb.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, a] = from.0.map(u32::from);
        to.0 = [r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8);
    }
    match is_gray {
        true => gray(rgb.into()).into(),
        false => rgb.into(),
    }
}
