//! A network as a list of steps: what is guessed from a state dict, printed, and read from a file.

use std::fmt;

use runtime::Input;
use runtime::graph::{self, Facts, Graph, Layer};
use runtime::op::{Activation, Op, Shape, Window};

use super::error::ImportError;
use super::parts::tensor_name;
use super::state::{State, Tensor};

/// One step of a generator.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The module whose tensors it uses; empty for those without.
    pub module: String,
    /// What it does.
    pub what: What,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// A matrix and a bias.
    Dense,
    /// A convolution.
    Conv {
        /// Step in pixels of the input.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
    },
    /// A transposed convolution.
    ConvTranspose {
        /// Step in pixels of the output.
        stride: usize,
        /// Rows cut from each side.
        padding: usize,
        /// Rows added at the end.
        output_padding: usize,
    },
    /// Batch norm.
    BatchNorm {
        /// What is added to the variance.
        epsilon: f32,
    },
    /// PReLU, of one slope or one per channel.
    Prelu,
    /// The same values in another shape.
    Reshape(Shape),
    /// Pixels repeated by this factor.
    Upsample(usize),
    /// Channels to pixels by this factor, as PyTorch's `PixelShuffle`.
    PixelShuffle(usize),
    /// An activation.
    Activation(Activation),
    /// The row of a label's table, before the first layer.
    Label(Meeting),
}

/// How a label's row meets the latent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Before it.
    First,
    /// Behind it.
    Last,
    /// Multiplied by it.
    Times,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_empty() {
            write!(f, "{} ", self.module)?;
        }
        match self.what {
            What::Dense => write!(f, "dense"),
            What::Conv { stride, padding } => write!(f, "conv stride={stride} padding={padding}"),
            What::ConvTranspose { stride, padding, output_padding } => {
                write!(f, "conv_transpose stride={stride} padding={padding}")?;
                match output_padding {
                    0 => Ok(()),
                    more => write!(f, " output_padding={more}"),
                }
            }
            What::BatchNorm { epsilon } => write!(f, "batch_norm epsilon={epsilon}"),
            What::Prelu => write!(f, "prelu"),
            What::Reshape(s) => write!(f, "reshape {}x{}x{}", s.c, s.h, s.w),
            What::Upsample(factor) => write!(f, "upsample {factor}"),
            What::PixelShuffle(factor) => write!(f, "pixel_shuffle {factor}"),
            What::Label(Meeting::First) => write!(f, "label first"),
            What::Label(Meeting::Last) => write!(f, "label last"),
            What::Label(Meeting::Times) => write!(f, "label times"),
            What::Activation(activation) => write!(f, "{}", activation_name(activation)),
        }
    }
}

/// The name of an activation on the command line.
pub fn activation_name(activation: Activation) -> String {
    match activation {
        Activation::LeakyRelu(slope) => format!("leaky:{slope}"),
        Activation::Elu(alpha) => format!("elu:{alpha}"),
        Activation::Clip(least, most) => format!("clip:{least}:{most}"),
        other => other.name().to_lowercase(),
    }
}

/// The activation of a name on the command line.
pub fn activation(text: &str) -> Option<Activation> {
    let mut words = text.split(':');
    let name = words.next()?;
    let mut number = || words.next()?.parse::<f32>().ok();
    let found = match name {
        "relu" => Activation::Relu,
        "leaky" => Activation::LeakyRelu(number()?),
        "tanh" => Activation::Tanh,
        "sigmoid" => Activation::Sigmoid,
        "elu" => Activation::Elu(number().unwrap_or(1.0)),
        "selu" => Activation::Selu,
        "gelu" => Activation::Gelu,
        "gelutanh" => Activation::GeluTanh,
        "silu" => Activation::Silu,
        "mish" => Activation::Mish,
        "softplus" => Activation::Softplus,
        "relu6" => Activation::Clip(0.0, 6.0),
        "clip" => Activation::Clip(number()?, number()?),
        "none" => Activation::None,
        _ => return None,
    };
    (words.next().is_none() && found.is_valid()).then_some(found)
}

