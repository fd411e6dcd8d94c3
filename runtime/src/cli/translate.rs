//! `runtime translate`: pictures to pictures.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io::IsTerminal;
use std::ops::Range;
use std::path::{Path, PathBuf};

use image::{ImageFormat, Rgba, RgbaImage};
use runtime::op::Shape;
use runtime::{Batch, Crew, Input, Isa, Limits, Model, stdout};

use super::args;
use super::device::{Chosen, Device, choose};
use super::error::chain;
use super::load::Loaded;
use super::output::{self, OutputError};
use super::picture::{self, Filter, Sheet, enlarge, picture};
use super::pictures::{self, Fit, Picture};
use super::progress::Progress;
use super::reading;
use super::terminal::note;
use super::threads::many;

const EXAMPLES: &str = "\
Examples:
  runtime translate sketch.bpk drawing.png --out face.png         one picture
  runtime translate sketch.bpk drawings/ --out faces/             all pictures of a folder
  runtime translate sketch.bpk a.png b.jpg --grid --out both.png  each beside its translation
  scan | runtime translate sketch.bpk - --out - | display         from and to other programs";

/// Arguments of `translate`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Burn record or ONNX file of a model that takes a picture
    model: PathBuf,
    /// Pictures of any size, folders of them, or - for standard input
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<PathBuf>,
    /// Picture to write, or a folder if there are several; - writes a PNG to standard output
    ///
    /// In a folder, files have the names of the inputs with the extension .png. Missing folders are
    /// created.
    #[arg(long, value_name = "FILE|FOLDER")]
    out: PathBuf,
    /// How a picture with another aspect ratio is brought to the model's size
    #[arg(long, value_enum, default_value_t = Fit::Crop)]
    fit: Fit,
    /// Put all into one picture, each beside its translation
    #[arg(long)]
    grid: bool,
    /// Enlarge the results 1 to 64 times
    #[arg(long, default_value_t = 1, value_parser = args::scale, allow_negative_numbers = true)]
    scale: u32,
    /// How results are enlarged
    #[arg(long, value_enum, default_value_t = Filter::Nearest)]
    filter: Filter,
    #[command(flatten)]
    reading: reading::Args,
    /// Where to compute: cpu, vulkan, vulkan:N or auto
    ///
    /// N is a number from `runtime devices`. auto takes a GPU if there is one.
    #[arg(long, default_value_t)]
    device: Device,
    /// Number of CPU threads, 1 to 1024 [default: number of cores]
    ///
    /// Several pictures run one per thread; a single one is split across all.
    #[arg(long, value_parser = args::threads, allow_negative_numbers = true)]
    threads: Option<usize>,
    /// List every file written
    #[arg(short, long)]
    verbose: bool,
}

/// Why pictures are not translated.
#[derive(Debug)]
enum TranslateError {
    /// The model takes a latent of that many values.
    Latent(PathBuf, usize),
    /// Several pictures for one file.
    Several(PathBuf, usize),
    /// Two inputs would become the same file.
    Same(PathBuf, PathBuf, PathBuf),
    /// A file would replace an input.
    Replaces(PathBuf),
    /// An input without a name for a folder.
    NoName(PathBuf),
}

impl fmt::Display for TranslateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TranslateError::Latent(path, n) => write!(
                f,
                "{} takes a latent of {n} values, not a picture; use runtime generate",
                path.display()
            ),
            TranslateError::Several(path, n) => write!(
                f,
                "--out {}: there are {n} pictures; name a folder, or use --grid",
                path.display()
            ),
            TranslateError::Same(a, b, to) => {
                let [a, b, to] = [a, b, to].map(|path| path.display());
                write!(f, "{a} and {b} would both become {to}; translate them one by one")
            }
            TranslateError::Replaces(path) => {
                write!(f, "{} would be replaced; name another --out", path.display())
            }
            TranslateError::NoName(path) => {
                write!(f, "{}: no name to write under; name a file as --out", path.display())
            }
        }
    }
}

impl Error for TranslateError {}

/// Most pictures that a GPU translates at once: enough to keep it busy.
#[cfg(feature = "gpu")]
const BATCH: usize = 16;

/// Makes pictures in order: the input at the size of the model, and the translation.
type OneByOne<'a> = dyn FnMut(usize) -> Result<Pair, Box<dyn Error>> + 'a;

/// A picture before and after.
type Pair = (Picture, RgbaImage);

