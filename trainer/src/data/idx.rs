//! IDX files, the format of MNIST (LeCun, Cortes and Burges, "The MNIST database", section "File
//! formats") and of the sets made after it: images in one file, their labels in another, each plain
//! or packed by gzip.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use image::GrayImage;

use super::decode::fit;
use super::error::{DataError, IdxFault};
use super::form::Form;

/// First four bytes of a file of images: unsigned bytes, three dimensions.
const IMAGES: [u8; 4] = [0, 0, 8, 3];
/// First four bytes of a file of labels: unsigned bytes, one dimension.
const LABELS: [u8; 4] = [0, 0, 8, 1];
/// Largest number of bytes of pixels that is read: no such data set is larger.
const MOST_BYTES: u64 = 2 << 30;
/// Bytes of memory, images and what is kept for each of them, for each byte of the file: MNIST
/// needs 17.
const EXPANSION: u64 = 256;
/// Bytes that a data set keeps for each image beside its pixels.
pub(super) const PER_IMAGE: u64 = 128;
/// Bytes of memory that a file may need whatever its length.
const FREE: u64 = 256 << 20;

/// Images and their labels.
#[derive(Debug)]
pub(super) struct Idx {
    /// Pixels of all images, one after the other.
    pub pixels: Vec<u8>,
    /// Rows of an image.
    pub rows: usize,
    /// Pixels of a row.
    pub columns: usize,
    /// The class of each image; none without a file of labels.
    pub labels: Option<Vec<u8>>,
}

/// The file of images at `path` or in the folder `path`; the training images if there are several.
pub(super) fn find(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        let mut files: Vec<PathBuf> = fs::read_dir(path)
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| name(path).contains("idx3-ubyte") && path.is_file())
            .collect();
        files.sort_by_key(|path| (!name(path).starts_with("train"), name(path)));
        return files.into_iter().next();
    }
    // Opening a pipe would block.
    if !path.is_file() {
        return None;
    }
    let is =
        name(path).contains("-ubyte") || mark(path).is_some_and(|m| [IMAGES, LABELS].contains(&m));
    is.then(|| path.into())
}

/// Reads a file of images, and the file of labels with the matching name beside it.
///
/// # Errors
/// [`DataError::Idx`] names the file and what is wrong with it, [`DataError::Read`] one that cannot
/// be read.
pub(super) fn read(path: &Path) -> Result<Idx, DataError> {
    let ([count, rows, columns], pixels) = body(path, IMAGES)?;
    let labels = match labels_of(path) {
        Some(beside) => {
            let ([count], labels) = body(&beside, LABELS)?;
            if count != pixels.len() as u64 / (rows * columns) {
                let fault = IdxFault::Count(labels.len(), pixels.len() / (rows * columns) as usize);
                return Err(DataError::Idx(beside, fault));
            }
            Some(labels)
        }
        None => None,
    };
    debug_assert_eq!(count * rows * columns, pixels.len() as u64);
    Ok(Idx { pixels, rows: rows as usize, columns: columns as usize, labels })
}

impl Idx {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / (self.rows * self.columns)
    }

    /// The pixels of image `i`, row by row.
    pub fn raw(&self, i: usize) -> &[u8] {
        let image = self.rows * self.columns;
        &self.pixels[i * image..][..image]
    }

    /// Image `i` as planes of `form`.
    pub fn image(&self, i: usize, form: &Form) -> Box<[u8]> {
        let (width, height) = (self.columns as u32, self.rows as u32);
        let gray = GrayImage::from_raw(width, height, self.raw(i).to_vec());
        fit(gray.expect("a byte for each pixel").into(), form)
    }
}

