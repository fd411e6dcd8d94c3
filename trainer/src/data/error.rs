//! Why images cannot be read.

use std::fmt;
use std::io;
use std::path::PathBuf;

use image::ImageError;
use zip::result::ZipError;

use super::crop::Crop;
use super::formats::{FORMATS, MOST_BYTES};

/// Names that are listed of those without a partner.
const SHOWN: usize = 5;

/// Why images cannot be read.
#[derive(Debug)]
pub enum DataError {
    /// There is no such file or folder.
    Missing(PathBuf),
    /// A file or folder that cannot be read.
    Read(PathBuf, io::Error),
    /// A file that is not a zip archive.
    NotAnArchive(PathBuf),
    /// A zip archive that is truncated or damaged.
    Archive(PathBuf, ZipError),
    /// An archive, and the first entry in it that needs a password.
    Encrypted(PathBuf, String),
    /// An IDX file (the format of MNIST) and what is wrong with it.
    Idx(PathBuf, IdxFault),
    /// No file could be decoded.
    NoImages {
        /// The folder or archive.
        path: PathBuf,
        /// What it holds.
        found: String,
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
    /// The archive's entry cannot be read.
    Entry(ZipError),
    /// It is longer than 256 MiB.
    Long,
    /// It has the name of an image but not the content.
    NotAnImage,
    /// An image in an unsupported format.
    Format(String),
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
            DataError::NotAnArchive(path) => {
                write!(
                    f,
                    "{} is neither a folder nor a zip archive nor an IDX file",
                    path.display()
                )
            }
            DataError::Archive(path, _) => {
                write!(f, "{} is a truncated or damaged zip archive", path.display())
            }
            DataError::Encrypted(path, entry) => write!(
                f,
                "{} is encrypted ({entry} needs a password): unpack it and give the folder",
                path.display()
            ),
            DataError::Idx(path, fault) => write!(f, "{} {fault}", path.display()),
            DataError::NoImages { path, found } => write!(
                f,
                "no image could be decoded in {}: supported are {}; found {found}",
                path.display(),
                FORMATS.join(", ")
            ),
            DataError::EmptyClass(path, class) => write!(
                f,
                "{}: the class folder {class} is empty: fill it or remove it",
                path.display()
            ),
            DataError::Unpaired { inputs, targets } => {
                write!(f, "inputs and targets are paired by name, without the extension")?;
                let other = [(inputs, &targets.0), (targets, &inputs.0)];
                for ((path, names), other) in other {
                    if names.is_empty() {
                        continue;
                    }
                    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
                    let more = names.len().saturating_sub(SHOWN);
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    let (path, other) = (path.display(), other.display());
                    write!(
                        f,
                        "; only {path} has {shown}{more}: add them to {other} or remove them"
                    )?;
                }
                Ok(())
            }
            DataError::Ambiguous(path, [a, b]) => write!(
                f,
                "{} holds {a} and {b}, which have the same name without the extension: remove one",
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

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DataError::Read(_, error) | DataError::Worker(error) => Some(error),
            DataError::Archive(_, error) => Some(error),
            DataError::Missing(_)
            | DataError::NotAnArchive(_)
            | DataError::Encrypted(..)
            | DataError::Idx(..)
            | DataError::NoImages { .. }
            | DataError::EmptyClass(..)
            | DataError::Unpaired { .. }
            | DataError::Ambiguous(..)
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
            Reason::Entry(error) => write!(f, "cannot be read: {error}"),
            Reason::Long => write!(f, "longer than {} MiB", MOST_BYTES >> 20),
            Reason::NotAnImage => write!(f, "not an image despite its name"),
            Reason::Format(format) => write!(f, "{format} is not supported"),
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

/// What is wrong with an IDX file.
#[derive(Debug, PartialEq, Eq)]
pub enum IdxFault {
    /// Neither images nor labels: its first four bytes.
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
}

impl fmt::Display for IdxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdxFault::Mark(got) => {
                write!(f, "starts with {got:?}, which is neither IDX images nor labels")
            }
            IdxFault::IsLabels => write!(f, "holds labels: give the file of images"),
            IdxFault::IsImages => write!(f, "holds images but has the name of a file of labels"),
            IdxFault::Length(want, got) if got > want => {
                write!(f, "should have {want} bytes and has more")
            }
            IdxFault::Length(want, got) => write!(f, "should have {want} bytes and has {got}"),
            IdxFault::Size(count, rows, columns) => {
                write!(f, "holds {count} images of {rows} x {columns}")
            }
            IdxFault::Expands(memory, length) => {
                write!(f, "would need {} MiB of memory and has {length} bytes", memory >> 20)
            }
            IdxFault::Count(labels, images) => {
                write!(f, "holds {labels} labels for {images} images")
            }
        }
    }
}
