use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use models::autoencoder::*;
use models::dcgan::{Shape, Unsupported};

const DIGITS: Shape = Shape { size: 28, channels: 1 };

#[test]
fn there_and_back() {
    let device = Device::flex();
    let hidden = [128, 64, 12];
    let e = encoder(&DIGITS, &hidden, 3, 0, &device).unwrap();
    let code = e.forward(Tensor::ones([2, 1, 28, 28], &device));
    assert_eq!(code.dims(), [2, 3, 1, 1]);
    let dense = |sizes: &[usize]| -> usize { sizes.windows(2).map(|s| s[0] * s[1] + s[1]).sum() };
    assert_eq!(e.num_params(), dense(&[784, 128, 64, 12, 3]));
    let d = decoder(&DIGITS, &hidden, 3, 0, &device).unwrap();
    let x = d.forward(code);
    assert_eq!(x.dims(), [2, 1, 28, 28]);
    let [low, high] = [x.clone().min(), x.max()].map(|v| v.into_scalar::<f32>());
    assert!(low > 0.0 && high < 1.0, "{low} {high}");
}

#[test]
fn a_generator_makes_codes_of_latents() {
    let device = Device::flex();
    let d = decoder(&DIGITS, &[4], 2, 0, &device).unwrap();
    let g = generator(d.clone(), 2, &device);
    let z = |a: f32, b: f32| Tensor::from_data(TensorData::new(vec![a, b], [1, 2, 1, 1]), &device);
    let off = |a: Tensor<4>, b: Tensor<4>| (a - b).abs().max().into_scalar::<f32>();
    assert!(off(g.forward(z(0.3, -2.0)), d.forward(z(0.3, -2.0))) < 1e-6);
    let codes_of = Codes { mean: vec![1.0, -1.0], root: vec![2.0, 0.0, 0.5, 3.0] };
    let g = set_codes(g, &codes_of, &device);
    assert_eq!(codes(&g), Some(codes_of));
    // 2 * 0.5 + 1, 0.5 * 0.5 + 3 * 2 - 1
    assert!(off(g.forward(z(0.5, 2.0)), d.forward(z(2.0, 5.25))) < 1e-6);
}

#[test]
fn refusals() {
    let device = Device::flex();
    let error = |hidden: &[usize], nz| decoder(&DIGITS, hidden, nz, 0, &device).unwrap_err();
    assert_eq!(error(&[8, 0], 3), Unsupported::Width("hidden"));
    assert_eq!(error(&[8], 0), Unsupported::Width("nz"));
}
