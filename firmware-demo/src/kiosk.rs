//! What is shown when: a face dwells, then morphs into the next along the latent sphere, for ever.

use core::fmt;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use runtime::backend::Backend;
use runtime::latent::LatentLength;

use crate::caption::{self, Caption};
use crate::paint::Paint;
use crate::scale::{self, Scaled};
use crate::show::{Moment, Show};
use crate::turn::Turned;

/// Endless faces.
pub struct Kiosk<B> {
    backend: B,
    show: Show,
    position: u64,
    held: bool,
    asleep: bool,
    favourite: Option<u64>,
    /// What the panel shows; nothing is known of a new one.
    panel: Option<Panel>,
}

/// What a panel was last given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Panel {
    Dark,
    Face { moment: Moment, caption: Option<Caption>, bounds: Rectangle },
}

/// Why a frame was not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KioskError<E> {
    /// The display failed.
    Display(E),
    /// The display has no pixels to show a face on.
    NoRoom(Size),
    /// The backend wants another latent.
    Latent(LatentLength),
}

impl<E: fmt::Debug> fmt::Display for KioskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KioskError::Display(error) => write!(f, "the display failed: {error:?}"),
            KioskError::NoRoom(size) => write!(
                f,
                "a display of {} x {} pixels has no room for a face",
                size.width, size.height
            ),
            KioskError::Latent(error) => write!(f, "{error}"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for KioskError<E> {}

impl<B: Backend> Kiosk<B> {
    /// A kiosk that is about to show its first face.
    pub fn new(backend: B, show: Show) -> Kiosk<B> {
        Kiosk {
            backend,
            show,
            position: 0,
            held: false,
            asleep: false,
            favourite: None,
            panel: None,
        }
    }

    /// What makes the faces.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// How the faces follow each other.
    pub fn show(&self) -> &Show {
        &self.show
    }

    /// Where in the sequence the kiosk is, in frames from the first face: the 8 bytes to keep over a restart.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes on from a position: one that was kept, or the seconds of a clock times the frames a second, with which
    /// a kiosk without any storage is where it would be had it never stopped.
    pub fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// The seed of the face that is shown, or that a morph is nearest to.
    pub fn seed(&self) -> u64 {
        self.show.nearest(self.moment())
    }

    fn moment(&self) -> Moment {
        self.show.moment(self.position)
    }

    /// Time passes: the position moves on by so many frames, unless the face is held.
    pub fn advance(&mut self, frames: u64) {
        if !self.held {
            self.position = self.position.wrapping_add(frames);
        }
    }

    /// Frames until something else is to be shown; none while the face is held or the kiosk asleep.
    pub fn until_change(&self) -> Option<u64> {
        let still = self.held || self.asleep;
        (!still).then(|| self.show.change(self.position).wrapping_sub(self.position))
    }

    /// Stays at what is shown, or goes on.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Whether the face is held.
    pub fn held(&self) -> bool {
        self.held
    }

    /// On to the next face: by its morph, or at once where the face is held or already on its way.
    pub fn next(&mut self) {
        let morphing = self.moment().morphed > 0;
        self.position = match self.held || morphing {
            true => self.show.start(self.position).wrapping_add(self.show.cycle()),
            false => self.show.change(self.position),
        };
    }

    /// Back to the face before.
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

    /// Makes the face that is shown a favourite, which its caption says from now on; its seed is the caller's to
    /// keep.
    pub fn favourite(&mut self) -> u64 {
        let seed = self.seed();
        self.favourite = Some(seed);
        seed
    }

    /// Turns the panel dark, or back to faces. Time goes on in between.
    pub fn sleep(&mut self, asleep: bool) {
        self.asleep = asleep;
    }

    /// Whether the panel is dark.
    pub fn asleep(&self) -> bool {
        self.asleep
    }

    /// Forgets what the panel shows: the next frame is drawn whole, on whatever panel that is.
    pub fn redraw(&mut self) {
        self.panel = None;
    }

    /// Draws the current frame and moves on to the next one. Returns whether anything was drawn.
    ///
    /// # Errors
    /// [`KioskError`]; the frame is then still the current one.
    pub fn step<D>(&mut self, display: &mut D) -> Result<bool, KioskError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let drawn = self.draw(display)?;
        self.advance(1);
        Ok(drawn)
    }

    /// Draws the current frame if the panel does not show it already: while a face dwells it is drawn once, and a
    /// caption once as long as it stays the same. Returns whether anything was drawn.
    ///
    /// # Errors
    /// [`KioskError`]; the panel then counts as unknown, and the next call draws everything again.
    pub fn draw<D>(&mut self, display: &mut D) -> Result<bool, KioskError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let bounds = display.bounding_box();
        let wanted = match self.asleep {
            true => Panel::Dark,
            false => Panel::Face {
                moment: self.moment(),
                caption: self.show.caption.then(|| self.caption()),
                bounds,
            },
        };
        if self.panel == Some(wanted) {
            return Ok(false);
        }
        // Whatever fails from here on leaves a panel of which nothing is known.
        let before = self.panel.take();
        match wanted {
            Panel::Dark => darken(display).map_err(KioskError::Display)?,
            Panel::Face { moment, caption, .. } => self.face(moment, caption, before, display)?,
        }
        self.panel = Some(wanted);
        Ok(true)
    }

    fn caption(&self) -> Caption {
        let moment = self.moment();
        Caption {
            seed: moment.seed,
            next: (moment.morphed > 0).then(|| moment.seed.wrapping_add(1)),
            favourite: self.favourite == Some(self.seed()),
        }
    }

    fn face<D>(
        &mut self,
        moment: Moment,
        caption: Option<Caption>,
        before: Option<Panel>,
        display: &mut D,
    ) -> Result<(), KioskError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let Show { fit, scaling, turn, .. } = self.show;
        let bounds = display.bounding_box();
        let view = turn.size(bounds.size);
        let below = match caption {
            Some(_) => caption::rows(view),
            None => 0,
        };
        let room = Size::new(view.width, view.height.saturating_sub(below));
        if room.width == 0 || room.height == 0 {
            return Err(KioskError::NoRoom(bounds.size));
        }
        let (old_moment, old_caption) = match before {
            Some(Panel::Face { moment, caption, bounds: old }) if old == bounds => {
                (Some(moment), caption)
            }
            // What lies around the face stays as it is cleared here.
            _ => {
                darken(display).map_err(KioskError::Display)?;
                (None, None)
            }
        };
        if old_moment != Some(moment) {
            let latent = self.show.latent(moment);
            let image = self.backend.generate(&latent).map_err(KioskError::Latent)?;
            let picture = Size::new(image.width() as u32, image.height() as u32);
            let upright = scale::area(fit, &Rectangle::new(Point::zero(), room), picture);
            let mut area = turn.area_to_panel(&upright, bounds.size);
            area.top_left += bounds.top_left;
            let colors = Scaled::new(image, area, room, fit, scaling, turn);
            let filled = display.fill_contiguous(&area, colors);
            filled.map_err(KioskError::Display)?;
        }
        match caption {
            Some(caption) if old_caption != Some(caption) => {
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
    use runtime::image::Image;
    use runtime::latent::Latent;
    use runtime::op::Shape;

    /// A backend whose images are its latents: two values, grey.
    struct Echo([f32; 2]);

    impl Backend for Echo {
        fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
            latent.fill(&mut self.0)?;
            Ok(Image::new(&self.0, Shape::new(1, 1, 2), (-4.0, 4.0)))
        }
    }

    /// A display that remembers.
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
    fn a_face_is_centred_and_what_is_around_it_is_black() {
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
    fn colours_of_all_depths() {
        /// A panel of any colour that counts what it was given.
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
        let grey = colors::<Gray8>();
        assert!(grey[0].luma() < 16 && grey[15].luma() > 239);
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
        assert_eq!(kiosk.favourite(), 7);
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
    fn a_favourite_has_a_star_and_the_face_is_not_drawn_again() {
        let mut kiosk = Kiosk::new(Half, Show { caption: true, ..SHOW });
        let mut panel = Panel::new(60, 60);
        assert!(kiosk.draw(&mut panel).unwrap());
        let before = panel.pixels.clone();
        kiosk.favourite();
        panel.pixels[0] = Rgb888::RED;
        assert!(kiosk.draw(&mut panel).unwrap());
        assert_eq!(panel.pixels[0], Rgb888::RED);
        assert_ne!(panel.pixels[48 * 60..], before[48 * 60..]);
        assert!(!kiosk.draw(&mut panel).unwrap());
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
    fn another_panel_is_drawn_whole() {
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
    fn a_display_that_fails_gets_everything_again() {
        /// Fails as often as it is told to.
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
