//! Pictures as input: from files, folders and standard input, brought to the size of a model.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use codecs::Encoded;
use image::imageops::FilterType;
use image::{DynamicImage, ImageError, ImageFormat};
use runtime::limits::Exceeded;
use runtime::op::Shape;
use runtime::{Limit, Limits};

use super::limits::Hint;
use super::read::read_all;

/// How a picture with another aspect ratio is brought to the model's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fit {
    /// The largest centered part with the model's aspect ratio
    Crop,
    /// All of it, distorted
    Stretch,
}

/// Why pictures cannot be read.
#[derive(Debug)]
pub enum PictureError {
    /// A file or folder cannot be read.
    Read(PathBuf, io::Error),
    /// A file is not a picture that can be decoded.
    Decode(PathBuf, ImageError),
    /// Its decoder failed in a way that it should not.
    Broken(PathBuf),
    /// It has more pixels than the limit.
    Large(PathBuf, Exceeded),
    /// A folder has no pictures in it.
    Empty(PathBuf),
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PictureError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            PictureError::Decode(path, _) => write!(f, "cannot decode {}", path.display()),
            PictureError::Broken(path) => {
                write!(f, "cannot decode {}: the file is damaged", path.display())
            }
            PictureError::Large(path, exceeded) => {
                write!(f, "{}: {}", path.display(), Hint(exceeded))
            }
            PictureError::Empty(path) => {
                write!(f, "{}: no pictures in this folder", path.display())
            }
        }
    }
}

impl std::error::Error for PictureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PictureError::Read(_, error) => Some(error),
            PictureError::Decode(_, error) => Some(error),
            PictureError::Broken(_) | PictureError::Large(..) | PictureError::Empty(_) => None,
        }
    }
}

