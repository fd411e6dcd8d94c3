//! Nodes that the data does not pass through: integers with which exporters compute shapes.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use onnx_protobuf::tensor_proto::DataType;
use protobuf::Enum;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::tensor::{Constant, Values};

impl Chain {
    /// Evaluates a node of constants.
    pub fn constant(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let value = match node.0.op_type.as_str() {
            "Constant" => {
                let value = value(node)?;
                self.budget.take(value.size(), 1)?;
                value
            }
            "Identity" => self.copied(node)?.clone(),
            "Gather" => self.gather(node)?,
            "Unsqueeze" | "Squeeze" => Constant::list(self.copied(node)?.values.clone()),
            "Cast" => self.cast(node)?,
            "Concat" => self.concat(node)?,
            _ => {
                return Err(node.fail(
                    "does not depend on the input, and is no operation on constants that is supported",
                ));
            }
        };
        if let Some(output) = node.0.output.first() {
            self.constants.insert(output.clone(), value);
        }
        Ok(())
    }

    /// The first input, of which a copy of the same size is about to be made.
    fn copied(&self, node: &Node<'_>) -> Result<&Constant, OnnxError> {
        let from = self.input(node, 0)?;
        self.budget.take(from.size(), 1)?;
        Ok(from)
    }

    fn gather(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.integers(node, 0)?;
        let scalar = self.input(node, 1)?.dims.is_empty();
        let pick = |i: &i64| {
            let i = if *i < 0 { i + from.len() as i64 } else { *i };
            usize::try_from(i).ok().and_then(|i| from.get(i).copied())
        };
        let indices = self.integers(node, 1)?;
        self.budget.take(indices.len(), size_of::<i64>())?;
        let picked: Option<Vec<i64>> = indices.iter().map(pick).collect();
        let picked = picked.ok_or_else(|| node.fail("an index is out of range"))?;
        Ok(Constant {
            dims: if scalar { vec![] } else { vec![picked.len()] },
            values: Values::Ints(picked),
        })
    }

    fn cast(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.copied(node)?;
        let to = DataType::from_i32(node.int("to", 0) as i32);
        let values = match (&from.values, to) {
            (Values::Floats(v), Some(DataType::FLOAT)) => Values::Floats(v.clone()),
            (Values::Ints(v), Some(DataType::FLOAT)) => {
                Values::Floats(v.iter().map(|v| *v as f32).collect())
            }
            (Values::Ints(v), Some(DataType::INT64 | DataType::INT32)) => Values::Ints(v.clone()),
            (Values::Floats(_) | Values::Ints(_), to) => {
                return Err(node.fail(format!("a cast to {to:?} is not supported")));
            }
        };
        Ok(Constant { dims: from.dims.clone(), values })
    }

    fn concat(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let inputs = (0..node.0.input.len()).map(|i| self.input(node, i));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        for input in &inputs {
            self.budget.take(input.size(), 1)?;
        }
        let floats: Option<Vec<&[f32]>> = inputs.iter().map(|c| c.floats()).collect();
        let ints: Option<Vec<&[i64]>> = inputs.iter().map(|c| c.as_ints()).collect();
        Ok(Constant::list(match (floats, ints) {
            (Some(floats), _) => Values::Floats(floats.concat()),
            (None, Some(ints)) => Values::Ints(ints.concat()),
            (None, None) => return Err(node.fail("mixes floats and integers")),
        }))
    }
}

/// The value of a `Constant` node.
fn value(node: &Node<'_>) -> Result<Constant, OnnxError> {
    Ok(match node.0.attribute.first() {
        Some(a) if a.name == "value" && a.t.is_some() => Constant::read(&a.t)?,
        Some(a) if a.name == "value_int" => {
            Constant { dims: vec![], values: Values::Ints(vec![a.i]) }
        }
        Some(a) if a.name == "value_ints" => Constant::list(Values::Ints(a.ints.clone())),
        Some(a) if a.name == "value_float" => {
            Constant { dims: vec![], values: Values::Floats(vec![a.f]) }
        }
        Some(a) if a.name == "value_floats" => Constant::list(Values::Floats(a.floats.clone())),
        _ => return Err(node.fail("constants of this kind are not supported")),
    })
}
