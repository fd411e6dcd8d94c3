//! Functions that exporters write as several nodes, such as `x * sigmoid(x)`: they are evaluated on
//! a few numbers and compared with the activations that there are.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::tensor::Values;
use crate::op::Activation;

/// Where functions are compared, in order.
fn samples() -> impl Iterator<Item = f64> {
    // From -12 to 12 they lie closer near 0; none is a round number.
    let near = (-48..=48).map(|i| {
        let t = f64::from(i) / 48.0;
        12.0 * t * t.abs() + 0.003 * t + 0.000_37
    });
    [-300.5, -40.5].into_iter().chain(near).chain([40.5, 300.5])
}

/// The values of a function at [`samples`]: `own + k by`, with a constant `k` that has a value per
/// channel.
#[derive(Clone, Debug)]
struct Value {
    own: Vec<f64>,
    by: Option<Vec<f64>>,
}

/// Tensors that are functions of one tensor.
pub(super) struct Functions {
    /// The tensor that they are functions of.
    base: String,
    /// The constant `k` of [`Value`].
    constant: Option<String>,
    values: BTreeMap<String, Value>,
    /// How many nodes still use each of them, and the base.
    left: BTreeMap<String, usize>,
}

impl Functions {
    fn get(&self, name: &str) -> Option<Value> {
        match name == self.base {
            true => Some(Value { own: samples().collect(), by: None }),
            false => self.values.get(name).cloned(),
        }
    }
}

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

/// The activations, for messages.
const KNOWN: &str = "ReLU, LeakyReLU, Tanh, Sigmoid, ELU, SELU, GELU, SiLU, Mish, Softplus, Clip";

fn is_elementwise(op: &str) -> bool {
    matches!(
        op,
        "Add"
            | "Sub"
            | "Mul"
            | "Div"
            | "Pow"
            | "Max"
            | "Min"
            | "Neg"
            | "Abs"
            | "Exp"
            | "Log"
            | "Sqrt"
            | "Reciprocal"
            | "Erf"
            | "Tanh"
            | "Sigmoid"
            | "Relu"
            | "LeakyRelu"
            | "Elu"
            | "Selu"
            | "Celu"
            | "Softplus"
            | "Softsign"
            | "HardSigmoid"
            | "HardSwish"
            | "Clip"
            | "Identity"
            | "Cast"
            | "ThresholdedRelu"
    )
}

