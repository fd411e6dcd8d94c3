//! Batch norm, biases and activations on a GPU: kernels over the channels of maps that lie channels last.

use burn::backend::wgpu::CubeTensor;

use super::launch::{Program, as_lies, contiguous, dims, empty, empty_last, last, launch};
use crate::kernels::{Bend, NormParts};

/// Which kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Moments,
    MomentsFinish,
    NormForward,
    NormSums,
    NormFinish,
    NormBackward,
    BiasForward,
    BiasBackward,
    Sums,
    Bend,
    Unbend,
}

/// A kernel whose values are vectors of four channels, or single channels.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Channels {
    kind: Kind,
    vectors: bool,
    lanes: usize,
}

impl Program for Channels {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Moments => "moments",
            Kind::MomentsFinish => "moments finish",
            Kind::NormForward => "norm forward",
            Kind::NormSums => "norm sums",
            Kind::NormFinish => "norm finish",
            Kind::NormBackward => "norm backward",
            Kind::BiasForward => "bias forward",
            Kind::BiasBackward => "bias backward",
            Kind::Sums => "sums",
            Kind::Bend => "bend",
            Kind::Unbend => "unbend",
        }
    }

    fn text(&self) -> String {
        let ty = if self.vectors { "vec4<f32>" } else { "f32" };
        let head = format!("alias Value = {ty};\nconst LANES = {}u;\n", self.lanes);
        let own = match self.kind {
            Kind::Moments => include_str!("moments.wgsl"),
            Kind::MomentsFinish => include_str!("moments_finish.wgsl"),
            Kind::NormForward => include_str!("norm_forward.wgsl"),
            Kind::NormSums => include_str!("norm_sums.wgsl"),
            Kind::NormFinish => include_str!("norm_finish.wgsl"),
            Kind::NormBackward => include_str!("norm_backward.wgsl"),
            Kind::BiasForward => include_str!("bias_forward.wgsl"),
            Kind::BiasBackward => include_str!("bias_backward.wgsl"),
            Kind::Sums => include_str!("sums.wgsl"),
            Kind::Bend => include_str!("bend.wgsl"),
            Kind::Unbend => include_str!("unbend.wgsl"),
        };
        head + include_str!("channels.wgsl") + own
    }
}

/// Threads of a workgroup.
const THREADS: usize = 256;
/// Values that a thread has of a run, at least: fewer do not pay for a workgroup.
const SHORT: usize = 4;
/// Runs whose sums are added up, at most.
const PARTS: usize = 256;

/// A map as the kernels see it.
struct Map {
    pixels: usize,
    vectors: usize,
    wide: bool,
    lanes: usize,
}

/// The numbers that not every kernel has.
#[derive(Clone, Copy, Default)]
struct Extra {
    epsilon: f32,
    slope: f32,
    momentum: f32,
    tanh: bool,
}

impl Extra {
    fn bend(bend: Bend) -> Extra {
        match bend {
            Bend::Leaky(slope) => Extra { slope, ..Extra::default() },
            Bend::Tanh => Extra { tanh: true, ..Extra::default() },
        }
    }
}

impl Map {
    fn of(x: &CubeTensor) -> Map {
        let [n, c, h, w] = dims(x);
        Map::new(n * h * w, c)
    }

    fn new(pixels: usize, channels: usize) -> Map {
        let wide = channels.is_multiple_of(4);
        let vectors = if wide { channels / 4 } else { channels };
        Map { pixels, vectors, wide, lanes: vectors.next_power_of_two().min(32) }
    }

    /// A list of numbers.
    fn flat(count: usize) -> Map {
        let wide = count.is_multiple_of(4);
        Map { pixels: if wide { count / 4 } else { count }, vectors: 1, wide, lanes: 1 }
    }

    /// Pixels of a run where there are at most `parts` of them.
    fn each(&self, parts: usize) -> usize {
        let rows = THREADS / self.lanes;
        self.pixels.div_ceil(parts.max(1)).max(SHORT * rows).next_multiple_of(rows)
    }

    fn blocks(&self) -> usize {
        self.vectors.div_ceil(self.lanes)
    }

    /// Runs of a kernel that adds up.
    fn runs(&self) -> (usize, usize) {
        let each = self.each(1024usize.div_ceil(self.blocks()).min(PARTS));
        (each, self.pixels.div_ceil(each))
    }

    fn run(
        &self,
        kind: Kind,
        (each, parts): (usize, usize),
        tensors: (&[&CubeTensor], &[&CubeTensor]),
        extra: Extra,
    ) {
        // What finishes runs goes over them with fewer channels side by side.
        let finishes = matches!(kind, Kind::MomentsFinish | Kind::NormFinish);
        let lanes = if finishes { self.lanes.min(16) } else { self.lanes };
        let program = Channels { kind, vectors: self.wide, lanes };
        let blocks = self.vectors.div_ceil(lanes) as u32;
        let groups = match finishes {
            true => [blocks, 1, 1],
            false => [self.pixels.div_ceil(each) as u32, blocks, 1],
        };
        let numbers = [
            self.pixels as u32,
            self.vectors as u32,
            each as u32,
            parts as u32,
            extra.epsilon.to_bits(),
            extra.slope.to_bits(),
            extra.momentum.to_bits(),
            u32::from(extra.tanh),
        ];
        launch(program, groups, tensors.0, tensors.1, &numbers);
    }

    /// A kernel that makes a map of a map.
    fn apply(&self, kind: Kind, reads: &[&CubeTensor], write: &CubeTensor, extra: Extra) {
        // Runs that keep the number of workgroups below what a dispatch may have.
        let each = self.each(8192usize.div_ceil(self.blocks()));
        self.run(kind, (each, 0), (reads, &[write]), extra);
    }

