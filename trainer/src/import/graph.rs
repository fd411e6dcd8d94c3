//! The generator among the networks of a state dict.

use std::collections::BTreeSet;
use std::path::Path;

use runtime::graph::{Facts, Graph};

use super::assumed::Assumed;
use super::build::build;
use super::error::ImportError;
use super::guess::{self, Guess};
use super::parts::{Kind, Part, effective, parts, tensor_name};
use super::state::State;

/// An imported generator.
#[derive(Debug)]
pub struct Imported {
    /// The generator, not folded.
    pub graph: Graph,
    /// Its steps and the shapes after them, as a text for `--layers`.
    pub listing: String,
    /// Where strides and paddings are from.
    pub source: String,
    /// Networks in the file that are not part of it.
    pub others: Vec<String>,
}

/// The generator in a state dict.
///
/// # Errors
/// [`ImportError`] names the tensor, with both shapes if two do not match.
pub fn graph(
    path: &Path,
    state: &State,
    assumed: &Assumed,
    facts: Facts,
) -> Result<Imported, ImportError> {
    let state = effective(state)?;
    if let Some(steps) = &assumed.layers {
        let guess = Guess { steps: steps.clone(), source: "--layers".into() };
        return imported(&state, guess, facts, vec![]);
    }
    let all = parts(&state);
    if !all.iter().any(Part::is_layer) {
        let some: Vec<&str> = state.keys().take(4).map(String::as_str).collect();
        let found = match some.is_empty() {
            true => "no tensors of floats".into(),
            false => format!("{} tensors such as {}", state.len(), some.join(", ")),
        };
        return Err(ImportError::NoLayers(path.into(), found));
    }
    let keys: Vec<&str> = assumed.key.iter().flat_map(|key| key.split(',')).collect();
    let wanted: Vec<Part> = all
        .iter()
        .filter(|p| keys.is_empty() || keys.iter().any(|key| p.name.contains(key)))
        .cloned()
        .collect();
    if wanted.is_empty() {
        let key = assumed.key.clone().unwrap_or_default();
        return Err(ImportError::NoKey(path.into(), key, groups(&all, "")));
    }
    let mut search = Search { state: &state, assumed, found: vec![], why: vec![] };
    search.look(&wanted, "", 0);
    let (mut found, why) = (search.found, search.why);
    match found.len() {
        0 => Err(ImportError::NoGenerator(path.into(), why_not(&wanted, why))),
        1 => {
            let (_, own, guess) = found.swap_remove(0);
            let others = leftover(&wanted, &own)?;
            imported(&state, guess, facts, others)
        }
        _ => {
            let names = found.into_iter().map(|(name, ..)| shown(&name)).collect();
            Err(ImportError::Several(path.into(), names))
        }
    }
}

fn imported(
    state: &State,
    guess: Guess,
    facts: Facts,
    others: Vec<String>,
) -> Result<Imported, ImportError> {
    let built = build(state, &guess.steps, facts)?;
    let mut listing = String::new();
    for (step, shape) in guess.steps.iter().zip(&built.shapes) {
        listing += &format!("  {:<60} # {shape}\n", step.to_string());
    }
    Ok(Imported { graph: built.graph, listing, source: guess.source, others })
}

/// Deepest prefix of names that is looked at.
const DEEPEST: usize = 4;

struct Search<'a> {
    state: &'a State,
    assumed: &'a Assumed,
    /// Prefix, names of the modules, steps.
    found: Vec<(String, BTreeSet<String>, Guess)>,
    why: Vec<(String, ImportError)>,
}

impl Search<'_> {
    /// Looks at all parts as one network, and otherwise at those of each longer prefix.
    fn look(&mut self, parts: &[Part], prefix: &str, depth: usize) {
        let layers = parts.iter().filter(|p| p.is_layer()).count();
        if layers == 0 || depth > DEEPEST {
            return;
        }
        match guess::steps(self.state, parts, self.assumed) {
            Ok(guess) => {
                let names = parts.iter().map(|p| p.name.clone()).collect();
                self.found.push((prefix.into(), names, guess));
                return;
            }
            Err(error) => self.why.push((prefix.into(), error)),
        }
        let names = groups(parts, prefix);
        // A layer that is alone under its name is no network, unless it is the only one.
        for name in names {
            let own: Vec<Part> =
                parts.iter().filter(|p| is_under(&p.name, &name)).cloned().collect();
            if own.len() == parts.len() {
                self.why.pop();
                self.look(&own, &name, depth + 1);
                return;
            }
            if own.iter().filter(|p| p.is_layer()).count() > 1 || own.len() > 1 {
                self.look(&own, &name, depth + 1);
            }
        }
    }
}

