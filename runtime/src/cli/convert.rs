//! `runtime convert`: a model of either format to either format, in floats or integers.

use std::error::Error;

use runtime::onnx;
use runtime::record::Buffer;

use super::{load, output, psnr};
use crate::{Convert, Precision};

/// Seeds that scales of activations are found with, beyond those that pictures are usually made of.
pub const CALIBRATION: std::ops::Range<u64> = 1_000_000..1_000_064;

/// Folds a model and writes it, the format by the ending of `out`.
///
/// # Errors
/// One that names the file.
pub fn run(args: &Convert) -> Result<(), Box<dyn Error>> {
    let (model, out) = (args.model.as_path(), args.out.as_path());
    let ending = out.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let to_onnx = match ending {
        "bpk" => false,
        "onnx" => true,
        _ => return Err(format!("{}: ends in neither .bpk nor .onnx", out.display()).into()),
    };
    if to_onnx && args.precision != Precision::F32 {
        return Err(format!("{}: ONNX is written in f32 only", out.display()).into());
    }
    if args.u8 && !to_onnx {
        return Err(
            format!("{}: --u8 is for .onnx, records make bytes anyway", out.display()).into()
        );
    }
    output::folder(out)?;
    let format = match &args.compare {
        Some(_) if args.precision == Precision::F32 => {
            return Err("--compare: f32 differs in nothing from f32".into());
        }
        Some(path) => Some(output::format(path)?),
        None => None,
    };
    let mut graph = load::graph(model)?;
    graph.fold();
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", model.display());
    let bytes = match (to_onnx, args.precision) {
        (true, _) if args.u8 => onnx::write_bytes(&graph).map_err(|e| failed(&e))?,
        (true, _) => onnx::write(&graph).map_err(|e| failed(&e))?,
        (false, Precision::F32) => graph.to_record().map_err(|e| failed(&e))?,
        (false, Precision::Packed) => graph.pack().map_err(|e| failed(&e))?,
        (false, Precision::F16) => graph.halve().map_err(|e| failed(&e))?,
        (false, Precision::Int8) => graph.quantise(CALIBRATION).map_err(|e| failed(&e))?,
    };
    if args.precision != Precision::F32 {
        let before = Buffer::from(graph.to_record().map_err(|e| failed(&e))?);
        let after = Buffer::from(&bytes);
        let report = psnr::Report::of(before.bytes(), after.bytes(), args.faces)?;
        eprint!("{report}");
        if let (Some(path), Some(format)) = (&args.compare, format) {
            let sheet = report.side_by_side(before.bytes(), after.bytes())?;
            output::write(path, &output::encode(sheet, false, format, path)?)?;
            eprintln!("{}: f32 above, {} below", path.display(), args.precision);
        }
    }
    output::write(out, &bytes)?;
    eprintln!("{}: {} bytes", out.display(), bytes.len());
    Ok(())
}
