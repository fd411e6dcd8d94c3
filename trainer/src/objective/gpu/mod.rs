//! What a step computes besides its layers, in few launches on a GPU: losses with their gradients,
//! metrics, Adam, the average.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::wgpu::CubeTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Cube, Dispatch, TensorMetadata, backend_extension,
};
use burn::tensor::Tensor;
use models::gpu::launch::{Program, grid, launch};
use models::gpu::tensor::{contiguous, dense, empty, empty_like, in_layout_of, same_layout};

use crate::networks::adam::{Passes, Rates};
use crate::objective::loss::Loss;

/// A kernel of this module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Kernel {
    Adam { vectors: bool },
    Mix { vectors: bool },
    Loss,
    Scale,
    Squares,
    Deviation,
    Gather,
}

impl Program for Kernel {
    fn name(&self) -> &'static str {
        match self {
            Kernel::Adam { .. } => "adam",
            Kernel::Mix { .. } => "average",
            Kernel::Loss => "loss",
            Kernel::Scale => "scale",
            Kernel::Squares => "squares",
            Kernel::Deviation => "deviation",
            Kernel::Gather => "gather",
        }
    }

    fn text(&self) -> String {
        let value = |vectors: bool| match vectors {
            true => "alias Value = vec4<f32>;\n",
            false => "alias Value = f32;\n",
        };
        match self {
            Kernel::Adam { vectors } => value(*vectors).to_string() + include_str!("adam.wgsl"),
            Kernel::Mix { vectors } => value(*vectors).to_string() + include_str!("mix.wgsl"),
            Kernel::Loss => include_str!("loss.wgsl").into(),
            Kernel::Scale => include_str!("scale.wgsl").into(),
            Kernel::Squares => include_str!("squares.wgsl").into(),
            Kernel::Deviation => include_str!("deviation.wgsl").into(),
            Kernel::Gather => include_str!("gather.wgsl").into(),
        }
    }
}

fn count(tensor: &CubeTensor) -> usize {
    tensor.shape().num_elements()
}

/// Whether `count` values can be read as vectors of four, and the number of reads.
fn values(count: usize) -> (bool, usize) {
    match count.is_multiple_of(4) {
        true => (true, count / 4),
        false => (false, count),
    }
}

impl Passes for Cube {
    fn adam(
        weight: CubeTensor,
        gradient: CubeTensor,
        first: CubeTensor,
        second: CubeTensor,
        rates: Rates,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        // In the memory layout of the gradient, which the next pass reads.
        let gradient = dense(gradient);
        let [weight, first, second] =
            [weight, first, second].map(|t| match same_layout(&t, &gradient) {
                true => t,
                false => in_layout_of(t, &gradient),
            });
        let made = [(); 3].map(|()| empty_like(&gradient));
        let (vectors, count) = values(count(&gradient));
        let Rates { step, betas: [beta1, beta2], epsilon } = rates;
        let floats = [step, beta1, beta2, epsilon].map(f32::to_bits);
        let [step, beta1, beta2, epsilon] = floats;
        launch(
            Kernel::Adam { vectors },
            grid(count.div_ceil(256), 1),
            &[&weight, &gradient, &first, &second],
            &made.each_ref(),
            &[count as u32, step, beta1, beta2, epsilon, 0],
        );
        made.into()
    }

    fn mix(average: CubeTensor, new: CubeTensor, decay: f32) -> CubeTensor {
        let new = dense(new);
        let average = match same_layout(&average, &new) {
            true => average,
            false => in_layout_of(average, &new),
        };
        let result = empty_like(&new);
        let (vectors, count) = values(count(&new));
        launch(
            Kernel::Mix { vectors },
            grid(count.div_ceil(256), 1),
            &[&average, &new],
            &[&result],
            &[count as u32, decay.to_bits()],
        );
        result
    }
}

/// Which loss of a pair, and how far the label of real images is from 1.
#[derive(Clone, Copy, Debug)]
pub struct Which {
    loss: Loss,
    of_generator: bool,
    smooth: f32,
}

