//! `runtime generate`: seeds or latents to pictures.

use std::error::Error;
use std::io::IsTerminal;
use std::ops::Range;
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbaImage};
use runtime::{Batch, Crew, Image, Input, Isa, Latent, Limits, Model, stdout};

use super::args;
use super::device::{Chosen, Device, choose};
use super::error::chain;
use super::faces::{Faces, Request};
use super::load::Loaded;
use super::npy;
use super::output::{self, OutputError};
use super::picture::{self, Filter, Sheet, enlarge, picture};
use super::progress::Progress;
use super::reading;
use super::terminal::note;
use super::threads::many;

const EXAMPLES: &str = "\
Examples:
  runtime generate --out face.png                      one face
  runtime generate --seed 7 --scale 4 --out face.png   another one, four times as large
  runtime generate --grid 4x8 --out faces.png          32 faces in one picture
  runtime generate --count 100 --out faces/face.png    faces/face-000.png to faces/face-099.png
  runtime generate mine.onnx --out face.jpg            with your own generator
  runtime generate --latent z.npy --out face.png       from a latent of your own
  runtime generate --out - | display                   PNG to another program

Environment:
  POCKET_GAN_ISA=NAME   use the CPU kernels of this instruction set: one that `runtime devices` lists";

/// Arguments of `generate`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Burn record or ONNX file [default: the built-in face generator]
    model: Option<PathBuf>,
    #[command(flatten)]
    reading: reading::Args,
    /// Picture to write; - writes a PNG to standard output
    ///
    /// The extension selects the format. Missing folders are created. With --count, the files are
    /// numbered.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Seed of the first face; the others count up from it
    #[arg(
        long,
        default_value_t = 0,
        value_parser = args::seed,
        allow_negative_numbers = true,
        conflicts_with = "latent"
    )]
    seed: u64,
    /// Class of all faces, by name or number, for conditional models
    ///
    /// Without it, seeds cycle through the classes and the chosen one is printed; in a grid, each
    /// row has its own class. An unknown label is an error that lists the known ones.
    #[arg(long, value_name = "NAME|NUMBER")]
    label: Option<String>,
    /// Number of faces, in numbered files [default: 1, or the rows of --latent]
    #[arg(
        long,
        value_parser = args::count,
        allow_negative_numbers = true,
        conflicts_with = "grid"
    )]
    count: Option<usize>,
    /// Put faces into one picture of R rows and C columns
    #[arg(long, value_name = "RxC", value_parser = args::grid)]
    grid: Option<(usize, usize)>,
    /// Enlarge faces 1 to 64 times
    #[arg(long, default_value_t = 1, value_parser = args::scale, allow_negative_numbers = true)]
    scale: u32,
    /// How faces are enlarged
    #[arg(long, value_enum, default_value_t = Filter::Nearest)]
    filter: Filter,
    /// Factor on the latent, 0 to 10; below 1, faces are more ordinary and better formed
    #[arg(
        long,
        default_value_t = 1.0,
        value_parser = args::truncation,
        allow_negative_numbers = true
    )]
    truncation: f32,
    /// Read latents from a NumPy file: one per row, float32 or float64
    #[arg(long, value_name = "FILE.npy")]
    latent: Option<PathBuf>,
    /// Write the latents used to a NumPy file: one per row, float32
    #[arg(long, value_name = "FILE.npy")]
    save_latent: Option<PathBuf>,
    /// Where to compute: cpu, vulkan, vulkan:N or auto
    ///
    /// N is a number from `runtime devices`. auto takes a GPU if there is one.
    #[arg(long, default_value_t)]
    device: Device,
    /// Use 16-bit floats on a GPU
    #[arg(long)]
    half: bool,
    /// Number of CPU threads, 1 to 1024 [default: number of cores]
    ///
    /// Several faces run one per thread; a single face is split across all.
    #[arg(long, value_parser = args::threads, allow_negative_numbers = true)]
    threads: Option<usize>,
    /// List every file written
    #[arg(short, long)]
    verbose: bool,
}

/// Number of faces above which packing a model first saves more time than it takes.
const MANY: usize = 8;

/// Makes faces in order.
type OneByOne<'a> = dyn FnMut(usize) -> Result<RgbaImage, Box<dyn Error>> + 'a;

/// Where pictures go.
struct Target<'a> {
    args: &'a Args,
    limits: &'a Limits,
    format: ImageFormat,
    /// Whether the picture goes to standard output.
    pipe: bool,
    /// Channels of the image.
    channels: usize,
}