/// Steps from a text: one a line, `#` begins a comment.
///
/// # Errors
/// The number of the line and what would work.
pub fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let step = parse_line(&words).ok_or_else(|| {
            format!(
                "line {}: {:?} is no step; steps are MODULE dense, MODULE conv stride=1 padding=1, \
                 MODULE conv_transpose stride=2 padding=1 output_padding=0, MODULE batch_norm \
                 epsilon=1e-5, MODULE prelu, MODULE label first|last|times, reshape CxHxW, upsample \
                 2, pixel_shuffle 2, or an activation such as relu, leaky:0.2, tanh",
                i + 1,
                line.trim()
            )
        })?;
        steps.push(step);
    }
    match steps.is_empty() {
        true => Err("it has no steps".into()),
        false => Ok(steps),
    }
}

fn parse_line(words: &[&str]) -> Option<Step> {
    let own = |what| Some(Step { module: String::new(), what });
    match words {
        ["reshape", shape] => {
            let sides: Option<Vec<usize>> = shape.split('x').map(|n| n.parse().ok()).collect();
            let &[c, h, w] = &sides?[..] else { return None };
            return own(What::Reshape(Shape::new(c, h, w)));
        }
        ["upsample", n] => return own(What::Upsample(n.parse().ok()?)),
        ["pixel_shuffle", n] => return own(What::PixelShuffle(n.parse().ok()?)),
        [name] => return own(What::Activation(activation(name)?)),
        _ => {}
    }
    let [module, verb, rest @ ..] = words else { return None };
    let value =
        |key: &str| rest.iter().find_map(|w| w.strip_prefix(key).and_then(|w| w.strip_prefix('=')));
    let number = |key: &str, default: usize| match value(key) {
        None => Some(default),
        Some(text) => text.parse().ok().filter(|n| *n <= 64),
    };
    let known = |keys: &[&str]| {
        rest.iter().all(|w| w.split_once('=').is_some_and(|(key, _)| keys.contains(&key)))
    };
    let what = match *verb {
        "dense" if rest.is_empty() => What::Dense,
        "prelu" if rest.is_empty() => What::Prelu,
        "conv" if known(&["stride", "padding"]) => {
            What::Conv { stride: number("stride", 1)?, padding: number("padding", 0)? }
        }
        "conv_transpose" if known(&["stride", "padding", "output_padding"]) => {
            What::ConvTranspose {
                stride: number("stride", 1)?,
                padding: number("padding", 0)?,
                output_padding: number("output_padding", 0)?,
            }
        }
        "batch_norm" if known(&["epsilon"]) => What::BatchNorm {
            epsilon: match value("epsilon") {
                None => 1e-5,
                Some(text) => text.parse().ok().filter(|e: &f32| e.is_finite() && *e >= 0.0)?,
            },
        },
        "label" => What::Label(match rest {
            ["first"] => Meeting::First,
            ["last"] => Meeting::Last,
            ["times"] => Meeting::Times,
            _ => return None,
        }),
        _ => return None,
    };
    Some(Step { module: module.to_string(), what })
}

/// A graph and the shape after each step.
pub(super) struct Built {
    pub graph: Graph,
    pub shapes: Vec<Shape>,
}

