//! What people can look like.

use super::pen::At;
use super::tone::Tone;

pub(super) struct Build {
    pub temple: f32,
    pub cheek: f32,
    pub jaw: f32,
    pub chin: f32,
    pub end: f32,
}

pub(super) struct Eyes {
    /// Half the distance between them.
    pub apart: f32,
    pub width: f32,
    pub height: f32,
    /// How far outer corners lie above inner ones.
    pub slant: f32,
    pub gaze: At,
    pub lids: Lids,
    pub lashes: bool,
    pub paint: Option<Tone>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lids {
    Open,
    Sleepy,
    /// Both closed, as in laughing.
    Smiling,
    Wink,
}

pub(super) struct Brows {
    pub thick: f32,
    pub arch: f32,
    /// Upwards at the outer end; negative: worried.
    pub angle: f32,
    pub raise: f32,
}

pub(super) struct Nose {
    pub long: f32,
    pub wide: f32,
    pub kind: NoseKind,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum NoseKind {
    Button,
    Line,
    Broad,
}

pub(super) struct Mouth {
    pub wide: f32,
    pub full: f32,
    /// Corners up (1) or down (-1).
    pub smile: f32,
    pub kind: MouthKind,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum MouthKind {
    Closed,
    /// A line, no lips to be seen.
    Thin,
    Teeth,
    Laugh,
    Oh,
    Smirk,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Style {
    Bald,
    Receding,
    Buzz,
    Crop,
    SidePart,
    Quiff,
    Messy,
    Spiky,
    Mohawk,
    Curly,
    Afro,
    Pixie,
    Bob,
    Fringe,
    Long,
    Wavy,
    LongCurly,
    Ponytail,
    Bun,
    Buns,
    Braids,
    Locs,
    Scarf,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Beard {
    None,
    Stubble,
    Moustache,
    Handlebar,
    Goatee,
    Full,
    Long,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Hat {
    None,
    Beanie,
    Cap,
    Brim,
    Bowler,
    Band,
    Flower,
    Bow,
    Phones,
    Party,
    Crown,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Glasses {
    None,
    Round,
    Square,
    Cat,
    Half,
    Sun,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Earring {
    None,
    Stud,
    Hoop,
    Drop,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wear {
    Tee,
    Vee,
    Stripes,
    Hoodie,
    Shirt,
    Suit,
    Roll,
    Straps,
    Overalls,
}

impl Style {
    /// Whether it fits under a hat: what stands up does not.
    pub fn fits_under_hat(self) -> bool {
        use Style::*;
        !matches!(self, Quiff | Spiky | Mohawk | Afro | Bun | Buns | Scarf | Messy)
    }
}
