//! Endless faces on any display.

mod canvas;
mod config;
#[cfg(any(all(feature = "framebuffer", unix), all(feature = "spi", target_os = "linux")))]
mod device;
#[cfg(all(feature = "framebuffer", unix))]
mod framebuffer;
mod headless;
mod keep;
mod maker;
mod options;
mod run;
mod screen;
mod soak;
#[cfg(all(feature = "spi", target_os = "linux"))]
mod spi;
mod stop;
#[cfg(feature = "terminal")]
mod terminal;
#[cfg(feature = "window")]
mod window;

use std::error::Error;
use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use clap::Parser;
use firmware_demo::Kiosk;
use runtime::model::Model;
use runtime::record::Buffer;

use crate::keep::Keeper;
use crate::maker::Maker;
use crate::options::{Display, Options};
use crate::run::Run;
use crate::screen::{Fault, Screen};
use crate::stop::Stop;

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The options of the configuration file, if there is one, under those of the command line.
fn with_config(options: Options) -> Result<Options, config::ConfigError> {
    let Some(path) = &options.config else {
        return Ok(options);
    };
    let mut args = std::env::args_os();
    let program = args.next();
    let flags = config::flags(path)?.into_iter().map(Into::into);
    // The same flag twice: the later one wins.
    Ok(Options::parse_from(program.into_iter().chain(flags).chain(args)))
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let options = with_config(options)?;
    let hours = options.hours()?;
    let file = match &options.model {
        Some(path) => {
            let bytes = std::fs::read(path);
            let bytes = bytes.map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            Some(Buffer::from(bytes))
        }
        None => None,
    };
    let bytes = match &file {
        Some(buffer) => buffer.bytes(),
        None => runtime::include_record!("../../../../models/pretrained/faces64.bpk") as &[u8],
    };
    let model = Model::parse(bytes).map_err(|e| match &options.model {
        Some(path) => format!("{}: {e}", path.display()),
        None => format!("the model of the program: {e}"),
    })?;
    let mut arena = vec![0.0; model.arena_len()];
    let maker = Maker::open(options.compute, &model, &mut arena)?;
    let mut kiosk = Kiosk::new(maker, options.show());
    let (keeper, position) = Keeper::open(&options)?;
    kiosk.seek(position);
    kiosk.hold(options.hold);
    let stop = Stop::listen()?;
    if let Some(faces) = options.soak {
        return Ok(soak::run(&mut kiosk, &options, faces, &stop)?);
    }
    let (screen, display) = choose(&options)?;
    let frames = match display {
        Display::Headless => options.frames.or(Some(headless::FRAMES)),
        _ => options.frames,
    };
    let mut show = Run {
        kiosk: &mut kiosk,
        options: &options,
        hours,
        keeper,
        stop: &stop,
        sleepy: false,
        frames,
    };
    Ok(show.run(screen, || open(display, &options))?)
}

/// Opens the display that is asked for, or the best one there is, and says which.
fn choose(options: &Options) -> Result<(Box<dyn Screen>, Display), Fault> {
    let keys = "space holds, right and left, f favourite, s sleep, q ends";
    if options.display != Display::Auto {
        return Ok((open(options.display, options)?, options.display));
    }
    // Without one the X11 library would say so too, less kindly.
    let desk = std::env::var_os("DISPLAY").is_some_and(|d| !d.is_empty());
    let window = match desk && options.out.is_none() {
        true => open(Display::Window, options),
        false => Err(Fault::Lost("no DISPLAY".into())),
    };
    let no_window = match window {
        Ok(screen) => {
            eprintln!("faces in a window ({keys})");
            return Ok((screen, Display::Window));
        }
        Err(fault) => fault,
    };
    if options.out.is_none() && cfg!(feature = "terminal") && stdout().is_terminal() {
        // Said before the faces cover it.
        eprintln!("{no_window}: faces in the terminal ({keys})");
        return Ok((open(Display::Terminal, options)?, Display::Terminal));
    }
    let screen = open(Display::Headless, options)?;
    if options.out.is_none() {
        eprintln!("{no_window}, and no terminal: faces in a file");
    }
    Ok((screen, Display::Headless))
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

/// A display that is not part of this program.
#[allow(dead_code, reason = "with every feature there is none")]
fn without(feature: &str) -> Fault {
    Fault::Never(format!(
        "this program was built without the feature {feature}, or for a system that has no such display"
    ))
}