/// Translates pictures and writes them.
///
/// # Errors
/// One that names the file or option. Files that are complete by then are kept.
pub fn run(args: &Args, limits: &Limits) -> Result<(), Box<dyn Error>> {
    let isa = Isa::from_env()?;
    let chosen = choose(args.device)?;
    let loaded = Loaded::load(Some(&args.model), &args.reading, limits)?;
    let model = loaded.model(limits)?;
    let shape = match model.input() {
        Input::Picture(shape) => shape,
        Input::Latent(n) => return Err(TranslateError::Latent(args.model.clone(), n).into()),
    };
    let files = pictures::files(&args.inputs)?;
    let target = Target::new(args, &files)?;
    if matches!(chosen, Chosen::Cpu) && files.len() > 1 {
        let loaded = loaded.packed(limits);
        let model = loaded.model(limits)?;
        let job = Job { args, limits, files: &files, shape, model: &model, isa };
        return job.run(chosen, &target);
    }
    let job = Job { args, limits, files: &files, shape, model: &model, isa };
    job.run(chosen, &target)
}

/// Where pictures go.
enum Target {
    Grid(ImageFormat),
    File(ImageFormat),
    /// One file per input.
    Folder(Vec<PathBuf>),
}

impl Target {
    fn new(args: &Args, files: &[PathBuf]) -> Result<Target, Box<dyn Error>> {
        let out = args.out.as_path();
        let pipe = out == Path::new("-");
        let folder = out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/");
        let several = files.len() > 1 || args.inputs.iter().any(|path| path.is_dir());
        if !args.grid && !pipe && (folder || several && ImageFormat::from_path(out).is_err()) {
            return Ok(Target::Folder(names(out, files)?));
        }
        if !args.grid && files.len() > 1 {
            return Err(TranslateError::Several(out.into(), files.len()).into());
        }
        let format = match pipe {
            true if std::io::stdout().is_terminal() => return Err(OutputError::Terminal.into()),
            true if stdout::was_closed() => return Err(OutputError::Closed.into()),
            true => ImageFormat::Png,
            false => output::format(out)?,
        };
        if files.iter().any(|file| is_same(file, out)) {
            return Err(TranslateError::Replaces(out.into()).into());
        }
        Ok(if args.grid { Target::Grid(format) } else { Target::File(format) })
    }
}

/// Whether two paths are the same file.
fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// A file in a folder for each input.
fn names(folder: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>, TranslateError> {
    let mut taken: BTreeMap<PathBuf, &PathBuf> = BTreeMap::new();
    let mut paths = Vec::new();
    for file in files {
        let stem = file.file_stem().filter(|_| file != Path::new("-"));
        let mut name = stem.ok_or_else(|| TranslateError::NoName(file.clone()))?.to_os_string();
        name.push(".png");
        let path = folder.join(name);
        if let Some(other) = taken.insert(path.clone(), file) {
            return Err(TranslateError::Same(other.clone(), file.clone(), path));
        }
        paths.push(path);
    }
    match paths.iter().find(|path| files.iter().any(|file| is_same(file, path))) {
        Some(path) => Err(TranslateError::Replaces(path.clone())),
        None => Ok(paths),
    }
}

/// What is translated, and by what.
struct Job<'a> {
    args: &'a Args,
    limits: &'a Limits,
    files: &'a [PathBuf],
    shape: Shape,
    model: &'a Model<'a>,
    isa: Isa,
}

