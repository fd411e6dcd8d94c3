//! The binary versions of CIFAR-10 and CIFAR-100 (Krizhevsky 2009) and of STL-10 (Coates, Lee and
//! Ng 2011): records of labels and three planes, without a header.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{ArrayFault, DataError};
use super::idx::{interleaved, unreadable};
use super::splits::{Split, split};
use super::stack::{Size, Stack, check, exactly};
use super::tree::Entry;

/// One of the data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// A label of 0 to 9 before each image.
    Cifar10,
    /// A coarse label of 0 to 19 and a fine one of 0 to 99.
    Cifar100,
    /// Images by columns, without labels: these are in a file of their own.
    Stl10,
}

impl Set {
    /// The set that a file of this name and length belongs to.
    fn of(name: &str, length: u64) -> Option<Set> {
        let name = name.to_ascii_lowercase();
        let stem = name.strip_suffix(".bin")?;
        let sets = match stem {
            "train" | "test" => [Set::Cifar100, Set::Cifar10],
            "train_x" | "test_x" | "unlabeled_x" => [Set::Stl10; 2],
            _ if stem.starts_with("data_batch") || stem == "test_batch" => {
                [Set::Cifar10, Set::Cifar100]
            }
            _ => return None,
        };
        sets.into_iter().find(|set| length > 0 && length.is_multiple_of(set.record() as u64))
    }

    fn side(self) -> usize {
        match self {
            Set::Cifar10 | Set::Cifar100 => 32,
            Set::Stl10 => 96,
        }
    }

    fn size(self) -> Size {
        Size { rows: self.side(), columns: self.side(), channels: 3 }
    }

    /// Bytes of labels before an image.
    fn labels(self) -> usize {
        match self {
            Set::Cifar10 => 1,
            Set::Cifar100 => 2,
            Set::Stl10 => 0,
        }
    }

    /// Bytes of an image with its labels.
    fn record(self) -> usize {
        self.labels() + 3 * self.side() * self.side()
    }

    /// Number of classes.
    fn classes(self) -> u8 {
        match self {
            Set::Cifar10 | Set::Stl10 => 10,
            Set::Cifar100 => 100,
        }
    }

    /// The file with a name of a class on each line.
    fn names(self) -> &'static str {
        match self {
            Set::Cifar10 => "batches.meta.txt",
            Set::Cifar100 => "fine_label_names.txt",
            Set::Stl10 => "class_names.txt",
        }
    }
}

/// Whether a file is one of these, by its name and length.
pub(super) fn is_images(entry: &Entry) -> bool {
    Set::of(entry.file_name(), entry.size()).is_some()
}

