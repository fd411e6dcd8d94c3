//! Arguments of `bench`.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args;
use crate::cli::device::Device;
use crate::cli::precision::Precision;
use crate::cli::reading;

/// Arguments of `bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Burn record or ONNX file [default: the built-in face generator]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub reading: reading::Args,
    /// Precision to measure [default: as stored; packed for ONNX]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Number of CPU threads, 1 to 1024
    ///
    /// Each thread makes its own faces; if a batch has fewer faces than there are threads, each
    /// face is split across all.
    #[arg(long, default_value_t = 1, value_parser = args::threads, allow_negative_numbers = true)]
    pub threads: usize,
    /// Number of faces per batch
    #[arg(long, default_value_t = 1, value_parser = args::batch, allow_negative_numbers = true)]
    pub batch: usize,
    /// What to measure: cpu, vulkan, vulkan:N or auto
    ///
    /// N is a number from `runtime devices`. auto takes a GPU if there is one.
    #[arg(long, default_value_t = Device::Cpu)]
    pub device: Device,
    /// Use 16-bit floats on a GPU
    #[arg(long)]
    pub half: bool,
    /// Measure only the fastest instruction set, not all
    ///
    /// The environment variable POCKET_GAN_ISA selects another one: scalar, avx2, avxvnni, avx512,
    /// avx512vbmi or amx; on 64-bit Arm scalar, neon, dotprod or i8mm.
    #[arg(long)]
    pub best: bool,
    /// Time every kernel that could run each layer on a GPU
    #[arg(long, hide = true)]
    pub sweep: bool,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Measure another engine on the same model, in turns with the CPU
    ///
    /// The model is written as an ONNX file into a temporary folder, which Python runs with as many
    /// threads and as large batches, on the same latents or picture. Printed are the times of both,
    /// their ratio, and how far their pixels are apart; f32 pixels that differ are an error.
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub compare: Option<Engine>,
    /// Python that has the packages of the other engine
    #[arg(long, value_name = "PROGRAM", default_value = "python3", requires = "compare")]
    pub python: PathBuf,
    /// Seconds to measure each instruction set for, or each turn of --compare, 0.01 to 600
    #[arg(long, default_value_t = 1.0, value_parser = args::seconds, allow_negative_numbers = true)]
    pub seconds: f64,
}

/// An engine to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// onnxruntime on the CPU, f32: `pip install onnxruntime numpy`
    Onnxruntime,
}
