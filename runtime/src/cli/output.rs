//! Files that are whole or absent, and standard output.

use std::error::Error;
use std::fmt;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage};
use runtime::stdout;

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
        (1, _) => DynamicImage::ImageLuma8(DynamicImage::ImageRgba8(picture).to_luma8()),
        (4, ImageFormat::Jpeg | ImageFormat::Pnm) => {
            let mut opaque = RgbImage::new(picture.width(), picture.height());
            for (to, from) in opaque.pixels_mut().zip(picture.pixels()) {
                *to = Rgb(runtime::image::on_white(from.0));
            }
            DynamicImage::ImageRgb8(opaque)
        }
        (4, _) => DynamicImage::ImageRgba8(picture),
        _ => DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(picture).into_rgb8()),
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).map_err(|e| OutputError::Encode(path.into(), e))?;
    Ok(bytes.into_inner())
}

/// Names of temporary files begin and end like this, so that they are found again.
const TEMPORARY: (&str, &str) = (".pocket-gan-", ".tmp");

/// Age from which a temporary file that no process has locked was left behind by one that was
/// killed. Younger ones may be about to be locked.
const STALE: Duration = Duration::from_secs(60);

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
    let folder = folder(path)?;
    let special = std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir());
    if special {
        return std::fs::write(path, bytes).map_err(failed);
    }
    sweep_once(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
    // By default, temporary files are private to their owner; this leaves it to the umask.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    // Not all file systems have locks; there, files are only kept from a sweep while they are young.
    let _ = file.as_file().try_lock();
    file.write_all(bytes).map_err(failed)?;
    // Otherwise the name could reach the disk before the bytes.
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Waits until the names in the folder of `path` are on the disk.
///
/// # Errors
/// [`OutputError::Write`] if the disk fails.
pub fn settle(path: &Path) -> Result<(), OutputError> {
    if !cfg!(unix) {
        return Ok(());
    }
    // A folder that can be written to but not read is settled by the system, some time later.
    let Ok(folder) = std::fs::File::open(folder(path)?) else { return Ok(()) };
    match folder.sync_all() {
        // The file system has no such operation.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done.map_err(|e| OutputError::Write(path.into(), e)),
    }
}

/// Sweeps a folder before the first file is written to it.
fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.iter().any(|f| f == folder) {
        swept.push(folder.into());
        sweep(folder);
    }
}

/// Removes temporary files of processes that were killed. Files that cannot be looked at or removed
/// stay.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let ours =
            name.starts_with(TEMPORARY.0.as_bytes()) && name.ends_with(TEMPORARY.1.as_bytes());
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let age = entry.metadata().and_then(|m| m.modified()).map(|time| time.elapsed());
        let stale = age.is_ok_and(|age| age.is_ok_and(|age| age >= STALE));
        let Ok(file) = std::fs::File::open(entry.path()) else { continue };
        // The system releases the lock of a process that ends, however it ends.
        if stale && file.try_lock().is_ok() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
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

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File};
    use std::time::SystemTime;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_write_sweeps_what_a_killed_process_left() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let old = SystemTime::now() - 2 * STALE;
        let make = |name: &str, time: SystemTime| {
            let file = File::create(at(name)).unwrap();
            file.set_modified(time).unwrap();
            file
        };
        drop(make(".pocket-gan-left.tmp", old));
        drop(make("mine.tmp", old));
        drop(make(".pocket-gan-young.tmp", SystemTime::now()));
        let used = make(".pocket-gan-used.tmp", old);
        used.lock().unwrap();
        write(&at("face.png"), b"face").unwrap();
        let left = [".pocket-gan-used.tmp", ".pocket-gan-young.tmp", "face.png", "mine.tmp"];
        assert_eq!(names(folder.path()), left);
    }

    #[test]
    fn files_have_the_mode_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777
        };
        fs::write(folder.path().join("any"), b"").unwrap();
        write(&folder.path().join("ours"), b"").unwrap();
        assert_eq!(mode("ours"), mode("any"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_not_unicode_are_written_exactly() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let name = OsStr::from_bytes(b"f\xff.png");
        write(&folder.path().join(name), b"face").unwrap();
        let written = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        assert_eq!(written.file_name(), name);
        assert!(format(&written.path()).is_ok());
    }
}
