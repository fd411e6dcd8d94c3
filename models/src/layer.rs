//! A layer, and the list of layers that every network is.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Int, Tensor, TensorData, activation};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::conv;
use crate::init::Init;
use crate::kernels;
pub use loops::Function;

/// A network as a list of layers: its forward pass is a fold. A layer may also read the output of
/// an earlier one.
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
    /// Nearest-neighbor doubling, then a convolution.
    ResizeConv(ResizeConv),
    /// Batch norm over the axes `[n, h, w]`.
    BatchNorm(BatchNorm),
    /// An element-wise function.
    Activation(Activation),
    /// Zeroes values while training.
    Dropout(Dropout),
    /// Instance norm over the axes `[h, w]`.
    InstanceNorm(InstanceNorm),
    /// Reflected borders.
    ReflectPad(ReflectPad),
    /// The sum with the output of an earlier layer.
    Add(Join),
    /// The channels of the layer before, then those of an earlier one.
    Concat(Join),
}

/// Convolution, weight `[out, in, k, k]`.
#[derive(Module, Debug)]
pub struct Conv {
    /// The kernels.
    pub weight: Param<Tensor<4>>,
    /// One value per output channel.
    pub bias: Option<Param<Tensor<1>>>,
    /// Input pixels from one output to the next.
    pub stride: usize,
    /// Rows and columns of zeros on each side of the input.
    pub padding: usize,
}

/// Transposed convolution, weight `[in, out, k, k]`.
#[derive(Module, Debug)]
pub struct ConvTranspose {
    /// The kernels.
    pub weight: Param<Tensor<4>>,
    /// One value per output channel.
    pub bias: Option<Param<Tensor<1>>>,
    /// Output pixels from one input to the next.
    pub stride: usize,
    /// Rows and columns cut from each side of the output.
    pub padding: usize,
}

/// Nearest-neighbor doubling, then a convolution of kernel 3 and padding 1, weight
/// `[out, in, 3, 3]`: upsampling without checkerboard artifacts (Odena et al. 2016). Computed as
/// the transposed convolution that it equals, see [`ResizeConv::transposed_weight`].
#[derive(Module, Debug)]
pub struct ResizeConv {
    /// The kernels.
    pub weight: Param<Tensor<4>>,
    /// One value per output channel.
    pub bias: Option<Param<Tensor<1>>>,
}

/// An element-wise function.
#[derive(Module, Debug)]
pub struct Activation {
    /// Which one.
    #[module(skip)]
    pub function: Function,
}

/// Zeroes values at random while training and scales up the others, so that inference needs no
/// correction (Srivastava et al. 2014, section 4, scaled while training).
#[derive(Module, Debug)]
pub struct Dropout {
    /// Share of the values that become 0, in [0, 1).
    #[module(skip)]
    pub rate: f32,
}

/// Each channel of each image without its own mean and variance (Ulyanov et al. 2016, eq. 4): what
/// batch norm is with a batch of one image.
#[derive(Module, Debug)]
pub struct InstanceNorm {
    /// Scale of each channel; none: 1.
    pub gamma: Option<Param<Tensor<1>>>,
    /// Shift of each channel; none: 0.
    pub beta: Option<Param<Tensor<1>>>,
    /// Number of channels.
    pub channels: usize,
    /// Added to the variance.
    #[module(skip)]
    pub epsilon: f32,
}

/// Rows and columns on each side of the input that mirror those inside, without the outermost.
#[derive(Module, Debug)]
pub struct ReflectPad {
    /// Number on each side, less than the sides of the input.
    pub padding: usize,
}

/// The second input of a layer that has two; the first is the output of the layer before.
#[derive(Module, Debug)]
pub struct Join {
    /// Index of an earlier layer.
    pub with: usize,
}

impl Layer {
    /// A convolution of this kernel, stride and padding, with a bias of zeros or none.
    pub fn conv(
        from: usize,
        to: usize,
        [kernel, stride, padding]: [usize; 3],
        bias: bool,
        init: &mut Init,
    ) -> Layer {
        Layer::Conv(Conv {
            weight: init.kernel([to, from, kernel, kernel], from * kernel * kernel),
            bias: bias.then(|| init.zeros([to])),
            stride,
            padding,
        })
    }

    /// A transposed convolution of this kernel, stride and padding, with a bias of zeros or
    /// none.
    pub fn conv_transpose(
        from: usize,
        to: usize,
        [kernel, stride, padding]: [usize; 3],
        bias: bool,
        init: &mut Init,
    ) -> Layer {
        Layer::ConvTranspose(ConvTranspose {
            weight: init.kernel(
                [from, to, kernel, kernel],
                // From a single pixel every output reads one tap; from a map, those a stride apart.
                from * (kernel / stride).pow(2).min(if stride == 1 { 1 } else { usize::MAX }),
            ),
            bias: bias.then(|| init.zeros([to])),
            stride,
            padding,
        })
    }

