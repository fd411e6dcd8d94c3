//! A set of images of one form.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use rayon::prelude::*;

use super::Form;
use super::decode::{decode, fit};
use super::digits;
use super::drawn;
use super::error::{DataError, Reason, Skipped};
use super::idx;
use super::labels::classes;
use super::source::{self, Entry};

/// What decoded images may fill: 4 GiB, 300,000 colour images of 64 x 64. The rest is decoded each time.
pub const BUDGET: usize = 4 << 30;

/// Images of one form, decoded once where they fit into memory.
#[derive(Debug)]
pub struct DataSet {
    form: Form,
    images: Vec<Image>,
    labels: Vec<String>,
    skipped: Vec<Skipped>,
    fingerprint: u64,
    description: String,
}

#[derive(Debug)]
struct Image {
    /// Planes of bytes, [`Form::values`] long; none: beyond the budget.
    pixels: Option<Box<[u8]>>,
    origin: Origin,
    label: Option<usize>,
    /// Of the file's bytes, or of what is drawn: whatever it is called and wherever it stands.
    content: u64,
}

#[derive(Debug)]
enum Origin {
    File(Entry),
    /// Held in memory for good: an image of an IDX file.
    Memory,
    /// A face, by seed.
    Drawn(u64),
    /// A digit, by seed.
    Digit(u64),
}

impl DataSet {
    /// The images of a folder (flat, or a folder per class), a zip archive or an IDX file (or folder of them), decoded on `workers` threads.
    ///
    /// # Errors
    /// [`DataError`]: the path is missing, unreadable, neither folder nor archive, damaged or encrypted, or none of its
    /// files could be decoded. Single files that cannot be decoded are [`DataSet::skipped`].
    pub fn open(path: &Path, form: &Form, workers: usize) -> Result<DataSet, DataError> {
        DataSet::open_within(path, form, workers, BUDGET, &|_, _| ())
    }

    /// [`DataSet::open`] that keeps at most `budget` bytes of images in memory, and calls `progress` with the number of
    /// files decoded and in all, from any thread.
    ///
    /// # Errors
    /// As [`DataSet::open`].
    pub fn open_within(
        path: &Path,
        form: &Form,
        workers: usize,
        budget: usize,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<DataSet, DataError> {
        if let Some(file) = idx::find(path) {
            return DataSet::idx(&file, form, workers);
        }
        let mut found = source::find(path)?;
        let entries = std::mem::take(&mut found.entries);
        let fit = budget / form.values().max(1);
        let (done, all) = (AtomicUsize::new(0), entries.len());
        let load = |(i, entry): (usize, Entry)| {
            let loaded = entry.read().and_then(|bytes| {
                let pixels = decode(&bytes, &entry.name, form)?;
                Ok((hash(SEED, &bytes), (i < fit).then_some(pixels)))
            });
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all);
            (entry, loaded)
        };
        let loaded: Vec<_> =
            on_threads(workers, || entries.into_par_iter().enumerate().map(load).collect());

        let mut fingerprint = SEED;
        let mut images = Vec::with_capacity(all);
        for (entry, loaded) in loaded {
            match loaded {
                Ok((content, pixels)) => {
                    fingerprint = hash(fingerprint, entry.name.as_bytes());
                    fingerprint = hash(fingerprint, &content.to_le_bytes());
                    images.push(Image {
                        pixels,
                        origin: Origin::File(entry),
                        label: None,
                        content,
                    });
                }
                Err(reason) => found.skipped.push(Skipped { name: entry.name, reason }),
            }
        }
        if images.is_empty() {
            return Err(DataError::NoImages { path: path.into(), found: found.inventory() });
        }
        let names = images.iter().map(|image| match &image.origin {
            Origin::File(entry) => entry.name.as_str(),
            Origin::Drawn(_) | Origin::Digit(_) | Origin::Memory => "",
        });
        let (labels, of) = classes(&names.collect::<Vec<_>>());
        for (image, label) in images.iter_mut().zip(of) {
            image.label = Some(label);
        }
        if let (false, Some(class)) = (labels.is_empty(), found.empty.first()) {
            return Err(DataError::EmptyClass(path.into(), class.clone()));
        }
        different(path, &images)?;
        let name = path.file_name().map_or(path.as_os_str(), |name| name);
        let description = found.describe(&name.to_string_lossy(), images.len(), labels.len());
        Ok(DataSet {
            form: *form,
            images,
            labels,
            skipped: found.skipped,
            fingerprint,
            description,
        })
    }

