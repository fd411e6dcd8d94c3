//! Strokes, in memory that the caller provides.

use core::fmt;

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::Primitive;
use embedded_graphics::primitives::{Circle, Line, PrimitiveStyle, Rectangle};
use runtime::op::Shape;

use crate::ink::Ink;

/// Parts of a pixel of the model's input that a dot distinguishes, along each axis.
const PARTS: u32 = 16;

/// A point of a stroke, in 16ths of a pixel of the model's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dot {
    x: u16,
    y: u16,
    /// Whether a stroke begins here.
    first: bool,
}

impl Dot {
    /// For memory that holds no dot yet.
    pub const BLANK: Dot = Dot { x: 0, y: 0, first: false };
}

/// Memory for strokes.
///
/// The dots hold the strokes that can be undone: a drawing has some hundred. When they are full, the
/// oldest stroke dries: it stays on the paper and can no longer be undone. If a single stroke fills
/// all of them, its older half dries.
pub struct Memory<'a> {
    /// At least 2.
    pub dots: &'a mut [Dot],
    /// A bit per pixel of the model's input, for strokes that dried: [`Memory::dry_len`] bytes.
    pub dry: &'a mut [u8],
}

impl Memory<'_> {
    /// Bytes for dry strokes on a picture of this shape.
    pub const fn dry_len(picture: Shape) -> usize {
        picture.w.div_ceil(8) * picture.h
    }
}

/// The memory is too small for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryTooSmall {
    /// There are fewer than 2 dots.
    Dots(usize),
    /// Bytes for dry strokes.
    Dry {
        /// Number that the model needs.
        need: usize,
        /// Number given.
        got: usize,
    },
}

impl fmt::Display for MemoryTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryTooSmall::Dots(got) => write!(f, "there is memory for {got} dots, 2 are needed"),
            MemoryTooSmall::Dry { need, got } => {
                write!(f, "there are {got} bytes for dry strokes, the model needs {need}")
            }
        }
    }
}

impl core::error::Error for MemoryTooSmall {}

/// A sheet of paper with strokes on it.
pub struct Paper<'a> {
    picture: Shape,
    /// Width of a stroke in pixels of the model's input.
    line: u32,
    dots: &'a mut [Dot],
    len: usize,
    /// Dots that dried since the paper was blank.
    dried: u64,
    dry: &'a mut [u8],
    /// Counts every change.
    version: u64,
    /// The version at which something was last removed.
    erased: u64,
    drawing: bool,
}

