//! A graph as a record of precision f32.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::error::GraphError;
use super::list::Graph;
use super::record::{Tensor, Values};
use crate::layer::LAYERS;
use crate::limits::Limits;
use crate::model::{Model, ModelError};
use crate::op::Op;
use crate::record::Buffer;

impl Graph {
    /// The bytes of a burn record that burn and [`crate::Model::parse`] read. Fold first: what is
    /// written is what runs.
    ///
    /// # Errors
    /// [`GraphError`] if the graph is not a generator; see [`Graph::shapes`].
    pub fn to_record(&self) -> Result<Vec<u8>, GraphError> {
        Ok(self.to_buffer()?.into_vec())
    }

    /// [`Graph::to_record`] in memory that a model can borrow.
    ///
    /// # Errors
    /// As [`Graph::to_record`].
    pub fn to_buffer(&self) -> Result<Buffer, GraphError> {
        let (lines, tensors) = self.described(&[])?;
        Ok(self.record(&lines, &tensors, [].into_iter()))
    }

    /// The list of layers and their tensors, checked except for weights known to be `finite`.
    fn described(&self, finite: &[bool]) -> Result<(String, Vec<Tensor<'_>>), GraphError> {
        let flows = self.checked_but(finite)?;
        if self.layers.len() > LAYERS {
            return Err(GraphError::Layers(self.layers.len()));
        }
        let (black, white) = self.facts.range;
        if !(black.is_finite() && white.is_finite() && black != white) {
            return Err(GraphError::Range(black, white));
        }
        let mut lines = String::new();
        let mut tensors = Vec::new();
        for (i, (layer, flow)) in self.layers.iter().zip(flows).enumerate() {
            let name = &layer.name;
            let taken = self.layers[..i].iter().any(|l| l.name == *name);
            if name.is_empty() || name.contains(char::is_whitespace) || taken {
                return Err(GraphError::Name(i, name.clone()));
            }
            self.line(i, &mut lines);
            if let Some(dims) = layer.op.weight(flow.input) {
                let rank = match layer.op {
                    Op::Affine | Op::InstanceNorm { .. } => 1,
                    Op::Dense { .. } => 2,
                    Op::Conv { .. }
                    | Op::ReflectConv { .. }
                    | Op::ConvTranspose { .. }
                    | Op::Add
                    | Op::Concat { .. }
                    | Op::Resize { .. }
                    | Op::Reshape { .. }
                    | Op::Activate => 4,
                };
                tensors.push(Tensor {
                    name: format!("{name}.weight"),
                    shape: dims[..rank].to_vec(),
                    values: Values::F32(&layer.weight),
                });
            }
            if !layer.bias.is_empty() {
                tensors.push(Tensor {
                    name: format!("{name}.bias"),
                    shape: vec![layer.bias.len()],
                    values: Values::F32(&layer.bias),
                });
            }
        }
        Ok((lines, tensors))
    }
}

/// A graph that runs as it is: its record without the tensors, which stay where they are. Of a
/// large model, copying them takes longer than a picture.
pub struct Ready {
    graph: Graph,
    head: Buffer,
}

impl Ready {
    /// A graph, folded.
    ///
    /// # Errors
    /// As [`Graph::check`] and [`Graph::to_record`].
    pub fn new(mut graph: Graph, limits: &Limits) -> Result<Ready, GraphError> {
        let finite = graph.folded();
        graph.check(limits)?;
        let (lines, _) = graph.described(&finite)?;
        let head = graph.record(&lines, &[], [].into_iter());
        Ok(Ready { graph, head })
    }

    /// The model: the same as that of the graph's record.
    ///
    /// # Errors
    /// As [`Model::parse_within`].
    pub fn model(&self, limits: &Limits) -> Result<Model<'_>, ModelError<'_>> {
        let lend = |i: usize| match self.graph.layers.get(i) {
            Some(layer) => [&layer.weight[..], &layer.bias],
            None => [&[][..]; 2],
        };
        Model::parse_apart(self.head.bytes(), &lend, limits)
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
    use crate::graph::{Facts, Layer};
    use crate::latent::Latent;
    use crate::layer::Input;

    #[test]
    fn a_graph_that_is_ready_makes_the_faces_of_its_record() {
        let tiny = crate::include_record!("../../../../models/pretrained/faces-tiny.bpk");
        let graph = Graph::from_model(&Model::parse(tiny).unwrap());
        let record = graph.to_buffer().unwrap();
        let limits = Limits::DEFAULT;
        let ready = Ready::new(graph, &limits).unwrap();
        let models = [Model::parse(record.bytes()).unwrap(), ready.model(&limits).unwrap()];
        let faces = models.each_ref().map(|model| {
            let mut arena = vec![0.0; model.arena_len()];
            let mut cpu = Cpu::new(model, &mut arena).unwrap();
            let image = cpu.generate(&Latent::from_seed(7)).unwrap();
            image.rgba().flatten().collect::<Vec<u8>>()
        });
        assert_eq!(faces[0], faces[1]);
        let [stored, lent] = models;
        assert_eq!(Graph::from_model(&stored), Graph::from_model(&lent));
        let none = Limits { multiply_adds: 1, ..limits };
        assert!(matches!(ready.model(&none), Err(ModelError::Limit(_))));
    }

    #[test]
    fn weights_that_become_infinite_are_found() {
        let one = |op, scale: f32| Layer { weight: vec![scale; 3], ..Layer::new("", op) };
        let named = |name: &str, layer: Layer| Layer { name: name.into(), ..layer };
        for (scale, fits) in [(1e10, true), (1e30, false)] {
            let graph = Graph {
                input: Input::Latent(1),
                layers: vec![
                    named("dense", one(Op::Dense { out: 3 }, 1e20)),
                    named("scale", one(Op::Affine, scale)),
                    named("again", one(Op::Affine, 1e-5)),
                ],
                facts: Facts::default(),
            };
            graph.checked().unwrap();
            let mut folded = graph.clone();
            assert_eq!(folded.folded(), [fits]);
            let ready = Ready::new(graph, &Limits::DEFAULT).map(|_| ());
            assert_eq!(ready, folded.to_record().map(|_| ()));
            assert_eq!(ready.is_ok(), fits);
        }
    }

    #[test]
    fn what_is_no_record_is_not_ready() {
        let tiny = crate::include_record!("../../../../models/pretrained/faces-tiny.bpk");
        let mut graph = Graph::from_model(&Model::parse(tiny).unwrap());
        graph.layers[0].weight[5] = f32::NAN;
        let Err(error) = Ready::new(graph.clone(), &Limits::DEFAULT) else { panic!() };
        assert!(matches!(error, GraphError::NotFinite(0, _, "weight")), "{error}");
        assert_eq!(graph.to_record(), Err(error));
        graph.layers[0].weight.pop();
        assert!(matches!(Ready::new(graph, &Limits::DEFAULT), Err(GraphError::Tensor { .. })));
    }
}
