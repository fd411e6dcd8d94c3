//! IDX files, the format of MNIST (LeCun, Cortes and Burges, "The MNIST database", section "File
//! formats") and of the sets made after it: images in one file, their labels in another, each plain
//! or packed by gzip.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use super::error::{ArrayFault, DataError, Reason};
use super::splits::split;
use super::stack::{Size, Stack, check, exactly};
use super::tree::Entry;

/// The first two bytes of every file are 0; then come the type of the values and the number of
/// dimensions.
const BYTES: u8 = 8;
/// Big-endian integers of 32 bits.
const INTEGERS: u8 = 12;

/// What an IDX file holds, by its first four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// Bytes, with or without channels.
    Images,
    /// Numbers of this many bytes; if there are several for an image, the class is the first
    /// (QMNIST).
    Labels(u64),
}

fn holds(mark: [u8; 4]) -> Option<Holds> {
    match mark {
        [0, 0, BYTES, 3 | 4] => Some(Holds::Images),
        [0, 0, BYTES, 1] => Some(Holds::Labels(1)),
        [0, 0, INTEGERS, 1 | 2] => Some(Holds::Labels(4)),
        _ => None,
    }
}

/// Whether a name is that of an IDX file of images.
pub(super) fn names_images(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let idx = name.contains("ubyte") || name.contains("idx");
    name.contains("idx3") || name.contains("idx4") || (idx && name.contains("images"))
}

/// Whether a name is that of an IDX file.
pub(super) fn names_idx(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    names_images(&name)
        || name.contains("-ubyte")
        || name.contains("idx1-")
        || name.contains("idx2-")
}

/// Whether a file begins as one of images or labels.
pub(super) fn begins_as_idx(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|&mark| holds(mark).is_some())
}

/// Whether a file begins as one of images.
pub(super) fn begins_as_images(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|&mark| holds(mark) == Some(Holds::Images))
}

/// Which of `images` to read: those to train on, if there are parts for other purposes. Copies in a
/// folder of their own name, as Kaggle has them, and compressed ones are not other files.
///
/// # Errors
/// The names of the files if there are several and no name tells which one to use.
pub(super) fn choose(images: &[Entry]) -> Result<&Entry, Vec<String>> {
    let best = images.iter().map(|e| split(e.file_name())).min();
    let mut likely: Vec<&Entry> =
        images.iter().filter(|e| Some(split(e.file_name())) == best).collect();
    likely.sort_by_key(|e| (e.name.ends_with(".gz"), e.name.matches('/').count(), &e.name));
    let place = |entry: &Entry| {
        let own = spelling(entry.file_name());
        let folders = entry.folder().split('/').filter(|part| spelling(part) != own);
        (folders.collect::<Vec<_>>().join("/"), own)
    };
    let places: BTreeSet<_> = likely.iter().map(|entry| place(entry)).collect();
    match likely[..] {
        [first, ..] if places.len() == 1 => Ok(first),
        _ => Err(likely.iter().map(|e| e.name.clone()).collect()),
    }
}

/// `train-images.idx3-ubyte.gz` and `train-images-idx3-ubyte` are spelled the same.
fn spelling(name: &str) -> String {
    name.strip_suffix(".gz").unwrap_or(name).replace('.', "-")
}

/// Reads a file of images, and the file of labels with the matching name among `beside`.
///
/// # Errors
/// [`DataError::Array`] names the file below `root` and what is wrong with it, [`DataError::Read`]
/// one that cannot be read.
pub(super) fn read(images: &Entry, beside: &[Entry], root: &Path) -> Result<Stack, DataError> {
    let fault = |of: &Entry, fault| DataError::Array(root.join(&of.name), fault);
    let (sides, pixels, kind) = body(images, root)?;
    if kind != Holds::Images {
        return Err(fault(images, ArrayFault::IsLabels));
    }
    let (size, pixels) = arrange(&sides, pixels).map_err(|e| fault(images, e))?;
    let mut stack = Stack {
        pixels,
        size,
        labels: Vec::new(),
        classes: Vec::new(),
        name: images.file_name().into(),
        format: "idx",
        notes: Vec::new(),
    };
    if let Some(labels) = labels_of(images, beside) {
        let (sides, bytes, kind) = body(labels, root)?;
        let Holds::Labels(width) = kind else {
            return Err(fault(labels, ArrayFault::IsImages));
        };
        let each = sides.get(1).copied().unwrap_or(1).max(1) * width;
        let number =
            |bytes: &[u8]| bytes[..width as usize].iter().fold(0, |n, &b| n << 8 | i64::from(b));
        let numbers: Vec<i64> = bytes.chunks_exact(each as usize).map(number).collect();
        let names = mapping(images, beside);
        stack.label(&numbers, &names).map_err(|e| fault(labels, e))?;
    }
    Ok(stack)
}