impl Job<'_> {
    /// Makes all pictures, and writes them.
    fn run(&self, chosen: Chosen, target: &Target) -> Result<(), Box<dyn Error>> {
        let Job { args, limits, model, .. } = *self;
        let output = model.output();
        picture::size((1, 1), [output.w, output.h], args.scale, limits)?;
        #[cfg(feature = "gpu")]
        let mut spare = vec![0.0; model.arena_len()];
        let mut gpu: Option<Box<OneByOne<'_>>> = match chosen {
            Chosen::Cpu => None,
            #[cfg(feature = "gpu")]
            Chosen::Gpu(adapter, required) => {
                match runtime::gpu::Gpu::new(model, &adapter, false) {
                    Ok(gpu) => {
                        let cpu = runtime::Cpu::with(model, &mut spare, Some(self.isa))?;
                        let mut made = GpuPictures { gpu: Some(gpu), cpu, ready: Vec::new() };
                        let job = self;
                        Some(Box::new(move |i| made.pair(job, i)))
                    }
                    Err(error) if required => return Err(error.into()),
                    Err(error) => {
                        note(format_args!("device: CPU ({error})"));
                        None
                    }
                }
            }
        };
        match target {
            Target::Grid(format) => self.grid(*format, gpu.as_deref_mut())?,
            Target::File(format) => self.single(*format, gpu.as_deref_mut())?,
            Target::Folder(paths) => self.folder(paths, gpu.as_deref_mut())?,
        }
        Ok(())
    }

    fn read(&self, i: usize) -> Result<Picture, Box<dyn Error>> {
        Ok(Picture::read(&self.files[i], self.shape, self.args.fit, self.limits)?)
    }

    /// The number of threads, or fewer if their arenas or pictures would exceed the limits.
    fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
        let arena = 4 * self.model.arena_len() as u64;
        let most = usize::try_from(self.limits.arena / arena.max(1)).unwrap_or(usize::MAX);
        self.args.threads.unwrap_or_else(cores).min(most.max(1))
    }

    fn enlarge(&self, image: RgbaImage) -> RgbaImage {
        enlarge(image, self.args.scale, self.args.filter)
    }

    /// The bytes of a translation.
    fn encode(
        &self,
        image: RgbaImage,
        format: ImageFormat,
        path: &Path,
    ) -> Result<Vec<u8>, OutputError> {
        output::encode(self.enlarge(image), self.model.output().c, format, path)
    }

    /// Translates all inputs, by a GPU or by one thread each, and passes them on in order.
    fn all(
        &self,
        gpu: Option<&mut OneByOne<'_>>,
        mut done: impl FnMut(usize, Pair) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        if let Some(gpu) = gpu {
            return (0..self.files.len()).try_for_each(|i| done(i, gpu(i)?));
        }
        let some = |batch: &mut Batch<'_>, range: Range<usize>, made: &mut dyn FnMut(Pair)| {
            // Those before one that cannot be read are translated.
            let (mut before, mut read) = (Vec::new(), Ok(()));
            for picture in range.map(|i| self.read(i)) {
                match picture {
                    Ok(picture) => before.push(picture),
                    Err(error) => {
                        read = Err(chain(error.as_ref()));
                        break;
                    }
                }
            }
            let mut after = Vec::new();
            let pixels: Vec<&[u8]> = before.iter().map(|picture| &picture.pixels[..]).collect();
            batch
                .translate(&pixels, |_, image| after.push(picture(&image)))
                .map_err(|e| e.to_string())?;
            before.into_iter().zip(after).for_each(made);
            read
        };
        let mut failed = Ok(());
        let mut put = |i: usize, pair: Pair| {
            if failed.is_ok() {
                failed = done(i, pair);
            }
        };
        let count = (self.files.len(), self.threads());
        many(self.model, (self.isa, self.limits), count, &some, &mut put)?;
        failed
    }

    /// All pictures in one, each beside its translation.
    fn grid(
        &self,
        format: ImageFormat,
        gpu: Option<&mut OneByOne<'_>>,
    ) -> Result<(), Box<dyn Error>> {
        let (args, output) = (self.args, self.model.output());
        let across = (1..).find(|n| 2 * n * n >= self.files.len()).unwrap_or(1);
        let rows = self.files.len().div_ceil(across);
        let (w, h) = (output.w.max(self.shape.w), output.h.max(self.shape.h));
        let mut sheet = Sheet::new((rows, 2 * across), [w, h], args.scale, self.limits)?;
        let progress = Progress::new(self.files.len(), args.verbose);
        self.all(gpu, |i, (before, after)| {
            sheet.put(2 * i, &self.enlarge(as_image(&before, self.shape)));
            sheet.put(2 * i + 1, &self.enlarge(after));
            let changes = before.changes(self.shape);
            progress.step(format_args!("{}: {changes}", self.files[i].display()));
            Ok(())
        })?;
        let bytes = output::encode(sheet.picture, output.c.max(3), format, &args.out)?;
        self.write(&bytes)?;
        let count = self.files.len();
        progress.finish(format_args!("{}: {count} pictures before and after", args.out.display()));
        Ok(())
    }

    /// One picture, by all threads.
    fn single(
        &self,
        format: ImageFormat,
        gpu: Option<&mut OneByOne<'_>>,
    ) -> Result<(), Box<dyn Error>> {
        let (before, after) = match gpu {
            Some(gpu) => gpu(0)?,
            None => {
                let before = self.read(0)?;
                let threads = self.threads();
                let mut arena = vec![0.0; self.model.arena_len_of(threads)];
                let after = Crew::with(self.model, &mut arena, self.isa, threads, |crew| {
                    crew.translate(&before.pixels).map(|image| picture(&image))
                })??;
                (before, after)
            }
        };
        self.write(&self.encode(after, format, &self.args.out)?)?;
        let (file, out) = (self.files[0].display(), self.args.out.display());
        note(format_args!("{out}: from {file}, {}", before.changes(self.shape)));
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        match self.args.out == Path::new("-") {
            true => output::print(bytes),
            false => output::write(&self.args.out, bytes),
        }
    }

    /// A file for each input.
    fn folder(
        &self,
        paths: &[PathBuf],
        gpu: Option<&mut OneByOne<'_>>,
    ) -> Result<(), Box<dyn Error>> {
        let progress = Progress::new(paths.len(), self.args.verbose);
        let (mut cropped, mut resized) = (0, 0);
        self.all(gpu, |i, (before, after)| {
            let bytes = self.encode(after, ImageFormat::Png, &paths[i])?;
            output::write_one_of_many(&paths[i], &bytes)?;
            cropped += usize::from(before.kept != before.was);
            resized += usize::from(before.kept != (self.shape.w as u32, self.shape.h as u32));
            let changes = before.changes(self.shape);
            progress.step(format_args!("{}: {changes}", paths[i].display()));
            Ok(())
        })?;
        output::settle(&paths[0])?;
        let Shape { h, w, .. } = self.shape;
        let changes = match (cropped, resized) {
            (0, 0) => String::new(),
            (cropped, 0) => format!(", {cropped} of them cropped"),
            (0, resized) => format!(", {resized} of them resized to {w} x {h}"),
            _ => format!(", {cropped} of them cropped and {resized} resized to {w} x {h}"),
        };
        let out = self.args.out.display();
        progress.finish(format_args!("{out}: {} pictures{changes}", paths.len()));
        Ok(())
    }
}

