//! A kiosk on panels in memory.

extern crate std;
use std::vec::Vec;

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::{BinaryColor, Rgb888, RgbColor};
use runtime::op::Shape;
use runtime::{Image, Latent, LatentLength};

use super::*;
use crate::panel::Panel;
use crate::{Fit, Scaling, Turn};

/// A backend whose images are its latents: two gray values.
struct Echo([f32; 2]);

impl Backend for Echo {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        latent.fill(&mut self.0)?;
        Ok(Image::new(&self.0, Shape::new(1, 1, 2), (-4.0, 4.0)))
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
                    let at =
                        Point::new((i as u32 % size.width) as i32, (i as u32 / size.width) as i32);
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
