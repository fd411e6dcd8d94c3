//! A model on a GPU, through burn on Vulkan: the same layers, the same weights, pictures within 1/255 of the CPU's.
//!
//! Weights are uploaded once, kernels compiled by a first face in the constructor. [`Fallback`] goes on on the CPU where a
//! GPU is lost on the way.

use std::boxed::Box;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, FloatDType, Tensor, TensorData, activation, module};

use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::image::Image;
use crate::latent::{Latent, LatentLength};
use crate::model::{Layer, Model, Precision};
use crate::op::{Activation, Op, Shape, Window};

mod adapter;

pub use adapter::{Adapter, Kind, adapters};

/// Why a model does not run on a GPU.
#[derive(Debug)]
pub enum GpuError {
    /// The record is of a precision that only the CPU runs.
    Precision(Precision),
    /// A tensor of so many bytes, and the most that the adapter takes at once.
    TooLarge(u64, u64),
    /// No 16-bit floats there.
    NoHalf(String),
    /// The driver refused or failed: what it said.
    Driver(String),
    /// A latent of another length.
    Latent(LatentLength),
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GpuError::Precision(precision) => write!(
                f,
                "a GPU runs f32 records and ONNX models, not {} records: give the model that it was made of, or \
                 --device cpu",
                precision.name()
            ),
            GpuError::TooLarge(need, most) => write!(
                f,
                "the model wants a buffer of {need} bytes, the adapter takes at most {most}: --device cpu"
            ),
            GpuError::NoHalf(name) => write!(f, "{name} has no 16-bit floats"),
            GpuError::Driver(what) => write!(f, "the GPU failed: {what}"),
            GpuError::Latent(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for GpuError {}

/// A model on a GPU.
pub struct Gpu {
    device: Device,
    layers: Vec<Uploaded>,
    latent: usize,
    classes: usize,
    output: Shape,
    range: (f32, f32),
    half: bool,
    /// Faces that the adapter takes at once.
    most: usize,
    /// The faces of the last call.
    values: Vec<f32>,
}

/// A layer whose weights are on the device.
struct Uploaded {
    op: Op,
    activation: Activation,
    input: Shape,
    output: Shape,
    weight: Option<Tensor<4>>,
    bias: Option<Tensor<1>>,
}

impl Gpu {
    /// Uploads a model's weights to an adapter and makes a first face, which compiles what the others run. `half` computes in
    /// 16-bit floats.
    ///
    /// # Errors
    /// [`GpuError`]; never a panic of a driver.
    pub fn new(model: &Model<'_>, adapter: &Adapter, half: bool) -> Result<Gpu, GpuError> {
        match model.precision() {
            Precision::F32 => {}
            other => return Err(GpuError::Precision(other)),
        }
        if half && !adapter.half {
            return Err(GpuError::NoHalf(adapter.name.clone()));
        }
        let largest = |of: fn(&Layer<'_>) -> usize| {
            let each = model.layers().iter().map(of);
            each.max().unwrap_or(0).max(1) as u64 * size_of::<f32>() as u64
        };
        let (weights, face) = (largest(|l| l.weight.len()), largest(values));
        let limit = adapter.largest_buffer;
        if weights.max(face) > limit {
            return Err(GpuError::TooLarge(weights.max(face), limit));
        }
        guarded(|| {
            let device = adapter.open().map_err(GpuError::Driver)?;
            let float = match half {
                true => FloatDType::F16,
                false => FloatDType::F32,
            };
            let layers = model.layers().iter();
            let mut gpu = Gpu {
                layers: layers.map(|l| upload(l, float, &device)).collect(),
                device,
                latent: model.latent(),
                classes: model.classes(),
                output: model.output(),
                range: model.range(),
                half,
                most: (limit / face).min(1 << 16) as usize,
                values: Vec::new(),
            };
            gpu.run(&[Latent::from_seed(0)])?;
            Ok(gpu)
        })
    }

    /// Makes a face of each latent, as many at once as the adapter takes. They are read with [`Gpu::image`], until the next
    /// call.
    ///
    /// # Errors
    /// [`GpuError::Latent`], or [`GpuError::Driver`] where the device is lost.
    pub fn generate_all(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        self.values.clear();
        guarded(AssertUnwindSafe(|| {
            let mut parts = latents.chunks(self.most);
            parts.try_for_each(|part| self.run(part))
        }))
    }

    /// Face `i` of the last call.
    ///
    /// # Panics
    /// Where there were fewer.
    pub fn image(&self, i: usize) -> Image<'_> {
        let n = self.output.values();
        Image::new(&self.values[i * n..(i + 1) * n], self.output, self.range)
    }

    /// Adds a face of each latent to those that are there.
    fn run(&mut self, latents: &[Latent<'_>]) -> Result<(), GpuError> {
        let n = latents.len();
        let mut z = vec![0.0; n * self.latent];
        for (z, latent) in z.chunks_exact_mut(self.latent).zip(latents) {
            latent.fill_for(z, self.classes).map_err(GpuError::Latent)?;
        }
        let data = TensorData::new(z, [n, self.latent, 1, 1]);
        let mut x: Tensor<4> = Tensor::from_data(data, &self.device);
        if self.half {
            x = x.cast(FloatDType::F16);
        }
        for layer in &self.layers {
            x = layer.forward(x, n);
        }
        // Reading waits for everything before it.
        let data = x.cast(FloatDType::F32).try_into_data();
        let data = data.map_err(|e| GpuError::Driver(e.to_string()))?;
        let values = data.try_into_vec::<f32>();
        let values = values.map_err(|e| GpuError::Driver(std::format!("{e:?}")))?;
        match self.values.is_empty() {
            true => self.values = values,
            false => self.values.extend(values),
        }
        Ok(())
    }
}

/// Drivers and what is above them panic where there is nothing else left to them: what they say becomes an error, and is
/// not printed.
fn guarded<T>(
    work: impl FnOnce() -> Result<T, GpuError> + panic::UnwindSafe,
) -> Result<T, GpuError> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let result = panic::catch_unwind(work);
    panic::set_hook(hook);
    result.unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("no reason given");
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Err(GpuError::Driver(line))
    })
}

