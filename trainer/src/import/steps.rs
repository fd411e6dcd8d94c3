//! A network as a list of steps: what is guessed from a state dict, printed, and read from a file.

use std::fmt;

use runtime::op::{Activation, Shape};

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
}