/// The files that arguments name: each file itself, and of a folder all files with the extension of
/// a picture, sorted by name. `-` is standard input.
///
/// # Errors
/// [`PictureError`] if a folder cannot be read or has no pictures.
pub fn files(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, PictureError> {
    let mut files = Vec::new();
    for path in arguments {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let failed = |e| PictureError::Read(path.clone(), e);
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            // Hidden files are thumbnails and the like.
            let hidden = file.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
            let format = ImageFormat::from_path(&file).is_ok_and(|f| f.reading_enabled());
            if format && !hidden && file.is_file() {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            return Err(PictureError::Empty(path.clone()));
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// The pixels of a picture that tests the speed of a model: bands of all brightnesses.
pub fn pattern(shape: Shape) -> Vec<u8> {
    (0..shape.values()).map(|at| (at / shape.c * 37 % 256) as u8).collect()
}

/// A picture at the size of a model.
pub struct Picture {
    /// Row by row, one or three bytes per pixel.
    pub pixels: Vec<u8>,
    /// Its width and height in the file.
    pub was: (u32, u32),
    /// Width and height of the part that was kept, before it was resized.
    pub kept: (u32, u32),
}

impl Picture {
    /// Reads and decodes a file, or standard input if the path is `-`. A photograph is rotated as its
    /// EXIF data say, and transparent parts become white.
    ///
    /// # Errors
    /// [`PictureError`] names the file.
    pub fn read(
        path: &Path,
        shape: Shape,
        fit: Fit,
        limits: &Limits,
    ) -> Result<Picture, PictureError> {
        let failed = |e| PictureError::Read(path.into(), e);
        let bytes = match path == Path::new("-") {
            true => {
                let mut bytes = Vec::new();
                let most = limits.file.saturating_add(1);
                io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(failed)?;
                let within = limits.check(Limit::File, bytes.len() as u64);
                within.map_err(|e| failed(io::Error::other(Hint(&e).to_string())))?;
                bytes
            }
            false => {
                read_all(std::fs::File::open(path).map_err(failed)?, limits).map_err(failed)?
            }
        };
        // A decoder that panics on a damaged file is no reason to lose the others.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode(&bytes, path, limits)));
        let image = decoded.unwrap_or_else(|_| Err(PictureError::Broken(path.into())))?;
        Ok(Picture::of(image, shape, fit))
    }

    /// Brings an image to the size and channels of a model.
    fn of(image: DynamicImage, shape: Shape, fit: Fit) -> Picture {
        let was = (image.width(), image.height());
        let (w, h) = (shape.w as u32, shape.h as u32);
        let image = match fit {
            Fit::Stretch => image,
            Fit::Crop => {
                let (width, height) = kept(was, (w, h));
                codecs::crop(&image, [(was.0 - width) / 2, (was.1 - height) / 2], [width, height])
            }
        };
        let kept = (image.width(), image.height());
        let image = codecs::over_white(image);
        let image = match shape.c {
            1 => DynamicImage::ImageLuma8(codecs::gray(image)),
            _ => DynamicImage::ImageRgb8(image.into_rgb8()),
        };
        let image = match kept == (w, h) {
            true => image,
            false => codecs::resize(&image, [w, h], FilterType::Triangle),
        };
        Picture { pixels: image.into_bytes(), was, kept }
    }

    /// What was done to it, such as `640 x 480, cropped to 480 x 480, resized to 64 x 64`.
    pub fn changes(&self, shape: Shape) -> String {
        let mut text = format!("{} x {}", self.was.0, self.was.1);
        if self.kept != self.was {
            text += &format!(", cropped to {} x {}", self.kept.0, self.kept.1);
        }
        if self.kept != (shape.w as u32, shape.h as u32) {
            text += &format!(", resized to {} x {}", shape.w, shape.h);
        }
        text
    }
}

/// Width and height of the largest part of a picture with the aspect of another, at least a pixel.
fn kept((width, height): (u32, u32), (w, h): (u32, u32)) -> (u32, u32) {
    let part = |side: u32, of: u32, by: u32| {
        let part = (u64::from(side) * u64::from(of) + u64::from(by) / 2) / u64::from(by.max(1));
        u32::try_from(part).unwrap_or(u32::MAX).max(1)
    };
    (width.min(part(height, w, h)), height.min(part(width, h, w)))
}

fn decode(bytes: &[u8], path: &Path, limits: &Limits) -> Result<DynamicImage, PictureError> {
    let failed = |e| PictureError::Decode(path.into(), e);
    // TGA has no magic number.
    let tga =
        path.extension().and_then(OsStr::to_str).is_some_and(|e| e.eq_ignore_ascii_case("tga"));
    let format = match image::guess_format(bytes) {
        Err(_) if tga => Ok(ImageFormat::Tga),
        guess => guess,
    };
    let encoded = format.and_then(|format| Encoded::new(bytes, format)).map_err(failed)?;
    let (width, height) = encoded.size();
    let within = limits.check(Limit::Pixels, u64::from(width) * u64::from(height));
    within.map_err(|e| PictureError::Large(path.into(), e))?;
    encoded.decode().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_part_of_an_aspect() {
        for (was, model, want) in [
            ((640, 480), (64, 64), (480, 480)),
            ((480, 640), (64, 64), (480, 480)),
            ((64, 64), (64, 64), (64, 64)),
            ((100, 100), (2, 1), (100, 50)),
            ((1, 5000), (64, 64), (1, 1)),
            ((7, 1), (1, 7), (1, 1)),
        ] {
            assert_eq!(kept(was, model), want, "{was:?} {model:?}");
        }
    }

    #[test]
    fn cropped_resized_and_over_white() {
        let mut image = image::RgbaImage::from_pixel(4, 2, image::Rgba([10, 20, 30, 255]));
        image.put_pixel(1, 0, image::Rgba([1, 2, 3, 0]));
        let image = DynamicImage::ImageRgba8(image);
        let shape = Shape::new(3, 2, 2);
        let picture = Picture::of(image.clone(), shape, Fit::Crop);
        let rest = [10, 20, 30];
        assert_eq!(picture.pixels, [[255; 3], rest, rest, rest].concat());
        assert_eq!(picture.changes(shape), "4 x 2, cropped to 2 x 2");
        let gray = Shape::new(1, 1, 2);
        let picture = Picture::of(image, gray, Fit::Stretch);
        assert_eq!(picture.pixels.len(), 2);
        assert_eq!(picture.changes(gray), "4 x 2, resized to 2 x 1");
    }
}
