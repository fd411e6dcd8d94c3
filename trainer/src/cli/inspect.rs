//! `trainer data inspect`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use image::DynamicImage;
use trainer::data::inspect::{self, Inspection};
use trainer::data::{Crop, DataSet, Form};
use trainer::{report, run};

use super::print;

/// Names that are shown of a long list.
const SHOWN: usize = 20;
/// Images of the sheet.
const SHEET: usize = 64;

/// Arguments of `data inspect`.
#[derive(Args)]
pub struct Inspect {
    /// Folder, zip archive or IDX files of images
    pub path: PathBuf,
    /// Write sheet.png and mean.png into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Size in pixels at which images are compared, averaged and shown
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..=1024))]
    pub size: u32,
    /// What is cut out of each image: centre, a number of pixels (CelebA: 108, 140, 178), celeba128
    #[arg(long, default_value = "centre")]
    pub crop: Crop,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub json: bool,
}

/// Looks and says.
///
/// # Errors
/// One that names the path.
pub fn inspect(args: &Inspect) -> Result<(), Box<dyn Error>> {
    let form = Form { size: args.size, channels: 3, crop: args.crop };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let found = inspect::inspect(&args.path, &form, workers)?;
    match args.json {
        true => print(serde_json::to_string(&found)? + "\n")?,
        false => print(text(&found))?,
    }
    let Some(dir) = &args.out else {
        return Ok(());
    };
    let data = DataSet::open(&args.path, &form, workers)?;
    run::create_dir(dir)?;
    // Evenly, so that a class does not fill the sheet.
    let count = SHEET.min(data.len());
    let sheet =
        (0..count).map(|i| data.picture(i * data.len() / count)).collect::<Result<Vec<_>, _>>()?;
    report::write_sheet(&dir.join("sheet.png"), &sheet, 8)?;
    let mean = DynamicImage::ImageRgb8(found.mean_picture(&form));
    report::write_png(&dir.join("mean.png"), &mean)?;
    eprintln!("wrote sheet.png and mean.png to {}", dir.display());
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
            let _ = writeln!(out, "  {}", group.join(" = "));
        }
    }
    let _ = writeln!(out, "unreadable    {}", found.unreadable.len());
    for file in found.unreadable.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}: {}", file.name, file.reason);
    }
    if found.images > 1 && found.duplicates.first().is_some_and(|g| g.len() == found.images) {
        let _ = writeln!(out, "all images are the same: there is nothing to learn from them");
    }
    out
}
