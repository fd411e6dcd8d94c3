//! A panel on SPI, through spidev and a GPIO chip.

use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::ErrorKind;

use embedded_graphics::draw_target::DrawTarget;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::SpiDevice;
use firmware_demo::Paint;
use firmware_demo::paint::darken;
use linux_embedded_hal::gpio_cdev::{Chip, LineRequestFlags};
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{CdevPin, Delay, SpidevDevice};
use mipidsi::Builder;
use mipidsi::interface::{Interface, InterfaceKind, InterfacePixelFormat, SpiError, SpiInterface};
use mipidsi::models::{
    GC9A01, ILI9341Rgb565, ILI9342CRgb565, ILI9486Rgb666, Model, ST7735s, ST7789, ST7796,
};
use mipidsi::options::{ColorInversion, ColorOrder};

use crate::device_file::unopened;
use crate::options::Options;
use crate::screen::{Fault, Scene, Screen};
use crate::values::{Controller, Offset};

/// Bytes per write: what spidev takes in one transfer.
const BUFFER: usize = 4096;

/// A running panel. The backlight pin is high while the program runs.
struct Wired<D, P> {
    panel: D,
    backlight: Option<P>,
}

/// The bus and its data/command pin, with a buffer.
struct Wire<S, P> {
    spi: S,
    dc: P,
    buffer: Box<[u8; BUFFER]>,
}

impl<S: SpiDevice, P: OutputPin> Wire<S, P> {
    fn driver(&mut self) -> SpiInterface<'_, &mut S, &mut P> {
        SpiInterface::new(&mut self.spi, &mut self.dc, &mut *self.buffer)
    }
}

impl<S: SpiDevice, P: OutputPin> Interface for Wire<S, P> {
    type Word = u8;
    type Error = SpiError<S::Error, P::Error>;
    const KIND: InterfaceKind = InterfaceKind::Serial4Line;

    fn send_command(&mut self, command: u8, args: &[u8]) -> Result<(), Self::Error> {
        self.driver().send_command(command, args)
    }

    fn send_pixels<const N: usize>(
        &mut self,
        pixels: impl IntoIterator<Item = [u8; N]>,
    ) -> Result<(), Self::Error> {
        self.driver().send_pixels(pixels)
    }

    fn send_repeated_pixel<const N: usize>(
        &mut self,
        pixel: [u8; N],
        count: u32,
    ) -> Result<(), Self::Error> {
        self.driver().send_repeated_pixel(pixel, count)
    }
}

/// Opens the bus and the pins and initializes the panel.
///
/// # Errors
/// [`Fault::Lost`] if the bus, a pin or the panel does not respond, [`Fault::Never`] for settings that
/// do not fit.
pub fn open(options: &Options) -> Result<Box<dyn Screen>, Fault> {
    let spi = bus(options)?;
    let dc = pin(options, options.dc, false)?;
    let rst = options.rst.map(|line| pin(options, line, true)).transpose()?;
    let backlight = options.backlight.map(|line| pin(options, line, true));
    start(options, spi, dc, rst, backlight.transpose()?, &mut Delay)
}

fn bus(options: &Options) -> Result<SpidevDevice, Fault> {
    let path = &options.spi;
    let mut spi = SpidevDevice::open(path).map_err(|e| {
        let denied = e.inner().kind() == ErrorKind::PermissionDenied;
        unopened(path, &e.inner(), denied)
    })?;
    let settings = SpidevOptions::new()
        .bits_per_word(8)
        .max_speed_hz(options.speed_hz)
        .mode(SpiModeFlags::SPI_MODE_0)
        .build();
    let set = spi.0.configure(&settings);
    set.map_err(|e| Fault::Never(format!("{} is not an SPI bus: {e}", path.display())))?;
    Ok(spi)
}

