//! The ways to a [`DataSet`] from seeds: drawn faces, drawn digits.

use std::sync::atomic::{AtomicUsize, Ordering};

use drawn::digits;
use rayon::prelude::*;

use super::form::Form;
use super::open::{Open, on_threads};
use super::set::{DataSet, Image, Origin, SEED, digit_pixels, drawn_pixels, hash};

impl Open<'_> {
    /// `count` of the built-in drawn faces, those of `seed` and the seeds after it.
    pub fn faces(&self, count: usize, seed: u64) -> DataSet {
        let description = format!("{count} drawn faces");
        self.seeds([count as u64, seed], (SEED, description), Origin::Drawn, drawn_pixels)
    }

    /// `count` pictures without labels that `draw` makes, of `first` and the seeds after it. The
    /// fingerprint begins with `salt`.
    pub(super) fn seeds(
        &self,
        [count, first]: [u64; 2],
        (salt, description): (u64, String),
        origin: fn(u64) -> Origin,
        draw: fn(u64, &Form) -> Box<[u8]>,
    ) -> DataSet {
        let Open { form, workers, budget, progress } = *self;
        let fit = budget / form.values().max(1);
        let done = AtomicUsize::new(0);
        let image = |i: usize| {
            let seed = first.wrapping_add(i as u64);
            let pixels = (i < fit).then(|| draw(seed, form));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, count as usize);
            Image {
                pixels,
                origin: origin(seed),
                label: None,
                content: hash(SEED, &seed.to_le_bytes()),
                input: None,
            }
        };
        let all = 0..count as usize;
        let images = on_threads(workers, || all.into_par_iter().map(image).collect());
        let numbers = [drawn::VERSION, first, count].map(u64::to_le_bytes);
        DataSet {
            form: *form,
            images,
            labels: Vec::new(),
            skipped: Vec::new(),
            fingerprint: hash(salt, &numbers.concat()),
            description,
            notes: Vec::new(),
            inputs: None,
            other: None,
        }
    }

    /// `count` of the built-in drawn digits, those of `seed` and the seeds after it, with their
    /// labels.
    pub fn digits(&self, count: usize, seed: u64) -> DataSet {
        let Open { form, workers, budget, progress } = *self;
        let fit = budget / form.values().max(1);
        let done = AtomicUsize::new(0);
        let draw = |i: usize| {
            let digit = seed.wrapping_add(i as u64);
            let pixels = (i < fit).then(|| digit_pixels(digit, form));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, count);
            Image {
                pixels,
                origin: Origin::Digit(digit),
                label: Some((digit % 10) as usize),
                content: hash(SEED, &digit.to_le_bytes()),
                input: None,
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
            notes: Vec::new(),
            inputs: None,
            other: None,
        }
    }
}

impl DataSet {
    /// [`Open::faces`] on `workers` threads.
    pub fn drawn(count: usize, seed: u64, form: &Form, workers: usize) -> DataSet {
        Open { workers, ..Open::new(form) }.faces(count, seed)
    }

    /// [`Open::digits`] on `workers` threads.
    pub fn digits(count: usize, seed: u64, form: &Form, workers: usize) -> DataSet {
        Open { workers, ..Open::new(form) }.digits(count, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Crop;

    const FORM: Form = Form { size: 8, channels: 3, crop: Crop::Center, transpose: false };

    #[test]
    fn drawn_faces() {
        let data = DataSet::drawn(3, 5, &FORM, 2);
        assert_eq!((data.len(), data.describe().as_str()), (3, "3 drawn faces"));
        assert_eq!(data.picture(1).unwrap(), drawn::face(6, 8));
        let gray = DataSet::drawn(
            3,
            5,
            &Form { size: 8, channels: 1, crop: crate::data::Crop::Center, transpose: false },
            1,
        );
        assert_eq!(gray.with(0, <[u8]>::len).unwrap(), 64);
        assert!(gray.picture(0).unwrap().pixels().all(|p| p[0] == p[1] && p[1] == p[2]));
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
}
