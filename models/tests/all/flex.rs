//! The kernels on a CPU against burn's, values and gradients, and against finite differences.

use std::slice;

use burn::module::Param;
use burn::nn::BatchNormConfig;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Int, Tensor, TensorData, activation, module};
use models::layer::{Activation, Function};
use models::{Layer, Sequential, conv, kernels};

use crate::random;

/// `[n, c, o, h, w, kernel, stride, padding]` of the convolution.
const WINDOWS: [[usize; 8]; 21] = [
    // DCGAN's: first and last layer, every layer between, one and three channels.
    [5, 12, 1, 4, 4, 4, 1, 0],
    [3, 40, 100, 4, 4, 4, 1, 0],
    [3, 3, 8, 16, 16, 4, 2, 1],
    [2, 1, 16, 32, 32, 4, 2, 1],
    [3, 8, 16, 8, 8, 4, 2, 1],
    [7, 16, 24, 4, 4, 4, 2, 1],
    [1, 32, 64, 16, 16, 4, 2, 1],
    [2, 100, 36, 8, 8, 4, 2, 1],
    [130, 8, 8, 8, 8, 4, 2, 1],
    [2, 12, 20, 8, 12, 4, 2, 1],
    // Others: not a multiple of a tile, odd, other kernels.
    [2, 8, 8, 6, 10, 4, 2, 1],
    [2, 5, 7, 9, 9, 3, 1, 1],
    [2, 16, 8, 16, 16, 3, 1, 1],
    [1, 4, 6, 11, 7, 5, 2, 2],
    [1, 2, 3, 5, 5, 1, 1, 0],
    // Stride 1: few channels, few features, many of both, wide borders.
    [2, 3, 16, 13, 11, 7, 1, 0],
    [1, 16, 3, 20, 18, 7, 1, 0],
    [3, 40, 44, 9, 7, 3, 1, 0],
    [2, 64, 1, 8, 8, 4, 1, 1],
    [5, 17, 9, 6, 7, 3, 1, 2],
    [2, 1, 33, 40, 30, 5, 1, 4],
];

fn close<const D: usize>(what: &str, got: Tensor<D>, want: Tensor<D>) {
    assert_eq!(got.dims(), want.dims(), "{what}");
    let scale = want.clone().abs().mean().into_scalar::<f32>().max(1e-3);
    let off = (got - want).abs().max().into_scalar::<f32>() / scale;
    assert!(off < 5e-5, "{what}: off by {off} of the mean size");
}

/// The value of `f(x, weight)` and its gradients, with the weights `by`, or random ones, for the
/// outputs.
fn all(
    f: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
    x: &Tensor<4>,
    weight: &Tensor<4>,
    by: Option<Tensor<4>>,
) -> [Tensor<4>; 4] {
    let (x, weight) = (x.clone().require_grad(), weight.clone().require_grad());
    let y = f(x.clone(), weight.clone());
    let by = by.unwrap_or_else(|| random(y.dims(), &y.device()));
    let mut grads = (y.clone() * by.clone()).sum().backward();
    let dx = x.grad_remove(&mut grads).unwrap();
    let dw = weight.grad_remove(&mut grads).unwrap();
    [y.inner(), dx, dw, by]
}

#[test]
fn convolutions_are_burns() {
    let device = Device::flex().autodiff();
    for [n, c, o, h, w, kernel, stride, padding] in WINDOWS {
        let name = format!("{n}x{c}x{h}x{w} to {o}, kernel {kernel} stride {stride}");
        let x = random([n, c, h, w], &device);
        let weight = random([o, c, kernel, kernel], &device);
        let own = all(|x, w| conv::conv2d(x, w, None, stride, padding), &x, &weight, None);
        let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
        let [y, dx, dw, by] = own;
        let theirs = all(|x, w| module::conv2d(x, w, None, options.clone()), &x, &weight, Some(by));
        for (what, got, want) in
            [("y", y, &theirs[0]), ("dx", dx, &theirs[1]), ("dw", dw, &theirs[2])]
        {
            close(&format!("{name}: {what}"), got, want.clone());
        }
    }
}

/// The value of `f` and its gradient by each of `inputs`.
fn value_and_gradients(
    f: impl Fn(&[Tensor<4>]) -> Tensor<1>,
    inputs: &[Tensor<4>],
) -> (f32, Vec<Tensor<4>>) {
    let inputs: Vec<_> = inputs.iter().map(|x| x.clone().require_grad()).collect();
    // A gradient other than 1 by the result.
    let y = f(&inputs) * 0.7;
    let mut grads = y.backward();
    let each = inputs.iter().map(|x| x.grad_remove(&mut grads).unwrap()).collect();
    (y.into_scalar(), each)
}