/// Generates faces and writes them.
///
/// # Errors
/// One that names the file or option. Files that are complete by then are kept.
pub fn run(args: &Args, limits: &Limits) -> Result<(), Box<dyn Error>> {
    let pipe = args.out == Path::new("-");
    let format = match pipe {
        true => pipe_format(std::io::stdout().is_terminal(), stdout::was_closed())?,
        false => output::format(&args.out)?,
    };
    let isa = Isa::from_env()?;
    let chosen = choose(args.device)?;
    let on_cpu = matches!(chosen, Chosen::Cpu);
    if on_cpu && args.half {
        return Err("--half is for a GPU; the CPU uses the precision of the record".into());
    }
    let loaded = Loaded::load(args.model.as_deref(), &args.reading, limits)?;
    let model = loaded.model(limits)?;
    if let (Input::Picture(shape), Some(path)) = (model.input(), &args.model) {
        let path = path.display();
        return Err(format!(
            "{path} takes a picture of {shape}, not a latent; use runtime translate"
        )
        .into());
    }
    let output = model.output();
    picture::size(args.grid.unwrap_or((1, 1)), [output.w, output.h], args.scale, limits)?;
    let faces = Faces::new(&args.request(), &model, limits)?;
    if pipe && args.grid.is_none() && faces.count > 1 {
        return Err("--out - takes one picture; use --grid, or a file name for several".into());
    }
    if on_cpu && faces.count > MANY {
        let loaded = loaded.packed(limits);
        let model = loaded.model(limits)?;
        return make(args, limits, (format, isa), chosen, &model, &faces);
    }
    make(args, limits, (format, isa), chosen, &model, &faces)
}

/// Makes faces with a model, and writes them.
fn make(
    args: &Args,
    limits: &Limits,
    (format, isa): (ImageFormat, Isa),
    chosen: Chosen,
    model: &Model<'_>,
    faces: &Faces,
) -> Result<(), Box<dyn Error>> {
    let pipe = args.out == Path::new("-");
    let target = Target { args, limits, format, pipe, channels: model.output().c };
    #[cfg(feature = "gpu")]
    let mut spare = vec![0.0; model.arena_len()];
    let mut gpu: Option<Box<OneByOne<'_>>> = match chosen {
        Chosen::Cpu => None,
        #[cfg(feature = "gpu")]
        Chosen::Gpu(adapter, required) => {
            match runtime::gpu::Gpu::new(model, &adapter, args.half) {
                Ok(gpu) => {
                    let cpu = runtime::Cpu::with(model, &mut spare, Some(isa))?;
                    let mut gpu = super::gpu::GpuFaces::new(gpu, cpu, faces.count);
                    Some(Box::new(move |i| gpu.face(i, |i| faces.latent(i))))
                }
                Err(error) if required => return Err(error.into()),
                Err(error) => {
                    note(format_args!("device: CPU ({error})"));
                    None
                }
            }
        }
    };
    match args.grid {
        Some(grid) => target.grid(grid, model, isa, faces, gpu.as_deref_mut())?,
        None if faces.count == 1 => target.single(model, isa, faces, gpu.as_deref_mut())?,
        None => target.files(model, isa, faces, gpu.as_deref_mut())?,
    }
    target.settle()?;
    if let Some(path) = &args.save_latent {
        npy::write(path, &faces.values(model)?)?;
    }
    Ok(())
}

/// The format of a picture on standard output, if it can go there.
fn pipe_format(terminal: bool, closed: bool) -> Result<ImageFormat, OutputError> {
    match (terminal, closed) {
        (true, _) => Err(OutputError::Terminal),
        (_, true) => Err(OutputError::Closed),
        (false, false) => Ok(ImageFormat::Png),
    }
}

/// How many things of size `each` are within a limit, at least one.
fn affordable(limit: u64, each: u64) -> usize {
    usize::try_from(limit / each.max(1)).unwrap_or(usize::MAX).max(1)
}

impl Args {
    fn request(&self) -> Request<'_> {
        Request {
            seed: self.seed,
            label: self.label.as_deref(),
            grid: self.grid,
            count: self.count,
            latent: self.latent.as_deref(),
            truncation: self.truncation,
        }
    }

    /// The number of threads, or fewer if their arenas or pictures would exceed the limits.
    fn threads(&self, model: &Model<'_>, limits: &Limits) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
        let threads = self.threads.unwrap_or_else(cores);
        let scale = u64::from(self.scale);
        let pixels = model.output().plane() as u64 * scale * scale;
        threads
            .min(affordable(limits.pixels, pixels))
            .min(affordable(limits.arena, 4 * model.arena_len() as u64))
    }

    fn enlarge(&self, face: RgbaImage) -> RgbaImage {
        enlarge(face, self.scale, self.filter)
    }
}