fn pin(options: &Options, line: u32, high: bool) -> Result<CdevPin, Fault> {
    let path = &options.gpio;
    // The chip's own error does not distinguish a missing file from a forbidden one.
    let file = OpenOptions::new().read(true).open(path);
    file.map_err(|e| unopened(path, &e, e.kind() == ErrorKind::PermissionDenied))?;
    let line_name = || format!("{}, line {line}", path.display());
    let pin = Chip::new(path)
        .and_then(|mut chip| chip.get_line(line))
        .and_then(|l| l.request(LineRequestFlags::OUTPUT, high as u8, "pocket-gan"))
        .and_then(CdevPin::new);
    pin.map_err(|e| Fault::Lost(format!("{}: {e}", line_name())))
}

/// Initializes the panel with the driver of its controller.
fn start<S, P>(
    options: &Options,
    spi: S,
    dc: P,
    rst: Option<P>,
    backlight: Option<P>,
    delay: &mut impl DelayNs,
) -> Result<Box<dyn Screen>, Fault>
where
    S: SpiDevice + 'static,
    P: OutputPin + 'static,
{
    let buffer = Box::new([0; BUFFER]);
    let wire = Wire { spi, dc, buffer };
    match options.panel {
        Controller::St7735s => build(ST7735s, options, wire, rst, backlight, delay),
        Controller::St7789 => build(ST7789, options, wire, rst, backlight, delay),
        Controller::St7796 => build(ST7796, options, wire, rst, backlight, delay),
        Controller::Ili9341 => build(ILI9341Rgb565, options, wire, rst, backlight, delay),
        Controller::Ili9342c => build(ILI9342CRgb565, options, wire, rst, backlight, delay),
        // On SPI this controller has no 16-bit colors.
        Controller::Ili9486 => build(ILI9486Rgb666, options, wire, rst, backlight, delay),
        Controller::Gc9a01 => build(GC9A01, options, wire, rst, backlight, delay),
    }
}

fn build<S, P, M>(
    model: M,
    options: &Options,
    wire: Wire<S, P>,
    rst: Option<P>,
    backlight: Option<P>,
    delay: &mut impl DelayNs,
) -> Result<Box<dyn Screen>, Fault>
where
    S: SpiDevice + 'static,
    P: OutputPin + 'static,
    M: Model + 'static,
    M::ColorFormat: InterfacePixelFormat<u8> + Paint,
{
    let (width, height) = M::FRAMEBUFFER_SIZE;
    let size = options.size_or(width.into(), height.into());
    let Offset(x, y) = options.offset;
    if x as u32 + size.width > width as u32 || y as u32 + size.height > height as u32 {
        return Err(Fault::Never(format!(
            "{} x {} pixels at column {x}, row {y} exceed the {width} x {height} pixels of the controller",
            size.width, size.height
        )));
    }
    let builder = Builder::new(model, wire)
        .display_size(size.width as u16, size.height as u16)
        .display_offset(x, y)
        .color_order(if options.bgr { ColorOrder::Bgr } else { ColorOrder::Rgb })
        .invert_colors(if options.invert {
            ColorInversion::Inverted
        } else {
            ColorInversion::Normal
        });
    fn silent(error: impl Debug) -> Fault {
        Fault::Lost(format!("the panel does not respond: {error:?}"))
    }
    // Without a reset pin the driver sends a reset command.
    Ok(match rst {
        Some(rst) => {
            let panel = builder.reset_pin(rst).init(delay).map_err(silent)?;
            Box::new(Wired { panel, backlight })
        }
        None => {
            let panel = builder.init(delay).map_err(silent)?;
            Box::new(Wired { panel, backlight })
        }
    })
}

impl<D, P> Screen for Wired<D, P>
where
    D: DrawTarget<Color: Paint, Error: Debug>,
    P: OutputPin,
{
    fn show(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Fault> {
        scene.draw(&mut self.panel)?;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Fault> {
        let failed = |e: &dyn Debug| Fault::Lost(format!("the panel failed: {e:?}"));
        darken(&mut self.panel).map_err(|e| failed(&e))?;
        match &mut self.backlight {
            Some(pin) => pin.set_low().map_err(|e| failed(&e)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "spi_panel.rs"]
mod spi_panel;
