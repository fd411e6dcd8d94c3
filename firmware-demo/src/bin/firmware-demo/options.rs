//! Every setting: a flag of the program and, with underscores, a key of its configuration file.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use clap_complete::Shell;
use embedded_graphics::geometry::Size;
use firmware_demo::sketch::View;
use firmware_demo::{Clock, Fit, Hours, Scaling, Show, Turn};
use runtime::device::Device;

use crate::values::{
    Colors, Controller, Display, FitName, Offset, Pixels, ScalingName, Start, number, start, whole,
};

/// Show generated faces that morph into each other, or draw and see what a model makes of it
///
/// Without arguments, the faces appear in a window if there is a display, otherwise in the terminal,
/// otherwise in kiosk.gif.
///
/// Keys: space holds, right and left (or n and p) skip to the next and the previous face, f adds the
/// face to the favorites or removes it, s blanks the display, q quits.
#[derive(Parser, Clone, Debug)]
#[command(
    version,
    args_override_self = true,
    after_help = "--help explains the flags and lists those of framebuffers and SPI panels.",
    after_long_help = "Flags are also keys of the configuration file: --dwell-s 5 is `dwell_s = 5` there."
)]
pub struct Options {
    /// Configuration file (TOML); flags override its keys
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Display to show the faces on
    #[arg(long, value_enum, default_value_t = Display::Auto)]
    pub display: Display,
    /// Model, a burn record (.bpk) [default: a built-in one]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Device that generates the faces: cpu, vulkan, vulkan:N or auto
    ///
    /// `vulkan` is the best adapter, `vulkan:N` number N of those that `runtime devices` lists, `auto` a
    /// GPU if there is one and otherwise the CPU. If a GPU is lost, the CPU takes over. `vulkan` needs
    /// the feature `gpu`.
    #[arg(long, value_name = "DEVICE", default_value_t = Device::Cpu)]
    pub device: Device,
    /// Size of the picture in pixels, e.g. 320x240 [default: the display's; window 480x480, files 240x240]
    #[arg(long, value_name = "WxH")]
    pub size: Option<Pixels>,
    /// Stop after N frames [default: never; files 120]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(1, u64::MAX))]
    pub frames: Option<u64>,

