//! Tensors on a GPU: allocation and memory layout.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::CubeTensor;
use burn::cubecl::zspace::metadata::Metadata;
use burn::tensor::DType;

use super::launch::{Program, grid, launch};
use super::wgsl;

/// An uninitialized tensor of f32 on the device of `like`, in the order of `shape`.
pub fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    let count: usize = shape.iter().product();
    let handle = like.client.empty(count.max(1) * size_of::<f32>());
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape.into(),
        handle,
        DType::F32,
    )
}

/// An uninitialized `[n, c, h, w]` tensor of f32 on the device of `like`, channels last.
pub fn empty_channels_last(like: &CubeTensor, [n, c, h, w]: [usize; 4]) -> CubeTensor {
    let mut tensor = empty(like, [n, h, w, c]);
    *tensor.meta = channels_last_layout([n, c, h, w]);
    tensor
}

fn channels_last_layout([n, c, h, w]: [usize; 4]) -> Metadata {
    Metadata::new([n, c, h, w], [h * w * c, 1, w * c, c])
}

/// The shape of a tensor with four axes.
pub fn dims(tensor: &CubeTensor) -> [usize; 4] {
    tensor.shape().dims()
}

/// Whether a tensor has these strides, apart from axes of length 1.
fn has_strides(tensor: &CubeTensor, strides: &[usize]) -> bool {
    let shape = tensor.meta.shape();
    let own = tensor.meta.strides();
    (0..strides.len()).all(|i| shape[i] == 1 || own[i] == strides[i])
}

/// Whether a `[n, c, h, w]` tensor is channels last and has no gaps.
pub fn is_channels_last(tensor: &CubeTensor) -> bool {
    let [_, c, h, w] = dims(tensor);
    has_strides(tensor, &[h * w * c, 1, w * c, c])
}

/// A `[n, c, h, w]` tensor in channels-last order without gaps, copied if it is not.
pub fn channels_last(tensor: CubeTensor) -> CubeTensor {
    if is_channels_last(&tensor) {
        return tensor;
    }
    let shape @ [n, c, h, w] = dims(&tensor);
    let to = empty_channels_last(&tensor, shape);
    let strides = tensor.meta.strides();
    let strides = [strides[0], strides[2], strides[3], strides[1]];
    relayout(&tensor, &to, [n, h, w, c], strides);
    to
}

/// A tensor in the order of its shape without gaps, copied if it is not.
pub fn contiguous(tensor: CubeTensor) -> CubeTensor {
    if tensor.is_contiguous() {
        return tensor;
    }
    let rank = tensor.meta.num_dims();
    let (mut shape, mut strides) = ([1; 4], [0; 4]);
    assert!(rank <= 4, "tensors of layers have at most four axes");
    for i in 0..rank {
        shape[4 - rank + i] = tensor.meta.shape()[i];
        strides[4 - rank + i] = tensor.meta.strides()[i];
    }
    let handle = empty(&tensor, shape).handle;
    let to = CubeTensor::new_contiguous(
        tensor.client.clone(),
        tensor.device.clone(),
        tensor.shape(),
        handle,
        DType::F32,
    );
    relayout(&tensor, &to, shape, strides);
    to
}

/// Whether two tensors of one shape have the same layout without gaps, so that an index means the
/// same in both.
pub fn same_layout(a: &CubeTensor, b: &CubeTensor) -> bool {
    let rank = a.meta.num_dims();
    let shape = a.meta.shape();
    let (x, y) = (a.meta.strides(), b.meta.strides());
    let same = (0..rank).all(|i| shape[i] == 1 || x[i] == y[i]);
    let dense = a.is_contiguous() || (rank == 4 && is_channels_last(a));
    same && dense
}

/// A tensor without gaps, channels last or in the order of its shape, copied if it has any.
pub fn dense(tensor: CubeTensor) -> CubeTensor {
    match tensor.meta.num_dims() == 4 && is_channels_last(&tensor) {
        true => tensor,
        false => contiguous(tensor),
    }
}

/// An uninitialized tensor in the layout of `like`, which must not have gaps.
pub fn empty_like(like: &CubeTensor) -> CubeTensor {
    let mut tensor = empty(like, [like.shape().num_elements()]);
    tensor.meta = like.meta.clone();
    tensor
}

/// `from` in the order of `like`, a tensor of the same shape that is [`dense`].
pub fn in_layout_of(from: CubeTensor, like: &CubeTensor) -> CubeTensor {
    match from.meta.num_dims() == 4 && is_channels_last(like) && !like.is_contiguous() {
        true => channels_last(from),
        false => contiguous(from),
    }
}

/// Threads of a workgroup.
const THREADS: usize = 256;

/// Copies `from` into `to`, a tensor without gaps whose axes are `shape`, of which `from` has these
/// strides.
fn relayout(from: &CubeTensor, to: &CubeTensor, shape: [usize; 4], strides: [usize; 4]) {
    let count: usize = shape.iter().product();
    let params =
        [count].into_iter().chain(shape[1..].iter().copied()).chain(strides).map(|v| v as u32);
    let params: Vec<u32> = params.collect();
    launch(Relayout, grid(count.div_ceil(THREADS), 1), &[from], &[to], &params);
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Relayout;

impl Program for Relayout {
    fn name(&self) -> &'static str {
        "relayout"
    }

    fn text(&self) -> String {
        wgsl::bindings(&[("input", "f32"), ("output", "f32")])
            + include_str!("relayout.wgsl")
            + &wgsl::per_value(THREADS)
    }
}
