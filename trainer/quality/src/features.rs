//! Features of images: one row per image, from an extractor or a `.npy` file.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use runtime::npy::{Array, Kind, NpyError};

/// Feature vectors, one per image.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    rows: usize,
    dimension: usize,
    values: Vec<f64>,
}

/// Why there are no features.
#[derive(Debug)]
pub enum FeaturesError {
    /// A file that cannot be read.
    Read(PathBuf, io::Error),
    /// A file that is not a NumPy array.
    Parse(PathBuf, NpyError),
    /// An array that is not two-dimensional and in C order: its shape.
    Shape(PathBuf, Vec<usize>),
    /// Bytes rather than floats.
    Type(PathBuf),
    /// A value that is not finite: where.
    NotFinite(String, usize),
}

impl fmt::Display for FeaturesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FeaturesError::Read(path, _) | FeaturesError::Parse(path, _) => {
                write!(f, "cannot read {}", path.display())
            }
            FeaturesError::Shape(path, shape) => write!(
                f,
                "{}: an array of shape {shape:?}, not of a row an image (two axes)",
                path.display()
            ),
            FeaturesError::Type(path) => {
                write!(f, "{}: values of type uint8, not float32 or float64", path.display())
            }
            FeaturesError::NotFinite(whose, row) => {
                write!(f, "{whose}: row {row} holds a value that is not finite")
            }
        }
    }
}

impl std::error::Error for FeaturesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FeaturesError::Read(_, error) => Some(error),
            FeaturesError::Parse(_, error) => Some(error),
            FeaturesError::Shape(..) | FeaturesError::Type(..) | FeaturesError::NotFinite(..) => {
                None
            }
        }
    }
}

impl Features {
    /// Rows of `dimension` values; `whose` is named in errors.
    ///
    /// # Errors
    /// [`FeaturesError::NotFinite`].
    ///
    /// # Panics
    /// If the number of values is not a multiple of `dimension`.
    pub fn new(whose: &str, dimension: usize, values: Vec<f64>) -> Result<Features, FeaturesError> {
        assert!(dimension > 0 && values.len().is_multiple_of(dimension), "whole rows");
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(FeaturesError::NotFinite(whose.into(), at / dimension));
        }
        Ok(Features { rows: values.len() / dimension, dimension, values })
    }

    /// The `[n, d]` array of a `.npy` file, of 32- or 64-bit floats.
    ///
    /// # Errors
    /// [`FeaturesError`] names the file.
    pub fn load(path: &Path) -> Result<Features, FeaturesError> {
        let bytes = fs::read(path).map_err(|e| FeaturesError::Read(path.into(), e))?;
        let array = Array::parse(&bytes).map_err(|e| FeaturesError::Parse(path.into(), e))?;
        let &[_, dimension] = &array.shape[..] else {
            return Err(FeaturesError::Shape(path.into(), array.shape));
        };
        if dimension == 0 || array.fortran {
            return Err(FeaturesError::Shape(path.into(), array.shape));
        }
        if array.kind == Kind::U8 {
            return Err(FeaturesError::Type(path.into()));
        }
        let name = path.display().to_string();
        Features::new(&name, dimension, array.values().collect())
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The row of an image.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.dimension..][..self.dimension]
    }

    /// Every row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> + Clone {
        self.values.chunks_exact(self.dimension)
    }
}