#[test]
fn losses_of_pixels_are_burns() {
    let device = Device::flex().autodiff();
    for shape in [[3, 3, 5, 4], [1, 1, 2, 2], [2, 40, 1, 1]] {
        let x = random(shape, &device) * 8.0;
        let y = random([shape[1], shape[0], shape[2], shape[3]], &device).swap_dims(0, 1);
        let absolute = |x: &[Tensor<4>]| (x[0].clone() - x[1].clone()).abs().mean();
        let squared = |x: &[Tensor<4>]| (x[0].clone() - x[1].clone()).powi_scalar(2).mean();
        let target = activation::sigmoid(y.clone());
        let entropy = |x: &[Tensor<4>]| {
            let softplus = activation::log_sigmoid(x[0].clone().neg()).neg();
            (softplus - x[0].clone() * target.clone()).sum()
        };
        let own = |kind| move |x: &[Tensor<4>]| kernels::error(x[0].clone(), x[1].clone(), kind);
        let own_entropy = |x: &[Tensor<4>]| kernels::cross_entropy(x[0].clone(), target.clone());
        let both = [x.clone(), y];
        let cases = [
            (
                value_and_gradients(own(kernels::Error::Absolute), &both),
                value_and_gradients(absolute, &both),
            ),
            (
                value_and_gradients(own(kernels::Error::Squared), &both),
                value_and_gradients(squared, &both),
            ),
            (
                value_and_gradients(own_entropy, &both[..1]),
                value_and_gradients(entropy, &both[..1]),
            ),
        ];
        for ((got, grads), (want, by)) in cases {
            assert!((got - want).abs() < 1e-5 * want.abs().max(1.0), "{shape:?}: {got} {want}");
            for (got, want) in grads.into_iter().zip(by) {
                close(&format!("{shape:?}"), got, want);
            }
        }
    }
    // Equal values have a gradient of 0, and logits far out none that is not finite.
    let x = Tensor::<4>::from_floats([[[[1e4, -1e4]]]], &device);
    let same =
        |x: &[Tensor<4>]| kernels::error(x[0].clone(), x[1].clone(), kernels::Error::Absolute);
    let (value, grads) =
        value_and_gradients(same, &[x.clone(), Tensor::from_inner(x.clone().inner())]);
    let off: f32 = grads[0].clone().abs().max().into_scalar();
    assert_eq!((value, off), (0.0, 0.0));
    let entropy = |x: &[Tensor<4>]| kernels::cross_entropy(x[0].clone(), x[0].ones_like());
    let (value, grads) = value_and_gradients(entropy, &[x]);
    assert!((value - 0.7e4).abs() < 1.0, "{value}");
    let grads: Vec<f32> = grads[0].clone().into_data().try_to_vec().unwrap();
    assert_eq!(grads, [0.0, -0.7]);
}

#[test]
fn a_mask_scales_values_and_gradients() {
    let device = Device::flex().autodiff();
    let (x, mask) = (random([3, 4, 5, 2], &device), random([4, 3, 5, 2], &device).swap_dims(0, 1));
    let own = |x: &[Tensor<4>]| kernels::masked(x[0].clone(), mask.clone()).powi_scalar(2).sum();
    let burns = |x: &[Tensor<4>]| (x[0].clone() * mask.clone()).powi_scalar(2).sum();
    let (got, grads) = value_and_gradients(own, slice::from_ref(&x));
    let (want, of_burn) = value_and_gradients(burns, &[x]);
    assert!((got - want).abs() < 1e-4 * want, "{got} {want}");
    close("gradient", grads[0].clone(), of_burn[0].clone());
}

#[test]
fn a_weight_used_twice_has_the_sum_of_both_gradients() {
    let device = Device::flex().autodiff();
    let (x, weight) = (random([2, 3, 6, 6], &device), random([5, 3, 3, 3], &device));
    let loss = |[a, b]: [Tensor<4>; 2]| {
        let one = conv::conv2d(x.clone(), a, None, 1, 1).powi_scalar(2).sum();
        // The second use has an operation of burn before it, and a part of its own.
        one + (b.clone() * 3.0).sum() + conv::conv2d(x.clone() * 2.0, b, None, 1, 1).sum()
    };
    let twice = |w: &[Tensor<4>]| loss(kernels::twice(w[0].clone()));
    let (got, grads) = value_and_gradients(twice, slice::from_ref(&weight));
    let burns = |w: &[Tensor<4>]| loss([w[0].clone(), w[0].clone()]);
    let (want, of_burn) = value_and_gradients(burns, slice::from_ref(&weight));
    assert_eq!(got, want);
    close("gradient", grads[0].clone(), of_burn[0].clone());
    // Also of a weight that was computed.
    let scaled = |w: &[Tensor<4>]| loss(kernels::twice(w[0].clone() * 0.5));
    let (_, grads) = value_and_gradients(scaled, slice::from_ref(&weight));
    let burns = |w: &[Tensor<4>]| loss([w[0].clone() * 0.5, w[0].clone() * 0.5]);
    let (_, of_burn) = value_and_gradients(burns, &[weight]);
    close("computed", grads[0].clone(), of_burn[0].clone());
}

