use burn::tensor::{Device, Tensor};
use models::conditional::*;
use models::dcgan::{self, Shape};
use models::layer::Layer;
use models::mlp;

#[test]
fn each_form_reaches_its_discriminator() {
    let device = Device::flex();
    let shape = Shape { size: 16, channels: 3 };
    let x = Tensor::ones([2, 3, 16, 16], &device);
    let classes = one_hot(&[4, 0], 5, &device);
    let conv = dcgan::encoder(&shape, [5, 1], 2, false, 0, &device).unwrap();
    let dense = mlp::conditional_discriminator(&shape, 5, 2, 0.0, 0, &device).unwrap();
    let logits =
        [conv.forward(planes(x.clone(), classes.clone())), dense.forward(values(x, classes))];
    for logits in logits {
        assert_eq!(logits.dims(), [2, 1, 1, 1]);
        let values: Vec<f32> = logits.into_data().try_to_vec().unwrap();
        assert_ne!(values[0], values[1], "the same image of another class");
    }
}

#[test]
fn a_class_weighs_as_much_as_the_rest() {
    let device = Device::flex();
    let shape = Shape { size: 16, channels: 1 };
    let g = mlp::generator(&shape, 64 + 10, 32, 0, &device).unwrap();
    let Layer::ConvTranspose(first) = &scale_label_weights(g, 10).layers[0] else {
        panic!("no layer")
    };
    let weight = first.weight.val();
    let size = |from: usize, count: usize| {
        let part = weight.clone().narrow(0, from, count);
        (part.clone() * part).mean().into_scalar::<f32>().sqrt()
    };
    let ratio = size(64, 10) / size(0, 64);
    assert!((ratio - 8.0).abs() < 1.0, "{ratio}");
}

#[test]
fn classes_stand_behind_latents() {
    let device = Device::flex();
    let z = latents(Tensor::full([2, 3, 1, 1], 7.0, &device), one_hot(&[1, 0], 2, &device));
    let values: Vec<f32> = z.into_data().try_to_vec().unwrap();
    assert_eq!(values, [7.0, 7.0, 7.0, 0.0, 1.0, 7.0, 7.0, 7.0, 1.0, 0.0]);
}
