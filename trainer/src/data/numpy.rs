//! Arrays of images by NumPy: `.npy` files. An `.npz` file is a zip archive of them.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use runtime::npy::{self, Header};

use super::dtype::Kind;
use super::error::{ArrayFault, DataError};
use super::idx::unreadable;
use super::splits::{Split, split};
use super::stack::{Scale, Size, Span, Stack, check, exactly};
use super::tree::Entry;

/// Bytes that hold the longest header.
const HEAD: u64 = npy::LONGEST_HEADER as u64 + 12;
/// Values that are converted at once.
const PART: usize = 1 << 16;

/// An array: its header, not yet its values.
#[derive(Debug)]
struct Array<'a> {
    entry: &'a Entry,
    kind: Option<Kind>,
    /// The type as NumPy writes it.
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
    /// Bytes before the values.
    before: u64,
}

/// How an array holds images: the axes of number, rows, columns and channels, if there are any.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    count: usize,
    size: Size,
    /// Steps, in values, to the next image, row, column and channel.
    steps: [usize; 4],
}

impl Array<'_> {
    fn of<'a>(entry: &'a Entry, root: &Path) -> Result<Array<'a>, DataError> {
        let path = || root.join(&entry.name);
        let head = entry.plain_head(HEAD).map_err(|reason| unreadable(&path(), reason))?;
        let fault = |e| match entry.foreign() {
            Some(foreign) => DataError::Foreign(path(), foreign),
            None => DataError::Array(path(), ArrayFault::Npy(e)),
        };
        let (Header { descr, fortran, shape }, rest) = Header::split(&head).map_err(fault)?;
        let before = (head.len() - rest.len()) as u64;
        Ok(Array { entry, kind: Kind::of(descr), descr: descr.into(), fortran, shape, before })
    }

    fn all<'a>(entries: &'a [Entry], root: &Path) -> Result<Vec<Array<'a>>, DataError> {
        entries.iter().map(|entry| Array::of(entry, root)).collect()
    }

    /// How it holds images; nothing if it does not.
    fn layout(&self) -> Option<Layout> {
        // A side of a few pixels is a number of channels.
        let color = |n: usize| [1, 3, 4].contains(&n);
        let shape = &self.shape;
        // The axes of number, rows, columns, channels.
        let axes = match shape[..] {
            [rows, columns] if rows == columns && rows > 4 => [None, Some(0), Some(1), None],
            [_, values] => {
                let size = Size::square(values, false)?;
                let count = shape[0];
                let steps = match self.fortran {
                    true => [1, size.columns.saturating_mul(count), count, 0],
                    false => [values, size.columns, 1, 0],
                };
                return Some(Layout { count, size, steps });
            }
            [rows, columns, channels] if color(channels) && rows > 4 && columns > 4 => {
                [None, Some(0), Some(1), Some(2)]
            }
            [_, _, _] => [Some(0), Some(1), Some(2), None],
            [_, _, _, c] if color(c) => [Some(0), Some(1), Some(2), Some(3)],
            [_, c, _, _] if color(c) => [Some(0), Some(2), Some(3), Some(1)],
            // MATLAB's order, as that of SVHN.
            [_, _, c, _] if color(c) => [Some(3), Some(0), Some(1), Some(2)],
            _ => return None,
        };
        // A shape that is too large is refused by its size.
        let product =
            |sides: &[usize]| sides.iter().fold(1usize, |n, &side| n.saturating_mul(side));
        let steps: Vec<usize> = (0..shape.len())
            .map(|axis| match self.fortran {
                true => product(&shape[..axis]),
                false => product(&shape[axis + 1..]),
            })
            .collect();
        let [count, rows, columns, channels] = axes.map(|axis| axis.map_or(1, |axis| shape[axis]));
        let steps = axes.map(|axis| axis.map_or(0, |axis| steps[axis]));
        Some(Layout { count, size: Size { rows, columns, channels }, steps })
    }

    /// Whether it holds one number for each of `count` images.
    fn are_labels(&self, count: usize) -> bool {
        matches!(self.shape[..], [n] | [n, 1] if n == count)
    }

    fn path(&self, root: &Path) -> std::path::PathBuf {
        root.join(&self.entry.name)
    }

    /// Its values from the first.
    fn values(&self, root: &Path) -> Result<Box<dyn Read + Send>, DataError> {
        let path = self.path(root);
        let mut file = self.entry.plain().map_err(|reason| unreadable(&path, reason))?;
        let skipped = io::copy(&mut file.by_ref().take(self.before), &mut io::sink());
        skipped.map_err(|e| DataError::Read(path, e))?;
        Ok(file)
    }

    fn kind(&self, root: &Path) -> Result<Kind, DataError> {
        let fault = || DataError::Array(self.path(root), ArrayFault::Type(self.descr.clone()));
        self.kind.ok_or_else(fault)
    }

    /// Calls `each` with the `count` values in the order of the file.
    fn each(&self, count: u64, root: &Path, mut each: impl FnMut(f64)) -> Result<(), DataError> {
        let kind = self.kind(root)?;
        let mut from = self.values(root)?;
        let mut left = count;
        while left > 0 {
            let part = left.min(PART as u64);
            let bytes = read_part(&mut from, part * kind.width as u64)
                .map_err(|e| DataError::Read(self.path(root), e))?;
            if bytes.len() as u64 != part * kind.width as u64 {
                let got = (count - left) * kind.width as u64 + bytes.len() as u64 + self.before;
                let want = count * kind.width as u64 + self.before;
                return Err(DataError::Array(self.path(root), ArrayFault::Length(want, got)));
            }
            bytes.chunks_exact(kind.width).for_each(|value| each(kind.value(value)));
            left -= part;
        }
        Ok(())
    }

    /// Its images as bytes in the order of number, row, column, channel, and what was done to them.
    fn images(&self, layout: &Layout, root: &Path) -> Result<(Vec<u8>, Option<String>), DataError> {
        let fault = |fault| DataError::Array(self.path(root), fault);
        let kind = self.kind(root)?;
        let Size { rows, columns, channels } = layout.size;
        let sides = [rows as u64, columns as u64, channels as u64];
        let size = check(layout.count as u64, sides, self.entry.stored()).map_err(fault)?;
        let (bytes, scale) = if kind.letter == b'u' && kind.width == 1 {
            let mut from = self.values(root)?;
            let read = exactly(&mut from, size, self.before);
            let bytes = read.map_err(|e| DataError::Read(self.path(root), e))?.map_err(fault)?;
            // Black and white, as binary MNIST is stored.
            match bytes.iter().all(|&v| v <= 1) {
                true => (
                    bytes.iter().map(|&v| v * 255).collect(),
                    Span { least: 0.0, most: 1.0 }.scale(false).ok(),
                ),
                false => (bytes, None),
            }
        } else {
            let mut span = Span::NONE;
            self.each(size, root, |value| span = span.with(value))?;
            let wide = kind.letter == b'u' && kind.width == 2;
            let scale = span.scale(wide).map_err(fault)?;
            let mut bytes = Vec::with_capacity(size as usize);
            self.each(size, root, |value| bytes.push(scale.byte(value)))?;
            (bytes, Some(scale))
        };
        Ok((layout.arrange(bytes), scale.and_then(Scale::note)))
    }
}

