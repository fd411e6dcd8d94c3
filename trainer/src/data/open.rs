//! The ways to a [`DataSet`] from what a path holds: image files, arrays of images.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::decode::decode;
use super::error::{DataError, Reason, Skipped};
use super::files::{Files, counted};
use super::form::Form;
use super::labels::classes;
use super::set::{BUDGET, DataSet, Image, Input, Origin, SEED, hash};
use super::source::{Found, find};
use super::splits::{Split, split};
use super::stack::Stack;
use super::tree::Entry;

/// Largest number of values that a pixel of an array becomes for its images to be kept in memory:
/// MNIST at 128 x 128 in color has 63.
const ENLARGED: usize = 256;

/// The pixels of a file's image, where they come from, and the input of a pair.
pub(super) type Decoded = (Box<[u8]>, Origin, Option<Input>);

/// How images are read or drawn.
#[derive(Clone, Copy)]
pub struct Open<'a> {
    /// Size and channels of every image, and the crop before resizing.
    pub form: &'a Form,
    /// Threads that decode or draw.
    pub workers: usize,
    /// Bytes of images that are kept in memory; the rest is decoded each time.
    pub budget: usize,
    /// Called with the number of images done and in all, from any thread.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

impl<'a> Open<'a> {
    /// On one thread, within [`BUDGET`], without progress.
    pub fn new(form: &'a Form) -> Open<'a> {
        Open { form, workers: 1, budget: BUDGET, progress: &|_, _| () }
    }

    /// The images of a folder (flat, or a folder per class), an archive, or a file of arrays. Of parts
    /// for training and for testing beside each other, only those for training.
    ///
    /// # Errors
    /// [`DataError`]: the path is missing, unreadable, damaged, encrypted, not in a supported format,
    /// holds several data sets, or none of its files could be decoded. Single files that
    /// cannot be decoded are [`DataSet::skipped`].
    pub fn path(&self, path: &Path) -> Result<DataSet, DataError> {
        match find(path)? {
            Found::Files(files) => {
                let form = self.form;
                self.files(files, path, |bytes, entry| {
                    Ok((decode(bytes, &entry.name, form)?, Origin::File(entry.clone()), None))
                })
            }
            Found::Stack(stack) => self.stack(*stack, path),
        }
    }

    /// The images of files. `decode` returns those of a file, where they can be read again, and the
    /// input of a pair.
    pub(super) fn files(
        &self,
        mut found: Files,
        path: &Path,
        decode: impl Fn(&[u8], &Entry) -> Result<Decoded, Reason> + Sync,
    ) -> Result<DataSet, DataError> {
        let Open { form, workers, budget, progress } = *self;
        let entries = std::mem::take(&mut found.entries);
        let fit = budget / form.values().max(1);
        let (done, all) = (AtomicUsize::new(0), entries.len());
        let load = |(i, entry): (usize, Entry)| {
            let loaded = entry.read().and_then(|bytes| {
                let (pixels, origin, mut input) = decode(&bytes, &entry)?;
                if i >= fit
                    && let Some(input) = &mut input
                {
                    input.pixels = None;
                }
                let (content, pixels) = (hash(SEED, &bytes), (i < fit).then_some(pixels));
                Ok(Image { pixels, origin, label: None, content, input: input.map(Box::new) })
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
                Ok(image) => {
                    fingerprint = hash(fingerprint, entry.name.as_bytes());
                    fingerprint = hash(fingerprint, &image.content.to_le_bytes());
                    images.push(image);
                }
                Err(reason) => found.skipped.push(Skipped { name: entry.name, reason }),
            }
        }
        if images.is_empty() {
            return Err(found.no_images(path));
        }
        let names = images.iter().map(|image| match &image.origin {
            Origin::File(entry) | Origin::Half(entry, _) => entry.name.as_str(),
            Origin::Drawn(_)
            | Origin::Winter(_)
            | Origin::Sketch(_)
            | Origin::Digit(_)
            | Origin::Stack(..) => "",
        });
        let names: Vec<&str> = names.collect();
        let (labels, of) = classes(&names);
        // An empty folder is a class if those of the classes lie beside it.
        let outer = names[0].split('/').next().unwrap_or_default();
        let beside = labels.iter().any(|label| label == outer);
        let empty =
            found.empty.iter().find(|name| beside && split(name) == Split::Unknown).cloned();
        for (image, label) in images.iter_mut().zip(of) {
            image.label = Some(label);
        }
        if let Some(class) = empty {
            return Err(DataError::EmptyClass(path.into(), class));
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
            notes: found.notes,
            inputs: None,
            other: None,
        })
    }

    /// The images of an array, named by their numbers.
    fn stack(&self, stack: Stack, path: &Path) -> Result<DataSet, DataError> {
        let Open { form, workers, budget, progress } = *self;
        let stack = Arc::new(stack);
        let (done, all) = (AtomicUsize::new(0), stack.len());
        // Images that are enlarged beyond measure are made when they are needed.
        let enlarged = form.values() / stack.size.values().max(1) > ENLARGED;
        let fit = if enlarged { 0 } else { budget / form.values().max(1) };
        let make = |i: usize| {
            let pixels = (i < fit).then(|| stack.image(i, form));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all);
            Image {
                pixels,
                origin: Origin::Stack(stack.clone(), i),
                label: stack.labels.get(i).map(|&label| label.into()),
                content: hash(SEED, stack.raw(i)),
                input: None,
            }
        };
        let images: Vec<Image> =
            on_threads(workers, || (0..all).into_par_iter().map(make).collect());
        different(path, &images)?;
        let (name, classes) = (&stack.name, stack.classes.len());
        let description = match classes {
            0 => format!("{} from {name}", counted(images.len())),
            n => format!("{} from {name}, {n} classes", counted(images.len())),
        };
        let notes = notes(&stack, path, form);
        let labels: Vec<u8> = stack.labels.iter().map(|&label| label as u8).collect();
        Ok(DataSet {
            form: *form,
            images,
            labels: stack.classes.clone(),
            skipped: Vec::new(),
            fingerprint: hash(hash(SEED, &stack.pixels), &labels),
            description,
            notes,
            inputs: None,
            other: None,
        })
    }
}

