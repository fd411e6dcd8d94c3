//! `trainer data`: draw, show and inspect images.

use std::fmt::Write as _;
use std::path::PathBuf;

use image::DynamicImage;
use trainer::config::Drawing;
use trainer::data::inspect::{self, Inspection};
use trainer::data::{Crop, DataSet, Form, Open, Pair, counted, sheet};
use trainer::file;

use super::images::{self, refuse_run, workers};
use super::output::{Ended, bar, complain, print, say};
use super::values::{seed, whole};

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer data draw --out sheet.png                a sheet of drawn faces
  trainer data draw --out faces/ --count 1000      a folder of them
  trainer data inspect photos/                     counts, sizes, unreadable files, duplicates
  trainer data show photos/ --size 64 --out sheet.png   pictures as the networks see them
  trainer data show photos/ --pair edges --out edges/   what a translator is given instead";

/// Names that are shown of a long list.
const SHOWN: usize = 20;
/// Images on the sheet of `inspect`.
const SHEET: usize = 64;

/// Arguments of `data`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Draw faces: a sheet, or a folder of PNG files
    Draw(Draw),
    /// Write images as the networks see them, cropped and resized: a sheet, or a folder
    Show(Show),
    /// Count images, sizes, unreadable files and duplicates
    Inspect(Inspect),
}

/// What is written, and where.
#[derive(clap::Args)]
struct Written {
    /// FILE.png for a sheet, otherwise a folder that gets one PNG per image
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Number of images
    #[arg(long, default_value_t = 64, value_parser = whole::<usize>(1..=1_000_000))]
    count: usize,
    /// Image size in pixels
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>(8..=1024))]
    size: u32,
    /// 1 for gray, 3 for color
    #[arg(long, default_value = "3", value_parser = ["1", "3"])]
    channels: String,
    /// List every file that is written
    #[arg(short, long)]
    verbose: bool,
}

/// What is taken of each image.
#[derive(clap::Args)]
struct Taken {
    /// Square cut out of each image: center, a size in pixels (CelebA: 108, 140, 178), celeba128
    #[arg(long, default_value = "center")]
    crop: Crop,
    /// Exchange rows and columns: EMNIST's images lie transposed
    #[arg(long)]
    transpose: bool,
}

#[derive(clap::Args)]
struct Draw {
    #[command(flatten)]
    written: Written,
    /// Seed of the first face
    #[arg(long, default_value_t = 0, value_parser = seed)]
    seed: u64,
    /// Draw lines only, without color and shading
    #[arg(long)]
    lines: bool,
    /// Draw faces in winter
    #[arg(long, conflicts_with = "lines")]
    winter: bool,
}

#[derive(clap::Args)]
struct Show {
    /// Folder, archive or arrays of images; `--count` of them are taken evenly spread
    path: PathBuf,
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    taken: Taken,
    /// Write what a run of pix2pix is given for each image: left, right, edges, gray, blur or mask
    #[arg(long, value_name = "KIND")]
    pair: Option<Pair>,
}

#[derive(clap::Args)]
struct Inspect {
    /// Folder, archive or arrays of images
    path: PathBuf,
    /// Folder for sheet.png and mean.png
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Size in pixels at which images are compared, averaged and shown
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>(8..=1024))]
    size: u32,
    #[command(flatten)]
    taken: Taken,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Draws, shows or inspects images.
///
/// # Errors
/// One that names the path.
pub fn run(args: &Args) -> Ended {
    match &args.verb {
        Verb::Draw(Draw { written, seed, lines, winter }) => {
            refuse_run(&written.out)?;
            let form = written.form(&Taken { crop: Crop::Center, transpose: false });
            let open = Open { workers: workers(), ..Open::new(&form) };
            let data = match (lines, winter) {
                (true, _) => open.sketches(written.count, *seed, &form),
                (_, true) => open.winter(written.count, *seed),
                _ => images::drawn(Drawing::Faces, written.count, *seed, &form, workers()),
            };
            write(&data, written)
        }
        Verb::Show(Show { path, written, taken, pair }) => {
            refuse_run(&written.out)?;
            let form = written.form(taken);
            let data = match pair {
                Some(pair) => {
                    let input = Form { channels: pair.channels(form.channels), ..form };
                    Open { workers: workers(), ..Open::new(&form) }.pairs(path, &input, *pair)?
                }
                None => images::from(path, &form, workers())?,
            };
            say(images::describe(&data) + "\n");
            write(&data, written)
        }
        Verb::Inspect(args) => look(args),
    }
}

impl Written {
    fn form(&self, &Taken { crop, transpose }: &Taken) -> Form {
        let channels = if self.channels == "1" { 1 } else { 3 };
        Form { size: self.size, channels, crop, transpose }
    }
}

