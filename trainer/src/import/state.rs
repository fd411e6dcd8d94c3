//! The tensors of a file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use pytorch_reader::{DType, PytorchError, PytorchReader};
use runtime::file_kind::FileKind;
use safetensors::{Dtype, SafeTensors};
use tempfile::NamedTempFile;

use super::archive;
use super::error::ImportError;

/// A state dict: tensors by name.
pub type State = BTreeMap<String, Tensor>;

/// A tensor as 32-bit floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, the last index fastest.
    pub values: Vec<f32>,
}

/// Bytes of tensors for each byte of a file. Files are not compressed, but tensors may share their
/// bytes, and one with a stride of 0 repeats them without end.
const EXPANSION: u64 = 8;

/// The tensors of a file: safetensors by its extension, otherwise any format of `torch.save`.
///
/// # Errors
/// [`ImportError`] names the file, and the tensor.
pub fn load(path: &Path) -> Result<State, ImportError> {
    let length = length(path)?;
    if is_safetensors(path)? {
        return load_safetensors(path);
    }
    let (floats, _kept) = floats(path)?;
    let mut total = 0u64;
    for (name, (tensor, _)) in &floats {
        total = total.saturating_add(tensor.byte_len() as u64);
        if total > length.saturating_mul(EXPANSION) {
            let what =
                format!("with it the tensors have {total} bytes, too many for a file of {length}");
            return Err(ImportError::Tensor(path.into(), name.clone(), what));
        }
    }
    let mut state = State::new();
    for (name, (tensor, decode)) in floats {
        let bytes = tensor
            .read()
            .map_err(|e| ImportError::Tensor(path.into(), name.clone(), e.to_string()))?;
        let shape = tensor.shape().to_vec();
        state.insert(name, Tensor { shape, values: decode(&bytes) });
    }
    Ok(state)
}

/// The names and shapes of a file's tensors, without their values.
///
/// # Errors
/// As [`load`].
pub fn shapes(path: &Path) -> Result<BTreeMap<String, Vec<usize>>, ImportError> {
    length(path)?;
    if is_safetensors(path)? {
        let state = load_safetensors(path)?;
        return Ok(state.into_iter().map(|(name, tensor)| (name, tensor.shape)).collect());
    }
    let (floats, _kept) = floats(path)?;
    Ok(floats.into_iter().map(|(name, (tensor, _))| (name, tensor.shape().to_vec())).collect())
}

/// A file's length in bytes.
fn length(path: &Path) -> Result<u64, ImportError> {
    let failed = |e| ImportError::Read(path.into(), e);
    let is = fs::metadata(path).map_err(failed)?;
    match is.is_file() {
        true => Ok(is.len()),
        // Opening a pipe would block.
        false => Err(failed(io::Error::other("it is not a file"))),
    }
}

/// Whether a file is safetensors rather than of `torch.save`, by its extension or first bytes.
///
/// # Errors
/// [`ImportError::Kind`] if it is another kind of file.
fn is_safetensors(path: &Path) -> Result<bool, ImportError> {
    let failed = |e| ImportError::Read(path.into(), e);
    let mut head = Vec::new();
    fs::File::open(path).map_err(failed)?.take(HEAD).read_to_end(&mut head).map_err(failed)?;
    let named = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
    match FileKind::of(&head) {
        Some(FileKind::Safetensors) => Ok(true),
        // A zip archive whose pickle lies farther back, a pickle in a tar.
        None | Some(FileKind::PyTorch | FileKind::Pickle | FileKind::Zip) => Ok(named),
        Some(kind) => Err(ImportError::Kind(path.into(), kind)),
    }
}

/// Bytes by which the kind of a file is found.
const HEAD: u64 = 1 << 16;

/// The tensors of floats in a file of `torch.save`, not read yet. Integers, such as a count of
/// batches, are not weights.
/// Also returns the copy of the file that they are read from, if there is one.
fn floats(path: &Path) -> Result<(Floats, Option<NamedTempFile>), ImportError> {
    let parse = |e: PytorchError| ImportError::Parse(path.into(), e.to_string());
    let (reader, copy) = match PytorchReader::new(path) {
        Ok(reader) => (reader, None),
        // An archive whose directory the `zip` crate takes for something else.
        Err(PytorchError::Zip(error)) => match archive::copied(path) {
            Ok(copy) => (PytorchReader::new(copy.path()).map_err(parse)?, Some(copy)),
            Err(_) => return Err(parse(PytorchError::Zip(error))),
        },
        Err(error) => return Err(parse(error)),
    };
    let tensors = reader.into_tensors().into_iter();
    let floats = tensors.filter_map(|(name, t)| decoder(t.dtype()).map(|d| (name, (t, d))));
    Ok((floats.collect(), copy))
}

type Floats = BTreeMap<String, (pytorch_reader::Tensor, Decode)>;

type Decode = fn(&[u8]) -> Vec<f32>;

/// How the bytes of a float type are read, in native order.
fn decoder(kind: DType) -> Option<Decode> {
    Some(match kind {
        DType::F64 => |b| pieces(b, |p| f64::from_ne_bytes(p) as f32),
        DType::F32 => |b| pieces(b, f32::from_ne_bytes),
        DType::F16 => |b| pieces(b, |p| half::f16::from_ne_bytes(p).to_f32()),
        DType::BF16 => |b| pieces(b, |p| half::bf16::from_ne_bytes(p).to_f32()),
        _ => return None,
    })
}

fn pieces<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (pieces, _) = bytes.as_chunks::<N>();
    pieces.iter().map(|&piece| read(piece)).collect()
}

fn load_safetensors(path: &Path) -> Result<State, ImportError> {
    let bytes = fs::read(path).map_err(|e| ImportError::Read(path.into(), e))?;
    let parse = |e: &dyn fmt::Display| ImportError::Parse(path.into(), e.to_string());
    let file = SafeTensors::deserialize(&bytes).map_err(|e| parse(&e))?;
    let mut state = State::new();
    for (name, view) in file.tensors() {
        let values = match view.dtype() {
            Dtype::F64 => pieces(view.data(), |p| f64::from_le_bytes(p) as f32),
            Dtype::F32 => pieces(view.data(), f32::from_le_bytes),
            Dtype::F16 => pieces(view.data(), |p| half::f16::from_le_bytes(p).to_f32()),
            Dtype::BF16 => pieces(view.data(), |p| half::bf16::from_le_bytes(p).to_f32()),
            _ => continue,
        };
        let shape = view.shape().to_vec();
        state.insert(name, Tensor { shape, values });
    }
    Ok(state)
}
