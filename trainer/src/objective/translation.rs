//! What the objectives that turn images into images have in common: images as tensors, and how far
//! edges move.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use quality::{Pictures, edges};

use super::gan::deviation;
use super::metric::Measured;
use crate::data::{DataError, DataSet};
use crate::networks::State;

/// Images per forward pass, bounded by memory.
pub const PASS: usize = 32;
/// Most images that are measured: enough for three digits.
pub const MEASURED: usize = 128;
/// Columns of the sheet of translations, and groups of rows.
pub const SHEET: [usize; 2] = [8, 4];

/// The images `which` of `data`, `[n, c, h, w]` in [-1, 1], without gradients.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn images(data: &DataSet, which: &[usize], device: &Device) -> Result<Tensor<4>, DataError> {
    let mut values = Vec::with_capacity(which.len() * data.form().values());
    which.iter().try_for_each(|&i| data.with(i, |pixels| signed(&mut values, pixels)))?;
    Ok(tensor(values, data.form().planes(), data.form().size as usize, device))
}

/// What the images `which` of a set of pairs are to be made from, as [`images`].
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn inputs(data: &DataSet, which: &[usize], device: &Device) -> Result<Tensor<4>, DataError> {
    let form = data.input_form().unwrap_or(data.form());
    let mut values = Vec::with_capacity(which.len() * form.values());
    which.iter().try_for_each(|&i| data.with_input(i, |pixels| signed(&mut values, pixels)))?;
    Ok(tensor(values, form.planes(), form.size as usize, device))
}

/// The averaged generator's translations of the inputs `which` of a set of pairs, or of the images
/// `which` of another set, `[n, c, h, w]` in [-1, 1].
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn translations(
    state: &State,
    data: &DataSet,
    which: &[usize],
    device: &Device,
) -> Result<Tensor<4>, DataError> {
    let g = state.ema.valid();
    let parts = which.chunks(PASS).map(|which| Ok(g.forward(inputs(data, which, device)?)));
    Ok(Tensor::cat(parts.collect::<Result<Vec<_>, DataError>>()?, 0))
}

fn signed(values: &mut Vec<f32>, pixels: &[u8]) {
    values.extend(pixels.iter().map(|&v| f32::from(v) / 127.5 - 1.0));
}

fn tensor(values: Vec<f32>, channels: usize, side: usize, device: &Device) -> Tensor<4> {
    let shape = [values.len() / (channels * side * side), channels, side, side];
    Tensor::from_data(TensorData::new(values, shape), &device.clone().inner())
}

/// How much the translations of a batch of at least two differ, relative to images of the set that
/// they should belong to: at most 2. A small batch may hold an image twice, which has no variety.
pub fn variety(translations: &Tensor<4>, images: &Tensor<4>) -> Tensor<1> {
    (deviation(translations) / (deviation(images) + 1e-6)).clamp(0.0, 2.0)
}

/// Images of `[n, c, h, w]` in [-1, 1] as bytes.
pub fn pictures(images: Tensor<4>) -> Pictures {
    let [_, channels, side, _] = images.dims();
    let values: Vec<f32> = images.into_data().try_to_vec().expect("a float tensor holds floats");
    let mut pictures = Pictures::new(side as u32, channels);
    pictures.push_values(&values);
    pictures
}

/// The mean of the planes of an image of `plane` pixels.
pub fn gray(image: &[u8], plane: usize) -> Vec<u8> {
    let planes = (image.len() / plane).max(1);
    let at = |i: usize| image.iter().skip(i).step_by(plane).map(|&v| usize::from(v)).sum::<usize>();
    (0..plane).map(|i| (at(i) / planes) as u8).collect()
}

/// The edges of each image.
pub fn edges_of(images: &Pictures) -> Vec<Vec<bool>> {
    let side = images.size() as usize;
    images.iter().map(|image| edges::canny(&gray(image, side * side), side)).collect()
}

/// The mean distance in pixels from the edges of outputs to those of their inputs, and if there are
/// two or more to those of the input of another one.
pub fn edges_apart(inputs: &[Vec<bool>], outputs: &[Vec<bool>], side: usize) -> Vec<Measured> {
    let count = outputs.len().max(1) as f64;
    let apart = |shift: usize| {
        let pairs = outputs.iter().zip(inputs.iter().cycle().skip(shift));
        pairs.map(|(a, b)| edges::distance(a, b, side)).sum::<f64>() / count
    };
    let mut measured = vec![("edges", apart(0))];
    if outputs.len() > 1 {
        measured.push(("edges_of_others", apart(1)));
    }
    measured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variety_is_that_of_the_other_set_and_finite_for_equal_images() {
        let device = Device::flex();
        let pair = |a: f32, b: f32| -> Tensor<4> {
            Tensor::from_data(TensorData::new(vec![a, b], [2, 1, 1, 1]), &device)
        };
        let of = |fakes, images| -> f32 { variety(&fakes, &images).into_scalar() };
        assert!((of(pair(0.0, 0.3), pair(-0.2, 0.4)) - 0.5).abs() < 1e-3);
        assert_eq!(of(pair(0.1, 0.1), pair(-0.5, 0.5)), 0.0);
        assert_eq!(of(pair(0.1, 0.9), pair(0.5, 0.5)), 2.0);
        assert_eq!(of(pair(0.1, 0.1), pair(0.5, 0.5)), 0.0);
    }

    #[test]
    fn edges_are_compared_with_the_input_and_with_another() {
        let column = |at: usize| -> Vec<bool> { (0..64).map(|i| i % 8 == at).collect() };
        let inputs = [column(1), column(5)];
        let outputs = [column(2), column(5)];
        let measured = edges_apart(&inputs, &outputs, 8);
        assert_eq!(measured, [("edges", 0.5), ("edges_of_others", 3.5)]);
        assert_eq!(edges_apart(&inputs[..1], &outputs[..1], 8), [("edges", 1.0)]);
    }
}
