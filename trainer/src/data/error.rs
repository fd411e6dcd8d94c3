//! Why images cannot be had.

use std::fmt;
use std::io;
use std::path::PathBuf;

use image::ImageError;
use zip::result::ZipError;

use super::Crop;
use super::decode::{FORMATS, MOST_BYTES};
use super::idx::IdxFault;

/// Why there are no images, or no more.
#[derive(Debug)]
pub enum DataError {
    /// Nothing has this path.
    Missing(PathBuf),
    /// A file or folder that cannot be read.
    Read(PathBuf, io::Error),
    /// A file that is no zip archive.
    NotAnArchive(PathBuf),
    /// A zip archive that is cut off or damaged.
    Archive(PathBuf, ZipError),
    /// An archive, and the first entry in it that needs a password.
    Encrypted(PathBuf, String),
    /// An IDX file (the form of MNIST) and what is wrong with it.
    Idx(PathBuf, IdxFault),
    /// Nothing that could be decoded.
    NoImages {
        /// Where was looked.
        path: PathBuf,
        /// What was there.
        found: String,
    },
    /// A folder of class folders, and the first of them that holds nothing.
    EmptyClass(PathBuf, String),
    /// Every image is the same: how many.
    Identical(PathBuf, usize),
    /// A batch of more images than there are.
    BatchTooLarge {
        /// Images of a batch.
        batch: usize,
        /// Images of the data.
        images: usize,
    },
    /// An image that could be decoded before and cannot any more.
    Lost(Skipped),
    /// A worker thread could not be started, or died.
    Worker(io::Error),
}

/// A file that was passed over.
#[derive(Debug)]
pub struct Skipped {
    /// Its path inside the folder or archive.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// Why a file was passed over.
#[derive(Debug)]
pub enum Reason {
    /// It cannot be read.
    Read(io::Error),
    /// The archive's entry cannot be read.
    Entry(ZipError),
    /// It is longer than 256 MiB.
    Long,
    /// Its name says image and its content does not.
    NotAnImage,
    /// An image of a format that is not read.
    Format(String),
    /// Its content does not decode.
    Broken(ImageError),
    /// Its pixels would fill too much memory: a picture of a whole town, or a decompression bomb.
    Large,
    /// It is smaller than what is to be cut out of it: its width and height, and what.
    Small(u32, u32, Crop),
    /// The decoder gave up in a way that it should not.
    Panicked,
    /// There are only so many images.
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
                write!(f, "{} is not a whole zip archive", path.display())
            }
            DataError::Encrypted(path, entry) => write!(
                f,
                "{} is encrypted ({entry} needs a password): unpack it and give the folder",
                path.display()
            ),
            DataError::Idx(path, fault) => write!(f, "{} {fault}", path.display()),
            DataError::NoImages { path, found } => write!(
                f,
                "no image could be decoded in {}: looked for {}; found {found}",
                path.display(),
                FORMATS.join(", ")
            ),
            DataError::EmptyClass(path, class) => write!(
                f,
                "{}: the class folder {class} is empty: fill it or remove it",
                path.display()
            ),
            DataError::Identical(path, count) => write!(
                f,
                "{}: all {count} images are the same: there is nothing to learn from them",
                path.display()
            ),
            DataError::BatchTooLarge { batch, images } => {
                write!(f, "a batch of {batch} needs as many images, there are {images}")
            }
            DataError::Lost(skipped) => write!(f, "an image is not there any more: {skipped}"),
            DataError::Worker(_) => write!(f, "a thread that prepares images failed"),
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
            Reason::NotAnImage => write!(f, "not an image, whatever its name says"),
            Reason::Format(format) => write!(f, "{format} is not read"),
            Reason::Broken(error) => write!(f, "{error}"),
            Reason::Large => write!(f, "too many pixels to decode"),
            Reason::Small(width, height, crop) => {
                write!(f, "{width} x {height}, too small for the crop {crop}")
            }
            Reason::Absent(len) => write!(f, "there are only {len}"),
            Reason::Panicked => write!(f, "the decoder failed"),
        }
    }
}
