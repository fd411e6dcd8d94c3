//! The kiosk: each face dwells, then morphs into the next along the latent sphere, endlessly.

mod error;
mod shown;
#[cfg(test)]
mod tests;

pub use error::KioskError;

use embedded_graphics::draw_target::DrawTarget;
use runtime::Backend;

use crate::caption::Caption;
use crate::paint::Paint;
use crate::show::{Moment, Show};

use shown::{Frame, Shown};

/// Endless faces.
pub struct Kiosk<B> {
    backend: B,
    show: Show,
    position: u64,
    held: bool,
    asleep: bool,
    starred: bool,
    shown: Shown,
}

impl<B: Backend> Kiosk<B> {
    /// A kiosk at its first face, on a panel whose contents are unknown.
    pub fn new(backend: B, show: Show) -> Kiosk<B> {
        Kiosk {
            backend,
            show,
            position: 0,
            held: false,
            asleep: false,
            starred: false,
            shown: Shown::default(),
        }
    }

    /// The backend that generates the faces.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The settings given to [`Kiosk::new`].
    pub fn show(&self) -> &Show {
        &self.show
    }

    /// The position in the sequence, in frames since the first face. Saving these 8 bytes is enough to
    /// resume after a restart.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Resumes at a position: a saved one, or the clock's seconds times the frame rate, which puts a
    /// kiosk without storage where it would be had it never stopped.
    pub fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// The seed of the current face; during a morph, of the nearer of the two.
    pub fn seed(&self) -> u64 {
        self.show.nearest(self.moment())
    }

    fn moment(&self) -> Moment {
        self.show.moment(self.position)
    }

    /// Advances the position by `frames`, unless the face is held.
    pub fn advance(&mut self, frames: u64) {
        if !self.held {
            self.position = self.position.wrapping_add(frames);
        }
    }

    /// Frames until the picture changes; `None` while the face is held or the kiosk asleep.
    pub fn until_change(&self) -> Option<u64> {
        let still = self.held || self.asleep;
        (!still).then(|| self.show.change(self.position).wrapping_sub(self.position))
    }

    /// Holds the current picture, or resumes.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Whether the picture is held.
    pub fn held(&self) -> bool {
        self.held
    }

    /// Skips to the next face: starts the morph, or jumps to its end if it is already running or the
    /// picture is held.
    pub fn next(&mut self) {
        let morphing = self.moment().morphed > 0;
        self.position = match self.held || morphing {
            true => self.show.start(self.position).wrapping_add(self.show.cycle()),
            false => self.show.change(self.position),
        };
    }

    /// Returns to the previous face.
    pub fn previous(&mut self) {
        let start = self.show.start(self.position);
        match start.checked_sub(self.show.cycle()) {
            Some(before) => self.position = before,
            None => {
                self.show.seed = self.show.seed.wrapping_sub(1);
                self.position = 0;
            }
        }
    }

    /// Shows or hides the star after the caption's seed. Which seeds are favorites is the caller's to
    /// remember: call this with the answer for [`Kiosk::seed`] before each frame.
    pub fn star(&mut self, starred: bool) {
        self.starred = starred;
    }

    /// Blanks the panel, or shows faces again. The sequence keeps advancing meanwhile.
    pub fn sleep(&mut self, asleep: bool) {
        self.asleep = asleep;
    }

    /// Whether the panel is blanked.
    pub fn asleep(&self) -> bool {
        self.asleep
    }

    /// Forgets what the panel shows, so that the next frame is drawn in full; for a panel that was
    /// reset or replaced.
    pub fn redraw(&mut self) {
        self.shown = Shown::default();
    }

    /// Draws the current frame and advances to the next. Returns whether anything was drawn.
    ///
    /// # Errors
    /// [`KioskError`]; the position then stays where it is.
    pub fn step<D>(&mut self, display: &mut D) -> Result<bool, KioskError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let drawn = self.draw(display)?;
        self.advance(1);
        Ok(drawn)
    }

    /// Draws whatever differs from what the panel shows: a dwelling face is drawn once, and so is a
    /// caption below it. Returns whether anything was drawn.
    ///
    /// # Errors
    /// [`KioskError`]; the panel's contents then count as unknown, and the next call redraws everything.
    pub fn draw<D>(&mut self, display: &mut D) -> Result<bool, KioskError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let frame = match self.asleep {
            true => Frame::Dark,
            false => Frame::Face {
                moment: self.moment(),
                caption: self.show.caption.then(|| self.caption()),
            },
        };
        self.shown.draw(frame, &self.show, &mut self.backend, display)
    }

    fn caption(&self) -> Caption {
        let moment = self.moment();
        Caption {
            seed: moment.seed,
            next: (moment.morphed > 0).then(|| moment.seed.wrapping_add(1)),
            starred: self.starred,
        }
    }
}