/// The size of images of these dimensions, and their values with channels interleaved.
fn arrange(sides: &[u64], pixels: Vec<u8>) -> Result<(Size, Vec<u8>), ArrayFault> {
    let side = |i: usize| sides[i] as usize;
    match *sides {
        [_, _, _] => Ok((Size { rows: side(1), columns: side(2), channels: 1 }, pixels)),
        [_, _, _, 1 | 3 | 4] => {
            Ok((Size { rows: side(1), columns: side(2), channels: side(3) }, pixels))
        }
        [_, 1 | 3 | 4, _, _] => {
            let size = Size { rows: side(2), columns: side(3), channels: side(1) };
            Ok((size, interleaved(&pixels, size)))
        }
        _ => Err(ArrayFault::Shape(sides.iter().map(|&side| side as usize).collect())),
    }
}

/// Images of planes, one after the other, with channels interleaved.
pub(super) fn interleaved(planes: &[u8], size: Size) -> Vec<u8> {
    let plane = size.rows * size.columns;
    let image = |image: &[u8]| -> Vec<u8> {
        (0..plane)
            .flat_map(|at| (0..size.channels).map(move |c| c * plane + at))
            .map(|i| image[i])
            .collect()
    };
    planes.chunks_exact(size.values()).flat_map(image).collect()
}

/// The dimensions and bytes of a file, and what they are.
fn body(entry: &Entry, root: &Path) -> Result<(Vec<u64>, Vec<u8>, Holds), DataError> {
    let path = || root.join(&entry.name);
    let failed = |e| DataError::Read(path(), e);
    let fault = |fault| DataError::Array(path(), fault);
    let mut file = entry.plain().map_err(|reason| unreadable(path().as_path(), reason))?;
    let mut mark = Vec::new();
    file.by_ref().take(4).read_to_end(&mut mark).map_err(failed)?;
    let Some(mark) = mark.first_chunk::<4>() else {
        return Err(fault(ArrayFault::Length(16, mark.len() as u64)));
    };
    let Some(kind) = holds(*mark) else {
        return Err(match entry.foreign() {
            Some(foreign) => DataError::Foreign(path(), foreign),
            None => fault(ArrayFault::Mark(*mark)),
        });
    };
    let dimensions = u64::from(mark[3]);
    let length = 4 + 4 * dimensions;
    let mut head = Vec::new();
    file.by_ref().take(4 * dimensions).read_to_end(&mut head).map_err(failed)?;
    if (head.len() as u64) < 4 * dimensions {
        return Err(fault(ArrayFault::Length(length, 4 + head.len() as u64)));
    }
    let (sides, _) = head.as_chunks::<4>();
    let sides: Vec<u64> = sides.iter().map(|&side| u64::from(u32::from_be_bytes(side))).collect();
    let side = |i: usize| sides.get(i).copied().unwrap_or(1);
    let of = match kind {
        Holds::Images => [side(1), side(2), side(3)],
        Holds::Labels(width) => [side(1), width, 1],
    };
    let size = check(side(0), of, entry.stored()).map_err(fault)?;
    let bytes = exactly(&mut file, size, length).map_err(failed)?.map_err(fault)?;
    Ok((sides, bytes, kind))
}

/// A file that cannot be opened, as an error of the data set.
pub(super) fn unreadable(path: &Path, reason: Reason) -> DataError {
    let error = match reason {
        Reason::Read(error) => error,
        other => std::io::Error::other(other.to_string()),
    };
    DataError::Read(path.into(), error)
}

/// `train-labels-idx1-ubyte` beside `train-images-idx3-ubyte`, with `.gz` or without; QMNIST's ends
/// in `-idx2-int`. In the same folder, or, as Kaggle has them, each in one of its own name.
fn labels_of<'a>(images: &Entry, beside: &'a [Entry]) -> Option<&'a Entry> {
    let name = spelling(images.file_name());
    let at = name.find("idx").unwrap_or(name.len());
    let stem = name[..at].replace("images", "labels");
    let other = |entry: &&Entry| {
        let own = spelling(entry.file_name());
        let rest = own.strip_prefix(&stem);
        entry.name != images.name
            && (rest.is_some_and(|r| ["idx1-ubyte", "idx2-int", "idx1-int"].contains(&r))
                || (at == name.len() && own == stem && own != name))
    };
    let distance = |entry: &&Entry| {
        (entry.folder() != images.folder(), entry.name.ends_with(".gz"), entry.name.clone())
    };
    beside.iter().filter(other).min_by_key(distance)
}