impl<'a> Paper<'a> {
    /// Blank paper for a model that takes a `picture`, and strokes that are `line` of its pixels wide.
    ///
    /// # Errors
    /// [`MemoryTooSmall`].
    pub fn new(picture: Shape, line: u32, memory: Memory<'a>) -> Result<Paper<'a>, MemoryTooSmall> {
        let Memory { dots, dry } = memory;
        if dots.len() < 2 {
            return Err(MemoryTooSmall::Dots(dots.len()));
        }
        let (need, got) = (Memory::dry_len(picture), dry.len());
        let dry = dry.get_mut(..need).ok_or(MemoryTooSmall::Dry { need, got })?;
        dry.fill(0);
        Ok(Paper {
            picture,
            line: line.max(1),
            dots,
            len: 0,
            dried: 0,
            dry,
            version: 0,
            erased: 0,
            drawing: false,
        })
    }

    /// Width and height of the model's input.
    pub fn size(&self) -> Size {
        Size::new(self.picture.w as u32, self.picture.h as u32)
    }

    /// Counts the changes: the paper differs from what it was at another version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The version at which something was last removed. Drawings since then only gained strokes.
    pub fn erased(&self) -> u64 {
        self.erased
    }

    /// Whether nothing is drawn.
    pub fn is_blank(&self) -> bool {
        self.len == 0 && self.dried == 0
    }

    /// Dots since the paper was blank, dry ones included.
    pub fn count(&self) -> u64 {
        self.dried + self.len as u64
    }

    /// Begins a stroke at a point of a pad of size `pad`.
    pub fn down(&mut self, at: Point, pad: Size) {
        let dot = self.dot(at, pad, true);
        self.drawing = true;
        self.push(dot);
    }

    /// Continues the stroke, if one was begun.
    pub fn to(&mut self, at: Point, pad: Size) {
        let dot = self.dot(at, pad, false);
        let far = |last: &Dot| {
            let apart = last.x.abs_diff(dot.x).max(last.y.abs_diff(dot.y));
            u32::from(apart) >= PARTS
        };
        // Dots closer than a pixel of the model's input would not change what it sees.
        if self.drawing && self.dots[..self.len].last().is_some_and(far) {
            self.push(dot);
        }
    }

    /// Ends the stroke.
    pub fn up(&mut self) {
        self.drawing = false;
    }

    /// Removes the last stroke. Returns whether there was one that could be removed.
    pub fn undo(&mut self) -> bool {
        self.drawing = false;
        let Some(first) = self.dots[..self.len].iter().rposition(|dot| dot.first) else {
            return false;
        };
        self.len = first;
        self.erase();
        true
    }

    /// Removes everything. Returns whether there was anything.
    pub fn clear(&mut self) -> bool {
        self.drawing = false;
        if self.is_blank() {
            return false;
        }
        (self.len, self.dried) = (0, 0);
        self.dry.fill(0);
        self.erase();
        true
    }

    fn erase(&mut self) {
        self.version += 1;
        self.erased = self.version;
    }

    /// The dot at a point of a pad.
    fn dot(&self, at: Point, pad: Size, first: bool) -> Dot {
        let part = |at: i32, pad: u32, side: usize| {
            let parts = PARTS * side as u32;
            let at = i64::from(at) * i64::from(parts) + i64::from(parts / 2);
            let last = i64::from(parts - 1).min(i64::from(u16::MAX));
            (at / i64::from(pad.max(1))).clamp(0, last) as u16
        };
        let Shape { h, w, .. } = self.picture;
        Dot { x: part(at.x, pad.width, w), y: part(at.y, pad.height, h), first }
    }

    fn push(&mut self, dot: Dot) {
        if self.len == self.dots.len() {
            self.dry_oldest();
        }
        self.dots[self.len] = dot;
        self.len += 1;
        self.version += 1;
    }

    /// Makes room for dots.
    fn dry_oldest(&mut self) {
        let (size, w) = (self.size(), self.picture.w);
        let dots = &mut self.dots[..self.len];
        let second = dots.iter().skip(1).position(|dot| dot.first);
        let (end, drawn) = match second {
            Some(n) => (n + 1, n + 1),
            // The line to the dot that then begins the rest is drawn too.
            None => (self.len / 2, self.len / 2 + 1),
        };
        let put = |x: usize, y: usize| {
            let (byte, bit) = bit(w, x, y);
            self.dry[byte] |= bit;
        };
        let mut bits = Ink { size, put };
        let Ok(()) = stroke(&dots[..drawn], None, self.line, BinaryColor::On, on_input, &mut bits);
        dots[end].first = true;
        dots.copy_within(end.., 0);
        self.len -= end;
        self.dried += end as u64;
    }

    /// Writes the picture that the model takes: black strokes on white, row by row, with as many
    /// equal bytes per pixel as it has channels. Bytes beyond those of the picture are left alone.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn pixels(&self, to: &mut [u8]) {
        let Shape { c, h, w } = self.picture;
        let to = &mut to[..c * h * w];
        for (i, pixel) in to.chunks_exact_mut(c).enumerate() {
            pixel.fill(if self.is_dry(i % w, i / w) { 0 } else { 255 });
        }
        let put = |x: usize, y: usize| to[(y * w + x) * c..][..c].fill(0);
        let mut input = Ink { size: self.size(), put };
        let dots = &self.dots[..self.len];
        let Ok(()) = stroke(dots, None, self.line, BinaryColor::On, on_input, &mut input);
    }

    /// Draws on a pad, in strokes as wide as they are for the model: everything, or what was added
    /// since there were `since` dots. The pad must be blank, or have what it had then.
    ///
    /// # Errors
    /// Those of the display.
    pub(super) fn draw<D: DrawTarget>(
        &self,
        since: Option<u64>,
        pad: &Rectangle,
        ink: D::Color,
        display: &mut D,
    ) -> Result<(), D::Error> {
        let size = self.size();
        let onto = |dot: &Dot| {
            let at = |part: u16, side: u32, pixels: u32| {
                (u64::from(part) * u64::from(pixels) / u64::from(PARTS * side)) as i32
            };
            let x = at(dot.x, size.width, pad.size.width);
            pad.top_left + Point::new(x, at(dot.y, size.height, pad.size.height))
        };
        let wide = (self.line * pad.size.width + size.width / 2) / size.width;
        let dots = &self.dots[..self.len];
        let known = since.and_then(|since| since.checked_sub(self.dried)).unwrap_or(0) as usize;
        if since.is_none() {
            self.draw_dry(pad, ink, display)?;
        }
        let before = known.checked_sub(1).map(|last| dots[last]);
        stroke(&dots[known.min(self.len)..], before, wide.max(1), ink, onto, display)
    }

