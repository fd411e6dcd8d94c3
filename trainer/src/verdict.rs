//! What is going wrong, in words.

use std::fmt;

use models::{Layer, Sequential};
use serde::{Deserialize, Serialize};

use crate::checkpoint::State;
use crate::report::Row;

/// Rows in a row after which something is said, and after which it counts as over: single rows are noise.
const ROWS: u32 = 3;
/// Images before which nothing is said: at the beginning every discriminator wins.
const GRACE: u64 = 5_000;

/// Something that a run suffers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The discriminator tells nearly every fake: the generator learns little from it.
    DTooStrong,
    /// The discriminator guesses: the generator learns nothing from it.
    DGuesses,
    /// The fakes of a batch look alike.
    Collapsed,
    /// The discriminator knows the training images by heart.
    Overfitting,
}

impl Verdict {
    const ALL: [Verdict; 4] =
        [Verdict::DTooStrong, Verdict::DGuesses, Verdict::Collapsed, Verdict::Overfitting];

    /// Whether a row shows it; none where the row cannot tell.
    fn shows(self, row: &Row) -> Option<bool> {
        let value = |key| Some(row.value(key)).filter(|v| v.is_finite());
        Some(match self {
            Verdict::DTooStrong => value("d_right")? > 0.995,
            Verdict::DGuesses => (value("d_right")? - 0.5).abs() < 0.02,
            Verdict::Collapsed => value("variety")? < 0.4,
            // Karras et al. 2020 ("ADA"), section 3.1: 0.6 is where they begin to augment.
            Verdict::Overfitting => value("overfit")? > 0.6,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::DTooStrong => {
                "D is too strong, it tells nearly every fake: try a larger gamma, smaller ndf or lr_d, instance_noise, \
                 or smooth=0.1"
            }
            Verdict::DGuesses => {
                "D only guesses, so G learns nothing: try a larger ndf or lr_d, or a smaller gamma"
            }
            Verdict::Collapsed => {
                "G has collapsed, its images look alike: try loss=rpgan with penalty=r1r2 and d_norm=false, or go back \
                 to an earlier checkpoint"
            }
            Verdict::Overfitting => {
                "D overfits, it knows the training images from held-out ones: try augment=colour,translation,cutout, \
                 more data, or stop here"
            }
        })
    }
}

/// A line of `verdicts.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// Images seen.
    pub images: u64,
    /// What began or ended; none for what happened once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// In words.
    pub text: String,
}

/// Watches a run's rows.
#[derive(Debug, Default)]
pub struct Watch {
    /// For each verdict: rows in a row that contradict what stands, and what stands.
    seen: [(u32, bool); Verdict::ALL.len()],
}

impl Watch {
    /// What has to be said after `row`: what began, and what is over.
    pub fn look(&mut self, row: &Row) -> Vec<Said> {
        let mut said = Vec::new();
        if row.images < GRACE {
            return said;
        }
        for (verdict, (rows, stands)) in Verdict::ALL.into_iter().zip(&mut self.seen) {
            match verdict.shows(row) {
                Some(shows) if shows != *stands => *rows += 1,
                Some(_) => *rows = 0,
                None => {}
            }
            if *rows == ROWS {
                (*rows, *stands) = (0, !*stands);
                let text = match stands {
                    true => verdict.to_string(),
                    false => {
                        format!("over: {}", verdict.to_string().split(':').next().unwrap_or(""))
                    }
                };
                said.push(Said { images: row.images, verdict: Some(verdict), text });
            }
        }
        said
    }
}

/// The first tensor of the two networks that holds what is no number, in words.
pub fn broken(state: &State) -> Option<String> {
    let of = |whose: &str, net: &Sequential| bad(net).map(|what| format!("{whose}'s {what}"));
    of("D", &state.d).or_else(|| of("G", &state.g))
}

fn bad(net: &Sequential) -> Option<String> {
    for (i, layer) in net.layers.iter().enumerate() {
        let (kind, sums) = match layer {
            Layer::Conv(l) => ("conv", parts(&l.weight, l.bias.as_ref())),
            Layer::ConvTranspose(l) => ("transposed conv", parts(&l.weight, l.bias.as_ref())),
            Layer::ResizeConv(l) => ("resize conv", parts(&l.weight, l.bias.as_ref())),
            Layer::BatchNorm(l) => ("batch norm", parts(&l.gamma, Some(&l.beta))),
            Layer::Activation(_) | Layer::Dropout(_) => continue,
        };
        for (name, sum) in sums {
            if !sum.is_finite() {
                return Some(format!("layer {i} ({kind}), {name}"));
            }
        }
    }
    None
}

/// Sums of absolute values: finite exactly if every number is, or so nearly that a run is lost.
fn parts<const D: usize>(
    weight: &burn::module::Param<burn::tensor::Tensor<D>>,
    bias: Option<&burn::module::Param<burn::tensor::Tensor<1>>>,
) -> Vec<(&'static str, f32)> {
    let mut sums = vec![("weight", weight.val().inner().abs().sum().into_scalar())];
    if let Some(bias) = bias {
        sums.push(("bias", bias.val().inner().abs().sum().into_scalar()));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(images: u64, gauges: &[(&str, f64)]) -> Row {
        Row {
            images,
            epoch: 0.0,
            seconds: 0.0,
            images_per_s: 0.0,
            gauges: gauges.iter().map(|(k, v)| (k.to_string(), *v)).collect(),
        }
    }

    #[test]
    fn each_is_said_once_and_taken_back() {
        let cases = [
            (Verdict::DTooStrong, "d_right", 1.0, 0.8),
            (Verdict::DGuesses, "d_right", 0.5, 0.8),
            (Verdict::Collapsed, "variety", 0.1, 0.9),
            (Verdict::Overfitting, "overfit", 0.8, 0.1),
        ];
        for (verdict, key, ill, well) in cases {
            let mut watch = Watch::default();
            let mut said = Vec::new();
            for images in 0..30 {
                let value = if (10..20).contains(&images) { ill } else { well };
                said.extend(watch.look(&row(images * 1_000, &[(key, value)])));
            }
            let said: Vec<_> = said.iter().map(|s| (s.images, s.verdict)).collect();
            assert_eq!(said, [(12_000, Some(verdict)), (22_000, Some(verdict))]);
        }
    }

    #[test]
    fn nothing_is_said_early_or_of_single_rows() {
        let mut watch = Watch::default();
        for images in 0..5 {
            assert!(watch.look(&row(images * 1_000, &[("d_right", 1.0)])).is_empty());
        }
        for images in 5..50 {
            let value = if images % 3 == 0 { 0.7 } else { 1.0 };
            assert!(watch.look(&row(images * 1_000, &[("d_right", value)])).is_empty());
        }
    }
}
