//! An owned list of layers.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::GraphError;
use crate::layer::{self, Weights};
use crate::limits::{Limit, Limits};
use crate::model::{Model, key};
use crate::op::{Activation, Op, Shape, ShapeError};
use crate::plan;

/// One layer with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name: unique, without whitespace.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What is applied to each output value.
    pub activation: Activation,
    /// See [`Op`]; empty if the operation has none.
    pub weight: Vec<f32>,
    /// One value per output channel; empty means zero.
    pub bias: Vec<f32>,
}

/// What users of the file need to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Name of the generator.
    pub name: String,
    /// Its license.
    pub license: String,
    /// What it was trained on.
    pub data: String,
    /// How it was trained: command, number of images seen.
    pub trained: String,
    /// Output values of black and white.
    pub range: (f32, f32),
    /// Names of the classes of a conditional generator.
    pub labels: Vec<String>,
}

impl Default for Facts {
    /// Empty, with the range of tanh.
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
///
/// ```
/// use runtime::Model;
/// use runtime::graph::Graph;
///
/// let record = runtime::include_record!("../../../models/pretrained/faces-tiny.bpk");
/// let graph = Graph::from_model(&Model::parse(record)?);
/// assert!(graph.quantize(0..8)?.len() < record.len() / 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Length of the latent.
    pub latent: usize,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    /// Its facts.
    pub facts: Facts,
}

impl Layer {
    /// Batch norm at inference (Ioffe and Szegedy 2015, algorithm 2) as a scale and shift per
    /// channel. All slices have one value per channel; `epsilon` is what training added to the
    /// variance.
    pub fn batch_norm(
        name: impl Into<String>,
        gamma: &[f32],
        beta: &[f32],
        mean: &[f32],
        variance: &[f32],
        epsilon: f32,
    ) -> Layer {
        // In f64: the roundings of f32 would show in the last layer.
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

/// Square root, which `core` lacks; NaN unless `x` is positive and finite.
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
    /// The output shape of every layer, after checking that the layers fit each other, that their
    /// weights have the right size and are finite, and that the result is an image.
    ///
    /// # Errors
    /// [`GraphError`] names the layer.
    pub fn shapes(&self) -> Result<Vec<Shape>, GraphError> {
        let shapes = self.fit()?;
        for (i, layer) in self.layers.iter().enumerate() {
            for (tensor, values) in [("weight", &layer.weight), ("bias", &layer.bias)] {
                // Without an early exit, so that it is vectorized.
                if !values.iter().fold(true, |all, v| all & v.is_finite()) {
                    return Err(GraphError::NotFinite(i, layer.name.clone(), tensor));
                }
            }
        }
        Ok(shapes)
    }

    /// [`Graph::shapes`] without looking at every weight.
    pub(super) fn fit(&self) -> Result<Vec<Shape>, GraphError> {
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
            if !layer.activation.is_valid() {
                return Err(GraphError::NotFinite(i, layer.name.clone(), "activation"));
            }
            let dims = layer.op.weight(shape).unwrap_or([0; 4]);
            let weight = dims.into_iter().try_fold(1usize, usize::checked_mul);
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
            1 | 3 | 4 => Ok(shapes),
            _ => Err(GraphError::NoImage(shape)),
        }
    }

    /// Checks the number of layers, and the memory and time that an image takes.
    ///
    /// # Errors
    /// [`GraphError::Limit`], or as [`Graph::shapes`].
    pub fn check(&self, limits: &Limits) -> Result<(), GraphError> {
        limits.check(Limit::Layers, self.layers.len() as u64).map_err(GraphError::Limit)?;
        let mut input = Shape::new(self.latent, 1, 1);
        let mut layers = Vec::with_capacity(self.layers.len());
        for (i, (layer, output)) in self.layers.iter().zip(self.fit()?).enumerate() {
            layers.push(layer::Layer {
                name: &layer.name,
                op: layer.op,
                activation: layer.activation,
                input,
                output,
                image: i + 1 == self.layers.len(),
                weights: Weights::Float { weight: &layer.weight, bias: &layer.bias },
            });
            input = output;
        }
        plan::check(&layers, self.latent, limits).map_err(GraphError::Limit)
    }

    /// A copy of a model of precision f32. Layers of other precisions come without weights.
    pub fn from_model(model: &Model<'_>) -> Graph {
        let layers = model.layers().iter().map(|l| Layer {
            name: l.name.into(),
            op: l.op,
            activation: l.activation,
            weight: l.floats().0.to_vec(),
            bias: l.floats().1.to_vec(),
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
