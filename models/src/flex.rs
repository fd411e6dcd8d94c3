//! The layers on a CPU, entered through burn's extension point for operations of one's own.
//!
//! [`takes`] says which tensors go this way; everything else goes through burn's own operations.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Device, Tensor};
use burn_flex::FlexTensor;

use crate::channels_last as last;
use crate::conv::{self, Window};
use crate::norm::{self, Normed};

/// Whether a tensor's layers are computed here: of 32-bit floats on the `flex` device.
pub fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && x.device().inner() == Device::flex()
}

/// What follows a linear layer, computed from and differentiated by what comes out of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bend {
    /// `z` where positive, else this times `z`.
    Leaky(f32),
    /// Hyperbolic tangent.
    Tanh,
}

/// The operations.
#[backend_extension(Flex, Autodiff)]
pub trait Layers: burn::backend::Backend {
    /// Convolution of `x` `[n, c, h, w]` by `weight` `[o, c, k, k]`.
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// Transposed convolution of `x` `[n, c, h, w]` by `weight` `[c, o, k, k]`.
    fn conv_transpose(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// `[2 c]`: the means, then the biased variances, of the channels of `x` `[n, c, h, w]`. Gradients do not pass.
    fn statistics(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Batch norm by the batch's own `statistics` (through which gradients do pass), then a leaky rectifier.
    fn norm(
        x: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        slope: f32,
    ) -> FloatTensor<Self>;

    /// A function of every number.
    fn bend(x: FloatTensor<Self>, bend: Bend) -> FloatTensor<Self>;

    /// `dy` times the slope of the function where `y` came out of it: what goes back through a [`Layers::bend`]. The
    /// slope counts as constant, so that gradients pass to `dy` alone; for rectifiers that is exact.
    fn unbend(y: FloatTensor<Self>, dy: FloatTensor<Self>, bend: Bend) -> FloatTensor<Self>;

    /// `x` `[n, c, h, w]` with a number of `bias` `[c]` added to each channel.
    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Convolution, see [`Layers::conv`].
pub fn conv(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Layers>::conv(x, weight, stride, padding))
}

/// Transposed convolution, see [`Layers::conv_transpose`].
pub fn conv_transpose(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let y = <Dispatch as Layers>::conv_transpose(x, weight, stride, padding);
    Tensor::from_dispatch(y)
}

/// See [`Layers::statistics`].
pub fn statistics(x: Tensor<4>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Layers>::statistics(x.into_dispatch()))
}

/// Batch norm by `statistics` and a leaky rectifier, see [`Layers::norm`].
pub fn norm(
    x: Tensor<4>,
    statistics: Tensor<1>,
    [gamma, beta]: [Tensor<1>; 2],
    epsilon: f32,
    slope: f32,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Layers>::norm(
        x.into_dispatch(),
        statistics.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
        slope,
    ))
}

/// See [`Layers::bend`].
pub fn bend(x: Tensor<4>, bend: Bend) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Layers>::bend(x.into_dispatch(), bend))
}

/// See [`Layers::unbend`].
pub fn unbend(y: Tensor<4>, dy: Tensor<4>, bend: Bend) -> Tensor<4> {
    let (y, dy) = (y.into_dispatch(), dy.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Layers>::unbend(y, dy, bend))
}

/// See [`Layers::add_bias`].
pub fn add_bias(x: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Layers>::add_bias(x, bias))
}

fn dims(x: &FlexTensor) -> [usize; 4] {
    x.shape().dims()
}

/// The window of a convolution of `[n, c, h, w]` by `[o, c, k, k]`.
fn window([n, c, h, w]: [usize; 4], weight: &FlexTensor, stride: usize, padding: usize) -> Window {
    let [features, _, kernel, _] = dims(weight);
    Window {
        images: n,
        height: h,
        width: w,
        channels: c,
        features,
        kernel,
        stride,
        padding,
    }
}

/// The window whose transposed convolution makes `[n, c, h, w]` larger: it is seen from its output.
fn transposed(
    [n, _, h, w]: [usize; 4],
    weight: &FlexTensor,
    stride: usize,
    padding: usize,
) -> Window {
    let [_, channels, kernel, _] = dims(weight);
    let side = |size: usize| (size - 1) * stride + kernel - 2 * padding;
    window([n, channels, side(h), side(w)], weight, stride, padding)
}

fn x_of(values: Vec<f32>, w: &Window) -> FlexTensor {
    last::tensor(values, [w.images, w.channels, w.height, w.width])
}