fn is_under(name: &str, prefix: &str) -> bool {
    name == prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
}

/// The names one component longer than `prefix`.
fn groups(parts: &[Part], prefix: &str) -> Vec<String> {
    let skip = if prefix.is_empty() { 0 } else { prefix.len() + 1 };
    let mut names: Vec<String> = Vec::new();
    for part in parts {
        let Some(rest) = part.name.get(skip..) else { continue };
        let own = rest.split('.').next().unwrap_or_default();
        let name = &part.name[..skip + own.len()];
        if !names.iter().any(|n| n == name) {
            names.push(name.into());
        }
    }
    names
}

fn shown(name: &str) -> String {
    match name {
        "" => "the file".into(),
        name => name.into(),
    }
}

/// The most telling of several reasons: networks by name, or the one reason.
fn why_not(parts: &[Part], why: Vec<(String, ImportError)>) -> String {
    let images = |n: usize| [1, 3].contains(&n);
    let mut lines = Vec::new();
    for (name, error) in &why {
        let kernels: Vec<(usize, usize)> = parts
            .iter()
            .filter(|p| name.is_empty() || is_under(&p.name, name))
            .filter_map(
                |p| if let Kind::Kernel { a, b, .. } = p.kind { Some((a, b)) } else { None },
            )
            .collect();
        let critic =
            matches!((kernels.first(), kernels.last()), (Some((_, b)), Some((1, _))) if images(*b));
        match critic {
            true => lines.push(format!(
                "{} is a discriminator: it begins with an image and ends in one number",
                shown(name)
            )),
            false if name.is_empty() => lines.push(error.to_string()),
            false => lines.push(format!("{name}: {error}")),
        }
    }
    // What is wrong with all together says nothing about networks in it.
    if lines.len() > 1 && why[0].0.is_empty() {
        lines.remove(0);
    }
    lines.truncate(4);
    lines.join("; ")
}

