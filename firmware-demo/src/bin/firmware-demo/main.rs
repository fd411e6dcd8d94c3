//! Endless generated faces on any display.

mod attend;
mod canvas;
mod config;
#[cfg(any(
    all(feature = "framebuffer", unix),
    all(any(feature = "spi", feature = "touch"), target_os = "linux")
))]
mod device_file;
mod drawing;
mod easel;
#[cfg(all(feature = "framebuffer", unix))]
mod framebuffer;
mod generator;
mod headless;
mod keep;
mod options;
mod output;
#[cfg(feature = "window")]
mod pointer;
mod run;
mod screen;
mod soak;
#[cfg(all(feature = "spi", target_os = "linux"))]
mod spi;
mod stop;
mod strokes;
#[cfg(feature = "terminal")]
mod terminal;
mod time;
#[cfg(all(feature = "touch", target_os = "linux"))]
mod touch_panel;
mod values;
#[cfg(feature = "window")]
mod window;
mod worker;

use std::error::Error;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use firmware_demo::sketch::{Dot, Memory};
use firmware_demo::{Kiosk, Sketch};
use runtime::op::Shape;
use runtime::record::Buffer;
use runtime::{Input, Limit, Limits, Model};

use crate::drawing::Drawing;
use crate::easel::Easel;
use crate::generator::Generator;
use crate::keep::{Favorites, Keeper};
use crate::options::Options;
use crate::output::notice;
use crate::run::Run;
use crate::screen::{Fault, Screen};
use crate::stop::Stop;
use crate::time::System;
use crate::values::Display;
use crate::worker::{Answer, Worker};

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            notice(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Puts the options of the configuration file, if there is one, under those of the command line.
fn with_config(options: Options) -> Result<Options, config::ConfigError> {
    let Some(path) = &options.config else {
        return Ok(options);
    };
    let mut args = std::env::args_os();
    let program = args.next();
    let flags = config::flags(path)?.into_iter().map(Into::into);
    // The last of repeated flags counts.
    Ok(Options::parse_from(program.into_iter().chain(flags).chain(args)))
}

/// Prints what the hidden flags ask for. Returns whether there was any.
fn print_reference(options: &Options) -> io::Result<bool> {
    let mut text = Vec::new();
    if let Some(shell) = options.completions {
        clap_complete::generate(shell, &mut Options::command(), "firmware-demo", &mut text);
    } else if options.man {
        clap_mangen::Man::new(Options::command()).render(&mut text)?;
    } else {
        return Ok(false);
    }
    let mut stdout = stdout().lock();
    stdout.write_all(&text)?;
    stdout.flush()?;
    Ok(true)
}

/// How to convert a file that is not a burn record, by its extension.
fn hint(path: &Path) -> String {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    let record = path.with_extension("bpk");
    let (name, record) = (path.display(), record.display());
    match extension.as_ref().and_then(|e| e.to_str()) {
        Some("onnx") => format!("; convert it with `runtime convert {name} --out {record}`"),
        Some("pt" | "pth" | "tar" | "safetensors") => {
            format!("; convert it with `trainer import {name}`")
        }
        _ => String::new(),
    }
}

/// A file, if it is not longer than a model may be: a device may have no end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let within = |bytes| {
        let checked = Limits::DEFAULT.check(Limit::File, bytes);
        checked.map_err(|e| io::Error::new(io::ErrorKind::FileTooLarge, e.to_string()))
    };
    let file = File::open(path)?;
    within(file.metadata()?.len())?;
    let mut bytes = Vec::new();
    file.take(Limits::DEFAULT.file + 1).read_to_end(&mut bytes)?;
    within(bytes.len() as u64)?;
    Ok(bytes)
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let options = with_config(options)?;
    if print_reference(&options)? {
        return Ok(());
    }
    options.check()?;
    options.hours()?;
    let file = match &options.model {
        Some(path) => {
            let bytes = read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            Some(Buffer::from(bytes))
        }
        None => None,
    };
    let bytes = match &file {
        Some(buffer) => buffer.bytes(),
        None if options.sketch => {
            runtime::include_record!("../../../../models/pretrained/sketch64-int8.bpk") as &[u8]
        }
        None => runtime::include_record!("../../../../models/pretrained/faces64.bpk"),
    };
    let model = Model::parse(bytes).map_err(|e| match &options.model {
        Some(path) => format!("{}: {e}{}", path.display(), hint(path)),
        None => format!("the built-in model: {e}"),
    })?;
    let mut arena = vec![0.0; model.arena_len()];
    match (options.sketch, model.input()) {
        (true, Input::Picture(picture)) => sketch(&options, &model, picture, &mut arena),
        (false, Input::Latent(_)) => faces(&options, &model, &mut arena),
        (true, Input::Latent(_)) => {
            let name = options.model.as_deref().unwrap_or(Path::new("the built-in model"));
            Err(format!(
                "{} makes pictures from random numbers, not from a drawing: leave out --sketch, or \
                 train a model with `trainer fit --recipe pix2pix --data PHOTOS --pair edges`",
                name.display()
            )
            .into())
        }
        (false, Input::Picture(_)) => {
            let name = options.model.as_deref().unwrap_or(Path::new("the built-in model"));
            Err(format!(
                "{} makes pictures from pictures: add --sketch to draw one, or use runtime translate",
                name.display()
            )
            .into())
        }
    }
}

