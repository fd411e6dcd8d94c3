//! Exports the trained list of layers as a burn record and ONNX.

use std::fmt;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use models::Sequential;
use models::layer::{Function, Layer};
use rand::RngExt;
use runtime::Input;
use runtime::cpu::Cpu;
use runtime::graph::{self, Facts, Graph, GraphError};
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::onnx::{self, OnnxError};
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::Buffer;

use crate::file::{self, WriteError};
use crate::networks::noise::{self, Stream};

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
    let input = Input::Latent(nz + facts.labels.len());
    Graph { input, layers: layers(generator), facts }
}

/// A generator that makes images from images of the shape `input`, as a `Graph`.
pub fn translator(generator: &Sequential, input: Shape, facts: Facts) -> Graph {
    Graph { input: Input::Picture(input), layers: layers(generator), facts }
}

fn layers(generator: &Sequential) -> Vec<graph::Layer> {
    let mut layers: Vec<graph::Layer> = Vec::new();
    // For each layer of the generator, the name of the one that stands for it.
    let mut names: Vec<String> = Vec::new();
    // A reflected border is a part of the convolution behind it.
    let mut border = 0;
    for (i, layer) in generator.layers.iter().enumerate() {
        let new = |name: &str, op: Op| graph::Layer::new(format!("{name}{i}"), op);
        let bias = |bias: &Option<Param<Tensor<1>>>| bias.as_ref().map(values).unwrap_or_default();
        let made = match layer {
            Layer::Conv(l) => {
                let out = l.weight.dims()[0];
                let op = match border {
                    0 => Op::Conv { out, window: window(&l.weight, l.stride, l.padding) },
                    border => Op::ReflectConv { out, window: window(&l.weight, l.stride, border) },
                };
                border = 0;
                let (weight, bias) = (values(&l.weight), bias(&l.bias));
                Some(graph::Layer { weight, bias, ..new("conv", op) })
            }
            Layer::ConvTranspose(l) => {
                let (out, window) = (l.weight.dims()[1], window(&l.weight, l.stride, l.padding));
                let (weight, bias) = (values(&l.weight), bias(&l.bias));
                let op = Op::ConvTranspose { out, window };
                Some(graph::Layer { weight, bias, ..new("conv_transpose", op) })
            }
            Layer::ResizeConv(l) => {
                let weight = l.transposed_weight();
                let window = Window { kernel: 4, stride: 2, padding: 1 };
                let op = Op::ConvTranspose { out: weight.dims()[1], window };
                let (weight, bias) = (floats(weight), bias(&l.bias));
                Some(graph::Layer { weight, bias, ..new("conv_transpose", op) })
            }
            Layer::BatchNorm(l) => Some(graph::Layer::batch_norm(
                format!("batch_norm{i}"),
                &values(&l.gamma),
                &values(&l.beta),
                &floats(l.running_mean.value_sync()),
                &floats(l.running_var.value_sync()),
                l.epsilon as f32,
            )),
            Layer::InstanceNorm(l) => {
                let weight = l.gamma.as_ref().map_or_else(|| vec![1.0; l.channels], values);
                let op = Op::InstanceNorm { epsilon: l.epsilon };
                Some(graph::Layer { weight, bias: bias(&l.beta), ..new("instance_norm", op) })
            }
            Layer::Activation(l) => Some(graph::Layer {
                activation: match l.function {
                    Function::Relu => Activation::Relu,
                    Function::LeakyRelu(slope) => Activation::LeakyRelu(slope),
                    Function::Tanh => Activation::Tanh,
                    Function::Sigmoid => Activation::Sigmoid,
                },
                ..new("activation", Op::Activate)
            }),
            Layer::Add(l) => {
                let with = Some(names[l.with].clone());
                Some(graph::Layer { with, ..new("add", Op::Add) })
            }
            Layer::Concat(l) => {
                let channels = channels(generator, l.with);
                let with = Some(names[l.with].clone());
                Some(graph::Layer { with, ..new("concat", Op::Concat { channels }) })
            }
            Layer::ReflectPad(l) => {
                border = l.padding;
                None
            }
            // For training only.
            Layer::Dropout(_) => None,
        };
        layers.extend(made);
        names.push(layers.last().map_or_else(|| "input".into(), |layer| layer.name.clone()));
    }
    layers
}

/// Channels of the output of layer `i`, which follows a convolution.
fn channels(net: &Sequential, i: usize) -> usize {
    match &net.layers[i] {
        Layer::Conv(l) => l.weight.dims()[0],
        Layer::ConvTranspose(l) => l.weight.dims()[1],
        Layer::ResizeConv(l) => l.weight.dims()[0],
        Layer::Concat(l) => channels(net, i - 1) + channels(net, l.with),
        Layer::BatchNorm(_)
        | Layer::InstanceNorm(_)
        | Layer::Activation(_)
        | Layer::ReflectPad(_)
        | Layer::Add(_)
        | Layer::Dropout(_) => channels(net, i - 1),
    }
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

/// [`export`] for a generator that makes images from images of the shape `input`; the files are
/// compared with it on [`SEEDS`] made-up pictures.
///
/// # Errors
/// As [`export`].
pub fn export_translator(
    generator: &Sequential,
    input: Shape,
    facts: Facts,
    dir: &Path,
    name: &str,
    device: &Device,
) -> Result<Exported, ExportError> {
    let mut want = Vec::new();
    for i in 0..SEEDS {
        let picture = picture(input, i as u64);
        let planes = (0..input.c).flat_map(|c| picture.iter().skip(c).step_by(input.c));
        let planes: Vec<f32> = planes.map(|&v| f32::from(v) / 127.5 - 1.0).collect();
        let data = TensorData::new(planes, [1, input.c, input.h, input.w]);
        want.extend(floats(generator.forward(Tensor::from_data(data, &device.clone().inner()))));
    }
    files(translator(generator, input, facts), &want, dir, name)
}

/// The pixels of a made-up picture, as [`Cpu::translate`] takes them: squares of random colors.
pub fn picture(shape: Shape, seed: u64) -> Vec<u8> {
    /// Squares along a side.
    const SQUARES: usize = 8;
    let mut rng = noise::rng(seed, Stream::Statistics, 0);
    let colors: Vec<u8> = (0..SQUARES * SQUARES * shape.c).map(|_| rng.random()).collect();
    let square = |x: usize, side: usize| x * SQUARES / side;
    (0..shape.values())
        .map(|at| {
            let (pixel, c) = (at / shape.c, at % shape.c);
            let (x, y) = (square(pixel % shape.w, shape.w), square(pixel / shape.w, shape.h));
            colors[(y * SQUARES + x) * shape.c + c]
        })
        .collect()
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
        let image = match model.input() {
            Input::Latent(_) => cpu
                .generate(&Latent::from_seed(seed as u64))
                .expect("a seed makes a latent of any length"),
            Input::Picture(shape) => cpu
                .translate(&picture(shape, seed as u64))
                .expect("a picture of the model's own shape"),
        };
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
