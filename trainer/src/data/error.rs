//! Why images cannot be read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use image::ImageError;
use runtime::npy::NpyError;

use super::crop::Crop;
use super::foreign::Foreign;
use super::formats::{FORMATS, MOST_BYTES};

/// Why images cannot be read.
#[derive(Debug)]
pub enum DataError {
    /// There is no such file or folder.
    Missing(PathBuf),
    /// A file or folder that cannot be read.
    Read(PathBuf, io::Error),
    /// A file that is nothing that can hold images.
    NotImages(PathBuf),
    /// A file in a known format that is not supported.
    Foreign(PathBuf, Foreign),
    /// An archive that is truncated or damaged.
    Archive(PathBuf, io::Error),
    /// An archive, and the first entry in it that needs a password.
    Encrypted(PathBuf, String),
    /// An archive that would unpack to more than this number of bytes.
    Unpacked(PathBuf, u64),
    /// An archive that cannot be unpacked to a temporary file.
    Temporary(PathBuf, io::Error),
    /// A file of arrays of images, or of their labels, and what is wrong with it.
    Array(PathBuf, ArrayFault),
    /// A folder or archive of several data sets.
    Several(PathBuf, Vec<String>),
    /// No file could be decoded.
    NoImages {
        /// The folder or archive.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What a file of a known format in it is.
        advice: Option<(String, Foreign)>,
    },
    /// A folder of class folders, and the first of them that is empty.
    EmptyClass(PathBuf, String),
    /// Names of inputs without a target, and of targets without an input.
    Unpaired {
        /// The folder or archive of inputs, and the names of those without a target.
        inputs: (PathBuf, Vec<String>),
        /// The folder or archive of targets, and the names of those without an input.
        targets: (PathBuf, Vec<String>),
    },
    /// A folder or archive of one half of pairs, and two names in it that differ in their extension
    /// only.
    Ambiguous(PathBuf, [String; 2]),
    /// Arrays of images do not hold pairs side by side.
    PairedArrays(PathBuf),
    /// All images are the same; their number.
    Identical(PathBuf, usize),
    /// A batch is larger than the data set.
    BatchTooLarge {
        /// Images per batch.
        batch: usize,
        /// Images in the data set.
        images: usize,
    },
    /// An image that was decoded before and cannot be read any more.
    Lost(Skipped),
    /// A worker thread could not be started, or panicked.
    Worker(io::Error),
}

