//! The generator among the networks of a state dict.

use std::collections::BTreeMap;
use std::path::Path;

use runtime::graph::{Facts, Graph};

use super::error::ImportError;
use super::layers::{Assumed, Module, build};
use super::state::State;

/// The networks of a state dict: modules sorted by the numbers in their names, grouped by the name
/// before the first number.
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
        // Numerically: 10 comes after 9.
        modules.sort_by_key(|m| -> Vec<(u64, String)> {
            m.place.iter().map(|p| (p.parse().unwrap_or(u64::MAX), p.to_string())).collect()
        });
    }
    all
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

/// The kind of a network, by the shapes of its kernels.
enum Kind {
    /// It ends in an image.
    Generator,
    /// It does not; the reason.
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

#[cfg(test)]
mod tests {
    use super::super::state::Tensor;
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
        assert_eq!(import(&all, None).unwrap().latent(), 5);
        let twin: Vec<(String, Tensor)> = all
            .iter()
            .filter(|(n, _)| n.starts_with("netG"))
            .map(|(n, t)| (n.replace("netG", "ema"), t.clone()))
            .collect();
        all.extend(twin);
        let error = import(&all, None).unwrap_err().to_string();
        assert!(error.contains("ema.main and netG.main: choose with --key"), "{error}");
        assert_eq!(import(&all, Some("ema")).unwrap().latent(), 5);
    }
}
