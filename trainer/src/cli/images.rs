//! Images by path, with progress and a line that describes them.

use std::error::Error;
use std::path::Path;

use trainer::config::{Config, Drawing, Objective};
use trainer::data::{DataSet, Form, Open};
use trainer::run::Run;

use super::output::bar;

/// Files that are listed of those that cannot be decoded.
const LISTED: usize = 10;

/// The images of a run.
///
/// # Errors
/// One that names the path.
pub fn of_run(cfg: &Config, channels: usize) -> Result<DataSet, Box<dyn Error>> {
    let of = |objective| (cfg.objective == objective).then(|| Config { channels, ..cfg.clone() });
    if let Some(cfg) = of(Objective::Pix2pix) {
        return pairs(&cfg);
    }
    if let Some(cfg) = of(Objective::Cyclegan) {
        return sets(&cfg);
    }
    let form = Form { channels, ..cfg.form() };
    match &cfg.data {
        Some(path) => from(path, &form, cfg.threads()),
        None => Ok(drawn(cfg.draw, cfg.drawn, cfg.seed, &form, cfg.threads())),
    }
}

/// The pairs of a run.
fn pairs(cfg: &Config) -> Result<DataSet, Box<dyn Error>> {
    let (target, input) = (cfg.form(), cfg.input_form());
    let bar = bar("reading", 0);
    let progress = |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let open = Open { workers: cfg.threads(), progress: &progress, ..Open::new(&target) };
    let data = match (&cfg.data, &cfg.data_a) {
        (Some(targets), Some(inputs)) => open.beside(targets, inputs, &input),
        (Some(path), None) => open.pairs(path, &input, cfg.pair),
        (None, _) if cfg.pair.is_made() => Ok(match cfg.draw {
            Drawing::Faces => open.faces(cfg.drawn, cfg.seed),
            Drawing::Digits => open.digits(cfg.drawn, cfg.seed),
        }
        .made(cfg.pair, &input)),
        (None, _) => Ok(open.sketches(cfg.drawn, cfg.seed, &input)),
    };
    bar.finish_and_clear();
    Ok(data?)
}

/// The two sets of a run.
fn sets(cfg: &Config) -> Result<DataSet, Box<dyn Error>> {
    let form = cfg.form();
    let bar = bar("reading", 0);
    let progress = |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let open = Open { workers: cfg.threads(), progress: &progress, ..Open::new(&form) };
    let data = match (&cfg.data, &cfg.data_b) {
        (Some(a), Some(b)) => open.unpaired(a, b),
        (Some(_), None) | (None, _) => Ok(open.seasons(cfg.drawn, cfg.seed)),
    };
    bar.finish_and_clear();
    Ok(data?)
}

/// The images of a folder, an archive or arrays.
///
/// # Errors
/// One that names the path.
pub fn from(path: &Path, form: &Form, workers: usize) -> Result<DataSet, Box<dyn Error>> {
    let bar = bar("reading", 0);
    let progress = |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let data = Open { workers, progress: &progress, ..Open::new(form) }.path(path);
    bar.finish_and_clear();
    Ok(data?)
}

/// Drawn images, those of `seed` and the seeds after it.
pub fn drawn(draw: Drawing, count: usize, seed: u64, form: &Form, workers: usize) -> DataSet {
    let bar = bar("drawing", count);
    let progress = |done, _| bar.set_position(done as u64);
    let open = Open { workers, progress: &progress, ..Open::new(form) };
    let data = match draw {
        Drawing::Faces => open.faces(count, seed),
        Drawing::Digits => open.digits(count, seed),
    };
    bar.finish_and_clear();
    data
}

/// Lines about what there is, what was chosen, and what cannot be decoded.
pub fn describe(data: &DataSet) -> String {
    let mut text = data.describe();
    for note in data.notes() {
        text += &format!("\n  {note}");
    }
    for skipped in data.skipped().iter().take(LISTED) {
        text += &format!("\n  skipped {skipped}");
    }
    if data.skipped().len() > LISTED {
        text += &format!("\n  and {} more", data.skipped().len() - LISTED);
    }
    if let Some(other) = data.other() {
        text += &format!("\n{}", describe(other));
    }
    text
}

/// Threads to read images with where no run says how many.
pub fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Refuses a folder that is a run: pictures among its files would be lost in it.
///
/// # Errors
/// One that names the folder.
pub fn refuse_run(out: &Path) -> Result<(), Box<dyn Error>> {
    match Run::at(out).options().exists() {
        true => {
            Err(format!("{} is the folder of a run: choose another --out", out.display()).into())
        }
        false => Ok(()),
    }
}
