//! Arrays of images by NumPy: `.npy` files. An `.npz` file is a zip archive of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::array::{Array, Layout};
use super::error::{ArrayFault, DataError};
use super::splits::{Split, split};
use super::stack::{Stack, check};
use super::tree::Entry;

/// Whether a file is an array of images.
pub(super) fn is_images(entry: &Entry) -> bool {
    Array::of(entry, Path::new("")).is_ok_and(|array| array.layout().is_some())
}

/// Whether a file is an array with one number for each of some images.
pub(super) fn may_be_labels(entry: &Entry) -> bool {
    Array::of(entry, Path::new("")).is_ok_and(|array| array.shape.len() < 3)
}

/// Reads the images of `images`, those to train on if there are parts for other purposes, with the
/// labels among `others`. Several arrays of one kind of images, such as Quick, Draw! has, are a
/// class each.
///
/// # Errors
/// [`DataError::Array`] names the file below `root` and what is wrong with it,
/// [`DataError::Several`] if there are several arrays and no name tells which one to use.
pub(super) fn read(images: &[Entry], others: &[Entry], root: &Path) -> Result<Stack, DataError> {
    let (images, mut others) = (Array::all(images, root)?, Array::all(others, root)?);
    // Labels for some numbers of images have the shape of flat images.
    let flat = images.iter().all(|array| array.shape.len() == 2);
    let (images, flat): (Vec<Array>, Vec<Array>) =
        images.into_iter().partition(|array| flat || array.shape.len() != 2);
    others.extend(flat);
    let images = chosen(&images, root)?;
    let &[(first, layout), ref more @ ..] = &images[..] else {
        return Err(DataError::NotImages(root.into()));
    };
    let mut stack = stacked(&images, layout, root)?;
    if more.is_empty() {
        stack.name = first.entry.file_name().into();
        label(&mut stack, first, &others, root)?;
        return Ok(stack);
    }
    // A file of one image is not a class.
    if images.iter().any(|(_, layout)| layout.count != 1) {
        let classes = || images.iter().enumerate();
        let numbers: Vec<i64> =
            classes().flat_map(|(i, (_, l))| std::iter::repeat_n(i as i64, l.count)).collect();
        let name = |array: &Array| stem(array.entry.file_name()).to_string();
        let names = classes().map(|(i, (array, _))| (i as i64, name(array))).collect();
        let fault = |fault| DataError::Array(first.path(root), fault);
        stack.label(&numbers, &names).map_err(fault)?;
    }
    Ok(stack)
}

/// The arrays to train on. If there are several, they have images of one size and lie in one folder.
fn chosen<'a>(
    images: &'a [Array<'a>],
    root: &Path,
) -> Result<Vec<(&'a Array<'a>, Layout)>, DataError> {
    let best = images.iter().map(|array| split(&array.entry.name)).min();
    let shape =
        |array: &Array| DataError::Array(array.path(root), ArrayFault::Shape(array.shape.clone()));
    let images = images
        .iter()
        .filter(|array| Some(split(&array.entry.name)) == best)
        .map(|array| Ok((array, array.layout().ok_or_else(|| shape(array))?)))
        .collect::<Result<Vec<_>, DataError>>()?;
    let same = |(array, layout): &(&Array, Layout)| {
        let (first, own) = &images[0];
        layout.size == own.size && array.entry.folder() == first.entry.folder()
    };
    if images.len() > 1 && (best != Some(Split::Unknown) || !images.iter().all(same)) {
        let names = images.iter().map(|(array, _)| array.entry.name.clone()).collect();
        return Err(DataError::Several(root.into(), names));
    }
    Ok(images)
}

/// All images in one stack, without labels. `layout` is that of the first array.
fn stacked(images: &[(&Array, Layout)], layout: Layout, root: &Path) -> Result<Stack, DataError> {
    let (mut pixels, mut notes) = (Vec::new(), Vec::new());
    // There may be many thousands.
    let stored = images.iter().map(|(array, _)| array.entry.stored()).sum();
    for (array, layout) in images {
        let sides = [layout.size.rows, layout.size.columns, layout.size.channels];
        let before = pixels.len() / layout.size.values().max(1);
        let total = before.saturating_add(layout.count) as u64;
        check(total, sides.map(|side| side as u64), stored)
            .map_err(|fault| DataError::Array(array.path(root), fault))?;
        let (bytes, note) = array.images(layout, root)?;
        pixels.extend(bytes);
        notes.extend(note);
    }
    notes.dedup();
    Ok(Stack {
        pixels,
        size: layout.size,
        labels: Vec::new(),
        classes: Vec::new(),
        name: format!("{} arrays", images.len()),
        format: "npy",
        notes,
    })
}

