//! Files that are whole or absent, and standard output.

use std::error::Error;
use std::fmt;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, RgbImage};

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

/// The folder of a file to write, created if it is missing.
///
/// # Errors
/// [`OutputError::Folder`].
fn folder(path: &Path) -> Result<&Path, OutputError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(|e| OutputError::Folder(parent.into(), e))?;
    Ok(parent)
}

/// The bytes of a picture, which may be gray.
///
/// # Errors
/// [`OutputError::Encode`].
pub fn encode(
    picture: RgbImage,
    gray: bool,
    format: ImageFormat,
    path: &Path,
) -> Result<Vec<u8>, OutputError> {
    let picture = DynamicImage::ImageRgb8(picture);
    let picture = match gray {
        true => DynamicImage::ImageLuma8(picture.to_luma8()),
        false => picture,
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).map_err(|e| OutputError::Encode(path.into(), e))?;
    Ok(bytes.into_inner())
}

/// Writes a file under a temporary name next to `path` and renames it, so that it is whole or
/// absent. Missing folders are created; a device such as `/dev/null` is written to directly.
///
/// # Errors
/// [`OutputError`] names the file; nothing is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let failed = |e: io::Error| OutputError::Write(path.into(), e);
    let folder = folder(path)?;
    let special = std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir());
    if special {
        return std::fs::write(path, bytes).map_err(failed);
    }
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    // Temporary files are private to their owner; the result should not be.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(open).map_err(failed)?;
    }
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Writes to standard output.
///
/// # Errors
/// [`OutputError::Write`].
pub fn print(bytes: &[u8]) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    let wrote = out.write_all(bytes).and_then(|()| out.flush());
    wrote.map_err(|e| OutputError::Write("standard output".into(), e))
}
