//! Many faces as fast as possible: what a year does to the memory, in an hour.

use std::time::Instant;

use crate::canvas::Canvas;
use crate::options::Options;
use crate::screen::{Faces, Fault};
use crate::stop::Stop;

/// Makes so many faces in memory and prints how fast, and the resident memory after the first and the last one.
///
/// # Errors
/// [`Fault::Never`] where a face cannot be made, or where the memory grew by more than a tenth.
pub fn run(kiosk: &mut Faces<'_>, options: &Options, faces: u64, stop: &Stop) -> Result<(), Fault> {
    let size = options.size_or(320, 240);
    let mut canvas = Canvas::new(size, options.colors);
    let draw = |kiosk: &mut Faces<'_>, canvas: &mut Canvas| {
        canvas.draw(kiosk)?;
        // On to whatever differs: a face that only dwells is not made again.
        kiosk.advance(kiosk.until_change().unwrap_or(1));
        Ok::<(), Fault>(())
    };
    draw(kiosk, &mut canvas)?;
    let (first, start) = (resident(), Instant::now());
    let report = |made: u64| {
        let seconds = start.elapsed().as_secs_f64();
        let rate = (made - 1) as f64 / seconds.max(1e-9);
        println!(
            "{made} faces on {} x {} pixels in {seconds:.1} s: {rate:.1} a second, {} KiB resident",
            size.width,
            size.height,
            resident().map_or("?".into(), |kib| kib.to_string())
        );
    };
    report(1);
    for made in 2..=faces {
        draw(kiosk, &mut canvas)?;
        if made % 10_000 == 0 && made < faces {
            report(made);
        }
        if stop.asked() {
            report(made);
            return Ok(());
        }
    }
    report(faces);
    match (first, resident()) {
        // The system counts pages in portions a thread: a tenth is no leak yet, and a leak does not stay below it.
        (Some(first), Some(last)) if last > first + first / 10 => {
            Err(Fault::Never(format!("the memory grew from {first} to {last} KiB")))
        }
        _ => Ok(()),
    }
}

/// Memory that the process has in RAM, in KiB; nothing where the system does not say.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