/// A file that was skipped.
#[derive(Debug)]
pub struct Skipped {
    /// Its path inside the folder or archive.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// Why a file was skipped.
#[derive(Debug)]
pub enum Reason {
    /// It cannot be read.
    Read(io::Error),
    /// It is compressed by a method that is not supported.
    Method(String),
    /// It is longer than 256 MiB.
    Long,
    /// It has the name of an image but not the content.
    NotAnImage,
    /// An image in an unsupported format.
    Format(String),
    /// A file in a known format that is not supported.
    Foreign(Foreign),
    /// A JPEG without its end.
    Truncated,
    /// Its content does not decode.
    Broken(ImageError),
    /// Its pixels would need too much memory: a gigapixel photograph, or a decompression bomb.
    Large,
    /// It is smaller than the crop: its width and height, and the crop.
    Small(u32, u32, Crop),
    /// It should hold two images side by side and has an odd width: its width and height.
    OddWidth(u32, u32),
    /// It should hold two squares side by side and does not: its width and height.
    NotAPair(u32, u32),
    /// The decoder panicked.
    Panicked,
    /// There is no such image: the number of images.
    Absent(usize),
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataError::Missing(path) => write!(f, "{}: no such file or folder", path.display()),
            DataError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            DataError::NotImages(path) => write!(
                f,
                "{} is neither a folder nor an archive (zip, tar, tar.gz) nor a file of images \
                 (IDX, NumPy, CIFAR's binary version, CSV)",
                path.display()
            ),
            DataError::Foreign(path, foreign) => write!(f, "{}: {foreign}", path.display()),
            DataError::Archive(path, _) => {
                write!(
                    f,
                    "{} is a truncated or damaged archive: download or copy it again",
                    path.display()
                )
            }
            DataError::Encrypted(path, entry) => write!(
                f,
                "{} is encrypted ({entry} needs a password): unpack it and give the folder",
                path.display()
            ),
            DataError::Unpacked(path, limit) => write!(
                f,
                "{} unpacks to more than {} MiB: unpack it yourself and give the folder",
                path.display(),
                limit >> 20
            ),
            DataError::Temporary(path, _) => write!(
                f,
                "{} cannot be unpacked to a temporary file in {}: set TMPDIR to a folder with more \
                 room, or unpack it yourself and give the folder",
                path.display(),
                std::env::temp_dir().display()
            ),
            DataError::Array(path, fault) => write!(f, "{} {fault}", path.display()),
            DataError::Several(path, names) => several(f, path, names),
            DataError::NoImages { path, found, advice } => {
                let (path, formats) = (path.display(), FORMATS.join(", "));
                write!(f, "no image could be decoded in {path}: supported are {formats}; found ")?;
                match advice {
                    Some((name, foreign)) => write!(f, "{found}; {name}: {foreign}"),
                    None => write!(f, "{found}"),
                }
            }
            DataError::EmptyClass(path, class) => write!(
                f,
                "{}: the class folder {class} is empty: fill it or remove it",
                path.display()
            ),
            DataError::Unpaired { inputs, targets } => {
                write!(f, "inputs and targets are paired by name, without the extension")?;
                alone(f, inputs, &targets.0)?;
                alone(f, targets, &inputs.0)
            }
            DataError::Ambiguous(path, [a, b]) => write!(
                f,
                "{} holds {a} and {b}, which have the same name without the extension: remove one",
                path.display()
            ),
            DataError::PairedArrays(path) => write!(
                f,
                "{}: pairs side by side are read from image files only: give the inputs by --data-a, \
                 or have them made with --pair edges, gray, blur or mask",
                path.display()
            ),
            DataError::Identical(path, count) => write!(
                f,
                "{}: all {count} images are the same: there is nothing to learn from them",
                path.display()
            ),
            DataError::BatchTooLarge { batch, images } => {
                write!(f, "a batch of {batch} images from a data set of {images}")
            }
            DataError::Lost(skipped) => write!(f, "an image can no longer be read: {skipped}"),
            DataError::Worker(_) => write!(f, "a thread that prepares batches failed"),
        }
    }
}

fn several(f: &mut fmt::Formatter<'_>, path: &Path, names: &[String]) -> fmt::Result {
    const SHOWN: usize = 8;
    let (path, shown) = (path.display(), names[..names.len().min(SHOWN)].join(", "));
    write!(f, "{path} holds several data sets: give one of {shown}")?;
    match names.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

/// The names in `path` without a partner in `other`.
fn alone(
    f: &mut fmt::Formatter<'_>,
    (path, names): &(PathBuf, Vec<String>),
    other: &Path,
) -> fmt::Result {
    const SHOWN: usize = 5;
    if names.is_empty() {
        return Ok(());
    }
    let shown = names[..names.len().min(SHOWN)].join(", ");
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (path, other) = (path.display(), other.display());
    write!(f, "; only {path} has {shown}{more}: add them to {other} or remove them")
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DataError::Read(_, error) | DataError::Worker(error) => Some(error),
            DataError::Archive(_, error) | DataError::Temporary(_, error) => Some(error),
            DataError::Missing(_)
            | DataError::NotImages(_)
            | DataError::Foreign(..)
            | DataError::Encrypted(..)
            | DataError::Unpacked(..)
            | DataError::Array(..)
            | DataError::Several(..)
            | DataError::NoImages { .. }
            | DataError::EmptyClass(..)
            | DataError::Unpaired { .. }
            | DataError::Ambiguous(..)
            | DataError::PairedArrays(..)
            | DataError::Identical(..)
            | DataError::BatchTooLarge { .. }
            | DataError::Lost(_) => None,
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Read(error) => write!(f, "cannot be read: {error}"),
            Reason::Method(method) => write!(
                f,
                "compressed by method {method}, which is not supported: unpack the archive and \
                 give the folder"
            ),
            Reason::Long => write!(f, "longer than {} MiB", MOST_BYTES >> 20),
            Reason::NotAnImage => write!(f, "not an image despite its name"),
            Reason::Format(format) => write!(f, "{format} is not supported"),
            Reason::Foreign(foreign) => write!(f, "{foreign}"),
            Reason::Truncated => write!(f, "cut off: a part of the image is missing"),
            Reason::Broken(error) => write!(f, "{error}"),
            Reason::Large => write!(f, "too many pixels to decode"),
            Reason::Small(width, height, crop) => {
                write!(f, "{width} x {height}, too small for the crop {crop}")
            }
            Reason::OddWidth(width, height) => write!(
                f,
                "{width} x {height} cannot hold two images side by side: the width is odd; crop it \
                 by one column"
            ),
            Reason::NotAPair(width, height) => write!(
                f,
                "{width} x {height} does not hold two squares side by side: give the inputs with \
                 --data-a, or let --pair edges, gray, blur or mask make them"
            ),
            Reason::Absent(len) => write!(f, "there are only {len}"),
            Reason::Panicked => write!(f, "the decoder failed"),
        }
    }
}

