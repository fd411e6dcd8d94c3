//! What a path holds: image files, or arrays of images.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::choice::chosen;
use super::cifar;
use super::error::DataError;
use super::files::{Files, extension};
use super::formats::{Claim, claim};
use super::idx;
use super::numpy;
use super::stack::Stack;
use super::table;
use super::tar::Scratch;
use super::tree::{self, Entry, Opened, Pack, Tree};

/// Archives in archives that are opened.
const DEPTH: usize = 3;
/// Beside arrays of images, fewer image files are illustrations.
const FEW: usize = 8;
/// Files that are looked at to find out why there are no images.
const LOOKED_AT: usize = 100;

/// What a path holds.
pub(super) enum Found {
    Files(Files),
    Stack(Box<Stack>),
}

/// The formats of arrays, the least doubtful first.
#[derive(Clone, Copy, Debug)]
enum Format {
    Idx,
    Cifar,
    Numpy,
    Table,
}

/// Finds the images of a folder, an archive or a file.
///
/// # Errors
/// [`DataError`] names the path: missing, unreadable, damaged, encrypted, not supported, or with
/// several data sets.
pub(super) fn find(path: &Path) -> Result<Found, DataError> {
    let mut scratch = Scratch::default();
    if fs::metadata(path).is_ok_and(|is| is.is_dir()) {
        return among(Tree::folder(path)?, path, 0, &mut scratch);
    }
    match tree::open(path, &mut scratch)? {
        Opened::Tree(tree) => among(tree, path, 0, &mut scratch),
        Opened::File(entry) => alone(entry, path),
    }
}

/// The images of one file; labels may lie beside it.
fn alone(entry: Entry, path: &Path) -> Result<Found, DataError> {
    let root = path.parent().unwrap_or(Path::new(""));
    if let Some(format) = Format::of(&entry) {
        let stack = format.read(vec![entry], &Tree::beside(path), root)?;
        return Ok(Found::Stack(Box::new(stack)));
    }
    if let Some(foreign) = entry.foreign() {
        return Err(DataError::Foreign(path.into(), foreign));
    }
    match claim(&entry.name) == Claim::Image || entry.begins_as_image() {
        true => Ok(Found::Files(Files { entries: vec![entry], ..Files::default() })),
        false => Err(DataError::NotImages(path.into())),
    }
}

/// The images of a tree: its image files if there are any worth the name, otherwise its arrays,
/// otherwise those in its archives.
fn among(tree: Tree, root: &Path, depth: usize, scratch: &mut Scratch) -> Result<Found, DataError> {
    let Tree { entries, skipped, hidden, empty } = tree;
    let (images, rest): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(may_be_image);
    if images.len() < FEW {
        for format in [Format::Idx, Format::Cifar, Format::Numpy, Format::Table] {
            let arrays: Vec<Entry> =
                rest.iter().filter(|entry| format.is_images(entry)).cloned().collect();
            if arrays.is_empty() {
                continue;
            }
            let mut stack = format.read(arrays, &rest, root)?;
            if !images.is_empty() {
                let note = format!("image files beside {}: {}, not used", stack.name, images.len());
                stack.notes.push(note);
            }
            return Ok(Found::Stack(Box::new(stack)));
        }
    }
    if images.len() < FEW && depth < DEPTH {
        match packed(&rest, root, depth, scratch) {
            Ok(None) => {}
            Ok(Some(mut found)) if images.is_empty() || found.is_many() => {
                if !images.is_empty() {
                    found.note(format!(
                        "image files beside the archives: {}, not used",
                        images.len()
                    ));
                }
                return Ok(found);
            }
            Ok(Some(_)) => {}
            Err(error) if images.is_empty() => return Err(error),
            Err(_) => {}
        }
    }
    let mut files = Files { skipped, hidden, empty, ..Files::default() };
    if images.is_empty() {
        let known = |entry: &Entry| Some((entry.name.clone(), entry.foreign()?));
        files.advice = rest.iter().take(LOOKED_AT).find_map(known);
    }
    let archives = rest.iter().filter(|e| tree::is_archive(e.file_name())).count();
    for entry in rest {
        *files.other.entry(extension(&entry.name)).or_default() += 1;
    }
    (files.entries, files.notes) = chosen(images);
    if archives > 0 && !files.entries.is_empty() {
        files.notes.push(format!("archives beside the images: {archives}, not opened"));
    }
    Ok(Found::Files(files))
}

