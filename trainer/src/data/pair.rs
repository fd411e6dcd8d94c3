//! Inputs of pairs that are made from the images themselves.

use std::fmt;
use std::str::FromStr;

use quality::edges;
use serde::{Deserialize, Serialize};

use super::form::Form;

/// Where the input of each pair comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Pair {
    /// The left half of each image, whose right half is the target. Of drawn faces: the line
    /// drawing.
    Left,
    /// The right half of each image, whose left half is the target.
    Right,
    /// The edges of the image, black on white.
    Edges,
    /// The image without its colors.
    Gray,
    /// The image, blurred.
    Blur,
    /// The image without a square of a quarter of its area, at a place of its own.
    Mask,
}

const NAMES: [(&str, Pair); 6] = [
    ("left", Pair::Left),
    ("right", Pair::Right),
    ("edges", Pair::Edges),
    ("gray", Pair::Gray),
    ("blur", Pair::Blur),
    ("mask", Pair::Mask),
];

/// Standard deviation of [`Pair::Blur`], as a share of the side.
const BLUR: f32 = 1.0 / 24.0;
/// The value of what [`Pair::Mask`] hides.
const HIDDEN: u8 = 128;

impl Pair {
    /// Whether the input is made from the target.
    pub fn is_made(self) -> bool {
        match self {
            Pair::Left | Pair::Right => false,
            Pair::Edges | Pair::Gray | Pair::Blur | Pair::Mask => true,
        }
    }

    /// Channels of inputs for targets of `channels` channels.
    pub fn channels(self, channels: usize) -> usize {
        match self {
            Pair::Edges | Pair::Gray => 1,
            Pair::Left | Pair::Right | Pair::Blur | Pair::Mask => channels,
        }
    }

    /// The input of form `to` for a target, planes of bytes of form `from`. `content` decides what is
    /// hidden.
    pub(super) fn make(self, target: &[u8], from: &Form, to: &Form, content: u64) -> Box<[u8]> {
        let (side, planes) = (from.size as usize, target.chunks_exact(from.pixels()));
        let made: Vec<u8> = match self {
            Pair::Edges => edges::canny(&luma(target, from), side)
                .into_iter()
                .map(|edge| if edge { 0 } else { 255 })
                .collect(),
            Pair::Gray => luma(target, from),
            Pair::Blur => planes
                .flat_map(|plane| {
                    let plane: Vec<f32> = plane.iter().map(|&v| f32::from(v)).collect();
                    edges::blurred(&plane, side, BLUR * side as f32)
                })
                .map(|v| (v + 0.5) as u8)
                .collect(),
            Pair::Mask => {
                let half = side / 2;
                let places = (side - half + 1) as u64;
                let (x, y) = ((content % places) as usize, (content / places % places) as usize);
                let hides = |at: usize| {
                    (x..x + half).contains(&(at % side)) && (y..y + half).contains(&(at / side))
                };
                let hidden = |(at, &v): (usize, &u8)| if hides(at) { HIDDEN } else { v };
                planes.flat_map(|plane| plane.iter().enumerate().map(hidden)).collect()
            }
            Pair::Left | Pair::Right => target.to_vec(),
        };
        let given = made.len() / from.pixels();
        (0..to.planes())
            .flat_map(|c| made[c.min(given - 1) * from.pixels()..][..from.pixels()].to_vec())
            .collect()
    }
}

/// Luma of planes, weighted as `image` does (ITU-R BT.709, item 3.2).
fn luma(planes: &[u8], form: &Form) -> Vec<u8> {
    let plane = form.pixels();
    match form.planes() {
        1 => planes.to_vec(),
        _ => (0..plane)
            .map(|at| {
                let [r, g, b] = [0, 1, 2].map(|c| u32::from(planes[c * plane + at]));
                ((2_126 * r + 7_152 * g + 722 * b) / 10_000) as u8
            })
            .collect(),
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, pair)| pair == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// A name that is no [`Pair`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPair(String);

impl fmt::Display for UnknownPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = NAMES.map(|(name, _)| name).join(", ");
        write!(f, "there is no pair {:?}: must be one of {names}", self.0)
    }
}

impl std::error::Error for UnknownPair {}

impl FromStr for Pair {
    type Err = UnknownPair;

    fn from_str(text: &str) -> Result<Pair, UnknownPair> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, pair)| *pair).ok_or_else(|| UnknownPair(text.into()))
    }
}

impl TryFrom<String> for Pair {
    type Error = UnknownPair;

    fn try_from(text: String) -> Result<Pair, UnknownPair> {
        text.parse()
    }
}

impl From<Pair> for String {
    fn from(pair: Pair) -> String {
        pair.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Crop;

    const FORM: Form = Form { size: 32, channels: 3, crop: Crop::Center, transpose: false };
    const GRAY: Form = Form { channels: 1, ..FORM };

    /// A red square of 16 pixels on green.
    fn target() -> Vec<u8> {
        let inside = |at: usize| (8..24).contains(&(at % 32)) && (8..24).contains(&(at / 32));
        let plane =
            |inner: u8, outer: u8| (0..1024).map(move |at| if inside(at) { inner } else { outer });
        plane(250, 10).chain(plane(10, 250)).chain(plane(40, 40)).collect()
    }

    #[test]
    fn inputs_are_what_their_names_say() {
        let target = target();
        let make = |pair: Pair, to: &Form| pair.make(&target, &FORM, to, 12_345);
        let edges = make(Pair::Edges, &GRAY);
        let black: Vec<usize> = (0..1024).filter(|&at| edges[at] == 0).collect();
        assert!((40..=76).contains(&black.len()), "{} pixels", black.len());
        let near = |v: usize| v.abs_diff(8).min(v.abs_diff(23)) <= 1;
        assert!(black.iter().all(|at| near(at % 32) || near(at / 32)), "{black:?}");
        // As many planes as are asked for.
        let three = make(Pair::Edges, &FORM);
        assert!(three.chunks_exact(1024).all(|plane| plane == &edges[..]));

        let gray = make(Pair::Gray, &GRAY);
        assert_eq!(gray[0], ((2_126 * 10 + 7_152 * 250 + 722 * 40) / 10_000) as u8);

        let blur = make(Pair::Blur, &FORM);
        assert_eq!(blur.len(), target.len());
        assert_eq!([blur[0], blur[16 * 32 + 16]], [10, 250]);
        // Just inside the edge: between half of the step and all of it.
        assert!((140..200).contains(&blur[16 * 32 + 8]), "{}", blur[16 * 32 + 8]);

        let mask = make(Pair::Mask, &FORM);
        for plane in 0..3 {
            let hidden = mask[plane * 1024..][..1024].iter().filter(|&&v| v == HIDDEN).count();
            assert_eq!(hidden, 256);
        }
        let kept = mask.iter().zip(&target).filter(|(m, t)| m == t).count();
        assert_eq!(kept, 3 * (1024 - 256));
        assert_ne!(mask, Pair::Mask.make(&target, &FORM, &FORM, 7));
    }

    #[test]
    fn names() {
        for (name, pair) in NAMES {
            assert_eq!(name.parse(), Ok(pair));
            assert_eq!(pair.to_string(), name);
        }
        let error = "edge".parse::<Pair>().unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no pair \"edge\": must be one of left, right, edges, gray, blur, mask"
        );
    }
}
