//! `trainer import`: the state dict of somebody's PyTorch DCGAN to a burn record and ONNX.
//!
//! A state dict has weights and no network: which layers they belong to follows from the numbers in their names, and what
//! has no weight (strides, activations) from the tutorial's pattern, which is printed. A pickle is data here: it is read by
//! a parser that knows tensors and containers, and nothing in it is executed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use pytorch_reader::{DType, PytorchReader};
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Activation, Op, Window};
use safetensors::{Dtype, SafeTensors};

/// A state dict: tensors by name.
pub type State = BTreeMap<String, Tensor>;

/// A tensor as 32-bit floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, the last index fastest.
    pub values: Vec<f32>,
}

/// What a state dict does not say.
#[derive(Clone, Debug)]
pub struct Assumed {
    /// After every layer but the last.
    pub inner: Activation,
    /// After the last.
    pub output: Activation,
    /// Added to a batch norm's variance.
    pub epsilon: f32,
    /// Part of the names of the network that is meant, where there are several.
    pub key: Option<String>,
}

impl Default for Assumed {
    /// The tutorial's.
    fn default() -> Self {
        Assumed { inner: Activation::Relu, output: Activation::Tanh, epsilon: 1e-5, key: None }
    }
}

/// Why a file is no generator.
#[derive(Debug)]
pub enum ImportError {
    /// A file that cannot be read.
    Read(PathBuf, std::io::Error),
    /// Not a file of tensors: what the parser said.
    Parse(PathBuf, String),
    /// A tensor whose values cannot be had.
    Tensor(PathBuf, String, String),
    /// No names such as `main.0.weight`; what there is.
    NoLayers(PathBuf, String),
    /// No network that ends in an image; those that were looked at, and why not.
    NoGenerator(PathBuf, String),
    /// More than one: their names.
    Several(PathBuf, Vec<String>),
    /// None whose names have the key.
    NoKey(PathBuf, String, Vec<String>),
    /// A tensor that a layer needs.
    Missing(String),
    /// Two tensors that do not fit each other: name and shape of both, and what should be the same.
    Shape([(String, Vec<usize>); 2], &'static str),
    /// A layer of a kind or size that a tutorial's generator does not have.
    Layer(String, String),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            ImportError::Parse(path, what) => write!(
                f,
                "{} is neither a PyTorch checkpoint nor safetensors: {what}",
                path.display()
            ),
            ImportError::Tensor(path, name, what) => {
                write!(f, "{}: tensor {name}: {what}", path.display())
            }
            ImportError::NoLayers(path, found) => write!(
                f,
                "{}: no weights with names such as main.0.weight; it holds {found}",
                path.display()
            ),
            ImportError::NoGenerator(path, why) => {
                write!(f, "{}: no generator in it: {why}", path.display())
            }
            ImportError::Several(path, names) => write!(
                f,
                "{}: several generators in it, {}: choose with --key",
                path.display(),
                names.join(" and ")
            ),
            ImportError::NoKey(path, key, names) => write!(
                f,
                "{}: no network's names have {key:?} in them; there are {}",
                path.display(),
                names.join(", ")
            ),
            ImportError::Missing(name) => write!(f, "{name} is missing"),
            ImportError::Shape([(one, a), (other, b)], what) => {
                write!(f, "{one} is {a:?} and {other} is {b:?}: {what}")
            }
            ImportError::Layer(name, what) => write!(f, "{name}: {what}"),
        }
    }
}

impl std::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ImportError::Read(_, error) => Some(error),
            _ => None,
        }
    }
}

