//! An owned list of layers.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::error::GraphError;
use crate::layer::{self, Input, Place, Source, Weights};
use crate::limits::{Limit, Limits};
use crate::model::{INPUT, Model, key};
use crate::op::{Activation, Op, Shape, ShapeError};
use crate::plan;
use crate::share::{self, PIECE};
use crate::sqrt::sqrt;

/// One layer with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name: unique, without whitespace.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What is applied to each output value.
    pub activation: Activation,
    /// Name of the earlier layer that it reads; without it, the layer before. `input` is the model's
    /// input.
    pub from: Option<String>,
    /// The same of the second input of an operation that joins two. At least one of the two is
    /// named.
    pub with: Option<String>,
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
/// # use runtime_core as runtime;
/// use runtime::Model;
/// use runtime::graph::Graph;
///
/// let record = runtime::include_record!("../../../../models/pretrained/faces-tiny.bpk");
/// let graph = Graph::from_model(&Model::parse(record)?);
/// assert!(graph.quantize(0..8)?.len() < record.len() / 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// What it makes a picture from.
    pub input: Input,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    /// Its facts.
    pub facts: Facts,
}

/// What a layer reads, and its shapes.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// What the layer reads.
    pub from: Source,
    /// What it reads besides, to add or concatenate.
    pub other: Option<Source>,
    /// Shape of `from`.
    pub input: Shape,
    /// Shape of the result.
    pub output: Shape,
}

impl Layer {
    /// A layer without weights and activation that reads the layer before.
    pub fn new(name: impl Into<String>, op: Op) -> Layer {
        Layer {
            name: name.into(),
            op,
            activation: Activation::None,
            from: None,
            with: None,
            weight: Vec::new(),
            bias: Vec::new(),
        }
    }

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
            from: None,
            with: None,
            weight: scale.into_iter().map(|s| s as f32).collect(),
            bias: shift,
        }
    }
}

/// Whether all values are finite. Without an early exit, so that it is vectorized.
pub(super) fn all_finite(values: &[f32]) -> bool {
    values.iter().fold(true, |all, v| all & v.is_finite())
}

/// Square root; NaN unless `x` is positive and finite.
fn root(x: f64) -> f64 {
    match x > 0.0 && x.is_finite() {
        true => sqrt(x),
        false => f64::NAN,
    }
}

impl Layer {
    /// Its output shape, after checking its shapes and the sizes of its weights as layer `i`.
    fn fit(&self, i: usize, input: Shape) -> Result<Shape, GraphError> {
        let named = |error| GraphError::Shape(i, self.name.clone(), error);
        let output = self.op.output(input).map_err(named)?;
        if !self.activation.is_valid() {
            return Err(GraphError::NotFinite(i, self.name.clone(), "activation"));
        }
        if let Op::InstanceNorm { epsilon } = self.op
            && !(epsilon.is_finite() && epsilon >= 0.0)
        {
            return Err(GraphError::Epsilon(i, self.name.clone(), epsilon));
        }
        let dims = self.op.weight(input).unwrap_or([0; 4]);
        let weight = dims.into_iter().try_fold(1usize, usize::checked_mul);
        let weight = weight.ok_or_else(|| named(ShapeError::TooLarge))?;
        let bias = match (self.op.bias(input), self.bias.len()) {
            (None, _) | (Some(_), 0) => 0,
            (Some(n), _) => n,
        };
        let tensors = [("weight", &self.weight, weight), ("bias", &self.bias, bias)];
        for (tensor, values, need) in tensors {
            if values.len() != need {
                let (name, got) = (self.name.clone(), values.len());
                return Err(GraphError::Tensor { layer: i, name, tensor, need, got });
            }
        }
        Ok(output)
    }
}

impl Graph {
    /// The output shape of every layer, after checking that the layers fit each other, that their
    /// weights have the right size and are finite, and that the result is an image.
    ///
    /// # Errors
    /// [`GraphError`] names the layer.
    pub fn shapes(&self) -> Result<Vec<Shape>, GraphError> {
        Ok(self.checked()?.into_iter().map(|flow| flow.output).collect())
    }

    /// [`Graph::shapes`] with what each layer reads.
    ///
    /// # Errors
    /// As [`Graph::shapes`].
    pub fn checked(&self) -> Result<Vec<Flow>, GraphError> {
        self.checked_but(&[])
    }

    /// [`Graph::checked`] without the weights of layers that are known to be `finite`.
    pub(super) fn checked_but(&self, finite: &[bool]) -> Result<Vec<Flow>, GraphError> {
        let flows = self.flow()?;
        let known = finite.iter().copied().chain(core::iter::repeat(false));
        let weights = self.layers.iter().zip(known).map(|(layer, known)| match known {
            true => &[][..],
            false => &layer.weight,
        });
        let total = weights.clone().map(<[f32]>::len).sum();
        let pieces = weights.flat_map(|w| w.chunks(PIECE));
        let pieces = pieces.chain(self.layers.iter().map(|l| &l.bias[..]));
        let all = share::each(total, pieces, |piece| all_finite(piece).then_some(()).ok_or(()));
        // Which one is not.
        for (i, layer) in self.layers.iter().enumerate().filter(|_| all.is_err()) {
            for (tensor, values) in [("weight", &layer.weight), ("bias", &layer.bias)] {
                if !all_finite(values) {
                    return Err(GraphError::NotFinite(i, layer.name.clone(), tensor));
                }
            }
        }
        Ok(flows)
    }

