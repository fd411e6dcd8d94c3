//! Operations of losses and augmentations on every pixel of a batch, the sum of a weight's gradients,
//! and the gradients of these. Elsewhere they are computed with burn's own operations.

use std::sync::{Arc, Mutex};

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, backend_extension};
use loops::pixels::Error;

use super::autodiff::{Derivative, record};

/// What losses and augmentations call.
#[backend_extension(Flex, Autodiff)]
pub trait Pixels: Backend {
    /// The sum over all values of `log(1 + exp(l)) - x l`: the cross entropy in nats of targets `x`
    /// in [0, 1] with `logits` l, both `[n, c, h, w]`. The result is `[1]`. Differentiable by the
    /// logits only.
    fn cross_entropy(logits: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The mean over all values of `|x - y|`, or of its square, as `[1]`; both are `[n, c, h, w]`.
    fn error(x: FloatTensor<Self>, y: FloatTensor<Self>, kind: Error) -> FloatTensor<Self>;

    /// `x` `[n, c, h, w]` with other pixels: `from`, `[n, h, w]`, has for each pixel the index of one
    /// of the same image, row by row, whose channels it gets; a negative one stands for zeros.
    fn move_pixels(x: FloatTensor<Self>, from: Arc<[i32]>) -> FloatTensor<Self>;

    /// `x` times `factors`, both `[n, c, h, w]`. Differentiable by `x` only.
    fn masked(x: FloatTensor<Self>, factors: FloatTensor<Self>) -> FloatTensor<Self>;

    /// A weight for two uses, both of which must take part in what is differentiated: the gradient by
    /// the weight is the sum of theirs. burn sums as well, but on a CPU in one thread.
    fn twice(weight: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// What the gradients of [`Pixels`] are computed with.
pub trait PixelAdjoints: Pixels {
    /// The gradient of [`Pixels::cross_entropy`] by the logits, from the gradient `[1]` by its
    /// result.
    fn cross_entropy_backward(
        logits: FloatTensor<Self>,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The gradient of [`Pixels::error`] by `x`, from the gradient `[1]` by its result; times `sign`.
    fn error_backward(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        kind: Error,
        dy: FloatTensor<Self>,
        sign: f32,
    ) -> FloatTensor<Self>;

    /// The gradient by the input of [`Pixels::move_pixels`].
    fn move_pixels_backward(dy: FloatTensor<Self>, from: Arc<[i32]>) -> FloatTensor<Self>;

    /// The sum of two tensors of one shape.
    fn sum(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
}

#[derive(Debug)]
struct CrossEntropy;

impl<B: PixelAdjoints> Derivative<B, 1> for CrossEntropy {
    /// The logits and the targets.
    type State = [FloatTensor<B>; 2];

    fn gradients(
        [logits, x]: Self::State,
        dy: FloatTensor<B>,
        _: [bool; 1],
    ) -> [Option<FloatTensor<B>>; 1] {
        [Some(B::cross_entropy_backward(logits, x, dy))]
    }
}

#[derive(Debug)]
struct Difference;

impl<B: PixelAdjoints> Derivative<B, 2> for Difference {
    type State = ([FloatTensor<B>; 2], Error);

    fn gradients(
        ([x, y], kind): Self::State,
        dy: FloatTensor<B>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<B>>; 2] {
        let by = |sign| B::error_backward(x.clone(), y.clone(), kind, dy.clone(), sign);
        [wanted[0].then(|| by(1.0)), wanted[1].then(|| by(-1.0))]
    }
}

#[derive(Debug)]
struct MovePixels;

impl<B: PixelAdjoints> Derivative<B, 1> for MovePixels {
    type State = Arc<[i32]>;

    fn gradients(
        from: Arc<[i32]>,
        dy: FloatTensor<B>,
        _: [bool; 1],
    ) -> [Option<FloatTensor<B>>; 1] {
        [Some(B::move_pixels_backward(dy, from))]
    }
}

#[derive(Debug)]
struct Masked;

impl<B: PixelAdjoints> Derivative<B, 1> for Masked {
    type State = FloatTensor<B>;

    fn gradients(
        factors: FloatTensor<B>,
        dy: FloatTensor<B>,
        _: [bool; 1],
    ) -> [Option<FloatTensor<B>>; 1] {
        [Some(B::masked(dy, factors))]
    }
}

#[derive(Debug)]
struct Use;

impl<B: PixelAdjoints> Derivative<B, 1> for Use {
    /// The gradient of the use that is first in the backward pass, until the other one takes it.
    type State = Arc<Mutex<Option<FloatTensor<B>>>>;

    fn gradients(
        first: Self::State,
        dy: FloatTensor<B>,
        _: [bool; 1],
    ) -> [Option<FloatTensor<B>>; 1] {
        let mut first = first.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match first.take() {
            Some(first) => [Some(B::sum(first, dy))],
            None => {
                *first = Some(dy);
                [None]
            }
        }
    }
}

impl<B: PixelAdjoints, C: CheckpointStrategy> Pixels for Autodiff<B, C> {
    fn cross_entropy(logits: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self> {
        let inputs = [logits.node()];
        let [logits, x] = [logits, x].map(|t| t.into_primitive());
        let y = B::cross_entropy(logits.clone(), x.clone());
        record::<B, C, _, 1>(CrossEntropy, inputs, y, |_| [logits, x])
    }

    fn error(x: FloatTensor<Self>, y: FloatTensor<Self>, kind: Error) -> FloatTensor<Self> {
        let inputs = [x.node(), y.node()];
        let [x, y] = [x, y].map(|t| t.into_primitive());
        let mean = B::error(x.clone(), y.clone(), kind);
        record::<B, C, _, 2>(Difference, inputs, mean, |_| ([x, y], kind))
    }

    fn move_pixels(x: FloatTensor<Self>, from: Arc<[i32]>) -> FloatTensor<Self> {
        let inputs = [x.node()];
        let y = B::move_pixels(x.into_primitive(), from.clone());
        record::<B, C, _, 1>(MovePixels, inputs, y, |_| from)
    }

    fn masked(x: FloatTensor<Self>, factors: FloatTensor<Self>) -> FloatTensor<Self> {
        let inputs = [x.node()];
        let [x, factors] = [x, factors].map(|t| t.into_primitive());
        record::<B, C, _, 1>(Masked, inputs, B::masked(x, factors.clone()), |_| factors)
    }

    fn twice(weight: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let inputs = [[weight.node()], [weight.node()]];
        let first = Arc::new(Mutex::new(None));
        let weight = weight.into_primitive();
        let [a, b] = inputs
            .map(|inputs| record::<B, C, _, 1>(Use, inputs, weight.clone(), |_| first.clone()));
        (a, b)
    }
}
