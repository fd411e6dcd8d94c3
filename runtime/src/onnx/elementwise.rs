//! Functions that exporters write as several nodes, such as `x * sigmoid(x)`: they are evaluated on
//! a few numbers and compared with the activations that there are.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::functions::{
    Found, Functions, KNOWN, Value, is_elementwise, linear, recognize_value, samples,
};
use super::node::Node;
use super::tensor::Values;

impl Chain<'_> {
    /// Whether a node continues, or must begin, a function of several nodes.
    pub fn is_function(&self, node: &Node<'_>) -> bool {
        if let Some(functions) = &self.functions {
            let known = |n: &String| *n == functions.base || functions.values.contains_key(n);
            return node.0.input.iter().any(known);
        }
        let uses = node.0.input.iter().filter(|n| **n == self.at).count();
        let op = node.0.op_type.as_str();
        let single = self.uses.get(&self.at).is_none_or(|n| *n <= 1);
        match (uses, op) {
            (0, _) | (_, "Shape") => false,
            (1, _) if single => matches!(
                op,
                "Erf"
                    | "Exp"
                    | "Log"
                    | "Pow"
                    | "Abs"
                    | "Sqrt"
                    | "Reciprocal"
                    | "HardSigmoid"
                    | "HardSwish"
                    | "Softsign"
                    | "ThresholdedRelu"
                    | "Celu"
            ),
            _ => is_elementwise(op) && self.is_of_one(node) && self.converges(),
        }
    }

    /// Whether the nodes from here on that use the current tensor are functions of single values
    /// that become one tensor again. Otherwise it is a branch.
    fn converges(&self) -> bool {
        /// How far the end may be: nodes of constants lie between those of the function.
        const AHEAD: usize = 256;
        let uses = |name: &str| self.uses.get(name).copied().unwrap_or(0);
        let mut left = BTreeMap::from([(&self.at[..], uses(&self.at))]);
        for node in self.ahead.iter().take(AHEAD) {
            let known = |n: &&String| left.contains_key(n.as_str());
            if !node.input.iter().any(|n| known(&n)) {
                continue;
            }
            let [output] = &node.output[..] else { return false };
            if !is_elementwise(&node.op_type) {
                return false;
            }
            for name in &node.input {
                if let Some(left) = left.get_mut(name.as_str()) {
                    *left = left.saturating_sub(1);
                }
            }
            if left.values().all(|n| *n == 0) {
                return true;
            }
            left.insert(output, uses(output));
        }
        false
    }

    /// Whether all other inputs are single numbers.
    fn is_of_one(&self, node: &Node<'_>) -> bool {
        node.0.input.iter().all(|n| {
            *n == self.at
                || n.is_empty()
                || self.constants.get(n).is_some_and(|c| c.values.len() == 1)
        })
    }

    /// Evaluates a node on the samples, and adds an activation once nothing else is needed.
    pub fn function(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let base = self.at.clone();
        let uses = self.uses.get(&base).copied().unwrap_or(0);
        let mut functions = self.functions.take().unwrap_or_else(|| Functions {
            left: [(base.clone(), uses)].into(),
            base,
            constant: None,
            values: BTreeMap::new(),
        });
        let Some(output) = node.0.output.first() else {
            return Err(node.fail("has no output"));
        };
        if functions.values.len() >= 64 {
            return Err(node.fail("is part of a function of more than 64 nodes"));
        }
        let mut inputs = Vec::new();
        for name in &node.0.input {
            let number = self.constants.get(name).and_then(|c| match &c.values {
                Values::Floats(v) if v.len() == 1 => Some(f64::from(v[0])),
                Values::Ints(v) if v.len() == 1 => Some(v[0] as f64),
                Values::Floats(_) | Values::Ints(_) => None,
            });
            inputs.push(match (functions.get(name), number) {
                (Some(values), _) => {
                    if let Some(left) = functions.left.get_mut(name) {
                        *left = left.saturating_sub(1);
                    }
                    Some(values)
                }
                (None, Some(number)) => {
                    Some(Value { own: samples().map(|_| number).collect(), by: None })
                }
                (None, None) if name.is_empty() => None,
                (None, None)
                    if self.constants.get(name).is_some_and(|c| !c.by_class)
                        && functions.constant.as_ref().is_none_or(|k| k == name) =>
                {
                    functions.constant = Some(name.clone());
                    let zero = samples().map(|_| 0.0).collect();
                    Some(Value { own: zero, by: Some(samples().map(|_| 1.0).collect()) })
                }
                (None, None) => {
                    return Err(node.fail(format!(
                        "combines a function of {:?} with {name:?}; only single numbers are \
                         supported there, and branches are not",
                        functions.base
                    )));
                }
            });
        }
        let values = linear(node, &inputs).ok_or_else(|| {
            node.fail(
                "is not a function of single values; branches of other operations are not \
                       supported",
            )
        })?;
        let more = self.uses.get(output).copied().unwrap_or(0);
        functions.left.insert(output.clone(), more);
        functions.values.insert(output.clone(), values);
        let open = functions.left.iter().any(|(name, left)| name != output && *left > 0);
        let found = match open {
            true => None,
            false => functions.values.get(output).and_then(recognize_value),
        };
        match found {
            Some(found) => {
                self.recognized(node, found, functions.constant.as_deref())?;
                let dims = self.view.dims.clone();
                self.advance(output.clone(), dims);
            }
            None => self.functions = Some(functions),
        }
        Ok(())
    }

    fn recognized(
        &mut self,
        node: &Node<'_>,
        found: Found,
        constant: Option<&str>,
    ) -> Result<(), OnnxError> {
        match found {
            Found::Slopes(sign) => {
                self.repeat(node)?;
                let Some(constant) = constant.and_then(|name| self.constants.get(name)) else {
                    return Err(node.fail("has no slopes"));
                };
                let mut slopes = self.spread_over_channels(node, constant)?;
                slopes.iter_mut().for_each(|s| *s *= sign);
                self.slopes(node, &slopes)
            }
            Found::Activation(activation) => self.activation(node, activation),
            Found::Affine(scale, shift) => {
                let c = self.shape.c;
                self.budget.floats(2 * c)?;
                let shift = if shift == 0.0 { Vec::new() } else { vec![shift; c] };
                self.scaled(node, vec![scale; c], shift)
            }
        }
    }

    /// An error if a function was begun that is none of the known ones.
    pub fn no_function(&self, node: &Node<'_>) -> Result<(), OnnxError> {
        match &self.functions {
            None => Ok(()),
            Some(functions) => Err(node.fail(format!(
                "follows a function of {:?} that is none of the supported activations ({})",
                functions.base, KNOWN
            ))),
        }
    }
}
