//! One layer, and a list of them.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Tensor, TensorData, activation};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::conv;
use crate::init::Init;
use crate::kernels::{self, Bend};

/// A list of layers: the one form of every network here.
#[derive(Module, Debug)]
pub struct Sequential {
    /// The layers, first to last.
    pub layers: Vec<Layer>,
}

/// One layer of a [`Sequential`].
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a network has a dozen of them; boxing would hide the fields"
)]
pub enum Layer {
    /// Convolution.
    Conv(Conv),
    /// Transposed convolution.
    ConvTranspose(ConvTranspose),
    /// Twice the size by repeating pixels, then a convolution.
    ResizeConv(ResizeConv),
    /// Batch norm over `[n, h, w]`.
    BatchNorm(BatchNorm),
    /// An element-wise function.
    Activation(Activation),
    /// Leaves values out while training.
    Dropout(Dropout),
}

/// Convolution, weight `[out, in, k, k]`.
#[derive(Module, Debug)]
pub struct Conv {
    /// The kernel.
    pub weight: Param<Tensor<4>>,
    /// One value an output channel.
    pub bias: Option<Param<Tensor<1>>>,
    /// Step in input pixels.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
}

/// Transposed convolution, weight `[in, out, k, k]`.
#[derive(Module, Debug)]
pub struct ConvTranspose {
    /// The kernel.
    pub weight: Param<Tensor<4>>,
    /// One value an output channel.
    pub bias: Option<Param<Tensor<1>>>,
    /// Step in output pixels.
    pub stride: usize,
    /// Rows cut from each side.
    pub padding: usize,
}

/// Nearest-neighbour doubling, then a convolution of kernel 3 and padding 1 (Odena et al. 2016), weight
/// `[out, in, 3, 3]`: the form of upsampling that has no checkerboard. It is computed as the transposed convolution that
/// it equals, see [`ResizeConv::folded`].
#[derive(Module, Debug)]
pub struct ResizeConv {
    /// The kernel.
    pub weight: Param<Tensor<4>>,
    /// One value an output channel.
    pub bias: Option<Param<Tensor<1>>>,
}

/// An element-wise function.
#[derive(Module, Debug)]
pub struct Activation {
    /// Which one.
    #[module(skip)]
    pub function: Function,
}

/// Leaves values out while training (Srivastava et al. 2014, section 4; scaled while training, so that nothing is left
/// to do afterwards).
#[derive(Module, Debug)]
pub struct Dropout {
    /// Share of the values that become 0.
    #[module(skip)]
    pub rate: f32,
}

/// The functions an [`Activation`] can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, else `slope * x`.
    LeakyRelu(f32),
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function, `1 / (1 + exp(-x))`.
    Sigmoid,
}

impl Layer {
    /// A convolution without bias, or with a bias of zeros.
    pub fn conv(from: usize, to: usize, window: [usize; 3], bias: bool, init: &mut Init) -> Layer {
        let [kernel, stride, padding] = window;
        Layer::Conv(Conv {
            weight: init.kernel([to, from, kernel, kernel], from * kernel * kernel),
            bias: bias.then(|| init.zeros([to])),
            stride,
            padding,
        })
    }

    /// A transposed convolution without bias, or with a bias of zeros.
    pub fn conv_transpose(
        from: usize,
        to: usize,
        window: [usize; 3],
        bias: bool,
        init: &mut Init,
    ) -> Layer {
        let [kernel, stride, padding] = window;
        Layer::ConvTranspose(ConvTranspose {
            weight: init.kernel(
                [from, to, kernel, kernel],
                // From a single pixel every output meets one tap; from a map, as many as lie a stride apart.
                from * (kernel / stride).pow(2).min(if stride == 1 { 1 } else { usize::MAX }),
            ),
            bias: bias.then(|| init.zeros([to])),
            stride,
            padding,
        })
    }

    /// A doubling and a convolution of kernel 3, without bias or with a bias of zeros.
    pub fn resize_conv(from: usize, to: usize, bias: bool, init: &mut Init) -> Layer {
        Layer::ResizeConv(ResizeConv {
            weight: init.kernel([to, from, 3, 3], from * 9),
            bias: bias.then(|| init.zeros([to])),
        })
    }

    /// A batch norm with scale N(1, 0.02), shift 0, momentum 0.1 and epsilon 1e-5.
    pub fn batch_norm(channels: usize, init: &mut Init) -> Layer {
        let mut norm = BatchNormConfig::new(channels).init(init.device());
        norm.gamma = init.normal([channels], 1.0);
        Layer::BatchNorm(norm)
    }

    /// An activation.
    pub fn activation(function: Function) -> Layer {
        Layer::Activation(Activation { function })
    }

    /// A dropout of `rate`, in [0, 1).
    pub fn dropout(rate: f32) -> Layer {
        Layer::Dropout(Dropout { rate })
    }