/// A step's losses and metrics.
#[backend_extension(Cube, Autodiff)]
pub trait Losses: Backend {
    /// A loss of the logits of real images and fakes, `[1]`; and `[3]`: the means of both as
    /// probabilities and the share of pairs in the right order. No gradients pass through the
    /// latter.
    fn loss(
        real: FloatTensor<Self>,
        fake: FloatTensor<Self>,
        which: Which,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// `by` times the sum of squares, `[1]`.
    fn squares(x: FloatTensor<Self>, by: f32) -> FloatTensor<Self>;

    /// Mean over pixels of the standard deviation over the images of a batch, `[1]`. No gradients
    /// pass through it.
    fn deviation(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// At most eight values of three lists; `order` has the list and the index of each. No
    /// gradients pass through it.
    fn gather(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        order: Vec<(u32, u32)>,
    ) -> FloatTensor<Self>;
}

/// See [`Losses::loss`]: the discriminator's.
pub fn discriminator(
    loss: Loss,
    real: Tensor<4>,
    fake: Tensor<4>,
    smooth: f64,
) -> (Tensor<1>, Tensor<1>) {
    let which = Which { loss, of_generator: false, smooth: smooth as f32 };
    with_shares(real, fake, which)
}

/// See [`Losses::loss`]: the generator's. Only a relative loss uses `real`.
pub fn generator(loss: Loss, real: Option<Tensor<4>>, fake: Tensor<4>) -> (Tensor<1>, Tensor<1>) {
    let which = Which { loss, of_generator: true, smooth: 0.0 };
    let real = real.unwrap_or_else(|| fake.clone().detach());
    with_shares(real, fake, which)
}

fn with_shares(real: Tensor<4>, fake: Tensor<4>, which: Which) -> (Tensor<1>, Tensor<1>) {
    let (real, fake) = (real.into_dispatch(), fake.into_dispatch());
    let (loss, shares) = <Dispatch as Losses>::loss(real, fake, which);
    (Tensor::from_dispatch(loss), Tensor::from_dispatch(shares))
}

/// See [`Losses::squares`].
pub fn squares(x: Tensor<4>, by: f64) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Losses>::squares(x.into_dispatch(), by as f32))
}

/// See [`Losses::deviation`].
pub fn deviation(x: Tensor<4>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Losses>::deviation(x.into_dispatch()))
}

/// See [`Losses::gather`].
pub fn gather(lists: [Tensor<1>; 3], order: &[(u32, u32)]) -> Tensor<1> {
    let [a, b, c] = lists.map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as Losses>::gather(a, b, c, order.to_vec()))
}

/// A loss, its three shares, and its gradients by both logits, `[2, n]`.
fn loss(real: CubeTensor, fake: CubeTensor, which: Which) -> [CubeTensor; 3] {
    let [real, fake] = [real, fake].map(contiguous);
    let count = count(&real);
    let made = [empty(&real, [1]), empty(&real, [3]), empty(&real, [2, count])];
    let loss = match which.loss {
        Loss::Bce => 0,
        Loss::Hinge => 1,
        Loss::RpGan => 2,
        Loss::Wasserstein => 3,
        Loss::Lsgan => unreachable!("only translators have it, whose losses are burn's operations"),
    };
    let numbers = [count as u32, loss, u32::from(which.of_generator), which.smooth.to_bits()];
    launch(Kernel::Loss, [1, 1, 1], &[&real, &fake], &made.each_ref(), &numbers);
    made
}

/// `result = values[first..] * factor * by`.
fn scale(values: &CubeTensor, first: usize, factor: &CubeTensor, by: f32, result: &CubeTensor) {
    let count = count(result);
    launch(
        Kernel::Scale,
        grid(count.div_ceil(256), 1),
        &[values, factor],
        &[result],
        &[count as u32, first as u32, by.to_bits(), 0],
    );
}

/// Values that one workgroup sums.
const RUN: usize = 8192;

/// `by` times the sum of the values, or of their squares.
fn sum_up(x: &CubeTensor, square: bool, by: f32) -> CubeTensor {
    let count = count(x);
    let runs = count.div_ceil(RUN);
    let one = empty(x, [1]);
    let pass =
        |from: &CubeTensor, to: &CubeTensor, count: usize, runs: usize, square: bool, by: f32| {
            let each = count.div_ceil(runs);
            let numbers = [count as u32, each as u32, by.to_bits(), u32::from(!square)];
            launch(Kernel::Squares, [runs as u32, 1, 1], &[from], &[to], &numbers);
        };
    if runs == 1 {
        pass(x, &one, count, 1, square, by);
    } else {
        let sums = empty(x, [runs]);
        pass(x, &sums, count, runs, square, 1.0);
        pass(&sums, &one, runs, 1, false, by);
    }
    one
}

