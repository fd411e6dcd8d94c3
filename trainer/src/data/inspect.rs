//! What is in a folder, an archive or a file of arrays, before anything is trained on it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;

use super::decode::{fit, open};
use super::error::{DataError, Skipped};
use super::form::Form;
use super::labels::classes;
use super::open::{notes, on_threads};
use super::set::{SEED, hash};
use super::source::{Found, find};
use super::stack::Stack;
use super::tree::Entry;

/// What is in a data set.
#[derive(Debug, Default, Serialize)]
pub struct Inspection {
    /// Images that decode.
    pub images: usize,
    /// Image files that do not decode.
    pub unreadable: Vec<Unreadable>,
    /// Other files, by extension.
    pub other: BTreeMap<String, usize>,
    /// Hidden files.
    pub hidden: usize,
    /// Images of each format.
    pub formats: BTreeMap<String, usize>,
    /// Images by kind: gray or color, with or without transparency.
    pub channels: BTreeMap<&'static str, usize>,
    /// Images of each class.
    pub classes: BTreeMap<String, usize>,
    /// Smallest, median and largest width.
    pub width: [u32; 3],
    /// Smallest, median and largest height.
    pub height: [u32; 3],
    /// The most frequent sizes: width, height, number of images.
    pub sizes: Vec<(u32, u32, usize)>,
    /// Groups of identical files.
    pub duplicates: Vec<Vec<String>>,
    /// Groups of different files whose pixels are equal after resizing.
    pub same_pixels: Vec<Vec<String>>,
    /// The mean image, planes of values from 0 to 255.
    #[serde(skip)]
    pub mean: Vec<f32>,
    /// Mean and deviation of all values, from 0 to 255.
    pub value: [f64; 2],
    /// Lines about choices that were made.
    pub notes: Vec<String>,
}

/// A file that does not decode.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

struct Looked {
    name: String,
    format: String,
    kind: &'static str,
    size: (u32, u32),
    content: u64,
    /// A hash of the pixels in the form.
    pixels: u64,
}

/// Sums over images of one form, exact and so in any order.
struct Sums {
    images: u64,
    values: Vec<u64>,
    squares: u64,
}

impl Sums {
    fn new(form: &Form) -> Sums {
        Sums { images: 0, values: vec![0; form.values()], squares: 0 }
    }

    /// Adds an image `times` times.
    fn add(&mut self, pixels: &[u8], times: u64) {
        self.images += times;
        for (sum, &v) in self.values.iter_mut().zip(pixels) {
            *sum += times * u64::from(v);
            self.squares += times * u64::from(v).pow(2);
        }
    }
}

/// Reads everything in `path`; images are compared and averaged in `form`.
///
/// # Errors
/// [`DataError`], as for opening a set for training. Files that do not decode are not an error.
pub fn inspect(path: &Path, form: &Form, workers: usize) -> Result<Inspection, DataError> {
    let mut found = match find(path)? {
        Found::Files(files) => files,
        Found::Stack(stack) => return Ok(of_stack(&stack, path, form)),
    };
    let entries = std::mem::take(&mut found.entries);
    let sums = Mutex::new(Sums::new(form));
    let look = |entry: Entry| {
        let looked = entry.read().and_then(|bytes| {
            let (image, format, _room) = open(&bytes, &entry.name)?;
            let color = image.color();
            let kind = match (color.has_color(), color.has_alpha()) {
                (false, false) => "gray",
                (false, true) => "gray with transparency",
                (true, false) => "color",
                (true, true) => "color with transparency",
            };
            let size = (image.width(), image.height());
            let pixels = fit(image, form);
            sums.lock().unwrap_or_else(PoisonError::into_inner).add(&pixels, 1);
            Ok(Looked {
                name: entry.name.clone(),
                format: format!("{format:?}").to_lowercase(),
                kind,
                size,
                content: hash(SEED, &bytes),
                pixels: hash(SEED, &pixels),
            })
        });
        looked.map_err(|reason| Skipped { name: entry.name, reason })
    };
    let looked: Vec<_> = on_threads(workers, || entries.into_par_iter().map(look).collect());
    let (mut images, mut skipped) = (Vec::new(), found.skipped);
    for one in looked {
        match one {
            Ok(one) => images.push(one),
            Err(one) => skipped.push(one),
        }
    }
    let names: Vec<&str> = images.iter().map(|i| i.name.as_str()).collect();
    let (labels, of) = classes(&names);
    let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut result = summary(&images, &sums);
    for label in of {
        if let Some(name) = labels.get(label) {
            *result.classes.entry(name.clone()).or_default() += 1;
        }
    }
    result.unreadable = skipped
        .iter()
        .map(|s| Unreadable { name: s.name.clone(), reason: s.reason.to_string() })
        .collect();
    (result.other, result.hidden, result.notes) = (found.other, found.hidden, found.notes);
    Ok(result)
}