/// A node's function of its inputs' values.
fn apply(node: &Node<'_>, inputs: &[Option<Vec<f64>>]) -> Option<Vec<f64>> {
    let input = |i: usize| inputs.get(i).and_then(Option::as_ref);
    let first = input(0)?;
    let one = |f: &dyn Fn(f64) -> f64| Some(first.iter().map(|x| f(*x)).collect());
    let two = |f: &dyn Fn(f64, f64) -> f64| -> Option<Vec<f64>> {
        let second = input(1)?;
        Some(first.iter().zip(second).map(|(a, b)| f(*a, *b)).collect())
    };
    let number = |name: &str, default: f32| f64::from(node.float(name, default));
    let elu = |x: f64, alpha: f64| if x > 0.0 { x } else { alpha * x.exp_m1() };
    match node.0.op_type.as_str() {
        "Identity" => one(&|x| x),
        // Casts between floats.
        "Cast" if [1, 10, 11, 16].contains(&node.int("to", 0)) => one(&|x| x),
        "Add" => two(&|a, b| a + b),
        "Sub" => two(&|a, b| a - b),
        "Mul" => two(&|a, b| a * b),
        "Div" => two(&|a, b| a / b),
        "Pow" => two(&f64::powf),
        "Max" => two(&f64::max),
        "Min" => two(&f64::min),
        "Neg" => one(&|x| -x),
        "Abs" => one(&f64::abs),
        "Exp" => one(&f64::exp),
        "Log" => one(&f64::ln),
        "Sqrt" => one(&f64::sqrt),
        "Reciprocal" => one(&f64::recip),
        "Erf" => one(&erf),
        "Tanh" => one(&f64::tanh),
        "Sigmoid" => one(&|x| 1.0 / (1.0 + (-x).exp())),
        "Relu" => one(&|x| x.max(0.0)),
        "LeakyRelu" => {
            let slope = number("alpha", 0.01);
            one(&|x| if x > 0.0 { x } else { slope * x })
        }
        "Elu" | "Celu" => {
            let alpha = number("alpha", 1.0);
            match node.0.op_type == "Elu" {
                true => one(&|x| elu(x, alpha)),
                false => one(&|x| x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0)),
            }
        }
        "Selu" => {
            let (alpha, gamma) = (number("alpha", 1.673_263_2), number("gamma", 1.050_701));
            one(&|x| gamma * elu(x, alpha))
        }
        "Softplus" => one(&|x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        "Softsign" => one(&|x| x / (1.0 + x.abs())),
        "HardSigmoid" => {
            let (alpha, beta) = (number("alpha", 0.2), number("beta", 0.5));
            one(&|x| (alpha * x + beta).clamp(0.0, 1.0))
        }
        "HardSwish" => one(&|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "ThresholdedRelu" => {
            let alpha = number("alpha", 1.0);
            one(&|x| if x > alpha { x } else { 0.0 })
        }
        "Clip" => {
            let limit = |i: usize, name: &str, default: f64| match (input(i), node.attribute(name))
            {
                (Some(v), _) => v.first().copied().unwrap_or(default),
                (None, Some(a)) => f64::from(a.f),
                (None, None) => default,
            };
            let (low, high) = (limit(1, "min", f64::MIN), limit(2, "max", f64::MAX));
            (low <= high).then(|| first.iter().map(|x| x.clamp(low, high)).collect())
        }
        _ => None,
    }
}

/// The error function by its series and, farther out, its continued fraction: Abramowitz and
/// Stegun, formulas 7.1.6 and 7.1.14.
fn erf(x: f64) -> f64 {
    let t = x.abs();
    let value = match t < 3.0 {
        true => {
            let (mut term, mut sum) = (t, t);
            for n in 1..100 {
                term *= 2.0 * t * t / f64::from(2 * n + 1);
                sum += term;
            }
            2.0 / core::f64::consts::PI.sqrt() * (-t * t).exp() * sum
        }
        false => {
            let fraction = (1..60).rev().fold(t, |f, n| t + f64::from(n) / 2.0 / f);
            1.0 - (-t * t).exp() / (fraction * core::f64::consts::PI.sqrt())
        }
    };
    value * x.signum()
}

/// What a function is.
#[derive(Debug, PartialEq)]
enum Found {
    Activation(Activation),
    /// Factor and what is added.
    Affine(f32, f32),
    /// PReLU with the constant, times this sign, as its slopes.
    Slopes(f32),
}

/// A node's function of its inputs, at most one of which may vary with the constant.
fn linear(node: &Node<'_>, inputs: &[Option<Value>]) -> Option<Value> {
    let own: Vec<Option<Vec<f64>>> =
        inputs.iter().map(|v| v.as_ref().map(|v| v.own.clone())).collect();
    let varies: Vec<usize> =
        (0..inputs.len()).filter(|i| inputs[*i].as_ref().is_some_and(|v| v.by.is_some())).collect();
    let by = match varies[..] {
        [] => return Some(Value { own: apply(node, &own)?, by: None }),
        [one] => one,
        _ => return None,
    };
    let factor = inputs[by].as_ref()?.by.clone()?;
    let other = |f: &dyn Fn(f64, f64) -> f64| -> Option<Vec<f64>> {
        let other = inputs.get(1 - by)?.as_ref()?;
        Some(factor.iter().zip(&other.own).map(|(a, b)| f(*a, *b)).collect())
    };
    let by = match (node.0.op_type.as_str(), by) {
        ("Identity", 0) | ("Add", 0 | 1) | ("Sub", 0) => factor,
        ("Neg", 0) | ("Sub", 1) => factor.iter().map(|v| -v).collect(),
        ("Mul", 0 | 1) => other(&|a, b| a * b)?,
        ("Div", 0) => other(&|a, b| a / b)?,
        _ => return None,
    };
    Some(Value { own: apply(node, &own)?, by: Some(by) })
}

fn recognize_value(value: &Value) -> Option<Found> {
    let Some(by) = &value.by else { return recognize(&value.own) };
    let is = |values: &[f64], f: &dyn Fn(f64) -> f64| {
        samples().zip(values).all(|(x, y)| (f(x) - y).abs() <= 1e-9 * (1.0 + y.abs()))
    };
    let positive = is(&value.own, &|x| x.max(0.0));
    if positive && is(by, &|x| x.min(0.0)) {
        return Some(Found::Slopes(1.0));
    }
    (positive && is(by, &|x| (-x).max(0.0))).then_some(Found::Slopes(-1.0))
}

fn recognize(values: &[f64]) -> Option<Found> {
    let x: Vec<f64> = samples().collect();
    let is = |f: &dyn Fn(f64) -> f64| {
        let near = |(x, y): (&f64, &f64)| (f(*x) - y).abs() <= 2e-5 * (1.0 + y.abs());
        x.iter().zip(values).all(near)
    };
    let (last, first) = (x.len() - 1, 0);
    // A line through both ends; the slopes of both halves.
    let slope = (values[last] - values[first]) / (x[last] - x[first]);
    let shift = values[first] - slope * x[first];
    if slope != 0.0 && is(&|x| slope * x + shift) {
        return Some(Found::Affine(slope as f32, shift as f32));
    }
    let below = (values[first] / x[first]) as f32;
    let most = values.iter().copied().fold(f64::MIN, f64::max) as f32;
    let least = values.iter().copied().fold(f64::MAX, f64::min) as f32;
    let floor = (-values[first] / (1.0 - x[first].exp())) as f32;
    let mut candidates = [
        Activation::Relu,
        Activation::LeakyRelu(below),
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Elu(floor),
        Activation::Selu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Clip(least, most),
    ]
    .into_iter()
    .filter(|a| a.is_valid());
    // In f64, or rounding would decide between the two forms of GELU.
    let found = candidates.find(|a| match a {
        Activation::Gelu => is(&|x| 0.5 * x * (1.0 + erf(x / core::f64::consts::SQRT_2))),
        other => is(&|x| f64::from(other.of(x as f32))),
    });
    found.map(Found::Activation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(f: impl Fn(f64) -> f64) -> Option<Found> {
        recognize(&samples().map(f).collect::<Vec<_>>())
    }

    #[test]
    fn functions_are_recognized() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let found = |activation| Some(Found::Activation(activation));
        assert_eq!(of(|x| x * sigmoid(x)), found(Activation::Silu));
        assert_eq!(of(|x| x * x.exp().ln_1p().tanh()), found(Activation::Mish));
        assert_eq!(of(|x| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()))), found(Activation::Gelu));
        let cube = |x: f64| 0.797_884_560_8 * (x + 0.044_715 * x * x * x);
        assert_eq!(of(|x| 0.5 * x * (1.0 + cube(x).tanh())), found(Activation::GeluTanh));
        assert_eq!(of(|x| x.max(0.0)), found(Activation::Relu));
        assert_eq!(of(|x| x.clamp(0.0, 6.0)), found(Activation::Clip(0.0, 6.0)));
        assert!(
            matches!(of(|x| x.max(0.2 * x)), Some(Found::Activation(Activation::LeakyRelu(s))) if (s - 0.2).abs() < 1e-6)
        );
        assert_eq!(of(|x| 0.5 * x + 0.5), Some(Found::Affine(0.5, 0.5)));
        assert_eq!(of(|x| x * x), None);
        assert_eq!(of(|x| x / (1.0 + x.abs())), None);
        // The sum of an image and its activation is a branch of another kind.
        assert_eq!(of(|x| x + x.tanh()), None);
    }

    #[test]
    fn slopes_per_channel_are_recognized() {
        let of = |own: fn(f64) -> f64, by: fn(f64) -> f64| {
            let by = Some(samples().map(by).collect());
            recognize_value(&Value { own: samples().map(own).collect(), by })
        };
        assert_eq!(of(|x| x.max(0.0), |x| x.min(0.0)), Some(Found::Slopes(1.0)));
        assert_eq!(of(|x| x.max(0.0), |x| (-x).max(0.0)), Some(Found::Slopes(-1.0)));
        assert_eq!(of(|x| x.max(0.0), |x| x), None);
        assert_eq!(of(|x| x, |x| x.min(0.0)), None);
    }

    #[test]
    fn erf_of_tables() {
        // Abramowitz and Stegun, table 7.1.
        let cases =
            [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)];
        for (x, want) in cases {
            assert!((erf(x) - want).abs() < 1e-10 && (erf(-x) + want).abs() < 1e-10, "{x}");
        }
        assert!((erf(3.1) - 0.999_988_351_3).abs() < 1e-10);
    }
}
