//! Tensors whose values lie in a file beside the model's, as PyTorch writes by default since 2.9.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use onnx_protobuf::TensorProto;

use super::budget::Budget;
use super::error::OnnxError;
use super::source::{Part, Source};

fn get<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    tensor.external_data.iter().find(|e| e.key == key).map(|e| &e.value[..])
}

/// The file of a tensor, which must lie in `folder`.
fn path(tensor: &TensorProto, folder: Option<&Path>) -> Result<PathBuf, String> {
    let location =
        get(tensor, "location").ok_or("its values are in another file, which is not named")?;
    let Some(folder) = folder else {
        return Err(format!(
            "its values are in the file {location:?}, and the model's folder is not known; \
             export with external_data=False"
        ));
    };
    let relative = Path::new(location);
    let inside =
        relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !inside || location.contains('\\') {
        return Err(format!("its values are in {location:?}, outside the model's folder"));
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let path = folder.join(relative);
    let failed = |e: std::io::Error| {
        format!("its values are in {}, which cannot be read: {e}", path.display())
    };
    // A link may lead out of the folder.
    let real = path.canonicalize().map_err(failed)?;
    if !real.starts_with(folder.canonicalize().map_err(failed)?) {
        return Err(format!("its values are in {location:?}, a link out of the model's folder"));
    }
    match std::fs::metadata(&real).map_err(failed)?.is_file() {
        true => Ok(real),
        false => Err(format!("{} is not a file", path.display())),
    }
}

/// Where the bytes of a tensor lie in a file of `folder`.
///
/// # Errors
/// [`OnnxError`] names the tensor, and the file.
pub(super) fn part(
    tensor: &TensorProto,
    folder: Option<&Path>,
    budget: &Budget,
) -> Result<Part<'static>, OnnxError> {
    let fail = |what| OnnxError::Tensor(tensor.name.clone(), what);
    let path = path(tensor, folder).map_err(fail)?;
    let number = |key: &str| -> Result<Option<u64>, OnnxError> {
        let Some(text) = get(tensor, key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| fail(format!("its {key} {text:?} is not a number")))
    };
    let failed = |e: std::io::Error| fail(format!("{} cannot be read: {e}", path.display()));
    let file = File::open(&path).map_err(failed)?;
    let offset = number("offset")?.unwrap_or(0);
    let rest = file.metadata().map_err(failed)?.len().checked_sub(offset);
    let count = match number("length")? {
        Some(count) => rest.filter(|rest| count <= *rest).map(|_| count),
        None => rest,
    };
    let count = count.and_then(|count| usize::try_from(count).ok()).ok_or_else(|| {
        fail(format!("{} ends before its values do; copy the whole file", path.display()))
    })?;
    budget.take(count, 1)?;
    Ok(Part { source: Source::disk(file), at: offset, len: count })
}

/// Bytes of the files beside the model that its tensors name; those that cannot be read count as
/// empty.
pub(super) fn length<'a>(
    tensors: impl Iterator<Item = &'a TensorProto>,
    folder: Option<&Path>,
) -> u64 {
    // One look for each name: a model may have many tensors.
    let mut names = BTreeSet::new();
    let mut total = 0u64;
    for tensor in tensors {
        if get(tensor, "location").is_some_and(|name| names.insert(name))
            && let Ok(file) = path(tensor, folder)
        {
            let length = std::fs::metadata(file).map_or(0, |m| m.len());
            total = total.saturating_add(length);
        }
    }
    total
}