/// Builds the graph of steps.
///
/// # Errors
/// [`ImportError`] names the module.
pub(super) fn build(state: &State, steps: &[Step], mut facts: Facts) -> Result<Built, ImportError> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut shapes = Vec::new();
    let mut before: Option<(String, Vec<usize>)> = None;
    let mut shape: Option<Shape> = None;
    let mut latent = 0;
    let mut label: Option<(String, Meeting)> = None;
    for step in steps {
        let module = &step.module;
        let named = |part: &str| tensor_name(module, part);
        let get = |part: &str| state.get(&named(part));
        let fail = |what: String| ImportError::Layer(named("weight"), what);
        let weight = || {
            let weight = get("weight").ok_or_else(|| ImportError::Missing(named("weight")))?;
            let dims = &weight.shape;
            match dims.len() {
                2 | 4 => Ok(weight),
                _ => Err(fail(format!("a weight of {dims:?} is not one of a layer"))),
            }
        };
        if let What::Label(meeting) = step.what {
            if shape.is_some() || label.is_some() {
                return Err(fail("a label meets the latent once, before the first layer".into()));
            }
            label = Some((module.clone(), meeting));
            shapes.push(Shape::new(0, 1, 1));
            continue;
        }
        if let (None, Some(inputs)) = (shape, first_inputs(step, &weight)?) {
            let start = start(state, label.as_ref(), inputs, &mut facts)?;
            latent = start.latent;
            layers = start.layers;
            shape = Some(Shape::new(inputs, 1, 1));
        }
        let Some(input) = shape else {
            let what = format!("{step} comes before the first layer");
            return Err(ImportError::Layer(module.clone(), what));
        };
        let misfit = |inputs: usize, have: usize, weight: &Tensor| match &before {
            Some(pair) => ImportError::Shape(
                [pair.clone(), (named("weight"), weight.shape.clone())],
                "the channels that the one makes are those that the next reads",
            ),
            None => fail(format!("it reads {inputs} values, and there are {have}")),
        };
        let bias = |out: usize| match get("bias") {
            Some(bias) if bias.shape != [out] => Err(ImportError::Shape(
                [
                    (named("weight"), get("weight").map(|w| w.shape.clone()).unwrap_or_default()),
                    (named("bias"), bias.shape.clone()),
                ],
                "a bias has a number for each output channel",
            )),
            Some(bias) => Ok(bias.values.clone()),
            None => Ok(vec![]),
        };
        let number = layers.len();
        let layer = |op, weight, bias| {
            let name = format!("{}{number}", name_of(&op));
            Layer { weight, bias, ..Layer::new(name, op) }
        };
        match step.what {
            What::Dense => {
                let weight = weight()?;
                let &[out, inputs] = &weight.shape[..] else {
                    return Err(fail(format!("{:?} is not a matrix", weight.shape)));
                };
                if inputs != input.values() {
                    return Err(misfit(inputs, input.values(), weight));
                }
                layers.push(layer(Op::Dense { out }, weight.values.clone(), bias(out)?));
                before = Some((named("weight"), weight.shape.clone()));
            }
            What::Conv { .. } | What::ConvTranspose { .. } => {
                let weight = weight()?;
                let &[a, b, k, other] = &weight.shape[..] else {
                    return Err(fail(format!("{:?} is not a kernel", weight.shape)));
                };
                if k != other || k == 0 {
                    return Err(fail(format!(
                        "a kernel of {k} x {other}: only square ones are read"
                    )));
                }
                let back = matches!(step.what, What::ConvTranspose { .. });
                let (inputs, out) = if back { (a, b) } else { (b, a) };
                if inputs != input.c {
                    return Err(misfit(inputs, input.c, weight));
                }
                let (op, values) = match step.what {
                    What::ConvTranspose { stride, padding, output_padding } => {
                        // Zeros behind the kernel make the output larger.
                        let kernel = k + output_padding;
                        let op =
                            Op::ConvTranspose { out, window: Window { kernel, stride, padding } };
                        (op, enlarged(&weight.values, k, kernel))
                    }
                    What::Conv { stride, padding } => {
                        let window = Window { kernel: k, stride, padding };
                        (Op::Conv { out, window }, weight.values.clone())
                    }
                    _ => continue,
                };
                layers.push(layer(op, values, bias(out)?));
                before = Some((named("weight"), weight.shape.clone()));
            }
            What::BatchNorm { epsilon } => {
                let before = before.as_ref();
                layers.push(batch_norm(state, module, before, input.c, epsilon, number)?);
            }
            What::Prelu => {
                let slopes = get("weight").ok_or_else(|| ImportError::Missing(named("weight")))?;
                if ![1, input.c].contains(&slopes.values.len()) {
                    return Err(fail(format!(
                        "{:?} slopes for {} channels",
                        slopes.shape, input.c
                    )));
                }
                room(&named("weight"), 2 * input.c, input.c)?;
                layers.extend(prelu(&slopes.values, input.c, number));
            }
            What::Reshape(to) => layers.push(layer(Op::Reshape { to }, vec![], vec![])),
            What::Upsample(factor) => layers.push(layer(Op::Resize { factor }, vec![], vec![])),
            What::PixelShuffle(r) => {
                let out = input.c.checked_div(r * r).unwrap_or(0);
                if out == 0 || out * r * r != input.c {
                    let what = format!("a pixel shuffle by {r} does not fit {} channels", input.c);
                    return Err(ImportError::Layer("pixel_shuffle".into(), what));
                }
                room("pixel_shuffle", input.c, input.c)?;
                let mut weight = vec![0.0; input.c * out * r * r];
                for at in 0..out * r * r {
                    // Channel (o, y, x) becomes pixel (y, x) of channel o.
                    weight[at * out * r * r + at] = 1.0;
                }
                let window = Window { kernel: r, stride: r, padding: 0 };
                layers.push(layer(Op::ConvTranspose { out, window }, weight, vec![]));
            }
            What::Activation(activation) => layers.push(Layer {
                activation,
                ..Layer::new(format!("activation{number}"), Op::Activate)
            }),
            What::Label(_) => {}
        }
        let mut now = input;
        for layer in &layers[number..] {
            now = layer.op.output(now).map_err(|e| {
                let name = if module.is_empty() { step.to_string() } else { module.clone() };
                ImportError::Layer(name, e.to_string())
            })?;
        }
        shape = Some(now);
        shapes.push(now);
    }
    Ok(Built { graph: Graph { input: Input::Latent(latent), layers, facts }, shapes })
}

