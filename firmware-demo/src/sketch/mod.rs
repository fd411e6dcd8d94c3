//! A panel that is drawn on: strokes on one side, what a model makes of them on the other.
//!
//! ```
//! use embedded_graphics::draw_target::DrawTarget;
//! use firmware_demo::sketch::{Dot, Memory, Sketch, View};
//! use firmware_demo::touch::Touchscreen;
//! use firmware_demo::Paint;
//! use runtime::{Cpu, Model};
//!
//! /// `pixels` has room for the picture that the model takes. Ends when something fails.
//! fn run<D, T>(mut cpu: Cpu, model: &Model, pixels: &mut [u8], panel: &mut D, finger: &mut T) -> Option<()>
//! where
//!     D: DrawTarget<Color: Paint>,
//!     T: Touchscreen,
//! {
//!     let (mut dots, mut dry) = ([Dot::default(); 2048], [0; 512]); // 12 KB; 64 x 64 pixels
//!     let memory = Memory { dots: &mut dots, dry: &mut dry };
//!     let mut sketch = Sketch::new(model, View::default(), memory).ok()?;
//!     loop {
//!         while let Some(touch) = finger.touch().ok()? {
//!             sketch.touch(touch);
//!         }
//!         sketch.draw(panel).ok()?;
//!         if let Some(version) = sketch.unanswered() {
//!             sketch.pixels(pixels);
//!             sketch.answer(cpu.translate(pixels).ok()?, version, panel).ok()?;
//!         }
//!     }
//! }
//! ```

mod error;
mod layout;
mod paper;
#[cfg(test)]
mod tests;

pub use error::{SketchError, Unsuited};
pub use layout::{BUTTONS, Button, Layout};
pub use paper::{Dot, Memory, MemoryTooSmall};

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::{DrawTarget, DrawTargetExt};
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use runtime::{Image, Input, Model};

use crate::paint::{Paint, darken};
use crate::scale::{Fit, Scaled, Scaling};
use crate::touch::Touch;
use crate::turn::{Turn, Turned};

use paper::Paper;

/// How a drawing is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Width of a stroke in pixels of the model's input; 0 counts as 1. On the panel it is as wide
    /// beside the drawing as it is there.
    pub line: u32,
    /// Interpolation of the answer.
    pub scaling: Scaling,
    /// How the panel is mounted.
    pub turn: Turn,
}

impl Default for View {
    /// Strokes of one pixel, as the edges that models are trained on.
    fn default() -> View {
        View { line: 1, scaling: Scaling::Bilinear, turn: Turn::new(0, false) }
    }
}

/// A drawing, its buttons, and the answer to it.
pub struct Sketch<'a> {
    paper: Paper<'a>,
    view: View,
    output: Size,
    /// The panel's, when it was last drawn on.
    bounds: Rectangle,
    finger: Finger,
    /// The version that was saved last.
    saved: Option<u64>,
    /// The version at which the paper was last blank.
    begun: u64,
    /// What the panel shows; `None` while that is unknown.
    shown: Option<Shown>,
}

/// What touches the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finger {
    /// Nothing, or what it touches is nothing.
    Away,
    /// It draws.
    Draws,
    /// It is on a button.
    On(Button),
    /// It has left the button that it pressed.
    Off(Button),
}

/// What was last drawn on a panel.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shown {
    bounds: Rectangle,
    blank: bool,
    erased: u64,
    dots: u64,
    pressed: Option<Button>,
    saved: bool,
    /// The version of the drawing whose answer is shown.
    answer: Option<u64>,
}