/// Labels the images of one array by an array among `others`, if one is theirs.
fn label(
    stack: &mut Stack,
    images: &Array,
    others: &[Array],
    root: &Path,
) -> Result<(), DataError> {
    let count = stack.len();
    if let Some(array) = labels_of(images, count, others) {
        match array.labels(count, root)? {
            Some(numbers) => stack
                .label(&numbers, &BTreeMap::new())
                .map_err(|fault| DataError::Array(images.path(root), fault))?,
            None => stack.notes.push(format!("{} holds no labels: not used", array.entry.name)),
        }
        return Ok(());
    }
    let near = others.iter().find(|array| is_label_name(&array.entry.name));
    let same = near.filter(|array| split(&array.entry.name) == split(&images.entry.name));
    if let Some(array) = same {
        let (name, shape) = (&array.entry.name, &array.shape);
        stack.notes.push(format!("{name} has the shape {shape:?}: not used as labels"));
    }
    Ok(())
}

/// The array of labels of `images`: one with the same number in the same part, by its name if there
/// are several.
fn labels_of<'a>(images: &Array, count: usize, others: &'a [Array<'a>]) -> Option<&'a Array<'a>> {
    let part = split(&images.entry.name);
    let fits = |array: &&Array| array.are_labels(count) && split(&array.entry.name) == part;
    let all: Vec<&Array> = others.iter().filter(fits).collect();
    match all[..] {
        [only] => Some(only),
        _ => {
            let mut named = all.into_iter().filter(|array| is_label_name(&array.entry.name));
            named.next().filter(|_| named.next().is_none())
        }
    }
}

fn is_label_name(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let words = ["label", "class", "target", "digit"];
    words.iter().any(|word| name.contains(word)) || name.starts_with('y')
}