/// What is in the archives among files; nothing if there are none.
fn packed(
    entries: &[Entry],
    root: &Path,
    depth: usize,
    scratch: &mut Scratch,
) -> Result<Option<Found>, DataError> {
    let packs = packs(entries, root)?;
    match packs.is_empty() {
        true => Ok(None),
        false => {
            let tree = tree::unpack_all(packs, root, scratch)?;
            among(tree, root, depth + 1, scratch).map(Some)
        }
    }
}

impl Found {
    /// Whether it is more than a few files.
    fn is_many(&self) -> bool {
        match self {
            Found::Files(files) => files.entries.len() >= FEW,
            Found::Stack(_) => true,
        }
    }

    fn note(&mut self, note: String) {
        match self {
            Found::Files(files) => files.notes.push(note),
            Found::Stack(stack) => stack.notes.push(note),
        }
    }
}

fn may_be_image(entry: &Entry) -> bool {
    match claim(&entry.name) {
        Claim::Image | Claim::Foreign => true,
        Claim::Other => {
            let named = tree::is_archive(entry.file_name()) || Format::named(entry).is_some();
            !named && entry.begins_as_image()
        }
    }
}

/// The archives among files.
fn packs(entries: &[Entry], root: &Path) -> Result<Vec<(Entry, Pack)>, DataError> {
    let mut packs = Vec::new();
    for entry in entries.iter().filter(|entry| tree::is_archive(entry.file_name())) {
        if let Some(pack) = entry.pack(&root.join(&entry.name))? {
            packs.push((entry.clone(), pack));
        }
    }
    Ok(packs)
}

impl Format {
    /// The format that a name claims.
    fn named(entry: &Entry) -> Option<Format> {
        let name = entry.file_name().to_ascii_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        let extension = Path::new(plain).extension().unwrap_or_default();
        match extension.to_str() {
            Some("npy") => Some(Format::Numpy),
            Some("csv") => Some(Format::Table),
            _ if idx::names_idx(plain) => Some(Format::Idx),
            _ if cifar::is_images(entry) => Some(Format::Cifar),
            _ => None,
        }
    }

    /// The format of a file, by its name, or by its first bytes.
    fn of(entry: &Entry) -> Option<Format> {
        let by_bytes = || {
            let head = entry.plain_head(16).ok()?;
            if idx::begins_as_idx(&head) {
                return Some(Format::Idx);
            }
            head.starts_with(b"\x93NUMPY").then_some(Format::Numpy)
        };
        Format::named(entry).or_else(by_bytes)
    }

    /// Whether a file holds images in this format.
    fn is_images(self, entry: &Entry) -> bool {
        let named = Format::named(entry);
        match self {
            Format::Idx => match named {
                Some(Format::Idx) => idx::names_images(entry.file_name()),
                Some(_) => false,
                None => {
                    !tree::is_archive(&entry.name)
                        && entry.plain_head(4).is_ok_and(|head| idx::begins_as_images(&head))
                }
            },
            Format::Cifar => matches!(named, Some(Format::Cifar)),
            Format::Numpy => matches!(named, Some(Format::Numpy)) && numpy::is_images(entry),
            Format::Table => matches!(named, Some(Format::Table)) && table::is_images(entry),
        }
    }