#[test]
fn moved_pixels_are_those_named_and_return_their_gradients() {
    let device = Device::flex().autodiff();
    let [n, c, h, w] = [2, 3, 2, 3];
    let from: Vec<i32> = vec![5, 4, 3, -1, 0, 0, -1, 2, 1, 2, 2, 2];
    let x = random([n, c, h, w], &device);
    let burns = |x: Tensor<4>| {
        let at = from.chunks(h * w).flat_map(|from| vec![from; c].concat());
        let at: Vec<i32> = at.map(|from| from.max(0)).collect();
        let at = Tensor::<3, Int>::from_data(TensorData::new(at, [n, c, h * w]), &device);
        let keep = from.iter().map(|&from| if from < 0 { 0.0 } else { 1.0 }).collect();
        let keep = TensorData::new::<f32, _>(keep, [n, 1, h, w]);
        let moved = x.reshape([n, c, h * w]).gather(2, at).reshape([n, c, h, w]);
        moved * Tensor::from_data(keep, &device)
    };
    let by = random([n, c, h, w], &device);
    let sum = |y: Tensor<4>| (y * by.clone()).sum();
    let own = |x: &[Tensor<4>]| sum(kernels::move_pixels(x[0].clone(), from.clone().into()));
    let (got, grads) = value_and_gradients(own, slice::from_ref(&x));
    let (want, of_burn) = value_and_gradients(|x| sum(burns(x[0].clone())), &[x]);
    assert!((got - want).abs() < 1e-5);
    close("gradient", grads[0].clone(), of_burn[0].clone());
}

#[test]
fn transposed_convolutions_are_burns() {
    let device = Device::flex().autodiff();
    for [n, c, o, h, w, kernel, stride, padding] in WINDOWS {
        let side = |size: usize| (size + 2 * padding - kernel) / stride + 1;
        let name = format!("{n}x{o} to {c}x{h}x{w}, kernel {kernel} stride {stride}");
        let x = random([n, o, side(h), side(w)], &device);
        let weight = random([o, c, kernel, kernel], &device);
        let f = |x, w| conv::conv_transpose2d(x, w, None, stride, padding);
        let [y, dx, dw, by] = all(f, &x, &weight, None);
        let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1);
        let theirs = all(
            |x, w| module::conv_transpose2d(x, w, None, options.clone()),
            &x,
            &weight,
            Some(by),
        );
        for (what, got, want) in
            [("y", y, &theirs[0]), ("dx", dx, &theirs[1]), ("dw", dw, &theirs[2])]
        {
            close(&format!("{name}: {what}"), got, want.clone());
        }
    }
}

#[test]
fn a_bias_is_burns() {
    let device = Device::flex().autodiff();
    let x = random([5, 6, 8, 8], &device);
    let weight = random([16, 6, 4, 4], &device);
    let by = random([5, 16, 4, 4], &device);
    let options = ConvOptions::new([2; 2], [1; 2], [1, 1], 1);
    let own = |x, w, b| conv::conv2d(x, w, Some(b), 2, 1);
    let theirs = |x, w, b| module::conv2d(x, w, Some(b), options.clone());
    let run = |f: &dyn Fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>| {
        let x = x.clone().require_grad();
        let bias = random([16], &device).require_grad();
        let y = f(x.clone(), weight.clone(), bias.clone());
        let mut grads = (y.clone() * by.clone()).sum().backward();
        let dx = x.grad_remove(&mut grads).unwrap();
        (y.inner(), dx, bias.grad_remove(&mut grads).unwrap())
    };
    let (got, want) = (run(&own), run(&theirs));
    close("y", got.0, want.0);
    close("dx", got.1, want.1);
    close("dbias", got.2, want.2);
}