fn stem(name: &str) -> &str {
    name.split(".npy").next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Crop, DataSet, Form};
    use half::f16;
    use std::fs;
    use std::io::Write;

    const FORM: Form = Form { size: 8, channels: 3, crop: Crop::Center, transpose: false };

    fn npy(descr: &str, fortran: bool, shape: &[usize], data: &[u8]) -> Vec<u8> {
        let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let fortran = if fortran { "True" } else { "False" };
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({axes}), }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    /// The value of a channel of a pixel.
    fn pixel(n: usize, y: usize, x: usize, c: usize) -> u8 {
        (100 * n + 10 * y + x + 60 * c) as u8
    }

    /// Two images of 8 x 8 with three channels in the order of these axes of `nyxc`.
    fn ordered(axes: [usize; 4], fortran: bool) -> (Vec<usize>, Vec<u8>) {
        let sides = [2, 8, 8, 3];
        let shape: Vec<usize> = axes.iter().map(|&axis| sides[axis]).collect();
        let mut data = Vec::new();
        for flat in 0..shape.iter().product() {
            let (mut rest, mut at) = (flat, [0; 4]);
            let order: Vec<usize> = if fortran { (0..4).collect() } else { (0..4).rev().collect() };
            for axis in order {
                at[axes[axis]] = rest % shape[axis];
                rest /= shape[axis];
            }
            data.push(pixel(at[0], at[1], at[2], at[3]));
        }
        (shape, data)
    }

    fn open(files: &[(&str, Vec<u8>)]) -> Result<DataSet, DataError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        DataSet::open(dir.path(), &FORM, 1)
    }

    fn refused(files: &[(&str, Vec<u8>)]) -> String {
        open(files).unwrap_err().to_string()
    }

    fn check_pixels(data: &DataSet) {
        assert_eq!(data.len(), 2);
        for n in 0..2 {
            let planes = data.with(n, <[u8]>::to_vec).unwrap();
            for (i, &value) in planes.iter().enumerate() {
                assert_eq!(value, pixel(n, i / 8 % 8, i % 8, i / 64), "{n}: {i}");
            }
        }
    }

    #[test]
    fn every_order_of_axes() {
        for axes in [[0, 1, 2, 3], [0, 3, 1, 2], [1, 2, 3, 0]] {
            for fortran in [false, true] {
                let (shape, data) = ordered(axes, fortran);
                check_pixels(&open(&[("a.npy", npy("|u1", fortran, &shape, &data))]).unwrap());
            }
        }
    }

    #[test]
    fn every_type_of_values() {
        let (shape, bytes) = ordered([0, 1, 2, 3], false);
        let of =
            |to: &dyn Fn(u8) -> Vec<u8>| bytes.iter().flat_map(|&v| to(v)).collect::<Vec<u8>>();
        let unit = |v: u8| f32::from(v) / 255.0;
        let cases = [
            ("<f4", of(&|v| unit(v).to_le_bytes().into()), true),
            (">f4", of(&|v| (unit(v) * 2.0 - 1.0).to_be_bytes().into()), true),
            ("<f8", of(&|v| f64::from(v).to_le_bytes().into()), false),
            ("<f2", of(&|v| f16::from_f32(v.into()).to_le_bytes().into()), false),
            ("<i8", of(&|v| i64::from(v).to_le_bytes().into()), false),
            (">i2", of(&|v| i16::from(v).to_be_bytes().into()), false),
            ("<u2", of(&|v| (u16::from(v) * 257).to_le_bytes().into()), true),
        ];
        for (descr, data, noted) in cases {
            let data = open(&[("a.npy", npy(descr, false, &shape, &data))]).unwrap();
            check_pixels(&data);
            assert_eq!(data.notes().len(), usize::from(noted), "{descr}: {:?}", data.notes());
        }
        // Black and white in bytes and booleans.
        let ink: Vec<u8> = (0..128).map(|i| u8::from(i % 3 == 0)).collect();
        for descr in ["|u1", "|b1"] {
            let data = open(&[("a.npy", npy(descr, false, &[2, 8, 8], &ink))]).unwrap();
            let first = data.with(0, |planes| planes[..4].to_vec()).unwrap();
            assert_eq!(first, [255, 0, 0, 255], "{descr}");
        }
    }

    #[test]
    fn flat_and_single_images() {
        let flat: Vec<u8> = (0..128).collect();
        for fortran in [false, true] {
            let stored: Vec<u8> = match fortran {
                true => (0..128).map(|i| flat[i % 2 * 64 + i / 2]).collect(),
                false => flat.clone(),
            };
            let data = open(&[("a.npy", npy("|u1", fortran, &[2, 64], &stored))]).unwrap();
            assert_eq!(data.with(1, |planes| planes[..64].to_vec()).unwrap(), flat[64..]);
        }
        let (_, two) = ordered([0, 1, 2, 3], false);
        let one = open(&[("a.npy", npy("|u1", false, &[8, 8, 3], &two[..192]))]).unwrap();
        assert_eq!((one.len(), one.with(0, |planes| planes[64]).unwrap()), (1, pixel(0, 0, 0, 1)));
        // A file for each image, gray or in color.
        let gray = |v: u8| npy("|u1", false, &[8, 8], &(0..64).map(|i| i ^ v).collect::<Vec<_>>());
        let data = open(&[("a.npy", gray(0)), ("b.npy", gray(1))]).unwrap();
        assert_eq!((data.len(), data.labels().len()), (2, 0));
        assert_eq!(data.with(1, |planes| planes[9]).unwrap(), 8);
    }

    #[test]
    fn an_npz_as_keras_and_medmnist_have_it() {
        let images = |n: usize, v: u8| {
            npy("|u1", false, &[n, 8, 8], &(0..n * 64).map(|i| i as u8 ^ v).collect::<Vec<_>>())
        };
        let labels = |of: &[u8]| npy("|u1", false, &[of.len(), 1], of);
        let sets = [
            [
                ("x_test", images(2, 1)),
                ("x_train", images(3, 0)),
                ("y_test", labels(&[1, 1])),
                ("y_train", labels(&[4, 2, 4])),
            ],
            [
                ("train_images", images(3, 0)),
                ("train_labels", labels(&[4, 2, 4])),
                ("test_images", images(3, 2)),
                ("test_labels", labels(&[0, 0, 0])),
            ],
        ];
        for set in sets {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("mnist.npz");
            let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
            for (name, bytes) in &set {
                let options = zip::write::SimpleFileOptions::default();
                zip.start_file(format!("{name}.npy"), options).unwrap();
                zip.write_all(bytes).unwrap();
            }
            zip.finish().unwrap();
            // By its own path, and in a folder.
            for path in [&path, dir.path()] {
                let data = DataSet::open(path, &FORM, 1).unwrap();
                assert_eq!((data.len(), data.labels().join(" ")), (3, "2 4".into()));
                assert_eq!([data.label(0), data.label(1)], [Some(1), Some(0)]);
                assert_eq!(data.with(0, |planes| planes[5]).unwrap(), 5);
            }
        }
    }

    #[test]
    fn a_class_for_each_file() {
        let images =
            |v: u8| npy("|u1", false, &[2, 64], &(0..128).map(|i| i ^ v).collect::<Vec<_>>());
        let data = open(&[("cat.npy", images(0)), ("owl.npy", images(1))]).unwrap();
        assert_eq!((data.len(), data.labels().join(" ")), (4, "cat owl".into()));
        assert_eq!([data.label(1), data.label(2)], [Some(0), Some(1)]);
    }

    #[test]
    fn labels_that_are_none() {
        let images = || npy("|u1", false, &[2, 8, 8], &(0..128).collect::<Vec<_>>());
        let ages: Vec<u8> = [1.5f32, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let data = open(&[("x.npy", images()), ("y.npy", npy("<f4", false, &[2], &ages))]).unwrap();
        assert!(data.labels().is_empty());
        assert_eq!(data.notes(), ["y.npy holds no labels: not used"]);
        let wrong = npy("|u1", false, &[3], &[1, 2, 3]);
        let data = open(&[("x.npy", images()), ("y.npy", wrong)]).unwrap();
        assert_eq!(data.notes(), ["y.npy has the shape [3]: not used as labels"]);
    }

    #[test]
    fn faults() {
        let data = vec![0; 4 * 128];
        let nan: Vec<u8> = (0..64).flat_map(|_| f32::NAN.to_le_bytes()).collect();
        let far: Vec<u8> = (0..64).flat_map(|v| (v as f32 * 9.0).to_le_bytes()).collect();
        let huge = npy("|u1", false, &[1 << 40, 1 << 40, 8], &[]);
        let cases = [
            (npy("|u1", false, &[2, 8, 8], &data[..100]), "and has"),
            (npy("|u1", false, &[2, 8, 8], &data[..200]), "and has more"),
            (npy("<f4", false, &[2, 8, 8], &data[..300]), "and has"),
            (npy("<f4", false, &[1, 8, 8], &nan), "values from NaN to NaN"),
            (npy("<f4", false, &[1, 8, 8], &far), "values from 0 to 567: pixels are 0 to 255"),
            (npy("<c8", false, &[1, 8, 8], &data[..512]), "type <c8"),
            (npy("|O", false, &[1, 8, 8], &data[..512]), "type |O"),
            (npy("|u1", false, &[3, 5], &data[..15]), "has the shape [3, 5]: images are"),
            (npy("|u1", false, &[0, 8, 8], &[]), "holds 0 images of 8 x 8"),
            (npy("|u1", false, &[3, 0, 8], &[]), "holds 3 images of 0 x 8"),
            (npy("<f4", false, &[usize::MAX, 8, 8, 3], &[]), "holds 18446744073709551615 images"),
            (huge, "holds 1099511627776 images"),
            (b"\x93NUMPY\x01\0\xff\xff".to_vec(), "the .npy header claims 65535 bytes"),
            (b"version https://git-lfs.github.com/spec/v1".to_vec(), "git lfs pull"),
        ];
        for (bytes, want) in cases {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.npy");
            fs::write(&path, bytes).unwrap();
            let error = DataSet::open(&path, &FORM, 1).unwrap_err().to_string();
            assert!(error.contains(want) && error.contains("a.npy"), "{error}: {want}");
        }
        let two = [
            ("a.npy", npy("|u1", false, &[3], &[1, 2, 3])),
            ("b.npy", npy("|u1", false, &[1], &[1])),
        ];
        assert!(refused(&two).contains("no image"), "{}", refused(&two));
    }

    #[test]
    fn tens_of_thousands_of_arrays_take_time_in_proportion() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arrays.zip");
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for i in 0..12_000u32 {
            let options = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored);
            zip.start_file(format!("{i}.npy"), options).unwrap();
            zip.write_all(&npy("|u1", false, &[1, 2, 2], &i.to_le_bytes())).unwrap();
        }
        zip.finish().unwrap();
        let began = std::time::Instant::now();
        let data = DataSet::open(&path, &Form { size: 2, ..FORM }, 1).unwrap();
        assert_eq!(data.len(), 12_000);
        // Comparing each name with each other took a minute for twice as many.
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
}