impl Layout {
    /// Values in the order of number, row, column, channel.
    fn arrange(&self, values: Vec<u8>) -> Vec<u8> {
        let Size { rows, columns, channels } = self.size;
        let [image, row, column, channel] = self.steps;
        let expected = [rows * columns * channels, columns * channels, channels, 1];
        let sides = [self.count, rows, columns, channels];
        if (0..4).all(|axis| sides[axis] == 1 || self.steps[axis] == expected[axis]) {
            return values;
        }
        let mut arranged = Vec::with_capacity(values.len());
        for n in 0..self.count {
            for y in 0..rows {
                for x in 0..columns {
                    let first = n * image + y * row + x * column;
                    arranged.extend((0..channels).map(|c| values[first + c * channel]));
                }
            }
        }
        arranged
    }
}

fn read_part(from: &mut dyn Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length as usize);
    from.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

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
    let best = images.iter().map(|array| split(&array.entry.name)).min();
    let best_of = |array: &Array| Some(split(&array.entry.name)) == best;
    let images: Vec<(&Array, Option<Layout>)> =
        images.iter().filter(|array| best_of(array)).map(|a| (a, a.layout())).collect();
    let shape =
        |array: &Array| DataError::Array(array.path(root), ArrayFault::Shape(array.shape.clone()));
    let images: Vec<(&Array, Layout)> = images
        .into_iter()
        .map(|(array, layout)| Ok((array, layout.ok_or_else(|| shape(array))?)))
        .collect::<Result<_, DataError>>()?;
    let &[(first, layout), ref more @ ..] = &images[..] else {
        return Err(DataError::NotImages(root.into()));
    };
    // A class for each file, or several sets.
    let same = |(array, other): &(&Array, Layout)| {
        other.size == layout.size && array.entry.folder() == first.entry.folder()
    };
    if !more.is_empty() && (best != Some(Split::Unknown) || !more.iter().all(same)) {
        let names = images.iter().map(|(array, _)| array.entry.name.clone()).collect();
        return Err(DataError::Several(root.into(), names));
    }
    let (mut pixels, mut notes, mut numbers, mut names) =
        (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
    // There may be many thousands.
    let stored = images.iter().map(|(array, _)| array.entry.stored()).sum();
    for (class, (array, layout)) in images.iter().enumerate() {
        let sides = [layout.size.rows, layout.size.columns, layout.size.channels];
        let before = pixels.len() / layout.size.values().max(1);
        let total = before.saturating_add(layout.count) as u64;
        check(total, sides.map(|side| side as u64), stored)
            .map_err(|fault| DataError::Array(array.path(root), fault))?;
        let (bytes, note) = array.images(layout, root)?;
        pixels.extend(bytes);
        notes.extend(note);
        numbers.extend(std::iter::repeat_n(class as i64, layout.count));
        names.insert(class as i64, stem(array.entry.file_name()).to_string());
    }
    notes.dedup();
    let mut stack = Stack {
        pixels,
        size: layout.size,
        labels: Vec::new(),
        classes: Vec::new(),
        name: first.entry.file_name().into(),
        format: "npy",
        notes,
    };
    let fault = |fault| DataError::Array(first.path(root), fault);
    if !more.is_empty() {
        stack.name = format!("{} arrays", images.len());
        // Nor is a file of one image a class.
        if images.iter().all(|(_, layout)| layout.count == 1) {
            return Ok(stack);
        }
        stack.label(&numbers, &names).map_err(fault)?;
        return Ok(stack);
    }
    match labels_of(first, layout.count, &others) {
        Some(array) => match array.labels(layout.count, root)? {
            Some(numbers) => stack.label(&numbers, &BTreeMap::new()).map_err(fault)?,
            None => stack.notes.push(format!("{} holds no labels: not used", array.entry.name)),
        },
        None => {
            let near = others.iter().find(|array| is_label_name(&array.entry.name));
            let same = near.filter(|array| split(&array.entry.name) == split(&first.entry.name));
            if let Some(array) = same {
                let (name, shape) = (&array.entry.name, &array.shape);
                let note = format!("{name} has the shape {shape:?}: not used as labels");
                stack.notes.push(note);
            }
        }
    }
    Ok(stack)
}

impl Array<'_> {
    /// Its values as labels, if they are whole numbers.
    fn labels(&self, count: usize, root: &Path) -> Result<Option<Vec<i64>>, DataError> {
        if self.kind.is_none() {
            return Ok(None);
        }
        let (mut numbers, mut whole) = (Vec::new(), true);
        self.each(count as u64, root, |value| {
            whole &= value.fract() == 0.0;
            numbers.push(value as i64);
        })?;
        Ok(whole.then_some(numbers))
    }
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
        for i in 0..24_000u32 {
            let options = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored);
            zip.start_file(format!("{i}.npy"), options).unwrap();
            zip.write_all(&npy("|u1", false, &[1, 2, 2], &i.to_le_bytes())).unwrap();
        }
        zip.finish().unwrap();
        let began = std::time::Instant::now();
        let data = DataSet::open(&path, &Form { size: 2, ..FORM }, 1).unwrap();
        assert_eq!(data.len(), 24_000);
        // Comparing each name with each other took a minute.
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }
}
