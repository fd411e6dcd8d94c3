//! Every knob: a flag of the program and, with underscores, a key of its configuration file.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use embedded_graphics::geometry::Size;
use firmware_demo::{Clock, Fit, Hours, Scaling, Show, Turn};

use crate::maker::Compute;

/// Endless faces of nobody, on any display
///
/// Without arguments: in a window where there is a display, else in the terminal, else into kiosk.gif. Keys: space
/// holds, right and left (n, p) are the next and the previous face, f makes a favourite, s sleeps, q ends.
#[derive(Parser, Clone, Debug)]
#[command(
    version,
    args_override_self = true,
    after_help = "Every flag is a key of the configuration file too: --dwell-s 5 is `dwell_s = 5` there."
)]
pub struct Options {
    /// Configuration file (TOML); flags win over its keys
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the faces are shown
    #[arg(long, value_enum, default_value_t = Display::Auto)]
    pub display: Display,
    /// Burn record [default: the model that comes with the program]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Where the faces are made
    #[arg(long, value_enum, default_value_t = Compute::Cpu)]
    pub compute: Compute,
    /// Pixels of the display, as 320x240 [default: what the display says, or 480x480 (files 240x240)]
    #[arg(long, value_name = "WxH")]
    pub size: Option<Pixels>,

    /// Seconds that a face stays
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = number(0.0, 86400.0))]
    pub dwell_s: f64,
    /// Seconds from one face to the next; 0 for panels that are slow or that wear
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = number(0.0, 86400.0))]
    pub morph_s: f64,
    /// Frames a second
    #[arg(long, default_value_t = 20.0, value_parser = number(0.01, 1000.0))]
    pub fps: f64,
    /// Seed of the first face; the others count up from it
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Factor on the latents: below 1 faces are more ordinary and better formed
    #[arg(long, default_value_t = 0.8, value_parser = number(0.0, 10.0))]
    pub truncation: f64,
    /// The seed below each face: with it the face can be recalled
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = true)]
    pub caption: bool,
    /// Stay at the first face until a key says otherwise
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false)]
    pub hold: bool,
    /// How pixels between the pixels are made
    #[arg(long, value_enum, default_value_t = ScalingName::Bilinear)]
    pub scaling: ScalingName,
    /// The whole face with black around it, or the whole display with the face's edges cut off
    #[arg(long, value_enum, default_value_t = FitName::Letterbox)]
    pub fit: FitName,
    /// Degrees clockwise that the picture is turned
    #[arg(long, value_name = "DEGREES", default_value = "0", value_parser = ["0", "90", "180", "270"])]
    pub rotate: String,
    /// Mirror the picture left to right
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false)]
    pub mirror: bool,
    /// Colours of the panel, for a look at it in a window, terminal or file
    #[arg(long, value_enum, default_value_t = Colors::Rgb888)]
    pub colors: Colors,

    /// Time of day at which faces begin, as 08:30 (needs --sleep)
    #[arg(long, value_name = "HH:MM")]
    pub wake: Option<Clock>,
    /// Time of day at which the panel goes dark (needs --wake)
    #[arg(long, value_name = "HH:MM")]
    pub sleep: Option<Clock>,
    /// Where in the endless sequence to begin: `start`, `time` (by the clock, as if it had never stopped), or a file
    /// of 8 bytes in which the position is kept
    #[arg(long, value_name = "WHERE", default_value = "start")]
    pub position: Start,
    /// File to which favourites are added, a seed a line
    #[arg(long, value_name = "FILE", default_value = "favourites.txt")]
    pub favourites: PathBuf,
    /// End after so many frames [default: never; headless 120]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: Option<u64>,

    /// headless: a folder for PNG frames, or a file: .gif, .png, .rgb565 or .rgb888 (a panel's memory) [default: kiosk.gif]
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,

    /// framebuffer: its device file
    #[arg(long, value_name = "FILE", default_value = "/dev/fb0")]
    pub device: PathBuf,
    /// framebuffer: bits a pixel [default: what the device says]
    #[arg(long, value_name = "BITS", value_parser = ["16", "24", "32"])]
    pub depth: Option<String>,
    /// framebuffer: bytes a row [default: what the device says]
    #[arg(long, value_name = "BYTES")]
    pub stride: Option<usize>,
    /// framebuffer and spi: red and blue swapped
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false)]
    pub bgr: bool,

    /// spi: the panel's controller
    #[arg(long, value_enum, default_value_t = Panel::St7789)]
    pub panel: Panel,
    /// spi: its device file
    #[arg(long, value_name = "FILE", default_value = "/dev/spidev0.0")]
    pub spi: PathBuf,
    /// spi: clock in hertz
    #[arg(long, value_name = "HZ", default_value_t = 40_000_000, value_parser = clap::value_parser!(u32).range(100_000..=125_000_000))]
    pub speed_hz: u32,
    /// spi: the device file of the pins
    #[arg(long, value_name = "FILE", default_value = "/dev/gpiochip0")]
    pub gpio: PathBuf,
    /// spi: line of the data/command pin
    #[arg(long, value_name = "LINE", default_value_t = 25)]
    pub dc: u32,
    /// spi: line of the reset pin [default: none]
    #[arg(long, value_name = "LINE")]
    pub rst: Option<u32>,
    /// spi: line of the backlight pin, on while the program runs [default: none]
    #[arg(long, value_name = "LINE")]
    pub backlight: Option<u32>,
    /// spi: first visible column and row in the controller's memory, as 0,80
    #[arg(long, value_name = "X,Y", default_value = "0,0")]
    pub offset: Offset,
    /// spi: inverted colours, as most IPS panels want
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false)]
    pub invert: bool,

    /// Make so many faces as fast as possible in memory, say how fast and what memory the process has, and end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub soak: Option<u64>,
}

