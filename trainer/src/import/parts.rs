//! The modules of a state dict, with the weights that they compute with.

use std::collections::BTreeMap;

use super::error::ImportError;
use super::state::{State, Tensor};

/// A module with weights.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its name in the state dict.
    pub name: String,
    pub kind: Kind,
}

/// What the shapes of a module's tensors say about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A matrix `[out, in]`.
    Dense { out: usize, inputs: usize },
    /// A kernel `[a, b, k, k]`: of a convolution from b to a channels or a transposed one from a to
    /// b.
    Kernel { a: usize, b: usize, k: usize },
    /// Batch norm of that many channels.
    Norm(usize),
    /// Slopes of PReLU.
    Slopes,
    /// A table of labels, `[classes, width]`.
    Embedding { classes: usize, width: usize },
    /// Something else, and why it is not supported.
    Other(String),
}

impl Part {
    /// Whether it is a layer of the chain.
    pub fn is_layer(&self) -> bool {
        matches!(self.kind, Kind::Dense { .. } | Kind::Kernel { .. } | Kind::Other(_))
    }
}

/// Prefixes that wrappers add to all names.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];

/// The state dict without wrappers' prefixes, and with the weights that spectral norm and weight
/// norm compute with in place of those that they store.
///
/// # Errors
/// [`ImportError::Layer`] names a weight whose norm does not fit it.
pub(super) fn effective(state: &State) -> Result<State, ImportError> {
    let mut plain = State::new();
    for (name, tensor) in state {
        let mut name = name.clone();
        for wrapper in WRAPPERS {
            name = match name.strip_prefix(wrapper) {
                Some(rest) => rest.into(),
                None => name.replace(&format!(".{wrapper}"), "."),
            };
        }
        plain.insert(name, tensor.clone());
    }
    let modules: Vec<String> = plain.keys().filter_map(|name| normed(name)).collect();
    for module in modules {
        let mut take = |parts: &[&str]| {
            parts.iter().find_map(|part| plain.remove(&format!("{module}.{part}")))
        };
        let u = take(&["weight_u", "parametrizations.weight.0._u"]);
        let original = take(&["weight_orig", "weight_bar", "parametrizations.weight.original"]);
        let g = take(&["weight_g", "parametrizations.weight.original0"]);
        let v = take(&[
            "weight_v",
            "parametrizations.weight.0._v",
            "parametrizations.weight.original1",
        ]);
        let weight = match (original, u, v, g) {
            (Some(weight), Some(u), Some(v), None) => spectral(weight, &u, &v),
            (None, None, Some(v), Some(g)) => weight_norm(v, &g),
            _ => None,
        };
        let weight = weight.ok_or_else(|| {
            let what = "its spectral or weight norm does not have the tensors that PyTorch writes";
            ImportError::Layer(module.clone(), what.into())
        })?;
        plain.insert(format!("{module}.weight"), weight);
    }
    Ok(plain)
}

/// The module of a tensor that belongs to spectral norm or weight norm.
fn normed(name: &str) -> Option<String> {
    let marks = [
        ".weight_orig",
        ".weight_bar",
        ".weight_g",
        ".parametrizations.weight.original",
        ".parametrizations.weight.original0",
    ];
    marks.iter().find_map(|mark| name.strip_suffix(mark)).map(String::from)
}

/// The weight divided by its largest singular value, `u W v` (Miyato et al. 2018, section 2.1). The
/// first axis of the matrix W is that of the outputs: the second of a transposed convolution.
fn spectral(weight: Tensor, u: &Tensor, v: &Tensor) -> Option<Tensor> {
    let n = weight.values.len();
    let (&first, &second) = (weight.shape.first()?, weight.shape.get(1)?);
    if n == 0 {
        return None;
    }
    let inner = n / first / second;
    let fits = |rows: usize| u.values.len() == rows && v.values.len() == n / rows;
    let of = |transposed: bool| -> f64 {
        let place = |i: usize| {
            let (a, b, rest) = (i / (second * inner), i / inner % second, i % inner);
            match transposed {
                true => (b, a * inner + rest),
                false => (a, b * inner + rest),
            }
        };
        let term = |(i, w): (usize, &f32)| {
            let (row, column) = place(i);
            f64::from(*w) * f64::from(u.values[row]) * f64::from(v.values[column])
        };
        weight.values.iter().enumerate().map(term).sum()
    };
    // Both fit a square weight; the right one gives the larger value.
    let straight = fits(first).then(|| of(false));
    let turned = fits(second).then(|| of(true));
    let sigma = match (straight, turned) {
        (Some(a), Some(b)) => a.max(b),
        (Some(a), None) | (None, Some(a)) => a,
        (None, None) => return None,
    };
    if sigma == 0.0 || !sigma.is_finite() {
        return None;
    }
    let values = weight.values.iter().map(|w| (f64::from(*w) / sigma) as f32).collect();
    Some(Tensor { values, ..weight })
}

