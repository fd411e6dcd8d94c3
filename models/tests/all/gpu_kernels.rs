//! The kernels on a GPU against those on the CPU: values and gradients.

use std::sync::OnceLock;

use burn::module::Param;
use burn::nn::BatchNormConfig;
use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, DeviceKind, Tensor, TensorData};
use models::kernels;
use models::layer::{Activation, Function};
use models::{Layer, Sequential, conv};

use crate::random;

/// The GPU. None is a failure if POCKET_GAN_GPU is `required`; otherwise nothing is tested.
fn gpu() -> Option<Device> {
    static OPENED: OnceLock<Option<Device>> = OnceLock::new();
    let open = || {
        let kinds = [DeviceKind::DiscreteGpu(0), DeviceKind::IntegratedGpu(0), DeviceKind::Cpu];
        kinds.into_iter().find_map(|kind| {
            let options = Device::wgpu_options().device_kind(kind);
            options.graphics_api(WgpuBackend::Vulkan).init().ok()
        })
    };
    let device = OPENED.get_or_init(open).clone();
    if device.is_none() {
        let required = std::env::var("POCKET_GAN_GPU").is_ok_and(|v| v == "required");
        assert!(!required, "Vulkan finds no adapter, and one is required");
        eprintln!("no adapter: not tested");
    }
    device.map(Device::autodiff)
}

/// `[n, c, o, h, w, kernel, stride, padding]` of the convolution.
const WINDOWS: [[usize; 8]; 24] = [
    // DCGAN's: first and last layer, every layer between, one and three channels.
    [5, 12, 1, 4, 4, 4, 1, 0],
    [3, 40, 100, 4, 4, 4, 1, 0],
    [70, 64, 1, 4, 4, 4, 1, 0],
    [128, 512, 1, 4, 4, 4, 1, 0],
    [3, 3, 8, 16, 16, 4, 2, 1],
    [2, 3, 64, 64, 64, 4, 2, 1],
    [2, 1, 16, 32, 32, 4, 2, 1],
    [3, 8, 16, 8, 8, 4, 2, 1],
    [7, 16, 24, 4, 4, 4, 2, 1],
    [1, 32, 64, 16, 16, 4, 2, 1],
    [2, 100, 36, 8, 8, 4, 2, 1],
    [70, 8, 8, 8, 8, 4, 2, 1],
    [3, 64, 128, 16, 16, 4, 2, 1],
    [70, 64, 128, 8, 8, 4, 2, 1],
    [2, 128, 256, 8, 8, 4, 2, 1],
    [2, 12, 20, 8, 12, 4, 2, 1],
    // Others: not a multiple of a tile, odd, other kernels and strides.
    [2, 8, 8, 6, 10, 4, 2, 1],
    [2, 5, 7, 9, 9, 3, 1, 1],
    [2, 16, 8, 16, 16, 3, 1, 1],
    [1, 4, 6, 11, 7, 5, 2, 2],
    [1, 2, 3, 5, 5, 1, 1, 0],
    [2, 6, 5, 10, 10, 4, 3, 1],
    [2, 4, 4, 9, 9, 2, 3, 0],
    [130, 33, 47, 1, 1, 1, 1, 0],
];

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

fn close(what: &str, got: &[f32], want: &[f32], bound: f32) {
    assert_eq!(got.len(), want.len(), "{what}");
    let mean = want.iter().map(|v| v.abs()).sum::<f32>() / want.len() as f32;
    let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs());
    // `max` would ignore a NaN.
    let worst = worst.fold(0.0, |a: f32, b| if b <= a { a } else { b });
    let off = worst / mean.max(1e-3);
    assert!(off < bound, "{what}: off by {off} of the mean size");
}

/// The value of a function and its gradients by each input, with a random weight for every output.
fn all<const N: usize>(
    f: impl Fn([Tensor<4>; N]) -> Tensor<4>,
    shapes: [[usize; 4]; N],
    device: &Device,
) -> Vec<Vec<f32>> {
    let inputs = shapes.map(|shape| random(shape, device).require_grad());
    let y = f(inputs.clone());
    let by = random(y.dims(), device);
    let mut grads = (y.clone() * by).sum().backward();
    let mut all = vec![values(y)];
    all.extend(inputs.map(|x| values(x.grad_remove(&mut grads).unwrap())));
    all
}

fn same<const N: usize>(
    name: &str,
    f: impl Fn([Tensor<4>; N]) -> Tensor<4>,
    shapes: [[usize; 4]; N],
    bound: f32,
) {
    let Some(gpu) = gpu() else { return };
    let want = all(&f, shapes, &Device::flex().autodiff());
    let got = all(&f, shapes, &gpu);
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        close(&format!("{name}: {i}"), got, want, bound);
    }
}

#[test]
fn convolutions() {
    for [n, c, o, h, w, kernel, stride, padding] in WINDOWS {
        let name = format!("{n}x{c}x{h}x{w} to {o}, kernel {kernel} stride {stride}");
        let f = |[x, weight]: [Tensor<4>; 2]| conv::conv2d(x, weight, None, stride, padding);
        same(&name, f, [[n, c, h, w], [o, c, kernel, kernel]], 2e-4);
    }
}

