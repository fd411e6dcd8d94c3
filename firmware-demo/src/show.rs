//! The sequence: which faces follow each other, for how long, and what is visible at a position.

use runtime::Latent;

use crate::scale::{Fit, Scaling};
use crate::turn::Turn;

/// The settings of a kiosk: the sequence of faces and how they are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Show {
    /// Seed of the first face; each next face has the next seed.
    pub seed: u64,
    /// Frames per face; 0 counts as 1.
    pub dwell: u32,
    /// Frames per morph; 0 switches without one.
    pub morph: u32,
    /// Factor on the latents. Below 1, faces are more average and better formed.
    pub truncation: f32,
    /// Whether the seed is shown: below the face, or over it with [`Fit::Fill`].
    pub caption: bool,
    /// Interpolation.
    pub scaling: Scaling,
    /// What to do on a panel of another aspect ratio.
    pub fit: Fit,
    /// How the panel is mounted.
    pub turn: Turn,
}

impl Default for Show {
    /// At 20 frames per second: 3 s per face and 3 s per morph.
    fn default() -> Self {
        Show {
            seed: 0,
            dwell: 60,
            morph: 60,
            truncation: 0.8,
            caption: true,
            scaling: Scaling::Bilinear,
            fit: Fit::Letterbox,
            turn: Turn::new(0, false),
        }
    }
}

/// What is visible at a position of the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The dwelling face, or the one a morph starts from.
    pub(crate) seed: u64,
    /// Frames into the morph; 0 while the face dwells.
    pub(crate) morphed: u32,
}

impl Show {
    /// Frames per face, at least 1.
    fn dwell(&self) -> u64 {
        self.dwell.max(1) as u64
    }

    /// Frames from one face to the next: dwell and morph.
    pub fn cycle(&self) -> u64 {
        self.dwell() + self.morph as u64
    }

    pub(crate) fn moment(&self, position: u64) -> Moment {
        let within = position % self.cycle();
        Moment {
            seed: self.seed.wrapping_add(position / self.cycle()),
            morphed: match within.checked_sub(self.dwell()) {
                None => 0,
                // A morph excludes both of its ends: those are dwelling faces.
                Some(n) => n as u32 + 1,
            },
        }
    }

    /// The position at which the face at `position` begins to dwell.
    pub(crate) fn start(&self, position: u64) -> u64 {
        position - position % self.cycle()
    }

    /// The first position after `position` at which the picture differs.
    pub(crate) fn change(&self, position: u64) -> u64 {
        match position % self.cycle() < self.dwell() {
            true => self.start(position).wrapping_add(self.dwell()),
            false => position.wrapping_add(1),
        }
    }

    /// The latent of a moment.
    pub(crate) fn latent(&self, moment: Moment) -> Latent<'static> {
        let Moment { seed, morphed } = moment;
        let latent = match morphed {
            0 => Latent::from_seed(seed),
            n => {
                let t = n as f32 / (self.morph as u64 + 1) as f32;
                Latent::between(seed, seed.wrapping_add(1), ease(t))
            }
        };
        latent.truncated(self.truncation)
    }

    /// The seed of the face nearest to a moment.
    pub(crate) fn nearest(&self, moment: Moment) -> u64 {
        match moment.morphed as u64 * 2 > self.morph as u64 + 1 {
            true => moment.seed.wrapping_add(1),
            false => moment.seed,
        }
    }
}

/// Smoothstep: the cubic from 0 to 1 with zero slope at both ends.
fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_sequence() {
        let show = Show { seed: 5, dwell: 2, morph: 3, ..Show::default() };
        // Position, seed, frames into the morph, nearest face, next change.
        let cases = [
            (0, 5, 0, 5, 2),
            (1, 5, 0, 5, 2),
            (2, 5, 1, 5, 3),
            (3, 5, 2, 5, 4),
            (4, 5, 3, 6, 5),
            (5, 6, 0, 6, 7),
            (14, 7, 3, 8, 15),
        ];
        for (position, seed, morphed, nearest, change) in cases {
            let moment = show.moment(position);
            assert_eq!(moment, Moment { seed, morphed }, "{position}");
            assert_eq!(show.nearest(moment), nearest, "{position}");
            assert_eq!(show.change(position), change, "{position}");
        }
    }

    #[test]
    fn a_dwell_of_zero_is_one_frame() {
        let show = Show { dwell: 0, morph: 0, ..Show::default() };
        assert_eq!(show.cycle(), 1);
        assert_eq!(show.moment(9), Moment { seed: 9, morphed: 0 });
    }

    #[test]
    fn morphs_are_slow_at_both_ends() {
        assert_eq!([0.0, 0.5, 1.0].map(ease), [0.0, 0.5, 1.0]);
        assert!(ease(0.1) < 0.03 && ease(0.9) > 0.97);
    }
}
