//! Tensors of a CPU as plain numbers, channels last.
//!
//! Every kernel here reads and writes `[images, rows, columns, channels]`, where a pixel's channels fill registers
//! whatever the picture's size. burn sees the usual shape over these numbers, by strides, so that from one layer to
//! the next nothing is moved.

use std::borrow::Cow;

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};

/// The numbers of a `[n, c, h, w]` tensor, channels last: as they lie, or moved.
pub fn read(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    let last = tensor.permute(&[0, 2, 3, 1]);
    match plain(&last, tensor) {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(last.to_contiguous().storage::<f32>().to_vec()),
    }
}

/// The numbers of a tensor in the order of its shape: as they lie, or moved.
pub fn read_as_is(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    match plain(tensor, tensor) {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(tensor.to_contiguous().storage::<f32>().to_vec()),
    }
}

/// The numbers of `owner`, if they lie in the order of `view`'s shape.
fn plain<'a>(view: &FlexTensor, owner: &'a FlexTensor) -> Option<&'a [f32]> {
    let layout = view.layout();
    let from = layout.start_offset();
    let all: &[f32] = owner.storage();
    layout.is_contiguous().then(|| &all[from..from + layout.num_elements()])
}

/// A `[n, c, h, w]` tensor over numbers that lie channels last.
pub fn tensor(values: Vec<f32>, [n, c, h, w]: [usize; 4]) -> FlexTensor {
    flat(values, [n, h, w, c]).permute(&[0, 3, 1, 2])
}

/// A tensor over numbers in the order of its shape.
pub fn flat<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::new(shape)), DType::F32)
}