/// The dimensions and bytes of a file that must start with `want`.
fn body<const D: usize>(path: &Path, want: [u8; 4]) -> Result<([u64; D], Vec<u8>), DataError> {
    let failed = |e| DataError::Read(path.into(), e);
    let fault = |fault| DataError::Idx(path.into(), fault);
    let mut file = open(path).map_err(failed)?;
    let mut head = Vec::new();
    let length = 4 + 4 * D as u64;
    file.by_ref().take(length).read_to_end(&mut head).map_err(failed)?;
    match head.first_chunk::<4>() {
        Some(mark) if *mark == want => {}
        Some(&LABELS) => return Err(fault(IdxFault::IsLabels)),
        Some(&IMAGES) => return Err(fault(IdxFault::IsImages)),
        Some(mark) => return Err(fault(IdxFault::Mark(*mark))),
        None => return Err(fault(IdxFault::Length(length, head.len() as u64))),
    }
    if (head.len() as u64) < length {
        return Err(fault(IdxFault::Length(length, head.len() as u64)));
    }
    let mut sides = [0; D];
    for (side, bytes) in sides.iter_mut().zip(head[4..].chunks_exact(4)) {
        *side = bytes.iter().fold(0, |n, &b| n << 8 | u64::from(b));
    }
    let size = sides.iter().try_fold(1u64, |n, &side| n.checked_mul(side));
    let Some(size) = size.filter(|size| (1..=MOST_BYTES).contains(size)) else {
        let side = |i: usize| sides.get(i).copied().unwrap_or(1);
        return Err(fault(IdxFault::Size(side(0), side(1), side(2))));
    };
    let on_disk = fs::metadata(path).map_err(failed)?.len();
    // One byte of a file may expand to a thousand, and each may be an image.
    let images = if want == IMAGES { sides[0] } else { 0 };
    let memory = size.saturating_add(images.saturating_mul(PER_IMAGE));
    if memory > on_disk.saturating_mul(EXPANSION).max(FREE) {
        return Err(fault(IdxFault::Expands(memory, on_disk)));
    }
    let mut bytes = Vec::new();
    // One byte more, to detect excess.
    file.take(size + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 == size {
        true => Ok((sides, bytes)),
        false => Err(fault(IdxFault::Length(length + size, length + bytes.len() as u64))),
    }
}

/// A file's bytes, decompressed if it is compressed.
fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut first = [0; 2];
    let packed = File::open(path)?.read_exact(&mut first).is_ok() && first == [0x1f, 0x8b];
    let file = BufReader::new(File::open(path)?);
    Ok(match packed {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    })
}

fn mark(path: &Path) -> Option<[u8; 4]> {
    let mut mark = [0; 4];
    open(path).ok()?.read_exact(&mut mark).ok()?;
    Some(mark)
}

/// `train-labels-idx1-ubyte` beside `train-images-idx3-ubyte`, with `.gz` or without.
fn labels_of(images: &Path) -> Option<PathBuf> {
    let name = name(images).replace("images", "labels").replace("idx3", "idx1");
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let folder = images.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Looked for rather than composed: the rest of the name need not be Unicode.
    let beside = |wanted: &str| match images.file_name().and_then(OsStr::to_str) {
        Some(_) => Some(images.with_file_name(wanted)),
        None => fs::read_dir(folder)
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| self::name(path) == wanted),
    };
    [name.clone(), plain.into(), format!("{plain}.gz")]
        .into_iter()
        .filter_map(|name| beside(&name))
        .find(|path| path != images && path.is_file())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataSet, Open};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const FORM: Form = Form { size: 2, channels: 1, crop: crate::data::Crop::Center };

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
            fs::write(dir.path().join(name), bytes).unwrap();
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
        assert_eq!(data.labels(), ["0", "1", "2", "3"]);
        let of: Vec<_> = (0..3).map(|i| data.label(i).unwrap()).collect();
        assert_eq!(of, [1, 0, 3]);
        assert_eq!(data.with(1, <[u8]>::to_vec).unwrap(), [4, 5, 6, 7]);
        // A file by its own name, and one without labels beside it.
        let data = DataSet::open(&dir.path().join("t10k-images-idx3-ubyte"), &FORM, 1).unwrap();
        assert_eq!((data.len(), data.labels().len(), data.label(0)), (1, 0, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn labels_beside_a_name_that_is_not_unicode() {
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
        let form = Form { size: 4, channels: 3, crop: crate::data::Crop::Center };
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
        let cases: [(Files, &str); 10] = [
            (vec![(name, cut)], "should have 28 bytes and has 20"),
            (vec![(name, long)], "should have 20 bytes and has more"),
            (vec![(name, images(1)[..9].to_vec())], "should have 16 bytes and has 9"),
            (vec![(name, Vec::new())], "should have 16 bytes and has 0"),
            (vec![(name, none)], "holds 0 images of 2 x 2"),
            (vec![(name, huge)], "holds 4294967295 images of 4294967295 x 4294967295"),
            (vec![(name, labels(&[1]))], "holds labels: give the file of images"),
            (vec![(name, b"text and so on and on".to_vec())], "starts with [116, 101, 120, 116]"),
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
        let form = Form { size: 64, channels: 3, crop: crate::data::Crop::Center };
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
