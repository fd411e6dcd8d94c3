//! Functions of one value by their values at a few numbers, compared with the activations that
//! there are.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::data::Data;
use super::node::Node;
use crate::op::Activation;

/// Where functions are compared, in order.
pub(super) fn samples() -> impl Iterator<Item = f64> {
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
pub(super) struct Value {
    pub own: Vec<f64>,
    pub by: Option<Vec<f64>>,
}

/// Tensors that are functions of one tensor.
pub(super) struct Functions {
    /// The tensor that they are functions of.
    pub base: String,
    pub start: Data,
    /// The constant `k` of [`Value`].
    pub constant: Option<String>,
    pub values: BTreeMap<String, Value>,
    /// How many nodes of the function still use each of them, and the base.
    pub left: BTreeMap<String, usize>,
}

impl Functions {
    /// Functions of `base`, which has `uses` uses in them.
    pub fn new(base: &str, start: Data, uses: usize) -> Functions {
        Functions {
            base: base.into(),
            start,
            constant: None,
            values: BTreeMap::new(),
            left: [(base.into(), uses)].into(),
        }
    }

    pub fn get(&self, name: &str) -> Option<Value> {
        match name == self.base {
            true => Some(Value { own: samples().collect(), by: None }),
            false => self.values.get(name).cloned(),
        }
    }
}

/// The activations, for messages.
pub(super) const KNOWN: &str =
    "ReLU, LeakyReLU, Tanh, Sigmoid, ELU, SELU, GELU, SiLU, Mish, Softplus, Clip";

pub(super) fn is_elementwise(op: &str) -> bool {
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
pub(super) enum Found {
    Activation(Activation),
    /// Factor and what is added.
    Affine(f32, f32),
    /// PReLU with the constant, times this sign, as its slopes.
    Slopes(f32),
}

/// A node's function of its inputs, at most one of which may vary with the constant.
pub(super) fn linear(node: &Node<'_>, inputs: &[Option<Value>]) -> Option<Value> {
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

pub(super) fn recognize_value(value: &Value) -> Option<Found> {
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
