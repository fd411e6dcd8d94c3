//! Batch norm with the rectifier that follows it.

use burn::backend::Cube;
use burn::backend::wgpu::CubeTensor;

use super::{Extra, Kind, Map};
use crate::gpu::tensor::{channels_last, contiguous, dims, empty, empty_channels_last};
use crate::kernels::NormParts;

/// See [`Kernels::statistics`](crate::kernels::Kernels::statistics).
pub fn statistics(x: CubeTensor, running: [CubeTensor; 2], momentum: f32) -> [CubeTensor; 3] {
    let x = channels_last(x);
    let [mean, variance] = running.map(contiguous);
    let map = Map::of(&x);
    let channels = dims(&x)[1];
    let runs @ (_, parts) = map.runs();
    let sums = empty(&x, [parts, 2, channels]);
    map.run(Kind::Moments, runs, (&[&x], &[&sums]), Extra::default());
    let results = [empty(&x, [2 * channels]), empty(&x, [channels]), empty(&x, [channels])];
    let extra = Extra { momentum, ..Extra::default() };
    map.run(Kind::MomentsFinish, runs, (&[&sums, &mean, &variance], &results.each_ref()), extra);
    results
}

fn extra(parts: &NormParts<Cube>) -> Extra {
    Extra { epsilon: parts.epsilon, slope: parts.slope, ..Extra::default() }
}

/// See [`Kernels::norm`](crate::kernels::Kernels::norm).
pub fn forward(parts: NormParts<Cube>) -> CubeTensor {
    let extra = extra(&parts);
    let x = channels_last(parts.x);
    let [statistics, gamma, beta] = [parts.statistics, parts.gamma, parts.beta].map(contiguous);
    let y = empty_channels_last(&x, dims(&x));
    Map::of(&x).apply(Kind::NormForward, &[&x, &statistics, &gamma, &beta], &y, extra);
    y
}

/// The gradients by `x`, `gamma` and `beta`.
pub fn backward(parts: NormParts<Cube>, dy: CubeTensor) -> [CubeTensor; 3] {
    let extra = extra(&parts);
    let [x, dy] = [parts.x, dy].map(channels_last);
    let [statistics, gamma, beta] = [parts.statistics, parts.gamma, parts.beta].map(contiguous);
    let map = Map::of(&x);
    let channels = dims(&x)[1];
    let runs @ (_, count) = map.runs();
    let sums = empty(&x, [count, 2, channels]);
    map.run(Kind::NormSums, runs, (&[&x, &dy, &statistics, &gamma, &beta], &[&sums]), extra);
    let by = [empty(&x, [channels]), empty(&x, [channels])];
    map.run(Kind::NormFinish, runs, (&[&sums, &statistics], &by.each_ref()), extra);
    let dx = empty_channels_last(&x, dims(&x));
    let [by_gamma, by_beta] = by;
    map.apply(
        Kind::NormBackward,
        &[&x, &dy, &statistics, &gamma, &beta, &by_gamma, &by_beta],
        &dx,
        extra,
    );
    [dx, by_gamma, by_beta]
}
