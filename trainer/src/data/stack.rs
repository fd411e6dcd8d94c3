//! Images of one size in one array, with their labels, as files of arrays hold them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use image::{DynamicImage, GrayImage, RgbImage, RgbaImage};

use super::decode::fit;
use super::error::ArrayFault;
use super::form::Form;

/// Largest number of bytes of pixels that is read: no such data set is larger.
const MOST_BYTES: u64 = 2 << 30;
/// Bytes of memory, images and what is kept for each of them, for each byte of the file: MNIST
/// needs 17.
pub(super) const EXPANSION: u64 = 256;
/// Bytes that a data set keeps for each image beside its pixels.
pub(super) const PER_IMAGE: u64 = 128;
/// Bytes of memory that a file may need whatever its length.
pub(super) const FREE: u64 = 256 << 20;
/// Largest number of classes: beyond it, numbers are measurements and not classes.
const MOST_CLASSES: usize = 1000;

/// Images and their labels.
#[derive(Debug)]
pub(super) struct Stack {
    /// Pixels of all images, one after the other, channels interleaved.
    pub pixels: Vec<u8>,
    /// Size of an image.
    pub size: Size,
    /// The class of each image, an index into `classes`; empty without labels.
    pub labels: Vec<u16>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The file or files that the images are from.
    pub name: String,
    /// The name of the format.
    pub format: &'static str,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Size of every image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub rows: usize,
    pub columns: usize,
    /// 1, 3, or 4 with transparency.
    pub channels: usize,
}

impl Size {
    /// Values of an image.
    pub fn values(self) -> usize {
        self.rows * self.columns * self.channels
    }

    /// The size of square images of `values` gray values, or, if `color` is allowed, of three
    /// values for each pixel.
    pub fn square(values: usize, color: bool) -> Option<Size> {
        let side = |pixels: usize| Some(pixels.isqrt()).filter(|s| s * s == pixels && *s > 1);
        let gray = side(values).map(|side| Size { rows: side, columns: side, channels: 1 });
        let of_three = || side(values / 3).filter(|_| color && values.is_multiple_of(3));
        gray.or_else(|| of_three().map(|side| Size { rows: side, columns: side, channels: 3 }))
    }
}

/// Refuses images that would need more memory than a file of `stored` bytes may ask for.
///
/// # Errors
/// [`ArrayFault::Size`] or [`ArrayFault::Expands`].
pub(super) fn check(count: u64, of: [u64; 3], stored: u64) -> Result<u64, ArrayFault> {
    let [rows, columns, channels] = of;
    let sides = [count, rows, columns, channels];
    let size = sides.iter().try_fold(1u64, |n, &side| n.checked_mul(side));
    let Some(size) = size.filter(|size| (1..=MOST_BYTES).contains(size)) else {
        return Err(ArrayFault::Size(count, rows, columns));
    };
    // One byte of a file may expand to a thousand, and each may be an image.
    let memory = size.saturating_add(count.saturating_mul(PER_IMAGE));
    match memory > stored.saturating_mul(EXPANSION).max(FREE) {
        true => Err(ArrayFault::Expands(memory, stored)),
        false => Ok(size),
    }
}

impl Stack {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.size.values()
    }

    /// The values of image `i`.
    pub fn raw(&self, i: usize) -> &[u8] {
        let image = self.size.values();
        &self.pixels[i * image..][..image]
    }

    /// Image `i` as planes of `form`.
    pub fn image(&self, i: usize, form: &Form) -> Box<[u8]> {
        let (width, height) = (self.size.columns as u32, self.size.rows as u32);
        let raw = self.raw(i).to_vec();
        let image = match self.size.channels {
            1 => GrayImage::from_raw(width, height, raw).map(DynamicImage::from),
            3 => RgbImage::from_raw(width, height, raw).map(DynamicImage::from),
            _ => RgbaImage::from_raw(width, height, raw).map(DynamicImage::from),
        };
        fit(image.expect("as many values as the size says"), form)
    }

    /// Whether images have no color.
    pub fn is_gray(&self) -> bool {
        self.size.channels == 1
    }

    /// Gives each image the class of its number. Only numbers that occur are classes: EMNIST counts
    /// letters from 1. `names` are those of some numbers.
    ///
    /// # Errors
    /// [`ArrayFault::Count`] if there is not one for each image.
    pub fn label(
        &mut self,
        numbers: &[i64],
        names: &BTreeMap<i64, String>,
    ) -> Result<(), ArrayFault> {
        if numbers.len() != self.len() {
            return Err(ArrayFault::Count(numbers.len(), self.len()));
        }
        let present: BTreeSet<i64> = numbers.iter().copied().collect();
        if present.len() > MOST_CLASSES {
            let note = format!("the labels have {} different numbers: not used", present.len());
            self.notes.push(note);
            return Ok(());
        }
        let index: BTreeMap<i64, u16> = present.iter().copied().zip(0..).collect();
        self.labels = numbers.iter().map(|number| index[number]).collect();
        let name = |number: &i64| names.get(number).cloned().unwrap_or(number.to_string());
        self.classes = present.iter().map(name).collect();
        Ok(())
    }
}