/// Writes images of `data`, evenly spread: files of a folder often come sorted by person or class.
fn write(data: &DataSet, Written { out, count, verbose, .. }: &Written) -> Ended {
    let which = data.evenly(*count);
    let picture = |i: usize| data.input_picture(i);
    if out.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
        let pictures = which.iter().map(|&i| picture(i)).collect::<Result<Vec<_>, _>>()?;
        let columns = (which.len() as f64).sqrt().ceil() as usize;
        sheet::write_sheet(out, &pictures, columns)?;
        say(format!("wrote {}: {}\n", out.display(), counted(which.len())));
        return Ok(());
    }
    file::create_dir(out)?;
    let bar = bar("writing", which.len());
    for (number, &i) in which.iter().enumerate() {
        let path = out.join(format!("{number:06}.png"));
        sheet::write_png(&path, &picture(i)?.into())?;
        if *verbose {
            say(format!("{}\n", path.display()));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    say(format!("wrote {} to {}\n", counted(which.len()), out.display()));
    Ok(())
}

fn look(args: &Inspect) -> Ended {
    let Taken { crop, transpose } = args.taken;
    let form = Form { size: args.size, channels: 3, crop, transpose };
    let found = inspect::inspect(&args.path, &form, workers())?;
    let text = match args.json {
        true => serde_json::to_string(&found)? + "\n",
        false => text(&found),
    };
    let Some(dir) = &args.out else {
        return Ok(print(text)?);
    };
    say(text);
    let data = DataSet::open(&args.path, &form, workers())?;
    file::create_dir(dir)?;
    let pictures =
        data.evenly(SHEET).into_iter().map(|i| data.picture(i)).collect::<Result<Vec<_>, _>>()?;
    sheet::write_sheet(&dir.join("sheet.png"), &pictures, 8)?;
    let mean = DynamicImage::ImageRgb8(found.mean_picture(&form));
    sheet::write_png(&dir.join("mean.png"), &mean)?;
    complain(format!("wrote sheet.png and mean.png to {}", dir.display()));
    Ok(())
}

fn text(found: &Inspection) -> String {
    let mut out = String::new();
    let list = |counts: &mut dyn Iterator<Item = (String, usize)>| {
        counts.map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
    };
    let own = |map: &std::collections::BTreeMap<String, usize>| {
        list(&mut map.iter().map(|(k, v)| (k.clone(), *v)))
    };
    let _ = writeln!(out, "images        {}", found.images);
    let _ = writeln!(out, "formats       {}", own(&found.formats));
    let _ = writeln!(
        out,
        "channels      {}",
        list(&mut found.channels.iter().map(|(k, v)| (k.to_string(), *v)))
    );
    let [least, median, most] = found.width;
    let [low, middle, high] = found.height;
    let _ = writeln!(out, "width         {least} to {most}, median {median}");
    let _ = writeln!(out, "height        {low} to {high}, median {middle}");
    let sizes = found.sizes.iter().map(|(w, h, n)| (format!("{w} x {h}:"), *n));
    let _ = writeln!(out, "sizes         {}", list(&mut sizes.into_iter()));
    let _ = writeln!(
        out,
        "values        mean {:.1}, deviation {:.1} of 0 to 255",
        found.value[0], found.value[1]
    );
    if !found.classes.is_empty() {
        let _ = writeln!(out, "classes       {}", own(&found.classes));
    }
    if !found.other.is_empty() || found.hidden > 0 {
        let _ = writeln!(out, "other files   {} hidden {}", own(&found.other), found.hidden);
    }
    let lists = [("equal files", &found.duplicates), ("equal pixels", &found.same_pixels)];
    for (what, groups) in lists {
        let extra: usize = groups.iter().map(|g| g.len() - 1).sum();
        let _ = writeln!(out, "{what:<13} {extra} more than once");
        for group in groups.iter().take(SHOWN) {
            let names = group[..group.len().min(SHOWN)].join(" = ");
            let _ = match group.len().saturating_sub(SHOWN) {
                0 => writeln!(out, "  {names}"),
                more => writeln!(out, "  {names} and {more} more"),
            };
        }
    }
    let _ = writeln!(out, "unreadable    {}", found.unreadable.len());
    for file in found.unreadable.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}: {}", file.name, file.reason);
    }
    for note in &found.notes {
        let _ = writeln!(out, "note          {note}");
    }
    if found.images > 1 && found.duplicates.first().is_some_and(|g| g.len() == found.images) {
        let _ = writeln!(out, "all images are the same: there is nothing to learn from them");
    }
    out
}
