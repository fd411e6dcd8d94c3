//! `runtime convert`: a model to a burn record or to ONNX.

use std::error::Error;
use std::fmt::Display;
use std::path::PathBuf;

use runtime::graph::Graph;
use runtime::record::Buffer;
use runtime::{Input, Limits, onnx};

use super::pictures::{self, Fit, Picture};
use super::precision::Precision;
use super::psnr::Examples;
use super::terminal::note;
use super::{args, load, output, psnr, reading};

/// Arguments of `convert`.
#[derive(clap::Args)]
pub struct Args {
    /// Burn record or ONNX file
    model: PathBuf,
    #[command(flatten)]
    reading: reading::Args,
    /// File to write: .bpk for a burn record, .onnx for ONNX
    ///
    /// Batch norm is folded into the layers before it. Missing folders are created.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How numbers are stored and computed with; ONNX is always f32
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// Write ONNX that outputs bytes instead of floats, as tools such as torch-fidelity expect
    #[arg(long)]
    u8: bool,
    /// Pictures like those that the model will translate, or folders of them
    ///
    /// For models that take a picture: int8 is calibrated on up to 64 of them, and the result is
    /// compared with the f32 model on all of them.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pictures: Vec<PathBuf>,
    /// Number of faces to compare against the f32 model
    #[arg(long, default_value_t = 256, value_parser = args::faces, allow_negative_numbers = true)]
    faces: u64,
    /// Write a picture of both: f32 above, the result below, the worst face last
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// Folds a model and writes it.
///
/// # Errors
/// One that names the file.
pub fn run(args: &Args, limits: &Limits) -> Result<(), Box<dyn Error>> {
    let (model, out) = (args.model.as_path(), args.out.as_path());
    let to_onnx = match out.extension().and_then(|e| e.to_str()) {
        Some("bpk") => false,
        Some("onnx") => true,
        _ => return Err(format!("{}: expected a .bpk or .onnx file", out.display()).into()),
    };
    if to_onnx && args.precision != Precision::F32 {
        return Err(format!("{}: ONNX is always f32; leave out --precision", out.display()).into());
    }
    if args.u8 && !to_onnx {
        return Err(format!("{}: --u8 is for .onnx files", out.display()).into());
    }
    if args.compare.is_some() && args.precision == Precision::F32 {
        return Err("--compare needs another precision than f32".into());
    }
    let format = args.compare.as_deref().map(output::format).transpose()?;
    let graph = load::graph(model, &args.reading, limits)?;
    let pictures = read(args, graph.input, limits)?;
    let failed = |e: &dyn Display| format!("{}: {e}", model.display());
    let bytes = match to_onnx {
        true if args.u8 => onnx::write_bytes(&graph).map_err(|e| failed(&e))?,
        true => onnx::write(&graph).map_err(|e| failed(&e))?,
        false => {
            let few = &pictures[..pictures.len().min(CALIBRATION)];
            args.precision.record(&graph, few).map_err(|e| failed(&e))?
        }
    };
    if args.precision != Precision::F32 {
        let examples = match graph.input {
            Input::Latent(_) => Examples::Seeds(args.faces),
            Input::Picture(_) => Examples::Pictures(&pictures),
        };
        if examples.count() > 0 {
            compare(args, &graph, &bytes, &examples, format, limits)?;
        }
    }
    output::write(out, &bytes)?;
    note(format_args!("{}: {} bytes", out.display(), bytes.len()));
    Ok(())
}

/// Most pictures that int8 is calibrated on.
const CALIBRATION: usize = 64;

/// The pixels of `--pictures`.
fn read(args: &Args, input: Input, limits: &Limits) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let model = args.model.display();
    let shape = match input {
        Input::Picture(shape) => shape,
        Input::Latent(_) if args.pictures.is_empty() => return Ok(vec![]),
        Input::Latent(_) => {
            return Err(format!("{model} takes a latent; leave out --pictures").into());
        }
    };
    if args.pictures.is_empty() && args.precision == Precision::Int8 {
        return Err(format!(
            "{model} takes a picture; int8 needs examples: --pictures with files or folders"
        )
        .into());
    }
    let files = pictures::files(&args.pictures)?;
    let read = |path: &PathBuf| Picture::read(path, shape, Fit::Crop, limits).map(|p| p.pixels);
    Ok(files.iter().map(read).collect::<Result<_, _>>()?)
}

/// Reports how far the result is from f32.
fn compare(
    args: &Args,
    graph: &Graph,
    bytes: &[u8],
    examples: &Examples<'_>,
    format: Option<image::ImageFormat>,
    limits: &Limits,
) -> Result<(), Box<dyn Error>> {
    let before = graph.to_buffer()?;
    let after = Buffer::from(bytes);
    let report = psnr::Report::of(before.bytes(), after.bytes(), examples, limits)?;
    note(format_args!("{report}"));
    if let (Some(path), Some(format)) = (&args.compare, format) {
        let sheet = report.side_by_side(before.bytes(), after.bytes(), examples, limits)?;
        output::write(path, &output::encode(sheet, 3, format, path)?)?;
        note(format_args!("{}: f32 above, {} below", path.display(), args.precision));
    }
    Ok(())
}
