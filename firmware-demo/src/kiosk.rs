//! The kiosk: each face dwells, then morphs into the next along the latent sphere, endlessly.

use core::fmt;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::{PointsIter, Rectangle};
use runtime::{Backend, LatentLength};

use crate::caption::{self, Caption};
use crate::paint::Paint;
use crate::scale::{self, Fit, Scaled};
use crate::show::{Moment, Show};
use crate::turn::Turned;

/// Endless faces.
pub struct Kiosk<B> {
    backend: B,
    show: Show,
    position: u64,
    held: bool,
    asleep: bool,
    starred: bool,
    /// What the panel shows; `None` while that is unknown.
    shown: Option<Shown>,
}

/// What was last drawn on a panel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Dark,
    Face { moment: Moment, caption: Option<Caption>, bounds: Rectangle },
}

/// Why a frame was not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KioskError<E> {
    /// The display failed.
    Display(E),
    /// A display of this size has no pixels left for a face.
    NoRoom(Size),
    /// The backend expects a latent of another length.
    Latent(LatentLength),
}

impl<E: fmt::Debug> fmt::Display for KioskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KioskError::Display(error) => write!(f, "the display failed: {error:?}"),
            KioskError::NoRoom(size) => write!(
                f,
                "a display of {} x {} pixels is too small for a face",
                size.width, size.height
            ),
            KioskError::Latent(error) => write!(f, "{error}"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for KioskError<E> {}

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
            shown: None,
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
        self.shown = None;
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
        let bounds = display.bounding_box();
        let wanted = match self.asleep {
            true => Shown::Dark,
            false => Shown::Face {
                moment: self.moment(),
                caption: self.show.caption.then(|| self.caption()),
                bounds,
            },
        };
        if self.shown == Some(wanted) {
            return Ok(false);
        }
        // A failure from here on leaves the panel in an unknown state.
        let before = self.shown.take();
        match wanted {
            Shown::Dark => darken(display).map_err(KioskError::Display)?,
            Shown::Face { moment, caption, .. } => self.face(moment, caption, before, display)?,
        }
        self.shown = Some(wanted);
        Ok(true)
    }

    fn caption(&self) -> Caption {
        let moment = self.moment();
        Caption {
            seed: moment.seed,
            next: (moment.morphed > 0).then(|| moment.seed.wrapping_add(1)),
            starred: self.starred,
        }
    }

    fn face<D>(
        &mut self,
        moment: Moment,
        caption: Option<Caption>,
        before: Option<Shown>,
        display: &mut D,
    ) -> Result<(), KioskError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let Show { fit, scaling, turn, .. } = self.show;
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
            Some(Shown::Face { moment, caption, bounds: old }) if old == bounds => {
                (Some(moment), caption)
            }
            // Clears the margins, which are not drawn again after this.
            _ => {
                darken(display).map_err(KioskError::Display)?;
                (None, None)
            }
        };
        if old_moment != Some(moment) || (overlaid && old_caption != caption) {
            let latent = self.show.latent(moment);
            let image = self.backend.generate(&latent).map_err(KioskError::Latent)?;
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
}

