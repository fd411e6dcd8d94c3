//! A set of images of one form.

use std::sync::Arc;

use drawn::digits;
use image::RgbImage;
use quality::Pictures;

use super::decode::{Half, decode, halves};
use super::error::{DataError, Reason, Skipped};
use super::form::Form;
use super::pair::Pair;
use super::stack::{PER_IMAGE, Stack};
use super::tree::Entry;

/// Memory for decoded images: 4 GiB, or 300,000 color images of 64 x 64. The rest is decoded each
/// time.
pub const BUDGET: usize = 4 << 30;

/// Images of one form, decoded once if they fit into memory.
#[derive(Debug)]
pub struct DataSet {
    pub(super) form: Form,
    pub(super) images: Vec<Image>,
    pub(super) labels: Vec<String>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) fingerprint: u64,
    pub(super) description: String,
    pub(super) notes: Vec<String>,
    pub(super) inputs: Option<Inputs>,
    pub(super) other: Option<Box<DataSet>>,
}

/// What each image of a set of pairs is to be made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs {
    pub form: Form,
    /// How it is made from the image itself; none: each image has its own.
    pub made: Option<Pair>,
}

#[derive(Debug)]
pub(super) struct Image {
    /// Planes of bytes, [`Form::values`] long; none beyond the budget.
    pub(super) pixels: Option<Box<[u8]>>,
    pub(super) origin: Origin,
    pub(super) label: Option<usize>,
    /// Hash of the file's bytes, or of the seed that is drawn: it depends on neither name nor
    /// place.
    pub(super) content: u64,
    /// What it is to be made from, in a set of pairs that are given.
    pub(super) input: Option<Box<Input>>,
}

/// The input of a pair.
#[derive(Debug)]
pub(super) struct Input {
    /// As those of [`Image`].
    pub(super) pixels: Option<Box<[u8]>>,
    pub(super) origin: Origin,
}

const _: () = assert!(size_of::<Image>() as u64 <= PER_IMAGE);

#[derive(Debug)]
pub(super) enum Origin {
    File(Entry),
    /// An image of an array, by number: the array's pixels are always in memory.
    Stack(Arc<Stack>, usize),
    /// A half of a file's image, which holds a pair side by side.
    Half(Entry, Half),
    /// A face, by seed.
    Drawn(u64),
    /// A face in winter, by seed.
    Winter(u64),
    /// The line drawing of a face, by seed.
    Sketch(u64),
    /// A digit, by seed.
    Digit(u64),
}

impl DataSet {
    /// The form of every image.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Files that look like images and could not be decoded.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The names of the classes; empty if the images have no labels.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The index of image `i`'s class in [`DataSet::labels`].
    pub fn label(&self, i: usize) -> Option<usize> {
        self.images.get(i)?.label
    }