/// The tensors of a file: safetensors by its ending, else what `torch.save` has written in any of its forms.
///
/// # Errors
/// [`ImportError`] names the file, and the tensor.
pub fn load(path: &Path) -> Result<State, ImportError> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors")) {
        return load_safetensors(path);
    }
    fs::File::open(path).map_err(|e| ImportError::Read(path.into(), e))?;
    let parse = |e: &dyn fmt::Display| ImportError::Parse(path.into(), e.to_string());
    let reader = PytorchReader::new(path).map_err(|e| parse(&e))?;
    let mut state = State::new();
    for (name, tensor) in reader.into_tensors() {
        let Some(decode) = decoder(tensor.dtype()) else {
            // A count of batches, say: whole numbers are no weights.
            continue;
        };
        let bytes = tensor
            .read()
            .map_err(|e| ImportError::Tensor(path.into(), name.clone(), e.to_string()))?;
        let shape = tensor.shape().to_vec();
        let values = decode(&bytes);
        state.insert(name, Tensor { shape, values });
    }
    Ok(state)
}

type Decode = fn(&[u8]) -> Vec<f32>;

/// How the bytes of a type of floats are read, in this machine's order.
fn decoder(kind: DType) -> Option<Decode> {
    Some(match kind {
        DType::F64 => |b| pieces(b, |p| f64::from_ne_bytes(p) as f32),
        DType::F32 => |b| pieces(b, f32::from_ne_bytes),
        DType::F16 => |b| pieces(b, |p| half::f16::from_ne_bytes(p).to_f32()),
        DType::BF16 => |b| pieces(b, |p| half::bf16::from_ne_bytes(p).to_f32()),
        _ => return None,
    })
}

fn pieces<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (pieces, _) = bytes.as_chunks::<N>();
    pieces.iter().map(|&piece| read(piece)).collect()
}

fn load_safetensors(path: &Path) -> Result<State, ImportError> {
    let bytes = fs::read(path).map_err(|e| ImportError::Read(path.into(), e))?;
    let parse = |e: &dyn fmt::Display| ImportError::Parse(path.into(), e.to_string());
    let file = SafeTensors::deserialize(&bytes).map_err(|e| parse(&e))?;
    let mut state = State::new();
    for (name, view) in file.tensors() {
        let values = match view.dtype() {
            Dtype::F64 => pieces(view.data(), |p| f64::from_le_bytes(p) as f32),
            Dtype::F32 => pieces(view.data(), f32::from_le_bytes),
            Dtype::F16 => pieces(view.data(), |p| half::f16::from_le_bytes(p).to_f32()),
            Dtype::BF16 => pieces(view.data(), |p| half::bf16::from_le_bytes(p).to_f32()),
            _ => continue,
        };
        let shape = view.shape().to_vec();
        state.insert(name, Tensor { shape, values });
    }
    Ok(state)
}

/// A module of a network: the numbers of its place, and the name before its tensors'.
struct Module<'a> {
    place: Vec<&'a str>,
    name: String,
}

/// The networks of a state dict: modules in the order of their numbers, by the part of the names before the first number.
fn networks(state: &State) -> BTreeMap<String, Vec<Module<'_>>> {
    let mut all: BTreeMap<String, Vec<Module<'_>>> = BTreeMap::new();
    for name in state.keys() {
        let Some((module, part)) = name.rsplit_once('.') else {
            continue;
        };
        if !["weight", "bias", "running_mean", "running_var"].contains(&part) {
            continue;
        }
        let parts: Vec<&str> = module.split('.').collect();
        let is_number = |p: &&str| p.bytes().all(|b| b.is_ascii_digit());
        let Some(first) = parts.iter().position(is_number) else {
            continue;
        };
        let modules = all.entry(parts[..first].join(".")).or_default();
        if modules.last().is_none_or(|m| m.name != module)
            && modules.iter().all(|m| m.name != module)
        {
            modules.push(Module { place: parts[first..].to_vec(), name: module.into() });
        }
    }
    for modules in all.values_mut() {
        // Numbers as numbers: 10 comes after 9.
        modules.sort_by_key(|m| -> Vec<(u64, String)> {
            m.place.iter().map(|p| (p.parse().unwrap_or(u64::MAX), p.to_string())).collect()
        });
    }
    all
}