/// A picture as the model reads it.
fn as_image(picture: &Picture, shape: Shape) -> RgbaImage {
    RgbaImage::from_fn(shape.w as u32, shape.h as u32, |x, y| {
        let at = (y as usize * shape.w + x as usize) * shape.c;
        let [r, g, b] = [0, 1, 2].map(|c| picture.pixels[at + c.min(shape.c - 1)]);
        Rgba([r, g, b, 255])
    })
}

/// Pictures from a GPU, in batches, or from the CPU once the GPU is lost.
#[cfg(feature = "gpu")]
struct GpuPictures<'a> {
    gpu: Option<runtime::gpu::Gpu>,
    cpu: runtime::Cpu<'a>,
    /// The pictures that are ready, last to first.
    ready: Vec<Pair>,
}

#[cfg(feature = "gpu")]
impl GpuPictures<'_> {
    /// Picture `i`; they are asked for in order.
    fn pair(&mut self, job: &Job<'_>, i: usize) -> Result<Pair, Box<dyn Error>> {
        if self.ready.is_empty() {
            let end = job.files.len().min(i + BATCH);
            let before = (i..end).map(|i| job.read(i)).collect::<Result<Vec<_>, _>>()?;
            let after = self.translate(&before)?;
            self.ready = before.into_iter().zip(after).rev().collect();
        }
        self.ready.pop().ok_or_else(|| format!("no picture {i}").into())
    }

    fn translate(&mut self, before: &[Picture]) -> Result<Vec<RgbaImage>, Box<dyn Error>> {
        let pixels: Vec<&[u8]> = before.iter().map(|picture| &picture.pixels[..]).collect();
        if let Some(gpu) = &mut self.gpu {
            match gpu.translate_all(&pixels) {
                Ok(()) => return Ok((0..pixels.len()).map(|i| picture(&gpu.image(i))).collect()),
                Err(error @ runtime::gpu::GpuError::Picture(_)) => return Err(error.into()),
                Err(error) => {
                    note(format_args!("{error}: continuing on the CPU"));
                    self.gpu = None;
                }
            }
        }
        pixels.iter().map(|pixels| Ok(picture(&self.cpu.translate(pixels)?))).collect()
    }
}
