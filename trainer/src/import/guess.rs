//! The steps of a network from its parts.

use runtime::op::{Activation, Shape};

use super::assumed::Assumed;
use super::error::ImportError;
use super::order::{self, Link, Role, side};
use super::parts::{Kind, Part, tensor_name};
use super::state::State;
use super::steps::{Meeting, Step, What};
use super::windows::{self, Said};

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
    let kernels: Vec<Link> = chain.iter().copied().filter(|l| l.role != Role::Dense).collect();
    // The image that the dense layers make.
    let dense = chain.iter().rposition(|l| l.role == Role::Dense);
    let start = match (dense.map(|i| chain[i].out), kernels.first()) {
        (Some(out), Some(first)) => side(out, first.inputs).unwrap_or(1),
        _ => 1,
    };
    let gaps: Vec<Option<usize>> = kernels.iter().map(|l| gap(parts, l.part)).collect();
    let said = Said {
        size: assumed.size,
        strides: &assumed.strides,
        paddings: &assumed.paddings,
        output_paddings: &assumed.output_paddings,
    };
    let windows = windows::find(&kernels, start, &gaps, &said)?;
    let slopes: Vec<usize> = (0..parts.len()).filter(|i| parts[*i].kind == Kind::Slopes).collect();
    if !slopes.is_empty() && slopes.len() + 1 != chain.len() {
        return Err(ImportError::Unclear(format!(
            "{} slopes of PReLU for {} layers: list the layers in a file for --layers",
            slopes.len(),
            chain.len()
        )));
    }
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
            let epsilon = match &assumed.epsilons[..] {
                [] => 1e-5,
                [one] => *one,
                all => *all.get(norm_number).ok_or_else(|| {
                    ImportError::Unclear(format!(
                        "--epsilon has {} numbers for more norms than that",
                        all.len()
                    ))
                })?,
            };
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
    let names: Vec<&str> = parts.iter().map(|p| &p.name[..]).collect();
    // With or without the name of the network before it.
    let tail = |name: &str, own: &str| {
        name.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let find = |own: &str| names.iter().copied().find(|n| tail(n, own));
    let free = assumed.inner.is_none()
        && assumed.epsilons.is_empty()
        && assumed.strides.is_empty()
        && assumed.paddings.is_empty()
        && assumed.label.is_none();
    let leaky = || plain(What::Activation(Activation::LeakyRelu(0.2)));
    let norm =
        |name: &str, epsilon| Step { module: name.into(), what: What::BatchNorm { epsilon } };
    let table =
        || names.iter().copied().find(|n| tail(n, "label_emb") || tail(n, "label_embedding"));
    if !free {
        return None;
    }
    let convolutional = [
        "l1.0",
        "conv_blocks.0",
        "conv_blocks.2",
        "conv_blocks.3",
        "conv_blocks.6",
        "conv_blocks.7",
        "conv_blocks.9",
    ];
    let all: Option<Vec<&str>> = convolutional.iter().map(|own| find(own)).collect();
    if let Some(n) = all.or_else(|| {
        // acgan.py leaves out the list around the first layer.
        let mut own = convolutional;
        own[0] = "l1";
        own.iter().map(|own| find(own)).collect()
    }) && parts.len() == 7 + usize::from(table().is_some())
    {
        let (first, second) = (chain.first()?, chain.get(1)?);
        let conv =
            |name: &str| Step { module: name.into(), what: What::Conv { stride: 1, padding: 1 } };
        let up = || plain(What::Upsample(2));
        let mut steps = Vec::new();
        if let Some(name) = table() {
            steps.push(Step { module: name.into(), what: What::Label(Meeting::Times) });
        }
        steps.push(Step { module: n[0].into(), what: What::Dense });
        steps.push(reshape(first.out, second.inputs)?);
        steps.push(norm(n[1], 1e-5));
        steps.extend([up(), conv(n[2]), norm(n[3], 0.8), leaky()]);
        steps.extend([up(), conv(n[4]), norm(n[5], 0.8), leaky()]);
        steps.push(conv(n[6]));
        finish(&mut steps, chain, assumed).ok()?;
        return Some(Guess { steps, source: "PyTorch-GAN's dcgan.py".into() });
    }
    // Blocks of Linear, BatchNorm1d but for the first, LeakyReLU; then Linear, Tanh.
    let numbers = |name: &str| -> Option<usize> {
        let (group, number) = name.rsplit_once('.')?;
        tail(group, "model").then(|| number.parse().ok())?
    };
    let own: Vec<(usize, &Part)> =
        parts.iter().filter_map(|p| Some((numbers(&p.name)?, p))).collect();
    let rest = parts.len() - own.len();
    let dense: Vec<usize> =
        own.iter().filter(|(_, p)| matches!(p.kind, Kind::Dense { .. })).map(|(n, _)| *n).collect();
    let norms: Vec<usize> =
        own.iter().filter(|(_, p)| matches!(p.kind, Kind::Norm(_))).map(|(n, _)| *n).collect();
    let blocks = dense.len();
    let want_dense = |i: usize| if i == 0 { 0 } else { 3 * i - 1 };
    let fits = blocks >= 3
        && dense.iter().enumerate().all(|(i, n)| *n == want_dense(i))
        && norms.len() + 2 == blocks
        && norms.iter().enumerate().all(|(i, n)| *n == 3 * i + 3)
        && rest == usize::from(table().is_some());
    if !fits {
        return None;
    }
    let mut steps = Vec::new();
    if let Some(name) = table() {
        steps.push(Step { module: name.into(), what: What::Label(Meeting::First) });
    }
    for (number, part) in &own {
        let module = part.name.clone();
        match part.kind {
            Kind::Norm(_) => {
                steps.push(norm(&module, 0.8));
                steps.push(leaky());
            }
            _ => {
                steps.push(Step { module, what: What::Dense });
                if *number == 0 {
                    steps.push(leaky());
                }
            }
        }
    }
    finish(&mut steps, chain, assumed).ok()?;
    let source = "PyTorch-GAN's dense generators (gan.py, cgan.py, wgan.py)".into();
    Some(Guess { steps, source })
}