/// Turns every pixel black.
///
/// # Errors
/// The display's.
pub fn darken<D>(display: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget<Color: Paint>,
{
    display.clear(D::Color::paint([0; 3], Point::zero()))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use crate::{Fit, Scaling, Turn};
    use embedded_graphics::Pixel;
    use embedded_graphics::geometry::{Dimensions, OriginDimensions};
    use embedded_graphics::pixelcolor::{BinaryColor, Rgb888, RgbColor};
    use runtime::op::Shape;
    use runtime::{Image, Latent};

    /// A backend whose images are its latents: two gray values.
    struct Echo([f32; 2]);

    impl Backend for Echo {
        fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
            latent.fill(&mut self.0)?;
            Ok(Image::new(&self.0, Shape::new(1, 1, 2), (-4.0, 4.0)))
        }
    }

    /// A display in memory.
    struct Panel {
        size: Size,
        pixels: Vec<Rgb888>,
    }

    impl Panel {
        fn new(width: u32, height: u32) -> Panel {
            Panel {
                size: Size::new(width, height),
                pixels: std::vec![Rgb888::RED; (width * height) as usize],
            }
        }
    }

    impl OriginDimensions for Panel {
        fn size(&self) -> Size {
            self.size
        }
    }

    impl DrawTarget for Panel {
        type Color = Rgb888;
        type Error = core::convert::Infallible;

        fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
        where
            I: IntoIterator<Item = Pixel<Rgb888>>,
        {
            for Pixel(at, color) in pixels {
                if self.bounding_box().contains(at) {
                    self.pixels[(at.y as u32 * self.size.width + at.x as u32) as usize] = color;
                }
            }
            Ok(())
        }
    }

    const SHOW: Show = Show {
        seed: 5,
        dwell: 3,
        morph: 4,
        truncation: 1.0,
        caption: false,
        scaling: Scaling::Nearest,
        fit: Fit::Letterbox,
        turn: Turn::new(0, false),
    };

    #[test]
    fn faces_dwell_then_morph_then_the_next_one() {
        let mut kiosk = Kiosk::new(Echo([0.0; 2]), SHOW);
        let mut panel = Panel::new(2, 1);
        let mut shown = Vec::new();
        let mut drawn = Vec::new();
        for _ in 0..8 {
            drawn.push(kiosk.step(&mut panel).unwrap());
            shown.push(kiosk.backend.0);
        }
        assert_eq!(drawn, [true, false, false, true, true, true, true, true]);
        let seed = |seed| {
            let mut z = [0.0; 2];
            Latent::from_seed(seed).fill(&mut z).unwrap();
            z
        };
        assert_eq!(shown[..3], [seed(5); 3]);
        assert!(shown[3..7].iter().all(|z| *z != seed(5) && *z != seed(6)));
        assert_eq!(shown[7], seed(6));
        assert_eq!(kiosk.seed(), 6);
    }

    const WHITE: [f32; 2] = [-4.0, 4.0];

    /// A backend whose image is black on the left and white on the right.
    struct Half;

    impl Backend for Half {
        fn generate(&mut self, _: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
            Ok(Image::new(&WHITE, Shape::new(1, 1, 2), (-4.0, 4.0)))
        }
    }

    #[test]
    fn a_face_is_centered_and_its_margins_are_black() {
        let show = Show { caption: true, ..SHOW };
        let mut kiosk = Kiosk::new(Half, show);
        let mut panel = Panel::new(100, 80);
        kiosk.step(&mut panel).unwrap();
        assert!(!panel.pixels.contains(&Rgb888::RED), "every pixel is drawn");
        let at = |x: usize, y: usize| panel.pixels[y * 100 + x];
        // The view without its 12 rows of caption is 100 x 68, the picture in its middle 100 x 50.
        assert_eq!([at(50, 8), at(50, 59)], [Rgb888::BLACK; 2]);
        assert_eq!([at(50, 9), at(99, 9), at(50, 58)], [Rgb888::WHITE; 3]);
        assert_eq!(at(49, 30), Rgb888::BLACK);
        let text = panel.pixels[68 * 100..].iter();
        assert!(text.filter(|c| **c != Rgb888::BLACK).count() > 5, "the seed is written");
    }

    #[test]
    fn a_turned_panel_is_the_upright_one_turned() {
        for fit in [Fit::Letterbox, Fit::Fill] {
            let upright = Show { caption: true, fit, ..SHOW };
            let mut want = Panel::new(100, 80);
            Kiosk::new(Half, upright).step(&mut want).unwrap();
            for quarters in 0..4 {
                for mirror in [false, true] {
                    let turn = Turn::new(quarters, mirror);
                    let size = turn.size(want.size);
                    let mut panel = Panel::new(size.width, size.height);
                    Kiosk::new(Half, Show { turn, ..upright }).step(&mut panel).unwrap();
                    for (i, got) in panel.pixels.iter().enumerate() {
                        let at = Point::new(
                            (i as u32 % size.width) as i32,
                            (i as u32 / size.width) as i32,
                        );
                        let seen = turn.to_view(at, size);
                        assert_eq!(
                            *got,
                            want.pixels[(seen.y * 100 + seen.x) as usize],
                            "{turn:?} {at}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn colors_of_all_depths() {
        /// A panel of any color that records what is drawn.
        struct Count<C>(Vec<C>);
        impl<C> OriginDimensions for Count<C> {
            fn size(&self) -> Size {
                Size::new(16, 16)
            }
        }
        impl<C: Paint> DrawTarget for Count<C> {
            type Color = C;
            type Error = core::convert::Infallible;
            fn draw_iter<I: IntoIterator<Item = Pixel<C>>>(
                &mut self,
                pixels: I,
            ) -> Result<(), Self::Error> {
                self.0.extend(pixels.into_iter().map(|p| p.1));
                Ok(())
            }
        }
        fn colors<C: Paint>() -> Vec<C> {
            let mut panel = Count(Vec::new());
            let show = Show { fit: Fit::Fill, scaling: Scaling::Bilinear, ..SHOW };
            Kiosk::new(Half, show).draw(&mut panel).unwrap();
            panel.0.split_off(256)
        }
        use embedded_graphics::pixelcolor::{Gray2, Gray8, GrayColor, Rgb565};
        let mut binary = colors::<BinaryColor>();
        assert_eq!(binary.len(), 256);
        binary.dedup();
        assert!(binary.len() > 32, "the edge dithers: {}", binary.len());
        let gray = colors::<Gray8>();
        assert!(gray[0].luma() < 16 && gray[15].luma() > 239);
        let levels = colors::<Gray2>();
        assert!((0..4).all(|level| levels.contains(&Gray2::new(level))));
        assert!(colors::<Rgb565>().iter().any(|c| c.r() > 28 && c.g() > 58));
    }

    #[test]
    fn keys() {
        let mut kiosk = Kiosk::new(Half, SHOW);
        kiosk.next();
        assert_eq!((kiosk.position(), kiosk.seed()), (3, 5), "the morph begins");
        kiosk.next();
        assert_eq!((kiosk.position(), kiosk.seed()), (7, 6), "already on the way");
        kiosk.hold(true);
        kiosk.advance(100);
        assert_eq!((kiosk.position(), kiosk.until_change()), (7, None));
        kiosk.next();
        assert_eq!((kiosk.position(), kiosk.seed()), (14, 7), "held: at once");
        kiosk.hold(false);
        for want in [6, 5, 4, 3] {
            kiosk.previous();
            assert_eq!(kiosk.seed(), want);
        }
        assert_eq!(kiosk.until_change(), Some(3));
        kiosk.advance(5);
        assert_eq!(kiosk.until_change(), Some(1));
        kiosk.seek(7 * 1000);
        assert_eq!(kiosk.seed(), 1003);
    }

    #[test]
    fn a_star_comes_and_goes_without_drawing_the_face_again() {
        let mut kiosk = Kiosk::new(Half, Show { caption: true, ..SHOW });
        let mut panel = Panel::new(60, 60);
        assert!(kiosk.draw(&mut panel).unwrap());
        let before = panel.pixels.clone();
        kiosk.star(true);
        panel.pixels[0] = Rgb888::RED;
        assert!(kiosk.draw(&mut panel).unwrap());
        assert_eq!(panel.pixels[0], Rgb888::RED);
        assert_ne!(panel.pixels[48 * 60..], before[48 * 60..]);
        assert!(!kiosk.draw(&mut panel).unwrap());
        kiosk.star(false);
        assert!(kiosk.draw(&mut panel).unwrap());
        assert_eq!(panel.pixels[48 * 60..], before[48 * 60..]);
    }

    #[test]
    fn a_filled_panel_has_the_face_behind_its_caption() {
        let show = Show { fit: Fit::Fill, ..SHOW };
        let (mut bare, mut panel) = (Panel::new(60, 60), Panel::new(60, 60));
        Kiosk::new(Half, show).draw(&mut bare).unwrap();
        let mut kiosk = Kiosk::new(Half, Show { caption: true, ..show });
        kiosk.draw(&mut panel).unwrap();
        let changed = |panel: &Panel| {
            let pairs = panel.pixels.iter().zip(&bare.pixels);
            let changed = pairs.enumerate().filter(|(_, (a, b))| a != b).map(|(i, _)| i);
            changed.collect::<Vec<_>>()
        };
        let digit = changed(&panel);
        // One 6 x 10 digit and its outline, in the last rows: not a strip across the panel.
        assert!((10..=8 * 12).contains(&digit.len()), "{}", digit.len());
        assert!(digit.iter().all(|i| i / 60 >= 48 && (20..40).contains(&(i % 60))), "{digit:?}");
        kiosk.star(true);
        assert!(kiosk.draw(&mut panel).unwrap());
        assert!(changed(&panel).len() > digit.len(), "the star too");
        kiosk.star(false);
        assert!(kiosk.draw(&mut panel).unwrap());
        assert_eq!(changed(&panel), digit, "where the star was there is the face");
    }

    #[test]
    fn asleep_the_panel_is_black_and_time_goes_on() {
        let mut kiosk = Kiosk::new(Half, SHOW);
        let mut panel = Panel::new(4, 2);
        kiosk.sleep(true);
        assert!(kiosk.step(&mut panel).unwrap());
        assert_eq!(panel.pixels, [Rgb888::BLACK; 8]);
        assert!(!kiosk.step(&mut panel).unwrap());
        kiosk.sleep(false);
        assert!(kiosk.step(&mut panel).unwrap());
        assert!(panel.pixels.contains(&Rgb888::WHITE));
        assert_eq!(kiosk.position(), 3);
    }

    #[test]
    fn another_panel_is_drawn_in_full() {
        let mut kiosk = Kiosk::new(Half, SHOW);
        kiosk.draw(&mut Panel::new(8, 8)).unwrap();
        for redraw in [false, true] {
            let mut larger = Panel::new(16, 9 + redraw as u32);
            if redraw {
                larger = Panel::new(16, 9);
                kiosk.redraw();
            }
            assert!(kiosk.draw(&mut larger).unwrap());
            assert!(!larger.pixels.contains(&Rgb888::RED));
        }
    }

    #[test]
    fn a_failed_display_is_redrawn_in_full() {
        /// Fails the given number of times.
        struct Loose(u32, Panel);
        impl OriginDimensions for Loose {
            fn size(&self) -> Size {
                self.1.size
            }
        }
        impl DrawTarget for Loose {
            type Color = Rgb888;
            type Error = &'static str;
            fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
                &mut self,
                pixels: I,
            ) -> Result<(), &'static str> {
                match self.0.checked_sub(1) {
                    Some(left) => {
                        self.0 = left;
                        Err("loose")
                    }
                    None => self.1.draw_iter(pixels).map_err(|never| match never {}),
                }
            }
        }
        let mut kiosk = Kiosk::new(Half, SHOW);
        let mut display = Loose(0, Panel::new(8, 6));
        kiosk.draw(&mut display).unwrap();
        kiosk.advance(3);
        display = Loose(1, Panel::new(8, 6));
        assert_eq!(kiosk.draw(&mut display), Err(KioskError::Display("loose")));
        assert_eq!(kiosk.position(), 3);
        kiosk.draw(&mut display).unwrap();
        assert!(!display.1.pixels.contains(&Rgb888::RED), "margins too");
    }

    #[test]
    fn a_display_without_pixels_is_an_error() {
        let mut kiosk = Kiosk::new(Echo([0.0; 2]), SHOW);
        let error = kiosk.step(&mut Panel::new(0, 7)).unwrap_err();
        assert_eq!(error, KioskError::NoRoom(Size::new(0, 7)));
        assert_eq!(kiosk.position(), 0);
    }

    #[test]
    fn the_last_seed_is_followed_by_the_first() {
        let show = Show { seed: u64::MAX, dwell: 1, morph: 0, ..SHOW };
        let mut kiosk = Kiosk::new(Echo([0.0; 2]), show);
        let mut panel = Panel::new(2, 2);
        kiosk.step(&mut panel).unwrap();
        kiosk.step(&mut panel).unwrap();
        assert_eq!(kiosk.seed(), 1);
    }
}