    /// What each layer reads, checked like [`Graph::checked`] but without looking at every weight.
    ///
    /// # Errors
    /// As [`Graph::shapes`], except those about weights that are not finite.
    pub fn flow(&self) -> Result<Vec<Flow>, GraphError> {
        let input = match self.input {
            Input::Picture(shape)
                if !matches!(shape.c, 1 | 3)
                    || matches!(shape.checked_values(), None | Some(0)) =>
            {
                return Err(GraphError::Picture(shape));
            }
            Input::Latent(0) => return Err(GraphError::Empty),
            Input::Latent(_) | Input::Picture(_) => self.input.shape(),
        };
        match self.layers.len() {
            0 => return Err(GraphError::Empty),
            // Sources are numbers of 16 bits.
            n if n > usize::from(u16::MAX) => return Err(GraphError::Layers(n)),
            _ => {}
        }
        let classes = self.facts.labels.len();
        let latent = self.latent();
        if classes > 0 && classes >= latent {
            return Err(GraphError::Classes(classes, latent));
        }
        let mut flows: Vec<Flow> = Vec::with_capacity(self.layers.len());
        let mut numbers = BTreeMap::new();
        for (i, layer) in self.layers.iter().enumerate() {
            let (from, other) = self.sources(i, &numbers)?;
            let shape = |source: Source| match source {
                Source::Input => input,
                Source::Layer(of) => flows[usize::from(of)].output,
            };
            let output = layer.fit(i, shape(from))?;
            if let Some((want, got)) = layer.op.other(shape(from)).zip(other.map(shape))
                && want != got
            {
                return Err(GraphError::Join(i, layer.name.clone(), want, got));
            }
            flows.push(Flow { from, other, input: shape(from), output });
            numbers.insert(layer.name.as_str(), i);
        }
        let mut used = vec![false; flows.len()];
        for flow in &flows {
            for source in [Some(flow.from), flow.other].into_iter().flatten() {
                if let Source::Layer(of) = source {
                    used[usize::from(of)] = true;
                }
            }
        }
        used.pop();
        if let Some(i) = used.iter().position(|used| !used) {
            return Err(GraphError::Unused(i, self.layers[i].name.clone()));
        }
        match flows.last().map(|flow| flow.output) {
            Some(Shape { c: 1 | 3 | 4, .. }) => Ok(flows),
            Some(shape) => Err(GraphError::NoImage(shape)),
            None => Err(GraphError::Empty),
        }
    }

    /// What layer `i` reads, given the numbers of the layers before it.
    fn sources(
        &self,
        i: usize,
        numbers: &BTreeMap<&str, usize>,
    ) -> Result<(Source, Option<Source>), GraphError> {
        let layer = &self.layers[i];
        let find = |name: &Option<String>| match name {
            None => Ok(None),
            Some(name) => match numbers.get(name.as_str()) {
                Some(of) => Ok(Some(Source::before(of + 1))),
                None if name == INPUT => Ok(Some(Source::Input)),
                None => Err(GraphError::Source(i, layer.name.clone(), name.clone())),
            },
        };
        let named = [find(&layer.from)?, find(&layer.with)?];
        let sources = layer.op.sources(named, Source::before(i));
        sources.ok_or_else(|| GraphError::Sources(i, layer.name.clone()))
    }

    /// Checks the number of layers, and the memory and time that an image takes.
    ///
    /// # Errors
    /// [`GraphError::Limit`], or as [`Graph::shapes`].
    pub fn check(&self, limits: &Limits) -> Result<(), GraphError> {
        limits.check(Limit::Layers, self.layers.len() as u64).map_err(GraphError::Limit)?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for (i, (layer, flow)) in self.layers.iter().zip(self.flow()?).enumerate() {
            layers.push(layer::Layer {
                name: &layer.name,
                op: layer.op,
                activation: layer.activation,
                from: flow.from,
                other: flow.other,
                input: flow.input,
                output: flow.output,
                image: i + 1 == self.layers.len(),
                weights: Weights::Float { weight: &layer.weight, bias: &layer.bias },
                place: Place::FRONT,
            });
        }
        plan::place(&mut layers);
        plan::check(&layers, self.input, limits).map_err(GraphError::Limit)
    }

    /// Length of the latent; 0 if the input is a picture.
    pub fn latent(&self) -> usize {
        match self.input {
            Input::Latent(n) => n,
            Input::Picture(_) => 0,
        }
    }

    /// A copy of a model of precision f32. Layers of other precisions come without weights.
    pub fn from_model(model: &Model<'_>) -> Graph {
        let layers = model.layers().iter().enumerate().map(|(i, l)| Layer {
            name: l.name.into(),
            op: l.op,
            activation: l.activation,
            from: model.reads(i)[0].map(ToString::to_string),
            with: model.reads(i)[1].map(ToString::to_string),
            weight: l.floats().0.to_vec(),
            bias: l.floats().1.to_vec(),
        });
        Graph {
            input: model.input(),
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
