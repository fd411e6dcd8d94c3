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

/// An activation of the few values of a tile: common ones on the spot, as a call would take longer.
#[inline(always)]
pub(super) fn activated<S: Set, const N: usize>(
    set: S,
    activation: Activation,
    values: [f32; N],
) -> [f32; N] {
    let mut to = [0.0; N];
    match activation {
        Activation::None => return values,
        Activation::Relu => {
            for i in 0..N {
                to[i] = if values[i] > 0.0 { values[i] } else { 0.0 };
            }
        }
        Activation::LeakyRelu(slope) if slope <= 1.0 => {
            for i in 0..N {
                let other = slope * values[i];
                to[i] = if values[i] > other { values[i] } else { other };
            }
        }
        _ => {
            // A copy: only this case needs the values in memory.
            to = values;
            set.call(Activate(activation, &mut to));
        }
    }
    to
}
