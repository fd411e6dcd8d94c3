//! The functions of the kernels on a CPU against those in `f64`.

use models::flex::activation::forward;
use models::layer::Function;

#[test]
fn tanh_is_tanh() {
    let x: Vec<f32> = (-1_000_000..=1_000_000).map(|i| i as f32 * 2e-5).collect();
    let y = forward(&x, Function::Tanh);
    let off = |(x, y): (&f32, &f32)| (*y as f64 - (*x as f64).tanh()).abs();
    let worst = x.iter().zip(&y).map(off).fold(0.0, f64::max);
    assert!(worst < 2e-7, "off by {worst}");
    let y = forward(&[f32::INFINITY, f32::NEG_INFINITY, f32::NAN], Function::Tanh);
    assert_eq!(y[..2], [1.0, -1.0]);
    assert!(y[2].is_nan());
}
