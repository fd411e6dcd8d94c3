//! Images: IDX files, zip archives, and pictures of every format.

use std::fs;
use std::path::Path;

use trainer::data::inspect::inspect;
use trainer::data::{Crop, DataSet, Form};

use crate::bytes::Choices;
use crate::place;

const FORM: Form = Form { size: 16, channels: 3, crop: Crop::Center };

/// IDX files, plain or packed: the first byte chooses, and with a second file the next two bytes
/// are the length of the first.
pub fn idx(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let choice = choices.byte();
    let folder = fresh("idx");
    let name = |what| format!("{what}{}", if choice & 1 == 0 { "" } else { ".gz" });
    let (images, labels) = match choice & 2 {
        0 => (choices.rest(), None),
        _ => {
            let length = choices.short();
            let rest = choices.rest();
            let (images, labels) = rest.split_at(length.min(rest.len()));
            (images, Some(labels))
        }
    };
    let write = |name: String, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("written");
    write(name("train-images-idx3-ubyte"), images);
    if let Some(labels) = labels {
        write(name("train-labels-idx1-ubyte"), labels);
    }
    open(&folder);
}

/// A zip archive of images.
pub fn zip(bytes: &[u8]) {
    open(&place::file("data.zip", bytes));
}

/// An image in a folder; the first byte chooses the extension, which may be wrong.
pub fn image(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let extensions = ["png", "jpg", "gif", "bmp", "webp", "tiff", "tga", "pnm"];
    let extension = extensions[choices.below(extensions.len())];
    let folder = fresh("images");
    fs::write(folder.join("image").with_extension(extension), choices.rest()).expect("written");
    open(&folder);
}

/// An empty folder.
fn fresh(name: &str) -> std::path::PathBuf {
    let folder = place::path(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("temporary files can be written");
    folder
}

fn open(path: &Path) {
    let _ = inspect(path, &FORM, 1);
    let Ok(data) = DataSet::open(path, &FORM, 1) else { return };
    assert!(!data.is_empty());
    for i in data.evenly(8) {
        let _ = data.with(i, |pixels| assert_eq!(pixels.len(), FORM.values()));
        assert!(data.label(i).is_none_or(|label| label < data.labels().len()));
    }
    let _ = data.is_gray();
}
