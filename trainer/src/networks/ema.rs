//! The exponential moving average of the generator: what is sampled and exported.

use burn::module::{Param, RunningState};
use burn::tensor::Tensor;
use models::{Layer, Sequential};

use super::adam;

/// Decay of the average over `batch` images, with the weight halved after `half_life` images
/// (Karras et al. 2020, code: `0.5^(batch / half_life)`). Early on the half-life is at most a
/// twentieth of the images `seen`, so that the average forgets the initial weights.
pub fn decay(batch: usize, half_life: u64, seen: u64) -> f64 {
    let half_life = (half_life as f64).min(seen as f64 / 20.0);
    match half_life > 0.0 {
        true => 0.5f64.powf(batch as f64 / half_life),
        false => 0.0,
    }
}

/// `average = decay * average + (1 - decay) * net`, parameter by parameter. Batch norm's running
/// statistics are copied: their average would belong to other weights. They are recomputed before
/// use.
pub fn update(average: Sequential, net: &Sequential, decay: f64) -> Sequential {
    let layers =
        average.layers.into_iter().zip(&net.layers).map(|(a, n)| layer(a, n, decay)).collect();
    Sequential { layers }
}

fn layer(average: Layer, net: &Layer, decay: f64) -> Layer {
    match (average, net) {
        (Layer::Conv(mut a), Layer::Conv(n)) => {
            a.weight = mix(a.weight, &n.weight, decay);
            a.bias = a.bias.zip(n.bias.as_ref()).map(|(a, n)| mix(a, n, decay));
            Layer::Conv(a)
        }
        (Layer::ConvTranspose(mut a), Layer::ConvTranspose(n)) => {
            a.weight = mix(a.weight, &n.weight, decay);
            a.bias = a.bias.zip(n.bias.as_ref()).map(|(a, n)| mix(a, n, decay));
            Layer::ConvTranspose(a)
        }
        (Layer::ResizeConv(mut a), Layer::ResizeConv(n)) => {
            a.weight = mix(a.weight, &n.weight, decay);
            a.bias = a.bias.zip(n.bias.as_ref()).map(|(a, n)| mix(a, n, decay));
            Layer::ResizeConv(a)
        }
        (Layer::BatchNorm(mut a), Layer::BatchNorm(n)) => {
            a.gamma = mix(a.gamma, &n.gamma, decay);
            a.beta = mix(a.beta, &n.beta, decay);
            // Replaced rather than updated, which would cost a launch.
            a.running_mean = RunningState::new(n.running_mean.value_sync().inner());
            a.running_var = RunningState::new(n.running_var.value_sync().inner());
            Layer::BatchNorm(a)
        }
        (Layer::InstanceNorm(mut a), Layer::InstanceNorm(n)) => {
            a.gamma = a.gamma.zip(n.gamma.as_ref()).map(|(a, n)| mix(a, n, decay));
            a.beta = a.beta.zip(n.beta.as_ref()).map(|(a, n)| mix(a, n, decay));
            Layer::InstanceNorm(a)
        }
        (Layer::Activation(a), Layer::Activation(_)) => Layer::Activation(a),
        (Layer::Dropout(a), Layer::Dropout(_)) => Layer::Dropout(a),
        (Layer::ReflectPad(a), Layer::ReflectPad(_)) => Layer::ReflectPad(a),
        (Layer::Add(a), Layer::Add(_)) => Layer::Add(a),
        (Layer::Concat(a), Layer::Concat(_)) => Layer::Concat(a),
        (average, net) => unreachable!("an average of another network: {average:?}, {net:?}"),
    }
}

fn mix<const D: usize>(
    average: Param<Tensor<D>>,
    net: &Param<Tensor<D>>,
    decay: f64,
) -> Param<Tensor<D>> {
    let net = net.val().inner();
    average.map(|a| adam::mix(a, net, decay))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;
    use burn::tensor::Device;
    use models::dcgan::{self, Shape};

    #[test]
    fn half_life() {
        assert_eq!(decay(64, 64, 1_000_000), 0.5);
        assert!((decay(64, 128, 1_000_000).powi(2) - 0.5).abs() < 1e-12);
        // The ramp: at 2,000 images the half-life is 100.
        assert_eq!(decay(100, 10_000, 2_000), 0.5);
        assert_eq!(decay(100, 10_000, 0), 0.0);
    }

    #[test]
    fn averages_weights_and_copies_statistics() {
        let device = Device::flex().autodiff();
        let shape = Shape { size: 16, channels: 1 };
        let net = |seed| dcgan::generator(&shape, 2, 2, seed, &device).unwrap();
        let (a, b) = (net(1), net(2));
        b.forward(Tensor::ones([2, 2, 1, 1], &device));
        let weight = |n: &Sequential| match &n.layers[0] {
            Layer::ConvTranspose(l) => l.weight.val().inner(),
            other => panic!("{other:?}"),
        };
        let mean = |n: &Sequential| match &n.layers[1] {
            Layer::BatchNorm(l) => l.running_mean.value_sync().inner(),
            other => panic!("{other:?}"),
        };
        let want = weight(&a).mul_scalar(0.75) + weight(&b).mul_scalar(0.25);
        let got = update(a.valid(), &b, 0.75);
        let off: f32 = (weight(&got) - want).abs().max().into_scalar();
        assert!(off < 1e-7, "{off}");
        let off: f32 = (mean(&got) - mean(&b)).abs().max().into_scalar();
        assert_eq!(off, 0.0);
    }
}
