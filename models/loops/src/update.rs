//! Updates of weights in one pass over memory.

use rayon::prelude::*;

use crate::parallel::{self, chunk};

/// Weights per task.
const TASK: usize = 1 << 15;

/// A step of Adam (Kingma and Ba 2015, end of section 2, with the bias corrections folded into
/// `step` and `epsilon`): `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g²`,
/// `w -= step m / (sqrt(v) + epsilon)`.
///
/// All slices have the same length; of longer ones the rest stays as it is.
pub fn adam(
    weight: &mut [f32],
    gradient: &[f32],
    [first, second]: [&mut [f32]; 2],
    step: f32,
    [beta1, beta2]: [f32; 2],
    epsilon: f32,
) {
    let w = weight.par_chunks_mut(TASK).zip(gradient.par_chunks(TASK));
    let moments = first.par_chunks_mut(TASK).zip(second.par_chunks_mut(TASK));
    w.zip(moments).for_each(|((w, g), (m, v))| {
        for ((w, g), (m, v)) in w.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
            *m = *m * beta1 + g * (1.0 - beta1);
            *v = *v * beta2 + g * g * (1.0 - beta2);
            *w -= step * *m / (v.sqrt() + epsilon);
        }
    });
}

/// `average = decay * average + (1 - decay) * new`, for slices of the same length.
pub fn mix(average: &mut [f32], new: &[f32], decay: f32) {
    parallel::chunks(average, TASK, &|i, average| {
        for (average, new) in average.iter_mut().zip(chunk(new, i, TASK)) {
            *average = *average * decay + new * (1.0 - decay);
        }
    });
}
