//! The input gradient of a discriminator against burn's, and the gradient of its penalty against
//! finite differences in 64 bits. The doubling convolution against its two steps.

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData, module};
use models::adjoint::with_weights;
use models::dcgan::{self, Output, Shape, Style, Upsample};
use models::{Layer, Sequential};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const SHAPE: Shape = Shape { size: 32, channels: 3 };

fn images(n: usize, device: &Device) -> Tensor<4> {
    let mut rng = StdRng::seed_from_u64(9);
    let values: Vec<f32> = (0..n * 3 * 32 * 32).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, [n, 3, 32, 32]), device)
}

fn weights(net: &Sequential) -> Vec<Tensor<4>> {
    let mut all = Vec::new();
    for layer in &net.layers {
        if let Layer::Conv(l) = layer {
            all.push(l.weight.val());
        }
    }
    all
}

#[test]
fn it_is_the_gradient() {
    let device = Device::flex().autodiff();
    let d = dcgan::discriminator(&SHAPE, 6, false, 3, &device).unwrap();
    let x = images(4, &device).require_grad();
    let trace = d.trace(x.clone());
    let got = d.input_gradient(&trace).unwrap();
    let mut grads = trace.last().unwrap().clone().sum().backward();
    let want = x.grad_remove(&mut grads).unwrap();
    let off: f32 = (got.inner() - want.clone()).abs().max().into_scalar();
    let size: f32 = want.abs().max().into_scalar();
    assert!(off < 1e-5 * size, "off by {off} of {size}");
}

/// The mean over images of the squared norm of the gradient: the scalar of R1 and R2.
fn penalty(d: &Sequential, x: Tensor<4>) -> Tensor<1> {
    let n = x.dims()[0] as f64;
    let gradient = d.input_gradient(&d.trace(x)).unwrap();
    gradient.powf_scalar(2.0).sum() / n
}

#[test]
fn its_penalty_has_the_gradient_of_finite_differences_in_f64() {
    let device = Device::flex().autodiff();
    let d = dcgan::discriminator(&SHAPE, 4, false, 5, &device).unwrap();
    let in_f64: Vec<Tensor<4>> =
        weights(&d).into_iter().map(|w| w.cast(DType::F64).detach().require_grad()).collect();
    let biases = |net: Sequential| {
        let mut net = net;
        for layer in &mut net.layers {
            if let Layer::Conv(l) = layer {
                let bias = l.bias.as_ref().unwrap().val().cast(DType::F64).detach();
                l.bias = Some(Param::from_tensor(bias));
            }
        }
        net
    };
    let x = images(3, &device).cast(DType::F64);
    let wide = biases(with_weights(&d, in_f64.clone()));
    let grads = penalty(&wide, x.clone()).backward();
    let mut rng = StdRng::seed_from_u64(1);
    for case in 0..20 {
        let which = rng.random_range(0..in_f64.len());
        let weight = &in_f64[which];
        let gradient: Vec<f64> = weight.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
        let at = rng.random_range(0..gradient.len());
        let values: Vec<f64> = weight.clone().into_data().try_to_vec().unwrap();
        let step = 1e-6;
        let moved = |by: f64| -> f64 {
            let mut values = values.clone();
            values[at] += by;
            let data = TensorData::new(values, weight.dims());
            let mut all = in_f64.clone();
            all[which] = Tensor::from_data(data, (&device, DType::F64));
            penalty(&biases(with_weights(&d, all)), x.clone()).into_scalar()
        };
        let want = (moved(step) - moved(-step)) / (2.0 * step);
        let off = (gradient[at] - want).abs();
        let size = want.abs().max(1e-6);
        // A rectifier may have its kink between the two points, which is rare and has little effect
        // at this step.
        assert!(off < 1e-4 * size, "case {case}: {} and {want}", gradient[at]);
    }
}

#[test]
fn layers_without_an_input_gradient_are_named() {
    let device = Device::flex();
    let d = dcgan::discriminator(&SHAPE, 2, true, 0, &device).unwrap();
    let error = d.check_input_gradient().unwrap_err().to_string();
    assert!(error.starts_with("layer 3 is a batch norm"), "{error}");
}

#[test]
fn a_doubling_convolution_is_its_two_steps() {
    let device = Device::flex().autodiff();
    let style = Style { upsample: Upsample::Resize, norm: false, output: Output::Linear };
    let g = dcgan::generator_as(style, &SHAPE, 5, 4, 2, &device).unwrap();
    let Layer::ResizeConv(layer) = &g.layers[2] else {
        panic!("{:?}", g.layers[2]);
    };
    let mut rng = StdRng::seed_from_u64(4);
    let from = layer.weight.dims()[1];
    let values: Vec<f32> = (0..2 * from * 25).map(|_| rng.random::<f32>() - 0.5).collect();
    let x = Tensor::<4>::from_data(TensorData::new(values, [2, from, 5, 5]), &device);
    let twice = |x: Tensor<4>, dim: usize| {
        let mut shape = x.dims();
        shape[dim] *= 2;
        let pair = Tensor::stack::<5>(vec![x.clone(), x], dim + 1);
        pair.reshape(shape)
    };
    let options = burn::tensor::ops::ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let weight = layer.weight.val();
    let bias = layer.bias.as_ref().map(Param::val);
    let doubled = twice(twice(x.clone(), 2), 3);
    let want = module::conv2d(doubled, weight.clone(), bias, options);
    let got = Sequential { layers: vec![g.layers[2].clone()] }.forward(x);
    let off: f32 = (got.clone() - want.clone()).abs().max().into_scalar();
    assert!(off < 1e-5, "{off}");
    let gradient = |y: Tensor<4>| {
        let grads = y.powf_scalar(2.0).sum().backward();
        weight.grad(&grads).unwrap()
    };
    let (got, want) = (gradient(got), gradient(want));
    let off: f32 = (got - want.clone()).abs().max().into_scalar();
    let size: f32 = want.abs().max().into_scalar();
    assert!(off < 1e-5 * size, "{off} of {size}");
}
