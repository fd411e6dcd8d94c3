//! A simulated panel: decodes what is sent over the bus back into a picture.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use clap::Parser;
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::{Rgb666, Rgb888, RgbColor};
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::{Operation, SpiDevice};
use firmware_demo::Kiosk;
use runtime::{Cpu, Model};

use super::start;
use crate::canvas::Canvas;
use crate::options::Options;
use crate::screen::{Faces, Fault, Scene, Screen};
use crate::values::Colors;

/// A controller: commands and data in, the panel's memory out.
#[derive(Default)]
struct Controller {
    /// Level of the data/command pin.
    data: bool,
    /// Resets, by pin or command.
    resets: u32,
    /// Whether the backlight is on.
    light: bool,
    /// Whether the bus is broken.
    broken: bool,
    command: u8,
    args: Vec<u8>,
    columns: (u16, u16),
    rows: (u16, u16),
    at: (u16, u16),
    /// Bytes per pixel, from COLMOD.
    depth: usize,
    memory: Vec<Vec<[u8; 3]>>,
    inverted: bool,
    bgr: bool,
    on: bool,
}

impl Controller {
    fn new() -> Rc<RefCell<Controller>> {
        Rc::new(RefCell::new(Controller {
            memory: vec![vec![[9; 3]; 512]; 512],
            ..Controller::default()
        }))
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.data {
                false => self.begin(*byte),
                true => self.data(*byte),
            }
        }
    }

    fn begin(&mut self, command: u8) {
        self.command = command;
        self.args.clear();
        match command {
            // SWRESET, INVOFF, INVON, DISPON, RAMWR
            0x01 => self.resets += 1,
            0x20 => self.inverted = false,
            0x21 => self.inverted = true,
            0x29 => self.on = true,
            0x2c => self.at = (self.columns.0, self.rows.0),
            _ => {}
        }
    }

    fn data(&mut self, byte: u8) {
        self.args.push(byte);
        let pair = |a: &[u8]| (u16::from_be_bytes([a[0], a[1]]), u16::from_be_bytes([a[2], a[3]]));
        match (self.command, self.args.len()) {
            // CASET, PASET, MADCTL, COLMOD
            (0x2a, 4) => self.columns = pair(&self.args),
            (0x2b, 4) => self.rows = pair(&self.args),
            (0x36, 1) => self.bgr = byte & 8 != 0,
            (0x3a, 1) => self.depth = if byte & 7 == 5 { 2 } else { 3 },
            (0x2c, n) if n == self.depth => {
                let pixel = match self.args[..] {
                    [high, low] => {
                        let word = u16::from_be_bytes([high, low]);
                        [(word >> 11) as u8, (word >> 5 & 63) as u8, (word & 31) as u8]
                    }
                    [r, g, b] => [r >> 2, g >> 2, b >> 2],
                    _ => unreachable!("pixels have 2 or 3 bytes"),
                };
                self.args.clear();
                let (column, row) = self.at;
                assert!(column <= self.columns.1 && row <= self.rows.1, "pixels outside");
                self.memory[row as usize][column as usize] = pixel;
                self.at = match column == self.columns.1 {
                    true => (self.columns.0, row + 1),
                    false => (column + 1, row),
                };
            }
            _ => {}
        }
    }
}

type Shared = Rc<RefCell<Controller>>;

struct Bus(Shared);

#[derive(Debug)]
struct Torn;

impl embedded_hal::spi::Error for Torn {
    fn kind(&self) -> embedded_hal::spi::ErrorKind {
        embedded_hal::spi::ErrorKind::Other
    }
}

impl embedded_hal::spi::ErrorType for Bus {
    type Error = Torn;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Torn> {
        let mut controller = self.0.borrow_mut();
        for operation in operations {
            match operation {
                Operation::Write(_) if controller.broken => return Err(Torn),
                Operation::Write(bytes) => {
                    assert!(bytes.len() <= 4096, "more than spidev takes at once");
                    controller.take(bytes);
                }
                _ => unreachable!("panels are only written to"),
            }
        }
        Ok(())
    }
}

enum Pin {
    Data(Shared),
    Reset(Shared),
    Light(Shared),
}

impl embedded_hal::digital::ErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        match self {
            Pin::Data(c) => c.borrow_mut().data = false,
            Pin::Reset(c) => c.borrow_mut().resets += 1,
            Pin::Light(c) => c.borrow_mut().light = false,
        }
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        match self {
            Pin::Data(c) => c.borrow_mut().data = true,
            Pin::Reset(_) => {}
            Pin::Light(c) => c.borrow_mut().light = true,
        }
        Ok(())
    }
}

struct NoDelay;

impl embedded_hal::delay::DelayNs for NoDelay {
    fn delay_ns(&mut self, _: u32) {}
}

fn options(args: &[&str]) -> Options {
    let common = ["firmware-demo", "--display=spi", "--dwell-s=0", "--morph-s=1", "--fps=4"];
    Options::try_parse_from([&common, args].concat()).unwrap()
}

fn connect(options: &Options, reset: bool) -> Result<(Box<dyn Screen>, Shared), Fault> {
    let c = Controller::new();
    c.borrow_mut().light = true;
    let pin = |p: fn(Shared) -> Pin| p(c.clone());
    let screen = start(
        options,
        Bus(c.clone()),
        pin(Pin::Data),
        reset.then(|| pin(Pin::Reset)),
        Some(pin(Pin::Light)),
        &mut NoDelay,
    )?;
    Ok((screen, c))
}