/// EMNIST's names of classes: lines of a label and the codes of the characters that it stands for,
/// in `emnist-letters-mapping.txt` for `emnist-letters-train-images-idx3-ubyte`.
fn mapping(images: &Entry, beside: &[Entry]) -> BTreeMap<i64, String> {
    const LONGEST: u64 = 1 << 16;
    let name = images.file_name();
    let set =
        ["-train-", "-test-"].iter().find_map(|part| name.split_once(part)).map(|(set, _)| set);
    let file = set.map(|set| format!("{set}-mapping.txt"));
    let found = beside.iter().find(|e| Some(e.file_name()) == file.as_deref());
    let text = found.and_then(|e| e.head(LONGEST).ok()).unwrap_or_default();
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let (label, code) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some((label, char::from_u32(u32::try_from(code).ok()?)?.to_string()))
    };
    String::from_utf8_lossy(&text).lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use crate::data::{Crop, DataSet, Form, Open};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::fs;
    use std::io::Write;

    const FORM: Form = Form { size: 2, channels: 1, crop: Crop::Center, transpose: false };
    const IMAGES: [u8; 4] = [0, 0, 8, 3];
    const LABELS: [u8; 4] = [0, 0, 8, 1];

    fn images(count: u32) -> Vec<u8> {
        let head = [IMAGES, count.to_be_bytes(), [0, 0, 0, 2], [0, 0, 0, 2]].concat();
        let pixels = (0..4 * count).map(|v| v as u8);
        head.into_iter().chain(pixels).collect()
    }

    fn labels(of: &[u8]) -> Vec<u8> {
        [&LABELS[..], &(of.len() as u32).to_be_bytes(), of].concat()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut to = GzEncoder::new(Vec::new(), Compression::default());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    #[test]
    fn images_and_labels_plain_and_packed() {
        let dir = folder(&[
            ("t10k-images-idx3-ubyte", images(1)),
            ("train-images-idx3-ubyte.gz", gz(&images(3))),
            ("train-labels-idx1-ubyte", labels(&[1, 0, 3])),
        ]);
        let data = DataSet::open(dir.path(), &FORM, 1).unwrap();
        assert_eq!(data.len(), 3);
        assert_eq!(data.labels(), ["0", "1", "3"]);
        let of: Vec<_> = (0..3).map(|i| data.label(i).unwrap()).collect();
        assert_eq!(of, [1, 0, 2]);
        assert_eq!(data.with(1, <[u8]>::to_vec).unwrap(), [4, 5, 6, 7]);
        // A file by its own name, with and without labels beside it.
        let data = DataSet::open(&dir.path().join("t10k-images-idx3-ubyte"), &FORM, 1).unwrap();
        assert_eq!((data.len(), data.labels().len(), data.label(0)), (1, 0, None));
        let data = DataSet::open(&dir.path().join("train-images-idx3-ubyte.gz"), &FORM, 1).unwrap();
        assert_eq!((data.len(), data.labels().len()), (3, 3));
    }

    #[test]
    fn the_training_images_wherever_they_lie() {
        struct Case {
            files: &'static [(&'static str, u32)],
            want: u32,
        }
        let cases = [
            // EMNIST and QMNIST sort their test files first.
            Case {
                files: &[
                    ("emnist-balanced-test-images-idx3-ubyte", 2),
                    ("emnist-balanced-train-images-idx3-ubyte", 5),
                ],
                want: 5,
            },
            Case {
                files: &[
                    ("qmnist-test-images-idx3-ubyte", 2),
                    ("qmnist-train-images-idx3-ubyte", 4),
                ],
                want: 4,
            },
            // torchvision.
            Case {
                files: &[
                    ("MNIST/raw/t10k-images-idx3-ubyte", 2),
                    ("MNIST/raw/train-images-idx3-ubyte", 6),
                ],
                want: 6,
            },
            // Kaggle.
            Case {
                files: &[
                    ("t10k-images.idx3-ubyte", 2),
                    ("train-images.idx3-ubyte", 7),
                    ("train-images-idx3-ubyte/train-images-idx3-ubyte", 7),
                ],
                want: 7,
            },
        ];
        for Case { files, want } in cases {
            let files: Vec<_> = files.iter().map(|&(name, n)| (name, images(n))).collect();
            let data = DataSet::open(folder(&files).path(), &FORM, 1).unwrap();
            assert_eq!(data.len(), want as usize, "{}", files[0].0);
        }
    }

    #[test]
    fn several_sets_are_a_question() {
        let dir = folder(&[
            ("emnist-digits-train-images-idx3-ubyte", images(2)),
            ("emnist-letters-train-images-idx3-ubyte", images(3)),
        ]);
        let error = DataSet::open(dir.path(), &FORM, 1).unwrap_err().to_string();
        let want = "holds several data sets: give one of emnist-digits-train-images-idx3-ubyte, \
                    emnist-letters-train-images-idx3-ubyte";
        assert!(error.ends_with(want), "{error}");
    }

    #[test]
    fn labels_of_other_kinds() {
        // QMNIST: eight integers for each image, the first is the class.
        let integers = |rows: &[[u32; 8]]| {
            let head =
                [[0, 0, 12, 2], (rows.len() as u32).to_be_bytes(), 8u32.to_be_bytes()].concat();
            let numbers = rows.iter().flatten().flat_map(|n| n.to_be_bytes());
            head.into_iter().chain(numbers).collect::<Vec<u8>>()
        };
        let dir = folder(&[
            ("qmnist-train-images-idx3-ubyte.gz", gz(&images(2))),
            (
                "qmnist-train-labels-idx2-int.gz",
                gz(&integers(&[[5; 8], [300, 1, 0, 0, 0, 0, 0, 0]])),
            ),
        ]);
        let data = DataSet::open(dir.path(), &FORM, 1).unwrap();
        assert_eq!((data.labels(), data.label(1)), (&["5".into(), "300".into()][..], Some(1)));
        // EMNIST: letters count from 1, and their names lie beside.
        let files = [
            ("emnist-letters-train-images-idx3-ubyte", images(2)),
            ("emnist-letters-train-labels-idx1-ubyte", labels(&[1, 26])),
            ("emnist-letters-mapping.txt", b"1 65 97\n26 90 122\n".to_vec()),
        ];
        let data = DataSet::open(folder(&files).path(), &FORM, 1).unwrap();
        assert_eq!(data.labels(), ["A", "Z"]);
        let data = DataSet::open(folder(&files[..2]).path(), &FORM, 1).unwrap();
        assert_eq!(data.labels(), ["1", "26"]);
        assert!(data.notes()[0].contains("--transpose"), "{:?}", data.notes());
        let form = Form { transpose: true, ..FORM };
        let data = DataSet::open(folder(&files[..2]).path(), &form, 1).unwrap();
        assert_eq!(data.notes(), [""; 0]);
        assert_eq!(data.with(0, <[u8]>::to_vec).unwrap(), [0, 2, 1, 3]);
    }

    #[test]
    fn channels_first_and_last() {
        let head = |sides: [u32; 4]| {
            let sides = sides.iter().flat_map(|side| side.to_be_bytes());
            [0, 0, 8, 4].into_iter().chain(sides).collect::<Vec<u8>>()
        };
        let pixels = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3];
        let first = [head([1, 3, 2, 2]), pixels.to_vec()].concat();
        let last = [head([1, 2, 2, 3]), [1, 2, 3].repeat(4)].concat();
        let form = Form { channels: 3, ..FORM };
        for bytes in [first, last] {
            let dir = folder(&[("train-images-idx4-ubyte", bytes)]);
            let data = DataSet::open(dir.path(), &form, 1).unwrap();
            assert_eq!(data.with(0, <[u8]>::to_vec).unwrap(), pixels);
            assert!(!data.is_gray().unwrap());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn labels_beside_a_name_that_is_not_unicode() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let dir = folder(&[]);
        let path = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
        fs::write(path(b"\xff-images-idx3-ubyte"), images(2)).unwrap();
        fs::write(path(b"\xff-labels-idx1-ubyte.gz"), gz(&labels(&[0, 1]))).unwrap();
        let data = DataSet::open(&path(b"\xff-images-idx3-ubyte"), &FORM, 1).unwrap();
        assert_eq!((data.len(), data.labels().len()), (2, 2));
    }

    #[test]
    fn brought_to_a_form() {
        let dir = folder(&[("train-images-idx3-ubyte", images(2))]);
        let form = Form { size: 4, channels: 3, ..FORM };
        let data = DataSet::open(dir.path(), &form, 1).unwrap();
        assert_eq!(data.with(0, <[u8]>::len).unwrap(), 48);
    }

    #[test]
    fn the_fingerprint_tells_labels_apart() {
        let print = |of: &[u8]| {
            let dir = folder(&[
                ("train-images-idx3-ubyte", images(2)),
                ("train-labels-idx1-ubyte", labels(of)),
            ]);
            DataSet::open(dir.path(), &FORM, 1).unwrap().fingerprint()
        };
        assert_eq!(print(&[1, 2]), print(&[1, 2]));
        assert_ne!(print(&[1, 2]), print(&[2, 1]));
    }

    #[test]
    fn faults() {
        let (name, beside) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
        let huge = [IMAGES, [255; 4], [255; 4], [255; 4]].concat();
        let cut = images(3)[..20].to_vec();
        let long = [images(1), vec![0]].concat();
        let none = images(0);
        type Files<'a> = Vec<(&'a str, Vec<u8>)>;
        let cases: [(Files, &str); 11] = [
            (vec![(name, cut)], "should have 28 bytes and has 20"),
            (vec![(name, long)], "should have 20 bytes and has more"),
            (vec![(name, images(1)[..9].to_vec())], "should have 16 bytes and has 9"),
            (vec![(name, Vec::new())], "should have 16 bytes and has 0"),
            (vec![(name, none)], "holds 0 images of 2 x 2"),
            (vec![(name, huge)], "holds 4294967295 images of 4294967295 x 4294967295"),
            (vec![(name, labels(&[1]))], "holds labels: give the file of images"),
            (vec![(name, b"text and so on and on".to_vec())], "starts with [116, 101, 120, 116]"),
            (vec![(name, b"<!DOCTYPE html>".to_vec())], ": a web page"),
            (vec![(name, images(2)), (beside, labels(&[1]))], "holds 1 labels for 2 images"),
            (
                vec![(name, images(2)), (beside, images(2))],
                "holds images but has the name of a file of labels",
            ),
        ];
        for (files, want) in cases {
            let dir = folder(&files);
            let error = DataSet::open(dir.path(), &FORM, 1).unwrap_err().to_string();
            assert!(error.contains(want), "{error}: {want}");
            assert!(error.contains("-ubyte"), "{error}");
        }
    }

    #[test]
    fn damaged_gzip_is_an_error() {
        let packed = gz(&images(3));
        let dir = folder(&[("train-images-idx3-ubyte.gz", packed[..packed.len() - 9].to_vec())]);
        let error = DataSet::open(dir.path(), &FORM, 1).unwrap_err().to_string();
        assert!(error.contains("cannot read"), "{error}");
    }

    #[test]
    fn a_kilobyte_does_not_become_gigabytes() {
        // A gigabyte of pixels that are all images, in a megabyte.
        let head = [IMAGES, (1u32 << 26).to_be_bytes(), [0, 0, 0, 1], [0, 0, 0, 1]].concat();
        let name = "train-images-idx3-ubyte.gz";
        let dir = folder(&[(name, gz(&[head, vec![0; 1 << 20]].concat()))]);
        let error = DataSet::open(dir.path(), &FORM, 1).unwrap_err().to_string();
        assert!(error.contains("would need") && error.contains(name), "{error}");
        // A million images of a pixel each pass: they are made when they are needed.
        let mut bytes = [IMAGES, 1_000_000u32.to_be_bytes(), [0, 0, 0, 1], [0, 0, 0, 1]].concat();
        bytes.extend((0..1_000_000).map(|i| u8::from(i == 7)));
        let dir = folder(&[(name, gz(&bytes))]);
        let form = Form { size: 64, channels: 3, ..FORM };
        let open = Open { budget: 1 << 20, ..Open::new(&form) };
        let data = open.path(dir.path()).unwrap();
        assert_eq!(data.len(), 1_000_000);
        assert!(data.is_gray().unwrap());
        for (i, want) in [(6, 0), (7, 1), (999_999, 0)] {
            assert_eq!(data.with(i, |pixels| pixels[64 * 64]).unwrap(), want);
        }
    }

    #[cfg(unix)]
    #[test]
    fn pipes_are_refused_without_opening_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe-idx3-ubyte");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let error = DataSet::open(&path, &FORM, 1).unwrap_err().to_string();
        assert!(error.contains("is neither a folder nor"), "{error}");
    }
}