    /// Whether [`Paper::draw`] can go on from when there were `since` dots.
    pub(super) fn remembers(&self, since: u64) -> bool {
        // The line to the first dot that is left starts at one that is gone.
        since > self.dried || self.dried == 0
    }

    /// Whether a dry stroke covers a pixel of the model's input.
    fn is_dry(&self, x: usize, y: usize) -> bool {
        let (byte, bit) = bit(self.picture.w, x, y);
        self.dry[byte] & bit != 0
    }

    /// Draws the dry strokes as the model sees them.
    fn draw_dry<D: DrawTarget>(
        &self,
        pad: &Rectangle,
        ink: D::Color,
        display: &mut D,
    ) -> Result<(), D::Error> {
        if self.dried == 0 {
            return Ok(());
        }
        let size = self.size();
        let edge = |at: u32, side: u32, pixels: u32| (at * pixels / side) as i32;
        for y in 0..size.height {
            for x in (0..size.width).filter(|x| self.is_dry(*x as usize, y as usize)) {
                let corner = |x, y| {
                    let x = edge(x, size.width, pad.size.width);
                    pad.top_left + Point::new(x, edge(y, size.height, pad.size.height))
                };
                let (from, to) = (corner(x, y), corner(x + 1, y + 1));
                let size = Size::new((to.x - from.x) as u32, (to.y - from.y) as u32);
                display.fill_solid(&Rectangle::new(from, size), ink)?;
            }
        }
        Ok(())
    }
}

/// Where a pixel is among rows of one bit a pixel, each of them whole bytes: its byte, and its bit.
fn bit(width: usize, x: usize, y: usize) -> (usize, u8) {
    (y * width.div_ceil(8) + x / 8, 1 << (x % 8))
}

/// The pixel of the model's input that a dot is in.
fn on_input(dot: &Dot) -> Point {
    Point::new(i32::from(dot.x / PARTS as u16), i32::from(dot.y / PARTS as u16))
}