fn of_stack(stack: &Stack, path: &Path, form: &Form) -> Inspection {
    let size = (stack.size.columns as u32, stack.size.rows as u32);
    let kind = match stack.size.channels {
        1 => "gray",
        3 => "color",
        _ => "color with transparency",
    };
    // Equal images are brought to the form once: a kilobyte of gzip can hold a million of them.
    let mut distinct: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for i in 0..stack.len() {
        distinct.entry(stack.raw(i)).or_default().push(i);
    }
    let (mut sums, mut hashes) = (Sums::new(form), vec![0; stack.len()]);
    for same in distinct.values() {
        let pixels = stack.image(same[0], form);
        sums.add(&pixels, same.len() as u64);
        let pixels = hash(SEED, &pixels);
        same.iter().for_each(|&i| hashes[i] = pixels);
    }
    let images: Vec<Looked> = hashes
        .into_iter()
        .enumerate()
        .map(|(i, pixels)| Looked {
            name: format!("image {i}"),
            format: stack.format.into(),
            kind,
            size,
            content: hash(SEED, stack.raw(i)),
            pixels,
        })
        .collect();
    let mut result = summary(&images, &sums);
    for &label in &stack.labels {
        *result.classes.entry(stack.classes[usize::from(label)].clone()).or_default() += 1;
    }
    result.notes = notes(stack, path, form);
    result
}

fn summary(images: &[Looked], sums: &Sums) -> Inspection {
    let mut result = Inspection { images: images.len(), ..Inspection::default() };
    let mut sizes: HashMap<(u32, u32), usize> = HashMap::new();
    for image in images {
        *result.formats.entry(image.format.clone()).or_default() += 1;
        *result.channels.entry(image.kind).or_default() += 1;
        *sizes.entry(image.size).or_default() += 1;
    }
    let spread = |of: &dyn Fn(&Looked) -> u32| {
        let mut all: Vec<u32> = images.iter().map(of).collect();
        all.sort_unstable();
        let at = |i: usize| all.get(i).copied().unwrap_or(0);
        [at(0), at(all.len() / 2), all.last().copied().unwrap_or(0)]
    };
    result.width = spread(&|i| i.size.0);
    result.height = spread(&|i| i.size.1);
    result.sizes = sizes.into_iter().map(|((w, h), n)| (w, h, n)).collect();
    result.sizes.sort_by_key(|&(w, h, n)| (std::cmp::Reverse(n), w, h));
    result.sizes.truncate(5);
    result.duplicates = groups(images, &|i| i.content);
    let equal = groups(images, &|i| i.pixels);
    // Identical files have equal pixels: leave those out.
    let identical: HashSet<&Vec<String>> = result.duplicates.iter().collect();
    result.same_pixels = equal.into_iter().filter(|g| !identical.contains(g)).collect();
    let count = sums.images.max(1) as f64;
    let values = count * sums.values.len() as f64;
    let average = sums.values.iter().sum::<u64>() as f64 / values;
    let squares = sums.squares as f64 / values;
    result.value = [average, (squares - average * average).max(0.0).sqrt()];
    result.mean = sums.values.iter().map(|&sum| (sum as f64 / count) as f32).collect();
    result
}

/// Names of images that share a key with another, by the first of each group.
fn groups(images: &[Looked], key: &dyn Fn(&Looked) -> u64) -> Vec<Vec<String>> {
    let mut all: HashMap<u64, (usize, Vec<String>)> = HashMap::new();
    for (i, image) in images.iter().enumerate() {
        let group = all.entry(key(image)).or_insert_with(|| (i, Vec::new()));
        group.1.push(image.name.clone());
    }
    let mut all: Vec<_> = all.into_values().filter(|(_, names)| names.len() > 1).collect();
    all.sort();
    all.into_iter().map(|(_, names)| names).collect()
}

impl Inspection {
    /// The mean image as a picture.
    pub fn mean_picture(&self, form: &Form) -> RgbImage {
        let (plane, last) = (form.pixels(), form.planes() - 1);
        RgbImage::from_fn(form.size, form.size, |x, y| {
            let at = (y * form.size + x) as usize;
            image::Rgb([0, 1, 2].map(|c: usize| (self.mean[c.min(last) * plane + at] + 0.5) as u8))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Crop;
    use std::fs;

    #[test]
    fn everything_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let save = |name: &str, v: u8, w: u32| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            codecs::save(RgbImage::from_pixel(w, 8, image::Rgb([v, 0, 0])), path).unwrap();
        };
        save("cat/a.png", 100, 8);
        save("cat/b.png", 100, 8);
        save("cat/c.bmp", 100, 8);
        save("dog/d.png", 200, 12);
        fs::write(dir.path().join("dog/broken.png"), b"no").unwrap();
        fs::write(dir.path().join("dog/notes.txt"), b"no").unwrap();
        let form = Form { size: 8, channels: 3, crop: Crop::Center, transpose: false };
        let got = inspect(dir.path(), &form, 2).unwrap();
        assert_eq!(got.images, 4);
        assert_eq!(got.formats, BTreeMap::from([("bmp".into(), 1), ("png".into(), 3)]));
        assert_eq!(got.channels, BTreeMap::from([("color", 4)]));
        assert_eq!(got.classes, BTreeMap::from([("cat".into(), 3), ("dog".into(), 1)]));
        assert_eq!((got.width, got.height), ([8, 8, 12], [8, 8, 8]));
        assert_eq!(got.sizes, [(8, 8, 3), (12, 8, 1)]);
        assert_eq!(got.duplicates, [["cat/a.png", "cat/b.png"]]);
        assert_eq!(got.same_pixels, [["cat/a.png", "cat/b.png", "cat/c.bmp"]]);
        assert_eq!(got.unreadable[0].name, "dog/broken.png");
        assert_eq!(got.other, BTreeMap::from([(".txt".into(), 1)]));
        assert_eq!(got.mean_picture(&form).get_pixel(3, 3)[0], 125);
        assert!((got.value[0] - 125.0 / 3.0).abs() < 1e-6);
    }
}
