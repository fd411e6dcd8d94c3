//! Frechet distance between two sets of features, each modeled as a Gaussian (Heusel et al. 2017,
//! eq. 6; FID if the features are those of Inception).

use std::fmt;

use nalgebra::{DMatrix, SymmetricEigen};

use crate::features::Features;
use crate::too_few::TooFew;

/// Why there is no Frechet distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrechetError {
    /// There are too few images for a covariance of this dimension.
    TooFew(TooFew),
    /// Two sets of features of different lengths.
    Dimensions(usize, usize),
    /// The eigenvalues of a covariance did not converge.
    Eigen,
}

impl fmt::Display for FrechetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrechetError::TooFew(e) => write!(f, "{e}"),
            FrechetError::Dimensions(a, b) => {
                write!(f, "features of {a} numbers against features of {b}")
            }
            FrechetError::Eigen => write!(f, "the eigenvalues of a covariance did not converge"),
        }
    }
}

impl std::error::Error for FrechetError {}

/// `|m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2)` with unbiased covariances, in 64 bits
/// throughout.
///
/// The matrix under the last root is symmetric, so the trace of its root is the sum of the roots of
/// its eigenvalues.
///
/// # Errors
/// [`FrechetError`]: fewer than `dimension + 1` images are refused, since their covariance would be
/// singular.
pub fn distance(a: &Features, b: &Features) -> Result<f64, FrechetError> {
    if a.dimension() != b.dimension() {
        return Err(FrechetError::Dimensions(a.dimension(), b.dimension()));
    }
    let need = a.dimension() + 1;
    let got = a.len().min(b.len());
    if got < need {
        let score = "the Frechet distance";
        return Err(FrechetError::TooFew(TooFew { score, got, need }));
    }
    let ((ma, sa), (mb, sb)) = (moments(a), moments(b));
    let means: f64 = ma.iter().zip(&mb).map(|(a, b)| (a - b).powi(2)).sum();
    let root = root(sa.clone())?;
    let product = &root * &sb * &root;
    // Rounding breaks the symmetry.
    let product = 0.5 * (&product + product.transpose());
    let shared: f64 = eigen(product)?.eigenvalues.iter().map(|v| v.max(0.0).sqrt()).sum();
    Ok(means + sa.trace() + sb.trace() - 2.0 * shared)
}

/// Mean and unbiased covariance.
fn moments(x: &Features) -> (Vec<f64>, DMatrix<f64>) {
    let (n, d) = (x.len(), x.dimension());
    let mut mean = vec![0.0; d];
    for row in x.rows() {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n as f64);
    }
    let centered = DMatrix::from_fn(n, d, |i, j| x.row(i)[j] - mean[j]);
    let covariance = centered.transpose() * &centered / (n as f64 - 1.0);
    (mean, covariance)
}

/// The symmetric square root of a covariance.
fn root(m: DMatrix<f64>) -> Result<DMatrix<f64>, FrechetError> {
    let mut eigen = eigen(m)?;
    eigen.eigenvalues.apply(|v| *v = v.max(0.0).sqrt());
    Ok(eigen.recompose())
}

/// Far more than a covariance of a few thousand dimensions takes; values that are not finite never
/// converge.
const ITERATIONS: usize = 1_000_000;

fn eigen(m: DMatrix<f64>) -> Result<SymmetricEigen<f64, nalgebra::Dyn>, FrechetError> {
    SymmetricEigen::try_new(m, f64::EPSILON, ITERATIONS).ok_or(FrechetError::Eigen)
}
