//! ONNX and NumPy arrays.

use runtime::npy::{self, Array};
use runtime::record::Buffer;
use runtime::{Model, onnx as file};

use crate::model::{LIMITS, face};

/// An ONNX file: read, folded, run, written again and read back.
///
/// # Panics
/// If what was written cannot be read.
pub fn onnx(bytes: &[u8]) {
    let Ok(mut graph) = file::read_within(bytes, &LIMITS) else { return };
    graph.fold();
    if graph.check(&LIMITS).is_err() {
        return;
    }
    let Ok(record) = graph.to_record() else { return };
    let record = Buffer::from(record);
    // Weights may be infinite.
    let Ok(model) = Model::parse(record.bytes()) else { return };
    face(&model);
    if let Ok(bytes) = file::write(&graph) {
        file::read(&bytes).expect("it was just written");
    }
}

/// A NumPy array: its values, written and read back.
///
/// # Panics
/// If what was written is not what was read.
pub fn npy(bytes: &[u8]) {
    let Ok(array) = Array::parse(bytes) else { return };
    let values: Vec<f32> = array.values().map(|v| v as f32).collect();
    assert_eq!(values.len(), array.shape.iter().product::<usize>());
    let written = npy::write(&array.shape, values.iter().copied());
    // A header of the file may be longer than those that are read.
    let Ok(again) = Array::parse(&written) else { return };
    assert!(
        again.values().zip(values).all(|(a, b)| (a as f32).to_bits() == b.to_bits() || b.is_nan())
    );
}
