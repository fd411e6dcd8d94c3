//! What a panel shows, and the drawing of what differs from it.

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::{PointsIter, Rectangle};
use runtime::Backend;

use super::error::KioskError;
use crate::caption::{self, Caption};
use crate::paint::{Paint, darken};
use crate::scale::{self, Fit, Scaled};
use crate::show::{Moment, Show};
use crate::turn::Turned;

/// A frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    Dark,
    Face { moment: Moment, caption: Option<Caption> },
}

/// The frame that was last drawn on a panel, and the panel's bounds then; `None` while unknown.
#[derive(Default)]
pub(super) struct Shown(Option<(Frame, Rectangle)>);

impl Shown {
    /// Draws whatever differs from what the panel shows. Returns whether anything was drawn.
    ///
    /// # Errors
    /// [`KioskError`]; what the panel shows is then unknown.
    pub(super) fn draw<B, D>(
        &mut self,
        frame: Frame,
        show: &Show,
        backend: &mut B,
        display: &mut D,
    ) -> Result<bool, KioskError<D::Error>>
    where
        B: Backend,
        D: DrawTarget<Color: Paint>,
    {
        let wanted = Some((frame, display.bounding_box()));
        if self.0 == wanted {
            return Ok(false);
        }
        // A failure from here on leaves the panel in an unknown state.
        let before = self.0.take();
        match frame {
            Frame::Dark => darken(display).map_err(KioskError::Display)?,
            Frame::Face { moment, caption } => {
                face(show, backend, (moment, caption), before, display)?;
            }
        }
        self.0 = wanted;
        Ok(true)
    }
}

/// Draws a face and its caption, or the one that changed.
fn face<B, D>(
    show: &Show,
    backend: &mut B,
    (moment, caption): (Moment, Option<Caption>),
    before: Option<(Frame, Rectangle)>,
    display: &mut D,
) -> Result<(), KioskError<D::Error>>
where
    B: Backend,
    D: DrawTarget<Color: Paint>,
{
    let Show { fit, scaling, turn, .. } = *show;
    let bounds = display.bounding_box();
    let view = turn.size(bounds.size);
    // `Fill` has no margin to put a caption in: it is drawn over the face.
    let overlaid = fit == Fit::Fill;
    let below = match caption {
        Some(_) if !overlaid => caption::rows(view),
        _ => 0,
    };
    let room = Size::new(view.width, view.height.saturating_sub(below));
    if room.width == 0 || room.height == 0 {
        return Err(KioskError::NoRoom(bounds.size));
    }
    let (old_moment, old_caption) = match before {
        Some((Frame::Face { moment, caption }, old)) if old == bounds => (Some(moment), caption),
        // Clears the margins, which are not drawn again after this.
        _ => {
            darken(display).map_err(KioskError::Display)?;
            (None, None)
        }
    };
    if old_moment != Some(moment) || (overlaid && old_caption != caption) {
        let latent = show.latent(moment);
        let image = backend.generate(&latent).map_err(KioskError::Latent)?;
        let picture = Size::new(image.width() as u32, image.height() as u32);
        let upright = scale::area(fit, &Rectangle::new(Point::zero(), room), picture);
        let area = turn.area_to_panel(&upright, bounds.size);
        let on_panel = Rectangle::new(area.top_left + bounds.top_left, area.size);
        let colors = Scaled::new(image, on_panel, room, fit, scaling, turn);
        let filled = match caption.filter(|_| overlaid) {
            Some(caption) => {
                let overlay = caption.overlay(view);
                let over = |(at, color)| overlay.over(turn.to_view(at, bounds.size), color);
                display.fill_contiguous(&on_panel, area.points().zip(colors).map(over))
            }
            None => display.fill_contiguous(&on_panel, colors),
        };
        filled.map_err(KioskError::Display)?;
    }
    match caption {
        Some(caption) if !overlaid && old_caption != Some(caption) => {
            let written = caption.draw(&mut Turned::new(display, turn));
            written.map_err(KioskError::Display)
        }
        _ => Ok(()),
    }
}
