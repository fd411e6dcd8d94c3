//! The element-wise functions of an activation layer.

/// An element-wise function. Each one's derivative follows from its output alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `max(x, 0)`.
    Relu,
    /// `x` if positive, else `slope * x`; the slope is at least 0.
    LeakyRelu(f32),
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function, `1 / (1 + exp(-x))`.
    Sigmoid,
}

impl Function {
    /// The slope of a rectifier below 0, if this is one.
    pub fn slope(self) -> Option<f32> {
        match self {
            Function::Relu => Some(0.0),
            Function::LeakyRelu(slope) => Some(slope),
            Function::Tanh | Function::Sigmoid => None,
        }
    }
}
