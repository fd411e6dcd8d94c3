//! The part of an image that is kept before it is resized.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A square of an image. FID on CelebA differs by tens between these, so a result has to name its
/// crop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Crop {
    /// The largest centered square.
    #[default]
    Center,
    /// The centered square of this many pixels. For CelebA's aligned images (178 x 218): 108 in
    /// DCGAN's code, 140 in score-based models, 178 in that of the two-time-scale update rule.
    Middle(u32),
    /// 128 pixels around column 89, row 121 of CelebA's aligned images (Karras et al. 2018, the
    /// data tool).
    Celeba128,
}

impl Crop {
    /// Upper left corner and side of the square in an image of `width` x `height`; none if it does
    /// not fit.
    pub fn of(self, width: u32, height: u32) -> Option<[u32; 3]> {
        let middle = |side: u32| {
            let x = width.checked_sub(side)? / 2;
            Some([x, height.checked_sub(side)? / 2, side])
        };
        match self {
            Crop::Center => middle(width.min(height)),
            Crop::Middle(side) => middle(side),
            Crop::Celeba128 => (width >= 153 && height >= 185).then_some([25, 57, 128]),
        }
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crop::Center => write!(f, "center"),
            Crop::Middle(side) => write!(f, "{side}"),
            Crop::Celeba128 => write!(f, "celeba128"),
        }
    }
}

/// A name that is not a crop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCrop(String);

impl fmt::Display for UnknownCrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no crop {:?}: center, a number of pixels such as 108, 140 or 178, or celeba128",
            self.0
        )
    }
}

impl std::error::Error for UnknownCrop {}

impl FromStr for Crop {
    type Err = UnknownCrop;

    fn from_str(text: &str) -> Result<Crop, UnknownCrop> {
        match text {
            "center" => Ok(Crop::Center),
            "celeba128" => Ok(Crop::Celeba128),
            number => match number.parse() {
                Ok(side @ 1..=65_536) => Ok(Crop::Middle(side)),
                _ => Err(UnknownCrop(text.into())),
            },
        }
    }
}

impl TryFrom<String> for Crop {
    type Error = UnknownCrop;

    fn try_from(text: String) -> Result<Crop, UnknownCrop> {
        text.parse()
    }
}

impl From<Crop> for String {
    fn from(crop: Crop) -> String {
        crop.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_of_an_aligned_celebrity() {
        let cases = [
            ("center", Some([0, 20, 178])),
            ("108", Some([35, 55, 108])),
            ("140", Some([19, 39, 140])),
            ("178", Some([0, 20, 178])),
            ("celeba128", Some([25, 57, 128])),
            ("200", None),
        ];
        for (name, want) in cases {
            let crop: Crop = name.parse().unwrap();
            assert_eq!(crop.of(178, 218), want, "{name}");
            assert_eq!(crop.to_string(), name);
        }
        for name in ["0", "-3", "left", ""] {
            assert!(name.parse::<Crop>().is_err(), "{name}");
        }
    }
}
