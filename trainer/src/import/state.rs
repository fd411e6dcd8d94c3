//! The tensors of a file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use pytorch_reader::{DType, PytorchReader};
use safetensors::{Dtype, SafeTensors};

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

/// The tensors of a file: safetensors by its extension, otherwise any format of `torch.save`.
///
/// # Errors
/// [`ImportError`] names the file, and the tensor.
pub fn load(path: &Path) -> Result<State, ImportError> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors")) {
        return load_safetensors(path);
    }
    fs::File::open(path).map_err(|e| ImportError::Read(path.into(), e))?;
    let parse = |e: &dyn fmt::Display| ImportError::Parse(path.into(), e.to_string());
    let reader = PytorchReader::new(path).map_err(|e| parse(&e))?;
    let mut state = State::new();
    for (name, tensor) in reader.into_tensors() {
        let Some(decode) = decoder(tensor.dtype()) else {
            // Integers, such as a count of batches, are not weights.
            continue;
        };
        let bytes = tensor
            .read()
            .map_err(|e| ImportError::Tensor(path.into(), name.clone(), e.to_string()))?;
        let shape = tensor.shape().to_vec();
        let values = decode(&bytes);
        state.insert(name, Tensor { shape, values });
    }
    Ok(state)
}

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
