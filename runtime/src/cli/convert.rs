//! `runtime convert`: a model of either format to either format.

use std::error::Error;
use std::path::Path;

use runtime::onnx;

use super::{load, output};

/// Folds a model and writes it, the format by the ending of `out`.
///
/// # Errors
/// One that names the file.
pub fn run(model: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let ending = out.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let to_onnx = match ending {
        "bpk" => false,
        "onnx" => true,
        _ => return Err(format!("{}: ends in neither .bpk nor .onnx", out.display()).into()),
    };
    output::folder(out)?;
    let mut graph = load::graph(model)?;
    graph.fold();
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", model.display());
    let bytes = match to_onnx {
        true => onnx::write(&graph).map_err(|e| failed(&e))?,
        false => graph.to_record().map_err(|e| failed(&e))?,
    };
    output::write(out, &bytes)?;
    eprintln!("{}: {} bytes", out.display(), bytes.len());
    Ok(())
}
