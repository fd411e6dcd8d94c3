//! Kernels over the channels of feature maps in channels-last order: batch norm, biases,
//! activations.

pub mod activation;
pub mod norm;

use burn::backend::wgpu::CubeTensor;
use loops::Function;

use super::column_sums::column_sums;
use super::launch::{Program, launch};
use super::tensor::{dims, empty};
use super::wgsl;

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
    ActivationForward,
    ActivationBackward,
}

/// What tells one kernel from another.
struct Source {
    name: &'static str,
    /// Inputs, then outputs.
    buffers: &'static [&'static str],
    text: &'static str,
}

impl Kind {
    fn source(self) -> Source {
        let (name, buffers, text): (_, &[&str], _) = match self {
            Kind::Moments => ("moments", &["x", "parts"], include_str!("moments.wgsl")),
            Kind::MomentsFinish => (
                "moments finish",
                &["parts", "old_mean", "old_variance", "statistics", "mean", "variance"],
                include_str!("moments_finish.wgsl"),
            ),
            Kind::NormForward => (
                "norm forward",
                &["x", "statistics", "gamma", "beta", "y"],
                include_str!("norm_forward.wgsl"),
            ),
            Kind::NormSums => (
                "norm sums",
                &["x", "dy", "statistics", "gamma", "beta", "parts"],
                include_str!("norm_sums.wgsl"),
            ),
            Kind::NormFinish => (
                "norm finish",
                &["parts", "statistics", "by_gamma", "by_beta"],
                include_str!("norm_finish.wgsl"),
            ),
            Kind::NormBackward => (
                "norm backward",
                &["x", "dy", "statistics", "gamma", "beta", "by_gamma", "by_beta", "dx"],
                include_str!("norm_backward.wgsl"),
            ),
            Kind::BiasForward => {
                ("bias forward", &["x", "bias", "y"], include_str!("bias_forward.wgsl"))
            }
            Kind::BiasBackward => {
                ("bias backward", &["y", "dy", "dx", "parts"], include_str!("bias_backward.wgsl"))
            }
            Kind::Sums => ("sums", &["x", "parts"], include_str!("sums.wgsl")),
            Kind::ActivationForward => {
                ("activation forward", &["x", "y"], include_str!("activation_forward.wgsl"))
            }
            Kind::ActivationBackward => (
                "activation backward",
                &["y", "dy", "dx"],
                include_str!("activation_backward.wgsl"),
            ),
        };
        Source { name, buffers, text }
    }
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
        self.kind.source().name
    }

    fn text(&self) -> String {
        let source = self.kind.source();
        let buffers: Vec<_> = source.buffers.iter().map(|name| (*name, "Value")).collect();
        format!("{}const LANES = {}u;\n", wgsl::value_alias(self.vectors), self.lanes)
            + &wgsl::bindings(&buffers)
            + include_str!("channels.wgsl")
            + source.text
            + &wgsl::per_group(THREADS)
    }
}

/// Threads of a workgroup.
const THREADS: usize = 256;
/// Least values of a run per thread: fewer are not worth a workgroup.
const SHORT: usize = 4;
/// Most runs whose sums are added up.
const PARTS: usize = 256;

/// A feature map as the kernels see it.
struct Map {
    pixels: usize,
    vectors: usize,
    wide: bool,
    lanes: usize,
}

/// The parameters that only some kernels have.
#[derive(Clone, Copy, Default)]
struct Extra {
    epsilon: f32,
    slope: f32,
    momentum: f32,
    tanh: bool,
}

impl Extra {
    /// The parameters of a function; `None` for those that have no kernel here.
    fn function(function: Function) -> Option<Extra> {
        match function {
            Function::Relu => Some(Extra::default()),
            Function::LeakyRelu(slope) => Some(Extra { slope, ..Extra::default() }),
            Function::Tanh => Some(Extra { tanh: true, ..Extra::default() }),
            Function::Sigmoid => None,
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

    /// A list of values.
    fn flat(count: usize) -> Map {
        let wide = count.is_multiple_of(4);
        Map { pixels: if wide { count / 4 } else { count }, vectors: 1, wide, lanes: 1 }
    }

    /// Pixels of a run if there are at most `parts` of them.
    fn each(&self, parts: usize) -> usize {
        let rows = THREADS / self.lanes;
        self.pixels.div_ceil(parts.max(1)).max(SHORT * rows).next_multiple_of(rows)
    }

    fn blocks(&self) -> usize {
        self.vectors.div_ceil(self.lanes)
    }

    /// Pixels of a run, and how many runs, for a kernel that sums.
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
        // Kernels that merge runs have more rows and fewer channels side by side.
        let finishes = matches!(kind, Kind::MomentsFinish | Kind::NormFinish);
        let lanes = if finishes { self.lanes.min(16) } else { self.lanes };
        let program = Channels { kind, vectors: self.wide, lanes };
        let blocks = self.vectors.div_ceil(lanes) as u32;
        let groups = match finishes {
            true => [blocks, 1, 1],
            false => [self.pixels.div_ceil(each) as u32, blocks, 1],
        };
        let params = [
            self.pixels as u32,
            self.vectors as u32,
            each as u32,
            parts as u32,
            extra.epsilon.to_bits(),
            extra.slope.to_bits(),
            extra.momentum.to_bits(),
            u32::from(extra.tanh),
        ];
        launch(program, groups, tensors.0, tensors.1, &params);
    }

    /// Runs a kernel that maps feature maps to one of the same size.
    fn apply(&self, kind: Kind, reads: &[&CubeTensor], write: &CubeTensor, extra: Extra) {
        // Runs long enough to keep the number of workgroups below the limit of a dispatch.
        let each = self.each(8192usize.div_ceil(self.blocks()));
        self.run(kind, (each, 0), (reads, &[write]), extra);
    }

    /// Adds up the sums of `count` runs.
    fn add_up(&self, parts: &CubeTensor, count: usize, channels: usize) -> CubeTensor {
        let sums = empty(parts, [channels]);
        column_sums(parts, &sums, channels, count);
        sums
    }
}
