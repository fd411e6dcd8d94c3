//! The weight of a doubling convolution as that of a transposed convolution, and the gradient back.

use burn::backend::wgpu::CubeTensor;

use super::launch::{Program, grid, launch};
use super::tensor::{channels_last, dims, empty, empty_channels_last};
use super::wgsl;

/// Threads of a workgroup.
const THREADS: usize = 64;

/// See [`Kernels::resize_weight`](crate::kernels::Kernels::resize_weight).
pub fn forward(weight: CubeTensor) -> CubeTensor {
    let [out, from, _, _] = dims(&weight);
    let resized = empty_channels_last(&weight, [from, out, 4, 4]);
    run(false, &weight, &resized, &weight);
    resized
}

/// See [`Adjoints::resize_weight_backward`](crate::kernels::Adjoints::resize_weight_backward).
pub fn backward(gradient: CubeTensor) -> CubeTensor {
    let [from, out, _, _] = dims(&gradient);
    let gradient = channels_last(gradient);
    let weight = empty(&gradient, [out, from, 3, 3]);
    run(true, &gradient, &weight, &weight);
    weight
}

/// `three` is the one of the two with a kernel of 3, which may have any strides.
fn run(backward: bool, from: &CubeTensor, to: &CubeTensor, three: &CubeTensor) {
    let [out, inner, _, _] = dims(three);
    let strides = three.meta.strides();
    let params = [inner, out, strides[0], strides[1], strides[2], strides[3]];
    launch(
        Resize { backward },
        grid((inner * out).div_ceil(THREADS), 1),
        &[from],
        &[to],
        &params.map(|v| v as u32),
    );
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Resize {
    backward: bool,
}

impl Program for Resize {
    fn name(&self) -> &'static str {
        "resize weight"
    }

    fn text(&self) -> String {
        let (input, own) = match self.backward {
            false => ("weight", include_str!("resize_forward.wgsl")),
            true => ("gradient", include_str!("resize_backward.wgsl")),
        };
        wgsl::bindings(&[(input, "f32"), ("result", "f32")])
            + include_str!("resize.wgsl")
            + own
            + &wgsl::per_value(THREADS)
    }
}
