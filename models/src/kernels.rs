//! The layers on kernels of our own, entered through burn's extension point for operations of one's own.
//!
//! [`takes`] says which tensors go this way; everything else goes through burn's own operations. A backend brings the
//! kernels ([`Adjoints`]); gradients are written once, here.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, TensorMetadata, backend_extension,
};
use burn::tensor::{DType, Device, Tensor};

use crate::conv::Window;

/// Whether a tensor's layers are computed here: of 32-bit floats, on the `flex` device or (feature `gpu`) on a GPU.
pub fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && (x.device().inner() == Device::flex() || is_gpu(x))
}

/// Whether a tensor is on a GPU whose kernels are our own.
pub fn is_gpu<const D: usize>(x: &Tensor<D>) -> bool {
    // There is no third kind of device in this build.
    cfg!(feature = "gpu") && x.dtype() == DType::F32 && x.device().inner() != Device::flex()
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
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait Layers: Backend {
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

    /// The weight `[in, out, 4, 4]` of the transposed convolution that doubles a map as repeated pixels and the convolution
    /// `[out, in, 3, 3]` do. Along each axis the taps `(a, b, c)` become `(c, b + c, a + b, a)`.
    fn fold(weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `[2 c]`: the means, then the biased variances, of the channels of `x` `[n, c, h, w]`; then the running `mean` and
    /// `variance`, moved towards them by a share of `momentum`. Gradients do not pass.
    fn statistics(
        x: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        momentum: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

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

    /// [`Layers::add_bias`], then [`Layers::bend`].
    fn bend_biased(x: FloatTensor<Self>, bias: FloatTensor<Self>, bend: Bend) -> FloatTensor<Self>;
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

/// See [`Layers::fold`].
pub fn fold(weight: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Layers>::fold(weight.into_dispatch()))
}

/// See [`Layers::statistics`].
pub fn statistics(
    x: Tensor<4>,
    [mean, variance]: [Tensor<1>; 2],
    momentum: f64,
) -> (Tensor<1>, [Tensor<1>; 2]) {
    let (statistics, mean, variance) = <Dispatch as Layers>::statistics(
        x.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        momentum as f32,
    );
    (Tensor::from_dispatch(statistics), [mean, variance].map(Tensor::from_dispatch))
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

/// See [`Layers::bend_biased`].
pub fn bend_biased(x: Tensor<4>, bias: Tensor<1>, bend: Bend) -> Tensor<4> {
    let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Layers>::bend_biased(x, bias, bend))
}

/// What a factor of a product is. Gradients are small numbers, which 16-bit floats want brought into their range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// Of the size of activations.
    Value,
    /// A gradient of the mean over a batch.
    Gradient,
}

/// What values and gradients are made of, on one backend.
pub trait Adjoints: Layers {
    /// `y` of `x` and the weight; what `x` is.
    fn forward(
        window: &Window,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        is: Factor,
    ) -> FloatTensor<Self>;

    /// The gradient by `x`, of that by `y`: also the transposed convolution of `y`; what `y` is.
    fn data(
        window: &Window,
        y: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        is: Factor,
    ) -> FloatTensor<Self>;

    /// The gradient by the weight, of `x` and `y`; what both are.
    fn weight_gradient(
        window: &Window,
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        are: [Factor; 2],
    ) -> FloatTensor<Self>;

    /// [`Layers::fold`] the other way round.
    fn unfold(gradient: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradients by `x`, `gamma` and `beta`.
    fn norm_gradients(parts: NormParts<Self>, dy: FloatTensor<Self>) -> [FloatTensor<Self>; 3];

    /// The sums over all but the channels.
    fn bias_gradient(dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradients by `x` and the bias.
    fn bend_biased_gradients(
        y: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        bend: Bend,
    ) -> [FloatTensor<Self>; 2];
}

/// What a batch norm is computed from.
#[derive(Clone, Debug)]
pub struct NormParts<B: Backend> {
    /// What is normalised, `[n, c, h, w]`.
    pub x: FloatTensor<B>,
    /// Means, then variances.
    pub statistics: FloatTensor<B>,
    /// Scale of each channel.
    pub gamma: FloatTensor<B>,
    /// Shift of each channel.
    pub beta: FloatTensor<B>,
    /// Added to the variance.
    pub epsilon: f32,
    /// Slope of the activation where it is negative.
    pub slope: f32,
}

/// The window of a convolution of `[n, c, h, w]` by `[o, c, k, k]`.
pub(crate) fn window(
    [n, c, h, w]: [usize; 4],
    [features, _, kernel, _]: [usize; 4],
    stride: usize,
    padding: usize,
) -> Window {
    Window { images: n, height: h, width: w, channels: c, features, kernel, stride, padding }
}

/// The window whose transposed convolution makes `[n, c, h, w]` larger: it is seen from its output.
pub(crate) fn transposed(
    [n, _, h, w]: [usize; 4],
    weight: [usize; 4],
    stride: usize,
    padding: usize,
) -> Window {
    let [_, channels, kernel, _] = weight;
    let side = |size: usize| (size - 1) * stride + kernel - 2 * padding;
    window([n, channels, side(h), side(w)], weight, stride, padding)
}

/// A convolution's gradients are computed from its input if the weight wants a gradient, its weight if the input does, and
/// its window.
type Kept<B> = (Option<FloatTensor<B>>, Option<FloatTensor<B>>, Window);

#[derive(Debug)]
struct ConvBackward;

impl<B: Adjoints> Backward<B, 2> for ConvBackward {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (x, weight, window) = ops.state;
        let [to_x, to_weight] = ops.parents;
        if let Some((node, weight)) = to_x.zip(weight) {
            let dx = B::data(&window, dy.clone(), weight, Factor::Gradient);
            grads.register::<B>(node.id, dx);
        }
        if let Some((node, x)) = to_weight.zip(x) {
            let are = [Factor::Value, Factor::Gradient];
            grads.register::<B>(node.id, B::weight_gradient(&window, x, dy, are));
        }
    }
}

#[derive(Debug)]
struct ConvTransposeBackward;

impl<B: Adjoints> Backward<B, 2> for ConvTransposeBackward {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (x, weight, window) = ops.state;
        let [to_x, to_weight] = ops.parents;
        if let Some((node, weight)) = to_x.zip(weight) {
            let dx = B::forward(&window, dy.clone(), weight, Factor::Gradient);
            grads.register::<B>(node.id, dx);
        }
        if let Some((node, x)) = to_weight.zip(x) {
            let are = [Factor::Gradient, Factor::Value];
            grads.register::<B>(node.id, B::weight_gradient(&window, dy, x, are));
        }
    }
}

#[derive(Debug)]
struct FoldBackward;

impl<B: Adjoints> Backward<B, 1> for FoldBackward {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let [to_weight] = ops.parents;
        if let Some(node) = to_weight {
            grads.register::<B>(node.id, B::unfold(dy));
        }
    }
}

#[derive(Debug)]
struct NormBackward;

impl<B: Adjoints> Backward<B, 3> for NormBackward {
    type State = NormParts<B>;

    fn backward(self, ops: Ops<NormParts<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let by = B::norm_gradients(ops.state, dy);
        for (node, gradient) in ops.parents.into_iter().zip(by) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct BendBackward;

impl<B: Adjoints> Backward<B, 1> for BendBackward {
    type State = (FloatTensor<B>, Bend);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (y, bend) = ops.state;
        let [to_x] = ops.parents;
        if let Some(node) = to_x {
            grads.register::<B>(node.id, B::unbend(y, dy, bend));
        }
    }
}

#[derive(Debug)]
struct AddBiasBackward;

impl<B: Adjoints> Backward<B, 2> for AddBiasBackward {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let [to_x, to_bias] = ops.parents;
        if let Some(node) = to_bias {
            grads.register::<B>(node.id, B::bias_gradient(dy.clone()));
        }
        if let Some(node) = to_x {
            grads.register::<B>(node.id, dy);
        }
    }
}

#[derive(Debug)]
struct BendBiasedBackward;

impl<B: Adjoints> Backward<B, 2> for BendBiasedBackward {
    type State = (FloatTensor<B>, Bend);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (y, bend) = ops.state;
        let by = match &ops.parents {
            [Some(_), None] => [B::unbend(y, dy, bend)].into_iter().collect::<Vec<_>>(),
            _ => B::bend_biased_gradients(y, dy, bend).into(),
        };
        for (node, gradient) in ops.parents.into_iter().zip(by) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: Adjoints, C: CheckpointStrategy> Layers for Autodiff<B, C> {
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let (inner, by) = (x.primitive().clone(), weight.primitive().clone());
        let window = window(inner.shape().dims(), by.shape().dims(), stride, padding);
        let y = B::forward(&window, inner, by, Factor::Value);
        match ConvBackward.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
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
        let (inner, by) = (x.primitive().clone(), weight.primitive().clone());
        let window = transposed(inner.shape().dims(), by.shape().dims(), stride, padding);
        let y = B::data(&window, inner, by, Factor::Value);
        match ConvTransposeBackward
            .prepare::<C>([x.node(), weight.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(keep(x, weight, window), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn fold(weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = FoldBackward.prepare::<C>([weight.node()]).compute_bound().stateful();
        let folded = B::fold(weight.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((), folded),
            OpsKind::UnTracked(prep) => prep.finish(folded),
        }
    }

    fn statistics(
        x: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        momentum: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [x, mean, variance] = [x, mean, variance].map(|t| t.into_primitive());
        let (statistics, mean, variance) = B::statistics(x, mean, variance, momentum);
        (Self::from_inner(statistics), Self::from_inner(mean), Self::from_inner(variance))
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
        let parts = NormParts::<B> {
            x: x.into_primitive(),
            statistics: statistics.into_primitive(),
            gamma: gamma.into_primitive(),
            beta: beta.into_primitive(),
            epsilon,
            slope,
        };
        let p = parts.clone();
        let y = B::norm(p.x, p.statistics, p.gamma, p.beta, epsilon, slope);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish(parts, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn bend(x: FloatTensor<Self>, bend: Bend) -> FloatTensor<Self> {
        let prepared = BendBackward.prepare::<C>([x.node()]).compute_bound().stateful();
        let y = B::bend(x.into_primitive(), bend);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((y.clone(), bend), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn unbend(y: FloatTensor<Self>, dy: FloatTensor<Self>, bend: Bend) -> FloatTensor<Self> {
        // What goes back through it is multiplied by the same slopes.
        let prepared = BendBackward.prepare::<C>([dy.node()]).compute_bound().stateful();
        let y = y.into_primitive();
        let dx = B::unbend(y.clone(), dy.into_primitive(), bend);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((y, bend), dx),
            OpsKind::UnTracked(prep) => prep.finish(dx),
        }
    }

    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared =
            AddBiasBackward.prepare::<C>([x.node(), bias.node()]).compute_bound().stateful();
        let y = B::add_bias(x.into_primitive(), bias.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn bend_biased(x: FloatTensor<Self>, bias: FloatTensor<Self>, bend: Bend) -> FloatTensor<Self> {
        let prepared =
            BendBiasedBackward.prepare::<C>([x.node(), bias.node()]).compute_bound().stateful();
        let y = B::bend_biased(x.into_primitive(), bias.into_primitive(), bend);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((y.clone(), bend), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// The input is kept only if the weight wants a gradient, the weight only if the input does.
fn keep<B: Backend>(
    x: FloatTensor<Autodiff<B>>,
    weight: FloatTensor<Autodiff<B>>,
    window: Window,
) -> Kept<B> {
    let (for_weight, for_x) = (weight.is_tracked(), x.is_tracked());
    (for_weight.then(|| x.into_primitive()), for_x.then(|| weight.into_primitive()), window)
}
