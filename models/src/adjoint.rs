//! The gradient of a discriminator by its input, written as a network of its own.
//!
//! burn differentiates once. A penalty on the input's gradient (R1, R2) needs the gradient of a gradient, but for a list
//! of convolutions and rectifiers the inner one is itself a list of linear layers: the same weights, transposed, and the
//! rectifiers' slopes, which are constant wherever they are defined. Written forwards, one pass back gives the exact
//! gradient of the penalty by the weights.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::conv;
use crate::kernels;
use crate::layer::{Activation, Layer, Sequential};

/// A layer that [`Sequential::input_gradient`] does not know how to turn round: its place in the list, what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLinear {
    /// Place in the list, from 0.
    pub layer: usize,
    /// Kind of the layer.
    pub kind: &'static str,
}

impl std::fmt::Display for NotLinear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "layer {} is a {}: a gradient penalty takes convolutions and rectifiers alone",
            self.layer, self.kind
        )
    }
}

impl std::error::Error for NotLinear {}

impl Sequential {
    /// Whether [`Sequential::input_gradient`] is defined.
    ///
    /// # Errors
    /// [`NotLinear`] names the first layer that stands in the way.
    pub fn invertible(&self) -> Result<(), NotLinear> {
        for (layer, l) in self.layers.iter().enumerate() {
            let kind = match l {
                Layer::Conv(_) => continue,
                Layer::Activation(a) if a.slope().is_some() => continue,
                Layer::Activation(_) => "function that bends everywhere",
                Layer::BatchNorm(_) => "batch norm, which couples the images of a batch",
                Layer::Dropout(_) => "dropout",
                Layer::ConvTranspose(_) | Layer::ResizeConv(_) => "transposed convolution",
            };
            return Err(NotLinear { layer, kind });
        }
        Ok(())
    }

    /// `x` `[n, c, h, w]` through every layer in turn; returns what each of them made of it, or a convolution together with
    /// the function that follows it.
    pub fn trace(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let mut outputs: Vec<Tensor<4>> = Vec::with_capacity(self.layers.len());
        let mut layers = self.layers.iter().peekable();
        while let Some(layer) = layers.next() {
            let input = outputs.last().cloned().unwrap_or_else(|| x.clone());
            match layer.bent(layers.peek(), &input) {
                // What a convolution made is nobody's, if its function is a part of it.
                Some(y) => {
                    layers.next();
                    outputs.extend([y.clone(), y]);
                }
                None => outputs.push(layer.forward(input)),
            }
        }
        outputs
    }

    /// The gradient of the sum of this network's outputs by its input, `[n, c, h, w]`, where `trace` is what
    /// [`Sequential::trace`] gave. It carries gradients to the weights, not to the input.
    ///
    /// # Errors
    /// [`NotLinear`], see [`Sequential::invertible`].
    pub fn input_gradient(&self, trace: &[Tensor<4>]) -> Result<Tensor<4>, NotLinear> {
        self.invertible()?;
        let outputs = self.layers.iter().zip(trace).rev();
        let ones = trace.last().map(|y| y.ones_like().detach());
        let mut gradient = ones.unwrap_or_else(|| unreachable!("a network has layers"));
        for (layer, y) in outputs {
            gradient = match layer {
                Layer::Conv(l) => {
                    let (stride, padding) = (l.stride, l.padding);
                    conv::conv_transpose2d(gradient, l.weight.val(), None, stride, padding)
                }
                Layer::Activation(l) => l.back(y.clone().detach(), gradient),
                Layer::BatchNorm(_)
                | Layer::Dropout(_)
                | Layer::ConvTranspose(_)
                | Layer::ResizeConv(_) => unreachable!("refused above"),
            };
        }
        Ok(gradient)
    }
}

impl Activation {
    /// `dy` times the slope where `y` came out.
    fn back(&self, y: Tensor<4>, dy: Tensor<4>) -> Tensor<4> {
        if let (Some(bend), true) = (self.function.bend(), kernels::takes(&y)) {
            return kernels::unbend(y, dy, bend);
        }
        let slope = self.slope().unwrap_or(1.0);
        let over = y.clone().greater_elem(0.0);
        let slopes = y.full_like(slope).mask_fill(over, 1.0);
        dy * slopes
    }
}

/// A network of the same layers with other weights, in their order, and the same biases. The weights may be results of a
/// computation: gradients pass through them to what they were computed from.
pub fn with_weights(net: &Sequential, weights: Vec<Tensor<4>>) -> Sequential {
    let mut weights = weights.into_iter();
    let mut next = |old: &Param<Tensor<4>>| {
        let weight = weights.next().unwrap_or_else(|| old.val());
        Param::initialized(old.id, weight)
    };
    let mut net = net.clone();
    for layer in &mut net.layers {
        match layer {
            Layer::Conv(l) => l.weight = next(&l.weight),
            Layer::ConvTranspose(l) => l.weight = next(&l.weight),
            Layer::ResizeConv(l) => l.weight = next(&l.weight),
            Layer::BatchNorm(_) | Layer::Activation(_) | Layer::Dropout(_) => {}
        }
    }
    net
}