/// The generator in a state dict.
///
/// # Errors
/// [`ImportError`] names the tensor, with both shapes where two do not fit.
pub fn graph(
    path: &Path,
    state: &State,
    assumed: &Assumed,
    facts: Facts,
) -> Result<Graph, ImportError> {
    let networks = networks(state);
    let names = || networks.keys().map(|n| shown(n)).collect::<Vec<_>>();
    if networks.is_empty() {
        let some: Vec<&str> = state.keys().take(4).map(String::as_str).collect();
        let found = match some.is_empty() {
            true => "no tensors of floats".into(),
            false => format!("{} tensors such as {}", state.len(), some.join(", ")),
        };
        return Err(ImportError::NoLayers(path.into(), found));
    }
    let wanted: Vec<(&String, &Vec<Module<'_>>)> = networks
        .iter()
        .filter(|(name, _)| assumed.key.as_ref().is_none_or(|key| name.contains(key.as_str())))
        .collect();
    if wanted.is_empty() {
        let key = assumed.key.clone().unwrap_or_default();
        return Err(ImportError::NoKey(path.into(), key, names()));
    }
    let (mut found, mut why) = (Vec::new(), Vec::new());
    for (name, modules) in &wanted {
        match kind(state, modules) {
            Kind::Generator => found.push((*name, *modules)),
            Kind::Other(what) => why.push(format!("{} {what}", shown(name))),
        }
    }
    match found[..] {
        [(_, modules)] => build(state, modules, assumed, facts),
        [] => Err(ImportError::NoGenerator(path.into(), why.join("; "))),
        _ => {
            let names = found.iter().map(|(name, _)| shown(name)).collect();
            Err(ImportError::Several(path.into(), names))
        }
    }
}

fn shown(name: &str) -> String {
    match name {
        "" => "the names without a prefix".into(),
        name => name.into(),
    }
}

/// What a network seems to be.
enum Kind {
    /// It ends in an image.
    Generator,
    /// It does not: in words.
    Other(String),
}

fn kind(state: &State, modules: &[Module<'_>]) -> Kind {
    let kernels: Vec<&[usize]> = modules
        .iter()
        .filter_map(|m| state.get(&format!("{}.weight", m.name)))
        .map(|t| t.shape.as_slice())
        .filter(|shape| shape.len() == 4)
        .collect();
    let (Some(first), Some(last)) = (kernels.first(), kernels.last()) else {
        return Kind::Other("has no kernels of four axes".into());
    };
    let image = |channels: usize| [1, 3].contains(&channels);
    if image(last[1]) && !(image(first[1]) && last[0] == 1) {
        return Kind::Generator;
    }
    if image(first[1]) && last[0] == 1 {
        return Kind::Other(
            "is a discriminator: it begins with an image and ends in one number".into(),
        );
    }
    Kind::Other(format!(
        "ends in a kernel of {last:?}, which makes {} channels, not 1 or 3",
        last[1]
    ))
}

fn build(
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
            weight: weight.values.clone(),
            bias: bias.map(|b| b.values.clone()).unwrap_or_default(),
        });
        before = Some((named("weight"), weight.shape.clone()));
    }
    activate(&mut layers, assumed.output);
    Ok(Graph { latent, layers, facts })
}