/// Values of the largest tensor of one face that a layer makes on its way.
fn values(layer: &Layer<'_>) -> usize {
    let Shape { c, h, w } = layer.output;
    match layer.op {
        Op::ConvTranspose { window, .. } if doubles(window) => 4 * c * (h / 2 + 1) * (w / 2 + 1),
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ConvTranspose { .. }
        | Op::Affine
        | Op::Resize { .. }
        | Op::Reshape { .. }
        | Op::Activate => layer.output.values(),
    }
}

fn upload(layer: &Layer<'_>, float: FloatDType, device: &Device) -> Uploaded {
    let sides = layer.op.weight(layer.input);
    let weight = sides.map(|sides| {
        let data = TensorData::new(layer.weight.to_vec(), sides);
        let weight: Tensor<4> = Tensor::from_data(data, device);
        let weight = match layer.op {
            Op::ConvTranspose { window, .. } if doubles(window) => phases(weight),
            _ => weight,
        };
        weight.cast(float)
    });
    let bias = (!layer.bias.is_empty()).then(|| {
        let data = TensorData::new(layer.bias.to_vec(), [layer.bias.len()]);
        let bias: Tensor<1> = Tensor::from_data(data, device);
        let bias = match layer.op {
            Op::ConvTranspose { window, .. } if doubles(window) => bias.repeat(&[4]),
            _ => bias,
        };
        bias.cast(float)
    });
    Uploaded {
        op: layer.op,
        activation: layer.activation,
        input: layer.input,
        output: layer.output,
        weight,
        bias,
    }
}

/// Whether a transposed convolution is the family's, which doubles a map.
fn doubles(window: Window) -> bool {
    let Window {
        kernel,
        stride,
        padding,
    } = window;
    (kernel, stride, padding) == (4, 2, 1)
}

/// The kernel `[in, out, 4, 4]` as that of a convolution of kernel 2 to four times the channels, one part for each of the
/// four kinds of pixels of the output: GPUs have fast kernels for convolutions.
fn phases(weight: Tensor<4>) -> Tensor<4> {
    let [from, to, _, _] = weight.dims();
    // Backwards along both axes, tap 2a + p meets pixels of parity p at offset a.
    weight
        .flip([2, 3])
        .reshape([from, to, 2, 2, 2, 2])
        .permute([3, 5, 1, 0, 2, 4])
        .reshape([4 * to, from, 2, 2])
}

