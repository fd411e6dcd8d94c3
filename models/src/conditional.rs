//! The inputs of a conditional network (Mirza and Osindero 2014, section 3.2), with the class
//! one-hot encoded.

use burn::tensor::{Device, Tensor, TensorData};

use crate::layer::{Layer, Sequential};

/// One-hot `classes`, as `[n, labels, 1, 1]`.
///
/// # Panics
/// If a class is not below `labels`.
pub fn one_hot(classes: &[usize], labels: usize, device: &Device) -> Tensor<4> {
    let mut values = vec![0.0f32; classes.len() * labels];
    for (row, &class) in values.chunks_exact_mut(labels.max(1)).zip(classes) {
        row[class] = 1.0;
    }
    Tensor::from_data(TensorData::new(values, [classes.len(), labels, 1, 1]), device)
}

/// Latents `[n, nz, 1, 1]` with classes `[n, labels, 1, 1]` appended: the input of a conditional
/// generator.
pub fn latents(z: Tensor<4>, classes: Tensor<4>) -> Tensor<4> {
    Tensor::cat(vec![z, classes], 1)
}

/// Images `[n, c, h, w]` with a plane per class appended, of ones for the image's class and of
/// zeros for the others: the input of a convolutional discriminator, `[n, c + labels, h, w]`.
pub fn planes(x: Tensor<4>, classes: Tensor<4>) -> Tensor<4> {
    let [n, _, h, w] = x.dims();
    let labels = classes.dims()[1];
    Tensor::cat(vec![x, classes.expand([n, labels, h, w])], 1)
}

/// Flattened images `[n, c, h, w]` with classes appended, `[n, c * h * w + labels, 1, 1]`: the
/// input of a dense discriminator.
pub fn values(x: Tensor<4>, classes: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    Tensor::cat(vec![x.reshape([n, c * h * w, 1, 1]), classes], 1)
}

/// Scales the weights of the last `labels` inputs of the first layer by the root of the number of
/// other inputs, so that the class carries as much of the layer's output as they do together.
/// Otherwise a single 1 is lost among them, and the class is not learned for long.
///
/// For a first layer that is dense: a generator's, or that of a dense discriminator. Other
/// networks, and those without labels, are returned unchanged.
pub fn scale_label_weights(mut net: Sequential, labels: usize) -> Sequential {
    let (weight, axis) = match net.layers.first_mut() {
        Some(Layer::ConvTranspose(l)) => (&mut l.weight, 0),
        Some(Layer::Conv(l)) => (&mut l.weight, 1),
        Some(
            Layer::ResizeConv(_)
            | Layer::BatchNorm(_)
            | Layer::InstanceNorm(_)
            | Layer::Activation(_)
            | Layer::ReflectPad(_)
            | Layer::Add(_)
            | Layer::Concat(_)
            | Layer::Dropout(_),
        )
        | None => return net,
    };
    let inputs = weight.dims()[axis];
    let others = inputs.saturating_sub(labels);
    if labels == 0 || others == 0 {
        return net;
    }
    let scale = (others as f32).sqrt();
    let factors: Vec<f32> = (0..inputs).map(|i| if i < others { 1.0 } else { scale }).collect();
    let mut shape = [1; 4];
    shape[axis] = inputs;
    *weight = weight.clone().map(|w| {
        let inner = w.clone().inner();
        let factors = Tensor::from_data(TensorData::new(factors, shape), &inner.device());
        let scaled = inner * factors;
        match w.device().is_autodiff() {
            true => Tensor::from_inner(scaled).set_require_grad(w.is_require_grad()),
            false => scaled,
        }
    });
    net
}
