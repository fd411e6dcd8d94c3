//! What a trained autoencoder is good for: `trainer reconstruct`, `denoise`, `colourise`, `anomalies`, `duplicates`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use image::RgbImage;
use trainer::checkpoint::{self, State};
use trainer::coder::Coder;
use trainer::config::{Config, Corruption, Objective};
use trainer::data::{DataSet, Form};
use trainer::{anomalies, autoencoder, duplicates, fit, networks, objective, report, run};

use super::print;

/// Arguments of `reconstruct`.
#[derive(Args)]
pub struct Reconstruct {
    /// The folder of a run of an autoencoder
    pub run: PathBuf,
    /// Folder, zip archive, IDX files or one image [default: what the run held out of its own data]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Originals over reconstructions
    #[arg(long, value_name = "FILE.png")]
    pub out: Option<PathBuf>,
    /// Codes as points, two views of them; beside it FILE.html, to turn them
    #[arg(long, value_name = "FILE.png")]
    pub codes: Option<PathBuf>,
}

/// Arguments of `denoise` and `colourise`.
#[derive(Args)]
pub struct Restore {
    /// The folder of a run of such an autoencoder
    pub run: PathBuf,
    /// An image, or a folder, zip archive or IDX file of them; brought to the run's size
    #[arg(value_name = "IN")]
    pub from: PathBuf,
    /// A file FILE.png for one image, otherwise a folder
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}

/// Arguments of `anomalies`.
#[derive(Args)]
pub struct Anomalies {
    /// The folder of a run of an autoencoder
    pub run: PathBuf,
    /// Folder, zip archive or IDX files of images
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// Folder for anomalies.csv, every image with the oddest first, and anomalies.png, the oddest
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How many the picture shows
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub count: u16,
}

/// Arguments of `duplicates`.
#[derive(Args)]
pub struct Duplicates {
    /// The folder of a run of an autoencoder, as the recipe duplicates makes them
    pub run: PathBuf,
    /// Folder, zip archive or IDX files of images
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// Folder for duplicates.csv, an image a line, and duplicates.png, a group a row
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Bits of the code in which two images may differ
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(0..=4096))]
    pub bits: u32,
}

/// A run of an autoencoder, as its newest checkpoint has it.
struct Trained {
    cfg: Config,
    state: State,
    device: Device,
}

impl Trained {
    /// # Errors
    /// One that names the run: it is of another kind, or holds nothing yet.
    fn open(root: &Path) -> Result<Trained, Box<dyn Error>> {
        let run = run::Run::at(root);
        let cfg = Config::load(&run.options())?;
        if cfg.objective == Objective::Gan {
            return Err(format!(
                "{} is a run of a GAN, which has no encoder; this wants one of an autoencoder, such as the recipes \
                 autoencoder, denoising-autoencoder, vae, duplicates and colourise make",
                root.display()
            )
            .into());
        }
        let path = checkpoint::list(&run)
            .pop()
            .ok_or_else(|| format!("{} holds no checkpoint yet", root.display()))?;
        let device = cfg.device.open();
        let state = checkpoint::load(&path, networks::fresh(&cfg, &device)?, None)?;
        Ok(Trained { cfg, state, device })
    }

    fn coder(&self) -> Coder<'_> {
        Coder::new(&self.state, &self.cfg, &self.device)
    }

    /// The images of `path` as the run wants them.
    fn data(&self, path: &Path) -> Result<DataSet, Box<dyn Error>> {
        let form =
            Form { size: self.cfg.size as u32, channels: self.cfg.channels, crop: self.cfg.crop };
        let data = DataSet::open(path, &form, self.cfg.threads())?;
        crate::describe(&data, &mut std::io::stdout());
        Ok(data)
    }
}

/// Figures and pictures of what comes back of images.
///
/// # Errors
/// One that names the run, the data or the file.
pub fn reconstruct(args: &Reconstruct) -> Result<(), Box<dyn Error>> {
    let trained = Trained::open(&args.run)?;
    let Trained { cfg, state, device } = &trained;
    let data = match &args.data {
        Some(path) => trained.data(path)?,
        None => {
            let mut own = crate::open(cfg)?;
            let held = own.hold_out(cfg.held_out);
            match held.is_empty() {
                true => return Err("the run held no images out: give some with --data".into()),
                false => held,
            }
        }
    };
    let measured = objective::measure(state, cfg, &data, device)?;
    print(format!("{} images: {}\n", data.len(), fit::line(&measured)))?;
    let coder = trained.coder();
    if let Some(out) = &args.out {
        let picture = autoencoder::reconstructions(&coder, cfg, &data)?;
        report::write_png(out, &picture.image.into())?;
        print(format!("wrote {}\n", out.display()))?;
    }
    if let Some(out) = &args.codes {
        let picture = autoencoder::points(&coder, cfg, &data)?;
        report::write_png(out, &picture.image.into())?;
        let page = out.with_extension("html");
        run::write(&page, picture.page.unwrap_or_default().as_bytes())?;
        print(format!("wrote {} and {}\n", out.display(), page.display()))?;
    }
    Ok(())
}

