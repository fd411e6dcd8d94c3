//! What values of settings look like.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, TypedValueParser};
use embedded_graphics::geometry::Size;

/// Displays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Display {
    /// A window, otherwise the terminal, otherwise a file
    Auto,
    /// A window on X11
    Window,
    /// Half blocks in 24-bit color
    Terminal,
    /// A GIF, PNG frames or raw pixels
    Headless,
    /// A Linux framebuffer
    Framebuffer,
    /// A panel on SPI
    Spi,
}

/// `Scaling` by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScalingName {
    /// The nearest pixel
    Nearest,
    /// A weighted mean of the nearest four
    Bilinear,
}

/// `Fit` by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FitName {
    /// Show the whole face, with black margins
    Letterbox,
    /// Cover the whole display, cropping the face
    Fill,
}

/// Colors of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colors {
    /// 16.8 million colors
    Rgb888,
    /// 65,536 colors, as on most SPI panels
    Rgb565,
    /// 256 grays
    Gray8,
    /// 16 grays, dithered
    Gray4,
    /// 4 grays, dithered, as on e-paper
    Gray2,
    /// Black and white, dithered
    Mono,
}

/// Controllers of SPI panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Controller {
    St7735s,
    St7789,
    St7796,
    Ili9341,
    Ili9342c,
    Ili9486,
    Gc9a01,
}

/// Width and height, each 1 to 8192.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixels(pub Size);

impl FromStr for Pixels {
    type Err = String;

    fn from_str(text: &str) -> Result<Pixels, String> {
        let side = |text: &str| text.parse().ok().filter(|n| (1..=8192).contains(n));
        let sides = text.split_once('x');
        match sides.and_then(|(w, h)| Some((side(w)?, side(h)?))) {
            Some((width, height)) => Ok(Pixels(Size::new(width, height))),
            None => Err("expected WIDTHxHEIGHT, each from 1 to 8192".into()),
        }
    }
}

/// A column and a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(pub u16, pub u16);

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Offset, String> {
        let both = text.split_once(',');
        match both.and_then(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?))) {
            Some((x, y)) => Ok(Offset(x, y)),
            None => Err("expected COLUMN,ROW, each from 0 to 65535".into()),
        }
    }
}

/// Where in the sequence a kiosk starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first face.
    First,
    /// By the clock.
    Time,
    /// At the position in this file.
    File(PathBuf),
}

/// Parses a start. The name of a file need not be Unicode.
pub fn start() -> impl TypedValueParser<Value = Start> {
    OsStringValueParser::new().try_map(|text| match text.to_str() {
        Some("") => Err("expected `start`, `time` or the name of a file"),
        Some("start") => Ok(Start::First),
        Some("time") => Ok(Start::Time),
        _ => Ok(Start::File(text.into())),
    })
}

/// Parses a number from `low` to `high`, both included.
pub fn number(
    low: f64,
    high: f64,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse::<f64>() {
        Ok(n) if (low..=high).contains(&n) => Ok(n),
        Ok(_) | Err(_) => Err(format!("expected a number from {low} to {high}")),
    }
}

/// Parses a whole number from `low` to `high`, both included.
pub fn whole<T: TryFrom<u64> + 'static>(
    low: u64,
    high: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let n = text.parse().ok().filter(|n| (low..=high).contains(n));
        let n = n.and_then(|n| T::try_from(n).ok());
        n.ok_or_else(|| match high {
            u64::MAX => format!("expected a whole number, {low} or more"),
            _ => format!("expected a whole number from {low} to {high}"),
        })
    }
}