impl<'a> Sketch<'a> {
    /// Blank paper for a model.
    ///
    /// # Errors
    /// [`Unsuited`] if the model does not take a picture, or the memory is too small for it.
    pub fn new(model: &Model<'_>, view: View, memory: Memory<'a>) -> Result<Sketch<'a>, Unsuited> {
        let picture = match model.input() {
            Input::Picture(picture) => picture,
            Input::Latent(length) => return Err(Unsuited::Latent(length)),
        };
        let output = model.output();
        Ok(Sketch {
            paper: Paper::new(picture, view.line, memory).map_err(Unsuited::Memory)?,
            view,
            output: Size::new(output.w as u32, output.h as u32),
            bounds: Rectangle::zero(),
            finger: Finger::Away,
            saved: None,
            begun: 0,
            shown: None,
        })
    }

    /// Counts the changes of the drawing.
    pub fn version(&self) -> u64 {
        self.paper.version()
    }

    /// Size of the panel that was last drawn on.
    pub fn panel(&self) -> Size {
        self.bounds.size
    }

    /// Whether nothing is drawn.
    pub fn is_blank(&self) -> bool {
        self.paper.is_blank()
    }

    /// Draws, or presses a button, in response to a touch of the panel that was last drawn on.
    /// Returns the button that was pressed: one that is let go of where it was touched. What `Clear`
    /// and `Undo` do is done; saving is the caller's to do.
    pub fn touch(&mut self, touch: Touch) -> Option<Button> {
        let size = self.view.turn.size(self.bounds.size);
        let layout = Layout::new(size, self.paper.size(), self.output, true)?;
        let seen = |at| self.view.turn.to_view(at - self.bounds.top_left, self.bounds.size);
        match touch {
            Touch::Down(at) => {
                let at = seen(at);
                self.finger = match layout.button(at) {
                    Some(button) => Finger::On(button),
                    None if layout.pad.contains(at) => {
                        self.paper.down(at - layout.pad.top_left, layout.pad.size);
                        Finger::Draws
                    }
                    None => Finger::Away,
                };
            }
            Touch::Move(at) => match self.finger {
                Finger::Draws => {
                    let at = seen(at) - layout.pad.top_left;
                    self.paper.to(at, layout.pad.size);
                }
                Finger::On(button) | Finger::Off(button) => {
                    self.finger = match layout.button(seen(at)) == Some(button) {
                        true => Finger::On(button),
                        false => Finger::Off(button),
                    };
                }
                Finger::Away => {}
            },
            Touch::Up => {
                self.paper.up();
                if let Finger::On(button) = core::mem::replace(&mut self.finger, Finger::Away) {
                    self.press(button);
                    return Some(button);
                }
            }
        }
        None
    }

    /// Does what a button does, apart from saving.
    pub fn press(&mut self, button: Button) {
        match button {
            Button::Clear => {
                self.paper.clear();
            }
            Button::Undo => {
                self.paper.undo();
            }
            Button::Save => return,
        }
        if self.paper.is_blank() {
            self.begun = self.paper.version();
        }
    }

    /// Shows that the drawing was saved, until it changes.
    pub fn saved(&mut self) {
        self.saved = Some(self.paper.version());
    }

    /// The version of the drawing, if the panel does not show the answer to it. Blank paper has none.
    pub fn unanswered(&self) -> Option<u64> {
        let version = self.paper.version();
        let answered = self.shown.is_some_and(|shown| shown.answer == Some(version));
        (!self.is_blank() && !answered).then_some(version)
    }

    /// Writes the picture that the model takes: black strokes on white.
    ///
    /// # Panics
    /// If there are fewer bytes than the picture has.
    pub fn pixels(&self, to: &mut [u8]) {
        self.paper.pixels(to);
    }

    /// Forgets what the panel shows, so that it is drawn in full; for a panel that was reset or
    /// replaced.
    pub fn redraw(&mut self) {
        self.shown = None;
    }

    /// Draws whatever changed: new strokes, the paper after an undo, buttons. Returns whether
    /// anything was drawn.
    ///
    /// # Errors
    /// [`SketchError`]; the panel's contents then count as unknown, and the next call draws everything.
    pub fn draw<D>(&mut self, display: &mut D) -> Result<bool, SketchError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let bounds = display.bounding_box();
        self.bounds = bounds;
        let layout = self.layout(self.view.turn, bounds.size, true)?;
        let before = self.shown.take().filter(|shown| shown.bounds == bounds);
        let blank = self.paper.is_blank();
        let mut wanted = Shown {
            bounds,
            blank,
            erased: self.paper.erased(),
            dots: self.paper.count(),
            pressed: match self.finger {
                Finger::On(button) => Some(button),
                Finger::Away | Finger::Draws | Finger::Off(_) => None,
            },
            saved: self.saved == Some(self.paper.version()),
            answer: before.and_then(|shown| shown.answer).filter(|_| !blank),
        };
        // The answers to what was on the paper before it was blank are not those to this drawing.
        wanted.answer = wanted.answer.filter(|version| *version > self.begun);
        if before == Some(wanted) {
            self.shown = before;
            return Ok(false);
        }
        self.parts(before, wanted, &layout, display).map_err(SketchError::Display)?;
        self.shown = Some(wanted);
        Ok(true)
    }

    /// Draws the parts that differ from what the panel shows.
    fn parts<D>(
        &self,
        before: Option<Shown>,
        wanted: Shown,
        layout: &Layout,
        display: &mut D,
    ) -> Result<(), D::Error>
    where
        D: DrawTarget<Color: Paint>,
    {
        if before.is_none() {
            darken(display)?;
        }
        let mut view = Turned::new(display, self.view.turn);
        let since = before.filter(|shown| {
            let kept = (shown.erased, shown.blank) == (wanted.erased, wanted.blank);
            kept && self.paper.remembers(shown.dots)
        });
        self.pad(since.map(|shown| shown.dots), &layout.pad, &mut view)?;
        if before.is_some_and(|shown| shown.answer.is_some()) && wanted.answer.is_none() {
            view.fill_solid(&layout.answer, flat(0))?;
        }
        let labels = |shown: Shown| (shown.pressed, shown.saved);
        if before.map(labels) != Some(labels(wanted)) {
            for (button, area) in BUTTONS.iter().zip(&layout.buttons) {
                let label = match button {
                    Button::Clear => "clear",
                    Button::Undo => "undo",
                    Button::Save if wanted.saved => "saved",
                    Button::Save => "save",
                };
                key(label, wanted.pressed == Some(*button), area, &mut view)?;
            }
        }
        Ok(())
    }

    /// Draws the drawing: all of it, or what was added since there were `since` dots.
    fn pad<D>(&self, since: Option<u64>, area: &Rectangle, view: &mut D) -> Result<(), D::Error>
    where
        D: DrawTarget<Color: Paint>,
    {
        if since.is_none() {
            view.fill_solid(area, flat(255))?;
            if self.is_blank() {
                return write("draw here", area, flat(0), view);
            }
        }
        self.paper.draw(since, area, flat(0), &mut view.clipped(area))
    }

    /// Draws the answer to a version of the drawing on the panel that was last drawn on. Answers to
    /// what was since erased are ignored; returns whether this one was drawn.
    ///
    /// # Errors
    /// [`SketchError`], as for [`Sketch::draw`].
    pub fn answer<D>(
        &mut self,
        image: Image<'_>,
        version: u64,
        display: &mut D,
    ) -> Result<bool, SketchError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let bounds = display.bounding_box();
        let Some(shown) = self.shown.filter(|shown| shown.bounds == bounds && !shown.blank) else {
            return Ok(false);
        };
        if version <= self.begun || shown.answer.is_some_and(|newer| newer >= version) {
            return Ok(false);
        }
        let layout = self.layout(self.view.turn, bounds.size, true)?;
        // A failure leaves the panel in an unknown state.
        self.shown = None;
        scaled(image, &layout, self.view, display).map_err(SketchError::Display)?;
        self.shown = Some(Shown { answer: Some(version), ..shown });
        Ok(true)
    }

    /// Draws the drawing and the answer to it on a panel of their own, without buttons: what is saved.
    ///
    /// # Errors
    /// [`SketchError`].
    pub fn pair<D>(&self, image: Image<'_>, display: &mut D) -> Result<(), SketchError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let upright = View { turn: Turn::default(), ..self.view };
        let layout = self.layout(upright.turn, display.bounding_box().size, false)?;
        let drawn = darken(display)
            .and_then(|()| self.pad(None, &layout.pad, &mut Turned::new(display, upright.turn)))
            .and_then(|()| scaled(image, &layout, upright, display));
        drawn.map_err(SketchError::Display)
    }

    fn layout<E>(&self, turn: Turn, panel: Size, buttons: bool) -> Result<Layout, SketchError<E>> {
        let layout = Layout::new(turn.size(panel), self.paper.size(), self.output, buttons);
        layout.ok_or(SketchError::NoRoom(panel))
    }
}