impl DataSet {
    /// [`Open::path`] on `workers` threads.
    ///
    /// # Errors
    /// As [`Open::path`].
    pub fn open(path: &Path, form: &Form, workers: usize) -> Result<DataSet, DataError> {
        Open { workers, ..Open::new(form) }.path(path)
    }
}

/// Lines about the images of an array at `path`.
pub(super) fn notes(stack: &Stack, path: &Path, form: &Form) -> Vec<String> {
    let mut notes = stack.notes.clone();
    // FEMNIST is another set, and lies upright.
    let name = path.join(&stack.name).to_string_lossy().to_lowercase().replace("femnist", "");
    if name.contains("emnist") && !form.transpose {
        notes.push("EMNIST's images lie transposed: turn them with --transpose".into());
    }
    notes
}

/// Refuses a set of identical images.
fn different(path: &Path, images: &[Image]) -> Result<(), DataError> {
    let same = images.windows(2).all(|pair| pair[0].content == pair[1].content);
    match same && images.len() > 1 {
        true => Err(DataError::Identical(path.into(), images.len())),
        false => Ok(()),
    }
}

/// Runs `work` on a pool of `workers` threads, or on the current thread if they cannot be started.
pub(super) fn on_threads<T: Send>(workers: usize, work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(workers.max(1)).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb, RgbImage};
    use std::fs;
    use std::io::Write;

    const FORM: Form =
        Form { size: 8, channels: 3, crop: crate::data::Crop::Center, transpose: false };

    fn png(v: u8) -> Vec<u8> {
        let image = RgbImage::from_pixel(10, 8, Rgb([v, 0, 255 - v]));
        codecs::encode(&image.into(), ImageFormat::Png).unwrap()
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
        assert_eq!(data.skipped()[2].to_string(), "text.jpg: not an image despite its name");
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
                &Form { size: 4, channels: 1, crop: crate::data::Crop::Center, transpose: false }
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
        let open =
            Open { workers: 2, budget: 4 * FORM.values(), progress: &count, ..Open::new(&FORM) };
        let data = open.path(dir.path()).unwrap();
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
                found: "found 1 .txt, 1 .heic that failed, 1 .jpg that failed (a.jpg: not an image despite its name, b.heic: heic is not supported)",
            },
        ];
        for Case { files, found } in cases {
            let dir = folder(&files);
            let error = DataError::to_string(&DataSet::open(dir.path(), &FORM, 1).unwrap_err());
            let path = dir.path().display();
            let want = format!(
                "no image could be decoded in {path}: supported are jpeg, png, webp, bmp, pgm/ppm/pbm, gif, tiff, tga; {found}"
            );
            assert_eq!(error, want);
        }
    }

    #[test]
    fn paths_that_are_no_data() {
        let dir = folder(&[("note.txt", b"hello".to_vec())]);
        let cases = [
            ("nowhere", "nowhere: no such file or folder"),
            (
                "note.txt",
                "note.txt is neither a folder nor an archive (zip, tar, tar.gz) nor a file of images",
            ),
            ("note.txt/x", "cannot read "),
        ];
        for (name, want) in cases {
            let error = DataSet::open(&dir.path().join(name), &FORM, 1).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
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
    fn crops_that_do_not_fit_are_errors() {
        let dir = folder(&[("a.png", png(1)), ("b.png", png(2))]);
        let form = Form { crop: crate::data::Crop::Middle(9), ..FORM };
        let error = DataSet::open(dir.path(), &form, 1).unwrap_err().to_string();
        assert!(error.contains("10 x 8, too small for the crop 9"), "{error}");
        let form = Form { crop: crate::data::Crop::Middle(6), ..FORM };
        assert_eq!(DataSet::open(dir.path(), &form, 1).unwrap().len(), 2);
    }
}
