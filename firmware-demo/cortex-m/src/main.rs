//! The kiosk without an operating system: a record in flash, an arena whose length is known at build
//! time, and endless faces on a panel.
//!
//! Under QEMU it takes arguments: `seed=5 position=3 frames=2 report=1 copy=1`. Without `frames` it
//! never ends.
#![no_std]
#![no_main]

mod count;
mod host;
mod panel;
mod stack;

use core::panic::PanicInfo;

use cortex_m::singleton;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use firmware_demo::{Kiosk, Show};
use runtime::record::Aligned;
use runtime::{Backend, Cpu, Image, Latent, LatentLength, Model};

use crate::count::{Counter, ticks};
use crate::host::File;
use crate::panel::Panel;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The record, used in place.
#[allow(unsafe_code, reason = "a record may be larger than the code memory")]
#[unsafe(link_section = ".faces")]
static FACES: Aligned<[u8; RECORD]> =
    Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/model.bpk")));

/// A backend that counts faces and ticks, and optionally copies each face to a file on the host.
struct Counted<'m> {
    cpu: Cpu<'m>,
    copy: Option<File>,
    faces: u64,
    ticks: u64,
}

impl Backend for Counted<'_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        let start = ticks();
        let image = self.cpu.generate(latent)?;
        self.ticks += ticks() - start;
        self.faces += 1;
        if let Some(file) = &mut self.copy {
            for (at, pixel) in image.pixels().enumerate() {
                if file.write_at(3 * at, &pixel).is_err() {
                    hprintln!("cannot write face.rgb888");
                    break;
                }
            }
        }
        Ok(image)
    }
}

/// The command line.
#[derive(Default)]
struct Args {
    seed: u64,
    position: u64,
    frames: Option<u64>,
    report: bool,
    copy: bool,
}

impl Args {
    fn read() -> Args {
        let mut args = Args::default();
        for word in host::arguments(&mut [0; 128]) {
            let Some((key, value)) = word.split_once('=') else {
                continue;
            };
            match (key, value.parse()) {
                ("seed", Ok(n)) => args.seed = n,
                ("position", Ok(n)) => args.position = n,
                ("frames", Ok(n)) => args.frames = Some(n),
                ("report", Ok(n)) => args.report = n != 0,
                ("copy", Ok(n)) => args.copy = n != 0,
                _ => hprintln!("unknown argument: {}", word),
            }
        }
        args
    }
}

#[entry]
fn main() -> ! {
    stack::paint();
    match run() {
        Ok(()) => debug::exit(debug::EXIT_SUCCESS),
        Err(what) => {
            hprintln!("error: {}", what);
            debug::exit(debug::EXIT_FAILURE);
        }
    }
    // The host may not support exiting.
    loop {
        cortex_m::asm::wfi();
    }
}

fn run() -> Result<(), &'static str> {
    let args = Args::read();
    let model = singleton!(: Option<Model<'static>> = None).ok_or("already started")?;
    let arena = singleton!(: [f32; ARENA] = [0.0; ARENA]).ok_or("already started")?;
    let core = cortex_m::Peripherals::take().ok_or("already started")?;
    let model = parse(model)?;
    let cpu = match Cpu::new(model, arena) {
        Ok(cpu) => cpu,
        Err(error) => {
            hprintln!("{}", error);
            return Err("the arena is too short");
        }
    };
    let counter = Counter::start(core.SYST);
    let show = Show { seed: args.seed, dwell: 2, morph: 3, ..Show::default() };
    let copy = match args.copy {
        true => Some(File::create(c"face.rgb888").map_err(|_| "the host cannot create a file")?),
        false => None,
    };
    let counted = Counted { cpu, copy, faces: 0, ticks: 0 };
    let mut kiosk = Kiosk::new(counted, show);
    kiosk.seek(args.position);
    let mut panel = Panel::open().map_err(|_| "the host cannot create a file")?;
    let mut left = args.frames;
    let start = ticks();
    while left != Some(0) {
        if let Err(error) = kiosk.step(&mut panel) {
            hprintln!("{}", error);
            return Err("a face could not be drawn");
        }
        left = left.map(|n| n - 1);
    }
    let whole = ticks() - start;
    if args.report {
        report(&counter, kiosk.backend(), whole);
    }
    Ok(())
}

/// Parses the record into `place`. Not inlined, so that the stack that parsing needs is free again
/// afterwards.
#[inline(never)]
fn parse(
    place: &'static mut Option<Model<'static>>,
) -> Result<&'static Model<'static>, &'static str> {
    match Model::parse(&FACES.0) {
        Ok(model) => Ok(place.insert(model)),
        Err(error) => {
            hprintln!("{}", error);
            Err("the record is damaged")
        }
    }
}

/// Prints the measurements, one key and value per line.
fn report(counter: &Counter, backend: &Counted<'_>, whole: u64) {
    let face = counter.instructions(backend.ticks) / backend.faces.max(1);
    let drawn = counter.instructions(whole) / backend.faces.max(1);
    hprintln!("faces {}", backend.faces);
    hprintln!("multiply-adds {}", MULTIPLY_ADDS);
    hprintln!("instructions-per-face {}", face);
    hprintln!("instructions-per-face-on-the-panel {}", drawn);
    hprintln!("instructions-per-1000-multiply-adds {}", face * 1000 / MULTIPLY_ADDS.max(1));
    hprintln!("record {}", RECORD);
    hprintln!("arena {}", 4 * ARENA);
    hprintln!("static {}", stack::data());
    hprintln!("stack {}", stack::deepest());
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}