/// How values become bytes of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    factor: f64,
    offset: f64,
}

/// The smallest and largest of some values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub least: f64,
    pub most: f64,
}

impl Span {
    /// The span of no values.
    pub const NONE: Span = Span { least: f64::INFINITY, most: f64::NEG_INFINITY };

    /// With one more value. Once NaN, a span stays NaN.
    pub fn with(self, value: f64) -> Span {
        match value.is_nan() || self.least.is_nan() {
            true => Span { least: f64::NAN, most: f64::NAN },
            false => Span { least: self.least.min(value), most: self.most.max(value) },
        }
    }

    /// The scale of pixels with these values: 0 to 1, -1 to 1, 0 to 255, or 16 bits if the values
    /// are integers of that type.
    ///
    /// # Errors
    /// [`ArrayFault::Values`] for others.
    pub fn scale(self, wide: bool) -> Result<Scale, ArrayFault> {
        // Rounding may have gone beyond the ends.
        const SLACK: f64 = 1e-3;
        let within = |least: f64, most: f64| {
            let slack = SLACK * (most - least);
            self.least >= least - slack && self.most <= most + slack
        };
        if within(0.0, 1.0) {
            Ok(Scale { factor: 255.0, offset: 0.0 })
        } else if within(-1.0, 1.0) {
            Ok(Scale { factor: 127.5, offset: 127.5 })
        } else if within(0.0, 255.0) {
            Ok(Scale::BYTES)
        } else if wide && within(0.0, 65_535.0) {
            Ok(Scale { factor: 1.0 / 257.0, offset: 0.0 })
        } else {
            Err(ArrayFault::Values(self.least, self.most))
        }
    }
}

impl Scale {
    /// Bytes as they are.
    pub const BYTES: Scale = Scale { factor: 1.0, offset: 0.0 };

    /// A value as a byte, rounded.
    pub fn byte(self, value: f64) -> u8 {
        // The cast clips.
        (value * self.factor + self.offset).round() as u8
    }

    /// A line for people, if values are changed.
    pub fn note(self) -> Option<String> {
        let range = match self.factor {
            255.0 => "0 to 1",
            127.5 => "-1 to 1",
            1.0 => return None,
            _ => "0 to 65535",
        };
        Some(format!("values are taken as {range}, black to white"))
    }
}

/// Exactly `length` bytes, and none after them.
///
/// # Errors
/// The inner one is [`ArrayFault::Length`], with `before` bytes counted in.
pub(super) fn exactly(
    from: &mut dyn Read,
    length: u64,
    before: u64,
) -> io::Result<Result<Vec<u8>, ArrayFault>> {
    let mut bytes = Vec::new();
    // One byte more, to detect excess.
    from.take(length + 1).read_to_end(&mut bytes)?;
    let got = bytes.len() as u64;
    Ok(match got == length {
        true => Ok(bytes),
        false => Err(ArrayFault::Length(before + length, before + got)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_values() {
        let span = |values: &[f64]| values.iter().fold(Span::NONE, |span, &v| span.with(v));
        type Case = (&'static [f64], bool, Option<[u8; 2]>);
        let cases: [Case; 8] = [
            (&[0.0, 1.0], false, Some([0, 255])),
            (&[-1.0, 1.0001], false, Some([0, 255])),
            (&[0.0, 254.6], false, Some([0, 255])),
            (&[3.0, 200.0], false, Some([3, 200])),
            (&[0.0, 65_535.0], true, Some([0, 255])),
            (&[0.0, 65_535.0], false, None),
            (&[-2.1, 2.6], false, None),
            (&[0.0, f64::NAN, 1.0], false, None),
        ];
        for (values, wide, want) in cases {
            let scale = span(values).scale(wide).ok();
            let got = scale.map(|s| [s.byte(values[0]), s.byte(values[1])]);
            assert_eq!(got, want, "{values:?}");
        }
    }

    #[test]
    fn squares() {
        let size = |values, color| {
            Size::square(values, color)
                .map(|Size { rows, columns, channels }| [rows, columns, channels])
        };
        assert_eq!(size(784, false), Some([28, 28, 1]));
        assert_eq!(size(2352, true), Some([28, 28, 3]));
        assert_eq!(size(2352, false), None);
        assert_eq!(size(785, true), None);
        assert_eq!(size(1, true), None);
    }

    #[test]
    fn only_labels_that_occur_are_classes() {
        let size = Size { rows: 1, columns: 1, channels: 1 };
        let mut stack = Stack {
            pixels: vec![1, 2, 3],
            size,
            labels: Vec::new(),
            classes: Vec::new(),
            name: String::new(),
            format: "idx",
            notes: Vec::new(),
        };
        let names = BTreeMap::from([(26, "Z".into())]);
        stack.label(&[26, 1, 26], &names).unwrap();
        assert_eq!((&stack.labels[..], stack.classes.join(" ")), (&[1, 0, 1][..], "1 Z".into()));
        assert_eq!(stack.label(&[1], &names), Err(ArrayFault::Count(1, 3)));
    }
}
