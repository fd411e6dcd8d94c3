use quality::features::Features;
use quality::frechet::distance;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

fn gaussian(n: usize, d: usize, shift: f64, scale: f64) -> Features {
    let mut rng = StdRng::seed_from_u64(5);
    let values = (0..n * d)
        .map(|_| {
            let v: f64 = rng.sample(StandardNormal);
            v * scale + shift
        })
        .collect();
    Features::new("test", d, values).unwrap()
}

#[test]
fn closed_forms() {
    let x = gaussian(400, 12, 0.0, 1.0);
    assert!(distance(&x, &x).unwrap().abs() < 1e-9);
    // The same cloud elsewhere: the squared length of the way.
    let moved = gaussian(400, 12, 0.5, 1.0);
    assert!((distance(&x, &moved).unwrap() - 12.0 * 0.25).abs() < 1e-9);
    // The same cloud doubled: tr(S) (2 - 1)^2, and its mean is twice as far from 0.
    let wide = gaussian(400, 12, 0.0, 2.0);
    let (mut trace, mut off) = (0.0, 0.0);
    for i in 0..12 {
        let column = || x.rows().map(|row| row[i]);
        let mean = column().sum::<f64>() / 400.0;
        trace += column().map(|v| (v - mean).powi(2)).sum::<f64>() / 399.0;
        off += mean * mean;
    }
    assert!((distance(&x, &wide).unwrap() - trace - off).abs() < 1e-9);
}

#[test]
fn refusals() {
    let error = distance(&gaussian(12, 12, 0.0, 1.0), &gaussian(90, 12, 0.0, 1.0)).unwrap_err();
    assert_eq!(error.to_string(), "the Frechet distance of 12 images: it takes 13 or more");
    let error = distance(&gaussian(20, 3, 0.0, 1.0), &gaussian(20, 4, 0.0, 1.0)).unwrap_err();
    assert_eq!(error.to_string(), "features of 3 numbers against features of 4");
}
