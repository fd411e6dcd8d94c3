//! Latents from and to numpy's files.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use npyz::{DType, NpyFile, Order, TypeStr, WriterBuilder};

use super::output::{self, OutputError};

/// Why there are no latents.
#[derive(Debug)]
pub enum NpyError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// Not numbers of a kind that is read: what it holds.
    Type(PathBuf, String),
    /// Not one latent, or one a row: its shape.
    Shape(PathBuf, Vec<u64>),
    /// Rows that are not as long as the model's latent: file, length, what the model wants.
    Length(PathBuf, usize, usize),
    /// A value that is no finite number: row and column.
    NotFinite(PathBuf, usize, usize),
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NpyError::Read(path, _) => write!(f, "cannot read {} as .npy", path.display()),
            NpyError::Type(path, got) => write!(
                f,
                "{} holds {got}; float32 and float64 are read",
                path.display()
            ),
            NpyError::Shape(path, shape) => write!(
                f,
                "{} is of shape {shape:?}; one latent a row is read",
                path.display()
            ),
            NpyError::Length(path, got, need) => write!(
                f,
                "{}: a latent of {got} values, the model wants {need}",
                path.display()
            ),
            NpyError::NotFinite(path, row, column) => write!(
                f,
                "{}: row {row}, column {column} is no finite number",
                path.display()
            ),
        }
    }
}

impl std::error::Error for NpyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NpyError::Read(_, error) => Some(error),
            NpyError::Type(..)
            | NpyError::Shape(..)
            | NpyError::Length(..)
            | NpyError::NotFinite(..) => None,
        }
    }
}

/// The rows of a file, each a latent of one of two `lengths`, of which the first is the model's.
///
/// # Errors
/// [`NpyError`] names the file.
pub fn read(path: &Path, lengths: [usize; 2]) -> Result<Vec<Vec<f32>>, NpyError> {
    let failed = |e: io::Error| NpyError::Read(path.into(), e);
    let bytes = fs::read(path).map_err(failed)?;
    let file = NpyFile::new(&bytes[..]).map_err(failed)?;
    let shape = file.shape().to_vec();
    // 1 x 1 images behind the latent are how convolutional generators like it.
    let (rows, length) = match shape[..] {
        [n] => (1, n),
        [rows, n] | [rows, n, 1, 1] => (rows, n),
        _ => return Err(NpyError::Shape(path.into(), shape)),
    };
    let latent = length as usize;
    if !lengths.contains(&latent) {
        return Err(NpyError::Length(path.into(), latent, lengths[0]));
    }
    if rows == 0 || rows.saturating_mul(length) > bytes.len() as u64 {
        return Err(NpyError::Shape(path.into(), shape));
    }
    let (order, dtype) = (file.order(), file.dtype());
    let values: Vec<f32> = match &dtype {
        DType::Plain(t) if is(t, "f4") => file.into_vec::<f32>().map_err(failed)?,
        DType::Plain(t) if is(t, "f8") => {
            let values = file.into_vec::<f64>().map_err(failed)?;
            values.into_iter().map(|v| v as f32).collect()
        }
        other => return Err(NpyError::Type(path.into(), other.descr())),
    };
    let rows = rows as usize;
    let at = |r: usize, c: usize| match order {
        Order::C => values[r * latent + c],
        Order::Fortran => values[c * rows + r],
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

/// Whether a type is `kind`, of either byte order.
fn is(t: &TypeStr, kind: &str) -> bool {
    t.to_string().ends_with(kind)
}

/// Writes latents, one a row, as float32.
///
/// # Errors
/// [`OutputError`] names the file.
pub fn write(path: &Path, latents: &[Vec<f32>]) -> Result<(), OutputError> {
    let failed = |e: io::Error| OutputError::Write(path.into(), e);
    let length = latents.first().map_or(0, Vec::len);
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&[latents.len() as u64, length as u64])
        .writer(&mut bytes)
        .begin_nd()
        .map_err(failed)?;
    writer
        .extend(latents.iter().flatten().copied())
        .map_err(failed)?;
    writer.finish().map_err(failed)?;
    output::write(path, &bytes)
}
