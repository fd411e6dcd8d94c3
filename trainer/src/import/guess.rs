//! The steps of a network from its parts.

use runtime::op::{Activation, Shape};

use super::assumed::Assumed;
use super::error::ImportError;
use super::order::{self, Link, Role, side};
use super::parts::{Kind, Part, tensor_name};
use super::state::State;
use super::steps::{Meeting, Step, What};
use super::windows::{self, Given, Windows};

/// The steps of a network, and where they are from.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    pub steps: Vec<Step>,
    pub source: String,
}

/// The activation between layers, unless the user or a known network says otherwise.
const INNER: Activation = Activation::Relu;

/// The steps of the generator that `parts` are.
///
/// # Errors
/// [`ImportError`] names what does not fit, or is not clear.
pub(super) fn steps(
    state: &State,
    parts: &[Part],
    assumed: &Assumed,
) -> Result<Guess, ImportError> {
    let chain = order::chain(state, parts, assumed.image)?;
    let norms = order::norms(parts, &chain).ok_or_else(|| {
        let norms = parts.iter().filter(|p| matches!(p.kind, Kind::Norm(_)));
        let names: Vec<&str> = norms.map(|p| &p.name[..]).collect();
        ImportError::Unclear(format!(
            "which layers the norms {} follow is not clear: list the layers in a file for --layers",
            names.join(", ")
        ))
    })?;
    if let Some(guess) = known(parts, &chain, assumed) {
        return Ok(guess);
    }
    let mut steps = label(parts, &chain, assumed)?;
    let windows = convolutions(parts, &chain, assumed)?;
    let slopes = slopes(parts, chain.len())?;
    let mut windows_left = windows.all.iter();
    let mut norm_number = 0;
    let mut flat = true;
    for (i, link) in chain.iter().enumerate() {
        let module = parts[link.part].name.clone();
        let last = i + 1 == chain.len();
        if link.role != Role::Dense {
            let Some(w) = windows_left.next() else { break };
            if i > 0 && flat {
                steps.extend(reshape(chain[i - 1].out, link.inputs));
            }
            flat = false;
            if w.upsample {
                steps.push(plain(What::Upsample(2)));
            }
            let (stride, padding, output_padding) = (w.stride, w.padding, w.output_padding);
            let what = match link.role {
                Role::Transposed => What::ConvTranspose { stride, padding, output_padding },
                _ => What::Conv { stride, padding },
            };
            steps.push(Step { module, what });
        } else {
            steps.push(Step { module, what: What::Dense });
        }
        for (_, part) in norms.iter().filter(|(at, _)| *at == i) {
            if let (Kind::Norm(c), Some(next)) = (&parts[*part].kind, chain.get(i + 1))
                && *c != link.out
                && flat
            {
                steps.extend(reshape(link.out, next.inputs));
                flat = false;
            }
            let epsilon = epsilon(assumed, norm_number)?;
            norm_number += 1;
            let module = parts[*part].name.clone();
            steps.push(Step { module, what: What::BatchNorm { epsilon } });
        }
        match (last, slopes.get(i)) {
            (true, _) => {}
            (false, Some(part)) => {
                let module = parts[*part].name.clone();
                steps.push(Step { module, what: What::Prelu });
            }
            (false, None) => {
                steps.push(plain(What::Activation(assumed.inner.unwrap_or(INNER))));
            }
        }
    }
    finish(&mut steps, &chain, assumed)?;
    Ok(Guess { steps, source: windows.source })
}

/// The windows of the chain's convolutions.
fn convolutions(parts: &[Part], chain: &[Link], assumed: &Assumed) -> Result<Windows, ImportError> {
    let kernels: Vec<Link> = chain.iter().copied().filter(|l| l.role != Role::Dense).collect();
    // The image that the dense layers make.
    let dense = chain.iter().rposition(|l| l.role == Role::Dense);
    let start = match (dense.map(|i| chain[i].out), kernels.first()) {
        (Some(out), Some(first)) => side(out, first.inputs).unwrap_or(1),
        _ => 1,
    };
    let gaps: Vec<Option<usize>> = kernels.iter().map(|l| gap(parts, l.part)).collect();
    let given = Given {
        size: assumed.size,
        strides: &assumed.strides,
        paddings: &assumed.paddings,
        output_paddings: &assumed.output_paddings,
    };
    windows::find(&kernels, start, &gaps, &given)
}

