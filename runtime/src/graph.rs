//! A generator as an owned list of layers that can be edited: what trainers and ONNX files become, and what records
//! are written from. Everything that changes a network without changing its pictures happens here and only here.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::model::{self, Model, key};
use crate::op::{Activation, Op, Shape, ShapeError, Window};
use crate::record::{self, ALIGNMENT};

mod fold;
mod pack;
mod quantise;
mod write;

/// One layer with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What it is called; every layer another name, no spaces.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What is applied to each value afterwards.
    pub activation: Activation,
    /// The operation's weight; empty where it has none.
    pub weight: Vec<f32>,
    /// A value an output channel; empty for zeros.
    pub bias: Vec<f32>,
}

/// What a user of the file needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What the generator is called.
    pub name: String,
    /// Its licence.
    pub license: String,
    /// What it was trained on.
    pub data: String,
    /// How it was trained: command, images seen.
    pub trained: String,
    /// Output values of black and white.
    pub range: (f32, f32),
    /// Names of the classes of a conditional generator.
    pub labels: Vec<String>,
}

impl Default for Facts {
    /// Nothing known; the range of tanh.
    fn default() -> Self {
        Facts {
            name: String::new(),
            license: String::new(),
            data: String::new(),
            trained: String::new(),
            range: (-1.0, 1.0),
            labels: Vec::new(),
        }
    }
}

/// A generator that can be edited.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Length of the latent.
    pub latent: usize,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    /// What is known about it.
    pub facts: Facts,
}

/// Why a list of layers is no generator.
#[derive(Clone, Debug, PartialEq)]
pub enum GraphError {
    /// No layers, or a latent of length 0.
    Empty,
    /// More layers than a record's reader has room for.
    Layers(usize),
    /// A layer that does not fit what comes before it: which, its name, why.
    Shape(usize, String, ShapeError),
    /// A layer's weight or bias is of the wrong size.
    Tensor {
        /// Which layer.
        layer: usize,
        /// Its name.
        name: String,
        /// `weight` or `bias`.
        tensor: &'static str,
        /// Values the layer wants.
        need: usize,
        /// Values there are.
        got: usize,
    },
    /// A value that is no finite number: layer, its name, tensor.
    NotFinite(usize, String, &'static str),
    /// As many classes as the latent has values, or more: both.
    Classes(usize, usize),
    /// A weight beyond 16-bit floats: layer, its name, the weight.
    Beyond(usize, String, f32),
    /// A name that is empty, has a space, or was there before.
    Name(usize, String),
    /// The last layer makes no image of 1 or 3 channels.
    NoImage(Shape),
    /// A layer with something that int8 and packed records cannot do: what.
    Int8(usize, String, &'static str),
    /// Black and white are not two different finite numbers.
    Range(f32, f32),
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GraphError::Empty => write!(f, "a generator without layers or latent"),
            GraphError::Layers(got) => {
                write!(f, "{got} layers, at most {} are supported", model::LAYERS)
            }
            GraphError::Shape(i, name, error) => write!(f, "layer {i} ({name}): {error}"),
            GraphError::Tensor { layer, name, tensor, need, got } => write!(
                f,
                "layer {layer} ({name}): the {tensor} has {got} values, the layer wants {need}"
            ),
            GraphError::NotFinite(i, name, tensor) => {
                write!(f, "layer {i} ({name}): the {tensor} holds a value that is no finite number")
            }
            GraphError::Classes(classes, latent) => write!(
                f,
                "{classes} classes in a latent of {latent} values leave no room for a seed"
            ),
            GraphError::Beyond(i, name, weight) => write!(
                f,
                "layer {i} ({name}): the weight {weight} is beyond 16-bit floats, which end at 65504"
            ),
            GraphError::Name(i, name) => {
                write!(f, "layer {i}: {name:?} is no name of its own without spaces")
            }
            GraphError::NoImage(shape) => {
                write!(f, "the last layer makes {shape}, not an image of 1 or 3 channels")
            }
            GraphError::Int8(i, name, what) => {
                write!(f, "layer {i} ({name}): int8 and packed records cannot do {what}")
            }
            GraphError::Range(black, white) => {
                write!(f, "black is {black} and white is {white}")
            }
        }
    }
}

impl core::error::Error for GraphError {}

