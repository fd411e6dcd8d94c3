//! Exports the trained list of layers as a burn record and ONNX.

use std::fmt;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use models::Sequential;
use models::layer::{Function, Layer};
use runtime::Input;
use runtime::cpu::Cpu;
use runtime::graph::{self, Facts, Graph, GraphError};
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::onnx::{self, OnnxError};
use runtime::op::{Activation, Op, Window};
use runtime::record::Buffer;

use crate::file::{self, WriteError};
use crate::networks::noise;

/// Number of seeds on which the files are compared with the trained generator.
pub const SEEDS: usize = 16;
/// Largest difference of an output value that is accepted.
pub const TOLERANCE: f32 = 1e-4;

/// The files, and their differences from the trained generator.
#[derive(Debug)]
pub struct Exported {
    /// The burn record.
    pub record: PathBuf,
    /// The ONNX model.
    pub onnx: PathBuf,
    /// Largest difference of an output value over [`SEEDS`] seeds: record, ONNX.
    pub error: [f32; 2],
}

/// Why nothing was exported.
#[derive(Debug)]
pub enum ExportError {
    /// `runtime` cannot run the list of layers.
    Graph(GraphError),
    /// The ONNX model cannot be written or does not read back.
    Onnx(OnnxError),
    /// The record does not read back.
    Record(String),
    /// A file differs from the trained generator by more than [`TOLERANCE`]: file, difference,
    /// seed.
    Differs(&'static str, f32, usize),
    /// A file cannot be written.
    Write(WriteError),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Graph(_) => write!(f, "the network cannot be exported"),
            ExportError::Onnx(_) => write!(f, "the ONNX model cannot be read back"),
            ExportError::Record(what) => write!(f, "the record cannot be read back: {what}"),
            ExportError::Differs(file, error, seed) => write!(
                f,
                "the {file} differs from the trained generator by {error:e} at seed {seed}, \
                 more than {TOLERANCE:e}: nothing was written"
            ),
            ExportError::Write(_) => write!(f, "cannot write the exported files"),
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ExportError::Graph(e) => Some(e),
            ExportError::Onnx(e) => Some(e),
            ExportError::Write(e) => Some(e),
            ExportError::Record(_) | ExportError::Differs(..) => None,
        }
    }
}

impl From<WriteError> for ExportError {
    fn from(e: WriteError) -> Self {
        ExportError::Write(e)
    }
}

/// The generator as a `Graph`, with batch norm not folded (see [`Graph::fold`]). Its latent has
/// `nz` values and one per class of the facts.
pub fn graph(generator: &Sequential, nz: usize, facts: Facts) -> Graph {
    let mut layers = Vec::new();
    for (i, layer) in generator.layers.iter().enumerate() {
        let name = |op: &str| format!("{op}{i}");
        layers.push(match layer {
            Layer::Conv(l) => graph::Layer {
                name: name("conv"),
                op: Op::Conv {
                    out: l.weight.dims()[0],
                    window: window(&l.weight, l.stride, l.padding),
                },
                activation: Activation::None,
                from: None,
                with: None,
                weight: values(&l.weight),
                bias: l.bias.as_ref().map(values).unwrap_or_default(),
            },
            Layer::ConvTranspose(l) => graph::Layer {
                name: name("conv_transpose"),
                op: Op::ConvTranspose {
                    out: l.weight.dims()[1],
                    window: window(&l.weight, l.stride, l.padding),
                },
                activation: Activation::None,
                from: None,
                with: None,
                weight: values(&l.weight),
                bias: l.bias.as_ref().map(values).unwrap_or_default(),
            },
            Layer::ResizeConv(l) => {
                let weight = l.transposed_weight();
                graph::Layer {
                    name: name("conv_transpose"),
                    op: Op::ConvTranspose {
                        out: weight.dims()[1],
                        window: Window { kernel: 4, stride: 2, padding: 1 },
                    },
                    activation: Activation::None,
                    from: None,
                    with: None,
                    weight: floats(weight),
                    bias: l.bias.as_ref().map(values).unwrap_or_default(),
                }
            }
            Layer::BatchNorm(l) => {
                let running = |t: Tensor<1>| floats(t);
                graph::Layer::batch_norm(
                    name("batch_norm"),
                    &values(&l.gamma),
                    &values(&l.beta),
                    &running(l.running_mean.value_sync()),
                    &running(l.running_var.value_sync()),
                    l.epsilon as f32,
                )
            }
            // Dropout is for training only.
            Layer::Dropout(_) => continue,
            Layer::Activation(l) => graph::Layer {
                name: name("activation"),
                op: Op::Activate,
                activation: match l.function {
                    Function::Relu => Activation::Relu,
                    Function::LeakyRelu(slope) => Activation::LeakyRelu(slope),
                    Function::Tanh => Activation::Tanh,
                    Function::Sigmoid => Activation::Sigmoid,
                },
                from: None,
                with: None,
                weight: Vec::new(),
                bias: Vec::new(),
            },
        });
    }
    let input = Input::Latent(nz + facts.labels.len());
    Graph { input, layers, facts }
}