/// Images as an autoencoder that learnt to undo `corruption` gives them back.
///
/// # Errors
/// One that names the run, an image or a file.
pub fn restore(args: &Restore, corruption: Corruption) -> Result<(), Box<dyn Error>> {
    let trained = Trained::open(&args.run)?;
    if trained.cfg.corruption != corruption {
        let (verb, recipe) = match corruption {
            Corruption::Grey => ("colourise", "colourise"),
            Corruption::Noise | Corruption::None => ("denoise", "denoising-autoencoder"),
        };
        return Err(format!(
            "{} has not learnt that: {verb} wants a run of the recipe {recipe}",
            args.run.display()
        )
        .into());
    }
    let data = trained.data(&args.from)?;
    let file = args.out.extension().is_some_and(|e| e == "png");
    if file && data.len() > 1 {
        let text = "images go into a folder: give one as OUT, without the ending .png";
        return Err(format!("{} {text}", data.len()).into());
    }
    if !file {
        run::create_dir(&args.out)?;
    }
    let which: Vec<usize> = (0..data.len()).collect();
    let mut names = which.iter().map(|&i| file_name(&data, i));
    let mut failed = None;
    trained.coder().each(&data, &which, false, |coded| {
        for picture in report::pictures(coded.restored * 2.0 - 1.0) {
            let name = names.next().unwrap_or_default();
            let path = match file {
                true => args.out.clone(),
                false => args.out.join(name),
            };
            if failed.is_none() {
                failed = write(&path, picture).err();
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    print(format!("wrote {} images to {}\n", data.len(), args.out.display()))?;
    Ok(())
}

fn write(path: &Path, picture: RgbImage) -> Result<(), Box<dyn Error>> {
    if let Some(parent) = path.parent() {
        run::create_dir(parent)?;
    }
    Ok(report::write_png(path, &picture.into())?)
}

/// The name of an image's file with the ending `.png`; a number where it has none.
fn file_name(data: &DataSet, i: usize) -> String {
    match data.name(i) {
        Some(name) => Path::new(name).with_extension("png").display().to_string(),
        None => format!("{i:06}.png"),
    }
}

fn name(data: &DataSet, i: usize) -> String {
    data.name(i).map_or_else(|| format!("image {i}"), Into::into)
}

/// A field of a CSV file (RFC 4180).
fn field(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into(),
    }
}

/// The oddest images of a set.
///
/// # Errors
/// One that names the run, the data or a file.
pub fn anomalies(args: &Anomalies) -> Result<(), Box<dyn Error>> {
    let trained = Trained::open(&args.run)?;
    let data = trained.data(&args.data)?;
    let ranked = anomalies::rank(&trained.state, &trained.cfg, &data, &trained.device)?;
    let mut csv = String::from("rank,image,label,score,error,distance\n");
    for (rank, odd) in ranked.iter().enumerate() {
        let label = data.label(odd.image).and_then(|l| data.labels().get(l));
        let _ = writeln!(
            csv,
            "{},{},{},{:.4},{:.6},{:.4}",
            rank + 1,
            field(&name(&data, odd.image)),
            field(label.map_or("", String::as_str)),
            odd.score,
            odd.error,
            odd.distance
        );
    }
    let oddest = ranked.iter().take(args.count.into());
    let pictures: Vec<RgbImage> =
        oddest.map(|odd| data.picture(odd.image)).collect::<Result<_, _>>()?;
    run::create_dir(&args.out)?;
    let [list, sheet] = ["anomalies.csv", "anomalies.png"].map(|file| args.out.join(file));
    run::write(&list, csv.as_bytes())?;
    let columns = (pictures.len() as f64).sqrt().ceil() as usize;
    report::write_sheet(&sheet, &pictures, columns)?;
    for odd in ranked.iter().take(5) {
        print(format!("{:>9.2}  {}\n", odd.score, name(&data, odd.image)))?;
    }
    print(format!("wrote {} and {}\n", list.display(), sheet.display()))?;
    Ok(())
}

/// Groups of images that are alike.
///
/// # Errors
/// One that names the run, the data or a file.
pub fn duplicates(args: &Duplicates) -> Result<(), Box<dyn Error>> {
    /// Groups and images of each that the picture shows.
    const SHOWN: [usize; 2] = [32, 8];
    let trained = Trained::open(&args.run)?;
    let data = trained.data(&args.data)?;
    let groups = duplicates::find(&trained.state, &trained.cfg, &data, args.bits, &trained.device)?;
    let mut csv = String::from("group,image\n");
    let mut pictures = Vec::new();
    let size = trained.cfg.size as u32;
    for (number, group) in groups.iter().enumerate() {
        for &image in group {
            let _ = writeln!(csv, "{},{}", number + 1, field(&name(&data, image)));
        }
        if number < SHOWN[0] {
            for &image in group.iter().take(SHOWN[1]) {
                pictures.push(data.picture(image)?);
            }
            let missing = SHOWN[1].saturating_sub(group.len());
            pictures.extend((0..missing).map(|_| RgbImage::new(size, size)));
        }
    }
    run::create_dir(&args.out)?;
    let [list, sheet] = ["duplicates.csv", "duplicates.png"].map(|file| args.out.join(file));
    run::write(&list, csv.as_bytes())?;
    let extra: usize = groups.iter().map(|g| g.len() - 1).sum();
    print(format!(
        "{} groups within {} of {} bits: {extra} of {} images are there once more\n",
        groups.len(),
        args.bits,
        trained.cfg.nz,
        data.len()
    ))?;
    if pictures.is_empty() {
        print(format!("wrote {}\n", list.display()))?;
        return Ok(());
    }
    report::write_sheet(&sheet, &pictures, SHOWN[1])?;
    print(format!("wrote {} and {}\n", list.display(), sheet.display()))?;
    Ok(())
}
