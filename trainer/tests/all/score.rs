//! The scores against the reference packages' values, which `golden/make.py` makes.

use std::fs;
use std::path::{Path, PathBuf};

use runtime::npy::Array;
use trainer::score::features::Features;
use trainer::score::{frechet, kernel, manifold, ssim, swd};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn want(key: &str) -> f64 {
    let text = fs::read_to_string(golden("scores.json")).unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    all[key].as_f64().unwrap()
}

fn close(got: f64, key: &str, tolerance: f64) {
    let want = want(key);
    assert!((got - want).abs() <= tolerance * want.abs().max(1e-3), "{key}: {got}, not {want}");
}

fn values(name: &str) -> Vec<f64> {
    let bytes = fs::read(golden(name)).unwrap();
    Array::parse(&bytes).unwrap().values().collect()
}

fn floats(name: &str) -> Vec<f32> {
    values(name).into_iter().map(|v| v as f32).collect()
}

fn bytes(name: &str) -> Vec<u8> {
    values(name).into_iter().map(|v| v as u8).collect()
}

#[test]
fn features() {
    let [real, fake] = ["real.npy", "fake.npy"].map(|f| Features::load(&golden(f)).unwrap());
    close(frechet::distance(&real, &fake).unwrap(), "frechet", 1e-6);
    let rows: Vec<usize> = (0..200).collect();
    close(kernel::discrepancy(&real, &rows, &fake, &rows), "kernel", 1e-6);
    let got = manifold::measure(&real, &fake).unwrap();
    close(got.precision, "precision", 1e-12);
    close(got.recall, "recall", 1e-12);
    close(got.density, "density", 1e-12);
    close(got.coverage, "coverage", 1e-12);
}

#[test]
fn similarity() {
    let pair = bytes("pair.npy");
    let (a, b) = pair.split_at(pair.len() / 2);
    close(f64::from(ssim::ms_ssim(a, b, 64)), "ms_ssim", 1e-4);
}

#[test]
fn pyramid() {
    let pair = bytes("pair.npy");
    let plane = &pair[pair.len() / 2..][..64 * 64];
    let want = floats("pyramid.npy");
    let got = swd::pyramid(plane, 64);
    assert_eq!(got.len(), want.len());
    let off = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-3, "off by {off} of 255");
}

#[test]
fn sorted_projections() {
    let rows = |name| -> Vec<f32> {
        let all = values(name);
        all[..200 * 24].iter().map(|&v| v as f32).collect()
    };
    let directions = floats("directions.npy");
    let got = swd::sliced(&rows("real.npy"), &rows("fake.npy"), 24, &directions);
    close(got, "sliced", 1e-6);
}

#[test]
fn what_is_no_array_of_features_is_refused() {
    let error = |name: &str| Features::load(&golden(name)).unwrap_err().to_string();
    assert!(error("none.npy").contains("none.npy"));
    assert!(error("scores.json").starts_with("cannot read"));
    assert!(error("pair.npy").contains("not of a row an image"));
}