    /// Reads one or more files of images, with what belongs to them among those `beside`.
    fn read(self, images: Vec<Entry>, beside: &[Entry], root: &Path) -> Result<Stack, DataError> {
        match self {
            Format::Idx => match idx::choose(&images) {
                Ok(chosen) => idx::read(chosen, beside, root),
                Err(names) => Err(DataError::Several(root.into(), names)),
            },
            Format::Cifar => cifar::read(&images, beside, root),
            Format::Table => table::read(&images, root),
            Format::Numpy => {
                let known: HashSet<&str> = images.iter().map(|e| e.name.as_str()).collect();
                let is_label = |entry: &&Entry| {
                    matches!(Format::named(entry), Some(Format::Numpy))
                        && !known.contains(entry.name.as_str())
                        && numpy::may_be_labels(entry)
                };
                let labels: Vec<Entry> = beside.iter().filter(is_label).cloned().collect();
                numpy::read(&images, &labels, root)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Crop, DataSet, Form};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use image::{ImageFormat, Rgb, RgbImage};
    use std::io::{Cursor, Write};

    const FORM: Form = Form { size: 8, channels: 3, crop: Crop::Center, transpose: false };

    type Entries<'a> = &'a [(&'a str, Vec<u8>)];

    fn png(v: u8) -> Vec<u8> {
        let image = RgbImage::from_pixel(8, 8, Rgb([v, 0, 255 - v]));
        codecs::encode(&image.into(), ImageFormat::Png).unwrap()
    }

    fn zip(files: Entries) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn tar(files: Entries) -> Vec<u8> {
        let mut tar = ::tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = ::tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut to = GzEncoder::new(Vec::new(), Compression::default());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    fn folder(files: Entries) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    fn open(files: Entries) -> Result<DataSet, DataError> {
        DataSet::open(folder(files).path(), &FORM, 2)
    }

    /// The red of each image.
    fn reds(data: &DataSet) -> Vec<u8> {
        (0..data.len()).map(|i| data.with(i, |planes| planes[0]).unwrap()).collect()
    }

    fn labels(data: &DataSet) -> Vec<&str> {
        (0..data.len()).filter_map(|i| Some(data.labels()[data.label(i)?].as_str())).collect()
    }

    #[test]
    fn a_folder_and_its_archives_are_one_data_set() {
        let files =
            [("set/cat/a.png", png(1)), ("set/cat/b.png", png(2)), ("set/owl/a.png", png(3))];
        let want = open(&files).unwrap();
        assert_eq!((reds(&want), labels(&want)), (vec![1, 2, 3], vec!["cat", "cat", "owl"]));
        let (zipped, tarred) = (zip(&files), tar(&files));
        let inner = zip(&[("img.tar", tarred.clone()), ("readme.txt", b"x".to_vec())]);
        let packed = [
            ("a.zip", zipped.clone()),
            ("a.tar", tarred.clone()),
            ("a.tar.gz", gz(&tarred)),
            ("a.tgz", gz(&tarred)),
            ("without an extension", gz(&tarred)),
            ("outer.tar.gz", gz(&tar(&[("data/img.zip", zipped)]))),
            ("outer.zip", inner),
        ];
        for (name, bytes) in packed {
            let dir = folder(&[(name, bytes)]);
            let data = DataSet::open(&dir.path().join(name), &FORM, 2).unwrap();
            assert_eq!(data.fingerprint(), want.fingerprint(), "{name}");
            assert_eq!((reds(&data), labels(&data)), (reds(&want), labels(&want)), "{name}");
            // And as the only file of a folder.
            if !name.contains(' ') {
                let data = DataSet::open(dir.path(), &FORM, 2).unwrap();
                assert_eq!(data.fingerprint(), want.fingerprint(), "a folder with {name}");
            }
        }
    }

    #[test]
    fn several_archives() {
        // Kaggle: one for training, one for testing.
        let data = open(&[
            ("train.zip", zip(&[("train/cat.0.png", png(1)), ("train/dog.0.png", png(2))])),
            ("test1.zip", zip(&[("test1/1.png", png(3))])),
            ("sampleSubmission.csv", b"id,label\n1,0\n".to_vec()),
        ]);
        let data = data.unwrap();
        assert_eq!((reds(&data), labels(&data)), (vec![1, 2], vec![]));
        // One for each class.
        let data =
            open(&[("cat.zip", zip(&[("1.png", png(1))])), ("owl.tar", tar(&[("1.png", png(2))]))]);
        assert_eq!(labels(&data.unwrap()), ["cat", "owl"]);
        // Numbered parts are no classes.
        let shard = |v| tar(&[("000.png", png(v)), ("000.json", b"{}".to_vec())]);
        let data = open(&[("shard-00.tar", shard(1)), ("shard-01.tar", shard(2))]).unwrap();
        assert_eq!((reds(&data), labels(&data)), (vec![1, 2], vec![]));
        let data = open(&[("n01440764.tar", shard(1)), ("n01443537.tar", shard(2))]).unwrap();
        assert_eq!(labels(&data), ["n01440764", "n01443537"]);
        // Beside images, archives are other files.
        let data =
            open(&[("a.png", png(1)), ("b.png", png(2)), ("old.zip", zip(&[("c.png", png(3))]))]);
        let data = data.unwrap();
        assert_eq!((reds(&data), data.notes().len()), (vec![1, 2], 1));
        // Unless the images are illustrations of what is in the archives.
        let many: Vec<(String, Vec<u8>)> = (0..9).map(|v| (format!("{v}.png"), png(v))).collect();
        let many: Vec<(&str, Vec<u8>)> =
            many.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
        let data = open(&[("preview.png", png(77)), ("img.zip", zip(&many))]).unwrap();
        assert_eq!(data.len(), 9);
        assert_eq!(data.notes(), ["image files beside the archives: 1, not used"]);
    }

    #[test]
    fn arrays_in_archives() {
        let idx = |count: u8| {
            [
                &[0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 1][..],
                &(0..count).collect::<Vec<_>>(),
            ]
            .concat()
        };
        let labels = |of: &[u8]| [&[0, 0, 8, 1, 0, 0, 0, of.len() as u8][..], of].concat();
        let files = [
            ("t10k-images.idx3-ubyte", idx(2)),
            ("train-images.idx3-ubyte", idx(3)),
            ("train-labels.idx1-ubyte", labels(&[5, 6, 5])),
            ("train-images-idx3-ubyte/train-images-idx3-ubyte", idx(3)),
            ("preview.png", png(1)),
        ];
        for (name, bytes) in [("archive.zip", zip(&files)), ("mnist.tar.gz", gz(&tar(&files)))] {
            let dir = folder(&[(name, bytes)]);
            let data = DataSet::open(&dir.path().join(name), &FORM, 1).unwrap();
            assert_eq!((data.len(), self::labels(&data)), (3, vec!["5", "6", "5"]), "{name}");
            assert_eq!(data.notes(), ["image files beside train-images.idx3-ubyte: 1, not used"]);
        }
    }

    #[test]
    fn parts_for_testing_are_left_out() {
        let files = [
            ("set/train/cat/1.png", png(1)),
            ("set/train/owl/1.png", png(2)),
            ("set/test/cat/1.png", png(3)),
            ("set/val/owl/1.png", png(4)),
        ];
        let data = open(&files).unwrap();
        assert_eq!((reds(&data), labels(&data)), (vec![1, 2], vec!["cat", "owl"]));
        let note = "used: 2 in train/; not used: 1 in test/, 1 in val/";
        assert_eq!(data.notes(), [note]);
        // Without any for training, all are used, and the parts are no classes.
        let data = open(&files[2..]).unwrap();
        assert_eq!((reds(&data), labels(&data)), (vec![3, 4], vec!["cat", "owl"]));
        // Names of classes are not taken for parts.
        let data = open(&[("train/1.png", png(1)), ("bus/1.png", png(2))]).unwrap();
        assert_eq!(labels(&data), ["bus", "train"]);
        // Folders of masks are not classes either.
        let files = [
            ("set/JPEGImages/1.png", png(1)),
            ("set/JPEGImages/2.png", png(2)),
            ("set/SegmentationClass/1.png", png(9)),
        ];
        let data = open(&files).unwrap();
        assert_eq!((reds(&data), labels(&data)), (vec![1, 2], vec![]));
        assert_eq!(data.notes(), ["used: 2 in JPEGImages/; not used: 1 in SegmentationClass/"]);
    }

    #[test]
    fn what_systems_leave_is_no_image() {
        let data = open(&[
            ("ネコ/一.png", png(1)),
            ("犬/Ünï.png", png(2)),
            ("犬/Thumbs.db", vec![0xd0, 0xcf]),
            ("犬/._Ünï.png", png(9)),
            ("__MACOSX/犬/._Ünï.png", png(9)),
            ("@eaDir/犬/Ünï.png", png(9)),
            ("desktop.ini", b"[x]".to_vec()),
        ]);
        let data = data.unwrap();
        assert_eq!((reds(&data), labels(&data)), (vec![1, 2], vec!["ネコ", "犬"]));
        assert!(data.describe().ends_with("2 classes"), "{}", data.describe());
    }

    #[test]
    fn what_is_not_supported_says_what_to_do() {
        let model = zip(&[("archive/data.pkl", vec![0x80, 2]), ("archive/version", b"3".to_vec())]);
        let cases = [
            ("netG.pth", model, "netG.pth: a PyTorch file, not images: import"),
            ("g.onnx", b"\x08\x08\x12\x07pytorch".to_vec(), "g.onnx: an ONNX model, not images"),
            ("face.bpk", b"NRUB\x01\0".to_vec(), "face.bpk: a generator, not images"),
            ("0000.parquet", b"PAR1\x15".to_vec(), "0000.parquet: Apache Parquet is not supported"),
            ("img.7z", b"7z\xbc\xaf\x27\x1c".to_vec(), "unpack it with: 7z x FILE"),
            ("img.zip", b"<!DOCTYPE html>".to_vec(), "img.zip: a web page"),
            ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0".to_vec(), "a.jpg: HEIC is not supported"),
        ];
        for (name, bytes, want) in cases {
            let dir = folder(&[(name, bytes)]);
            let error = DataSet::open(&dir.path().join(name), &FORM, 1).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
            // In a folder it is named, too.
            let error = DataSet::open(dir.path(), &FORM, 1).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