/// The PReLUs, one between each two of the `layers`, if there are any.
fn slopes(parts: &[Part], layers: usize) -> Result<Vec<usize>, ImportError> {
    let slopes: Vec<usize> = (0..parts.len()).filter(|i| parts[*i].kind == Kind::Slopes).collect();
    if !slopes.is_empty() && slopes.len() + 1 != layers {
        return Err(ImportError::Unclear(format!(
            "{} slopes of PReLU for {layers} layers: list the layers in a file for --layers",
            slopes.len()
        )));
    }
    Ok(slopes)
}

/// The epsilon of batch norm `number`.
fn epsilon(assumed: &Assumed, number: usize) -> Result<f32, ImportError> {
    match &assumed.epsilons[..] {
        [] => Ok(1e-5),
        [one] => Ok(*one),
        all => all.get(number).copied().ok_or_else(|| {
            let count = all.len();
            ImportError::Unclear(format!("--epsilon has {count} numbers for more norms than that"))
        }),
    }
}

fn plain(what: What) -> Step {
    Step { module: String::new(), what }
}

fn reshape(values: usize, channels: usize) -> Option<Step> {
    let side = side(values, channels)?;
    Some(plain(What::Reshape(Shape::new(channels, side, side))))
}

/// The last activation, and the image in a vector.
fn finish(steps: &mut Vec<Step>, chain: &[Link], assumed: &Assumed) -> Result<(), ImportError> {
    steps.push(plain(What::Activation(assumed.output)));
    let Some(last) = chain.last().filter(|l| l.role == Role::Dense) else { return Ok(()) };
    let n = last.out;
    let image = match assumed.image {
        Some([c, h, w]) if c * h * w == n => Some([c, h, w]),
        Some(_) => None,
        None => [1, 3].into_iter().find_map(|c| side(n, c).map(|side| [c, side, side])),
    };
    let [c, h, w] = image.ok_or_else(|| {
        ImportError::Unclear(format!("ends in a vector of {n} values: give --image CxHxW"))
    })?;
    steps.push(plain(What::Reshape(Shape::new(c, h, w))));
    Ok(())
}

/// The step of a label's table.
fn label(parts: &[Part], chain: &[Link], assumed: &Assumed) -> Result<Vec<Step>, ImportError> {
    let tables = parts.iter().filter_map(|p| match p.kind {
        Kind::Embedding { classes, width } => Some((p, classes, width)),
        _ => None,
    });
    let tables: Vec<_> = tables.collect();
    let inputs = chain.first().map_or(0, |l| l.inputs);
    let (part, classes, width) = match tables[..] {
        [] => return Ok(vec![]),
        [one] => one,
        [(a, ..), (b, ..), ..] => {
            return Err(ImportError::Unclear(format!(
                "two tables of labels, {} and {}, are not supported",
                a.name, b.name
            )));
        }
    };
    let name = tensor_name(&part.name, "weight");
    let meeting = match assumed.label {
        Some(meeting) => meeting,
        None if width == inputs => Meeting::Times,
        None => {
            return Err(ImportError::Unclear(format!(
                "{name} is a table of {classes} labels and {width} values; whether they come before \
                 or behind the latent is not in the file: say --label first or --label last"
            )));
        }
    };
    Ok(vec![Step { module: part.name.clone(), what: What::Label(meeting) }])
}

/// Modules without weights between a layer and the one before it in a numbered list.
fn gap(parts: &[Part], at: usize) -> Option<usize> {
    let split = |name: &str| -> Option<(String, usize)> {
        let (group, number) = name.rsplit_once('.').unwrap_or(("", name));
        Some((group.to_string(), number.parse().ok()?))
    };
    let (group, own) = split(&parts[at].name)?;
    let before = parts.iter().filter_map(|p| split(&p.name)).filter(|(g, _)| *g == group);
    let before = before.map(|(_, n)| n).filter(|n| *n < own).max();
    Some(before.map_or(own, |n| own - n - 1))
}

/// Networks of PyTorch-GAN (github.com/eriklindernoren/PyTorch-GAN), which are known by their names
/// and numbers: their batch norms have an epsilon of 0.8 (meant as a momentum) and their
/// rectifiers a slope of 0.2.
fn known(parts: &[Part], chain: &[Link], assumed: &Assumed) -> Option<Guess> {
    let free = assumed.inner.is_none()
        && assumed.epsilons.is_empty()
        && assumed.strides.is_empty()
        && assumed.paddings.is_empty()
        && assumed.label.is_none();
    if !free {
        return None;
    }
    known_convolutional(parts, chain, assumed).or_else(|| known_dense(parts, chain, assumed))
}

