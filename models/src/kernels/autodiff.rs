//! The gradients of [`Kernels`], once for all backends.

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, TensorMetadata};
use loops::{ConvShape, Function};

use super::ops::{Adjoints, Factor, Kernels, NormParts};

/// The derivative of an operation with `N` differentiable inputs.
pub(super) trait Derivative<B: Backend, const N: usize>: Debug + Send + 'static {
    /// What the forward pass keeps.
    type State: Clone + Debug + Send + 'static;

    /// The gradients by the inputs, from the gradient by the output. Those that are not `wanted`
    /// may be left out.
    fn gradients(
        state: Self::State,
        dy: FloatTensor<B>,
        wanted: [bool; N],
    ) -> [Option<FloatTensor<B>>; N];
}

/// A step of the backward pass.
#[derive(Debug)]
struct Step<D>(D);

impl<B: Backend, D: Derivative<B, N>, const N: usize> Backward<B, N> for Step<D> {
    type State = D::State;

    fn backward(self, ops: Ops<D::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = D::gradients(ops.state, dy, wanted);
        for (input, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some((input, gradient)) = input.zip(gradient) {
                grads.register::<B>(input.id, gradient);
            }
        }
    }
}

/// `y`, the output of an operation on `inputs`, with its derivative in the graph. `state` is only
/// called if an input wants a gradient.
pub(super) fn record<B, C, D, const N: usize>(
    derivative: D,
    inputs: [NodeGuard; N],
    y: FloatTensor<B>,
    state: impl FnOnce(&FloatTensor<B>) -> D::State,
) -> FloatTensor<Autodiff<B, C>>
where
    B: Backend,
    C: CheckpointStrategy,
    D: Derivative<B, N>,
{
    match Step(derivative).prepare::<C>(inputs).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(state(&y), y),
        OpsKind::UnTracked(prep) => prep.finish(y),
    }
}

#[derive(Debug)]
struct Conv;

#[derive(Clone, Debug)]
struct ConvState<B: Backend> {
    shape: ConvShape,
    transposed: bool,
    /// Kept only if the weight wants a gradient.
    x: Option<FloatTensor<B>>,
    /// Kept only if the input wants a gradient.
    weight: Option<FloatTensor<B>>,
}

impl<B: Adjoints> Derivative<B, 2> for Conv {
    type State = ConvState<B>;

    fn gradients(
        state: ConvState<B>,
        dy: FloatTensor<B>,
        [to_x, to_weight]: [bool; 2],
    ) -> [Option<FloatTensor<B>>; 2] {
        let ConvState { shape, transposed, x, weight } = state;
        let dx = weight.filter(|_| to_x).map(|weight| match transposed {
            false => B::conv_data(&shape, dy.clone(), weight, Factor::Gradient),
            true => B::conv_forward(&shape, dy.clone(), weight, Factor::Gradient),
        });
        let dw = x.filter(|_| to_weight).map(|x| match transposed {
            false => B::conv_weight(&shape, x, dy, [Factor::Value, Factor::Gradient]),
            true => B::conv_weight(&shape, dy, x, [Factor::Gradient, Factor::Value]),
        });
        [dx, dw]
    }
}

fn convolve<B: Adjoints, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    shape: ConvShape,
    transposed: bool,
) -> FloatTensor<Autodiff<B, C>> {
    let inputs = [x.node(), weight.node()];
    let (for_weight, for_x) = (weight.is_tracked(), x.is_tracked());
    let (x, weight) = (x.into_primitive(), weight.into_primitive());
    let pass = if transposed { B::conv_data } else { B::conv_forward };
    let y = pass(&shape, x.clone(), weight.clone(), Factor::Value);
    record::<B, C, _, 2>(Conv, inputs, y, |_| ConvState {
        shape,
        transposed,
        x: for_weight.then_some(x),
        weight: for_x.then_some(weight),
    })
}

#[derive(Debug)]
struct ResizeWeight;

