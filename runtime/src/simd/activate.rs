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
