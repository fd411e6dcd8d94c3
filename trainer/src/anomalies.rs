//! Images that an autoencoder finds odd: what it cannot give back, and what it codes as it codes nothing else.

use burn::tensor::{Device, Tensor};
use models::autoencoder as network;
use nalgebra::DMatrix;

use crate::checkpoint::State;
use crate::coder::Coder;
use crate::config::{Config, Objective};
use crate::data::{DataError, DataSet};

/// The least variance of an image that counts: a flat one has none, and is not to be divided by.
const FLAT: f64 = 1e-4;
/// Deviations of a distance that are still usual (Iglewicz and Hoaglin 1993).
const FAR: f64 = 3.5;

/// How odd an image is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oddity {
    /// Which image of the set.
    pub image: usize,
    /// The share of its variance that its reconstruction misses: mean squared error over variance, so that much ink is not
    /// odd in itself.
    pub error: f64,
    /// How far its code lies from those of training, in deviations (Mahalanobis 1936); from N(0, 1) for a variational
    /// autoencoder.
    pub distance: f64,
    /// The error as a number of usual deviations above the set's median; the distance counts where it is far beyond what
    /// is usual.
    pub score: f64,
}

/// Every image of `data`, the oddest first.
///
/// # Errors
/// [`DataError`] where an image's file has gone.
pub fn rank(
    state: &State,
    cfg: &Config,
    data: &DataSet,
    device: &Device,
) -> Result<Vec<Oddity>, DataError> {
    let coder = Coder::new(state, cfg, device);
    let which: Vec<usize> = (0..data.len()).collect();
    let (mut errors, mut codes) = (Vec::new(), Vec::new());
    coder.each(data, &which, false, |coded| {
        let n = coded.originals.dims()[0] as i32;
        let rows = |x: Tensor<4>| -> Tensor<2> { x.reshape([n, -1]) };
        let off = rows(coded.originals.clone() - coded.restored);
        let (variance, _) = rows(coded.originals).var_mean(1);
        let missed = (off.clone() * off).mean_dim(1) / variance.clamp_min(FLAT);
        errors.extend(missed.into_data().iter::<f64>());
        codes.extend(coded.codes.into_data().iter::<f64>());
    })?;
    let distances = distances(&codes, cfg, network::codes(&state.ema));
    let [by_error, by_distance] = [&errors, &distances].map(|values| unusual(values));
    let mut all: Vec<Oddity> = (0..data.len())
        .map(|image| Oddity {
            image,
            error: errors[image],
            distance: distances[image],
            score: by_error[image] + (by_distance[image] - FAR).max(0.0),
        })
        .collect();
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.image.cmp(&b.image)));
    Ok(all)
}

/// How far codes of `nz` values lie from where codes lie.
fn distances(codes: &[f64], cfg: &Config, known: Option<network::Codes>) -> Vec<f64> {
    let nz = cfg.nz;
    let length = |code: &[f64]| code.iter().map(|v| v * v).sum::<f64>().sqrt();
    let (Objective::Autoencoder, Some(known)) = (cfg.objective, known) else {
        return codes.chunks_exact(nz).map(length).collect();
    };
    let root = DMatrix::from_row_slice(nz, nz, &known.root);
    let covariance = &root * root.transpose();
    let Some(cholesky) = covariance.cholesky() else {
        return codes.chunks_exact(nz).map(length).collect();
    };
    let n = codes.len() / nz;
    let off = DMatrix::from_fn(nz, n, |i, j| codes[j * nz + i] - known.mean[i]);
    let solved = cholesky.solve(&off);
    (0..n)
        .map(|j| {
            let square: f64 = (0..nz).map(|i| off[(i, j)] * solved[(i, j)]).sum();
            square.max(0.0).sqrt()
        })
        .collect()
}

/// Each value's distance above the median, in median absolute deviations scaled to those of a normal distribution: a few
/// odd images among many do not move what is usual (Iglewicz and Hoaglin 1993).
fn unusual(values: &[f64]) -> Vec<f64> {
    let middle = median(values.to_vec());
    let off = values.iter().map(|v| (v - middle).abs()).collect();
    let usual = (1.4826 * median(off)).max(f64::MIN_POSITIVE);
    values.iter().map(|v| (v - middle) / usual).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unusual() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 100.0];
        let unusual = unusual(&values);
        assert!(unusual[5] > 20.0 && unusual[..5].iter().all(|v| v.abs() < 2.0));
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
        assert!(super::unusual(&[1.0; 4]).iter().all(|v| *v == 0.0));
    }

    #[test]
    fn distances_are_in_deviations() {
        let cfg = Config::new(Some("autoencoder"), &"nz = 2".parse().unwrap()).unwrap();
        let known = network::Codes { mean: vec![1.0, 0.0], root: vec![2.0, 0.0, 0.0, 0.5] };
        let far = distances(&[1.0, 0.0, 5.0, 0.0, 1.0, 1.0], &cfg, Some(known));
        assert!(far.iter().zip([0.0, 2.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}