fn window(weight: &Param<Tensor<4>>, stride: usize, padding: usize) -> Window {
    Window { kernel: weight.dims()[2], stride, padding }
}

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    floats(param.val())
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("a float tensor holds floats")
}

/// Writes `DIR/NAME.bpk` and `DIR/NAME.onnx` of a finished generator (without gradients, statistics
/// recomputed), after reading both back and comparing them with it on [`SEEDS`] seeds.
///
/// # Errors
/// [`ExportError`]; no file is left behind, and earlier files are kept.
pub fn export(
    generator: &Sequential,
    nz: usize,
    facts: Facts,
    dir: &Path,
    name: &str,
    device: &Device,
) -> Result<Exported, ExportError> {
    let device = device.clone().inner();
    let latents = noise::seeds(0, SEEDS, nz, facts.labels.len(), &device);
    let want = floats(generator.forward(latents));
    files(graph(generator, nz, facts), &want, dir, name)
}

/// Writes `DIR/NAME.bpk` and `DIR/NAME.onnx` of a graph, after reading both back and comparing
/// their images of the seeds 0 to [`SEEDS`] with `want`.
///
/// # Errors
/// As [`export`].
pub fn files(graph: Graph, want: &[f32], dir: &Path, name: &str) -> Result<Exported, ExportError> {
    let mut folded = graph;
    folded.fold();
    let record = folded.to_record().map_err(ExportError::Graph)?;
    let model = onnx::write(&folded).map_err(ExportError::Onnx)?;
    let mut read_back = onnx::read(&model).map_err(ExportError::Onnx)?;
    read_back.fold();
    let from_onnx = read_back.to_record().map_err(ExportError::Graph)?;
    let error = [compare("record", &record, want)?, compare("ONNX model", &from_onnx, want)?];

    file::create_dir(dir)?;
    let path = |ending: &str| dir.join(format!("{name}.{ending}"));
    file::write(&path("bpk"), &record)?;
    if let Err(e) = file::write(&path("onnx"), &model) {
        // Write both files or none.
        let _ = std::fs::remove_file(path("bpk"));
        return Err(e.into());
    }
    Ok(Exported { record: path("bpk"), onnx: path("onnx"), error })
}

/// The images that a graph makes of the seeds 0 to [`SEEDS`], without folding.
///
/// # Errors
/// [`ExportError`] if `runtime` cannot run it.
pub fn images(graph: &Graph) -> Result<Vec<f32>, ExportError> {
    let record = Buffer::from(&graph.to_record().map_err(ExportError::Graph)?);
    let model = Model::parse(record.bytes()).map_err(|e| ExportError::Record(e.to_string()))?;
    let mut arena = vec![0.0; model.arena_len()];
    let mut all = Vec::new();
    for seed in 0..SEEDS {
        let mut cpu = Cpu::new(&model, &mut arena).expect("an arena of the length asked for");
        let image = cpu
            .generate(&Latent::from_seed(seed as u64))
            .expect("a seed makes a latent of any length");
        all.extend(image.values());
    }
    Ok(all)
}

/// The largest difference between a record's images of the first seeds and `want`.
fn compare(file: &'static str, record: &[u8], want: &[f32]) -> Result<f32, ExportError> {
    let record = Buffer::from(record);
    let model = Model::parse(record.bytes()).map_err(|e| ExportError::Record(e.to_string()))?;
    let mut arena = vec![0.0; model.arena_len()];
    let mut largest = 0.0f32;
    for (seed, want) in want.chunks_exact(want.len() / SEEDS).enumerate() {
        let mut cpu = Cpu::new(&model, &mut arena).expect("an arena of the length asked for");
        let image = cpu
            .generate(&Latent::from_seed(seed as u64))
            .expect("a seed makes a latent of any length");
        let off = image.values().iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // NaN differs from everything.
        let off = match image.values().iter().all(|v| v.is_finite()) {
            true => off,
            false => f32::INFINITY,
        };
        if off > TOLERANCE {
            return Err(ExportError::Differs(file, off, seed));
        }
        largest = largest.max(off);
    }
    Ok(largest)
}