impl Losses for Cube {
    fn loss(real: CubeTensor, fake: CubeTensor, which: Which) -> (CubeTensor, CubeTensor) {
        let [loss, shares, _] = loss(real, fake, which);
        (loss, shares)
    }

    fn squares(x: CubeTensor, by: f32) -> CubeTensor {
        sum_up(&dense(x), true, by)
    }

    fn deviation(x: CubeTensor) -> CubeTensor {
        let x = dense(x);
        let images = x.shape()[0];
        let pixels = count(&x) / images;
        let groups = pixels.div_ceil(64);
        let sums = empty(&x, [groups]);
        launch(
            Kernel::Deviation,
            [groups as u32, 1, 1],
            &[&x],
            &[&sums],
            &[images as u32, pixels as u32],
        );
        sum_up(&sums, false, 1.0 / pixels as f32)
    }

    fn gather(a: CubeTensor, b: CubeTensor, c: CubeTensor, order: Vec<(u32, u32)>) -> CubeTensor {
        let [a, b, c] = [a, b, c].map(contiguous);
        let result = empty(&a, [order.len()]);
        let mut numbers = [0; 10];
        numbers[0] = order.len() as u32;
        for (to, (list, at)) in numbers[1..].iter_mut().zip(&order) {
            *to = list << 16 | at;
        }
        launch(Kernel::Gather, [1, 1, 1], &[&a, &b, &c], &[&result], &numbers);
        result
    }
}

#[derive(Debug)]
struct LossBackward;

impl Backward<Cube, 2> for LossBackward {
    type State = (CubeTensor, [CubeTensor; 2]);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Cube>(&ops.node);
        let (gradients, logits) = ops.state;
        let mut first = 0;
        for (node, logits) in ops.parents.into_iter().zip(logits) {
            if let Some(node) = node {
                let result = empty_like(&contiguous(logits.clone()));
                scale(&gradients, first, &dy, 1.0, &result);
                grads.register::<Cube>(node.id, result);
            }
            first += count(&logits);
        }
    }
}

#[derive(Debug)]
struct SquaresBackward;

impl Backward<Cube, 1> for SquaresBackward {
    type State = (CubeTensor, f32);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Cube>(&ops.node);
        let (x, by) = ops.state;
        let [to_x] = ops.parents;
        if let Some(node) = to_x {
            let result = empty_like(&x);
            scale(&x, 0, &dy, 2.0 * by, &result);
            grads.register::<Cube>(node.id, result);
        }
    }
}

impl<C: CheckpointStrategy> Losses for Autodiff<Cube, C> {
    fn loss(
        real: FloatTensor<Self>,
        fake: FloatTensor<Self>,
        which: Which,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let prepared =
            LossBackward.prepare::<C>([real.node(), fake.node()]).compute_bound().stateful();
        let logits = [real.into_primitive(), fake.into_primitive()];
        let [real, fake] = logits.clone();
        let [value, shares, gradients] = loss(real, fake, which);
        let value = match prepared {
            OpsKind::Tracked(prep) => prep.finish((gradients, logits), value),
            OpsKind::UnTracked(prep) => prep.finish(value),
        };
        (value, Self::from_inner(shares))
    }

    fn squares(x: FloatTensor<Self>, by: f32) -> FloatTensor<Self> {
        let prepared = SquaresBackward.prepare::<C>([x.node()]).compute_bound().stateful();
        let x = dense(x.into_primitive());
        let value = sum_up(&x, true, by);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((x, by), value),
            OpsKind::UnTracked(prep) => prep.finish(value),
        }
    }

    fn deviation(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::from_inner(Cube::deviation(x.into_primitive()))
    }

    fn gather(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        order: Vec<(u32, u32)>,
    ) -> FloatTensor<Self> {
        let [a, b, c] = [a, b, c].map(|t| t.into_primitive());
        Self::from_inner(Cube::gather(a, b, c, order))
    }
}
