//! Memorization: the distance of samples to the training images, compared with that of held-out
//! images.

use rayon::prelude::*;
use serde::Serialize;

use crate::pictures::Pictures;
use crate::too_few::TooFew;

/// An image's nearest training images.
#[derive(Clone, Debug, PartialEq)]
pub struct Near {
    /// Index of the image.
    pub image: usize,
    /// Its nearest training images: index and root mean squared difference of bytes, nearest first.
    pub nearest: Vec<(usize, f64)>,
}

/// Distances of samples and held-out images to training images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Memorization {
    /// Median distance of a sample to its nearest training image, in levels of 0 to 255.
    pub fakes: f64,
    /// Median distance of a held-out image.
    pub held_out: f64,
    /// The ratio of both: about 1 if samples are as new as unseen photographs, far below if they
    /// are copies.
    pub ratio: f64,
    /// Numbers of samples, held-out images and training images.
    pub counts: [usize; 3],
}

/// The `keep` nearest images of `train` for each of `images`.
pub fn search(images: &Pictures, train: &Pictures, keep: usize) -> Vec<Near> {
    (0..images.len())
        .into_par_iter()
        .map(|image| {
            let own = images.get(image);
            let mut nearest: Vec<(usize, u64)> = Vec::with_capacity(keep + 1);
            for (i, other) in train.iter().enumerate() {
                let far = squared(own, other);
                if nearest.len() < keep || nearest.last().is_some_and(|last| far < last.1) {
                    let at = nearest.partition_point(|(_, f)| *f <= far);
                    nearest.insert(at, (i, far));
                    nearest.truncate(keep);
                }
            }
            let scale = own.len().max(1) as f64;
            let nearest =
                nearest.into_iter().map(|(i, far)| (i, (far as f64 / scale).sqrt())).collect();
            Near { image, nearest }
        })
        .collect()
}

/// Sum of squared differences, in parts that fit into 32 bits.
fn squared(a: &[u8], b: &[u8]) -> u64 {
    a.chunks(4096)
        .zip(b.chunks(4096))
        .map(|(a, b)| {
            let part: u32 = a
                .iter()
                .zip(b)
                .map(|(&a, &b)| {
                    let d = i32::from(a) - i32::from(b);
                    (d * d) as u32
                })
                .sum();
            u64::from(part)
        })
        .sum()
}

/// Compares samples and held-out images by their distance to the training images; `near` is what
/// [`search`] found for the samples.
///
/// # Errors
/// [`TooFew`] without samples, held-out or training images.
pub fn memorization(
    near: &[Near],
    held_out: &Pictures,
    train: &Pictures,
) -> Result<Memorization, TooFew> {
    let counts = [near.len(), held_out.len(), train.len()];
    if counts.contains(&0) {
        return Err(TooFew { score: "the distance to training images", got: 0, need: 1 });
    }
    let first = |near: &[Near]| {
        let all = near.iter().filter_map(|n| Some(n.nearest.first()?.1));
        median(all.collect())
    };
    let fakes = first(near);
    let others = first(&search(held_out, train, 1));
    Ok(Memorization {
        fakes,
        held_out: others,
        ratio: fakes / others.max(f64::MIN_POSITIVE),
        counts,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
