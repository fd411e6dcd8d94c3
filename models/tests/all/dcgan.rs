use burn::module::Module;
use burn::tensor::Device;
use burn::tensor::Tensor;
use models::dcgan::*;
use models::layer::{Layer, Sequential};

#[test]
fn shapes() {
    let device = Device::flex();
    for size in SIZES {
        for channels in [1, 3] {
            let shape = Shape { size, channels };
            let g = generator(&shape, 7, 3, 0, &device).unwrap();
            let x = g.forward(Tensor::ones([2, 7, 1, 1], &device));
            assert_eq!(x.dims(), [2, channels, size, size]);
            for norm in [false, true] {
                let d = discriminator(&shape, 2, norm, 0, &device).unwrap();
                assert_eq!(d.forward(x.clone()).dims(), [2, 1, 1, 1]);
            }
        }
    }
}

#[test]
fn the_tutorials_parameter_counts() {
    // As printed by PyTorch's DCGAN tutorial for nz 100, ngf = ndf = 64.
    let device = Device::flex();
    let shape = Shape { size: 64, channels: 3 };
    let trainable = |net: &Sequential| {
        let running: usize = net
            .layers
            .iter()
            .map(|l| match l {
                Layer::BatchNorm(n) => 2 * n.gamma.dims()[0],
                Layer::Conv(_)
                | Layer::ConvTranspose(_)
                | Layer::ResizeConv(_)
                | Layer::InstanceNorm(_)
                | Layer::Activation(_)
                | Layer::ReflectPad(_)
                | Layer::Add(_)
                | Layer::Concat(_)
                | Layer::Dropout(_) => 0,
            })
            .sum();
        net.num_params() - running
    };
    let g = generator(&shape, 100, 64, 0, &device).unwrap();
    assert_eq!(trainable(&g), 3_576_704);
    let d = discriminator(&shape, 64, true, 0, &device).unwrap();
    assert_eq!(trainable(&d), 2_765_568);
}

#[test]
fn the_largest_map() {
    let device = Device::flex();
    let shape = Shape { size: 64, channels: 3 };
    let g = generator(&shape, 100, 64, 0, &device).unwrap();
    assert_eq!(g.largest_map([100, 1]), 64 * 32 * 32);
    let d = discriminator(&shape, 8, true, 0, &device).unwrap();
    assert_eq!(d.largest_map([3, 64]), 3 * 64 * 64);
}

#[test]
fn refusals() {
    let device = Device::flex();
    let shape = |size, channels| Shape { size, channels };
    let error = |s, nz, ngf| generator(&s, nz, ngf, 0, &device).unwrap_err();
    assert_eq!(error(shape(48, 3), 1, 1), Unsupported::Size(48));
    assert_eq!(error(shape(64, 2), 1, 1), Unsupported::Channels(2));
    assert_eq!(error(shape(64, 3), 0, 1), Unsupported::Width("nz"));
    assert_eq!(error(shape(64, 3), 1, 0), Unsupported::Width("ngf"));
}

#[test]
fn statistics_of_averaged_weights_are_the_mean_over_batches() {
    let device = Device::flex().autodiff();
    let shape = Shape { size: 16, channels: 1 };
    let g = generator(&shape, 4, 2, 3, &device).unwrap();
    let z = |v: f32| Tensor::<4>::full([3, 4, 1, 1], v, &device);
    let g = g.restandardize([z(1.0), z(2.0), z(3.0)]);
    let first = match &g.layers[0] {
        Layer::ConvTranspose(l) => l.weight.val(),
        other => panic!("{other:?}"),
    };
    // Every latent of a batch is the same, and the first layer is linear, so the mean over the
    // three batches is that of the latent 2.
    let expect = first.sum_dim(0).mean_dim(3).mean_dim(2).mul_scalar(2.0);
    let Layer::BatchNorm(norm) = &g.layers[1] else { panic!("no norm") };
    assert_eq!(norm.momentum, 0.1);
    let got = norm.running_mean.value_sync();
    let diff = (got - expect.reshape([4])).abs().max().into_scalar::<f32>();
    assert!(diff < 1e-6, "{diff}");
}