    /// A nearest-neighbor doubling and a convolution of kernel 3, with a bias of zeros or none.
    pub fn resize_conv(from: usize, to: usize, bias: bool, init: &mut Init) -> Layer {
        Layer::ResizeConv(ResizeConv {
            weight: init.kernel([to, from, 3, 3], from * 9),
            bias: bias.then(|| init.zeros([to])),
        })
    }

    /// A batch norm with scales from N(1, 0.02), shifts 0, momentum 0.1 and epsilon 1e-5.
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

    /// An instance norm of epsilon 1e-5: with scales from N(1, 0.02) and shifts 0, or without both.
    pub fn instance_norm(channels: usize, affine: bool, init: &mut Init) -> Layer {
        Layer::InstanceNorm(InstanceNorm {
            gamma: affine.then(|| init.normal([channels], 1.0)),
            beta: affine.then(|| init.zeros([channels])),
            channels,
            epsilon: 1e-5,
        })
    }

    /// Borders of `padding` reflected rows and columns.
    pub fn reflect_pad(padding: usize) -> Layer {
        Layer::ReflectPad(ReflectPad { padding })
    }

    /// Maps `x` `[n, c, h, w]`, without dropout. `earlier` returns the output of an earlier layer.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        earlier: impl FnOnce(usize) -> Tensor<4>,
    ) -> Tensor<4> {
        match self {
            Layer::Conv(_) | Layer::ConvTranspose(_) | Layer::ResizeConv(_) => {
                self.linear(x, self.bias())
            }
            Layer::BatchNorm(norm) => normalize(norm, None, x),
            Layer::InstanceNorm(norm) => norm.forward(None, x),
            Layer::Activation(l) => l.forward(x),
            Layer::ReflectPad(l) => l.forward(x),
            Layer::Add(l) => x + earlier(l.with),
            Layer::Concat(l) => concat(x, earlier(l.with)),
            Layer::Dropout(_) => x,
        }
    }

    /// The earlier layer that it joins with the one before.
    pub fn joined(&self) -> Option<usize> {
        match self {
            Layer::Add(l) | Layer::Concat(l) => Some(l.with),
            Layer::Conv(_)
            | Layer::ConvTranspose(_)
            | Layer::ResizeConv(_)
            | Layer::BatchNorm(_)
            | Layer::InstanceNorm(_)
            | Layer::Activation(_)
            | Layer::ReflectPad(_)
            | Layer::Dropout(_) => None,
        }
    }

    fn bias(&self) -> Option<Tensor<1>> {
        let bias = match self {
            Layer::Conv(l) => &l.bias,
            Layer::ConvTranspose(l) => &l.bias,
            Layer::ResizeConv(l) => &l.bias,
            Layer::BatchNorm(_)
            | Layer::InstanceNorm(_)
            | Layer::Activation(_)
            | Layer::ReflectPad(_)
            | Layer::Add(_)
            | Layer::Concat(_)
            | Layer::Dropout(_) => &None,
        };
        bias.as_ref().map(Param::val)
    }

    /// `x` through a convolution, plus `bias`; other layers return it unchanged.
    fn linear(&self, x: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        match self {
            Layer::Conv(l) => conv::conv2d(x, l.weight.val(), bias, l.stride, l.padding),
            Layer::ConvTranspose(l) => {
                conv::conv_transpose2d(x, l.weight.val(), bias, l.stride, l.padding)
            }
            Layer::ResizeConv(l) => conv::conv_transpose2d(x, l.transposed_weight(), bias, 2, 1),
            Layer::BatchNorm(_)
            | Layer::InstanceNorm(_)
            | Layer::Activation(_)
            | Layer::ReflectPad(_)
            | Layer::Add(_)
            | Layer::Concat(_)
            | Layer::Dropout(_) => x,
        }
    }

    /// `x` through this convolution and the activation `then`, whose bias and function are one
    /// kernel.
    ///
    /// `None` if this layer has no bias, no activation follows, or the kernels do not take `x`.
    pub(crate) fn with_activation(&self, then: Option<&Layer>, x: &Tensor<4>) -> Option<Tensor<4>> {
        let Some(Layer::Activation(then)) = then else {
            return None;
        };
        let bias = self.bias()?;
        kernels::supports(x)
            .then(|| kernels::bias_activation(self.linear(x.clone(), None), bias, then.function))
    }
}

impl ResizeConv {
    /// The weight `[in, out, 4, 4]` of the transposed convolution of stride 2 and padding 1 that
    /// computes the same, borders included. Along each axis the taps `(a, b, c)` become
    /// `(c, b + c, a + b, a)`: two neighboring taps read the same pixel of the doubled image.
    pub fn transposed_weight(&self) -> Tensor<4> {
        kernels::resize_weight(self.weight.val())
    }
}