/// Checks that a matrix that is made, rather than read, is no larger than networks have.
fn room(name: &str, rows: usize, columns: usize) -> Result<(), ImportError> {
    const MOST: usize = 1 << 26;
    match rows.checked_mul(columns).is_some_and(|n| n <= MOST) {
        true => Ok(()),
        false => {
            let what = format!("would become a matrix of {rows} x {columns}, which is too large");
            Err(ImportError::Layer(name.into(), what))
        }
    }
}

/// What a first layer reads.
fn first_inputs<'a>(
    step: &Step,
    weight: &dyn Fn() -> Result<&'a Tensor, ImportError>,
) -> Result<Option<usize>, ImportError> {
    Ok(match step.what {
        What::Dense | What::Conv { .. } => weight()?.shape.get(1).copied(),
        What::ConvTranspose { .. } => weight()?.shape.first().copied(),
        _ => None,
    })
}

/// The layers before the first one of the network.
struct Start {
    latent: usize,
    layers: Vec<Layer>,
}

/// Lets a label meet the latent, so that `inputs` values result.
fn start(
    state: &State,
    label: Option<&(String, Meeting)>,
    inputs: usize,
    facts: &mut Facts,
) -> Result<Start, ImportError> {
    let Some((module, meeting)) = label else {
        return Ok(Start { latent: inputs, layers: vec![] });
    };
    let name = tensor_name(module, "weight");
    let table = state.get(&name).ok_or_else(|| ImportError::Missing(name.clone()))?;
    let &[classes, width] = &table.shape[..] else {
        return Err(ImportError::Layer(name, format!("{:?} is not a table", table.shape)));
    };
    facts.labels = (0..classes).map(|i| i.to_string()).collect();
    if *meeting == Meeting::Times {
        if width != inputs {
            let what = format!("rows of {width} values for a latent of {inputs}");
            return Err(ImportError::Layer(name, what));
        }
        room(&name, 2 * inputs * classes, 2 * inputs + classes)?;
        let layers = runtime::graph::scaled_by_label(inputs, &table.values, "label");
        return Ok(Start { latent: inputs + classes, layers });
    }
    let Some(nz) = inputs.checked_sub(width).filter(|nz| *nz > 0) else {
        let what = format!("rows of {width} values, and the first layer reads {inputs}");
        return Err(ImportError::Layer(name, what));
    };
    let wide = nz + classes;
    room(&name, inputs, wide)?;
    let mut weight = vec![0.0; inputs * wide];
    let (z, rows) = match meeting {
        Meeting::First => (width, 0),
        _ => (0, nz),
    };
    for i in 0..nz {
        weight[(z + i) * wide + i] = 1.0;
    }
    for j in 0..width {
        for k in 0..classes {
            weight[(rows + j) * wide + nz + k] = table.values[k * width + j];
        }
    }
    let layer = Layer { weight, ..Layer::new("label", Op::Dense { out: inputs }) };
    Ok(Start { latent: wide, layers: vec![layer] })
}