impl Target<'_> {
    fn write(&self, picture: RgbaImage, path: &Path) -> Result<(), Box<dyn Error>> {
        let bytes = output::encode(picture, self.channels, self.format, path)?;
        match self.pipe {
            true => output::print(&bytes)?,
            false => output::write_one_of_many(path, &bytes)?,
        }
        Ok(())
    }

    /// Waits until what was written is on the disk.
    fn settle(&self) -> Result<(), OutputError> {
        match self.pipe {
            true => Ok(()),
            false => output::settle(&self.args.out),
        }
    }

    /// All faces in one picture.
    fn grid(
        &self,
        grid: (usize, usize),
        model: &Model<'_>,
        isa: Isa,
        faces: &Faces,
        gpu: Option<&mut OneByOne<'_>>,
    ) -> Result<(), Box<dyn Error>> {
        let args = self.args;
        let mut sheet =
            Sheet::new(grid, [model.output().w, model.output().h], args.scale, self.limits)?;
        let progress = Progress::new(faces.count, false);
        let mut put = |i: usize, face: RgbaImage| {
            sheet.put(i, &args.enlarge(face));
            progress.step(format_args!(""));
        };
        match gpu {
            Some(gpu) => {
                for i in 0..faces.count {
                    put(i, gpu(i)?);
                }
            }
            None => {
                let some = |batch: &mut Batch<'_>,
                            range: Range<usize>,
                            made: &mut dyn FnMut(RgbaImage)| {
                    generate(batch, faces, range, |_, image| made(picture(&image)))
                };
                let count = (faces.count, args.threads(model, self.limits));
                many(model, (isa, self.limits), count, &some, &mut put)?;
            }
        }
        self.write(sheet.picture, &args.out)?;
        let (first, last) = (faces.name(0), faces.name(faces.count - 1));
        progress.finish(format_args!("{}: {first} to {last}", args.out.display()));
        Ok(())
    }

    /// One face, by all threads.
    fn single(
        &self,
        model: &Model<'_>,
        isa: Isa,
        faces: &Faces,
        gpu: Option<&mut OneByOne<'_>>,
    ) -> Result<(), Box<dyn Error>> {
        let args = self.args;
        let face = match gpu {
            Some(gpu) => gpu(0)?,
            None => {
                let threads = args.threads(model, self.limits);
                let mut arena = vec![0.0; model.arena_len_of(threads)];
                Crew::with(model, &mut arena, isa, threads, |crew| {
                    crew.generate(&faces.latent(0)).map(|image| picture(&image))
                })??
            }
        };
        self.write(args.enlarge(face), &args.out)?;
        if !self.pipe {
            note(format_args!("{}: {}", args.out.display(), faces.name(0)));
        }
        Ok(())
    }

    /// Numbered files.
    fn files(
        &self,
        model: &Model<'_>,
        isa: Isa,
        faces: &Faces,
        gpu: Option<&mut OneByOne<'_>>,
    ) -> Result<(), Box<dyn Error>> {
        let args = self.args;
        // With leading zeros, so that files sort by number.
        let digits = (faces.count - 1).to_string().len().max(3);
        let path = |i: usize| numbered(&args.out, i, digits);
        let progress = Progress::new(faces.count, args.verbose);
        let step = |i: usize| {
            progress.step(format_args!("{}: {}", path(i).display(), faces.name(i)));
        };
        match gpu {
            Some(gpu) => {
                for i in 0..faces.count {
                    self.write(args.enlarge(gpu(i)?), &path(i))?;
                    step(i);
                }
            }
            None => {
                let some =
                    |batch: &mut Batch<'_>, range: Range<usize>, made: &mut dyn FnMut(())| {
                        let mut written = Ok(());
                        generate(batch, faces, range, |i, image| {
                            if written.is_ok() {
                                let face = args.enlarge(picture(&image));
                                written = self.write(face, &path(i)).map_err(|e| chain(e.as_ref()));
                                if written.is_ok() {
                                    made(());
                                }
                            }
                        })?;
                        written
                    };
                let count = (faces.count, args.threads(model, self.limits));
                many(model, (isa, self.limits), count, &some, &mut |i, ()| step(i))?;
            }
        }
        let last = faces.count - 1;
        progress.finish(format_args!(
            "{} to {}: {} faces, {} to {}",
            path(0).display(),
            path(last).display(),
            faces.count,
            faces.name(0),
            faces.name(last)
        ));
        Ok(())
    }
}

/// Makes some faces, and calls `each` with their numbers.
fn generate(
    batch: &mut Batch<'_>,
    faces: &Faces,
    range: Range<usize>,
    mut each: impl FnMut(usize, Image<'_>),
) -> Result<(), String> {
    let latents: Vec<Latent<'_>> = range.clone().map(|i| faces.latent(i)).collect();
    let made = batch.generate(&latents, |i, image| each(range.start + i, image));
    made.map_err(|e| e.to_string())
}

/// `face.png` as `face-007.png`.
fn numbered(path: &Path, i: usize, digits: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{i:0digits$}."));
    name.push(path.extension().unwrap_or_default());
    path.with_file_name(name)
}