fn with_kiosk(options: &Options, work: impl FnOnce(&mut Faces<'_>)) {
    let record = runtime::include_record!("../../../../models/pretrained/faces64.bpk");
    let model = Model::parse(record).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    work(&mut Kiosk::new(
        crate::generator::Generator::Cpu(Cpu::new(&model, &mut arena).unwrap()),
        options.show(),
    ));
}

/// The same picture drawn on a canvas, in levels of 5, 6 and 5 bits, or of 6 bits each.
fn picture(options: &Options, size: Size, deep: bool, position: u64) -> Vec<[u8; 3]> {
    let colors = if deep { Colors::Rgb888 } else { Colors::Rgb565 };
    let mut canvas = Canvas::new(size, colors);
    with_kiosk(options, |kiosk| {
        kiosk.seek(position);
        canvas.draw(&mut Scene::Faces(kiosk)).unwrap();
    });
    let level = |&[r, g, b]: &[u8; 3]| match deep {
        true => {
            let color = Rgb666::from(Rgb888::new(r, g, b));
            [color.r(), color.g(), color.b()]
        }
        false => [r >> 3, g >> 2, b >> 3],
    };
    canvas.pixels().iter().map(level).collect()
}

#[test]
fn the_picture_arrives_on_every_panel() {
    // Arguments, size, first column and row, bytes per pixel.
    type Case<'a> = (&'a [&'a str], (u32, u32), (usize, usize), usize);
    let cases: [Case; 6] = [
        (
            &["--panel=st7789", "--size=240x240", "--offset=0,80", "--invert"],
            (240, 240),
            (0, 80),
            2,
        ),
        (
            &["--panel=st7735s", "--size=80x160", "--offset=26,1", "--bgr", "--rotate=90"],
            (80, 160),
            (26, 1),
            2,
        ),
        (&["--panel=ili9341", "--fit=fill"], (240, 320), (0, 0), 2),
        (&["--panel=ili9342c", "--caption=false"], (320, 240), (0, 0), 2),
        (&["--panel=ili9486", "--mirror"], (320, 480), (0, 0), 3),
        (&["--panel=gc9a01", "--scaling=nearest"], (240, 240), (0, 0), 2),
    ];
    for (args, (width, height), (left, top), depth) in cases {
        let options = options(args);
        let (mut screen, c) = connect(&options, true).unwrap();
        assert_eq!(c.borrow().resets, 1, "{args:?}");
        with_kiosk(&options, |kiosk| {
            // A whole frame, then a morph, which draws only the face.
            for position in [0, 3] {
                kiosk.seek(position);
                screen.show(&mut Scene::Faces(kiosk)).unwrap();
                let c = c.borrow();
                let rows = c.memory[top..top + height as usize].iter();
                let got = rows.flat_map(|r| r[left..left + width as usize].iter().copied());
                let want = picture(&options, Size::new(width, height), depth == 3, position);
                assert!(got.eq(want.iter().copied()), "{args:?} at {position}");
            }
        });
        let c = c.borrow();
        assert_eq!((c.depth, c.on, c.bgr), (depth, true, options.bgr), "{args:?}");
        // Nothing outside the visible part was written.
        assert_eq!(c.memory[top + height as usize][left], [9; 3]);
        assert_eq!(c.memory[top][left + width as usize], [9; 3]);
    }
}

#[test]
fn colors_are_inverted_on_request() {
    let inverted = |args| connect(&options(args), true).unwrap().1.borrow().inverted;
    assert!(inverted(&["--invert"]));
    assert!(!inverted(&[]));
}

#[test]
fn without_a_reset_pin_a_command_resets() {
    assert_eq!(connect(&options(&[]), false).unwrap().1.borrow().resets, 1);
}

#[test]
fn leaving_blanks_the_panel_and_turns_off_the_backlight() {
    let options = options(&["--size=64x64"]);
    let (mut screen, c) = connect(&options, true).unwrap();
    with_kiosk(&options, |kiosk| screen.show(&mut Scene::Faces(kiosk)).unwrap());
    screen.leave().unwrap();
    assert!(!c.borrow().light);
    assert!(c.borrow().memory[..64].iter().all(|row| row[..64].iter().all(|p| *p == [0; 3])));
}

#[test]
fn a_torn_cable_is_a_lost_display() {
    let options = options(&[]);
    let (mut screen, c) = connect(&options, true).unwrap();
    c.borrow_mut().broken = true;
    with_kiosk(&options, |kiosk| {
        assert!(matches!(screen.show(&mut Scene::Faces(kiosk)), Err(Fault::Lost(_))));
        c.borrow_mut().broken = false;
        screen.show(&mut Scene::Faces(kiosk)).unwrap();
    });
}

#[test]
fn panels_larger_than_the_controller() {
    for args in [
        &["--size=241x320"][..],
        &["--size=240x240", "--offset=0,81"],
        &["--panel=gc9a01", "--size=240x241"],
    ] {
        match connect(&options(args), true) {
            Err(Fault::Never(what)) => assert!(what.contains("of the controller"), "{what}"),
            Err(other) => panic!("{args:?}: {other}"),
            Ok(_) => panic!("{args:?}"),
        }
    }
}
