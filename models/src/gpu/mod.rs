//! The layers' kernels on a GPU: WGSL of our own on the client of burn's backend for GPUs.
//!
//! Maps lie channels last behind the usual shapes, as on the CPU, and so do weights once they were updated: nothing is moved
//! from one layer to the next. Every pass of a convolution is a matrix product of one launch, or two where its sum is taken
//! in parts; sums are always added up in the same order, so that a run repeats to the bit on one adapter.

use burn::backend::Cube;
use burn::backend::wgpu::CubeTensor;

use crate::conv::Window;
use crate::kernels::{Adjoints, Bend, Factor, Layers, NormParts, transposed, window};

mod channels;
pub mod conv;
pub mod launch;
mod thin;
pub mod tile;

use conv::Machine;
use launch::{Program, dims, empty, empty_last, grid, last, launch};

/// What a tensor's device takes and needs.
pub(crate) fn machine(tensor: &CubeTensor) -> Machine {
    let hardware = &tensor.client.properties().hardware;
    Machine {
        // A large GPU has about a hundred and thirty cores, of two workgroups each; on others a few more workgroups than needed
        // cost little.
        groups: 264,
        memory: hardware.max_shared_memory_size,
        threads: hardware.max_units_per_cube as usize,
    }
}

/// Adds up the rows of a matrix of `rows` x `columns`.
pub(crate) fn columns(values: &CubeTensor, sums: &CubeTensor, columns: usize, rows: usize) {
    let groups = [columns.div_ceil(16) as u32, 1, 1];
    let numbers = [columns as u32, rows as u32];
    launch(Columns, groups, &[values], &[sums], &numbers);
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Columns;

impl Program for Columns {
    fn name(&self) -> &'static str {
        "columns"
    }

    fn text(&self) -> String {
        include_str!("columns.wgsl").into()
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Fold {
    back: bool,
}

impl Program for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn text(&self) -> String {
        let own = match self.back {
            false => include_str!("fold_forward.wgsl"),
            true => include_str!("fold_backward.wgsl"),
        };
        include_str!("fold.wgsl").to_string() + own
    }
}

fn fold(back: bool, from: &CubeTensor, to: &CubeTensor, three: &CubeTensor) {
    let [out, inner, _, _] = dims(three);
    let strides = three.meta.strides();
    let numbers = [inner, out, strides[0], strides[1], strides[2], strides[3]];
    launch(
        Fold { back },
        grid((inner * out).div_ceil(64), 1),
        &[from],
        &[to],
        &numbers.map(|v| v as u32),
    );
}

/// What brings gradients of the mean over a batch into the range of 16-bit floats: they are of the size of one over its
/// images, and smaller inside a network. A power of two, so that nothing else changes.
fn scale(images: usize, is: Factor) -> f32 {
    match is {
        Factor::Value => 1.0,
        Factor::Gradient => 1024.0 * images.next_power_of_two() as f32,
    }
}

impl Layers for Cube {
    fn conv(x: CubeTensor, weight: CubeTensor, stride: usize, padding: usize) -> CubeTensor {
        let window = window(dims(&x), dims(&weight), stride, padding);
        conv::forward(&window, x, weight, 1.0)
    }

    fn conv_transpose(
        x: CubeTensor,
        weight: CubeTensor,
        stride: usize,
        padding: usize,
    ) -> CubeTensor {
        let window = transposed(dims(&x), dims(&weight), stride, padding);
        conv::data(&window, x, weight, 1.0)
    }

    fn fold(weight: CubeTensor) -> CubeTensor {
        let [out, from, _, _] = dims(&weight);
        let folded = empty_last(&weight, [from, out, 4, 4]);
        fold(false, &weight, &folded, &weight);
        folded
    }

    fn statistics(
        x: CubeTensor,
        mean: CubeTensor,
        variance: CubeTensor,
        momentum: f32,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        channels::statistics(x, [mean, variance], momentum).into()
    }

    fn norm(
        x: CubeTensor,
        statistics: CubeTensor,
        gamma: CubeTensor,
        beta: CubeTensor,
        epsilon: f32,
        slope: f32,
    ) -> CubeTensor {
        channels::norm(NormParts { x, statistics, gamma, beta, epsilon, slope })
    }

    fn bend(x: CubeTensor, bend: Bend) -> CubeTensor {
        channels::bend(x, bend)
    }

    fn unbend(y: CubeTensor, dy: CubeTensor, bend: Bend) -> CubeTensor {
        channels::unbend(y, dy, bend)
    }

    fn add_bias(x: CubeTensor, bias: CubeTensor) -> CubeTensor {
        channels::bend_biased(x, bias, Bend::Leaky(1.0))
    }

    fn bend_biased(x: CubeTensor, bias: CubeTensor, bend: Bend) -> CubeTensor {
        channels::bend_biased(x, bias, bend)
    }
}

impl Adjoints for Cube {
    fn forward(w: &Window, x: CubeTensor, weight: CubeTensor, is: Factor) -> CubeTensor {
        conv::forward(w, x, weight, scale(w.images, is))
    }

    fn data(w: &Window, y: CubeTensor, weight: CubeTensor, is: Factor) -> CubeTensor {
        conv::data(w, y, weight, scale(w.images, is))
    }

    fn weight_gradient(
        w: &Window,
        x: CubeTensor,
        y: CubeTensor,
        [x_is, y_is]: [Factor; 2],
    ) -> CubeTensor {
        let scales = [scale(w.images, y_is), scale(w.images, x_is)];
        conv::weight(w, x, y, scales)
    }

    fn unfold(gradient: CubeTensor) -> CubeTensor {
        let [from, out, _, _] = dims(&gradient);
        let gradient = last(gradient);
        let weight = empty(&gradient, [out, from, 3, 3]);
        fold(true, &gradient, &weight, &weight);
        weight
    }

    fn norm_gradients(parts: NormParts<Cube>, dy: CubeTensor) -> [CubeTensor; 3] {
        channels::norm_gradients(parts, dy)
    }

    fn bias_gradient(dy: CubeTensor) -> CubeTensor {
        channels::bias_gradient(dy)
    }

    fn bend_biased_gradients(y: CubeTensor, dy: CubeTensor, bend: Bend) -> [CubeTensor; 2] {
        channels::bend_biased_gradients(y, dy, bend)
    }
}

/// Number of multiply-adds in a launch of [`peak`] with the given number of rounds.
pub fn peak_work(rounds: u32) -> f64 {
    const VALUES: f64 = 12.0;
    f64::from(rounds) * Peak::REPEATED as f64 * VALUES * f64::from(Peak::GROUPS) * 256.0
}

/// Runs only multiply-adds of 32-bit floats on the device of `like`, for the given number of rounds.
pub fn peak(like: &CubeTensor, rounds: u32) {
    let never = empty(like, [4]);
    let numbers = [0.999f32.to_bits(), 0.001f32.to_bits(), rounds, 0];
    launch(Peak, [Peak::GROUPS, 1, 1], &[], &[&never], &numbers);
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Peak;

impl Peak {
    const GROUPS: u32 = 2048;
    const REPEATED: usize = 32;
}

impl Program for Peak {
    fn name(&self) -> &'static str {
        "peak"
    }

    fn text(&self) -> String {
        let line =
            "        a = fma(a, m, n);\n        b = fma(b, m, n);\n        c = fma(c, m, n);\n";
        include_str!("peak.wgsl").replace("REPEATED", &line.repeat(Peak::REPEATED))
    }
}