/// Shows faces.
fn faces(options: &Options, model: &Model<'_>, arena: &mut [f32]) -> Result<(), Box<dyn Error>> {
    let generator = Generator::open(options.device, model, arena)?;
    let mut kiosk = Kiosk::new(generator, options.show());
    let (keeper, position) = Keeper::open(options);
    kiosk.seek(position);
    kiosk.hold(options.hold);
    let stop = Stop::listen()?;
    if let Some(faces) = options.soak {
        return Ok(soak::run(&mut kiosk, options, faces, &stop)?);
    }
    let (screen, display) = choose(options)?;
    let frames = match display {
        Display::Headless => options.frames.or(Some(headless::FRAMES)),
        _ => options.frames,
    };
    let mut run = Run {
        kiosk: &mut kiosk,
        options,
        hours: options.hours()?,
        keeper,
        favorites: Favorites::open(&options.favorites),
        stop: &stop,
        time: &System::start(),
        reversed: false,
        frames,
    };
    Ok(run.run(screen, || open(display, options))?)
}

/// Dots in memory: a long evening of drawing without `clear`.
const DOTS: usize = 1 << 16;

/// Shows a drawing and what the model makes of it.
fn sketch(
    options: &Options,
    model: &Model<'_>,
    picture: Shape,
    arena: &mut [f32],
) -> Result<(), Box<dyn Error>> {
    let script = match &options.strokes {
        Some(path) => strokes::read(path)?.into_iter().rev().collect(),
        None => Vec::new(),
    };
    let mut generator = Generator::open(options.device, model, arena)?;
    let mut dots = vec![Dot::default(); DOTS];
    let mut dry = vec![0; Memory::dry_len(picture)];
    let memory = Memory { dots: &mut dots, dry: &mut dry };
    let sketch = Sketch::new(model, options.view(), memory)?;
    let stop = Stop::listen()?;
    let (screen, display) = choose(options)?;
    let translate = |version, pixels: &[u8]| match generator.translate(pixels) {
        Ok(image) => Answer::new(version, image),
        Err(error) => unreachable!("the sketch has the size of the model's input: {error}"),
    };
    Worker::with(translate, |worker| {
        let patient = display == Display::Headless;
        let mut drawing = Drawing {
            easel: Easel::new(sketch, worker, picture.values(), patient),
            options,
            stop: &stop,
            time: &System::start(),
            script,
            frames: options.frames,
            finger: None,
        };
        Ok(drawing.run(screen, || open(display, options))?)
    })
}

/// Opens the requested display, or with `auto` the best one available, and prints which.
fn choose(options: &Options) -> Result<(Box<dyn Screen>, Display), Fault> {
    let (what, keys) = match options.sketch {
        true => ("a drawing", "c: clear, u: undo, s: save, q: quit"),
        false => ("faces", "space: hold, right and left: skip, f: favorite, s: sleep, q: quit"),
    };
    if options.display != Display::Auto {
        if options.sketch && options.display == Display::Headless && options.strokes.is_none() {
            return Err(undrawn("a file cannot be drawn on"));
        }
        return Ok((open(options.display, options)?, options.display));
    }
    // Without DISPLAY, the X11 library prints a message of its own.
    let desktop = std::env::var_os("DISPLAY").is_some_and(|d| !d.is_empty());
    let window = match desktop && options.out.is_none() {
        true => open(Display::Window, options),
        false => Err(Fault::Lost("no DISPLAY".into())),
    };
    let no_window = match window {
        Ok(screen) => {
            notice(format_args!("{what} in a window ({keys})"));
            return Ok((screen, Display::Window));
        }
        Err(fault) => fault,
    };
    if options.sketch && options.strokes.is_none() {
        return Err(match &options.out {
            Some(_) => undrawn("a file cannot be drawn on"),
            None => undrawn(&no_window.to_string()),
        });
    }
    let terminal = options.out.is_none() && !options.sketch;
    if terminal && cfg!(feature = "terminal") && stdout().is_terminal() {
        // Before the faces cover it.
        notice(format_args!("{no_window}: faces in the terminal ({keys})"));
        return Ok((open(Display::Terminal, options)?, Display::Terminal));
    }
    let screen = open(Display::Headless, options)?;
    if options.out.is_none() {
        notice(match options.sketch {
            true => format!("{no_window}: a drawing in a file"),
            false => format!("{no_window} and no terminal: faces in a file"),
        });
    }
    Ok((screen, Display::Headless))
}

/// The fault of a sketch without anything to draw with.
fn undrawn(why: &str) -> Fault {
    Fault::Never(format!("{why}: a sketch needs a window, or a script that draws (--strokes FILE)"))
}

/// Opens a display.
fn open(display: Display, options: &Options) -> Result<Box<dyn Screen>, Fault> {
    match display {
        #[cfg(feature = "window")]
        Display::Window => Ok(Box::new(window::open(options)?)),
        #[cfg(not(feature = "window"))]
        Display::Window => Err(without("window")),
        #[cfg(feature = "terminal")]
        Display::Terminal => Ok(Box::new(terminal::open(options)?)),
        #[cfg(not(feature = "terminal"))]
        Display::Terminal => Err(without("terminal")),
        Display::Headless | Display::Auto => Ok(Box::new(headless::open(options)?)),
        #[cfg(all(feature = "framebuffer", unix))]
        Display::Framebuffer => Ok(Box::new(framebuffer::open(options)?)),
        #[cfg(not(all(feature = "framebuffer", unix)))]
        Display::Framebuffer => Err(without("framebuffer")),
        #[cfg(all(feature = "spi", target_os = "linux"))]
        Display::Spi => spi::open(options),
        #[cfg(not(all(feature = "spi", target_os = "linux")))]
        Display::Spi => Err(without("spi")),
    }
}

/// The fault of a display that this build does not have.
#[cfg(not(all(
    feature = "window",
    feature = "terminal",
    feature = "framebuffer",
    feature = "spi",
    target_os = "linux"
)))]
fn without(feature: &str) -> Fault {
    Fault::Never(format!(
        "this program was built without the feature {feature}, or for a system without such displays"
    ))
}
