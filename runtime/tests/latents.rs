//! Promises about latents: seeds name normally distributed, independent points, and the way between
//! two is an arc.
#![cfg(feature = "std")]

use runtime::latent::{Latent, Normal};

/// The values of a latent.
fn values(latent: Latent<'_>, n: usize) -> Vec<f32> {
    let mut z = vec![0.0; n];
    latent.fill(&mut z).unwrap();
    z
}

/// The standard normal distribution function by Simpson's rule on its density, independent of the
/// tested code.
fn distribution(x: f64) -> f64 {
    let density = |t: f64| (-0.5 * t * t).exp() / std::f64::consts::TAU.sqrt();
    const PARTS: usize = 400;
    let h = x / PARTS as f64;
    let inside = (1..PARTS).map(|i| density(i as f64 * h) * if i % 2 == 1 { 4.0 } else { 2.0 });
    0.5 + h / 3.0 * (density(0.0) + inside.sum::<f64>() + density(x))
}

#[test]
fn values_of_a_stream_and_across_seeds_are_normal() {
    const N: usize = 20_000;
    let stream = values(Latent::from_seed(7), N);
    // A kiosk shows seed after seed, so the first values of all seeds must be normal too.
    let across = (0..N as u64).map(|seed| Normal::new(seed).sample()).collect();
    for (what, mut z) in [("one seed", stream), ("one value", across)] {
        z.sort_by(f32::total_cmp);
        let far = z.iter().enumerate().map(|(i, v)| {
            let want = distribution(*v as f64);
            (want - i as f64 / N as f64).abs().max((want - (i + 1) as f64 / N as f64).abs())
        });
        // Kolmogorov-Smirnov: 999 of 1000 good generators stay below 1.95 / sqrt(n).
        let far = far.fold(0.0, f64::max);
        assert!(far < 1.95 / (N as f64).sqrt(), "{what}: {far}");
    }
}

#[test]
fn neighboring_seeds_are_independent() {
    const N: usize = 20_000;
    let correlation = |a: &[f32], b: &[f32]| {
        a.iter().zip(b).map(|(a, b)| (a * b) as f64).sum::<f64>() / a.len() as f64
    };
    let bound = 4.0 / (N as f64).sqrt();
    let z = values(Latent::from_seed(11), N + 100);
    for lag in 1..100 {
        let c = correlation(&z[..N], &z[lag..]);
        assert!(c.abs() < bound, "values {lag} apart: {c}");
    }
    for seed in 0..50 {
        let (a, b) = (Latent::from_seed(seed), Latent::from_seed(seed + 1));
        let c = correlation(&values(a, N), &values(b, N));
        assert!(c.abs() < bound, "seeds {seed} and the next: {c}");
    }
}

#[test]
fn a_longer_latent_begins_like_a_shorter_one() {
    let long = values(Latent::from_seed(5), 128);
    assert_eq!(values(Latent::from_seed(5), 64), long[..64]);
}

#[test]
fn the_arc_is_the_formula() {
    // White 2016, section 2.1, with the functions of the standard library.
    let (a, b) = (values(Latent::from_seed(8), 100), values(Latent::from_seed(9), 100));
    let dot =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| *a as f64 * *b as f64).sum::<f64>();
    let angle = (dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()).acos();
    for step in 0..=50 {
        let t = step as f32 / 50.0;
        let far = t as f64 * angle;
        let (wa, wb) = ((angle - far).sin() / angle.sin(), far.sin() / angle.sin());
        for (i, got) in values(Latent::between(8, 9, t), 100).into_iter().enumerate() {
            let want = wa * a[i] as f64 + wb * b[i] as f64;
            assert!((got as f64 - want).abs() < 1e-6, "{t}, value {i}: {got}, not {want}");
        }
    }
    // Beyond the ends it stays at the ends.
    assert_eq!(values(Latent::between(8, 9, -3.0), 9), values(Latent::between(8, 9, 0.0), 9));
    assert_eq!(values(Latent::between(8, 9, 7.0), 9), values(Latent::between(8, 9, 1.0), 9));
}

#[test]
fn truncation_is_a_factor_of_every_source() {
    let given = [1.0, -2.0, 4.0];
    for latent in [Latent::from_seed(1), Latent::between(1, 2, 0.3), Latent::from_values(&given)] {
        let whole = values(latent, 3);
        let half: Vec<f32> = whole.iter().map(|v| v * 0.5).collect();
        assert_eq!(values(latent.truncated(0.5), 3), half);
        assert_eq!(values(latent.truncated(0.0), 3), [0.0; 3]);
    }
}
