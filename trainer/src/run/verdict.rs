//! What is going wrong in a run, in words.

use models::{Layer, Sequential};
use serde::{Deserialize, Serialize};

use super::stats::Row;
use crate::config::{Config, Objective, Penalty};
use crate::networks::State;
use crate::objective::Measured;
use crate::objective::loss::Loss;

/// Consecutive rows after which a verdict starts or ends: single rows are noise.
const ROWS: u32 = 3;
/// Images before the first verdict: at the start every discriminator wins.
const GRACE: u64 = 5_000;
/// Distance of the edges of translations from those of their inputs, relative to that from others',
/// above which they have nothing to do with each other.
const IGNORED: f64 = 0.9;
/// Error on held-out pairs, relative to that on training pairs, above which these are memorized.
const MEMORIZED: f64 = 2.0;
/// Share of the discriminator's loss at chance (where both logits are 0) below which it has nothing
/// left to learn.
const SATURATED: f64 = 0.02;

/// Something that a run suffers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The discriminator is certain about every image: the generator learns little from it.
    DTooStrong,
    /// The discriminator guesses: the generator learns nothing from it.
    DGuesses,
    /// The fakes of a batch look alike.
    Collapsed,
    /// The discriminator has memorized the training images.
    Overfitting,
    /// A translator makes images that have nothing to do with what they are made from.
    Ignoring,
    /// A translator has memorized the training pairs.
    Memorizing,
}

impl Verdict {
    const ALL: [Verdict; 6] = [
        Verdict::DTooStrong,
        Verdict::DGuesses,
        Verdict::Collapsed,
        Verdict::Overfitting,
        Verdict::Ignoring,
        Verdict::Memorizing,
    ];

    /// Whether a row shows it; none if the row cannot tell.
    fn shows(self, row: &Row, loss: Loss) -> Option<bool> {
        let value = |key| Some(row.value(key)).filter(|v| v.is_finite());
        Some(match self {
            // Ranking every fake below its real image is not enough: good runs with batch norm do
            // so too.
            Verdict::DTooStrong => {
                value("d_right")? > 0.995 && value("d_loss")? < SATURATED * loss.at_chance()?
            }
            Verdict::DGuesses => (value("d_right")? - 0.5).abs() < 0.02,
            Verdict::Collapsed => value("variety")? < 0.4,
            // Karras et al. 2020 ("ADA"), section 3.1, augment from 0.6 on.
            Verdict::Overfitting => value("overfit")? > 0.6,
            Verdict::Ignoring => value("edges")? > IGNORED * value("edges_of_others")?,
            Verdict::Memorizing => value("l1")? > MEMORIZED * value("l1_train")?,
        })
    }

    /// What it means.
    fn meaning(self) -> &'static str {
        match self {
            Verdict::DTooStrong => "D is too strong: it is certain about every image",
            Verdict::DGuesses => "D only guesses, so G learns nothing",
            Verdict::Collapsed => "G has collapsed: its images look alike",
            Verdict::Overfitting => "D overfits: it tells training images from held-out ones",
            Verdict::Ignoring => {
                "G ignores its input: its edges are no nearer to that than to another's"
            }
            Verdict::Memorizing => {
                "G has memorized the pairs: its error on held-out ones is more than twice as large"
            }
        }
    }

    /// What to try in another run: settings that the run's own objective has. None of them can
    /// change in a run.
    fn advice(self, cfg: &Config) -> String {
        let mut tries = Vec::new();
        let mut when = |on: bool, text: &'static str| tries.extend(on.then_some(text));
        let penalized = cfg.penalty != Penalty::None;
        let plain = cfg.objective == Objective::Gan;
        let weight = match cfg.objective {
            Objective::Pix2pix => Some("a larger l1"),
            Objective::Cyclegan => Some("a larger cycle"),
            Objective::Gan | Objective::Autoencoder | Objective::Vae => None,
        };
        match self {
            Verdict::DTooStrong => {
                when(penalized, "a larger gamma");
                when(cfg.loss == Loss::Bce && cfg.smooth == 0.0, "smooth=0.1");
                when(true, "a smaller ndf or lr_d");
                when(plain && cfg.instance_noise == 0.0, "instance_noise=0.1 with a ramp");
            }
            Verdict::DGuesses => {
                when(penalized, "a smaller gamma");
                when(true, "a larger ndf or lr_d");
            }
            Verdict::Collapsed => {
                let r3gan = cfg.loss == Loss::RpGan && cfg.penalty == Penalty::R1r2;
                when(plain && !r3gan, "loss=rpgan with penalty=r1r2 and d_norm=false");
                when(plain && r3gan, "a larger gamma");
                when(weight.is_some(), weight.unwrap_or_default());
                when(true, "a smaller lr");
            }
            Verdict::Overfitting => {
                when(cfg.augment.is_none(), "augment=color,translation,cutout");
                when(!cfg.augment.is_none(), "a larger augment_p");
                when(true, "more images, or fewer steps");
            }
            Verdict::Ignoring => {
                when(weight.is_some(), weight.unwrap_or_default());
                when(true, "a larger ngf");
            }
            Verdict::Memorizing => {
                when(!cfg.mirror, "mirror=true");
                when(cfg.jitter == 0, "a jitter");
                when(true, "more pairs, a smaller ngf, or fewer steps");
            }
        }
        tries.join(", ")
    }
}