    /// The images to train on, and those to hold out, about `share` of all. An image is held out by
    /// its content alone, so that adding, renaming or reordering others changes nothing and copies
    /// stay together.
    pub fn split(&self, share: f64) -> (Vec<usize>, Vec<usize>) {
        // The low bits of the hash are mixed best; an odd factor spreads them.
        let unit = |content: u64| {
            let mixed = (content ^ content >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..self.len()).partition(|&i| unit(self.images[i].content) >= share)
    }

    /// Moves the images that [`DataSet::split`] holds out into a set of their own, also those of an
    /// other set. Both get new fingerprints.
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
            notes: Vec::new(),
            inputs: self.inputs,
            other: self.other.as_mut().map(|other| Box::new(other.hold_out(share))),
        }
    }

    /// At most `count` images, evenly spread over the set.
    pub fn evenly(&self, count: usize) -> Vec<usize> {
        let count = count.min(self.len());
        (0..count).map(|i| i * self.len() / count).collect()
    }

    /// Whether no image has a color, and no input of a pair that has one of its own.
    ///
    /// # Errors
    /// As [`DataSet::with`].
    pub fn is_gray(&self) -> Result<bool, DataError> {
        let gray = |pixels: &[u8], form: &Form| {
            let mut planes = pixels.chunks_exact(form.pixels());
            let first = planes.next();
            planes.all(|other| Some(other) == first)
        };
        let input = self.input_form().copied().unwrap_or(self.form);
        for i in 0..self.len() {
            if self.images[i].input.is_some()
                && !self.with_input(i, |pixels| gray(pixels, &input))?
            {
                return Ok(false);
            }
            // Gray by its format, and there may be a million.
            if let Origin::Stack(stack, _) = &self.images[i].origin
                && stack.is_gray()
            {
                continue;
            }
            if !self.with(i, |pixels| gray(pixels, &self.form))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A set whose images are gray ([`DataSet::is_gray`]) as opening it with one channel gives it, if
    /// all are in memory and have no inputs; otherwise nothing.
    pub fn gray(mut self) -> Option<DataSet> {
        let plane = self.form.pixels();
        if self.inputs.is_some() {
            return None;
        }
        for image in &mut self.images {
            image.pixels = Some(image.pixels.take()?[..plane].into());
        }
        self.form.channels = 1;
        Some(self)
    }

    /// A hash of the content of image `i`: equal for identical files.
    pub fn content(&self, i: usize) -> Option<u64> {
        Some(self.images.get(i)?.content)
    }

    /// The name of image `i`, if it has one.
    pub fn name(&self, i: usize) -> Option<&str> {
        match &self.images.get(i)?.origin {
            Origin::File(entry) | Origin::Half(entry, _) => Some(&entry.name),
            Origin::Stack(..)
            | Origin::Drawn(_)
            | Origin::Winter(_)
            | Origin::Sketch(_)
            | Origin::Digit(_) => None,
        }
    }

    /// One line: `25000 images from faces64.zip, 3 skipped`.
    pub fn describe(&self) -> String {
        self.description.clone()
    }

    /// Lines about choices that were made, and what may have to be set otherwise.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A hash of the images, their names and their order, and of those of an other set. It does not
    /// depend on the form.
    pub fn fingerprint(&self) -> u64 {
        match &self.other {
            Some(other) => hash(self.fingerprint, &other.fingerprint().to_le_bytes()),
            None => self.fingerprint,
        }
    }

    /// The images `which`, in memory.
    ///
    /// # Errors
    /// [`DataError::Lost`] as [`DataSet::with`].
    pub fn pictures(&self, which: &[usize]) -> Result<Pictures, DataError> {
        let mut pictures = Pictures::new(self.form.size, self.form.planes());
        for &i in which {
            self.with(i, |planes| pictures.push(planes))?;
        }
        Ok(pictures)
    }

    /// Calls `use_` with image `i` as planes of bytes.
    ///
    /// # Errors
    /// [`DataError::Lost`]: the image is not in memory and its file is gone, or there is no image
    /// `i`.
    pub fn with<T>(&self, i: usize, use_: impl FnOnce(&[u8]) -> T) -> Result<T, DataError> {
        let Some(image) = self.images.get(i) else {
            let (name, reason) = (format!("image {i}"), Reason::Absent(self.len()));
            return Err(DataError::Lost(Skipped { name, reason }));
        };
        loaded(image.pixels.as_deref(), &image.origin, &self.form, use_)
    }

    /// The form of what each image of a set of pairs is made from; none if it is no set of pairs.
    pub fn input_form(&self) -> Option<&Form> {
        self.inputs.as_ref().map(|inputs| &inputs.form)
    }

    /// Calls `use_` with what image `i` of a set of pairs is made from, as planes of bytes; with the
    /// image itself if this is no set of pairs.
    ///
    /// # Errors
    /// As [`DataSet::with`].
    pub fn with_input<T>(&self, i: usize, use_: impl FnOnce(&[u8]) -> T) -> Result<T, DataError> {
        let input = self.images.get(i).and_then(|image| image.input.as_deref());
        match (&self.inputs, input) {
            (Some(inputs), Some(input)) => {
                loaded(input.pixels.as_deref(), &input.origin, &inputs.form, use_)
            }
            (Some(Inputs { form, made: Some(pair) }), None) => {
                let content = self.images.get(i).map_or(0, |image| image.content);
                let made = self.with(i, |target| pair.make(target, &self.form, form, content))?;
                Ok(use_(&made))
            }
            (Some(Inputs { made: None, .. }) | None, _) => self.with(i, use_),
        }
    }

    /// Image `i` as a picture; a gray one has three equal channels.
    ///
    /// # Errors
    /// As [`DataSet::with`].
    pub fn picture(&self, i: usize) -> Result<RgbImage, DataError> {
        self.with(i, |pixels| picture(pixels, &self.form))
    }

    /// What image `i` of a set of pairs is made from, as a picture.
    ///
    /// # Errors
    /// As [`DataSet::with`].
    pub fn input_picture(&self, i: usize) -> Result<RgbImage, DataError> {
        let form = self.input_form().copied().unwrap_or(self.form);
        self.with_input(i, |pixels| picture(pixels, &form))
    }
}

fn picture(pixels: &[u8], form: &Form) -> RgbImage {
    let mut one = Pictures::new(form.size, form.planes());
    one.push(pixels);
    one.picture(0)
}

/// The pixels of a file.
fn read(
    entry: &Entry,
    decode: impl FnOnce(&[u8]) -> Result<Box<[u8]>, Reason>,
) -> Result<Box<[u8]>, DataError> {
    let decoded = entry.read().and_then(|bytes| decode(&bytes));
    decoded.map_err(|reason| DataError::Lost(Skipped { name: entry.name.clone(), reason }))
}

/// Calls `use_` with pixels in memory, or else with those of `origin`.
fn loaded<T>(
    pixels: Option<&[u8]>,
    origin: &Origin,
    form: &Form,
    use_: impl FnOnce(&[u8]) -> T,
) -> Result<T, DataError> {
    if let Some(pixels) = pixels {
        return Ok(use_(pixels));
    }
    let pixels = match origin {
        Origin::Stack(stack, number) => stack.image(*number, form),
        Origin::Drawn(seed) => drawn_pixels(*seed, form),
        Origin::Winter(seed) => winter_pixels(*seed, form),
        Origin::Sketch(seed) => sketch_pixels(*seed, form),
        Origin::Digit(seed) => digit_pixels(*seed, form),
        Origin::File(entry) => read(entry, |bytes| decode(bytes, &entry.name, form))?,
        Origin::Half(entry, half) => read(entry, |bytes| {
            Ok(halves(bytes, &entry.name, [form; 2])?.swap_remove(*half as usize))
        })?,
    };
    Ok(use_(&pixels))
}

pub(super) fn sketch_pixels(seed: u64, form: &Form) -> Box<[u8]> {
    form.planar(drawn::sketch(seed, form.size).as_raw(), 1)
}

pub(super) fn drawn_pixels(seed: u64, form: &Form) -> Box<[u8]> {
    colored(drawn::face(seed, form.size), form)
}

pub(super) fn winter_pixels(seed: u64, form: &Form) -> Box<[u8]> {
    colored(drawn::winter(seed, form.size), form)
}

fn colored(face: RgbImage, form: &Form) -> Box<[u8]> {
    let face = image::DynamicImage::ImageRgb8(face);
    match form.planes() {
        1 => form.planar(codecs::gray(face).as_raw(), 1),
        _ => form.planar(face.into_rgb8().as_raw(), 3),
    }
}

pub(super) fn digit_pixels(seed: u64, form: &Form) -> Box<[u8]> {
    let (digit, _) = digits::digit(seed, form.size);
    form.planar(digit.as_raw(), 1)
}

/// FNV-1a's offset basis.
pub(super) const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits, continued from `hash`.
pub(super) fn hash(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Crop, Open};

    const FORM: Form = Form { size: 8, channels: 3, crop: Crop::Center, transpose: false };

    #[test]
    fn gray_images_need_not_be_read_again() {
        use image::{DynamicImage, GrayImage, ImageBuffer, Luma, LumaA, Rgba};
        let dir = tempfile::tempdir().unwrap();
        let value = |x: u32, y: u32| (x * 31 + y * y * 7) as u8;
        let gray = GrayImage::from_fn(13, 17, |x, y| Luma([value(x, y)]));
        let wide = ImageBuffer::from_fn(9, 9, |x, y| Luma([u16::from(value(x, y)) * 251 + 7]));
        let clear = ImageBuffer::from_fn(20, 8, |x, y| LumaA([value(x, y), value(y, x)]));
        let rgba = image::RgbaImage::from_fn(8, 8, |x, y| {
            Rgba([value(x, y), value(x, y), value(x, y), 9 * x as u8])
        });
        let all: [DynamicImage; 5] =
            [gray.clone().into(), wide.into(), clear.into(), rgba.into(), gray.into()];
        for (i, mut image) in all.into_iter().enumerate() {
            if i == 4 {
                image = DynamicImage::ImageRgb16(image.into_rgb16());
            }
            codecs::save(image, dir.path().join(format!("{i}.png"))).unwrap();
        }
        let data = DataSet::open(dir.path(), &FORM, 1).unwrap();
        assert!(data.is_gray().unwrap());
        let [data, want] = [
            data.gray().unwrap(),
            DataSet::open(dir.path(), &Form { channels: 1, ..FORM }, 1).unwrap(),
        ];
        assert_eq!(data.form(), want.form());
        assert_eq!(data.fingerprint, want.fingerprint);
        for i in 0..5 {
            let [got, want] = [&data, &want].map(|data| data.with(i, <[u8]>::to_vec).unwrap());
            assert_eq!(got, want, "image {i}");
        }
        // Images beyond the memory are read again all the same.
        let open = Open { budget: 200, ..Open::new(&FORM) };
        assert!(open.path(dir.path()).unwrap().gray().is_none());
    }
}