    /// The images of an IDX file with the labels of the file beside it, named by their numbers.
    fn idx(path: &Path, form: &Form, workers: usize) -> Result<DataSet, DataError> {
        let idx = idx::read(path)?;
        let (width, height) = (idx.columns as u32, idx.rows as u32);
        let make = |(i, pixels): (usize, &[u8])| {
            let grey = image::GrayImage::from_raw(width, height, pixels.to_vec());
            Image {
                pixels: grey.map(|grey| fit(grey.into(), form)),
                origin: Origin::Memory,
                label: idx.labels.as_ref().map(|labels| labels[i].into()),
                content: hash(SEED, pixels),
            }
        };
        let pixels = idx.pixels.par_chunks_exact(idx.rows * idx.columns);
        let images: Vec<Image> = on_threads(workers, || pixels.enumerate().map(make).collect());
        different(path, &images)?;
        let labels = idx.labels.as_deref().unwrap_or_default();
        let classes = labels.iter().max().map_or(0, |&most| usize::from(most) + 1);
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = name.to_string_lossy();
        let description = match classes {
            0 => format!("{} images from {name}", images.len()),
            n => format!("{} images from {name}, {n} classes", images.len()),
        };
        Ok(DataSet {
            form: *form,
            images,
            labels: (0..classes).map(|class| class.to_string()).collect(),
            skipped: Vec::new(),
            fingerprint: hash(hash(SEED, &idx.pixels), labels),
            description,
        })
    }

    /// `count` of the built-in drawn faces, those of `seed` and the seeds after it, drawn on `workers` threads.
    pub fn drawn(count: usize, seed: u64, form: &Form, workers: usize) -> DataSet {
        let fit = BUDGET / form.values().max(1);
        let draw = |i: usize| {
            let face = seed.wrapping_add(i as u64);
            Image {
                pixels: (i < fit).then(|| drawn_pixels(face, form)),
                origin: Origin::Drawn(face),
                label: None,
                content: hash(SEED, &face.to_le_bytes()),
            }
        };
        let images = on_threads(workers, || (0..count).into_par_iter().map(draw).collect());
        let numbers = [drawn::VERSION, seed, count as u64].map(u64::to_le_bytes);
        DataSet {
            form: *form,
            images,
            labels: Vec::new(),
            skipped: Vec::new(),
            fingerprint: hash(SEED, &numbers.concat()),
            description: format!("{count} drawn faces"),
        }
    }

    /// `count` of the built-in drawn digits, those of `seed` and the seeds after it, with their labels, drawn on `workers`
    /// threads.
    pub fn digits(count: usize, seed: u64, form: &Form, workers: usize) -> DataSet {
        let fit = BUDGET / form.values().max(1);
        let draw = |i: usize| {
            let digit = seed.wrapping_add(i as u64);
            Image {
                pixels: (i < fit).then(|| digit_pixels(digit, form)),
                origin: Origin::Digit(digit),
                label: Some((digit % 10) as usize),
                content: hash(SEED, &digit.to_le_bytes()),
            }
        };
        let images = on_threads(workers, || (0..count).into_par_iter().map(draw).collect());
        let numbers = [digits::VERSION, seed, count as u64].map(u64::to_le_bytes);
        DataSet {
            form: *form,
            images,
            labels: (0..10).map(|digit| digit.to_string()).collect(),
            skipped: Vec::new(),
            fingerprint: hash(hash(SEED, b"digits"), &numbers.concat()),
            description: format!("{count} drawn digits"),
        }
    }

    /// What every image was brought to.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are none, as only a drawn set of none can be.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Files that look like images and could not be decoded.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The names of the class folders in order; none where the images lie side by side.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Which of [`DataSet::labels`] image `i` has.
    pub fn label(&self, i: usize) -> Option<usize> {
        self.images.get(i)?.label
    }