impl Layer {
    /// Batch norm in inference (Ioffe and Szegedy 2015, algorithm 2) as a scale and a shift of each channel. All slices
    /// have a value a channel; `epsilon` is what training added to the variance.
    pub fn batch_norm(
        name: impl Into<String>,
        gamma: &[f32],
        beta: &[f32],
        mean: &[f32],
        variance: &[f32],
        epsilon: f32,
    ) -> Layer {
        // In f64: the product of a few roundings would show in the last layer.
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(g, v)| *g as f64 / root(*v as f64 + epsilon as f64))
            .collect();
        let shift = scale
            .iter()
            .zip(mean)
            .zip(beta)
            .map(|((s, m), b)| (*b as f64 - *m as f64 * s) as f32)
            .collect();
        Layer {
            name: name.into(),
            op: Op::Affine,
            activation: Activation::None,
            weight: scale.into_iter().map(|s| s as f32).collect(),
            bias: shift,
        }
    }
}

/// Square root; `core` has none. Of what is not positive there is none either.
fn root(x: f64) -> f64 {
    if !(x > 0.0 && x.is_finite()) {
        return f64::NAN;
    }
    let mut y = f64::from_bits((x.to_bits() >> 1) + (1023 << 51));
    for _ in 0..6 {
        y = 0.5 * (y + x / y);
    }
    y
}

impl Graph {
    /// The output shape of every layer, after checking that the layers fit each other, that their weights are of the
    /// right size and finite, and that an image comes out.
    ///
    /// # Errors
    /// [`GraphError`] names the layer.
    pub fn shapes(&self) -> Result<Vec<Shape>, GraphError> {
        let shapes = self.fit()?;
        for (i, layer) in self.layers.iter().enumerate() {
            for (tensor, values) in [("weight", &layer.weight), ("bias", &layer.bias)] {
                // Without a way out: so it is done many at a time.
                if !values.iter().fold(true, |all, v| all & v.is_finite()) {
                    return Err(GraphError::NotFinite(i, layer.name.clone(), tensor));
                }
            }
        }
        Ok(shapes)
    }

    /// [`Graph::shapes`] without a look at every weight.
    fn fit(&self) -> Result<Vec<Shape>, GraphError> {
        if self.layers.is_empty() || self.latent == 0 {
            return Err(GraphError::Empty);
        }
        let classes = self.facts.labels.len();
        if classes >= self.latent {
            return Err(GraphError::Classes(classes, self.latent));
        }
        let mut shape = Shape::new(self.latent, 1, 1);
        let mut shapes = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let named = |error| GraphError::Shape(i, layer.name.clone(), error);
            let next = layer.op.output(shape).map_err(named)?;
            if let Activation::LeakyRelu(slope) = layer.activation
                && !slope.is_finite()
            {
                return Err(GraphError::NotFinite(i, layer.name.clone(), "slope"));
            }
            let sides = layer.op.weight(shape).unwrap_or([0; 4]);
            let weight = sides.into_iter().try_fold(1usize, usize::checked_mul);
            let weight = weight.ok_or_else(|| named(ShapeError::TooLarge))?;
            let bias = match (layer.op.bias(shape), layer.bias.len()) {
                (None, _) | (Some(_), 0) => 0,
                (Some(n), _) => n,
            };
            let tensors = [("weight", &layer.weight, weight), ("bias", &layer.bias, bias)];
            for (tensor, values, need) in tensors {
                if values.len() != need {
                    return Err(GraphError::Tensor {
                        layer: i,
                        name: layer.name.clone(),
                        tensor,
                        need,
                        got: values.len(),
                    });
                }
            }
            shape = next;
            shapes.push(shape);
        }
        match shape.c {
            1 | 3 => Ok(shapes),
            _ => Err(GraphError::NoImage(shape)),
        }
    }

    /// A copy of what a model borrows.
    pub fn from_model(model: &Model<'_>) -> Graph {
        let layers = model.layers().iter().map(|l| Layer {
            name: l.name.into(),
            op: l.op,
            activation: l.activation,
            weight: l.weight.to_vec(),
            bias: l.bias.to_vec(),
        });
        Graph {
            latent: model.latent(),
            layers: layers.collect(),
            facts: Facts {
                name: model.fact(key::NAME).into(),
                license: model.fact(key::LICENSE).into(),
                data: model.fact(key::DATA).into(),
                trained: model.fact(key::TRAINED).into(),
                range: model.range(),
                labels: model.labels().map(ToString::to_string).collect(),
            },
        }
    }
}