    /// `x` of `[n, c, h, w]` through this layer; a dropout lets everything pass.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Layer::Conv(_) | Layer::ConvTranspose(_) | Layer::ResizeConv(_) => {
                self.linear(x, self.bias())
            }
            Layer::BatchNorm(norm) => normalise(norm, None, x),
            Layer::Activation(l) => l.forward(x),
            Layer::Dropout(_) => x,
        }
    }

    /// The bias of a layer that has one.
    fn bias(&self) -> Option<Tensor<1>> {
        let bias = match self {
            Layer::Conv(l) => &l.bias,
            Layer::ConvTranspose(l) => &l.bias,
            Layer::ResizeConv(l) => &l.bias,
            Layer::BatchNorm(_) | Layer::Activation(_) | Layer::Dropout(_) => &None,
        };
        bias.as_ref().map(Param::val)
    }

    /// `x` through a convolution, plus `bias`; other layers leave it as it is.
    fn linear(&self, x: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        match self {
            Layer::Conv(l) => conv::conv2d(x, l.weight.val(), bias, l.stride, l.padding),
            Layer::ConvTranspose(l) => {
                conv::conv_transpose2d(x, l.weight.val(), bias, l.stride, l.padding)
            }
            Layer::ResizeConv(l) => conv::conv_transpose2d(x, l.folded(), bias, 2, 1),
            Layer::BatchNorm(_) | Layer::Activation(_) | Layer::Dropout(_) => x,
        }
    }

    /// `x` through a convolution with a bias and the function that follows it, which are one kernel, where there is one.
    pub(crate) fn bent(&self, then: Option<&&Layer>, x: &Tensor<4>) -> Option<Tensor<4>> {
        let Some(Layer::Activation(then)) = then else {
            return None;
        };
        let (bias, bend) = self.bias().zip(then.function.bend())?;
        let takes = kernels::takes(x);
        takes.then(|| kernels::bend_biased(self.linear(x.clone(), None), bias, bend))
    }
}

impl ResizeConv {
    /// The weight `[in, out, 4, 4]` of the transposed convolution of stride 2 and padding 1 that computes the same,
    /// borders included. Along each axis the taps `(a, b, c)` become `(c, b + c, a + b, a)`: a doubled pixel is met by two
    /// neighbouring taps at once.
    pub fn folded(&self) -> Tensor<4> {
        kernels::fold(self.weight.val())
    }
}

impl Function {
    /// What it is among the CPU's own kernels, where it is one of them.
    pub fn bend(self) -> Option<Bend> {
        match self {
            Function::Relu => Some(Bend::Leaky(0.0)),
            Function::LeakyRelu(slope) => Some(Bend::Leaky(slope)),
            Function::Tanh => Some(Bend::Tanh),
            Function::Sigmoid => None,
        }
    }
}

impl Activation {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self.function.bend() {
            Some(bend) if kernels::takes(&x) => return kernels::bend(x, bend),
            Some(_) | None => {}
        }
        match self.function {
            Function::Relu => activation::relu(x),
            Function::LeakyRelu(slope) => activation::leaky_relu(x, slope as f64),
            Function::Tanh => activation::tanh(x),
            Function::Sigmoid => activation::sigmoid(x),
        }
    }

    /// The slope of a rectifier.
    pub(crate) fn slope(&self) -> Option<f32> {
        match self.function {
            Function::Relu => Some(0.0),
            Function::LeakyRelu(slope) => Some(slope),
            Function::Tanh | Function::Sigmoid => None,
        }
    }
}

impl Dropout {
    /// `x` with some of its values 0 and the others larger by as much as that takes away on average.
    fn thin(&self, x: Tensor<4>, rng: &mut StdRng) -> Tensor<4> {
        let shape = x.dims();
        let keep = 1.0 / (1.0 - self.rate);
        let mask: Vec<f32> = (0..shape.iter().product())
            .map(|_| match rng.random::<f32>() < self.rate {
                true => 0.0,
                false => keep,
            })
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, shape), &x.device());
        x * mask
    }
}

/// Batch norm, with the activation that follows it where that is a rectifier: both are one pass over a CPU's memory.
fn normalise(norm: &BatchNorm, then: Option<&Activation>, x: Tensor<4>) -> Tensor<4> {
    let slope = match then {
        Some(then) => then.slope(),
        None => Some(1.0),
    };
    let (training, learning) = (norm.training.is_enabled(), x.device().is_autodiff());
    let (true, Some(slope), true) = (kernels::takes(&x), slope, training || !learning) else {
        let y = norm.forward(x);
        return then.map(|l| l.forward(y.clone())).unwrap_or(y);
    };
    let affine = [norm.gamma.val(), norm.beta.val()];
    let epsilon = norm.epsilon as f32;
    if !(training && learning) {
        let statistics = vec![norm.running_mean.value(), norm.running_var.value()];
        let statistics = Tensor::cat(statistics, 0);
        return kernels::norm(x, statistics, affine, epsilon, slope);
    }
    let running = [&norm.running_mean, &norm.running_var];
    let old = running.map(|running| running.value_sync().to_device(&x.device()));
    let (statistics, new) = kernels::statistics(x.clone(), old, norm.momentum);
    for (running, new) in running.into_iter().zip(new) {
        running.update(new.detach());
    }
    kernels::norm(x, statistics, affine, epsilon, slope)
}