/// Stride and padding by the tutorial's pattern: the first kernel makes a map of its size of one pixel, others double.
fn window(name: &str, kernel: usize, first: bool) -> Result<Window, ImportError> {
    let (stride, padding) = match (first, kernel) {
        (true, _) => (1, 0),
        (false, k) if k % 2 == 0 => (2, (k - 2) / 2),
        // Of odd kernels those that keep the size are usual; doubling would need an output padding.
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
    // Without affine=True there is neither of the two.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn state(tensors: &[(&str, &[usize])]) -> State {
        tensors
            .iter()
            .map(|(name, shape)| {
                let values = vec![0.5; shape.iter().product()];
                let shape = shape.to_vec();
                (name.to_string(), Tensor { shape, values })
            })
            .collect()
    }

    const WHOLE: [(&str, &[usize]); 7] = [
        ("netG.main.0.weight", &[5, 8, 4, 4]),
        ("netG.main.1.weight", &[8]),
        ("netG.main.1.bias", &[8]),
        ("netG.main.1.running_mean", &[8]),
        ("netG.main.1.running_var", &[8]),
        ("netG.main.10.weight", &[4, 3, 4, 4]),
        ("netG.main.9.weight", &[8, 4, 4, 4]),
    ];

    fn import(state: &State, key: Option<&str>) -> Result<Graph, ImportError> {
        let assumed = Assumed { key: key.map(String::from), ..Assumed::default() };
        graph(Path::new("x.pth"), state, &assumed, Facts::default())
    }

    #[test]
    fn numbers_are_numbers_and_strides_the_tutorials() {
        let graph = import(&state(&WHOLE), None).unwrap();
        assert_eq!(graph.latent, 5);
        let last = graph.shapes().unwrap().last().copied().unwrap();
        assert_eq!((last.c, last.h, last.w), (3, 16, 16));
        let kinds: Vec<&str> = graph
            .layers
            .iter()
            .map(|l| l.name.trim_end_matches(|c: char| c.is_ascii_digit()))
            .collect();
        let want = [
            "conv_transpose",
            "batch_norm",
            "activation",
            "conv_transpose",
            "activation",
            "conv_transpose",
            "activation",
        ];
        assert_eq!(kinds, want);
    }

    #[test]
    fn what_does_not_fit_is_named_with_both_shapes() {
        let without = |name: &str| {
            let mut all = state(&WHOLE);
            all.remove(name);
            all
        };
        let with = |name: &str, shape: &[usize]| {
            let mut all = state(&WHOLE);
            all.extend(state(&[(name, shape)]));
            all
        };
        let d: [(&str, &[usize]); 2] =
            [("netD.main.0.weight", &[4, 3, 4, 4]), ("netD.main.2.weight", &[1, 4, 4, 4])];
        let cases: [(State, Option<&str>, &str); 8] = [
            (without("netG.main.1.running_var"), None, "netG.main.1.running_var is missing"),
            (without("netG.main.1.bias"), None, "netG.main.1.bias is missing"),
            (
                with("netG.main.9.weight", &[7, 4, 4, 4]),
                None,
                "netG.main.0.weight is [5, 8, 4, 4] and netG.main.9.weight is [7, 4, 4, 4]",
            ),
            (
                with("netG.main.1.running_mean", &[9]),
                None,
                "netG.main.0.weight is [5, 8, 4, 4] and netG.main.1.running_mean is [9]",
            ),
            (with("netG.main.9.weight", &[8, 4, 4, 3]), None, "a kernel of 4 x 3"),
            (state(&d), None, "netD.main is a discriminator"),
            (state(&[("fc.weight", &[3, 3])]), None, "it holds 1 tensors such as fc.weight"),
            (
                state(&WHOLE),
                Some("ema"),
                "no network's names have \"ema\" in them; there are netG.main",
            ),
        ];
        for (state, key, want) in cases {
            let error = import(&state, key).unwrap_err().to_string();
            assert!(error.contains(want), "{error}\nlacks {want}");
        }
    }

    #[test]
    fn of_several_networks_the_generator_is_taken() {
        let mut all = state(&WHOLE);
        all.extend(state(&[
            ("netD.main.0.weight", &[4, 3, 4, 4]),
            ("netD.main.2.weight", &[1, 4, 4, 4]),
        ]));
        assert_eq!(import(&all, None).unwrap().latent, 5);
        let twin: Vec<(String, Tensor)> = all
            .iter()
            .filter(|(n, _)| n.starts_with("netG"))
            .map(|(n, t)| (n.replace("netG", "ema"), t.clone()))
            .collect();
        all.extend(twin);
        let error = import(&all, None).unwrap_err().to_string();
        assert!(error.contains("ema.main and netG.main: choose with --key"), "{error}");
        assert_eq!(import(&all, Some("ema")).unwrap().latent, 5);
    }
}
