//! The layers of a generator from the tensors of its modules.

use runtime::Input;
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Activation, Op, Window};

use super::error::ImportError;
use super::state::State;

/// What a state dict does not contain.
#[derive(Clone, Debug)]
pub struct Assumed {
    /// Activation after every layer but the last.
    pub inner: Activation,
    /// Activation after the last layer.
    pub output: Activation,
    /// Epsilon of batch norm.
    pub epsilon: f32,
    /// Part of the names of the wanted network, if there are several.
    pub key: Option<String>,
}

impl Default for Assumed {
    /// As in the DCGAN tutorial.
    fn default() -> Self {
        Assumed { inner: Activation::Relu, output: Activation::Tanh, epsilon: 1e-5, key: None }
    }
}

/// A module of a network: the numbers in its name, and the name.
pub(super) struct Module<'a> {
    pub place: Vec<&'a str>,
    pub name: String,
}

/// The generator of `modules`, in their order.
///
/// # Errors
/// [`ImportError`] names the tensor.
pub(super) fn build(
    state: &State,
    modules: &[Module<'_>],
    assumed: &Assumed,
    facts: Facts,
) -> Result<Graph, ImportError> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut before: Option<(String, Vec<usize>)> = None;
    let mut latent = 0;
    for module in modules {
        let named = |part: &str| format!("{}.{part}", module.name);
        let get = |part: &str| state.get(&named(part));
        let norm = get("running_mean").is_some() || get("running_var").is_some();
        if norm || get("weight").is_some_and(|w| w.shape.len() == 1) {
            let layer = batch_norm(state, module, before.as_ref(), assumed.epsilon, layers.len())?;
            layers.push(layer);
            continue;
        }
        let weight = get("weight").ok_or_else(|| ImportError::Missing(named("weight")))?;
        let &[from, to, kernel, other] = &weight.shape[..] else {
            let what = format!(
                "a weight of {:?}: only transposed convolutions, [in, out, k, k], are read",
                weight.shape
            );
            return Err(ImportError::Layer(named("weight"), what));
        };
        if kernel != other {
            let what = format!("a kernel of {kernel} x {other}: only square ones are read");
            return Err(ImportError::Layer(named("weight"), what));
        }
        match &before {
            Some((name, shape)) if shape[1] != from => {
                let pair = [(name.clone(), shape.clone()), (named("weight"), weight.shape.clone())];
                return Err(ImportError::Shape(
                    pair,
                    "the second number of the one is the first of the next",
                ));
            }
            Some(_) => activate(&mut layers, assumed.inner),
            None => latent = from,
        }
        let bias = get("bias");
        if let Some(bias) = bias
            && bias.shape != [to]
        {
            let pair =
                [(named("weight"), weight.shape.clone()), (named("bias"), bias.shape.clone())];
            return Err(ImportError::Shape(pair, "a bias has a number for each output channel"));
        }
        layers.push(Layer {
            name: format!("conv_transpose{}", layers.len()),
            op: Op::ConvTranspose {
                out: to,
                window: window(&named("weight"), kernel, before.is_none())?,
            },
            activation: Activation::None,
            from: None,
            with: None,
            weight: weight.values.clone(),
            bias: bias.map(|b| b.values.clone()).unwrap_or_default(),
        });
        before = Some((named("weight"), weight.shape.clone()));
    }
    activate(&mut layers, assumed.output);
    Ok(Graph { input: Input::Latent(latent), layers, facts })
}

/// Stride and padding as in the tutorial: the first kernel expands one pixel to its own size, the
/// others double the size.
fn window(name: &str, kernel: usize, first: bool) -> Result<Window, ImportError> {
    let (stride, padding) = match (first, kernel) {
        (true, _) => (1, 0),
        (false, k) if k % 2 == 0 => (2, (k - 2) / 2),
        // Odd kernels usually keep the size; doubling would need an output padding.
        (false, k) => (1, (k - 1) / 2),
    };
    if kernel == 0 || kernel > 16 {
        return Err(ImportError::Layer(name.into(), format!("a kernel of {kernel}: from 1 to 16")));
    }
    Ok(Window { kernel, stride, padding })
}

fn activate(layers: &mut Vec<Layer>, activation: Activation) {
    if activation != Activation::None {
        layers.push(Layer {
            name: format!("activation{}", layers.len()),
            op: Op::Activate,
            activation,
            from: None,
            with: None,
            weight: Vec::new(),
            bias: Vec::new(),
        });
    }
}

fn batch_norm(
    state: &State,
    module: &Module<'_>,
    before: Option<&(String, Vec<usize>)>,
    epsilon: f32,
    number: usize,
) -> Result<Layer, ImportError> {
    let named = |part: &str| format!("{}.{part}", module.name);
    let Some((kernel, shape)) = before else {
        let what = "a batch norm before the first layer".into();
        return Err(ImportError::Layer(module.name.clone(), what));
    };
    let channels = shape[1];
    let get = |part: &str| -> Result<Vec<f32>, ImportError> {
        let tensor = state.get(&named(part)).ok_or_else(|| ImportError::Missing(named(part)))?;
        match tensor.shape[..] == [channels] {
            true => Ok(tensor.values.clone()),
            false => Err(ImportError::Shape(
                [(kernel.clone(), shape.clone()), (named(part), tensor.shape.clone())],
                "a batch norm has a number for each channel that comes before it",
            )),
        }
    };
    // affine=False: neither of the two.
    let plain = !state.contains_key(&named("weight")) && !state.contains_key(&named("bias"));
    let (gamma, beta) = match plain {
        true => (vec![1.0; channels], vec![0.0; channels]),
        false => (get("weight")?, get("bias")?),
    };
    let (mean, variance) = (get("running_mean")?, get("running_var")?);
    if let Some(v) = variance.iter().find(|v| v.is_nan() || **v < 0.0) {
        let what = format!("a variance of {v}");
        return Err(ImportError::Layer(named("running_var"), what));
    }
    let name = format!("batch_norm{number}");
    Ok(Layer::batch_norm(name, &gamma, &beta, &mean, &variance, epsilon))
}
