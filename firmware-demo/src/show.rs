//! How the faces follow each other, and where in the endless sequence a frame lies.

use runtime::latent::Latent;

use crate::scale::{Fit, Scaling};
use crate::turn::Turn;

/// How the faces follow each other and lie on the panel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Show {
    /// Seed of the first face; the others count up from it.
    pub seed: u64,
    /// Frames that a face stays: one at least, whatever is said here.
    pub dwell: u32,
    /// Frames from one face to the next.
    pub morph: u32,
    /// Factor on the latents: below 1 faces are more ordinary and better formed.
    pub truncation: f32,
    /// Whether a face's seed is written below it.
    pub caption: bool,
    /// How pixels between the pixels are made.
    pub scaling: Scaling,
    /// How a face lies on a panel of another shape.
    pub fit: Fit,
    /// How the panel is mounted.
    pub turn: Turn,
}

impl Default for Show {
    /// At 20 frames a second: three seconds each.
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

/// What is to be seen at a position of the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The face that dwells or is left.
    pub(crate) seed: u64,
    /// Frames of the morph that are done: 0 while the face dwells.
    pub(crate) morphed: u32,
}

impl Show {
    /// Frames that a face stays.
    fn dwell(&self) -> u64 {
        self.dwell.max(1) as u64
    }

    /// Frames from a face to the next one.
    pub fn cycle(&self) -> u64 {
        self.dwell() + self.morph as u64
    }

    pub(crate) fn moment(&self, position: u64) -> Moment {
        let within = position % self.cycle();
        Moment {
            seed: self.seed.wrapping_add(position / self.cycle()),
            morphed: match within.checked_sub(self.dwell()) {
                None => 0,
                // Neither end of the way is part of the morph: both are faces that dwell.
                Some(n) => n as u32 + 1,
            },
        }
    }

    /// The position at which a face begins to dwell, counted from another position of the sequence.
    pub(crate) fn start(&self, position: u64) -> u64 {
        position - position % self.cycle()
    }

    /// The first position after `position` at which something else is to be seen.
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

    /// The face that a moment is nearest to.
    pub(crate) fn nearest(&self, moment: Moment) -> u64 {
        match moment.morphed as u64 * 2 > self.morph as u64 + 1 {
            true => moment.seed.wrapping_add(1),
            false => moment.seed,
        }
    }
}

/// Slow, fast, slow: the cubic from 0 to 1 that is flat at both ends.
fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_sequence() {
        let show = Show { seed: 5, dwell: 2, morph: 3, ..Show::default() };
        // Position, seed, frames of the morph, nearest face, next change.
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
    fn a_dwell_of_nothing_is_one_frame() {
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
