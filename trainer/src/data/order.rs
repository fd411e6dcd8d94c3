//! The order of images.

use drawn::Rng;

/// An endless order of `len` images: a new permutation every epoch. It depends only on the seed and
/// the epoch, so a run can resume anywhere.
#[derive(Clone, Debug)]
pub struct Order {
    len: usize,
    seed: u64,
    epoch: u64,
    permutation: Vec<u32>,
}

impl Order {
    /// The order of `len` images (below 2^32) for a seed.
    pub fn new(len: usize, seed: u64) -> Order {
        Order { len, seed, epoch: 0, permutation: permutation(len, seed, 0) }
    }

    /// The `i`-th image to be seen; 0 in an empty set. A new epoch costs a shuffle, anything else a
    /// lookup.
    pub fn image(&mut self, i: u64) -> usize {
        let len = self.len.max(1) as u64;
        let (epoch, at) = (i / len, (i % len) as usize);
        if epoch != self.epoch {
            self.permutation = permutation(self.len, self.seed, epoch);
            self.epoch = epoch;
        }
        self.permutation.get(at).map_or(0, |&i| i as usize)
    }
}

/// Fisher and Yates' shuffle (Knuth 3.4.2, algorithm P) of 0 to `len` - 1.
fn permutation(len: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut rng = Rng::new(seed, epoch);
    let mut images: Vec<u32> = (0..len as u32).collect();
    for last in (1..len).rev() {
        images.swap(last, rng.below(last as u64 + 1) as usize);
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_is_another_permutation() {
        let mut seen = Vec::new();
        let mut order = Order::new(100, 7);
        for epoch in 0..20 {
            let images: Vec<usize> = (0..100).map(|i| order.image(epoch * 100 + i)).collect();
            let mut sorted = images.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..100), "epoch {epoch} misses or repeats images");
            assert!(!seen.contains(&images), "epoch {epoch} repeats another");
            seen.push(images);
        }
    }

    #[test]
    fn a_function_of_the_position() {
        let mut forth = Order::new(10, 3);
        let want: Vec<usize> = (0..50).map(|i| forth.image(i)).collect();
        let mut back = Order::new(10, 3);
        let mut got: Vec<usize> = (0..50).rev().map(|i| back.image(i)).collect();
        got.reverse();
        assert_eq!(got, want);
        let mut other = Order::new(10, 4);
        assert!((0..50).any(|i| other.image(i) != want[i as usize]));
    }

    #[test]
    fn the_same_for_ever() {
        // A checkpoint of an older version continues with the same images.
        let mut order = Order::new(10, 0);
        let got: Vec<usize> = (0..20).map(|i| order.image(i)).collect();
        assert_eq!(got, [6, 4, 3, 1, 8, 9, 0, 2, 7, 5, 7, 8, 4, 5, 0, 6, 3, 1, 2, 9]);
    }

    #[test]
    fn first_places_are_even() {
        let mut order = Order::new(5, 11);
        let mut counts = [0u32; 5];
        (0..10_000).for_each(|epoch| counts[order.image(epoch * 5)] += 1);
        assert!(counts.iter().all(|c| c.abs_diff(2_000) < 200), "{counts:?}");
    }

    #[test]
    fn none_and_one() {
        assert_eq!(Order::new(0, 1).image(5), 0);
        assert_eq!(Order::new(1, 1).image(5), 0);
    }
}