/// Draws lines between dots, and a round end at each. `before` is the dot before the first of them.
fn stroke<D: DrawTarget>(
    dots: &[Dot],
    mut before: Option<Dot>,
    width: u32,
    ink: D::Color,
    onto: impl Fn(&Dot) -> Point,
    target: &mut D,
) -> Result<(), D::Error> {
    for dot in dots {
        let at = onto(dot);
        if let Some(before) = before.filter(|_| !dot.first) {
            let style = PrimitiveStyle::with_stroke(ink, width);
            Line::new(onto(&before), at).into_styled(style).draw(target)?;
        }
        if dot.first || width > 2 {
            let fill = PrimitiveStyle::with_fill(ink);
            match width {
                // A line of two pixels has its second one on either side, by its direction.
                ..=2 => Rectangle::new(at, Size::new(1, 1)).into_styled(fill).draw(target)?,
                _ => Circle::with_center(at, width).into_styled(fill).draw(target)?,
            }
        }
        before = Some(*dot);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    const PICTURE: Shape = Shape::new(1, 6, 10);
    const PAD: Size = Size::new(100, 60);

    /// Calls `work` with paper of 10 x 6 pixels and memory for some dots.
    fn with<T>(dots: usize, line: u32, work: impl FnOnce(&mut Paper<'_>) -> T) -> T {
        let mut dots = std::vec![Dot::default(); dots];
        let mut dry = [7; 12];
        let memory = Memory { dots: &mut dots, dry: &mut dry };
        work(&mut Paper::new(PICTURE, line, memory).unwrap())
    }

    /// The model's input, `#` for black.
    fn rows(paper: &Paper<'_>) -> Vec<String> {
        let mut pixels = [9; 60];
        paper.pixels(&mut pixels);
        let char = |v: &u8| match v {
            0 => '#',
            255 => '.',
            other => panic!("{other} is neither black nor white"),
        };
        pixels.chunks(10).map(|row| row.iter().map(char).collect()).collect()
    }

    fn line(paper: &mut Paper<'_>, points: &[(i32, i32)]) {
        for (i, at) in points.iter().enumerate() {
            match i {
                0 => paper.down(Point::from(*at), PAD),
                _ => paper.to(Point::from(*at), PAD),
            }
        }
        paper.up();
    }

    #[test]
    fn strokes_are_black_lines_a_pixel_wide() {
        with(20, 1, |paper| {
            assert!(paper.is_blank());
            assert_eq!(rows(paper), [".........."; 6]);
            // Moves without a stroke are none.
            paper.to(Point::new(5, 5), PAD);
            assert!(paper.is_blank());
            line(paper, &[(5, 15), (95, 15)]);
            line(paper, &[(25, 55)]);
            line(paper, &[(55, 25), (85, 55)]);
            assert_eq!(
                rows(paper),
                [
                    "..........",
                    "##########",
                    ".....#....",
                    "......#...",
                    ".......#..",
                    "..#.....#.",
                ]
            );
        });
    }

    #[test]
    fn wide_lines_have_round_ends() {
        with(20, 3, |paper| {
            line(paper, &[(35, 35), (65, 35)]);
            let rows = rows(paper);
            assert_eq!([&rows[0], &rows[5]], [".........."; 2]);
            assert_eq!(rows[2], "...####...");
            assert_eq!(rows[3], "..######..");
            assert_eq!(rows[4], "...####...");
        });
    }

    #[test]
    fn dots_outside_the_pad_lie_at_its_edge() {
        with(20, 1, |paper| {
            line(paper, &[(-500, 5), (900, 5)]);
            line(paper, &[(5, i32::MIN), (5, i32::MAX)]);
            let rows = rows(paper);
            assert_eq!(rows[0], "##########");
            assert!(rows[1..].iter().all(|row| row == "#........."));
        });
    }

    #[test]
    fn undo_and_clear() {
        with(20, 1, |paper| {
            line(paper, &[(5, 5), (95, 5)]);
            let one = rows(paper);
            line(paper, &[(5, 35), (45, 35), (45, 55)]);
            let version = paper.version();
            assert!(paper.undo());
            assert_eq!(rows(paper), one);
            assert!(paper.version() > version && paper.erased() == paper.version());
            assert!(paper.undo());
            assert!(paper.is_blank());
            assert!(!paper.undo() && !paper.clear());
            // An undo in the middle of a stroke ends it.
            paper.down(Point::new(5, 5), PAD);
            assert!(paper.undo());
            paper.to(Point::new(95, 5), PAD);
            assert!(paper.is_blank());
            line(paper, &[(5, 5), (95, 5)]);
            assert!(paper.clear());
            assert_eq!(rows(paper), [".........."; 6]);
        });
    }

    #[test]
    fn memory_that_is_full_keeps_the_picture() {
        let strokes: &[&[(i32, i32)]] = &[
            &[(5, 5), (95, 5), (95, 55)],
            &[(5, 15)],
            &[(15, 25), (25, 35), (35, 25), (45, 35), (55, 25), (65, 35), (75, 45), (5, 55)],
            &[(85, 15), (75, 25)],
        ];
        let whole = with(40, 1, |paper| {
            strokes.iter().for_each(|stroke| line(paper, stroke));
            rows(paper)
        });
        for dots in 2..14 {
            with(dots, 1, |paper| {
                strokes.iter().for_each(|stroke| line(paper, stroke));
                assert_eq!(rows(paper), whole, "{dots} dots");
                assert_eq!(paper.count(), 14);
                // As many strokes as are in memory can be undone; dry ones stay.
                while paper.undo() {}
                assert!(!paper.is_blank());
                assert!(paper.clear());
                assert_eq!(rows(paper), [".........."; 6]);
            });
        }
    }

    #[test]
    fn colors_have_equal_channels() {
        let picture = Shape::new(3, 2, 2);
        let (mut dots, mut dry) = ([Dot::default(); 2], [0; 2]);
        let memory = Memory { dots: &mut dots, dry: &mut dry };
        let mut paper = Paper::new(picture, 1, memory).unwrap();
        paper.down(Point::new(1, 0), Size::new(2, 2));
        let mut pixels = [9; 13];
        paper.pixels(&mut pixels);
        assert_eq!(pixels, [255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 255, 255, 9]);
    }

    #[test]
    fn too_little_memory_is_an_error() {
        let (mut dots, mut dry) = ([Dot::default(); 2], [0; 11]);
        let memory = Memory { dots: &mut dots[..1], dry: &mut dry };
        assert_eq!(Paper::new(PICTURE, 1, memory).err(), Some(MemoryTooSmall::Dots(1)));
        let memory = Memory { dots: &mut dots, dry: &mut dry };
        let error = Paper::new(PICTURE, 1, memory).err();
        assert_eq!(error, Some(MemoryTooSmall::Dry { need: 12, got: 11 }));
    }
}
