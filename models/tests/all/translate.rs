//! Layers that read earlier outputs, and the networks that have them.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use models::dcgan::{Shape, Unsupported, Upsample};
use models::layer::{Activation, Function, InstanceNorm, Join, Layer, Sequential, concat};
use models::translate::{SIZES, Style, patch_discriminator, resnet, unet};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::random;

const STYLE: Style = Style { ngf: 2, upsample: Upsample::Transposed, dropout: 0.5, skips: true };

fn close<const D: usize>(what: &str, got: Tensor<D>, want: Tensor<D>) {
    assert_eq!(got.dims(), want.dims(), "{what}");
    let off = (got - want.clone()).abs().max().into_scalar::<f32>();
    let size = want.abs().max().into_scalar::<f32>().max(1.0);
    assert!(off < 1e-4 * size, "{what}: off by {off} of {size}");
}

/// Instance norm written down: (x - mean) / sqrt(variance + epsilon) * gamma + beta.
fn by_definition(x: Tensor<4>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<4> {
    let shape = [1, gamma.dims()[0], 1, 1];
    let off = x.clone() - x.mean_dim(3).mean_dim(2);
    let variance = (off.clone() * off.clone()).mean_dim(3).mean_dim(2);
    off / (variance + 1e-5).sqrt() * gamma.reshape(shape) + beta.reshape(shape)
}

#[test]
fn an_instance_norm_and_its_gradients_are_those_of_the_definition() {
    let device = Device::flex().autodiff();
    for function in
        [None, Some(Function::Relu), Some(Function::LeakyRelu(0.2)), Some(Function::Tanh)]
    {
        let shape = [3, 7, 5, 4];
        let (x, by) = (random(shape, &device) * 2.0 + 1.0, random(shape, &device));
        let (gamma, beta) = (random([7], &device), random([7], &device));
        let run = |own: bool| {
            let x = x.clone().require_grad();
            let [gamma, beta] = [&gamma, &beta].map(|t| t.clone().detach().require_grad());
            let activation = |f: Function| Layer::Activation(Activation { function: f });
            let y = match own {
                true => {
                    let [gamma, beta] = [&gamma, &beta]
                        .map(|t| Some(Param::initialized(burn::module::ParamId::new(), t.clone())));
                    let norm = InstanceNorm { gamma, beta, channels: 7, epsilon: 1e-5 };
                    let mut layers = vec![Layer::InstanceNorm(norm)];
                    layers.extend(function.map(activation));
                    Sequential { layers }.forward(x.clone())
                }
                false => {
                    let y = by_definition(x.clone(), gamma.clone(), beta.clone());
                    Sequential { layers: function.map(activation).into_iter().collect() }.forward(y)
                }
            };
            let mut grads = (y.clone() * by.clone()).sum().backward();
            let dx = x.grad_remove(&mut grads).unwrap();
            let vectors = [gamma, beta].map(|t| t.grad_remove(&mut grads).unwrap());
            (y.inner(), dx, vectors)
        };
        let (got, want) = (run(true), run(false));
        close(&format!("{function:?}: y"), got.0, want.0);
        close(&format!("{function:?}: dx"), got.1, want.1);
        for (got, want) in got.2.into_iter().zip(want.2) {
            close(&format!("{function:?}: vectors"), got, want);
        }
    }
}

#[test]
fn a_concatenation_and_its_gradients_are_burns() {
    let device = Device::flex().autodiff();
    let (a, b) = (random([2, 3, 4, 5], &device), random([2, 2, 4, 5], &device));
    let by = random([2, 5, 4, 5], &device);
    let run = |join: &dyn Fn(Tensor<4>, Tensor<4>) -> Tensor<4>| {
        let (a, b) = (a.clone().require_grad(), b.clone().require_grad());
        let y = join(a.clone(), b.clone());
        let mut grads = (y.clone() * by.clone()).sum().backward();
        [y.inner(), a.grad_remove(&mut grads).unwrap(), b.grad_remove(&mut grads).unwrap()]
    };
    let want = run(&|a, b| Tensor::cat(vec![a, b], 1));
    for (got, want) in run(&concat).into_iter().zip(want) {
        close("concatenation", got, want);
    }
}

#[test]
fn joins_read_what_earlier_layers_made() {
    let device = Device::flex();
    let x = random([2, 3, 4, 4], &device);
    let relu = || Layer::activation(Function::Relu);
    let tanh = || Layer::activation(Function::Tanh);
    // tanh(x) is read twice, and relu(tanh(x)) once.
    let layers = vec![
        tanh(),
        relu(),
        Layer::Concat(Join { with: 0 }),
        tanh(),
        Layer::Concat(Join { with: 1 }),
        Layer::Add(Join { with: 4 }),
    ];
    let t = x.clone().tanh();
    let r = t.clone().clamp_min(0.0);
    let want = Tensor::cat(vec![r.clone().tanh(), t.tanh(), r], 1) * 2.0;
    close("joins", Sequential { layers }.forward(x), want);
}

#[test]
fn a_join_reads_a_layer_that_would_be_one_kernel_with_the_next() {
    let device = Device::flex();
    let mut init = models::init::Init::new(1, &device);
    let conv = Layer::conv(2, 2, [3, 1, 1], true, &mut init);
    let x = random([1, 2, 4, 4], &device);
    let linear = Sequential { layers: vec![conv.clone()] }.forward(x.clone());
    let layers = vec![conv, Layer::activation(Function::Relu), Layer::Add(Join { with: 0 })];
    let want = linear.clone().clamp_min(0.0) + linear;
    close("between", Sequential { layers }.forward(x), want);
}

#[test]
fn borders_are_reflected() {
    let device = Device::flex();
    let x =
        Tensor::<4>::from_floats([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]], &device);
    let y = Sequential { layers: vec![Layer::reflect_pad(2)] }.forward(x);
    let row: Vec<f32> = y.clone().narrow(2, 0, 1).into_data().try_to_vec().unwrap();
    let middle: Vec<f32> = y.narrow(2, 3, 1).into_data().try_to_vec().unwrap();
    assert_eq!(row, [9.0, 8.0, 7.0, 8.0, 9.0, 8.0, 7.0]);
    assert_eq!(middle, [6.0, 5.0, 4.0, 5.0, 6.0, 5.0, 4.0]);
}

