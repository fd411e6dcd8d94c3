//! Files that are whole or absent, and standard output.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, ImageFormat, Luma, RgbaImage};
use runtime::stdout;
use runtime::whole_file::{self, WholeFile};

use super::terminal::escaped_lines;

/// Why something was not written.
#[derive(Debug)]
pub enum OutputError {
    /// No picture format has this extension.
    Format(PathBuf),
    /// The folder to write to cannot be created.
    Folder(PathBuf, io::Error),
    /// A picture was about to be written to a terminal.
    Terminal,
    /// Standard output was closed from the start.
    Closed,
    /// The picture cannot be encoded in its format.
    Encode(PathBuf, image::ImageError),
    /// Writing failed.
    Write(PathBuf, io::Error),
}

/// The picture formats that can be written, by their usual extension.
const FORMATS: &str = "png, jpg, bmp, gif, ppm, pgm, tga, tif, webp";

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputError::Format(path) => write!(
                f,
                "{}: no picture format has this extension; supported are {FORMATS}",
                path.display()
            ),
            OutputError::Folder(path, _) => {
                write!(f, "cannot create the folder {}", path.display())
            }
            OutputError::Terminal => write!(
                f,
                "--out -: standard output is a terminal; name a file, or pipe the PNG to a program"
            ),
            OutputError::Closed => write!(f, "--out -: standard output is closed"),
            OutputError::Encode(path, _) | OutputError::Write(path, _) => {
                write!(f, "cannot write {}", path.display())
            }
        }
    }
}

impl Error for OutputError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            OutputError::Encode(_, error) => Some(error),
            OutputError::Write(_, error) | OutputError::Folder(_, error) => Some(error),
            OutputError::Format(_) | OutputError::Terminal | OutputError::Closed => None,
        }
    }
}

/// The format of a picture, by the extension of its file.
///
/// # Errors
/// [`OutputError::Format`].
pub fn format(path: &Path) -> Result<ImageFormat, OutputError> {
    let format = ImageFormat::from_path(path).ok();
    let format = format.filter(|f| f.writing_enabled());
    format.ok_or_else(|| OutputError::Format(path.into()))
}

/// Creates the folder of a file to write, if it is missing.
///
/// # Errors
/// [`OutputError::Folder`].
fn create_folder(path: &Path) -> Result<(), OutputError> {
    let folder = whole_file::folder(path);
    std::fs::create_dir_all(folder).map_err(|e| OutputError::Folder(folder.into(), e))
}

/// The bytes of a picture of 1 (gray), 3 or 4 (with alpha) channels. In a format without alpha, it
/// lies on white.
///
/// # Errors
/// [`OutputError::Encode`].
pub fn encode(
    picture: RgbaImage,
    channels: usize,
    format: ImageFormat,
    path: &Path,
) -> Result<Vec<u8>, OutputError> {
    let picture = match (channels, format) {
        // All three colors are the same.
        (1, _) => {
            let gray = |x, y| Luma([picture.get_pixel(x, y)[0]]);
            DynamicImage::ImageLuma8(GrayImage::from_fn(picture.width(), picture.height(), gray))
        }
        (4, format) if !matches!(format, ImageFormat::Jpeg | ImageFormat::Pnm) => {
            DynamicImage::ImageRgba8(picture)
        }
        _ => codecs::over_white(DynamicImage::ImageRgba8(picture)),
    };
    codecs::encode(&picture, format).map_err(|e| OutputError::Encode(path.into(), e))
}

/// Writes a file so that it is whole or absent: under a temporary name next to `path`, synced, then
/// renamed. Missing folders are created; a device such as `/dev/null` is written to directly.
///
/// # Errors
/// [`OutputError`] names the file; nothing is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    write_one_of_many(path, bytes)?;
    settle(path)
}

/// [`write()`] without the wait for the folder: a power cut may lose the file, but never leaves a
/// part of it. [`settle`] waits for all files of a folder at once.
///
/// # Errors
/// As [`write()`].
pub fn write_one_of_many(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let failed = |e: io::Error| OutputError::Write(path.into(), e);
    create_folder(path)?;
    let special = std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir());
    if special {
        return std::fs::write(path, bytes).map_err(failed);
    }
    let mut file = WholeFile::create(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.keep().map_err(failed)
}

/// Waits until the names in the folder of `path` are on the disk.
///
/// # Errors
/// [`OutputError::Write`] if the disk fails.
pub fn settle(path: &Path) -> Result<(), OutputError> {
    whole_file::settle(path).map_err(|e| OutputError::Write(path.into(), e))
}

/// Writes text to standard output; names from files in it do nothing to a terminal.
///
/// # Errors
/// [`OutputError::Write`].
pub fn text(text: &str) -> Result<(), OutputError> {
    print(escaped_lines(text).as_bytes())
}

/// Writes to standard output.
///
/// # Errors
/// [`OutputError::Write`].
pub fn print(bytes: &[u8]) -> Result<(), OutputError> {
    // Rust replaces it by /dev/null, and the text would be lost without an error.
    if stdout::was_closed() {
        return Err(OutputError::Write("standard output".into(), io::Error::other("it is closed")));
    }
    let mut out = io::stdout().lock();
    let wrote = out.write_all(bytes).and_then(|()| out.flush());
    wrote.map_err(|e| OutputError::Write("standard output".into(), e))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_unicode_are_written_exactly() {
        use std::ffi::OsStr;
        use std::fs;
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let name = OsStr::from_bytes(b"f\xff.png");
        write(&folder.path().join(name), b"face").unwrap();
        let written = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        assert_eq!(written.file_name(), name);
        assert!(format(&written.path()).is_ok());
    }
}