fn pass(layers: &[Layer], x: Tensor<4>, mut rng: Option<&mut StdRng>) -> Tensor<4> {
    let mut layers = layers.iter().peekable();
    let mut x = x;
    while let Some(layer) = layers.next() {
        if let Some(y) = layer.bent(layers.peek(), &x) {
            layers.next();
            x = y;
            continue;
        }
        x = match (layer, layers.peek()) {
            (Layer::BatchNorm(norm), Some(Layer::Activation(then))) => {
                layers.next();
                normalise(norm, Some(then), x)
            }
            (Layer::Dropout(dropout), _) => match rng.as_deref_mut() {
                Some(rng) => dropout.thin(x, rng),
                None => x,
            },
            _ => layer.forward(x),
        };
    }
    x
}

impl Sequential {
    /// `x` of `[n, c, h, w]` through every layer in turn. A latent is `[n, nz, 1, 1]`.
    ///
    /// On an autodiff device batch norm uses the batch's statistics and updates its running ones; otherwise it
    /// uses the running ones.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        pass(&self.layers, x, None)
    }

    /// [`Sequential::forward`] up to the last layer, which is left out: the logits of a network that ends in a logistic
    /// function, of which losses want the numbers before it is applied.
    pub fn before_last(&self, x: Tensor<4>) -> Tensor<4> {
        pass(&self.layers[..self.layers.len().saturating_sub(1)], x, None)
    }

    /// [`Sequential::forward`] in which every dropout draws from `rng` what it leaves out: the numbers are a run's
    /// own, not a backend's, so that a run that goes on draws what it would have drawn.
    pub fn forward_with(&self, x: Tensor<4>, rng: &mut StdRng) -> Tensor<4> {
        pass(&self.layers, x, Some(rng))
    }

    /// Recomputes the running statistics of every batch norm as the plain mean over `batches` (each
    /// `[n, c, h, w]`), for weights that were averaged rather than trained: statistics that were gathered under
    /// other weights do not fit them (Mescheder et al. 2018, code; Brock et al. 2019, "standing statistics").
    ///
    /// Returns the network with the new statistics; it has to be on an autodiff device.
    pub fn restandardise(mut self, batches: impl IntoIterator<Item = Tensor<4>>) -> Sequential {
        let momenta: Vec<f64> = self.norms_mut().map(|n| n.momentum).collect();
        for (i, batch) in batches.into_iter().enumerate() {
            // A momentum of 1, 1/2, 1/3, ... makes the running value the mean of all batches so far.
            self.norms_mut().for_each(|n| n.momentum = 1.0 / (i + 1) as f64);
            self.forward(batch);
        }
        self.settle();
        self.norms_mut().zip(momenta).for_each(|(n, momentum)| n.momentum = momentum);
        self
    }

    /// Numbers of the largest map that an input of `[channels, side, side]` becomes on its way through, itself included.
    pub fn largest_map(&self, [mut channels, mut side]: [usize; 2]) -> usize {
        let mut largest = channels * side * side;
        for layer in &self.layers {
            (channels, side) = match layer {
                Layer::Conv(l) => {
                    let [to, _, kernel, _] = l.weight.dims();
                    (to, (side + 2 * l.padding - kernel) / l.stride + 1)
                }
                Layer::ConvTranspose(l) => {
                    let [_, to, kernel, _] = l.weight.dims();
                    (to, (side - 1) * l.stride + kernel - 2 * l.padding)
                }
                Layer::ResizeConv(l) => (l.weight.dims()[0], 2 * side),
                Layer::BatchNorm(_) | Layer::Activation(_) | Layer::Dropout(_) => continue,
            };
            largest = largest.max(channels * side * side);
        }
        largest
    }

    /// Brings the running statistics of every batch norm up to date. burn keeps the last update of a running
    /// state aside until the next forward pass, and neither records nor clones contain it.
    pub fn settle(&self) {
        for layer in &self.layers {
            match layer {
                Layer::BatchNorm(n) => {
                    n.running_mean.value_sync();
                    n.running_var.value_sync();
                }
                Layer::Conv(_)
                | Layer::ConvTranspose(_)
                | Layer::ResizeConv(_)
                | Layer::Activation(_)
                | Layer::Dropout(_) => {}
            }
        }
    }

    fn norms_mut(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        self.layers.iter_mut().filter_map(|l| match l {
            Layer::BatchNorm(n) => Some(n),
            Layer::Conv(_)
            | Layer::ConvTranspose(_)
            | Layer::ResizeConv(_)
            | Layer::Activation(_)
            | Layer::Dropout(_) => None,
        })
    }
}
