//! Anomalies: images that an autoencoder reconstructs badly, or whose codes are far from all
//! others.

use burn::tensor::{Device, Tensor};
use models::autoencoder as network;
use nalgebra::DMatrix;

use crate::config::{Config, Objective};
use crate::data::{DataError, DataSet};
use crate::networks::State;
use crate::objective::coder::Coder;

/// Lower bound on the variance of an image, which is divided by.
const FLAT: f64 = 1e-4;
/// Deviations above the median up to which a distance is not unusual (Iglewicz and Hoaglin 1993).
const FAR: f64 = 3.5;

/// How unusual an image is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oddity {
    /// Index of the image.
    pub image: usize,
    /// Mean squared error of its reconstruction over its variance, so that images with much
    /// contrast are not unusual by themselves.
    pub error: f64,
    /// Mahalanobis distance of its code from the training codes; for a variational autoencoder from
    /// N(0, 1).
    pub distance: f64,
    /// The error in deviations above the set's median. The distance is added if it is unusual.
    pub score: f64,
}

/// Every image of `data`, the most unusual first.
///
/// # Errors
/// [`DataError`] if the file of an image is gone.
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

/// Distances of codes of `nz` values from the distribution of codes.
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

/// Robust z-scores: distances above the median in scaled median absolute deviations, which a few
/// outliers do not shift (Iglewicz and Hoaglin 1993).
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
