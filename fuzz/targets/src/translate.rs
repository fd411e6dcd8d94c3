//! Pictures from a stranger through a model that takes them, as `runtime translate` does.

use runtime::op::Shape;
use runtime::record::Buffer;
use runtime::{Cpu, Input, Limits, Model};

use crate::bytes::Choices;
use crate::cli::pictures::{Fit, Picture, files};
use crate::model::written;
use crate::place;

/// A picture of any bytes, and its translation in the precision that the first byte chooses.
///
/// # Panics
/// If a picture that was read is not what the model takes.
pub fn translate(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let choice = choices.byte();
    let extension = place::EXTENSIONS[usize::from(choice >> 3 & 7)];
    let fit = if choice & 4 == 0 { Fit::Crop } else { Fit::Stretch };
    let path = place::file(&format!("picture.{extension}"), choices.rest());
    let limits = Limits { file: 1 << 20, pixels: 1 << 22, ..Limits::DEFAULT };
    assert_eq!(files(std::slice::from_ref(&path)).expect("it is there").len(), 1);
    let record = Buffer::from(written(4 + usize::from(choice & 3)));
    let model = Model::parse(record.bytes()).expect("it is whole");
    let Input::Picture(shape) = model.input() else { unreachable!("it is the translator") };
    let Ok(picture) = Picture::read(&path, shape, fit, &limits) else { return };
    assert_eq!(picture.pixels.len(), shape.values());
    assert!(!picture.changes(shape).is_empty());
    let mut arena = vec![f32::NAN; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).expect("the arena has the stated length");
    let image = cpu.translate(&picture.pixels).expect("it has the size that the model takes");
    assert_eq!(image.pixels().len(), 64);
    let gray = Picture::read(&path, Shape::new(1, 3, 5), fit, &limits).expect("it was read before");
    assert_eq!(gray.pixels.len(), 15);
}