    /// Seconds per face
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, allow_negative_numbers = true, value_parser = number(0.0, 86400.0), help_heading = "Sequence")]
    pub dwell_s: f64,
    /// Seconds per morph; 0 for panels that are slow or wear out
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, allow_negative_numbers = true, value_parser = number(0.0, 86400.0), help_heading = "Sequence")]
    pub morph_s: f64,
    /// Frames per second
    #[arg(long, default_value_t = 20.0, allow_negative_numbers = true, value_parser = number(0.01, 1000.0), help_heading = "Sequence")]
    pub fps: f64,
    /// Seed of the first face; each next face has the next seed
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = whole::<u64>(0, u64::MAX), help_heading = "Sequence")]
    pub seed: u64,
    /// Factor on the latents: below 1, faces are more average and better formed
    #[arg(long, default_value_t = 0.8, allow_negative_numbers = true, value_parser = number(0.0, 10.0), help_heading = "Sequence")]
    pub truncation: f64,
    /// Stay at the first face until a key is pressed
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_possible_values = true, default_value_t = false, help_heading = "Sequence")]
    pub hold: bool,
    /// Where to start: `start`, `time`, or a file that keeps the position
    ///
    /// `time` starts where the sequence would be had it been running forever, and writes nothing. A
    /// file holds the position in 8 bytes; it is written every ten minutes and at the end.
    #[arg(long, value_name = "START", default_value = "start", value_parser = start(), help_heading = "Sequence")]
    pub position: Start,
    /// File with the favorites, one seed per line
    #[arg(long, value_name = "FILE", default_value = "favorites.txt", help_heading = "Sequence")]
    pub favorites: PathBuf,
    /// Time of day at which faces appear, e.g. 08:30 (with --sleep)
    #[arg(long, value_name = "HH:MM", help_heading = "Sequence")]
    pub wake: Option<Clock>,
    /// Time of day at which the display is blanked (with --wake)
    #[arg(long, value_name = "HH:MM", help_heading = "Sequence")]
    pub sleep: Option<Clock>,

    /// Show the seed that recalls the face
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_possible_values = true, default_value_t = true, help_heading = "Picture")]
    pub caption: bool,
    /// Interpolation
    #[arg(long, value_enum, default_value_t = ScalingName::Bilinear, help_heading = "Picture")]
    pub scaling: ScalingName,
    /// What to do if the face and the display differ in aspect ratio
    #[arg(long, value_enum, default_value_t = FitName::Letterbox, help_heading = "Picture")]
    pub fit: FitName,
    /// Clockwise rotation in degrees
    #[arg(long, value_name = "DEGREES", default_value = "0", allow_negative_numbers = true, value_parser = ["0", "90", "180", "270"], help_heading = "Picture")]
    pub rotate: String,
    /// Mirror the picture left to right
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_possible_values = true, default_value_t = false, help_heading = "Picture")]
    pub mirror: bool,
    /// Preview the colors of a panel (window, terminal and files)
    #[arg(long, value_enum, default_value_t = Colors::Rgb888, help_heading = "Picture")]
    pub colors: Colors,

    /// Draw with the mouse or a finger, and see what the model makes of it
    ///
    /// The built-in model makes a face of a drawing; `--model` takes any that turns pictures into
    /// pictures, such as `trainer fit --recipe pix2pix` exports. Keys: c clears, u takes back a stroke, s saves, q quits.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_possible_values = true, default_value_t = false, help_heading = "Sketch", conflicts_with_all = SEQUENCE)]
    pub sketch: bool,
    /// Width of a line in pixels of the picture that the model takes
    #[arg(long, value_name = "PIXELS", default_value_t = 1, allow_negative_numbers = true, value_parser = whole::<u32>(1, 64), help_heading = "Sketch")]
    pub line: u32,
    /// Folder for what is saved, as sketch-000001.png and so on
    #[arg(long, value_name = "FOLDER", default_value = "sketches", help_heading = "Sketch")]
    pub saves: PathBuf,
    /// Touch panel of a framebuffer or SPI panel, e.g. /dev/input/event0
    #[arg(long, value_name = "FILE", help_heading = "Sketch")]
    pub touch: Option<PathBuf>,
    /// Draw what a file says, an event per line and frame: down X Y, move X Y, up, undo, clear, save
    ///
    /// Points are pixels of the display. Blank lines and those that begin with # are skipped.
    #[arg(long, value_name = "FILE", help_heading = "Sketch")]
    pub strokes: Option<PathBuf>,

    /// File to write (.gif, .png, .rgb565 or .rgb888), a folder for PNG frames, or - for a GIF on
    /// standard output [default: kiosk.gif]
    ///
    /// .png gets the last frame, .rgb565 and .rgb888 the same as raw pixels. A path without an extension
    /// is a folder. Implies `--display headless`.
    #[arg(long, value_name = "PATH", help_heading = "Files (--display headless)")]
    pub out: Option<PathBuf>,

    /// Device file
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/dev/fb0",
        hide_short_help = true,
        help_heading = "Framebuffer"
    )]
    pub path: PathBuf,
    /// Bits per pixel [default: the device's]
    #[arg(long, value_name = "BITS", value_parser = ["16", "24", "32"], hide_short_help = true, help_heading = "Framebuffer")]
    pub depth: Option<String>,
    /// Bytes per row [default: the device's]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, value_parser = whole::<usize>(1, 1 << 20), hide_short_help = true, help_heading = "Framebuffer")]
    pub stride: Option<usize>,
    /// Swap red and blue (also for SPI panels)
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_possible_values = true, default_value_t = false, hide_short_help = true, help_heading = "Framebuffer")]
    pub bgr: bool,

    /// Controller
    #[arg(long, value_enum, default_value_t = Controller::St7789, hide_short_help = true, help_heading = "SPI panel")]
    pub panel: Controller,
    /// Device file of the bus
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/dev/spidev0.0",
        hide_short_help = true,
        help_heading = "SPI panel"
    )]
    pub spi: PathBuf,
    /// Clock in hertz
    #[arg(long, value_name = "HZ", default_value_t = 40_000_000, allow_negative_numbers = true, value_parser = whole::<u32>(100_000, 125_000_000), hide_short_help = true, help_heading = "SPI panel")]
    pub speed_hz: u32,
    /// Device file of the GPIO chip
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/dev/gpiochip0",
        hide_short_help = true,
        help_heading = "SPI panel"
    )]
    pub gpio: PathBuf,
    /// GPIO line of the data/command pin
    #[arg(long, value_name = "LINE", default_value_t = 25, allow_negative_numbers = true, value_parser = whole::<u32>(0, u32::MAX as u64), hide_short_help = true, help_heading = "SPI panel")]
    pub dc: u32,
    /// GPIO line of the reset pin [default: none]
    #[arg(long, value_name = "LINE", allow_negative_numbers = true, value_parser = whole::<u32>(0, u32::MAX as u64), hide_short_help = true, help_heading = "SPI panel")]
    pub rst: Option<u32>,
    /// GPIO line of the backlight, on while the program runs [default: none]
    #[arg(long, value_name = "LINE", allow_negative_numbers = true, value_parser = whole::<u32>(0, u32::MAX as u64), hide_short_help = true, help_heading = "SPI panel")]
    pub backlight: Option<u32>,
    /// First visible column and row of the controller's memory, e.g. 0,80
    #[arg(
        long,
        value_name = "X,Y",
        default_value = "0,0",
        hide_short_help = true,
        help_heading = "SPI panel"
    )]
    pub offset: Offset,
    /// Invert the colors, as most IPS panels need
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_possible_values = true, default_value_t = false, hide_short_help = true, help_heading = "SPI panel")]
    pub invert: bool,

    /// Generate N faces in memory as fast as possible, print the pace and the memory in use, and exit
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(1, u64::MAX), hide_short_help = true, help_heading = "Test")]
    pub soak: Option<u64>,

    /// Print a completion script for a shell and exit
    #[arg(long, value_name = "SHELL", value_enum, hide = true)]
    pub completions: Option<Shell>,
    /// Print a man page and exit
    #[arg(long, hide = true)]
    pub man: bool,
}

