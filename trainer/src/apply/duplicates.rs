//! Near-duplicates by the binary code of a denoising autoencoder, as the DCGAN paper cleans its
//! data (Radford et al. 2016, section 4.1.1), after semantic hashing (Salakhutdinov and Hinton
//! 2009).

use burn::tensor::Device;

use crate::config::Config;
use crate::data::{DataError, DataSet};
use crate::networks::State;
use crate::objective::coder::Coder;

/// A binary code: which values are above the median.
type Bits = Vec<u64>;

/// Similar images, at least two.
pub type Group = Vec<usize>;

/// Groups of images whose codes differ in at most `most` bits from another code of the group, the
/// largest groups first.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
pub fn find(
    state: &State,
    cfg: &Config,
    data: &DataSet,
    most: u32,
    device: &Device,
) -> Result<Vec<Group>, DataError> {
    let coder = Coder::new(state, cfg, device);
    let which: Vec<usize> = (0..data.len()).collect();
    let mut codes = Vec::new();
    coder.each(data, &which, false, |coded| {
        codes.extend(coded.codes.into_data().iter::<f32>());
    })?;
    Ok(groups(&bits(&codes, cfg.nz), most))
}

/// Codes of `nz` values as bits. Thresholds that halve the set make the bits most informative.
fn bits(codes: &[f32], nz: usize) -> Vec<Bits> {
    let n = (codes.len() / nz).max(1);
    let mut mean = vec![0.0f64; nz];
    for code in codes.chunks_exact(nz) {
        mean.iter_mut().zip(code).for_each(|(m, &v)| *m += f64::from(v) / n as f64);
    }
    let of = |code: &[f32]| {
        let mut bits = vec![0u64; nz.div_ceil(64)];
        for (i, (&v, &mean)) in code.iter().zip(&mean).enumerate() {
            bits[i / 64] |= u64::from(f64::from(v) > mean) << (i % 64);
        }
        bits
    };
    codes.chunks_exact(nz).map(of).collect()
}

/// Groups of codes connected by steps of at most `most` bits.
fn groups(codes: &[Bits], most: u32) -> Vec<Group> {
    use rayon::prelude::*;
    let near = |i: usize| -> Vec<(usize, usize)> {
        let off = |j: &usize| {
            let pairs = codes[i].iter().zip(&codes[*j]);
            pairs.map(|(a, b)| (a ^ b).count_ones()).sum::<u32>() <= most
        };
        let after = i + 1..codes.len();
        after.filter(off).map(|j| (i, j)).collect()
    };
    let pairs: Vec<(usize, usize)> = (0..codes.len()).into_par_iter().flat_map_iter(near).collect();
    // Each image points to one of its group with a smaller index, or to itself.
    let mut parent: Vec<usize> = (0..codes.len()).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    for (i, j) in pairs {
        let (a, b) = (root(&mut parent, i), root(&mut parent, j));
        parent[a.max(b)] = a.min(b);
    }
    let mut all = std::collections::BTreeMap::<usize, Group>::new();
    for i in 0..codes.len() {
        all.entry(root(&mut parent, i)).or_default().push(i);
    }
    let mut groups: Vec<Group> = all.into_values().filter(|g| g.len() > 1).collect();
    groups.sort_by_key(|g| (std::cmp::Reverse(g.len()), g[0]));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_near_codes_are_groups() {
        let codes =
            vec![vec![0b0000], vec![0b1111_0000], vec![0b0001], vec![0b0011], vec![0b1110_0000]];
        assert_eq!(groups(&codes, 0), Vec::<Group>::new());
        // 0 and 3 differ in two bits, and 2 lies between them.
        assert_eq!(groups(&codes, 1), [vec![0, 2, 3], vec![1, 4]]);
        assert_eq!(groups(&codes, 64), [vec![0, 1, 2, 3, 4]]);
    }

    #[test]
    fn bits_say_which_side_of_the_mean() {
        let codes = [0.0, 10.0, 1.0, 10.0, 5.0, 13.0];
        assert_eq!(bits(&codes, 2), [vec![0], vec![0], vec![3]]);
        let long: Vec<f32> = (0..140).map(|i| i as f32).collect();
        assert_eq!(bits(&long, 70), [vec![0, 0], vec![u64::MAX, 0b11_1111]]);
    }
}