/// The networks beside the generator.
///
/// # Errors
/// [`ImportError::LeftOver`] if they are not networks of their own: then they may be its own first
/// or last layers.
fn leftover(parts: &[Part], own: &BTreeSet<String>) -> Result<Vec<String>, ImportError> {
    let rest: Vec<Part> = parts.iter().filter(|p| !own.contains(&p.name)).cloned().collect();
    let mut others = Vec::new();
    for name in groups(&rest, "") {
        let group: Vec<&Part> = rest.iter().filter(|p| is_under(&p.name, &name)).collect();
        // The generator's own names begin like that: something within it was left out.
        let shared = own.iter().any(|n| is_under(n, &name));
        let layers = group.iter().filter(|p| p.is_layer()).count();
        if shared || layers < 2 {
            let names: Vec<String> =
                group.iter().take(4).map(|p| tensor_name(&p.name, "weight")).collect();
            return Err(ImportError::LeftOver(names));
        }
        others.push(name);
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::super::state::Tensor;
    use super::super::steps::{self, Meeting};
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

    fn import_with(state: &State, assumed: &Assumed) -> Result<Imported, ImportError> {
        graph(Path::new("x.pth"), state, assumed, Facts::default())
    }

    fn import(state: &State, key: Option<&str>) -> Result<Graph, ImportError> {
        let assumed = Assumed { key: key.map(String::from), ..Assumed::default() };
        import_with(state, &assumed).map(|i| i.graph)
    }

    fn verbs(imported: &Imported) -> Vec<String> {
        let first = |line: &str| {
            let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
            words.join(" ")
        };
        imported.listing.lines().map(first).collect()
    }

    fn norm(name: &str, c: usize) -> Vec<(String, Tensor)> {
        ["weight", "bias", "running_mean", "running_var"]
            .map(|part| (format!("{name}.{part}"), Tensor { shape: vec![c], values: vec![0.5; c] }))
            .to_vec()
    }

    #[test]
    fn numbers_are_numbers_and_strides_the_tutorials() {
        let graph = import(&state(&WHOLE), None).unwrap();
        assert_eq!(graph.latent(), 5);
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
        let cases: [(State, Option<&str>, &str); 10] = [
            (without("netG.main.1.running_var"), None, "netG.main.1.running_var is missing"),
            (without("netG.main.1.bias"), None, "netG.main.1.bias is missing"),
            (
                with("netG.main.9.weight", &[7, 4, 4, 4]),
                None,
                "netG.main.0.weight is [5, 8, 4, 4] and netG.main.9.weight is [7, 4, 4, 4]",
            ),
            (with("netG.main.1.running_mean", &[9]), None, "netG.main.1"),
            (with("netG.main.9.weight", &[8, 4, 4, 3]), None, "a kernel of 4 x 3"),
            (state(&d), None, "netD.main is a discriminator"),
            (
                state(&[("enc.0.weight", &[8, 3, 4, 4]), ("enc.2.weight", &[6, 8, 4, 4])]),
                None,
                "reads as a discriminator or an encoder",
            ),
            (state(&[("a.weight", &[80, 784]), ("b.weight", &[64, 80])]), None, "b.weight"),
            (state(&[("x.table", &[3, 3])]), None, "it holds 1 tensors such as x.table"),
            (state(&WHOLE), Some("ema"), "no network's names have \"ema\" in them; there are netG"),
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
        let imported = import_with(&all, &Assumed::default()).unwrap();
        assert_eq!((imported.graph.latent(), &imported.others[..]), (5, &["netD".to_string()][..]));
        let twin: Vec<(String, Tensor)> = all
            .iter()
            .filter(|(n, _)| n.starts_with("netG"))
            .map(|(n, t)| (n.replace("netG", "ema"), t.clone()))
            .collect();
        all.extend(twin);
        let error = import(&all, None).unwrap_err().to_string();
        assert!(error.contains("ema and netG: choose with --key"), "{error}");
        assert_eq!(import(&all, Some("ema")).unwrap().latent(), 5);
    }

    #[test]
    fn blocks_that_are_attributes_are_one_chain() {
        let names = [
            ["layer1.0", "layer2.0", "layer10.0"],
            ["deconv1", "deconv2", "deconv3"],
            ["tconv1", "tconv2", "out"],
            ["block_1", "block_2", "block_3"],
            // By their shapes, in the only order that fits.
            ["b_first", "c_middle", "a_last"],
        ];
        for names in names {
            let mut all = State::new();
            for (name, (a, b)) in names.iter().zip([(4, 5), (5, 2), (2, 1)]) {
                all.extend(state(&[(&format!("{name}.weight"), &[a, b, 4, 4])]));
            }
            for (i, c) in [(1, 5), (2, 2)] {
                all.extend(norm(&format!("bn{i}"), c));
            }
            let imported = import_with(&all, &Assumed::default()).unwrap();
            assert_eq!(imported.graph.latent(), 4, "{names:?}");
            let shape = *imported.graph.shapes().unwrap().last().unwrap();
            assert_eq!((shape.c, shape.h), (1, 16), "{names:?}");
            assert_eq!(verbs(&imported)[1], "bn1 batch_norm epsilon=0.00001");
        }
    }

    #[test]
    fn nothing_of_the_generator_is_left_over() {
        let main: (&str, &[usize]) = ("main.0.weight", &[4, 1, 4, 4]);
        let error = |all: &State| import(all, None).unwrap_err().to_string();
        let text = error(&state(&[main, ("label_emb.weight", &[10, 2])]));
        assert!(text.contains("label_emb.weight") && text.contains("--label first"), "{text}");
        let mut all = state(&WHOLE);
        all.extend(state(&[("netG.extra.weight", &[9, 7])]));
        let text = error(&all);
        assert!(text.contains("netG.extra.weight"), "{text}");
        let mut all = state(&WHOLE);
        all.extend(state(&[("fc1.weight", &[9, 7])]));
        let text = error(&all);
        assert!(text.contains("fc1.weight"), "{text}");
    }

    #[test]
    fn labels_become_part_of_the_latent() {
        let all = state(&[("label_emb.weight", &[10, 2]), ("main.0.weight", &[4, 1, 16, 16])]);
        for (label, latent) in [(Meeting::First, 12), (Meeting::Last, 12)] {
            let assumed = Assumed { label: Some(label), ..Assumed::default() };
            let graph = import_with(&all, &assumed).unwrap().graph;
            assert_eq!((graph.latent(), graph.facts.labels.len()), (latent, 10));
        }
        let all = state(&[("label_emb.weight", &[10, 4]), ("main.0.weight", &[4, 1, 16, 16])]);
        assert_eq!(import(&all, None).unwrap().latent(), 14);
    }

    #[test]
    fn pytorch_gans_networks_are_known() {
        let mut all = state(&[
            ("l1.0.weight", &[128, 6]),
            ("l1.0.bias", &[128]),
            ("conv_blocks.2.weight", &[8, 8, 3, 3]),
            ("conv_blocks.6.weight", &[4, 8, 3, 3]),
            ("conv_blocks.9.weight", &[1, 4, 3, 3]),
        ]);
        for (name, c) in [("conv_blocks.0", 8), ("conv_blocks.3", 8), ("conv_blocks.7", 4)] {
            all.extend(norm(name, c));
        }
        let imported = import_with(&all, &Assumed::default()).unwrap();
        assert_eq!(imported.source, "PyTorch-GAN's dcgan.py");
        assert_eq!(
            verbs(&imported),
            [
                "l1.0 dense",
                "reshape 8x4x4",
                "conv_blocks.0 batch_norm epsilon=0.00001",
                "upsample 2",
                "conv_blocks.2 conv stride=1 padding=1",
                "conv_blocks.3 batch_norm epsilon=0.8",
                "leaky:0.2",
                "upsample 2",
                "conv_blocks.6 conv stride=1 padding=1",
                "conv_blocks.7 batch_norm epsilon=0.8",
                "leaky:0.2",
                "conv_blocks.9 conv stride=1 padding=1",
                "tanh",
            ]
        );
        let mut all = state(&[
            ("model.0.weight", &[16, 6]),
            ("model.2.weight", &[32, 16]),
            ("model.5.weight", &[64, 32]),
        ]);
        all.extend(norm("model.3", 32));
        let imported = import_with(&all, &Assumed::default()).unwrap();
        assert!(imported.source.contains("dense generators"), "{}", imported.source);
        assert_eq!(verbs(&imported)[4], "leaky:0.2");
        // What the user says comes first.
        let assumed = Assumed { epsilons: vec![1e-3], ..Assumed::default() };
        let imported = import_with(&all, &assumed).unwrap();
        assert!(imported.listing.contains("epsilon=0.001") && imported.listing.contains("relu"));
    }

    #[test]
    fn dense_generators_and_dense_stems() {
        let all = state(&[
            ("fc1.weight", &[16, 6]),
            ("fc1.bias", &[16]),
            ("fc2.weight", &[784, 16]),
            ("fc2.bias", &[784]),
        ]);
        let graph = import(&all, None).unwrap();
        assert_eq!(graph.shapes().unwrap().last().unwrap().to_string(), "1 x 28 x 28");
        let all = state(&[
            ("fc.weight", &[392, 6]),
            ("conv.0.weight", &[8, 4, 4, 4]),
            ("conv.2.weight", &[4, 1, 4, 4]),
        ]);
        let graph = import(&all, None).unwrap();
        assert_eq!(graph.shapes().unwrap().last().unwrap().to_string(), "1 x 28 x 28");
    }

    #[test]
    fn every_step_can_be_given() {
        let all = state(&[("a.weight", &[4, 4, 3, 3]), ("b.weight", &[64, 6])]);
        let text = "b dense\nreshape 4x4x4\nupsample 2\na conv padding=1\npixel_shuffle 2\nsigmoid";
        let layers = Some(steps::parse(text).unwrap());
        let assumed = Assumed { layers, ..Assumed::default() };
        let imported = import_with(&all, &assumed).unwrap();
        let shape = *imported.graph.shapes().unwrap().last().unwrap();
        assert_eq!(shape.to_string(), "1 x 16 x 16");
        // The listing is a file for --layers.
        assert_eq!(steps::parse(&imported.listing).unwrap(), steps::parse(text).unwrap());
        let layers = Some(steps::parse("c dense").unwrap());
        let error = import_with(&all, &Assumed { layers, ..Assumed::default() }).unwrap_err();
        assert_eq!(error.to_string(), "c.weight is missing");
    }
}
