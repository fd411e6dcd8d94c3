use burn::tensor::Device;
use models::init::*;

#[test]
fn moments_and_seed() {
    let device = Device::flex();
    let draw = |seed| -> Vec<f32> {
        let w = Init::new(seed, &device).normal([64, 64, 4], 1.0);
        w.val().into_data().try_to_vec().unwrap()
    };
    let (a, b, c) = (draw(1), draw(1), draw(2));
    assert_eq!(a, b);
    assert_ne!(a, c);
    let n = a.len() as f32;
    let mean = a.iter().sum::<f32>() / n;
    let std = (a.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt();
    assert!((mean - 1.0).abs() < 1e-3, "mean {mean}");
    assert!((std - STD).abs() < 1e-3, "std {std}");
}