/// A line of `verdicts.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Images seen.
    pub images: u64,
    /// What started or ended; none for what happened once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// In words.
    pub text: String,
}

/// Watches the rows of a run.
#[derive(Debug)]
pub struct Watch<'a> {
    cfg: &'a Config,
    /// For each verdict: consecutive rows that contradict it, and whether it holds.
    seen: [(u32, bool); Verdict::ALL.len()],
}

impl<'a> Watch<'a> {
    /// Nothing seen yet of a run with these settings.
    pub fn new(cfg: &'a Config) -> Watch<'a> {
        Watch { cfg, seen: Default::default() }
    }

    /// What starts or ends with scores of held-out images.
    pub fn look_at_scores(&mut self, images: u64, measured: &[Measured]) -> Vec<Note> {
        let metrics = measured.iter().map(|&(key, value)| (key.to_string(), value)).collect();
        self.look(&Row { images, epoch: 0.0, seconds: 0.0, images_per_s: 0.0, metrics })
    }

    /// What starts or ends with `row`.
    pub fn look(&mut self, row: &Row) -> Vec<Note> {
        let mut notes = Vec::new();
        if row.images < GRACE {
            return notes;
        }
        for (verdict, (rows, holds)) in Verdict::ALL.into_iter().zip(&mut self.seen) {
            match verdict.shows(row, self.cfg.loss) {
                Some(shows) if shows != *holds => *rows += 1,
                Some(_) => *rows = 0,
                None => {}
            }
            if *rows == ROWS {
                (*rows, *holds) = (0, !*holds);
                let meaning = verdict.meaning();
                let text = match holds {
                    true => format!("{meaning}; in another run try {}", verdict.advice(self.cfg)),
                    false => format!("over: {meaning}"),
                };
                notes.push(Note { images: row.images, verdict: Some(verdict), text });
            }
        }
        notes
    }
}

/// Names the first tensor of the networks that is not finite.
pub fn broken(state: &State) -> Option<String> {
    let of = |(whose, net): (&str, &Sequential)| bad(net).map(|what| format!("{whose}'s {what}"));
    let back = state.back.iter().flat_map(|b| [("the way back's D", &b.d), ("its G", &b.g)]);
    [("D", &state.d), ("G", &state.g)].into_iter().chain(back).find_map(of)
}

fn bad(net: &Sequential) -> Option<String> {
    for (i, layer) in net.layers.iter().enumerate() {
        let (kind, sums) = match layer {
            Layer::Conv(l) => ("conv", parts(&l.weight, l.bias.as_ref())),
            Layer::ConvTranspose(l) => ("transposed conv", parts(&l.weight, l.bias.as_ref())),
            Layer::ResizeConv(l) => ("resize conv", parts(&l.weight, l.bias.as_ref())),
            Layer::BatchNorm(l) => ("batch norm", parts(&l.gamma, Some(&l.beta))),
            Layer::InstanceNorm(l) => {
                let vectors = [("scale", &l.gamma), ("shift", &l.beta)];
                let vectors = vectors.into_iter().filter_map(|(name, v)| Some((name, v.as_ref()?)));
                ("instance norm", vectors.map(|(name, v)| (name, total(v))).collect())
            }
            Layer::Activation(_)
            | Layer::ReflectPad(_)
            | Layer::Add(_)
            | Layer::Concat(_)
            | Layer::Dropout(_) => continue,
        };
        for (name, sum) in sums {
            if !sum.is_finite() {
                return Some(format!("layer {i} ({kind}), {name}"));
            }
        }
    }
    None
}

/// Sums of absolute values: not finite if a value is not, or if the values are so large that the
/// run is lost.
fn parts<const D: usize>(
    weight: &burn::module::Param<burn::tensor::Tensor<D>>,
    bias: Option<&burn::module::Param<burn::tensor::Tensor<1>>>,
) -> Vec<(&'static str, f32)> {
    let mut sums = vec![("weight", total(weight))];
    if let Some(bias) = bias {
        sums.push(("bias", total(bias)));
    }
    sums
}

fn total<const D: usize>(values: &burn::module::Param<burn::tensor::Tensor<D>>) -> f32 {
    values.val().inner().abs().sum().into_scalar()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(images: u64, metrics: &[(&str, f64)]) -> Row {
        Row {
            images,
            epoch: 0.0,
            seconds: 0.0,
            images_per_s: 0.0,
            metrics: metrics.iter().map(|(k, v)| (k.to_string(), *v)).collect(),
        }
    }

    fn config(text: &str) -> Config {
        Config::new(None, &text.parse().unwrap()).unwrap()
    }

    #[test]
    fn each_starts_once_and_ends_once() {
        let cfg = config("");
        type Values = [(&'static str, f64, f64); 2];
        let cases: [(Verdict, Values); 6] = [
            (Verdict::Ignoring, [("edges", 4.8, 2.0), ("edges_of_others", 5.0, 5.0)]),
            (Verdict::Memorizing, [("l1", 0.2, 0.2), ("l1_train", 0.05, 0.15)]),
            (Verdict::DTooStrong, [("d_right", 1.0, 0.8), ("d_loss", 0.01, 0.3)]),
            (Verdict::DGuesses, [("d_right", 0.5, 0.8), ("d_loss", 1.4, 0.3)]),
            (Verdict::Collapsed, [("variety", 0.1, 0.9), ("d_loss", 0.3, 0.3)]),
            (Verdict::Overfitting, [("overfit", 0.8, 0.1), ("d_loss", 0.3, 0.3)]),
        ];
        for (verdict, values) in cases {
            let mut watch = Watch::new(&cfg);
            let mut notes = Vec::new();
            for images in 0..30 {
                let ill = (10..20).contains(&images);
                let values = values.map(|(key, bad, good)| (key, if ill { bad } else { good }));
                notes.extend(watch.look(&row(images * 1_000, &values)));
            }
            let notes: Vec<_> = notes.iter().map(|n| (n.images, n.verdict)).collect();
            assert_eq!(notes, [(12_000, Some(verdict)), (22_000, Some(verdict))]);
        }
    }

    #[test]
    fn a_discriminator_that_still_learns_is_not_too_strong() {
        // Rows of the default recipe on drawn faces, whose pictures are good: it ranks nearly every
        // pair.
        let cfg = config("");
        let mut watch = Watch::new(&cfg);
        for images in 5..50 {
            let row = row(images * 1_000, &[("d_right", 1.0), ("d_loss", 0.2), ("variety", 0.9)]);
            assert!(watch.look(&row).is_empty());
        }
    }

    #[test]
    fn advice_names_only_what_the_run_has() {
        let plain = config("");
        let penalized = config("penalty = 'r1r2'\nd_norm = false\nloss = 'rpgan'");
        for verdict in Verdict::ALL {
            let (a, b) = (verdict.advice(&plain), verdict.advice(&penalized));
            assert!(!a.contains("gamma"), "{a}");
            assert!(!b.contains("smooth") && !b.contains("penalty="), "{b}");
            assert!(!a.is_empty() && !b.is_empty());
        }
        assert!(Verdict::DTooStrong.advice(&penalized).contains("a larger gamma"));
        for (recipe, weight) in [("pix2pix", "a larger l1"), ("cyclegan", "a larger cycle")] {
            let cfg = Config::new(Some(recipe), &toml::Table::new()).unwrap();
            for verdict in Verdict::ALL.into_iter().filter(|v| *v != Verdict::Overfitting) {
                let advice = verdict.advice(&cfg);
                let foreign = ["gamma", "penalty", "rpgan", "instance_noise", "augment"];
                assert!(foreign.iter().all(|key| !advice.contains(key)), "{recipe}: {advice}");
                assert!(!advice.is_empty());
            }
            assert!(Verdict::Collapsed.advice(&cfg).starts_with(weight));
            assert!(Verdict::Ignoring.advice(&cfg).starts_with(weight));
        }
    }

    #[test]
    fn nothing_starts_early_or_after_single_rows() {
        let cfg = config("");
        let mut watch = Watch::new(&cfg);
        for images in 0..5 {
            assert!(watch.look(&row(images * 1_000, &[("d_right", 0.5)])).is_empty());
        }
        for images in 5..50 {
            let value = if images % 3 == 0 { 0.7 } else { 0.5 };
            assert!(watch.look(&row(images * 1_000, &[("d_right", value)])).is_empty());
        }
    }
}
