//! Adam, and the average of weights, as one pass over memory.
//!
//! burn's own Adam is the same formula in fifteen passes, each into new memory; with a few million
//! weights and small batches they take longer than the convolutions. Its state is stored as burn
//! stores it, so that a checkpoint does not depend on which of the two wrote it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, Flex, backend_extension};
use burn::optim::{
    Adam as Generic, AdamConfig, AdamState, LearningRate, Optimizer, RecordState, StateSink,
    StateSource,
};
use burn::tensor::{Device, Tensor};
use burn_flex::FlexTensor;
use models::flex::update;

/// Adam (Kingma and Ba 2015, algorithm 1).
#[derive(Clone)]
pub struct Adam {
    beta1: f32,
    beta2: Decay,
}

/// The decay rate of the second moment, which may change from step to step. Clones share it.
#[derive(Clone)]
pub struct Decay(Arc<AtomicU32>);

impl Decay {
    /// A rate in [0, 1).
    pub fn new(rate: f64) -> Decay {
        Decay(Arc::new(AtomicU32::new((rate as f32).to_bits())))
    }

    /// From the next step on.
    pub fn set(&self, rate: f64) {
        self.0.store((rate as f32).to_bits(), Ordering::Relaxed);
    }

    fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// The paper's value; burn's default is 1e-5.
const EPSILON: f32 = 1e-8;

impl Adam {
    /// With decay rates of the two moments.
    pub fn new(beta1: f64, beta2: Decay) -> Adam {
        let beta1 = beta1 as f32;
        Adam { beta1, beta2 }
    }

    fn generic(&self) -> Generic {
        AdamConfig::new()
            .with_beta_1(self.beta1)
            .with_beta_2(self.beta2.get())
            .with_epsilon(EPSILON)
            .build()
    }
}

/// The moments of a weight. burn restores an optimizer on its default device: in a program with a
/// GPU that would load Vulkan for a run on the CPU. These are restored on the CPU, and the next
/// step moves them to their weight's device.
#[derive(Clone)]
pub struct Moments<const D: usize>(AdamState<D>);

impl<const D: usize> RecordState for Moments<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, _: &Device) -> Option<Self> {
        AdamState::state_unflatten(prefix, src, &Device::flex()).map(Moments)
    }
}

impl Optimizer for Adam {
    type State<const D: usize> = Moments<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Moments<D>>,
    ) -> (Tensor<D>, Option<Moments<D>>) {
        let state = match state {
            Some(Moments(state)) if takes(&weight) => state,
            // Other devices, and the first step, which makes the state.
            state => {
                let state = state.map(|Moments(state)| state);
                let (weight, state) = self.generic().step(lr, weight, gradient, state);
                return (weight, state.map(Moments));
            }
        };
        let mut moments = state.momentum;
        moments.time += 1;
        let betas @ [beta1, beta2] = [self.beta1, self.beta2.get()];
        let time = moments.time as i32;
        let root = (1.0 - beta2.powi(time)).sqrt();
        let rates = Rates {
            step: lr as f32 * root / (1.0 - beta1.powi(time)),
            betas,
            epsilon: EPSILON * root,
        };
        let (weight, first, second) = <Dispatch as Passes>::adam(
            weight.into_dispatch(),
            gradient.into_dispatch(),
            moments.moment_1.into_dispatch(),
            moments.moment_2.into_dispatch(),
            rates,
        );
        moments.moment_1 = Tensor::from_dispatch(first);
        moments.moment_2 = Tensor::from_dispatch(second);
        let state = Moments(AdamState::new(moments));
        (Tensor::from_dispatch(weight), Some(state))
    }

    fn to_device<const D: usize>(Moments(state): Moments<D>, device: &Device) -> Moments<D> {
        Moments(Generic::to_device(state, device))
    }
}

/// `decay * average + (1 - decay) * new`.
pub fn mix<const D: usize>(average: Tensor<D>, new: Tensor<D>, decay: f64) -> Tensor<D> {
    if !takes(&average) {
        return average.mul_scalar(decay) + new.mul_scalar(1.0 - decay);
    }
    let (average, new) = (average.into_dispatch(), new.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Passes>::mix(average, new, decay as f32))
}

fn takes<const D: usize>(tensor: &Tensor<D>) -> bool {
    models::kernels::supports(tensor)
}

/// A step's constants, with the bias corrections folded in.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// The learning rate.
    pub(crate) step: f32,
    /// Decay of both moments.
    pub(crate) betas: [f32; 2],
    /// Added to the root of the second.
    pub(crate) epsilon: f32,
}

/// Operations on every weight in one pass.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"))]
pub trait Passes: burn::backend::Backend {
    /// Weight, first and second moment after a step.
    fn adam(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        rates: Rates,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// `decay * average + (1 - decay) * new`.
    fn mix(average: FloatTensor<Self>, new: FloatTensor<Self>, decay: f32) -> FloatTensor<Self>;
}

impl Passes for Flex {
    fn adam(
        weight: FlexTensor,
        gradient: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        rates: Rates,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [mut weight, gradient, mut first, mut second] =
            [weight, gradient, first, second].map(|t| t.to_contiguous());
        let moments = [first.storage_mut(), second.storage_mut()];
        let Rates { step, betas, epsilon } = rates;
        update::adam(weight.storage_mut(), gradient.storage(), moments, step, betas, epsilon);
        (weight, first, second)
    }

    fn mix(average: FlexTensor, new: FlexTensor, decay: f32) -> FlexTensor {
        let [mut average, new] = [average, new].map(|t| t.to_contiguous());
        update::mix(average.storage_mut(), new.storage(), decay);
        average
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn it_is_burns() {
        let device = Device::flex();
        let random = || Tensor::<2>::random([7, 33], Distribution::Normal(0.0, 1.0), &device);
        let adam = Adam::new(0.5, Decay::new(0.999));
        let first = random();
        let (mut own, mut theirs) = ((first.clone(), None), (first, None));
        for step in 0..20 {
            let gradient = random() * 0.1f32.powi(step % 4);
            own = adam.step(2e-4, own.0, gradient.clone(), own.1);
            theirs = adam.generic().step(2e-4, theirs.0, gradient, theirs.1);
            let off = (own.0.clone() - theirs.0.clone()).abs().max();
            let off = off.into_scalar::<f32>();
            assert!(off < 1e-6, "step {step}: off by {off}");
        }
        assert_eq!(own.1.unwrap().0.momentum.time, 20);
    }

    #[test]
    fn a_mixture() {
        let device = Device::flex();
        let a = Tensor::<1>::from_floats([1.0, -2.0, 8.0], &device);
        let b = Tensor::<1>::from_floats([3.0, 2.0, 0.0], &device);
        let kept = a.clone();
        let mixed: Vec<f32> = mix(a, b, 0.75).into_data().try_to_vec().unwrap();
        assert_eq!(mixed, [1.5, -1.0, 6.0]);
        let kept: Vec<f32> = kept.into_data().try_to_vec().unwrap();
        assert_eq!(kept, [1.0, -2.0, 8.0], "other holders keep their values");
    }
}