/// Settings that mean nothing to a sketch.
const SEQUENCE: [&str; 11] = [
    "dwell_s",
    "morph_s",
    "seed",
    "truncation",
    "hold",
    "position",
    "favorites",
    "wake",
    "sleep",
    "caption",
    "soak",
];

impl Options {
    /// Frames in a number of seconds.
    fn frames_of(&self, seconds: f64) -> u32 {
        // Casts from float to integer saturate.
        (seconds * self.fps).round() as u32
    }

    /// The kiosk's settings.
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

    /// The hours of `--wake` and `--sleep`; `None` means always awake.
    ///
    /// # Errors
    /// A message if only one of them is given.
    pub fn hours(&self) -> Result<Option<Hours>, String> {
        match (self.wake, self.sleep) {
            (Some(wake), Some(sleep)) => Ok(Some(Hours { wake, sleep })),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err("wake needs sleep, the time at which the display is blanked".into())
            }
            (None, Some(_)) => Err("sleep needs wake, the time at which faces appear".into()),
        }
    }

    /// How a sketch is drawn.
    pub fn view(&self) -> View {
        let Show { scaling, turn, .. } = self.show();
        View { line: self.line, scaling, turn }
    }

    /// Checks what the flags of a sketch and of files need.
    ///
    /// # Errors
    /// A message that says what would work.
    pub fn check(&self) -> Result<(), String> {
        for (name, given) in [("strokes", &self.strokes), ("touch", &self.touch)] {
            if given.is_some() && !self.sketch {
                return Err(format!("{name} needs sketch: add --sketch"));
            }
        }
        if self.out.is_some() && !matches!(self.display, Display::Auto | Display::Headless) {
            let display = self.display.to_possible_value();
            return Err(format!(
                "out writes a file, but the display is {}: leave out one of them, or add --display headless",
                display.as_ref().map_or("another", |value| value.get_name())
            ));
        }
        let panel = matches!(self.display, Display::Framebuffer | Display::Spi);
        match self.sketch {
            true if self.display == Display::Terminal => {
                Err("a terminal cannot be drawn on: use --display window".into())
            }
            true if panel && self.touch.is_none() && self.strokes.is_none() => Err(
                "the display reports no touches: name its touch panel (--touch /dev/input/event0), or a \
                 script that draws (--strokes FILE)"
                    .into(),
            ),
            _ => Ok(()),
        }
    }

    /// `--size`, or a default.
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
            "--device=vulkan:x",
        ] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
        for (flag, value, want) in [
            ("--dwell-s", "-1", "expected a number from 0 to 86400"),
            ("--seed", "-1", "expected a whole number, 0 or more"),
            ("--seed", "18446744073709551616", "expected a whole number, 0 or more"),
            ("--frames", "many", "expected a whole number, 1 or more"),
            ("--speed-hz", "9", "expected a whole number from 100000 to 125000000"),
            ("--rotate", "-90", "[possible values: 0, 90, 180, 270]"),
        ] {
            let error = parse(&[flag, value]).unwrap_err().to_string();
            assert!(error.contains(want), "{flag} {value}: {error}");
        }
        assert!(parse(&["--wake=08:00"]).unwrap().hours().is_err());
        assert!(parse(&["--wake=08:00", "--sleep=20:00"]).unwrap().hours().unwrap().is_some());
    }
}