    /// The images to train on, and those to hold out: about `share` of all. Which are held out is a matter of their content
    /// alone, so that it stays when others are added, renamed or put in another order, and copies stay together.
    pub fn split(&self, share: f64) -> (Vec<usize>, Vec<usize>) {
        // The hash's low bits are the better mixed ones; an odd factor spreads them over all.
        let unit = |content: u64| {
            let mixed = (content ^ content >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..self.len()).partition(|&i| unit(self.images[i].content) >= share)
    }

    /// Takes the images out that [`DataSet::split`] holds out, as a set of their own. What is left has another fingerprint.
    pub fn hold_out(&mut self, share: f64) -> DataSet {
        let (_, held) = self.split(share);
        let mut held = held.into_iter().peekable();
        let (mut kept, mut out) = (Vec::new(), Vec::new());
        for (i, image) in std::mem::take(&mut self.images).into_iter().enumerate() {
            match held.next_if_eq(&i) {
                Some(_) => out.push(image),
                None => kept.push(image),
            }
        }
        self.images = kept;
        self.fingerprint = hash(self.fingerprint, &share.to_le_bytes());
        self.description += &format!(", {} of them held out", out.len());
        DataSet {
            form: self.form,
            images: out,
            labels: self.labels.clone(),
            skipped: Vec::new(),
            fingerprint: hash(self.fingerprint, b"held out"),
            description: format!("held out of {}", self.description),
        }
    }

    /// The content of image `i`, as a number: equal where files are equal byte for byte.
    pub fn content(&self, i: usize) -> Option<u64> {
        Some(self.images.get(i)?.content)
    }

    /// What image `i` is called; nothing where it has no name.
    pub fn name(&self, i: usize) -> Option<&str> {
        match &self.images.get(i)?.origin {
            Origin::File(entry) => Some(&entry.name),
            Origin::Memory | Origin::Drawn(_) | Origin::Digit(_) => None,
        }
    }

    /// One line: `25000 images from faces64.zip, 3 skipped`.
    pub fn describe(&self) -> String {
        self.description.clone()
    }

    /// A number that other images, other names or another order change. It does not depend on the form.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Image `i` as planes of bytes, lent to `use_`.
    ///
    /// # Errors
    /// [`DataError::Lost`]: the image does not fit into memory and its file has gone, or there is no image `i`.
    pub fn with<T>(&self, i: usize, use_: impl FnOnce(&[u8]) -> T) -> Result<T, DataError> {
        let lost = |name: String, reason| DataError::Lost(Skipped { name, reason });
        let Some(image) = self.images.get(i) else {
            return Err(lost(format!("image {i}"), Reason::Absent(self.len())));
        };
        if let Some(pixels) = &image.pixels {
            return Ok(use_(pixels));
        }
        let pixels = match &image.origin {
            Origin::Memory => return Err(lost(format!("image {i}"), Reason::Absent(self.len()))),
            Origin::Drawn(seed) => drawn_pixels(*seed, &self.form),
            Origin::Digit(seed) => digit_pixels(*seed, &self.form),
            Origin::File(entry) => entry
                .read()
                .and_then(|bytes| decode(&bytes, &entry.name, &self.form))
                .map_err(|reason| lost(entry.name.clone(), reason))?,
        };
        Ok(use_(&pixels))
    }

    /// Image `i` as a picture, grey ones in three equal channels.
    ///
    /// # Errors
    /// As [`DataSet::with`].
    pub fn picture(&self, i: usize) -> Result<RgbImage, DataError> {
        let Form { size, .. } = self.form;
        let (plane, last) = (self.form.pixels(), self.form.planes() - 1);
        self.with(i, |pixels| {
            RgbImage::from_fn(size, size, |x, y| {
                let at = y as usize * size as usize + x as usize;
                image::Rgb([0, 1, 2].map(|c: usize| pixels[c.min(last) * plane + at]))
            })
        })
    }
}

/// Refuses images that are all the same.
fn different(path: &Path, images: &[Image]) -> Result<(), DataError> {
    let same = images.windows(2).all(|pair| pair[0].content == pair[1].content);
    match same && images.len() > 1 {
        true => Err(DataError::Identical(path.into(), images.len())),
        false => Ok(()),
    }
}

fn drawn_pixels(seed: u64, form: &Form) -> Box<[u8]> {
    let face = image::DynamicImage::ImageRgb8(drawn::face(seed, form.size));
    match form.planes() {
        1 => form.planar(face.into_luma8().as_raw(), 1),
        _ => form.planar(face.into_rgb8().as_raw(), 3),
    }
}

fn digit_pixels(seed: u64, form: &Form) -> Box<[u8]> {
    let (digit, _) = digits::digit(seed, form.size);
    form.planar(digit.as_raw(), 1)
}

/// Runs on `workers` threads of its own, or where it is if they cannot be had.
pub(super) fn on_threads<T: Send>(workers: usize, work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(workers.max(1)).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

/// FNV-1a's offset basis.
pub(super) const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits, going on from `hash`.
pub(super) fn hash(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb};
    use std::fs;
    use std::io::{Cursor, Write};

    const FORM: Form = Form { size: 8, channels: 3, crop: crate::data::Crop::Centre };

    fn png(v: u8) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let image = RgbImage::from_pixel(10, 8, Rgb([v, 0, 255 - v]));
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
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

    fn zip(files: &[(&str, Vec<u8>)]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut zip = zip::ZipWriter::new(file.as_file_mut());
        for (name, bytes) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        file
    }

    fn reds(data: &DataSet) -> Vec<u8> {
        (0..data.len()).map(|i| data.with(i, |p| p[0]).unwrap()).collect()
    }

    #[test]
    fn a_folder_of_rubbish_with_images_in_it() {
        let dir = folder(&[
            ("b.png", png(2)),
            ("a.png", png(1)),
            ("photo.jpg", png(3)),    // a wrong extension
            ("scan.dat", png(4)),     // one that says nothing
            ("no extension", png(5)), // none
            ("text.jpg", b"not a picture".to_vec()),
            ("cut.png", png(9)[..30].to_vec()),
            ("empty.gif", Vec::new()),
            ("README", b"P5 is a letter and a digit".to_vec()),
            ("list.csv", b"BM,1".to_vec()),
            (".hidden.png", png(6)),
            ("sub/.git/x.png", png(7)),
        ]);
        let data = DataSet::open(dir.path(), &FORM, 2).unwrap();
        assert_eq!(reds(&data), [1, 2, 5, 3, 4]);
        let skipped: Vec<&str> = data.skipped().iter().map(|s| s.name.as_str()).collect();
        assert_eq!(skipped, ["cut.png", "empty.gif", "text.jpg"]);
        assert_eq!(data.skipped()[2].to_string(), "text.jpg: not an image, whatever its name says");
        let name = dir.path().file_name().unwrap().to_string_lossy();
        assert_eq!(data.describe(), format!("5 images from {name}, 3 skipped, 2 other files"));
        assert!(data.labels().is_empty());
        assert_eq!(data.picture(0).unwrap().get_pixel(3, 3).0, [1, 0, 254]);
    }

    #[test]
    fn classes() {
        let files = |names: [&'static str; 4]| {
            names.map(|name| (name, png(name.bytes().fold(0, u8::wrapping_add))))
        };
        let cases = [
            (["x.png", "y.png", "z.png", "w.png"], vec![], vec![]),
            (["all/x.png", "all/y.png", "all/z.png", "all/w.png"], vec![], vec![]),
            (
                ["dog/x.png", "cat/y.png", "cat/a/z.png", "dog/b/w.png"],
                vec!["cat", "dog"],
                vec![0, 0, 1, 1],
            ),
            (
                ["s/dog/x.png", "s/cat/y.png", "s/cat/z.png", "s/eel/z.png"],
                vec!["cat", "dog", "eel"],
                vec![0, 0, 1, 2],
            ),
            (["dog/x.png", "cat/y.png", "cat/z.png", "stray.png"], vec![], vec![]),
        ];
        for (names, labels, of) in cases {
            let dir = folder(&files(names));
            let archive = zip(&files(names));
            let from_folder = DataSet::open(dir.path(), &FORM, 1).unwrap();
            let from_zip = DataSet::open(archive.path(), &FORM, 3).unwrap();
            for data in [&from_folder, &from_zip] {
                assert_eq!(data.labels(), labels, "{names:?}");
                let got: Vec<usize> = (0..4).filter_map(|i| data.label(i)).collect();
                assert_eq!(got, of, "{names:?}");
            }
            assert_eq!(reds(&from_folder), reds(&from_zip), "{names:?}");
            assert_eq!(from_folder.fingerprint(), from_zip.fingerprint(), "{names:?}");
        }
    }

    #[test]
    fn other_data_has_another_fingerprint() {
        let print = |files: &[(&str, Vec<u8>)], form: &Form| {
            DataSet::open(folder(files).path(), form, 2).unwrap().fingerprint()
        };
        let base = print(&[("a.png", png(1)), ("b.png", png(2))], &FORM);
        assert_eq!(
            base,
            print(
                &[("a.png", png(1)), ("b.png", png(2))],
                &Form { size: 4, channels: 1, crop: crate::data::Crop::Centre }
            )
        );
        assert_ne!(base, print(&[("a.png", png(1)), ("b.png", png(3))], &FORM));
        assert_ne!(base, print(&[("a.png", png(1)), ("c.png", png(2))], &FORM));
        assert_ne!(base, print(&[("a.png", png(2)), ("b.png", png(1))], &FORM));
        assert_ne!(base, print(&[("a.png", png(1))], &FORM));
        let drawn = |count, seed| DataSet::drawn(count, seed, &FORM, 1).fingerprint();
        assert_ne!(drawn(2, 0), drawn(3, 0));
        assert_ne!(drawn(2, 0), drawn(2, 1));
    }

    #[test]
    fn beyond_the_budget_images_are_decoded_again() {
        let files: Vec<_> = (0..9u8).map(|i| (format!("{i}.png"), png(i))).collect();
        let files: Vec<_> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let dir = folder(&files);
        let calls = AtomicUsize::new(0);
        let count = |_, all| {
            assert_eq!(all, 9);
            calls.fetch_add(1, Ordering::Relaxed);
        };
        let data = DataSet::open_within(dir.path(), &FORM, 2, 4 * FORM.values(), &count).unwrap();
        assert_eq!(calls.into_inner(), 9);
        assert_eq!(data.images.iter().filter(|i| i.pixels.is_some()).count(), 4);
        assert_eq!(reds(&data), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        fs::remove_file(dir.path().join("8.png")).unwrap();
        let error = data.with(8, |_| ()).unwrap_err().to_string();
        assert!(error.contains("8.png: cannot be read"), "{error}");
        assert!(data.with(0, |_| ()).is_ok());
        assert!(data.with(9, |_| ()).unwrap_err().to_string().contains("there are only 9"));
    }

    #[test]
    fn nothing_to_decode() {
        let text = || b"text".to_vec();
        struct Case {
            files: Vec<(&'static str, Vec<u8>)>,
            found: &'static str,
        }
        let cases = [
            Case { files: vec![], found: "found no files" },
            Case { files: vec![(".a.png", png(1))], found: "found 1 hidden" },
            Case {
                files: vec![("a.txt", text()), ("b.TXT", text()), ("c", text())],
                found: "found 2 .txt, 1 without extension",
            },
            Case {
                files: vec![("n.txt", text()), ("a.jpg", text()), ("b.heic", text())],
                found: "found 1 .txt, 1 .heic that failed, 1 .jpg that failed (a.jpg: not an image, whatever its name says, b.heic: heic is not read)",
            },
        ];
        for Case { files, found } in cases {
            let dir = folder(&files);
            let error = DataError::to_string(&DataSet::open(dir.path(), &FORM, 1).unwrap_err());
            let path = dir.path().display();
            let want = format!(
                "no image could be decoded in {path}: looked for jpeg, png, webp, bmp, pgm/ppm/pbm, gif, tiff, tga; {found}"
            );
            assert_eq!(error, want);
        }
    }

    #[test]
    fn paths_that_are_no_data() {
        let dir = folder(&[("note.txt", b"hello".to_vec())]);
        let cases = [
            ("nowhere", "nowhere: no such file or folder"),
            ("note.txt", "note.txt is neither a folder nor a zip archive"),
            ("note.txt/x", "cannot read "),
        ];
        for (name, want) in cases {
            let error = DataSet::open(&dir.path().join(name), &FORM, 1).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn drawn_faces() {
        let data = DataSet::drawn(3, 5, &FORM, 2);
        assert_eq!((data.len(), data.describe().as_str()), (3, "3 drawn faces"));
        assert_eq!(data.picture(1).unwrap(), drawn::face(6, 8));
        let grey = DataSet::drawn(
            3,
            5,
            &Form { size: 8, channels: 1, crop: crate::data::Crop::Centre },
            1,
        );
        assert_eq!(grey.with(0, <[u8]>::len).unwrap(), 64);
        assert!(grey.picture(0).unwrap().pixels().all(|p| p[0] == p[1] && p[1] == p[2]));
    }

    #[test]
    fn drawn_digits_have_labels() {
        let data = DataSet::digits(25, 7, &FORM, 2);
        assert_eq!(data.labels().len(), 10);
        assert_eq!(data.label(0), Some(7));
        assert_eq!(data.label(24), Some(1));
        let again = DataSet::digits(25, 8, &FORM, 1);
        assert_ne!(data.fingerprint(), again.fingerprint());
        let first = data.with(1, <[u8]>::to_vec).unwrap();
        assert_eq!(first, again.with(0, <[u8]>::to_vec).unwrap());
        assert_eq!(first.len(), 3 * 64);
    }

    #[test]
    fn what_is_held_out_is_a_matter_of_content() {
        let files: Vec<(String, Vec<u8>)> =
            (0..60).map(|v| (format!("{v:02}.png"), png(v))).collect();
        let named = |rename: &dyn Fn(&str) -> String| {
            let files: Vec<_> = files.iter().map(|(n, b)| (rename(n), b.clone())).collect();
            let files: Vec<_> = files.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
            let dir = folder(&files);
            let mut data = DataSet::open(dir.path(), &FORM, 2).unwrap();
            let held = data.hold_out(0.3);
            (reds(&data), reds(&held))
        };
        let (train, held) = named(&|n| n.into());
        assert_eq!(train.len() + held.len(), 60);
        assert!((8..30).contains(&held.len()), "{held:?}");
        // Other names, the other way round.
        let (_, mut again) = named(&|n| format!("{}-{n}", 99 - n[..2].parse::<u8>().unwrap()));
        again.sort();
        assert_eq!(held, again);
    }

    #[test]
    fn nothing_to_learn_from() {
        let same = folder(&[("a.png", png(1)), ("b.png", png(1))]);
        let error = DataSet::open(same.path(), &FORM, 1).unwrap_err().to_string();
        assert!(
            error.ends_with("all 2 images are the same: there is nothing to learn from them"),
            "{error}"
        );
        let classes = folder(&[("cat/a.png", png(1)), ("dog/b.png", png(2))]);
        fs::create_dir(classes.path().join("owl")).unwrap();
        let error = DataSet::open(classes.path(), &FORM, 1).unwrap_err().to_string();
        assert!(error.ends_with("the class folder owl is empty: fill it or remove it"), "{error}");
        // Beside images without classes an empty folder means nothing.
        let flat = folder(&[("a.png", png(1)), ("b.png", png(2))]);
        fs::create_dir(flat.path().join("owl")).unwrap();
        assert_eq!(DataSet::open(flat.path(), &FORM, 1).unwrap().len(), 2);
    }

    #[test]
    fn crops_that_do_not_fit_are_said() {
        let dir = folder(&[("a.png", png(1)), ("b.png", png(2))]);
        let form = Form { crop: crate::data::Crop::Middle(9), ..FORM };
        let error = DataSet::open(dir.path(), &form, 1).unwrap_err().to_string();
        assert!(error.contains("10 x 8, too small for the crop 9"), "{error}");
        let form = Form { crop: crate::data::Crop::Middle(6), ..FORM };
        assert_eq!(DataSet::open(dir.path(), &form, 1).unwrap().len(), 2);
    }
}