/// Reads the images of `files`, those to train on if there are any. Names of classes and STL-10's
/// labels are `beside` them.
///
/// # Errors
/// [`DataError::Array`] names the file below `root` and what is wrong with it.
pub(super) fn read(files: &[Entry], beside: &[Entry], root: &Path) -> Result<Stack, DataError> {
    let part = |entry: &Entry| match entry.file_name().starts_with("data_batch") {
        true => Split::Train,
        false => split(entry.file_name()),
    };
    let best = files.iter().map(part).min();
    let files: Vec<&Entry> = files.iter().filter(|entry| Some(part(entry)) == best).collect();
    let sets: Vec<Option<Set>> = files.iter().map(|e| Set::of(e.file_name(), e.size())).collect();
    let (&first, set) = match (&files[..], &sets[..]) {
        ([first, ..], [Some(set), ..]) if sets.iter().all(|other| *other == Some(*set)) => {
            (first, *set)
        }
        _ => {
            let names = files.iter().map(|entry| entry.name.clone()).collect();
            return Err(DataError::Several(root.into(), names));
        }
    };
    let folders = files.iter().any(|entry| entry.folder() != first.folder());
    if folders {
        let names = files.iter().map(|entry| entry.name.clone()).collect();
        return Err(DataError::Several(root.into(), names));
    }
    let (pixels, mut numbers) = records(&files, set, root)?;
    let mut stack = Stack {
        pixels,
        size: set.size(),
        labels: Vec::new(),
        classes: Vec::new(),
        name: match files.len() {
            1 => first.file_name().into(),
            n => format!("{n} batches"),
        },
        format: "bin",
        notes: Vec::new(),
    };
    let beside =
        |name: &str| beside.iter().find(|e| e.folder() == first.folder() && e.file_name() == name);
    let mut offset = 0;
    if set == Set::Stl10 {
        // The unlabeled images have no such file.
        let name = first.file_name().replace("_X", "_y").replace("_x", "_y");
        let labels = beside(&name).filter(|e| e.name != first.name);
        let labels = labels.filter(|e| e.size() == stack.len() as u64);
        let bytes = labels.map(|e| e.read()).transpose();
        let bytes = bytes.map_err(|reason| unreadable(&root.join(&name), reason))?;
        numbers = bytes.unwrap_or_default().into_iter().map(i64::from).collect();
        // Labels count from 1.
        offset = 1;
    }
    if !numbers.is_empty() {
        let text = beside(set.names()).and_then(|e| e.head(1 << 16).ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().map(|line| line.trim().to_string());
        let names: BTreeMap<i64, String> =
            (offset..).zip(lines.filter(|line| !line.is_empty())).collect();
        let fault = |fault| DataError::Array(root.join(&first.name), fault);
        stack.label(&numbers, &names).map_err(fault)?;
    }
    Ok(stack)
}

/// The pixels of all records of `files`, and their labels if they have any.
fn records(files: &[&Entry], set: Set, root: &Path) -> Result<(Vec<u8>, Vec<i64>), DataError> {
    let size = set.size();
    let side = size.rows as u64;
    let (mut pixels, mut numbers) = (Vec::new(), Vec::new());
    let total: u64 = files.iter().map(|entry| entry.size() / set.record() as u64).sum();
    let stored = files.iter().map(|entry| entry.stored()).sum();
    for entry in files {
        let path = || root.join(&entry.name);
        let fault = |fault| DataError::Array(path(), fault);
        check(total, [side, side, 3], stored).map_err(fault)?;
        let mut from = entry.reader().map_err(|reason| unreadable(&path(), reason))?;
        let read = exactly(&mut from, entry.size(), 0);
        let bytes = read.map_err(|e| DataError::Read(path(), e))?.map_err(fault)?;
        for record in bytes.chunks_exact(set.record()) {
            let (labels, planes) = record.split_at(set.labels());
            if let Some(&label) = labels.last() {
                if label >= set.classes() {
                    let what = format!("label {label} of image {}", numbers.len());
                    return Err(fault(ArrayFault::Type(what)));
                }
                numbers.push(label.into());
            }
            match set {
                Set::Stl10 => pixels.extend(by_columns(planes, size.rows)),
                Set::Cifar10 | Set::Cifar100 => pixels.extend(interleaved(planes, size)),
            }
        }
    }
    Ok((pixels, numbers))
}

/// Three planes of columns with channels interleaved.
fn by_columns(planes: &[u8], side: usize) -> impl Iterator<Item = u8> {
    let plane = side * side;
    (0..plane).flat_map(move |at| {
        let (y, x) = (at / side, at % side);
        (0..3).map(move |c| planes[c * plane + x * side + y])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Crop, DataSet, Form};
    use std::fs;

    /// Records whose planes have the values `first`, `first` + 50 and `first` + 100, except for the
    /// pixel right of the first.
    fn records(set: Set, labels: &[(u8, u8)]) -> Vec<u8> {
        let plane = set.side() * set.side();
        let one = |&(label, first): &(u8, u8)| -> Vec<u8> {
            let labels = match set {
                Set::Cifar10 => vec![label],
                Set::Cifar100 => vec![label / 5, label],
                Set::Stl10 => vec![],
            };
            let mut planes: Vec<u8> =
                (0..3 * plane).map(|i| first + (i / plane * 50) as u8).collect();
            planes[if set == Set::Stl10 { set.side() } else { 1 }] = 255;
            [labels, planes].concat()
        };
        labels.iter().flat_map(one).collect()
    }

    fn open(files: &[(&str, Vec<u8>)], size: u32) -> Result<DataSet, DataError> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("set")).unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join("set").join(name), bytes).unwrap();
        }
        let form = Form { size, channels: 3, crop: Crop::Center, transpose: false };
        DataSet::open(dir.path(), &form, 1)
    }

    fn corner(data: &DataSet, i: usize) -> [[u8; 3]; 2] {
        let picture = data.picture(i).unwrap();
        [picture.get_pixel(0, 0).0, picture.get_pixel(1, 0).0]
    }

    #[test]
    fn all_training_batches_and_the_names_of_classes() {
        let names = b"airplane\nautomobile\nbird\n\n".to_vec();
        let data = open(
            &[
                ("data_batch_1.bin", records(Set::Cifar10, &[(2, 10), (0, 20)])),
                ("data_batch_2.bin", records(Set::Cifar10, &[(1, 30)])),
                ("test_batch.bin", records(Set::Cifar10, &[(1, 40)])),
                ("batches.meta.txt", names),
            ],
            32,
        )
        .unwrap();
        assert_eq!((data.len(), data.labels().join(" ")), (3, "airplane automobile bird".into()));
        assert_eq!([data.label(0), data.label(2)], [Some(2), Some(1)]);
        assert_eq!(corner(&data, 1), [[20, 70, 120], [255, 70, 120]]);
        assert_eq!(data.describe(), "3 images from 2 batches, 3 classes");
    }

    #[test]
    fn a_hundred_classes() {
        let data = open(
            &[
                ("train.bin", records(Set::Cifar100, &[(99, 10), (7, 20)])),
                ("test.bin", records(Set::Cifar100, &[(1, 40)])),
            ],
            32,
        )
        .unwrap();
        assert_eq!((data.len(), data.labels().join(" ")), (2, "7 99".into()));
        assert_eq!(corner(&data, 1), [[20, 70, 120], [255, 70, 120]]);
    }

    #[test]
    fn images_by_columns() {
        let data = open(
            &[
                ("train_X.bin", records(Set::Stl10, &[(0, 10), (0, 20)])),
                ("train_y.bin", vec![2, 1]),
                ("class_names.txt", b"airplane\nbird".to_vec()),
            ],
            96,
        )
        .unwrap();
        assert_eq!((data.len(), data.labels().join(" ")), (2, "airplane bird".into()));
        assert_eq!(data.label(0), Some(1));
        assert_eq!(corner(&data, 0), [[10, 60, 110], [255, 60, 110]]);
    }

    #[test]
    fn a_label_that_cannot_be() {
        let bytes = records(Set::Cifar10, &[(2, 10), (77, 20)]);
        let error = open(&[("data_batch_1.bin", bytes)], 32).unwrap_err().to_string();
        assert!(error.contains("data_batch_1.bin holds") && error.contains("label 77"), "{error}");
        // Not a number of whole records.
        let error = open(&[("data_batch_1.bin", vec![0; 4000])], 32).unwrap_err().to_string();
        assert!(error.contains("found 1 .bin"), "{error}");
    }
}
