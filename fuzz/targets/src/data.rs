//! Images: pictures of every format, and pairs of them. What the readers of data have in common.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use trainer::data::inspect::inspect;
use trainer::data::{Crop, DataSet, Form, Open, Pair};

use crate::bytes::Choices;
use crate::place;

const FORM: Form = Form { size: 16, channels: 3, crop: Crop::Center, transpose: false };

/// An image in a folder; the first byte chooses the extension, which may be wrong.
pub fn image(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let extension = place::EXTENSIONS[choices.below(8)];
    let folder = fresh("images");
    write(&folder.join("image").with_extension(extension), choices.rest());
    open(&folder);
}

/// An image as a pair: the first byte chooses how, and whether inputs and targets lie in folders of
/// their own; then two bytes are the length of the first file.
///
/// # Panics
/// If a set has an image without an input.
pub fn pairs(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let (choice, extension) = (choices.below(14), place::EXTENSIONS[choices.below(8)]);
    let kinds = [Pair::Left, Pair::Right, Pair::Edges, Pair::Gray, Pair::Blur, Pair::Mask];
    let pair = kinds[choice % 6];
    let input = Form { channels: pair.channels(3), size: 8, ..FORM };
    let open = Open::new(&FORM);
    let opened = if choice < 12 {
        let folder = fresh("pairs");
        write(&folder.join("image").with_extension(extension), choices.rest());
        // The input is made at the size of the target.
        let size = if pair.is_made() { FORM.size } else { input.size };
        open.pairs(&folder, &Form { size, ..input }, pair)
    } else {
        let length = choices.short();
        let bytes = choices.rest();
        let (a, b) = bytes.split_at(length.min(bytes.len()));
        let (inputs, targets) = (fresh("inputs"), fresh("targets"));
        write(&inputs.join("image").with_extension(extension), a);
        write(&targets.join("image.png"), b);
        // Targets in a folder, or a single file.
        match choice {
            12 => open.beside(&targets, &inputs, &input),
            _ => open.beside(&targets.join("image.png"), &inputs, &input),
        }
    };
    let Ok(data) = opened else { return };
    let values = data.input_form().map(Form::values);
    for i in data.evenly(4) {
        let _ = data.with_input(i, |pixels| assert_eq!(Some(pixels.len()), values));
    }
    check(&data);
}

/// An empty folder.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let folder = place::path(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("temporary files can be written");
    folder
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("temporary files can be written");
}

/// Bytes packed by gzip, quickly.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("memory takes it")
}

/// Inspects and opens a path as users do.
pub(crate) fn open(path: &Path) {
    let _ = inspect(path, &FORM, 1);
    if let Ok(data) = DataSet::open(path, &FORM, 1) {
        check(&data);
    }
}

fn check(data: &DataSet) {
    assert!(!data.is_empty());
    for i in data.evenly(8) {
        let _ = data.with(i, |pixels| assert_eq!(pixels.len(), FORM.values()));
        assert!(data.label(i).is_none_or(|label| label < data.labels().len()));
    }
    let _ = data.is_gray();
}