    /// Sums of runs, added up.
    fn add_up(&self, parts: &CubeTensor, count: usize, channels: usize) -> CubeTensor {
        let sums = empty(parts, [channels]);
        super::columns(parts, &sums, channels, count);
        sums
    }
}

/// See [`Layers::statistics`](crate::kernels::Layers::statistics).
pub fn statistics(x: CubeTensor, running: [CubeTensor; 2], momentum: f32) -> [CubeTensor; 3] {
    let x = last(x);
    let [mean, variance] = running.map(contiguous);
    let map = Map::of(&x);
    let channels = dims(&x)[1];
    let runs @ (_, parts) = map.runs();
    let sums = empty(&x, [parts, 2, channels]);
    map.run(Kind::Moments, runs, (&[&x], &[&sums]), Extra::default());
    let made = [empty(&x, [2 * channels]), empty(&x, [channels]), empty(&x, [channels])];
    let extra = Extra { momentum, ..Extra::default() };
    map.run(Kind::MomentsFinish, runs, (&[&sums, &mean, &variance], &made.each_ref()), extra);
    made
}

fn norm_extra<B: burn::backend::Backend>(parts: &NormParts<B>) -> Extra {
    Extra { epsilon: parts.epsilon, slope: parts.slope, ..Extra::default() }
}

/// See [`Layers::norm`](crate::kernels::Layers::norm).
pub fn norm(parts: NormParts<burn::backend::Cube>) -> CubeTensor {
    let extra = norm_extra(&parts);
    let x = last(parts.x);
    let [statistics, gamma, beta] = [parts.statistics, parts.gamma, parts.beta].map(contiguous);
    let y = empty_last(&x, dims(&x));
    Map::of(&x).apply(Kind::NormForward, &[&x, &statistics, &gamma, &beta], &y, extra);
    y
}

/// The gradients by `x`, `gamma` and `beta`.
pub fn norm_gradients(parts: NormParts<burn::backend::Cube>, dy: CubeTensor) -> [CubeTensor; 3] {
    let extra = norm_extra(&parts);
    let [x, dy] = [parts.x, dy].map(last);
    let [statistics, gamma, beta] = [parts.statistics, parts.gamma, parts.beta].map(contiguous);
    let map = Map::of(&x);
    let channels = dims(&x)[1];
    let runs @ (_, count) = map.runs();
    let sums = empty(&x, [count, 2, channels]);
    map.run(Kind::NormSums, runs, (&[&x, &dy, &statistics, &gamma, &beta], &[&sums]), extra);
    let by = [empty(&x, [channels]), empty(&x, [channels])];
    map.run(Kind::NormFinish, runs, (&[&sums, &statistics], &by.each_ref()), extra);
    let dx = empty_last(&x, dims(&x));
    let [by_gamma, by_beta] = by;
    map.apply(
        Kind::NormBackward,
        &[&x, &dy, &statistics, &gamma, &beta, &by_gamma, &by_beta],
        &dx,
        extra,
    );
    [dx, by_gamma, by_beta]
}

/// See [`Layers::bend_biased`](crate::kernels::Layers::bend_biased).
pub fn bend_biased(x: CubeTensor, bias: CubeTensor, bend: Bend) -> CubeTensor {
    let (x, bias) = (last(x), contiguous(bias));
    let y = empty_last(&x, dims(&x));
    Map::of(&x).apply(Kind::BiasForward, &[&x, &bias], &y, Extra::bend(bend));
    y
}

/// The gradients by `x` and the bias.
pub fn bend_biased_gradients(y: CubeTensor, dy: CubeTensor, bend: Bend) -> [CubeTensor; 2] {
    let [y, dy] = [y, dy].map(last);
    let map = Map::of(&y);
    let channels = dims(&y)[1];
    let runs @ (_, count) = map.runs();
    let (dx, sums) = (empty_last(&y, dims(&y)), empty(&y, [count, channels]));
    map.run(Kind::BiasBackward, runs, (&[&y, &dy], &[&dx, &sums]), Extra::bend(bend));
    let bias = map.add_up(&sums, count, channels);
    [dx, bias]
}

/// The sums over all but the channels.
pub fn bias_gradient(dy: CubeTensor) -> CubeTensor {
    let dy = last(dy);
    let map = Map::of(&dy);
    let channels = dims(&dy)[1];
    let runs @ (_, count) = map.runs();
    let sums = empty(&dy, [count, channels]);
    map.run(Kind::Sums, runs, (&[&dy], &[&sums]), Extra::default());
    map.add_up(&sums, count, channels)
}

/// See [`Layers::bend`](crate::kernels::Layers::bend).
pub fn bend(x: CubeTensor, bend: Bend) -> CubeTensor {
    let x = last(x);
    let shape = dims(&x);
    let y = empty_last(&x, shape);
    let map = Map::flat(shape.iter().product());
    map.apply(Kind::Bend, &[&x], &y, Extra::bend(bend));
    y
}

/// See [`Layers::unbend`](crate::kernels::Layers::unbend).
pub fn unbend(y: CubeTensor, dy: CubeTensor, bend: Bend) -> CubeTensor {
    let y = last(y);
    let dy = as_lies(dy, &y);
    let shape = dims(&y);
    let dx = empty_last(&y, shape);
    let map = Map::flat(shape.iter().product());
    map.apply(Kind::Unbend, &[&y, &dy], &dx, Extra::bend(bend));
    dx
}
