//! The graph of a list of steps, with the weights of a state dict.

use runtime::Input;
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Op, Shape, Window};

use super::error::ImportError;
use super::label;
use super::layers::{batch_norm, enlarged, layer, pixel_shuffle, prelu};
use super::module::{Module, room};
use super::state::{State, Tensor};
use super::steps::{Meeting, Step, What};

/// A graph and the shape after each step.
pub(super) struct Built {
    pub graph: Graph,
    pub shapes: Vec<Shape>,
}

/// Builds the graph of steps.
///
/// # Errors
/// [`ImportError`] names the module.
pub(super) fn build(state: &State, steps: &[Step], facts: Facts) -> Result<Built, ImportError> {
    let graph = Graph { input: Input::Latent(0), layers: vec![], facts };
    let mut builder = Builder { state, graph, label: None, shape: None, before: None };
    let shapes: Result<Vec<Shape>, _> = steps.iter().map(|step| builder.step(step)).collect();
    Ok(Built { shapes: shapes?, graph: builder.graph })
}

struct Builder<'a> {
    state: &'a State,
    graph: Graph,
    /// The table of labels, which waits for the first layer.
    label: Option<(&'a str, Meeting)>,
    /// What the layers so far make; `None` before the first.
    shape: Option<Shape>,
    /// Name and shape of the last weight, for errors.
    before: Option<(String, Vec<usize>)>,
}

impl<'a> Builder<'a> {
    /// Adds a step, and returns the shape after it.
    fn step(&mut self, step: &'a Step) -> Result<Shape, ImportError> {
        let module = Module { state: self.state, name: &step.module };
        if let What::Label(meeting) = step.what {
            if self.shape.is_some() || self.label.is_some() {
                let what = "a label meets the latent once, before the first layer";
                return Err(module.fail(what.into()));
            }
            self.label = Some((module.name, meeting));
            return Ok(Shape::new(0, 1, 1));
        }
        if let (None, Some(inputs)) = (self.shape, first_inputs(step, &module)?) {
            let table = |(name, meeting)| (Module { state: self.state, name }, meeting);
            let start = label::start(self.label.map(table), inputs, &mut self.graph.facts)?;
            self.graph.input = Input::Latent(start.latent);
            self.graph.layers = start.layers;
            self.shape = Some(Shape::new(inputs, 1, 1));
        }
        let Some(mut shape) = self.shape else {
            let what = format!("{step} comes before the first layer");
            return Err(ImportError::Layer(step.module.clone(), what));
        };
        let layers = self.layers(step.what, &module, shape)?;
        for layer in &layers {
            shape = layer.op.output(shape).map_err(|e| {
                let name = match &step.module[..] {
                    "" => step.to_string(),
                    module => module.into(),
                };
                ImportError::Layer(name, e.to_string())
            })?;
        }
        self.graph.layers.extend(layers);
        self.shape = Some(shape);
        Ok(shape)
    }

    /// The layers of a step whose input is `input`.
    fn layers(
        &mut self,
        what: What,
        module: &Module<'_>,
        input: Shape,
    ) -> Result<Vec<Layer>, ImportError> {
        let number = self.graph.layers.len();
        let weightless = |op| vec![layer(number, op, vec![], vec![])];
        Ok(match what {
            What::Dense => vec![self.dense(module, input)?],
            What::Conv { stride, padding } => {
                let (weight, [out, inputs, kernel]) = kernel(module)?;
                self.reads(inputs, input.c, module, weight)?;
                let op = Op::Conv { out, window: Window { kernel, stride, padding } };
                vec![layer(number, op, weight.values.clone(), module.bias(out)?)]
            }
            What::ConvTranspose { stride, padding, output_padding } => {
                let (weight, [inputs, out, k]) = kernel(module)?;
                self.reads(inputs, input.c, module, weight)?;
                // Zeros behind the kernel make the output larger.
                let kernel = k + output_padding;
                let op = Op::ConvTranspose { out, window: Window { kernel, stride, padding } };
                vec![layer(number, op, enlarged(&weight.values, k, kernel), module.bias(out)?)]
            }
            What::BatchNorm { epsilon } => {
                vec![batch_norm(module, self.before.as_ref(), input.c, epsilon, number)?]
            }
            What::Prelu => {
                let slopes = module.need("weight")?;
                if ![1, input.c].contains(&slopes.values.len()) {
                    let what = format!("{:?} slopes for {} channels", slopes.shape, input.c);
                    return Err(module.fail(what));
                }
                room(&module.named("weight"), 2 * input.c, input.c)?;
                prelu(&slopes.values, input.c, number)
            }
            What::PixelShuffle(r) => vec![pixel_shuffle(input.c, r, number)?],
            What::Reshape(to) => weightless(Op::Reshape { to }),
            What::Upsample(factor) => weightless(Op::Resize { factor }),
            What::Activation(activation) => {
                let mut layers = weightless(Op::Activate);
                layers[0].activation = activation;
                layers
            }
            What::Label(_) => vec![],
        })
    }

    fn dense(&mut self, module: &Module<'_>, input: Shape) -> Result<Layer, ImportError> {
        let weight = module.weight()?;
        let &[out, inputs] = &weight.shape[..] else {
            return Err(module.fail(format!("{:?} is not a matrix", weight.shape)));
        };
        self.reads(inputs, input.values(), module, weight)?;
        let number = self.graph.layers.len();
        Ok(layer(number, Op::Dense { out }, weight.values.clone(), module.bias(out)?))
    }

    /// Checks that a weight reads what there is, and remembers it as the last one.
    fn reads(
        &mut self,
        inputs: usize,
        have: usize,
        module: &Module<'_>,
        weight: &Tensor,
    ) -> Result<(), ImportError> {
        let own = (module.named("weight"), weight.shape.clone());
        if inputs == have {
            self.before = Some(own);
            return Ok(());
        }
        Err(match self.before.take() {
            Some(before) => ImportError::Shape(
                [before, own],
                "the channels that the one makes are those that the next reads",
            ),
            None => module.fail(format!("it reads {inputs} values, and there are {have}")),
        })
    }
}

/// The weight of a convolution `[a, b, k, k]`, and a, b and k.
fn kernel<'a>(module: &Module<'a>) -> Result<(&'a Tensor, [usize; 3]), ImportError> {
    let weight = module.weight()?;
    let &[a, b, k, other] = &weight.shape[..] else {
        return Err(module.fail(format!("{:?} is not a kernel", weight.shape)));
    };
    if k != other || k == 0 {
        let what = format!("a kernel of {k} x {other}: only square ones are read");
        return Err(module.fail(what));
    }
    Ok((weight, [a, b, k]))
}

/// What a first layer reads.
fn first_inputs(step: &Step, module: &Module<'_>) -> Result<Option<usize>, ImportError> {
    Ok(match step.what {
        What::Dense | What::Conv { .. } => module.weight()?.shape.get(1).copied(),
        What::ConvTranspose { .. } => module.weight()?.shape.first().copied(),
        _ => None,
    })
}