fn y_of(values: Vec<f32>, w: &Window) -> FlexTensor {
    last::tensor(values, [w.images, w.features, w.rows(), w.columns()])
}

fn forward(w: &Window, x: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    y_of(
        conv::forward(w, &last::read(x), &last::read_as_is(weight)),
        w,
    )
}

fn data(w: &Window, y: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    x_of(conv::data(w, &last::read(y), &last::read_as_is(weight)), w)
}

fn weight_gradient(w: &Window, x: &FlexTensor, y: &FlexTensor) -> FlexTensor {
    let values = conv::weight(w, &last::read(x), &last::read(y));
    last::flat(values, [w.features, w.channels, w.kernel, w.kernel])
}

/// Calls `f` with a batch norm's numbers.
fn normed<R>(parts: &NormParts, f: impl FnOnce(&Normed<'_>) -> R) -> R {
    let [n, c, h, w] = dims(&parts.x);
    debug_assert!(n > 0);
    f(&Normed {
        x: &last::read(&parts.x),
        picture: c * h * w,
        statistics: &last::read_as_is(&parts.statistics),
        gamma: &last::read_as_is(&parts.gamma),
        beta: &last::read_as_is(&parts.beta),
        epsilon: parts.epsilon,
        slope: parts.slope,
    })
}

/// What a batch norm is computed from.
#[derive(Clone, Debug)]
struct NormParts {
    x: FlexTensor,
    statistics: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    epsilon: f32,
    slope: f32,
}

impl Layers for Flex {
    fn conv(x: FlexTensor, weight: FlexTensor, stride: usize, padding: usize) -> FlexTensor {
        forward(&window(dims(&x), &weight, stride, padding), &x, &weight)
    }

    fn conv_transpose(
        x: FlexTensor,
        weight: FlexTensor,
        stride: usize,
        padding: usize,
    ) -> FlexTensor {
        data(&transposed(dims(&x), &weight, stride, padding), &x, &weight)
    }

    fn statistics(x: FlexTensor) -> FlexTensor {
        let [_, c, h, w] = dims(&x);
        last::flat(norm::statistics(&last::read(&x), c * h * w, c), [2 * c])
    }

    fn norm(
        x: FlexTensor,
        statistics: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f32,
        slope: f32,
    ) -> FlexTensor {
        let shape = dims(&x);
        let parts = NormParts {
            x,
            statistics,
            gamma,
            beta,
            epsilon,
            slope,
        };
        last::tensor(normed(&parts, |n| n.forward()), shape)
    }

    fn bend(x: FlexTensor, bend: Bend) -> FlexTensor {
        last::tensor(norm::bend(&last::read(&x), bend), dims(&x))
    }

    fn unbend(y: FlexTensor, dy: FlexTensor, bend: Bend) -> FlexTensor {
        last::tensor(
            norm::unbend(&last::read(&y), &last::read(&dy), bend),
            dims(&y),
        )
    }

    fn add_bias(x: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let [_, c, h, w] = dims(&x);
        let (scale, shift) = (vec![1.0; c], last::read_as_is(&bias));
        let y = norm::affine(&last::read(&x), c * h * w, &scale, &shift, 1.0);
        last::tensor(y, dims(&x))
    }
}

/// What a convolution's gradients are computed from: its input if the weight wants a gradient, its weight if the
/// input does, and its window.
type Kept = (Option<FlexTensor>, Option<FlexTensor>, Window);

#[derive(Debug)]
struct ConvBackward;

impl Backward<Flex, 2> for ConvBackward {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let (x, weight, window) = ops.state;
        let [to_x, to_weight] = ops.parents;
        if let Some((node, weight)) = to_x.zip(weight) {
            grads.register::<Flex>(node.id, data(&window, &dy, &weight));
        }
        if let Some((node, x)) = to_weight.zip(x) {
            grads.register::<Flex>(node.id, weight_gradient(&window, &x, &dy));
        }
    }
}

#[derive(Debug)]
struct ConvTransposeBackward;

impl Backward<Flex, 2> for ConvTransposeBackward {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let (x, weight, window) = ops.state;
        let [to_x, to_weight] = ops.parents;
        if let Some((node, weight)) = to_x.zip(weight) {
            grads.register::<Flex>(node.id, forward(&window, &dy, &weight));
        }
        if let Some((node, x)) = to_weight.zip(x) {
            grads.register::<Flex>(node.id, weight_gradient(&window, &dy, &x));
        }
    }
}