/// What is wrong with a file of arrays.
#[derive(Debug, PartialEq)]
pub enum ArrayFault {
    /// Neither IDX images nor labels: its first four bytes.
    Mark([u8; 4]),
    /// A file of labels instead of images.
    IsLabels,
    /// A file of images instead of labels.
    IsImages,
    /// Not the number of bytes that its header states: stated, found (one more if there are more).
    Length(u64, u64),
    /// No images, empty ones, or too many: number, rows, columns.
    Size(u64, u64, u64),
    /// Numbers of labels and images that differ.
    Count(usize, usize),
    /// It would need this much memory, and its length: bytes.
    Expands(u64, u64),
    /// Not a `.npy` file.
    Npy(NpyError),
    /// Values of a type that is not supported.
    Type(String),
    /// Not a shape of images.
    Shape(Vec<usize>),
    /// Smallest and largest value, which are not those of images.
    Values(f64, f64),
    /// A line of a CSV file, and what is wrong with it.
    Line(u64, String),
}

impl fmt::Display for ArrayFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArrayFault::Mark(got) => {
                write!(f, "starts with {got:?}, which is neither IDX images nor labels")
            }
            ArrayFault::IsLabels => write!(f, "holds labels: give the file of images"),
            ArrayFault::IsImages => {
                write!(f, "holds images but has the name of a file of labels")
            }
            ArrayFault::Length(want, got) if got > want => {
                write!(f, "should have {want} bytes and has more")
            }
            ArrayFault::Length(want, got) => {
                write!(f, "should have {want} bytes and has {got}: download or copy it again")
            }
            ArrayFault::Size(count, rows, columns) => {
                write!(f, "holds {count} images of {rows} x {columns}")
            }
            ArrayFault::Expands(memory, length) => {
                write!(f, "would need {} MiB of memory and has {length} bytes", memory >> 20)
            }
            ArrayFault::Count(labels, images) => {
                write!(f, "holds {labels} labels for {images} images")
            }
            ArrayFault::Npy(error) => write!(f, "cannot be used: {error}"),
            ArrayFault::Type(got) => write!(
                f,
                "holds values of type {got}: save images with astype(\"uint8\"), labels with \
                 astype(\"int64\")"
            ),
            ArrayFault::Shape(shape) => write!(
                f,
                "has the shape {shape:?}: images are N x height x width, with 1, 3 or 4 channels \
                 first or last, or N x a square number of gray pixels"
            ),
            ArrayFault::Values(least, most) => write!(
                f,
                "has values from {least} to {most}: pixels are 0 to 255, 0 to 1 or -1 to 1"
            ),
            ArrayFault::Line(line, what) => write!(f, "cannot be used: line {line}: {what}"),
        }
    }
}
