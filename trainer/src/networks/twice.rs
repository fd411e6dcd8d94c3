//! A network for two passes of a step, whose gradients are added in one pass over memory.

use models::adjoint::with_weights;
use models::{Sequential, kernels};

use super::spectral;

/// `net` for two passes, both of which must take part in the loss.
pub fn twice(net: Sequential) -> [Sequential; 2] {
    if !spectral::kernels(&net).all(|kernel| kernels::on_cpu(&kernel)) {
        return [net.clone(), net];
    }
    let (first, second) = spectral::kernels(&net)
        .map(|kernel| {
            let [a, b] = kernels::twice(kernel);
            (a, b)
        })
        .unzip();
    [with_weights(&net, first), with_weights(&net, second)]
}
