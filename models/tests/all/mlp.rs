use burn::module::Module;
use burn::tensor::{Device, Tensor};
use models::dcgan::{Shape, Unsupported};
use models::layer::{Layer, Sequential};
use models::mlp::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

const DIGITS: Shape = Shape { size: 28, channels: 1 };

#[test]
fn shapes_and_parameter_counts() {
    let device = Device::flex();
    let g = generator(&DIGITS, 64, 256, 0, &device).unwrap();
    let x = g.forward(Tensor::ones([2, 64, 1, 1], &device));
    assert_eq!(x.dims(), [2, 1, 28, 28]);
    let d = discriminator(&DIGITS, 256, 0, &device).unwrap();
    assert_eq!(d.forward(x).dims(), [2, 1, 1, 1]);
    let dense = |sizes: &[usize]| -> usize { sizes.windows(2).map(|s| s[0] * s[1] + s[1]).sum() };
    assert_eq!(g.num_params(), dense(&[64, 256, 512, 1024]) + 1024 * 784 + 1);
    assert_eq!(d.num_params(), dense(&[784, 1024, 512, 256, 1]));
}

#[test]
fn it_is_a_dense_layer() {
    // y = W x + b, with the weights in the order of convolutions.
    let device = Device::flex();
    let shape = Shape { size: 8, channels: 3 };
    let d = discriminator(&shape, 1, 5, &device).unwrap();
    let Layer::Conv(first) = &d.layers[0] else { panic!("no convolution") };
    let x = Tensor::<1, burn::tensor::Int>::arange(0..192, &device).float().div_scalar(192.0);
    let weight = first.weight.val().reshape([4, 192]);
    let want: Vec<f32> =
        weight.matmul(x.clone().reshape([192, 1])).into_data().try_to_vec().unwrap();
    let got: Vec<f32> = Sequential { layers: vec![d.layers[0].clone()] }
        .forward(x.reshape([1, 3, 8, 8]))
        .into_data()
        .try_to_vec()
        .unwrap();
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() < 1e-5, "{got} {want}");
    }
}

#[test]
fn dropout_in_training_only_and_by_the_generator() {
    let device = Device::flex();
    let d = discriminator(&DIGITS, 16, 1, &device).unwrap();
    let x = Tensor::<4>::ones([4, 1, 28, 28], &device);
    let floats = |t: Tensor<4>| -> Vec<f32> { t.into_data().try_to_vec().unwrap() };
    let train = |seed| floats(d.forward_with(x.clone(), &mut StdRng::seed_from_u64(seed)));
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
    let plain = floats(d.forward(x.clone()));
    assert!(plain.iter().all(|v| *v == plain[0]), "{plain:?}");
    assert_ne!(train(1), plain);
}

#[test]
fn refusals() {
    let device = Device::flex();
    let error =
        |size, channels, nz| generator(&Shape { size, channels }, nz, 1, 0, &device).unwrap_err();
    assert_eq!(error(65, 1, 1), Unsupported::DenseSize(65));
    assert_eq!(error(7, 1, 1), Unsupported::DenseSize(7));
    assert_eq!(error(28, 2, 1), Unsupported::Channels(2));
    assert_eq!(error(28, 1, 0), Unsupported::Width("nz"));
}
