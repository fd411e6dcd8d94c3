//! Soak test: a year's worth of faces as fast as possible, to see that memory stays flat.

use std::time::Instant;

use crate::canvas::Canvas;
use crate::options::Options;
use crate::output::print;
use crate::screen::{Faces, Fault, Scene};
use crate::stop::Stop;

/// Draws `faces` faces in memory. Prints the pace and the resident memory after the first, every
/// 10,000th and the last.
///
/// # Errors
/// [`Fault::Never`] if a face cannot be drawn, the memory grew by more than a tenth, or standard output
/// is closed.
pub fn run(kiosk: &mut Faces<'_>, options: &Options, faces: u64, stop: &Stop) -> Result<(), Fault> {
    let size = options.size_or(320, 240);
    let mut canvas = Canvas::new(size, options.colors);
    let draw = |kiosk: &mut Faces<'_>, canvas: &mut Canvas| {
        canvas.draw(&mut Scene::Faces(kiosk))?;
        // To the next picture that differs: a dwelling face is not generated again.
        kiosk.advance(kiosk.until_change().unwrap_or(1));
        Ok::<(), Fault>(())
    };
    draw(kiosk, &mut canvas)?;
    let (first, start) = (resident(), Instant::now());
    let report = |made: u64| {
        let seconds = start.elapsed().as_secs_f64();
        let rate = (made - 1) as f64 / seconds.max(1e-9);
        print(format_args!(
            "{made} faces of {} x {} pixels in {seconds:.1} s: {rate:.1} per second, {} KiB resident",
            size.width,
            size.height,
            resident().map_or("?".into(), |kib| kib.to_string())
        ))
        .map_err(|e| Fault::Never(format!("cannot write standard output: {e}")))
    };
    report(1)?;
    for made in 2..=faces {
        draw(kiosk, &mut canvas)?;
        if made % 10_000 == 0 && made < faces {
            report(made)?;
        }
        if stop.asked() {
            return report(made);
        }
    }
    report(faces)?;
    match (first, resident()) {
        // The system accounts pages in per-thread batches, so a little growth is noise. A leak is not little.
        (Some(first), Some(last)) if last > first + first / 10 => {
            Err(Fault::Never(format!("the memory grew from {first} to {last} KiB")))
        }
        _ => Ok(()),
    }
}

/// Resident memory of the process in KiB; `None` if the system does not report it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