/// Draws an answer.
fn scaled<D>(image: Image<'_>, layout: &Layout, view: View, display: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget<Color: Paint>,
{
    let bounds = display.bounding_box();
    let area = view.turn.area_to_panel(&layout.answer, bounds.size);
    let on_panel = Rectangle::new(area.top_left + bounds.top_left, area.size);
    let room = layout.answer.size;
    let colors = Scaled::new(image, on_panel, room, Fit::Letterbox, view.scaling, view.turn);
    display.fill_contiguous(&on_panel, colors)
}

/// A gray that is not dithered: on a panel of two colors, all but black is light.
fn flat<C: Paint>(gray: u8) -> C {
    // The dither threshold at this point is the lowest.
    C::paint([gray; 3], Point::new(0, 7))
}

fn font(area: &Rectangle, characters: usize) -> Option<&'static MonoFont<'static>> {
    let fits = |font: &&MonoFont<'_>| {
        let size = font.character_size;
        size.width * characters as u32 + 2 <= area.size.width && size.height + 2 <= area.size.height
    };
    [&FONT_10X20, &FONT_6X10].into_iter().find(fits)
}

/// Writes in the middle of an area, if there is room.
fn write<D: DrawTarget>(
    text: &str,
    area: &Rectangle,
    ink: D::Color,
    view: &mut D,
) -> Result<(), D::Error> {
    let Some(font) = font(area, text.len()) else {
        return Ok(());
    };
    let middle =
        TextStyleBuilder::new().alignment(Alignment::Center).baseline(Baseline::Middle).build();
    let style = MonoTextStyle::new(font, ink);
    Text::with_text_style(text, area.center(), style, middle).draw(view)?;
    Ok(())
}

/// Draws a button, which is light while it is pressed.
fn key<D>(label: &str, pressed: bool, area: &Rectangle, view: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget<Color: Paint>,
{
    let (face, ink) = if pressed { (192, 0) } else { (0, 192) };
    let inside = area.size.saturating_sub(Size::new(2, 2));
    view.fill_solid(area, flat(192))?;
    view.fill_solid(&Rectangle::new(area.top_left + Point::new(1, 1), inside), flat(face))?;
    write(label, area, flat(ink), view)
}
