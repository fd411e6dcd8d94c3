//! Translations of earlier steps, for a discriminator to see again.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::RngExt;
use rand::rngs::StdRng;

/// Up to `size` translations. A discriminator that sees some of an earlier generator's oscillates
/// less (Shrivastava et al. 2017, section 2.3; Zhu et al. 2017, section 4: 50).
#[derive(Clone, Debug)]
pub struct Pool {
    size: usize,
    /// Channels, height and width of an image.
    shape: [usize; 3],
    device: Device,
    /// `[1, c, h, w]` each, without gradients.
    images: Vec<Tensor<4>>,
}

impl Pool {
    /// An empty one for images of this shape, `[c, h, w]`. Of size 0 it returns what it is given.
    pub fn new(size: usize, shape: [usize; 3], device: &Device) -> Pool {
        Pool { size, shape, device: device.clone().inner(), images: Vec::new() }
    }

    /// One image for each of `fakes`, `[n, c, h, w]` without gradients. A pool that is not full
    /// keeps an image and returns it; a full one returns it or, in half of the cases, keeps it in
    /// place of a random one, which it returns.
    pub fn exchange(&mut self, fakes: Tensor<4>, rng: &mut StdRng) -> Tensor<4> {
        if self.size == 0 {
            return fakes;
        }
        let chosen = fakes.split(1, 0).into_iter().map(|fake| {
            if self.images.len() < self.size {
                self.images.push(fake.clone());
                return fake;
            }
            match rng.random::<bool>() {
                true => {
                    let at = rng.random_range(0..self.size);
                    std::mem::replace(&mut self.images[at], fake)
                }
                false => fake,
            }
        });
        let chosen: Vec<_> = chosen.collect();
        Tensor::cat(chosen, 0)
    }

    /// As the content of a checkpoint; none if there are no images.
    pub fn kept(&self) -> Option<Kept> {
        let all = (!self.images.is_empty()).then(|| Tensor::cat(self.images.clone(), 0))?;
        Some(Kept { images: Param::from_tensor(all) })
    }

    /// The module that a checkpoint's content after `images` images is loaded into; none if the pool
    /// was empty.
    pub fn blank(&self, images: u64) -> Option<Kept> {
        let ([c, h, w], count) = (self.shape, (self.size as u64).min(images) as usize);
        (count > 0).then(|| Kept {
            images: Param::from_tensor(Tensor::zeros([count, c, h, w], &self.device)),
        })
    }

    /// The same pool with these images.
    pub fn refilled(self, kept: Kept) -> Pool {
        Pool { images: kept.images.val().split(1, 0), ..self }
    }
}

/// The images of a [`Pool`] as a module, which burn stores.
#[derive(Module, Debug)]
pub struct Kept {
    images: Param<Tensor<4>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::noise::{self, Stream};
    use burn::tensor::TensorData;

    fn pool(size: usize) -> Pool {
        Pool::new(size, [1, 1, 1], &Device::flex())
    }

    fn numbered(range: std::ops::Range<u32>) -> Tensor<4> {
        let values: Vec<f32> = range.map(|i| i as f32).collect();
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count, 1, 1, 1]), &Device::flex())
    }

    fn numbers(images: Tensor<4>) -> Vec<u32> {
        images.into_data().iter::<f32>().map(|v| v as u32).collect()
    }

    #[test]
    fn a_full_pool_returns_old_images_half_of_the_time() {
        let mut rng = noise::rng(1, Stream::Pool, 0);
        let mut pool = pool(50);
        assert!(pool.kept().is_none());
        assert_eq!(numbers(pool.exchange(numbered(0..48), &mut rng)), Vec::from_iter(0..48));
        assert_eq!(numbers(pool.exchange(numbered(48..50), &mut rng)), [48, 49]);
        let mut seen: Vec<u32> = Vec::from_iter(0..50);
        let mut old = 0;
        for first in (50..1_050).step_by(4) {
            let given = numbers(pool.exchange(numbered(first..first + 4), &mut rng));
            old += given.iter().filter(|&&i| i < first).count();
            // Images of one batch may come back within it.
            for (i, given) in (first..).zip(given) {
                assert!(given == i || seen.contains(&given), "{given} is not from the pool");
                seen.push(i);
            }
        }
        assert!((420..580).contains(&old), "{old} of 1000 are old");
        let kept = numbers(pool.kept().unwrap().images.val());
        assert_eq!(kept.len(), 50);
        // An image stays for 100 on average, so the first are gone.
        assert!(kept.iter().filter(|&&i| i < 50).count() < 5, "{kept:?}");
        assert!(kept.iter().max() > Some(&1_000));
    }

    #[test]
    fn a_pool_of_none_returns_what_it_is_given() {
        let mut pool = pool(0);
        let mut rng = noise::rng(1, Stream::Pool, 0);
        for first in [0, 100] {
            let given = numbers(pool.exchange(numbered(first..first + 9), &mut rng));
            assert_eq!(given, Vec::from_iter(first..first + 9));
        }
        assert!(pool.kept().is_none());
    }

    #[test]
    fn a_checkpoint_has_the_images_in_their_order() {
        let mut rng = noise::rng(1, Stream::Pool, 0);
        let mut pool = pool(3);
        pool.exchange(numbered(0..2), &mut rng);
        let record = pool.kept().unwrap().into_record();
        let blank = pool.blank(2).unwrap();
        let again = self::pool(3).refilled(blank.load_record(record));
        assert_eq!(numbers(again.kept().unwrap().images.val()), [0, 1]);
        // One of another number of images is an error, not a panic.
        let record = pool.kept().unwrap().into_record();
        assert!(pool.blank(3).unwrap().try_load_record(record).is_err());
        assert!(pool.blank(0).is_none());
        assert_eq!(pool.blank(9).unwrap().images.val().dims()[0], 3);
    }
}
