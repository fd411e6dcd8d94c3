//! Archives of images, and archives in archives.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::bytes::Choices;
use crate::data::{gzip, open};
use crate::place;

/// A zip archive of images.
pub fn zip(bytes: &[u8]) {
    open(&place::file("data.zip", bytes));
}

/// A tar archive of images. The first byte chooses whether it is packed, and whether the checksums
/// of its headers are mended.
pub fn tar(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let choice = choices.byte();
    let mut tar = choices.rest().to_vec();
    if choice & 1 == 1 {
        mend(&mut tar);
    }
    match choice & 2 {
        0 => open(&place::file("data.tar", &tar)),
        _ => open(&place::file("data.tar.gz", &gzip(&tar))),
    }
}

/// Writes the checksum of each header (POSIX 1003.1, pax, "ustar interchange format").
fn mend(tar: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + 512) {
        at += 512;
        if header.iter().all(|&byte| byte == 0) {
            continue;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = String::from_utf8_lossy(&header[124..136]).into_owned();
        let size = usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        at = at.saturating_add(size.min(tar.len()).next_multiple_of(512));
    }
}

/// Archives in archives that bytes choose, with a few bytes of the outermost changed: each three
/// are a place and a value.
pub fn nested(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let changes = choices.below(4);
    let (extension, mut packed) = pack(&mut choices, 0);
    if !packed.is_empty() {
        for _ in 0..changes {
            let at = choices.short() % packed.len();
            packed[at] = choices.byte();
        }
    }
    open(&place::file(&format!("data{extension}"), &packed));
}

/// What lies in archives, with the folders that decide what is used.
const NAMES: [&str; 16] = [
    "a",
    "b",
    "cat/a",
    "dog/b",
    "train/a",
    "test/b",
    "val",
    "train",
    "shard-0001",
    "shard-0002",
    "images/i",
    "masks/m",
    "__MACOSX/x",
    "../up",
    "x_train",
    "y_train",
];

/// Deepest that archives lie in each other: one more than those that are opened.
const DEPTH: usize = 5;

/// An archive and its extension.
fn pack(choices: &mut Choices<'_>, depth: usize) -> (&'static str, Vec<u8>) {
    let format = choices.below(4);
    let count = choices.below(if depth == 0 { 12 } else { 4 });
    let files: Vec<(String, Vec<u8>)> = (0..count)
        .map(|i| {
            let name = NAMES[choices.below(16)];
            let (mut extension, bytes) = match choices.below(8) {
                0..3 if depth < DEPTH => pack(choices, depth + 1),
                kind => file(kind, choices),
            };
            if choices.below(16) == 15 {
                extension = [".zip", ".tar.gz", ".png", ""][choices.below(4)];
            }
            // Not all are to be the same file.
            let number = if choices.below(4) == 0 { String::new() } else { i.to_string() };
            (format!("{name}{number}{extension}"), bytes)
        })
        .collect();
    match format {
        0 => (".zip", zipped(&files, CompressionMethod::Stored)),
        1 => (".zip", zipped(&files, CompressionMethod::Deflated)),
        2 => (".tar", tarred(&files)),
        _ => (".tar.gz", gzip(&tarred(&files))),
    }
}

/// A file that is no archive.
fn file(kind: usize, choices: &mut Choices<'_>) -> (&'static str, Vec<u8>) {
    let mut values = |n: usize| -> Vec<u8> { (0..n).map(|_| choices.byte()).collect() };
    match kind {
        0..4 => (".ppm", [&b"P6 2 2 255\n"[..], &values(12)].concat()),
        4 => {
            let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 3), }\n";
            let header = [&b"\x93NUMPY\x01\x00"[..], &[text.len() as u8, 0], text.as_bytes()];
            (".npy", [&header.concat()[..], &values(18)].concat())
        }
        5 => ("-images-idx3-ubyte", {
            let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2];
            [&header[..], &values(8)].concat()
        }),
        6 => {
            let row = |label: u8| format!("{label}{}\n", ",7".repeat(64));
            let [a, b] = [values(1)[0], values(1)[0]];
            (".csv", format!("{}{}", row(a), row(b)).into_bytes())
        }
        _ => (".txt", values(9)),
    }
}

fn zipped(files: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in files {
        // It refuses a name that is there already.
        if zip.start_file(name.as_str(), options).is_ok() {
            zip.write_all(bytes).expect("memory takes it");
        }
    }
    zip.finish().expect("memory takes it").into_inner()
}

fn tarred(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Not by `set_path`, which refuses names that lead out of the archive.
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, &bytes[..]).expect("memory takes it");
    }
    tar.into_inner().expect("memory takes it")
}