/// Batch norm and activation in one kernel against burn's two.
#[test]
fn batch_norm_and_activation_are_burns() {
    let device = Device::flex().autodiff();
    for (shape, function) in [
        ([4, 7, 5, 3], Function::Relu),
        ([3, 32, 8, 8], Function::LeakyRelu(0.2)),
        ([2, 16, 4, 4], Function::Tanh),
        ([2, 16, 4, 4], Function::Sigmoid),
    ] {
        let name = format!("{shape:?} {function:?}");
        let make = || {
            let mut norm = BatchNormConfig::new(shape[1]).init(&device);
            let ramp = Tensor::<1, burn::tensor::Int>::arange(0..shape[1] as i64, &device).float();
            norm.gamma = Param::from_tensor(ramp.clone() * 0.1 - 0.3);
            norm.beta = Param::from_tensor(ramp * -0.05 + 0.2);
            norm
        };
        let theirs = make();
        let list = Sequential {
            layers: vec![Layer::BatchNorm(make()), Layer::Activation(Activation { function })],
        };
        let Layer::BatchNorm(own) = &list.layers[0] else { unreachable!() };
        let activate = |x| match function {
            Function::Relu => activation::relu(x),
            Function::LeakyRelu(slope) => activation::leaky_relu(x, slope as f64),
            Function::Tanh => activation::tanh(x),
            Function::Sigmoid => activation::sigmoid(x),
        };
        let x = random(shape, &device) * 3.0 + 1.0;
        let by = random(shape, &device);
        let mut results = Vec::new();
        for (norm, forward) in [
            (own, &(|x| list.forward(x)) as &dyn Fn(Tensor<4>) -> Tensor<4>),
            (&theirs, &|x| activate(theirs.forward(x))),
        ] {
            let x = x.clone().require_grad();
            let y = forward(x.clone());
            let mut grads = (y.clone() * by.clone()).sum().backward();
            let [gamma, beta] = [&norm.gamma, &norm.beta];
            let vectors = [
                gamma.val().grad_remove(&mut grads).unwrap(),
                beta.val().grad_remove(&mut grads).unwrap(),
                norm.running_mean.value_sync().inner(),
                norm.running_var.value_sync().inner(),
            ];
            results.push((y.inner(), x.grad_remove(&mut grads).unwrap(), vectors));
        }
        let (y, dx, vectors) = results.remove(0);
        let want = results.remove(0);
        close(&format!("{name}: y"), y, want.0);
        close(&format!("{name}: dx"), dx, want.1);
        let names = ["dgamma", "dbeta", "running mean", "running variance"];
        for ((what, got), want) in names.iter().zip(vectors).zip(want.2) {
            close(&format!("{name}: {what}"), got, want);
        }
        // And in inference.
        let x = x.inner();
        use burn::module::Module;
        let (list, theirs) = (list.valid(), theirs.valid());
        close(&format!("{name}: inference"), list.forward(x.clone()), activate(theirs.forward(x)));
    }
}

/// Gradients of a whole small generator against central differences of its own output, which rely
/// on no other implementation.
#[test]
fn gradients_are_finite_differences() {
    use models::dcgan::{self, Shape};
    let device = Device::flex().autodiff();
    let shape = Shape { size: 16, channels: 1 };
    let g = dcgan::generator(&shape, 6, 8, 3, &device).unwrap();
    let by = random([4, 1, 16, 16], &device);
    let loss = |z: Tensor<4>| (g.forward(z) * by.clone()).sum();
    let z = random([4, 6, 1, 1], &device).require_grad();
    let mut grads = loss(z.clone()).backward();
    let gradient = z.grad_remove(&mut grads).unwrap();
    for trial in 0..4 {
        let along = random([4 + trial, 6, 1, 1], &device).inner().narrow(0, trial, 4);
        let want = (gradient.clone() * along.clone()).sum().into_scalar::<f32>();
        // Far enough for 24 bits, near enough for the kinks of a rectifier.
        let step = 1e-3;
        let at = |s: f32| {
            let moved = z.clone().inner() + along.clone() * s;
            loss(Tensor::from_inner(moved)).into_scalar::<f32>()
        };
        let got = (at(step) - at(-step)) / (2.0 * step);
        let size = gradient.clone().powf_scalar(2.0).sum().sqrt().into_scalar::<f32>();
        assert!(
            (got - want).abs() < 0.02 * size.max(1.0),
            "{trial}: {got} by differences, {want} by the gradient of size {size}"
        );
    }
}

/// The same bits for any number of threads.
#[test]
fn threads_do_not_matter() {
    let device = Device::flex().autodiff();
    let inputs: Vec<_> = WINDOWS
        .iter()
        .map(|&[n, c, o, h, w, kernel, stride, padding]| {
            let side = |size: usize| (size + 2 * padding - kernel) / stride + 1;
            let weight = random([o, c, kernel, kernel], &device);
            let by = random([n, o, side(h), side(w)], &device);
            (random([n, c, h, w], &device), weight, by, stride, padding)
        })
        .collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let mut bits: Vec<Vec<f32>> = Vec::new();
            for (x, weight, by, stride, padding) in &inputs {
                let f = |x, w| conv::conv2d(x, w, None, *stride, *padding);
                for tensor in all(f, x, weight, Some(by.clone())) {
                    bits.push(tensor.into_data().try_to_vec().unwrap());
                }
            }
            bits
        })
    };
    let one = run(1);
    assert!(one == run(2), "two threads");
    assert!(one == run(3), "three threads");
}