#[derive(Debug)]
struct NormBackward;

impl Backward<Flex, 3> for NormBackward {
    type State = NormParts;

    fn backward(self, ops: Ops<NormParts, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let [dx, gamma, beta] = normed(&ops.state, |n| n.backward(&last::read(&dy)));
        let [to_x, to_gamma, to_beta] = ops.parents;
        if let Some(node) = to_x {
            grads.register::<Flex>(node.id, last::tensor(dx, dims(&ops.state.x)));
        }
        for (node, values) in [(to_gamma, gamma), (to_beta, beta)] {
            if let Some(node) = node {
                let channels = values.len();
                grads.register::<Flex>(node.id, last::flat(values, [channels]));
            }
        }
    }
}

#[derive(Debug)]
struct BendBackward;

impl Backward<Flex, 1> for BendBackward {
    type State = (FlexTensor, Bend);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let (y, bend) = ops.state;
        let [to_x] = ops.parents;
        if let Some(node) = to_x {
            grads.register::<Flex>(node.id, Flex::unbend(y, dy, bend));
        }
    }
}

#[derive(Debug)]
struct AddBiasBackward;

impl Backward<Flex, 2> for AddBiasBackward {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let [to_x, to_bias] = ops.parents;
        if let Some(node) = to_bias {
            let [_, c, h, w] = dims(&dy);
            let sums = norm::sums(&last::read(&dy), c * h * w, c);
            grads.register::<Flex>(node.id, last::flat(sums, [c]));
        }
        if let Some(node) = to_x {
            grads.register::<Flex>(node.id, dy);
        }
    }
}

impl<C: CheckpointStrategy> Layers for Autodiff<Flex, C> {
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let window = window(dims(x.primitive()), weight.primitive(), stride, padding);
        let y = forward(&window, x.primitive(), weight.primitive());
        match ConvBackward
            .prepare::<C>([x.node(), weight.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(keep(x, weight, window), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn conv_transpose(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let window = transposed(dims(x.primitive()), weight.primitive(), stride, padding);
        let y = data(&window, x.primitive(), weight.primitive());
        match ConvTransposeBackward
            .prepare::<C>([x.node(), weight.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(keep(x, weight, window), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn statistics(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::from_inner(Flex::statistics(x.into_primitive()))
    }

    fn norm(
        x: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        slope: f32,
    ) -> FloatTensor<Self> {
        let prepared = NormBackward
            .prepare::<C>([x.node(), gamma.node(), beta.node()])
            .compute_bound()
            .stateful();
        let parts = NormParts {
            x: x.into_primitive(),
            statistics: statistics.into_primitive(),
            gamma: gamma.into_primitive(),
            beta: beta.into_primitive(),
            epsilon,
            slope,
        };
        let y = last::tensor(normed(&parts, |n| n.forward()), dims(&parts.x));
        match prepared {
            OpsKind::Tracked(prep) => prep.finish(parts, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn bend(x: FloatTensor<Self>, bend: Bend) -> FloatTensor<Self> {
        let prepared = BendBackward
            .prepare::<C>([x.node()])
            .compute_bound()
            .stateful();
        let y = Flex::bend(x.into_primitive(), bend);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((y.clone(), bend), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn unbend(y: FloatTensor<Self>, dy: FloatTensor<Self>, bend: Bend) -> FloatTensor<Self> {
        // What goes back through it is multiplied by the same slopes.
        let prepared = BendBackward
            .prepare::<C>([dy.node()])
            .compute_bound()
            .stateful();
        let y = y.into_primitive();
        let dx = Flex::unbend(y.clone(), dy.into_primitive(), bend);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((y, bend), dx),
            OpsKind::UnTracked(prep) => prep.finish(dx),
        }
    }

    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = AddBiasBackward
            .prepare::<C>([x.node(), bias.node()])
            .compute_bound()
            .stateful();
        let y = Flex::add_bias(x.into_primitive(), bias.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// The input is kept only if the weight wants a gradient, the weight only if the input does.
fn keep(
    x: FloatTensor<Autodiff<Flex>>,
    weight: FloatTensor<Autodiff<Flex>>,
    window: Window,
) -> Kept {
    let (for_weight, for_x) = (weight.is_tracked(), x.is_tracked());
    (
        for_weight.then(|| x.into_primitive()),
        for_x.then(|| weight.into_primitive()),
        window,
    )
}