/// The module called `own`, with or without the name of the network before it.
fn find<'a>(parts: &'a [Part], own: &str) -> Option<&'a str> {
    parts.iter().map(|p| &p.name[..]).find(|name| ends_in(name, own))
}

fn ends_in(name: &str, own: &str) -> bool {
    name.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The table of labels of such a network.
fn known_table(parts: &[Part]) -> Option<&str> {
    parts
        .iter()
        .map(|p| &p.name[..])
        .find(|n| ends_in(n, "label_emb") || ends_in(n, "label_embedding"))
}

fn known_norm(name: &str, epsilon: f32) -> Step {
    Step { module: name.into(), what: What::BatchNorm { epsilon } }
}

fn known_rectifier() -> Step {
    plain(What::Activation(Activation::LeakyRelu(0.2)))
}

/// One dense layer, then convolutions of repeated pixels.
fn known_convolutional(parts: &[Part], chain: &[Link], assumed: &Assumed) -> Option<Guess> {
    let mut own = [
        "l1.0",
        "conv_blocks.0",
        "conv_blocks.2",
        "conv_blocks.3",
        "conv_blocks.6",
        "conv_blocks.7",
        "conv_blocks.9",
    ];
    if find(parts, own[0]).is_none() {
        // acgan.py leaves out the list around the first layer.
        own[0] = "l1";
    }
    let n: Vec<&str> = own.iter().map(|own| find(parts, own)).collect::<Option<_>>()?;
    let table = known_table(parts);
    if parts.len() != 7 + usize::from(table.is_some()) {
        return None;
    }
    let (first, second) = (chain.first()?, chain.get(1)?);
    let conv =
        |name: &str| Step { module: name.into(), what: What::Conv { stride: 1, padding: 1 } };
    let up = || plain(What::Upsample(2));
    let mut steps = Vec::new();
    if let Some(name) = table {
        steps.push(Step { module: name.into(), what: What::Label(Meeting::Times) });
    }
    steps.push(Step { module: n[0].into(), what: What::Dense });
    steps.push(reshape(first.out, second.inputs)?);
    steps.push(known_norm(n[1], 1e-5));
    steps.extend([up(), conv(n[2]), known_norm(n[3], 0.8), known_rectifier()]);
    steps.extend([up(), conv(n[4]), known_norm(n[5], 0.8), known_rectifier()]);
    steps.push(conv(n[6]));
    finish(&mut steps, chain, assumed).ok()?;
    Some(Guess { steps, source: "PyTorch-GAN's dcgan.py".into() })
}

/// Blocks of Linear, BatchNorm1d but for the first, LeakyReLU; then Linear, Tanh.
fn known_dense(parts: &[Part], chain: &[Link], assumed: &Assumed) -> Option<Guess> {
    let number = |name: &str| -> Option<usize> {
        let (group, number) = name.rsplit_once('.')?;
        ends_in(group, "model").then(|| number.parse().ok())?
    };
    let own: Vec<(usize, &Part)> =
        parts.iter().filter_map(|p| Some((number(&p.name)?, p))).collect();
    let numbers = |of: fn(&Kind) -> bool| -> Vec<usize> {
        own.iter().filter(|(_, p)| of(&p.kind)).map(|(n, _)| *n).collect()
    };
    let dense = numbers(|kind| matches!(kind, Kind::Dense { .. }));
    let norms = numbers(|kind| matches!(kind, Kind::Norm(_)));
    let table = known_table(parts);
    let want_dense = |i: usize| if i == 0 { 0 } else { 3 * i - 1 };
    let fits = dense.len() >= 3
        && dense.iter().enumerate().all(|(i, n)| *n == want_dense(i))
        && norms.len() + 2 == dense.len()
        && norms.iter().enumerate().all(|(i, n)| *n == 3 * i + 3)
        && parts.len() == own.len() + usize::from(table.is_some());
    if !fits {
        return None;
    }
    let mut steps = Vec::new();
    if let Some(name) = table {
        steps.push(Step { module: name.into(), what: What::Label(Meeting::First) });
    }
    for (number, part) in &own {
        match part.kind {
            Kind::Norm(_) => steps.extend([known_norm(&part.name, 0.8), known_rectifier()]),
            _ => {
                steps.push(Step { module: part.name.clone(), what: What::Dense });
                if *number == 0 {
                    steps.push(known_rectifier());
                }
            }
        }
    }
    finish(&mut steps, chain, assumed).ok()?;
    let source = "PyTorch-GAN's dense generators (gan.py, cgan.py, wgan.py)".into();
    Some(Guess { steps, source })
}
