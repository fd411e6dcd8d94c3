//! Functions that exporters write as several nodes, such as `x * sigmoid(x)`: they are evaluated on
//! a few numbers and compared with the activations that there are.

use alloc::collections::{BTreeMap, BTreeSet};
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
    /// The functions that a node continues.
    pub fn continued(&mut self, node: &Node<'_>) -> Option<Functions> {
        let inputs = &node.0.input;
        let i = self.functions.iter().position(|functions| {
            let known = |n: &String| functions.values.contains_key(n);
            // The base may have other uses.
            let open = functions.left.get(&functions.base).is_some_and(|left| *left > 0);
            let other = |n: &String| *n != functions.base && self.tensors.contains_key(n);
            inputs.iter().any(known)
                || open
                    && inputs.contains(&functions.base)
                    && is_elementwise(&node.0.op_type)
                    && !inputs.iter().any(other)
        })?;
        Some(self.functions.swap_remove(i))
    }

    /// The function of several nodes that begins with a node that reads the current tensor.
    pub fn begun(&mut self, node: &Node<'_>) -> Result<Option<Functions>, OnnxError> {
        /// Most functions that are open at once.
        const OPEN: usize = 8;
        let op = node.0.op_type.as_str();
        let single = matches!(
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
        );
        if self.rounded.is_some() || !is_elementwise(op) {
            return Ok(None);
        }
        let uses = match (self.is_of_one(node).then(|| self.converges()).flatten(), single) {
            (Some(uses), _) => uses,
            (None, true) => 1,
            (None, false) => return Ok(None),
        };
        if self.functions.len() == OPEN {
            return Err(node.fail(format!("begins one of more than {OPEN} functions at once")));
        }
        self.flush_pad(node)?;
        self.flush_cut(node)?;
        Ok(Some(Functions::new(&self.at, self.here(), uses)))
    }

    /// How often the nodes from here on use the current tensor until they become one tensor again,
    /// if they are functions of single values. Otherwise they are branches.
    fn converges(&self) -> Option<usize> {
        /// How far the end may be: nodes of constants lie between those of the function.
        const AHEAD: usize = 256;
        let base = &self.at[..];
        let uses = |name: &str| self.uses.get(name).copied().unwrap_or(0);
        let all = self.tensors.get(base).map_or(0, |(_, left)| *left);
        if all < 2 {
            return None;
        }
        // What nodes of the function have made, and what other nodes have.
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        let mut other: BTreeSet<&str> = BTreeSet::new();
        let (mut read, mut found) = (0, None);
        for node in self.ahead.iter().take(AHEAD).filter(|node| node.op_type != "Shape") {
            let inputs = || node.input.iter().map(String::as_str);
            let own = |n: &str| n == base || left.contains_key(n);
            let strange = |n: &str| other.contains(n) || !own(n) && self.tensors.contains_key(n);
            let (mine, strangers) = (inputs().filter(|n| own(n)).count(), inputs().any(strange));
            let output = match &node.output[..] {
                [output] if mine > 0 && !strangers && is_elementwise(&node.op_type) => output,
                _ if inputs().any(|n| left.contains_key(n)) => return found,
                outputs => {
                    if mine > 0 || strangers {
                        other.extend(outputs.iter().map(String::as_str));
                    }
                    continue;
                }
            };
            let sum = node.op_type == "Add"
                && inputs().any(|n| n == base)
                && inputs().any(|n| left.contains_key(n));
            for name in &node.input {
                match left.get_mut(name.as_str()) {
                    Some(left) => *left = left.saturating_sub(1),
                    None => read += usize::from(name == base),
                }
            }
            let closed = left.values().all(|n| *n == 0);
            left.insert(output, uses(output));
            // A sum of the tensor and a function of it is a branch of another kind.
            if closed && mine > 1 && !sum {
                found = Some(read);
            }
            if closed && read >= all {
                return found;
            }
        }
        found
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
    pub fn function(&mut self, node: &Node<'_>, mut functions: Functions) -> Result<(), OnnxError> {
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
                    self.consume(name);
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
                self.set(&functions.base, functions.start);
                self.recognized(node, found, functions.constant.as_deref())?;
                self.made(node)
            }
            None => {
                self.functions.push(functions);
                Ok(())
            }
        }
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
        match self.functions.first() {
            None => Ok(()),
            Some(functions) => Err(node.fail(format!(
                "follows a function of {:?} that is none of the supported activations ({})",
                functions.base, KNOWN
            ))),
        }
    }
}