impl<B: Adjoints> Derivative<B, 1> for ResizeWeight {
    type State = ();

    fn gradients((): (), dy: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [Some(B::resize_weight_backward(dy))]
    }
}

#[derive(Debug)]
struct Norm;

impl<B: Adjoints> Derivative<B, 3> for Norm {
    type State = NormParts<B>;

    fn gradients(
        parts: NormParts<B>,
        dy: FloatTensor<B>,
        _: [bool; 3],
    ) -> [Option<FloatTensor<B>>; 3] {
        B::norm_backward(parts, dy).map(Some)
    }
}

#[derive(Debug)]
struct Activation;

impl<B: Adjoints> Derivative<B, 1> for Activation {
    type State = (FloatTensor<B>, Function);

    fn gradients(
        (y, function): Self::State,
        dy: FloatTensor<B>,
        _: [bool; 1],
    ) -> [Option<FloatTensor<B>>; 1] {
        [Some(B::activation_backward(y, dy, function))]
    }
}

#[derive(Debug)]
struct AddBias;

impl<B: Adjoints> Derivative<B, 2> for AddBias {
    type State = ();

    fn gradients(
        (): (),
        dy: FloatTensor<B>,
        [_, to_bias]: [bool; 2],
    ) -> [Option<FloatTensor<B>>; 2] {
        let bias = to_bias.then(|| B::bias_backward(dy.clone()));
        [Some(dy), bias]
    }
}

#[derive(Debug)]
struct BiasActivation;

impl<B: Adjoints> Derivative<B, 2> for BiasActivation {
    type State = (FloatTensor<B>, Function);

    fn gradients(
        (y, function): Self::State,
        dy: FloatTensor<B>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<B>>; 2] {
        match wanted {
            [true, false] => [Some(B::activation_backward(y, dy, function)), None],
            _ => B::bias_activation_backward(y, dy, function).map(Some),
        }
    }
}

impl<B: Adjoints, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let sides = [x.primitive().shape().dims(), weight.primitive().shape().dims()];
        convolve::<B, C>(x, weight, ConvShape::conv(sides[0], sides[1], stride, padding), false)
    }

    fn conv_transpose(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let sides = [x.primitive().shape().dims(), weight.primitive().shape().dims()];
        convolve::<B, C>(
            x,
            weight,
            ConvShape::conv_transpose(sides[0], sides[1], stride, padding),
            true,
        )
    }

    fn resize_weight(weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let inputs = [weight.node()];
        let y = B::resize_weight(weight.into_primitive());
        record::<B, C, _, 1>(ResizeWeight, inputs, y, |_| ())
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
        let inputs = [x.node(), gamma.node(), beta.node()];
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
        record::<B, C, _, 3>(Norm, inputs, y, |_| parts)
    }

    fn activation(x: FloatTensor<Self>, function: Function) -> FloatTensor<Self> {
        let inputs = [x.node()];
        let y = B::activation(x.into_primitive(), function);
        record::<B, C, _, 1>(Activation, inputs, y, |y| (y.clone(), function))
    }

    fn activation_backward(
        y: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        function: Function,
    ) -> FloatTensor<Self> {
        // Linear in `dy`: the gradient by it is multiplied by the same slopes.
        let inputs = [dy.node()];
        let y = y.into_primitive();
        let dx = B::activation_backward(y.clone(), dy.into_primitive(), function);
        record::<B, C, _, 1>(Activation, inputs, dx, |_| (y, function))
    }

    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let inputs = [x.node(), bias.node()];
        let y = B::add_bias(x.into_primitive(), bias.into_primitive());
        record::<B, C, _, 2>(AddBias, inputs, y, |_| ())
    }

    fn bias_activation(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        function: Function,
    ) -> FloatTensor<Self> {
        let inputs = [x.node(), bias.node()];
        let y = B::bias_activation(x.into_primitive(), bias.into_primitive(), function);
        record::<B, C, _, 2>(BiasActivation, inputs, y, |y| (y.clone(), function))
    }
}
