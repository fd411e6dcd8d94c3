//! Activations.

use super::set::{Job, Set};
use crate::op::Activation;

/// Applies an activation to every value.
pub(super) struct Activate<'a>(pub Activation, pub &'a mut [f32]);

impl Job for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        self.0.apply(self.1);
    }
}

/// Applies an activation to the few values of a tile: common ones on the spot, as a call would take
/// longer.
#[inline(always)]
pub(super) fn activate<S: Set, const N: usize>(
    set: S,
    activation: Activation,
    values: &mut [f32; N],
) {
    match activation {
        Activation::None => {}
        Activation::Relu => Activation::Relu.apply(values),
        Activation::LeakyRelu(slope) => Activation::LeakyRelu(slope).apply(values),
        _ => set.call(Activate(activation, values)),
    }
}
