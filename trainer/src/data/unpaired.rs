//! The ways to two sets of images without pairs: two folders, and drawn faces with others in winter.

use std::path::Path;

use super::error::DataError;
use super::open::Open;
use super::set::{DataSet, Origin, SEED, hash, winter_pixels};

impl Open<'_> {
    /// The images of `first`, and those of `second` as their other set.
    ///
    /// # Errors
    /// As [`Open::path`] for both paths.
    pub fn unpaired(&self, first: &Path, second: &Path) -> Result<DataSet, DataError> {
        let half = Open { budget: self.budget / 2, ..*self };
        Ok(half.path(first)?.with_other(half.path(second)?))
    }

    /// `count` of the built-in drawn faces, those of `seed` and the seeds after it, and the `count`
    /// faces after them in winter as their other set: nobody is in both.
    pub fn seasons(&self, count: usize, seed: u64) -> DataSet {
        let half = Open { budget: self.budget / 2, ..*self };
        let next = seed.wrapping_add(count as u64);
        half.faces(count, seed).with_other(half.winter(count, next))
    }

    /// `count` drawn faces in winter, those of `seed` and the seeds after it.
    pub fn winter(&self, count: usize, seed: u64) -> DataSet {
        let named = (hash(SEED, b"winter"), format!("{count} drawn faces in winter"));
        self.seeds([count as u64, seed], named, Origin::Winter, winter_pixels)
    }
}

impl DataSet {
    /// The set with another one beside it, whose images belong to none of its own.
    pub fn with_other(mut self, other: DataSet) -> DataSet {
        self.other = Some(Box::new(other));
        self
    }

    /// The other set of two without pairs.
    pub fn other(&self) -> Option<&DataSet> {
        self.other.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Batches, Crop, Form};
    use std::collections::HashSet;
    use std::sync::Arc;

    const FORM: Form = Form { size: 8, channels: 3, crop: Crop::Center, transpose: false };

    #[test]
    fn both_sets_are_held_out_of_and_nobody_is_in_both() {
        let mut data = Open::new(&FORM).seasons(60, 3);
        let whole = data.fingerprint();
        let content = |set: &DataSet| -> HashSet<u64> {
            (0..set.len()).filter_map(|i| set.content(i)).collect()
        };
        let other = data.other().unwrap();
        assert_eq!([data.len(), other.len()], [60, 60]);
        assert!(content(&data).is_disjoint(&content(other)));
        let held = data.hold_out(0.2);
        let counts = [&data, &held].map(|set| [set.len(), set.other().unwrap().len()]);
        for which in 0..2 {
            assert_eq!(counts[0][which] + counts[1][which], 60);
            assert!((3..25).contains(&counts[1][which]), "{counts:?}");
        }
        assert_ne!(data.fingerprint(), whole);
        // Another second set is another data set.
        let [a, b] = [5, 6].map(|n| {
            let open = Open::new(&FORM);
            open.faces(4, 0).with_other(open.winter(4, n)).fingerprint()
        });
        assert_ne!(a, b);
    }

    #[test]
    fn batches_draw_from_both_sets_independently_and_resume() {
        let open = Open::new(&FORM);
        let data = Arc::new(open.faces(6, 0).with_other(open.winter(9, 50)));
        let one = FORM.values();
        let take = |first: u64, workers: usize, count: usize| -> Vec<(Vec<f32>, Vec<f32>)> {
            let mut batches = Batches::new(data.clone(), 3, 1, first, workers);
            let ready = (0..count).map(|_| batches.next().unwrap());
            ready.map(|ready| (ready.values, ready.others)).collect()
        };
        let whole = take(0, 1, 12);
        assert!(whole[5..9] == take(15, 2, 4), "resumed after five batches");
        let bits = |image: &[f32]| image.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let others: Vec<f32> = whole.iter().flat_map(|(_, other)| other.clone()).collect();
        for epoch in others.chunks(9 * one) {
            assert_eq!(epoch.chunks(one).map(bits).collect::<HashSet<_>>().len(), 9);
        }
        // The same image does not always meet the same other one, as it would in pairs.
        let met = whole.iter().flat_map(|(a, b)| a.chunks(one).zip(b.chunks(one)));
        let met: HashSet<_> = met.map(|(a, b)| (bits(a), bits(b))).collect();
        assert!(met.len() > 20, "{} meetings of 36", met.len());
        // As many images as the smaller set has.
        let mut batches = Batches::new(data.clone(), 7, 1, 0, 1);
        let error = batches.next().unwrap_err().to_string();
        assert_eq!(error, "a batch of 7 images from a data set of 6");
    }
}
