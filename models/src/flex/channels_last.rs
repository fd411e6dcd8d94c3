//! burn's CPU tensors as slices, channels last.
//!
//! Every kernel reads and writes `[n, h, w, c]`, where the channels of a pixel fill registers
//! whatever the size of the image. burn sees the usual shape over these values, by strides, so that
//! nothing is moved between two layers.

use std::borrow::Cow;

use burn::backend::TensorMetadata;
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use loops::layout::interleaved;

/// The values of a `[n, c, h, w]` tensor, in channels-last order: borrowed if stored so, else
/// copied.
pub fn read(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    let last = tensor.permute(&[0, 2, 3, 1]);
    match (contiguous(&last, tensor), contiguous(tensor, tensor)) {
        (Some(values), _) => Cow::Borrowed(values),
        // Images as a data set has them.
        (None, Some(planes)) => {
            let [n, c, h, w] = tensor.shape().dims();
            Cow::Owned(interleaved(planes, [n, c, h * w]))
        }
        (None, None) => Cow::Owned(last.to_contiguous().storage::<f32>().to_vec()),
    }
}

/// The values of a tensor in the order of its shape: borrowed if stored so, else copied.
pub fn read_as_is(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    match contiguous(tensor, tensor) {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(tensor.to_contiguous().storage::<f32>().to_vec()),
    }
}

/// The values of `owner`, if they are stored in the order of `view`'s shape.
fn contiguous<'a>(view: &FlexTensor, owner: &'a FlexTensor) -> Option<&'a [f32]> {
    let layout = view.layout();
    let from = layout.start_offset();
    let all: &[f32] = owner.storage();
    layout.is_contiguous().then(|| &all[from..from + layout.num_elements()])
}

/// A `[n, c, h, w]` tensor over values in channels-last order.
pub fn tensor(values: Vec<f32>, [n, c, h, w]: [usize; 4]) -> FlexTensor {
    flat(values, [n, h, w, c]).permute(&[0, 3, 1, 2])
}

/// A tensor over values in the order of its shape.
pub fn flat<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::new(shape)), DType::F32)
}