impl Uploaded {
    fn forward(&self, x: Tensor<4>, n: usize) -> Tensor<4> {
        let Shape { c, h, w } = self.output;
        let weight = || self.weight.clone().expect("the layer has a weight");
        let bias = || self.bias.clone();
        let plane = |b: Tensor<1>| {
            let channels = b.dims()[0];
            b.reshape([1, channels, 1, 1])
        };
        let y = match self.op {
            Op::Dense { out } => {
                let from = self.input.values();
                let x: Tensor<2> = x.reshape([n, from]);
                let y = x.matmul(weight().reshape([out, from]).transpose());
                let y: Tensor<4> = y.reshape([n, out, 1, 1]);
                match bias() {
                    Some(bias) => y + plane(bias),
                    None => y,
                }
            }
            Op::Conv { window, .. } => convolution(x, weight(), bias(), window),
            Op::ConvTranspose { window, .. } if doubles(window) => {
                let window = Window {
                    kernel: 2,
                    stride: 1,
                    padding: 1,
                };
                let z = convolution(x, weight(), bias(), window);
                interleaved(z, [n, c, h / 2, w / 2])
            }
            Op::ConvTranspose { window, .. } => {
                let options = burn::tensor::ops::ConvTransposeOptions::new(
                    [window.stride; 2],
                    [window.padding; 2],
                    [0, 0],
                    [1, 1],
                    1,
                );
                module::conv_transpose2d(x, weight(), bias(), options)
            }
            Op::Affine => {
                let scaled = x * weight().reshape([1, c, 1, 1]);
                match bias() {
                    Some(bias) => scaled + plane(bias),
                    None => scaled,
                }
            }
            Op::Resize { factor } => {
                let Shape { c, h, w } = self.input;
                x.reshape([n, c, h, 1, w, 1])
                    .expand([n, c, h, factor, w, factor])
                    .reshape([n, c, h * factor, w * factor])
            }
            Op::Reshape { .. } => x.reshape([n, c, h, w]),
            Op::Activate => x,
        };
        match self.activation {
            Activation::None => y,
            Activation::Relu => activation::relu(y),
            Activation::LeakyRelu(slope) => activation::leaky_relu(y, f64::from(slope)),
            Activation::Tanh => activation::tanh(y),
            Activation::Sigmoid => activation::sigmoid(y),
        }
    }
}

fn convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: Window,
) -> Tensor<4> {
    let Window {
        stride, padding, ..
    } = window;
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    module::conv2d(x, weight, bias, options)
}

/// The four parts of `[n, 4 c, h + 1, w + 1]` as one map of `[n, c, 2 h, 2 w]`.
fn interleaved(z: Tensor<4>, [n, c, h, w]: [usize; 4]) -> Tensor<4> {
    let part = |p: usize, q: usize| {
        let first = (2 * p + q) * c;
        z.clone()
            .slice([0..n, first..first + c, p..p + h, q..q + w])
    };
    let parts = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(p, q)| part(p, q));
    Tensor::stack::<5>(parts.to_vec(), 2)
        .reshape([n, c, 2, 2, h, w])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([n, c, 2 * h, 2 * w])
}

/// A GPU, and the CPU once it is lost.
pub struct Fallback<'a> {
    gpu: Option<Gpu>,
    cpu: Cpu<'a>,
    tell: fn(&GpuError),
}

impl<'a> Fallback<'a> {
    /// `tell` is called once, where the GPU is lost.
    pub fn new(gpu: Gpu, cpu: Cpu<'a>, tell: fn(&GpuError)) -> Fallback<'a> {
        Fallback {
            gpu: Some(gpu),
            cpu,
            tell,
        }
    }

    /// Whether faces are still made by the GPU.
    pub fn on_gpu(&self) -> bool {
        self.gpu.is_some()
    }
}

impl Backend for Fallback<'_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        let made = self.gpu.as_mut().map(|gpu| gpu.generate_all(&[*latent]));
        match made {
            Some(Ok(())) => {}
            Some(Err(GpuError::Latent(error))) => return Err(error),
            Some(Err(error)) => {
                (self.tell)(&error);
                self.gpu = None;
            }
            None => {}
        }
        match &self.gpu {
            Some(gpu) => Ok(gpu.image(0)),
            None => self.cpu.generate(latent),
        }
    }
}