/// `g v / |v|`, with a norm for each index of the first axis (Salimans and Kingma 2016, equation 2).
fn weight_norm(v: Tensor, g: &Tensor) -> Option<Tensor> {
    let rows = *v.shape.first()?;
    if g.values.len() != rows || rows == 0 || v.values.is_empty() {
        return None;
    }
    let row = v.values.len() / rows;
    let mut values = Vec::with_capacity(v.values.len());
    for (v, g) in v.values.chunks_exact(row).zip(&g.values) {
        let norm = v.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt();
        values.extend(v.iter().map(|w| (f64::from(*w) * f64::from(*g) / norm) as f32));
    }
    Some(Tensor { values, ..v })
}

/// The modules of a state dict in the natural order of their names: 10 comes after 9.
pub(super) fn parts(state: &State) -> Vec<Part> {
    let mut modules: BTreeMap<Vec<(String, u64, String)>, String> = BTreeMap::new();
    for name in state.keys() {
        let (module, part) = name.rsplit_once('.').unwrap_or(("", name));
        if ["weight", "bias", "running_mean", "running_var"].contains(&part) {
            modules.insert(natural(module), module.into());
        }
    }
    let part = |name: String| Part { kind: kind(state, &name), name };
    modules.into_values().map(part).collect()
}

/// The components of a name, each as letters, the first number after them, and the rest.
fn natural(name: &str) -> Vec<(String, u64, String)> {
    let component = |text: &str| {
        let digit = |c: char| c.is_ascii_digit();
        let start = text.find(digit).unwrap_or(text.len());
        let (letters, rest) = text.split_at(start);
        let end = rest.find(|c| !digit(c)).unwrap_or(rest.len());
        let (number, rest) = rest.split_at(end);
        (letters.to_string(), number.parse().unwrap_or(0), rest.to_string())
    };
    name.split('.').map(component).collect()
}

/// The name of a module's tensor.
pub(super) fn tensor_name(module: &str, part: &str) -> String {
    match module {
        "" => part.into(),
        module => format!("{module}.{part}"),
    }
}

fn kind(state: &State, module: &str) -> Kind {
    let get = |part: &str| state.get(&tensor_name(module, part)).map(|t| &t.shape[..]);
    let lower = module.to_lowercase();
    if let Some(shape) = get("running_mean").or(get("running_var")) {
        return Kind::Norm(shape.first().copied().unwrap_or(0));
    }
    match (get("weight"), get("bias")) {
        (Some(&[out, inputs]), bias) => {
            match bias.is_none() && ["emb", "label"].iter().any(|w| lower.contains(w)) {
                true => Kind::Embedding { classes: out, width: inputs },
                false => Kind::Dense { out, inputs },
            }
        }
        (Some(&[a, b, k, other]), _) if k == other => Kind::Kernel { a, b, k },
        (Some(&[_, _, k, other]), _) => {
            Kind::Other(format!("a kernel of {k} x {other}: only square ones are read"))
        }
        (Some(&[_]), None) => Kind::Slopes,
        // A norm whose statistics are missing.
        (Some(&[n]), Some(_)) => Kind::Norm(n),
        (Some(shape), _) => Kind::Other(format!("a weight of {shape:?} is not supported")),
        (None, _) => Kind::Other("it has no weight".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize], values: &[f32]) -> Tensor {
        Tensor { shape: shape.to_vec(), values: values.to_vec() }
    }

    #[test]
    fn names_are_sorted_as_people_count() {
        let mut names = ["conv10", "conv2", "layer.10.0", "layer.9.1", "bn1", "conv2_bn"];
        names.sort_by_key(|n| natural(n));
        assert_eq!(names, ["bn1", "conv2", "conv2_bn", "conv10", "layer.9.1", "layer.10.0"]);
    }

    #[test]
    fn norms_of_weights() {
        // 3 0; 0 4: the largest singular value is 4, of the second vectors.
        let weight = tensor(&[2, 2], &[3.0, 0.0, 0.0, 4.0]);
        let unit = tensor(&[2], &[0.0, 1.0]);
        for [orig, u, v] in [
            ["weight_orig", "weight_u", "weight_v"],
            [
                "parametrizations.weight.original",
                "parametrizations.weight.0._u",
                "parametrizations.weight.0._v",
            ],
        ] {
            let name = |part: &str| format!("module.fc.{part}");
            let state = State::from([
                (name(orig), weight.clone()),
                (name(u), unit.clone()),
                (name(v), unit.clone()),
            ]);
            let plain = effective(&state).unwrap();
            assert_eq!(plain.keys().collect::<Vec<_>>(), ["fc.weight"]);
            assert_eq!(plain["fc.weight"].values, [0.75, 0.0, 0.0, 1.0]);
        }
        let state = State::from([
            ("fc.weight_g".into(), tensor(&[2, 1], &[10.0, 1.0])),
            ("fc.weight_v".into(), tensor(&[2, 2], &[3.0, 4.0, 0.0, 2.0])),
        ]);
        assert_eq!(effective(&state).unwrap()["fc.weight"].values, [6.0, 8.0, 0.0, 1.0]);
        let state = State::from([("fc.weight_orig".into(), weight)]);
        assert!(effective(&state).unwrap_err().to_string().starts_with("fc: its spectral"));
    }
}