#[test]
fn transposed_convolutions() {
    for [n, c, o, h, w, kernel, stride, padding] in WINDOWS {
        let side = |size: usize| (size + 2 * padding - kernel) / stride + 1;
        let name = format!("{n}x{o} to {c}x{h}x{w}, kernel {kernel} stride {stride}");
        let f =
            |[x, weight]: [Tensor<4>; 2]| conv::conv_transpose2d(x, weight, None, stride, padding);
        same(&name, f, [[n, o, side(h), side(w)], [o, c, kernel, kernel]], 2e-4);
    }
}

#[test]
fn biases_and_functions() {
    for shape in [[5, 6, 8, 8], [3, 32, 8, 8], [70, 1, 4, 4], [2, 200, 3, 5]] {
        let bias = |b: Tensor<4>| b.reshape([shape[1]]);
        for function in
            [Function::LeakyRelu(0.2), Function::Relu, Function::Tanh, Function::Sigmoid]
        {
            let name = format!("{shape:?} {function:?}");
            let f = |[x, b]: [Tensor<4>; 2]| kernels::bias_activation(x, bias(b), function);
            same(&name, f, [shape, [1, shape[1], 1, 1]], 1e-4);
            same(&name, |[x]| kernels::activation(x, function), [shape], 1e-4);
            let f = |[x, y]: [Tensor<4>; 2]| {
                kernels::activation_backward(y.detach(), x.clone(), function) + x
            };
            let f = |[x]: [Tensor<4>; 1]| f([x.clone(), x * 0.5]);
            same(&name, f, [shape], 1e-4);
        }
        let f = |[x, b]: [Tensor<4>; 2]| kernels::add_bias(x, bias(b));
        same("bias", f, [shape, [1, shape[1], 1, 1]], 1e-4);
    }
}

#[test]
fn a_doubling_as_a_transposed_convolution() {
    for [out, from, n, side] in [[3, 5, 2, 4], [16, 32, 3, 8], [64, 8, 1, 4]] {
        let f = |[x, weight]: [Tensor<4>; 2]| {
            conv::conv_transpose2d(x, kernels::resize_weight(weight), None, 2, 1)
        };
        same(&format!("{from} to {out}"), f, [[n, from, side, side], [out, from, 3, 3]], 2e-4);
    }
}

#[test]
fn batch_norm() {
    let Some(gpu) = gpu() else { return };
    let run = |device: &Device, shape: [usize; 4], function: Function| {
        let mut norm = BatchNormConfig::new(shape[1]).init(device);
        let ramp: Vec<f32> = (0..shape[1]).map(|i| i as f32 / shape[1] as f32).collect();
        let ramp = Tensor::<1>::from_data(TensorData::new(ramp, [shape[1]]), device);
        norm.gamma = Param::from_tensor(ramp.clone() * 0.8 - 0.3);
        norm.beta = Param::from_tensor(ramp * -0.5 + 0.2);
        let list = Sequential {
            layers: vec![Layer::BatchNorm(norm), Layer::Activation(Activation { function })],
        };
        let x = (random(shape, device) * 3.0 + 40.0).detach().require_grad();
        let by = random(shape, device);
        let y = list.forward(x.clone());
        let mut grads = (y.clone() * by).sum().backward();
        let Layer::BatchNorm(norm) = &list.layers[0] else { unreachable!() };
        [
            values(y),
            values(x.grad_remove(&mut grads).unwrap()),
            values(norm.gamma.val().grad_remove(&mut grads).unwrap()),
            values(norm.beta.val().grad_remove(&mut grads).unwrap()),
            values(norm.running_mean.value_sync()),
            values(norm.running_var.value_sync()),
        ]
    };
    for shape in [
        [4, 7, 5, 3],
        [3, 32, 8, 8],
        [1, 4, 1, 9],
        [70, 64, 4, 4],
        [2, 512, 4, 4],
        [33, 24, 32, 32],
    ] {
        for function in [Function::Relu, Function::LeakyRelu(0.2), Function::Tanh] {
            let want = run(&Device::flex().autodiff(), shape, function);
            let got = run(&gpu, shape, function);
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                close(&format!("{shape:?} {function:?}: {i}"), got, want, 2e-3);
            }
        }
    }
}

/// Tensors that do not lie channels last, and parts of others.
#[test]
fn any_strides() {
    let f = |[x, weight]: [Tensor<4>; 2]| {
        let x = x.permute([3, 0, 2, 1]).slice([1..4, 2..7, 0..8, 0..8]);
        conv::conv2d(x, weight.permute([1, 0, 3, 2]), None, 2, 1)
    };
    same("permuted", f, [[8, 8, 8, 5], [5, 9, 4, 4]], 2e-4);
}

/// The same bits, run after run.
#[test]
fn a_result_repeats() {
    let Some(gpu) = gpu() else { return };
    let run = || {
        let f = |[x, weight]: [Tensor<4>; 2]| conv::conv2d(x, weight, None, 2, 1);
        all(f, [[70, 64, 16, 16], [128, 64, 4, 4]], &gpu)
    };
    let first = run();
    for _ in 0..3 {
        assert!(first == run());
    }
}
