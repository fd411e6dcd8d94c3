//! Images as they are scored: bytes, as in a PNG.

use image::RgbImage;

use crate::data::sheet::byte;
use crate::data::{DataError, DataSet, Form};

/// Images of one form, as planes of bytes.
#[derive(Clone, Debug)]
pub struct Pictures {
    form: Form,
    bytes: Vec<u8>,
}

impl Pictures {
    /// No images yet.
    pub fn new(form: Form) -> Pictures {
        let bytes = Vec::new();
        Pictures { form, bytes }
    }

    /// The images `which` of a set.
    ///
    /// # Errors
    /// [`DataError`] if the file of an image is gone.
    pub fn of(data: &DataSet, which: &[usize]) -> Result<Pictures, DataError> {
        let mut pictures = Pictures::new(*data.form());
        for &i in which {
            data.with(i, |pixels| pictures.push(pixels))?;
        }
        Ok(pictures)
    }

    /// Adds an image, planes of [`Form::values`] bytes.
    pub fn push(&mut self, planes: &[u8]) {
        debug_assert_eq!(planes.len(), self.form.values());
        self.bytes.extend_from_slice(planes);
    }

    /// Adds images with values in [-1, 1], planes first, rounded as [`crate::data::sheet::picture`]
    /// does.
    pub fn push_values(&mut self, values: &[f32]) {
        self.bytes.extend(values.iter().map(|&v| byte(v)));
    }

    /// The form of every image.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.form.values()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The planes of each image.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.bytes.chunks_exact(self.form.values())
    }

    /// The planes of image `i`.
    pub fn get(&self, i: usize) -> &[u8] {
        let values = self.form.values();
        &self.bytes[i * values..][..values]
    }

    /// The first `count`.
    pub fn first(&self, count: usize) -> Pictures {
        let bytes = &self.bytes[..count.min(self.len()) * self.form.values()];
        Pictures { form: self.form, bytes: bytes.to_vec() }
    }

    /// Image `i` as a picture; a gray one has three equal channels.
    pub fn picture(&self, i: usize) -> RgbImage {
        let (planes, side) = (self.get(i), self.form.size);
        let (plane, last) = (self.form.pixels(), self.form.planes() - 1);
        RgbImage::from_fn(side, side, |x, y| {
            let at = (y * side + x) as usize;
            image::Rgb([0, 1, 2].map(|c: usize| planes[c.min(last) * plane + at]))
        })
    }

    /// The first half and the second.
    pub fn halves(&self) -> [Pictures; 2] {
        let at = self.len() / 2 * self.form.values();
        [&self.bytes[..at], &self.bytes[at..2 * at]]
            .map(|bytes| Pictures { form: self.form, bytes: bytes.to_vec() })
    }
}
