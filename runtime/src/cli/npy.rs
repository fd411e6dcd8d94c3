//! Latents from and to NumPy files.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use runtime::Limits;
use runtime::npy::{self, Array, Kind};

use super::output::{self, OutputError};
use super::read;

/// Why latents cannot be read.
#[derive(Debug)]
pub enum NpyError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The file is not an array.
    Parse(PathBuf, npy::NpyError),
    /// The array has bytes rather than floats.
    Type(PathBuf),
    /// The array is neither one latent nor one per row: its shape.
    Shape(PathBuf, Vec<usize>),
    /// The rows do not have the length of the model's latent: file, length, length of the latent.
    Length(PathBuf, usize, usize),
    /// A value is infinite or NaN: row and column.
    NotFinite(PathBuf, usize, usize),
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NpyError::Read(path, _) | NpyError::Parse(path, _) => {
                write!(f, "cannot read {} as .npy", path.display())
            }
            NpyError::Type(path) => {
                write!(f, "{} has uint8 values; latents are float32 or float64", path.display())
            }
            NpyError::Shape(path, shape) => {
                write!(f, "{} has shape {shape:?}; expected one latent per row", path.display())
            }
            NpyError::Length(path, got, need) => {
                write!(f, "{}: latents of {got} values, the model needs {need}", path.display())
            }
            NpyError::NotFinite(path, row, column) => {
                write!(f, "{}: row {row}, column {column} is not a finite number", path.display())
            }
        }
    }
}

impl std::error::Error for NpyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NpyError::Read(_, error) => Some(error),
            NpyError::Parse(_, error) => Some(error),
            NpyError::Type(..)
            | NpyError::Shape(..)
            | NpyError::Length(..)
            | NpyError::NotFinite(..) => None,
        }
    }
}

/// The rows of a file, all of one of two `lengths`; the first is that of the model's latent.
///
/// # Errors
/// [`NpyError`] names the file.
pub fn read(path: &Path, lengths: [usize; 2], limits: &Limits) -> Result<Vec<Vec<f32>>, NpyError> {
    let bytes = File::open(path).and_then(|file| read::read_all(file, limits));
    let bytes = bytes.map_err(|e| NpyError::Read(path.into(), e))?;
    let array = Array::parse(&bytes).map_err(|e| NpyError::Parse(path.into(), e))?;
    // Convolutional generators take latents of 1 x 1 pixels.
    let (rows, latent) = match array.shape[..] {
        [n] => (1, n),
        [rows, n] | [rows, n, 1, 1] => (rows, n),
        _ => return Err(NpyError::Shape(path.into(), array.shape)),
    };
    if !lengths.contains(&latent) {
        return Err(NpyError::Length(path.into(), latent, lengths[0]));
    }
    if rows == 0 {
        return Err(NpyError::Shape(path.into(), array.shape));
    }
    if array.kind == Kind::U8 {
        return Err(NpyError::Type(path.into()));
    }
    let values: Vec<f32> = array.values().map(|v| v as f32).collect();
    let at = |r: usize, c: usize| match array.fortran {
        false => values[r * latent + c],
        true => values[c * rows + r],
    };
    let mut latents = Vec::with_capacity(rows);
    for r in 0..rows {
        let row: Vec<f32> = (0..latent).map(|c| at(r, c)).collect();
        if let Some(c) = row.iter().position(|v| !v.is_finite()) {
            return Err(NpyError::NotFinite(path.into(), r, c));
        }
        latents.push(row);
    }
    Ok(latents)
}

/// Writes latents, one per row, as float32.
///
/// # Errors
/// [`OutputError`] names the file.
pub fn write(path: &Path, latents: &[Vec<f32>]) -> Result<(), OutputError> {
    let length = latents.first().map_or(0, Vec::len);
    let values = latents.iter().flatten().copied();
    output::write(path, &npy::write(&[latents.len(), length], values))
}