fn name_of(op: &Op) -> &'static str {
    match op {
        Op::Dense { .. } => "dense",
        Op::Conv { .. } => "conv",
        Op::ReflectConv { .. } => "reflect_conv",
        Op::ConvTranspose { .. } => "conv_transpose",
        Op::Affine => "batch_norm",
        Op::InstanceNorm { .. } => "instance_norm",
        Op::Add => "add",
        Op::Concat { .. } => "concat",
        Op::Resize { .. } => "upsample",
        Op::Reshape { .. } => "reshape",
        Op::Activate => "activation",
    }
}

/// Kernels of side `k` with zeros behind them.
fn enlarged(weight: &[f32], k: usize, side: usize) -> Vec<f32> {
    if side == k {
        return weight.to_vec();
    }
    let mut large = vec![0.0; weight.len() / (k * k) * side * side];
    for (i, row) in weight.chunks_exact(k).enumerate() {
        let at = (i / k * side + i % k) * side;
        large[at..at + k].copy_from_slice(row);
    }
    large
}

/// PReLU: `max(x, 0) - slope * max(-x, 0)` by two convolutions of kernel 1, unless one slope serves
/// all.
fn prelu(slopes: &[f32], c: usize, number: usize) -> Vec<Layer> {
    let layer = |part: &str, op, activation, weight| Layer {
        activation,
        weight,
        ..Layer::new(format!("prelu{number}{part}"), op)
    };
    if slopes.windows(2).all(|w| w[0] == w[1]) {
        let slope = slopes.first().copied().unwrap_or(0.25);
        return vec![layer("", Op::Activate, Activation::LeakyRelu(slope), vec![])];
    }
    let [split, joined] = graph::prelu(slopes);
    let window = Window { kernel: 1, stride: 1, padding: 0 };
    vec![
        layer("a", Op::Conv { out: 2 * c, window }, Activation::Relu, split),
        layer("b", Op::Conv { out: c, window }, Activation::None, joined),
    ]
}

fn batch_norm(
    state: &State,
    module: &str,
    before: Option<&(String, Vec<usize>)>,
    channels: usize,
    epsilon: f32,
    number: usize,
) -> Result<Layer, ImportError> {
    let named = |part: &str| tensor_name(module, part);
    let get = |part: &str| -> Result<Vec<f32>, ImportError> {
        let tensor = state.get(&named(part)).ok_or_else(|| ImportError::Missing(named(part)))?;
        match (tensor.shape[..] == [channels], before) {
            (true, _) => Ok(tensor.values.clone()),
            (false, Some(before)) => Err(ImportError::Shape(
                [before.clone(), (named(part), tensor.shape.clone())],
                "a batch norm has a number for each channel that comes before it",
            )),
            (false, None) => {
                let what = format!("{:?} for {channels} channels", tensor.shape);
                Err(ImportError::Layer(named(part), what))
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_reads_back() {
        let text = "\
l1.0 dense   # comment
reshape 8x2x2
bn batch_norm epsilon=0.8
upsample 2
c.0 conv stride=1 padding=1
leaky:0.2
d conv_transpose stride=2 padding=2 output_padding=1
p prelu
emb label times
pixel_shuffle 2
tanh
";
        let steps = parse(text).unwrap();
        assert_eq!(steps.len(), 11);
        let again: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(parse(&again.join("\n")).unwrap(), steps);
        for bad in
            ["", "x", "a dense 3", "a conv strid=1", "reshape 3", "leaky", "a label", "clip:1:0"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("relu\nnonsense here").unwrap_err().starts_with("line 2: \"nonsense here\""));
    }

    #[test]
    fn zeros_behind_a_kernel() {
        assert_eq!(
            enlarged(&[1.0, 2.0, 3.0, 4.0], 2, 3),
            [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]
        );
    }
}
