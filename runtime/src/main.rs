//! The `runtime` program: arguments, verb, exit code.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use cli::device::Device;

mod cli {
    pub mod bench;
    pub mod convert;
    pub mod device;
    pub mod generate;
    #[cfg(feature = "gpu")]
    pub mod gpu;
    pub mod inspect;
    pub mod load;
    pub mod npy;
    pub mod output;
    pub mod psnr;
}

#[derive(Parser)]
#[command(
    name = "runtime",
    version,
    about = "Runs image generators small enough for the device in your hand",
    after_help = "A model is a burn record (.bpk) as trainer exports it, or an ONNX file of a generator;\n\
                  which of the two is told by its content. Without --model the faces that come with the\n\
                  program are used."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make faces: a seed is a face, the same on every device
    #[command(after_help = GENERATE_EXAMPLES)]
    Generate(Generate),
    /// Show a model's layers, sizes, memory and facts
    Inspect {
        /// Burn record or ONNX [default: the model that comes with the program]
        model: Option<PathBuf>,
    },
    /// Turn a model into a burn record or ONNX, batch norm folded; or into bytes
    Convert(Convert),
    /// Measure how fast faces are made here
    Bench(Bench),
    /// List where faces can be made: the CPU, and Vulkan adapters
    Devices,
}

const GENERATE_EXAMPLES: &str = "\
Examples:
  runtime generate --out face.png                       one face
  runtime generate --seed 7 --scale 4 --out face.png    another one, four times as large
  runtime generate --grid 4x8 --out faces.png           32 faces in one picture
  runtime generate --count 100 --out faces/face.png     faces/face-000.png to faces/face-099.png
  runtime generate --model mine.onnx --out face.jpg     a generator of your own
  runtime generate --latent z.npy --out face.png        from a latent made elsewhere
  runtime generate --out - | display                    to a pipe, as PNG";

/// What `generate` can be told.
#[derive(Args)]
pub struct Generate {
    /// Picture to write, its format by its ending; - for a PNG to standard output
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Seed of the first face; further ones count up
    #[arg(long, default_value_t = 0, conflicts_with = "latent")]
    pub seed: u64,
    /// Class of every face, by its name or number, for a conditional model [default: the classes in turn; in a grid a row each]
    #[arg(long, value_name = "NAME|NUMBER")]
    pub label: Option<String>,
    /// Number of faces, as numbered files [default: 1, or the rows of --latent]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000), conflicts_with = "grid")]
    pub count: Option<u64>,
    /// Rows and columns of faces in one picture
    #[arg(long, value_name = "RxC", value_parser = grid)]
    pub grid: Option<(usize, usize)>,
    /// How many times as large, 1 to 64
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub scale: u32,
    /// How faces are enlarged
    #[arg(long, value_enum, default_value_t = Filter::Nearest)]
    pub filter: Filter,
    /// Burn record or ONNX [default: the model that comes with the program]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Threads: of many faces each makes its own, one face is made by all [default: as many as there are cores]
    #[arg(long, value_parser = threads)]
    pub threads: Option<usize>,
    /// Where faces are made: auto, cpu, vulkan, or vulkan:N of `runtime devices`
    #[arg(long, default_value_t)]
    pub device: Device,
    /// On a GPU, compute in 16-bit floats
    #[arg(long)]
    pub half: bool,
    /// Factor on the latent: below 1 faces are more ordinary and better formed
    #[arg(long, default_value_t = 1.0, value_parser = truncation)]
    pub truncation: f32,
    /// Latents to use, as numpy saves them: one a row, float32 or float64
    #[arg(long, value_name = "FILE.npy")]
    pub latent: Option<PathBuf>,
    /// Write the latents that were used, one a row, float32
    #[arg(long, value_name = "FILE.npy")]
    pub save_latent: Option<PathBuf>,
}

/// What `convert` can be told.
#[derive(Args)]
pub struct Convert {
    /// Burn record or ONNX
    pub model: PathBuf,
    /// File to write: .bpk or .onnx
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How numbers are stored and computed with
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub precision: Precision,
    /// ONNX with images of bytes, as evaluation tools such as torch-fidelity read them
    #[arg(long)]
    pub u8: bool,
    /// Faces that the result is compared with f32 by
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub faces: u64,
    /// Picture to write of both: f32 above, the result below, the worst face last
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
}

/// How numbers are stored and computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// 32-bit floats
    F32,
    /// 32-bit floats in the order in which they are used: faster, for this program only
    Packed,
    /// Weights of 16-bit floats, half the size, computed with as 32-bit ones
    F16,
    /// Bytes: integers from latent to pixel, a quarter of the size
    Int8,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::Packed => "packed",
            Precision::F16 => "f16",
            Precision::Int8 => "int8",
        })
    }
}

/// How faces are enlarged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Filter {
    /// Every pixel a square
    Nearest,
    /// Catmull-Rom cubic
    Smooth,
}

/// What `bench` can be told.
#[derive(Args)]
pub struct Bench {
    /// Burn record or ONNX [default: the model that comes with the program]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Measure the model in this precision [default: as it is stored; ONNX: packed]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Threads: each with faces of its own; with fewer faces than threads, all at each
    #[arg(long, default_value_t = 1, value_parser = threads)]
    pub threads: usize,
    /// Faces at a time
    #[arg(long, default_value_t = 1, value_parser = batch)]
    pub batch: usize,
    /// What is measured: cpu, auto, vulkan, or vulkan:N of `runtime devices`
    #[arg(long, default_value_t = Device::Cpu)]
    pub device: Device,
    /// On a GPU, compute in 16-bit floats
    #[arg(long)]
    pub half: bool,
    /// The fastest kernels only
    #[arg(long)]
    pub best: bool,
    /// On a GPU, time every kernel that could be used for each layer
    #[arg(long, hide = true)]
    pub sweep: bool,
    /// One line of JSON
    #[arg(long)]
    pub json: bool,
    /// Seconds to measure each kind of kernel
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    pub seconds: f64,
}

fn grid(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once(['x', 'X']).and_then(|(rows, columns)| {
        Some((rows.trim().parse().ok()?, columns.trim().parse().ok()?))
    });
    match sides {
        Some((rows @ 1..=1000, columns @ 1..=1000)) => Ok((rows, columns)),
        Some(_) => Err("rows and columns are between 1 and 1000".into()),
        None => Err("rows and columns, as in 4x8".into()),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1024) => Ok(n),
        _ => Err("a number from 1 to 1024".into()),
    }
}

fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1_000_000) => Ok(n),
        _ => Err("a number from 1 to 1,000,000".into()),
    }
}

fn truncation(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(v @ 0.0..=10.0) => Ok(v),
        _ => Err("a number from 0 to 10".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(v @ 0.01..=600.0) => Ok(v),
        _ => Err("a number from 0.01 to 600".into()),
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Generate(args) => cli::generate::run(&args),
        Verb::Inspect { model } => cli::inspect::run(model.as_deref()),
        Verb::Convert(args) => cli::convert::run(&args),
        Verb::Bench(args) => cli::bench::run(&args),
        Verb::Devices => cli::device::list(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough, as `head` does.
        Err(error) if cli::output::is_closed_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes on one line, whatever a library put into its own.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {error}");
        cause = error.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