#[test]
fn gradients_of_reflected_borders_are_those_of_burns_selection() {
    let device = Device::flex().autodiff();
    for [n, c, h, w, padding] in [[2, 3, 5, 4, 1], [1, 4, 6, 9, 3], [3, 1, 4, 4, 3]] {
        let x = random([n, c, h, w], &device);
        let selected = |x: Tensor<4>| {
            let at = |size: usize| {
                let last = size as i64 - 1;
                let at = -(padding as i64)..=last + padding as i64;
                let at: Vec<i64> = at.map(|i| last - (last - i.abs()).abs()).collect();
                Tensor::<1, Int>::from_data(TensorData::new(at.clone(), [at.len()]), &device)
            };
            x.select(2, at(h)).select(3, at(w))
        };
        let padded = |x| Sequential { layers: vec![Layer::reflect_pad(padding)] }.forward(x);
        let by = random([n, c, h + 2 * padding, w + 2 * padding], &device);
        let [own, burns] = [&padded as &dyn Fn(Tensor<4>) -> Tensor<4>, &selected].map(|f| {
            let x = x.clone().require_grad();
            let y = f(x.clone());
            let mut grads = (y.clone() * by.clone()).sum().backward();
            [y.inner(), x.grad_remove(&mut grads).unwrap()]
        });
        let what = format!("{h} x {w}, {padding}");
        for (own, burns) in own.into_iter().zip(burns) {
            close(&what, own, burns);
        }
    }
}

#[test]
fn shapes() {
    let device = Device::flex();
    for (size, patches) in SIZES.into_iter().zip([14, 14, 14, 30]) {
        for (from, channels) in [(1, 3), (3, 1)] {
            let shape = Shape { size, channels };
            let x = random([2, from, size, size], &device);
            for upsample in [Upsample::Transposed, Upsample::Resize] {
                let style = Style { upsample, ..STYLE };
                let g = unet(&shape, from, &style, 0, &device).unwrap();
                let y = g.forward(x.clone());
                assert_eq!(y.dims(), [2, channels, size, size]);
                assert_eq!(g.maps([from, size]).last(), Some(&[channels, size]));
                let d = patch_discriminator(&shape, from, 2, true, 0, &device).unwrap();
                let logits = d.forward(concat(x.clone(), y));
                assert_eq!(logits.dims(), [2, 1, patches, patches]);
            }
        }
    }
    let shape = Shape { size: 32, channels: 3 };
    let g = resnet(&shape, 1, &STYLE, 2, 0, &device).unwrap();
    assert_eq!(g.forward(random([2, 1, 32, 32], &device)).dims(), [2, 3, 32, 32]);
    assert_eq!(g.maps([1, 32]).last(), Some(&[3, 32]));
}

#[test]
fn the_papers_parameter_counts() {
    let device = Device::flex();
    let shape = Shape { size: 256, channels: 3 };
    let style = Style { ngf: 64, ..STYLE };
    // As the authors' PyTorch code prints them (54.414 M and 2.769 M); biases of the first and the
    // innermost layer, which it leaves out with batch norm, are the paper's.
    let g = unet(&shape, 3, &style, 0, &device).unwrap();
    assert_eq!(g.num_params(), 54_413_955 + 64 + 512);
    // Without skips a layer of the decoder reads its own channels only.
    let plain = unet(&shape, 3, &Style { skips: false, ..style }, 0, &device).unwrap();
    let halves = 3 * 512 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3;
    assert_eq!(plain.num_params(), g.num_params() - 16 * halves);
    let x = random([1, 3, 256, 256], &device);
    assert_eq!(plain.forward(x).dims(), [1, 3, 256, 256]);
    let d = patch_discriminator(&shape, 3, 64, true, 0, &device).unwrap();
    assert_eq!(d.num_params(), 2_768_705);
}

