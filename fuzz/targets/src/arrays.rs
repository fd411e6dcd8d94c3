//! Arrays of images and their labels: IDX, NumPy, CIFAR, tables.

use std::fs;
use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::bytes::Choices;
use crate::data::{fresh, gzip, open};
use crate::place;

/// Two files from one piece of bytes: two bytes are the length of the first.
fn halves<'a>(choices: &mut Choices<'a>) -> (&'a [u8], &'a [u8]) {
    let length = choices.short();
    let rest = choices.rest();
    rest.split_at(length.min(rest.len()))
}

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
            let (images, labels) = halves(&mut choices);
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

/// NumPy arrays of images, and of labels beside them: the first byte chooses whether they are
/// packed, or in an `.npz` file, the next two bytes are the length of the first.
///
/// # Panics
/// If temporary files cannot be written.
pub fn numpy(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let choice = choices.below(6);
    let (images, labels) = halves(&mut choices);
    let files = [("x_train.npy", images), ("y_train.npy", labels)];
    if choice >= 4 {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let method = [CompressionMethod::Stored, CompressionMethod::Deflated][choice - 4];
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, bytes) in files {
            zip.start_file(name, options).expect("a short name");
            zip.write_all(bytes).expect("memory takes it");
        }
        let bytes = zip.finish().expect("memory takes it").into_inner();
        return open(&place::file("arrays.npz", &bytes));
    }
    let folder = fresh("numpy");
    for (i, (name, bytes)) in files.into_iter().enumerate() {
        // Without labels the first file is alone.
        if i == 1 && choice & 2 == 0 {
            continue;
        }
        let written = match choice & 1 {
            0 => fs::write(folder.join(name), bytes),
            _ => fs::write(folder.join(format!("{name}.gz")), gzip(bytes)),
        };
        written.expect("temporary files can be written");
    }
    open(&folder);
}

/// The binary files of CIFAR and STL-10: bytes choose names, numbers of records and what is missing
/// at the end; pixels and labels repeat the rest, which is also the names of classes.
///
/// # Panics
/// If temporary files cannot be written.
pub fn cifar(bytes: &[u8]) {
    const NAMES: [&str; 8] = [
        "data_batch_1.bin",
        "data_batch_2.bin",
        "test_batch.bin",
        "train.bin",
        "test.bin",
        "train_X.bin",
        "unlabeled_X.bin",
        "sub/train.bin",
    ];
    let mut choices = Choices(bytes);
    let folder = fresh("cifar");
    fs::create_dir(folder.join("sub")).expect("temporary files can be written");
    let count = 1 + choices.below(3);
    let files: Vec<(&str, usize)> = (0..count)
        .map(|_| {
            let name = NAMES[choices.below(8)];
            let record = match choices.below(8) {
                0 => 3074,
                1 => 3073,
                _ if name.contains("_X") => 3 * 96 * 96,
                _ if name.contains("tr") || name == "test.bin" => 3074,
                _ => 3073,
            };
            let cut = choices.byte();
            let off = if cut < 192 { 0 } else { cut - 191 };
            (name, (record * choices.below(4)).saturating_sub(off.into()))
        })
        .collect();
    let names = choices.rest();
    // Labels of 0 to 3, so that most records are valid.
    let byte = |i: usize| names.get(i % names.len().max(1)).copied().unwrap_or(7);
    for (at, (name, length)) in files.into_iter().enumerate() {
        let valid = at % 2 == 0 || byte(0) < 128;
        let pixels: Vec<u8> = (0..length)
            .map(|i| if valid && i % 3073 < 2 { byte(i) & 3 } else { byte(i + at) })
            .collect();
        fs::write(folder.join(name), pixels).expect("temporary files can be written");
    }
    for name in ["batches.meta.txt", "fine_label_names.txt", "class_names.txt", "train_y.bin"] {
        fs::write(folder.join(name), names).expect("temporary files can be written");
    }
    open(&folder);
}

/// A table.
pub fn table(bytes: &[u8]) {
    open(&place::file("data.csv", bytes));
}