impl Activation {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if kernels::supports(&x) {
            return kernels::activation(x, self.function);
        }
        match self.function {
            Function::Relu => activation::relu(x),
            Function::LeakyRelu(slope) => activation::leaky_relu(x, slope as f64),
            Function::Tanh => activation::tanh(x),
            Function::Sigmoid => activation::sigmoid(x),
        }
    }
}

impl Dropout {
    /// `x` with some values zeroed and the others scaled up, so that the mean stays.
    fn apply(&self, x: Tensor<4>, rng: &mut StdRng) -> Tensor<4> {
        let shape = x.dims();
        let keep = 1.0 / (1.0 - self.rate);
        let mask: Vec<f32> = (0..shape.iter().product())
            .map(|_| match rng.random::<f32>() < self.rate {
                true => 0.0,
                false => keep,
            })
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, shape), &x.device());
        match kernels::on_cpu(&x) {
            true => kernels::masked(x, mask),
            false => x * mask,
        }
    }
}

/// Batch norm and the activation that follows it: in one pass over memory if that is a rectifier.
fn normalize(norm: &BatchNorm, then: Option<&Activation>, x: Tensor<4>) -> Tensor<4> {
    let slope = match then {
        Some(then) => then.function.slope(),
        None => Some(1.0),
    };
    let (training, learning) = (norm.training.is_enabled(), x.device().is_autodiff());
    let (true, Some(slope), true) = (kernels::supports(&x), slope, training || !learning) else {
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

impl InstanceNorm {
    /// Instance norm and the activation that follows it: one kernel if that is a rectifier.
    fn forward(&self, then: Option<&Activation>, x: Tensor<4>) -> Tensor<4> {
        let constant = |value: f32| Tensor::full([self.channels], value, &x.device());
        let gamma = self.gamma.as_ref().map_or_else(|| constant(1.0), Param::val);
        let beta = self.beta.as_ref().map_or_else(|| constant(0.0), Param::val);
        let slope = match then {
            Some(then) => then.function.slope(),
            None => Some(1.0),
        };
        if let (Some(slope), true) = (slope, kernels::on_cpu(&x)) {
            return kernels::instance_norm(x, [gamma, beta], self.epsilon, slope);
        }
        let shape = [1, self.channels, 1, 1];
        let off = x.clone() - x.mean_dim(3).mean_dim(2);
        let variance = (off.clone() * off.clone()).mean_dim(3).mean_dim(2);
        let y = off / (variance + self.epsilon).sqrt() * gamma.reshape(shape) + beta.reshape(shape);
        match then {
            Some(then) => then.forward(y),
            None => y,
        }
    }
}

impl ReflectPad {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if kernels::on_cpu(&x) {
            return kernels::reflect_pad(x, self.padding);
        }
        let [_, _, h, w] = x.dims();
        let device = x.device();
        let reflected = |side: usize| {
            let (padding, last) = (self.padding as i64, side as i64 - 1);
            let at = (-padding..=last + padding).map(|i| last - (last - i.abs()).abs());
            let at: Vec<i64> = at.collect();
            Tensor::<1, Int>::from_data(TensorData::new(at.clone(), [at.len()]), &device)
        };
        x.select(2, reflected(h)).select(3, reflected(w))
    }
}

/// The channels of `a` `[n, c, h, w]`, then those of `b` `[n, d, h, w]`: `[n, c + d, h, w]`.
pub fn concat(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    match kernels::on_cpu(&a) && kernels::on_cpu(&b) {
        true => kernels::concat(a, b),
        false => Tensor::cat(vec![a, b], 1),
    }
}

/// For each layer, the last one that joins its output with that of the layer before.
fn last_joins(layers: &[Layer]) -> Vec<Option<usize>> {
    let mut last = vec![None; layers.len()];
    for (i, with) in layers.iter().enumerate().filter_map(|(i, l)| Some((i, l.joined()?))) {
        last[with] = Some(i);
    }
    last
}

fn pass(layers: &[Layer], x: Tensor<4>, mut rng: Option<&mut StdRng>) -> Tensor<4> {
    let last = last_joins(layers);
    // Outputs that a later layer needs, until it has them.
    let mut kept: Vec<Option<Tensor<4>>> = vec![None; layers.len()];
    let (mut x, mut i) = (x, 0);
    while let Some(layer) = layers.get(i) {
        // What lies between two layers that are one kernel exists nowhere.
        let then = layers.get(i + 1).filter(|_| last[i].is_none());
        let mut done = 2;
        x = match (layer, then) {
            (Layer::BatchNorm(norm), Some(Layer::Activation(then))) => {
                normalize(norm, Some(then), x)
            }
            (Layer::InstanceNorm(norm), Some(Layer::Activation(then))) => {
                norm.forward(Some(then), x)
            }
            _ => match layer.with_activation(then, &x) {
                Some(y) => y,
                None => {
                    done = 1;
                    match (layer, rng.as_deref_mut()) {
                        (Layer::Dropout(dropout), Some(rng)) => dropout.apply(x, rng),
                        _ => layer.forward(x, |with| {
                            let output = match last[with] == Some(i) {
                                true => kept[with].take(),
                                false => kept[with].clone(),
                            };
                            output.expect("a layer joins the output of an earlier one")
                        }),
                    }
                }
            },
        };
        i += done;
        if last[i - 1].is_some() {
            kept[i - 1] = Some(x.clone());
        }
    }
    x
}

impl Sequential {
    /// Maps `x` `[n, c, h, w]` through every layer in turn. A latent is `[n, nz, 1, 1]`.
    ///
    /// On an autodiff device, batch norm uses the batch's statistics and updates its running ones;
    /// elsewhere it uses the running ones.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        pass(&self.layers, x, None)
    }

    /// [`Sequential::forward`] without the last layer: the logits of a network that ends in a
    /// logistic function, which losses take instead of its output.
    pub fn logits(&self, x: Tensor<4>) -> Tensor<4> {
        pass(&self.layers[..self.layers.len().saturating_sub(1)], x, None)
    }

    /// [`Sequential::forward`] with dropout. Masks are drawn from the run's own `rng` rather than a
    /// backend's, so that a resumed run draws the same ones.
    pub fn forward_with(&self, x: Tensor<4>, rng: &mut StdRng) -> Tensor<4> {
        pass(&self.layers, x, Some(rng))
    }

    /// The network with the running statistics of every batch norm recomputed as the plain mean
    /// over `batches`, each `[n, c, h, w]`. For averaged weights, which the statistics gathered in
    /// training do not fit (Mescheder et al. 2018, code; Brock et al. 2019, "standing statistics").
    ///
    /// The network must be on an autodiff device.
    pub fn restandardize(mut self, batches: impl IntoIterator<Item = Tensor<4>>) -> Sequential {
        let momenta: Vec<f64> = self.norms_mut().map(|n| n.momentum).collect();
        for (i, batch) in batches.into_iter().enumerate() {
            // With momenta of 1, 1/2, 1/3, ... the running value is the mean of all batches so far.
            self.norms_mut().for_each(|n| n.momentum = 1.0 / (i + 1) as f64);
            self.forward(batch);
        }
        self.settle();
        self.norms_mut().zip(momenta).for_each(|(n, momentum)| n.momentum = momentum);
        self
    }

    /// Values in the largest feature map of one input `[channels, side, side]`, the input included.
    pub fn largest_map(&self, input: [usize; 2]) -> usize {
        let all = self.maps(input).into_iter().chain([input]);
        all.map(|[channels, side]| channels * side * side).max().unwrap_or(0)
    }

    /// Channels and side of the output of every layer, for one input `[channels, side, side]`.
    pub fn maps(&self, input: [usize; 2]) -> Vec<[usize; 2]> {
        let mut maps: Vec<[usize; 2]> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let [channels, side] = maps.last().copied().unwrap_or(input);
            maps.push(match layer {
                Layer::Conv(l) => {
                    let [to, _, kernel, _] = l.weight.dims();
                    [to, (side + 2 * l.padding - kernel) / l.stride + 1]
                }
                Layer::ConvTranspose(l) => {
                    let [_, to, kernel, _] = l.weight.dims();
                    [to, (side - 1) * l.stride + kernel - 2 * l.padding]
                }
                Layer::ResizeConv(l) => [l.weight.dims()[0], 2 * side],
                Layer::ReflectPad(l) => [channels, side + 2 * l.padding],
                Layer::Concat(l) => [channels + maps[l.with][0], side],
                Layer::BatchNorm(_)
                | Layer::InstanceNorm(_)
                | Layer::Add(_)
                | Layer::Activation(_)
                | Layer::Dropout(_) => [channels, side],
            });
        }
        maps
    }

    /// Applies pending updates of batch norms' running statistics. burn defers the last one until
    /// the next forward pass, and neither records nor clones contain it before.
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
                | Layer::InstanceNorm(_)
                | Layer::Activation(_)
                | Layer::ReflectPad(_)
                | Layer::Add(_)
                | Layer::Concat(_)
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
            | Layer::InstanceNorm(_)
            | Layer::Activation(_)
            | Layer::ReflectPad(_)
            | Layer::Add(_)
            | Layer::Concat(_)
            | Layer::Dropout(_) => None,
        })
    }
}