#[test]
fn a_patch_has_as_many_pixels_as_the_paper_says() {
    let device = Device::flex().autodiff();
    for (size, want) in SIZES.into_iter().zip([16, 34, 70, 70]) {
        let shape = Shape { size, channels: 1 };
        // Norms would let every pixel reach every logit.
        let d = patch_discriminator(&shape, 1, 1, false, 3, &device).unwrap();
        let x = random([1, 2, size, size], &device).require_grad();
        let y = d.forward(x.clone());
        let middle = y.dims()[2] / 2;
        let one = y.narrow(2, middle, 1).narrow(3, middle, 1);
        let gradient = x.grad(&one.sum().backward()).unwrap();
        let rows: Vec<f32> = gradient.abs().sum_dim(1).sum_dim(3).into_data().try_to_vec().unwrap();
        let reached = rows.iter().filter(|&&v| v > 0.0).count();
        let inside = want.min(size);
        assert!(reached <= inside && reached + 4 >= inside, "{size}: {reached} rows of {inside}");
    }
}

#[test]
fn dropout_is_in_the_first_layers_of_the_decoder_and_off_at_inference() {
    let device = Device::flex();
    for (size, want) in SIZES.into_iter().zip([1, 1, 2, 3]) {
        let shape = Shape { size, channels: 3 };
        let count = |style: &Style| {
            let g = unet(&shape, 3, style, 0, &device).unwrap();
            g.layers.iter().filter(|l| matches!(l, Layer::Dropout(_))).count()
        };
        assert_eq!(count(&STYLE), want, "{size}");
        assert_eq!(count(&Style { dropout: 0.0, ..STYLE }), 0);
    }
    let shape = Shape { size: 32, channels: 3 };
    let g = unet(&shape, 3, &STYLE, 0, &device).unwrap();
    let x = random([1, 3, 32, 32], &device);
    let with = |seed| g.forward_with(x.clone(), &mut StdRng::seed_from_u64(seed));
    let off = |a: Tensor<4>, b: Tensor<4>| (a - b).abs().max().into_scalar::<f32>();
    assert_eq!(off(with(1), with(1)), 0.0);
    assert!(off(with(1), with(2)) > 0.0);
    assert_eq!(off(g.forward(x.clone()), g.forward(x.clone())), 0.0);
}

#[test]
fn gradients_are_finite_differences() {
    let device = Device::flex().autodiff();
    let shape = Shape { size: 32, channels: 1 };
    let style = Style { ngf: 4, ..STYLE };
    let nets = [
        unet(&shape, 1, &style, 3, &device).unwrap(),
        resnet(&shape, 1, &style, 2, 3, &device).unwrap(),
    ];
    for (i, net) in nets.into_iter().enumerate() {
        let by = random([2, 1, 32, 32], &device).flip([0, 2]);
        let loss = |x: Tensor<4>| (net.forward(x) * by.clone()).sum();
        let x = random([2, 1, 32, 32], &device).require_grad();
        let mut grads = loss(x.clone()).backward();
        let gradient = x.grad_remove(&mut grads).unwrap();
        let size = gradient.clone().powf_scalar(2.0).sum().sqrt().into_scalar::<f32>();
        // Along the gradient itself, where the difference is largest.
        let along = gradient.clone() / size;
        // Far enough for 24 bits, near enough for the kinks of rectifiers.
        let step = 1e-2;
        let at = |s: f32| {
            let moved = x.clone().inner() + along.clone() * s;
            loss(Tensor::from_inner(moved)).into_scalar::<f32>()
        };
        let got = (at(step) - at(-step)) / (2.0 * step);
        assert!((got - size).abs() < 0.05 * size, "network {i}: {got} by differences, {size}");
    }
}

#[test]
fn refusals() {
    let device = Device::flex();
    let shape = |size, channels| Shape { size, channels };
    let error = |s: Shape, from| unet(&s, from, &STYLE, 0, &device).unwrap_err();
    assert_eq!(error(shape(16, 3), 3), Unsupported::TranslatorSize(16));
    assert_eq!(error(shape(64, 2), 3), Unsupported::Channels(2));
    assert_eq!(error(shape(64, 3), 4), Unsupported::Channels(4));
    let none = Style { ngf: 0, ..STYLE };
    assert_eq!(unet(&shape(64, 3), 3, &none, 0, &device).unwrap_err(), Unsupported::Width("ngf"));
    let blocks = resnet(&shape(64, 3), 3, &STYLE, 0, 0, &device).unwrap_err();
    assert_eq!(blocks, Unsupported::Width("blocks"));
}