/// Where faces are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Display {
    /// A window, else the terminal, else a file
    Auto,
    /// A window on X11
    Window,
    /// Half blocks in true colour
    Terminal,
    /// PNG frames or a GIF file
    Headless,
    /// A Linux framebuffer
    Framebuffer,
    /// A panel on SPI
    Spi,
}

/// [`Scaling`] by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScalingName {
    /// The nearest pixel
    Nearest,
    /// Between the nearest four
    Bilinear,
}

/// [`Fit`] by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FitName {
    /// The whole face
    Letterbox,
    /// The whole display
    Fill,
}

/// Colours of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colors {
    /// 16.8 million colours
    Rgb888,
    /// 65,536 colours, as most SPI panels
    Rgb565,
    /// 256 greys
    Gray8,
    /// 16 greys, dithered
    Gray4,
    /// 4 greys, dithered, as e-paper
    Gray2,
    /// Black and white, dithered
    Mono,
}

/// Controllers of SPI panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Panel {
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
            None => Err("a size is WIDTHxHEIGHT, each 1 to 8192".into()),
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
            None => Err("an offset is COLUMN,ROW".into()),
        }
    }
}

/// Where in the sequence a kiosk begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first face.
    First,
    /// By the clock.
    Time,
    /// Where this file says.
    File(PathBuf),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Start, String> {
        match text {
            "" => Err("a position is start, time or the name of a file".into()),
            "start" => Ok(Start::First),
            "time" => Ok(Start::Time),
            file => Ok(Start::File(file.into())),
        }
    }
}

/// A number in a range, its ends included.
fn number(
    low: f64,
    high: f64,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse::<f64>() {
        Ok(n) if (low..=high).contains(&n) => Ok(n),
        Ok(_) | Err(_) => Err(format!("it is a number from {low} to {high}")),
    }
}

impl Options {
    /// Frames that some seconds take.
    fn frames_of(&self, seconds: f64) -> u32 {
        // A float turned integer saturates.
        (seconds * self.fps).round() as u32
    }

    /// How the faces follow each other.
    pub fn show(&self) -> Show {
        let quarters = match self.rotate.as_str() {
            "90" => 1,
            "180" => 2,
            "270" => 3,
            _ => 0,
        };
        Show {
            seed: self.seed,
            dwell: self.frames_of(self.dwell_s),
            morph: self.frames_of(self.morph_s),
            truncation: self.truncation as f32,
            caption: self.caption,
            scaling: match self.scaling {
                ScalingName::Nearest => Scaling::Nearest,
                ScalingName::Bilinear => Scaling::Bilinear,
            },
            fit: match self.fit {
                FitName::Letterbox => Fit::Letterbox,
                FitName::Fill => Fit::Fill,
            },
            turn: Turn::new(quarters, self.mirror),
        }
    }

    /// When the kiosk is awake; none: always.
    ///
    /// # Errors
    /// What is wrong with one of the two alone.
    pub fn hours(&self) -> Result<Option<Hours>, String> {
        match (self.wake, self.sleep) {
            (Some(wake), Some(sleep)) => Ok(Some(Hours { wake, sleep })),
            (None, None) => Ok(None),
            (Some(_), None) => Err("wake without sleep: when does the panel go dark?".into()),
            (None, Some(_)) => Err("sleep without wake: when do faces begin?".into()),
        }
    }

    /// The size asked for, or another one.
    pub fn size_or(&self, width: u32, height: u32) -> Size {
        self.size.map_or(Size::new(width, height), |s| s.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags() {
        Options::command().debug_assert();
        let parse = |args: &[&str]| Options::try_parse_from([&["firmware-demo"], args].concat());
        let options = parse(&[
            "--dwell-s=2",
            "--fps",
            "30",
            "--caption",
            "false",
            "--rotate=270",
            "--mirror",
        ])
        .unwrap();
        let show = options.show();
        assert_eq!((show.dwell, show.morph), (60, 90));
        assert!(!show.caption);
        assert_eq!(show.turn, Turn::new(3, true));
        assert_eq!(parse(&["--fps", "5", "--fps", "6"]).unwrap().fps, 6.0);
        for wrong in [
            "--fps=0",
            "--fps=nan",
            "--size=0x5",
            "--size=5",
            "--dwell-s=-1",
            "--rotate=45",
            "--wake=24:00",
            "--offset=1",
            "--frames=0",
            "--position=",
            "--truncation=inf",
        ] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
        assert!(parse(&["--wake=08:00"]).unwrap().hours().is_err());
        assert!(parse(&["--wake=08:00", "--sleep=20:00"]).unwrap().hours().unwrap().is_some());
    }
}
