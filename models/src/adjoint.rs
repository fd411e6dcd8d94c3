//! The gradient of a discriminator by its input, as a forward pass.
//!
//! burn differentiates once, and a penalty on the input gradient (R1, R2) takes the gradient of a
//! gradient. For convolutions and rectifiers the inner gradient is itself a list of linear layers:
//! the same weights, transposed, and the slopes of the rectifiers, which are constant wherever they
//! are defined. Computed as a forward pass, a single backward pass gives the exact gradient of the
//! penalty by the weights.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::conv;
use crate::kernels;
use crate::layer::{Activation, Layer, Sequential};

/// A layer for which [`Sequential::input_gradient`] is not defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLinear {
    /// Index in the list.
    pub layer: usize,
    /// What the layer is.
    pub kind: &'static str,
}

impl std::fmt::Display for NotLinear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "layer {} is a {}: a gradient penalty is defined for convolutions and rectifiers only",
            self.layer, self.kind
        )
    }
}

impl std::error::Error for NotLinear {}

impl Sequential {
    /// Whether [`Sequential::input_gradient`] is defined for this network.
    ///
    /// # Errors
    /// [`NotLinear`] names the first layer for which it is not.
    pub fn check_input_gradient(&self) -> Result<(), NotLinear> {
        for (layer, l) in self.layers.iter().enumerate() {
            let kind = match l {
                Layer::Conv(_) => continue,
                Layer::Activation(a) if a.function.slope().is_some() => continue,
                Layer::Activation(_) => "smooth activation",
                Layer::BatchNorm(_) => "batch norm, which couples the images of a batch",
                Layer::InstanceNorm(_) => "instance norm",
                Layer::ReflectPad(_) => "reflection padding",
                Layer::Add(_) | Layer::Concat(_) => "join of two outputs",
                Layer::Dropout(_) => "dropout",
                Layer::ConvTranspose(_) | Layer::ResizeConv(_) => "transposed convolution",
            };
            return Err(NotLinear { layer, kind });
        }
        Ok(())
    }

    /// The outputs of every layer for `x` `[n, c, h, w]`. A convolution that is fused with its
    /// activation has the activation's output in its place.
    pub fn trace(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let mut outputs: Vec<Tensor<4>> = Vec::with_capacity(self.layers.len());
        let mut layers = self.layers.iter().peekable();
        while let Some(layer) = layers.next() {
            let input = outputs.last().cloned().unwrap_or_else(|| x.clone());
            // A join reads an output that is fused with nothing.
            let joined = self.layers.iter().any(|l| l.joined() == Some(outputs.len()));
            let then = layers.peek().copied().filter(|_| !joined);
            match layer.with_activation(then, &input) {
                Some(y) => {
                    layers.next();
                    outputs.extend([y.clone(), y]);
                }
                None => {
                    let y = layer.forward(input, |with| outputs[with].clone());
                    outputs.push(y);
                }
            }
        }
        outputs
    }

    /// The gradient `[n, c, h, w]` of the sum of this network's outputs by its input, from the
    /// outputs that [`Sequential::trace`] returned. Differentiable by the weights, not by the
    /// input.
    ///
    /// # Errors
    /// [`NotLinear`], see [`Sequential::check_input_gradient`].
    pub fn input_gradient(&self, trace: &[Tensor<4>]) -> Result<Tensor<4>, NotLinear> {
        self.check_input_gradient()?;
        let outputs = self.layers.iter().zip(trace).rev();
        let ones = trace.last().map(|y| y.ones_like().detach());
        let mut gradient = ones.unwrap_or_else(|| unreachable!("a network has layers"));
        for (layer, y) in outputs {
            gradient = match layer {
                Layer::Conv(l) => {
                    let (stride, padding) = (l.stride, l.padding);
                    conv::conv_transpose2d(gradient, l.weight.val(), None, stride, padding)
                }
                Layer::Activation(l) => l.backward(y.clone().detach(), gradient),
                Layer::BatchNorm(_)
                | Layer::InstanceNorm(_)
                | Layer::ReflectPad(_)
                | Layer::Add(_)
                | Layer::Concat(_)
                | Layer::Dropout(_)
                | Layer::ConvTranspose(_)
                | Layer::ResizeConv(_) => unreachable!("checked above"),
            };
        }
        Ok(gradient)
    }
}

impl Activation {
    /// The gradient by a rectifier's input, from its output `y` and the gradient `dy` by that.
    fn backward(&self, y: Tensor<4>, dy: Tensor<4>) -> Tensor<4> {
        if kernels::supports(&y) {
            return kernels::activation_backward(y, dy, self.function);
        }
        let slope = self.function.slope().unwrap_or(1.0);
        let over = y.clone().greater_elem(0.0);
        let slopes = y.full_like(slope).mask_fill(over, 1.0);
        dy * slopes
    }
}

/// The weights of a network's convolutions, first to last.
pub fn weights(net: &Sequential) -> impl Iterator<Item = Tensor<4>> {
    net.layers.iter().filter_map(|layer| match layer {
        Layer::Conv(l) => Some(l.weight.val()),
        Layer::ConvTranspose(l) => Some(l.weight.val()),
        Layer::ResizeConv(l) => Some(l.weight.val()),
        Layer::BatchNorm(_)
        | Layer::InstanceNorm(_)
        | Layer::Activation(_)
        | Layer::ReflectPad(_)
        | Layer::Add(_)
        | Layer::Concat(_)
        | Layer::Dropout(_) => None,
    })
}

/// The network with its weights replaced by others, in the order of [`weights`]. They may be the
/// result of a computation, through which gradients then flow.
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
            Layer::BatchNorm(_)
            | Layer::InstanceNorm(_)
            | Layer::Activation(_)
            | Layer::ReflectPad(_)
            | Layer::Add(_)
            | Layer::Concat(_)
            | Layer::Dropout(_) => {}
        }
    }
    net
}
