//! `runtime generate`: seeds or latents to pictures.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use image::imageops::{self, FilterType};
use image::{ImageFormat, Rgb, RgbImage};
use runtime::cpu::Cpu;
use runtime::crew::Crew;
use runtime::image::Image;
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::simd::Isa;

use super::device::{Chosen, choose};
use super::load::Bytes;
use super::{npy, output};
use crate::{Filter, Generate};

/// From more faces than this on, packing a model takes less time than it saves.
const MANY: usize = 8;

/// Face `i`, the next after the last that was asked for.
type OneByOne<'a> = dyn FnMut(usize) -> Result<RgbImage, Box<dyn Error>> + 'a;

/// Where faces come from.
struct Source {
    values: Values,
    label: Label,
}

enum Values {
    /// Consecutive seeds from this one.
    Seeds(u64),
    /// Rows of a file.
    Rows(Vec<Vec<f32>>),
}

/// Which class a face is of.
enum Label {
    /// The model has none, or the latents say.
    None,
    /// This one.
    One(u32, String),
    /// A row of the grid each: faces a row, and the names.
    Rows(usize, Vec<String>),
    /// Seeds take them in turn: the names.
    Turns(Vec<String>),
}

impl Source {
    fn latent(&self, i: usize) -> Latent<'_> {
        let label = match &self.label {
            Label::None | Label::Turns(_) => None,
            Label::One(label, _) => Some(*label),
            Label::Rows(columns, names) => Some((i / columns % names.len()) as u32),
        };
        let latent = match (&self.values, &self.label) {
            // The same seeds in every row: what differs is the class.
            (Values::Seeds(first), Label::Rows(columns, _)) => {
                Latent::from_seed(first.wrapping_add((i % columns) as u64))
            }
            (Values::Seeds(first), _) => Latent::from_seed(first.wrapping_add(i as u64)),
            (Values::Rows(rows), _) => Latent::from_values(&rows[i]),
        };
        label.map_or(latent, |label| latent.labelled(label))
    }

    /// What a face is called: by this it can be made again.
    fn name(&self, i: usize) -> String {
        let seed = match (&self.values, &self.label) {
            (Values::Rows(_), _) => return format!("row {i}"),
            (Values::Seeds(first), Label::Rows(columns, _)) => {
                first.wrapping_add((i % columns) as u64)
            }
            (Values::Seeds(first), _) => first.wrapping_add(i as u64),
        };
        match &self.label {
            Label::None => format!("seed {seed}"),
            Label::One(_, name) => format!("seed {seed}, label {name}"),
            Label::Rows(columns, names) => {
                format!("seed {seed}, label {}", names[i / columns % names.len()])
            }
            Label::Turns(names) => {
                let turn = (seed % names.len() as u64) as usize;
                format!("seed {seed}, label {} by its turn (see --label)", names[turn])
            }
        }
    }
}

/// Which classes the faces are of.
fn label(args: &Generate, model: &Model<'_>) -> Result<Label, String> {
    let names: Vec<String> = model.labels().map(ToString::to_string).collect();
    let Some(asked) = &args.label else {
        return Ok(match (args.latent.is_some(), args.grid) {
            _ if names.is_empty() => Label::None,
            (true, _) => Label::None,
            (false, Some((_, columns))) => Label::Rows(columns, names),
            (false, None) => Label::Turns(names),
        });
    };
    if names.is_empty() {
        return Err(format!(
            "--label {asked}: the model is not conditional, it has no labels; leave --label away"
        ));
    }
    let number = || asked.parse().ok().filter(|&n: &usize| n < names.len());
    let by_name = names.iter().position(|name| name == asked);
    match by_name.or_else(number) {
        Some(i) => Ok(Label::One(i as u32, names[i].clone())),
        None => Err(format!("--label {asked}: the model's labels are {}", names.join(", "))),
    }
}

/// Makes faces and writes them.
///
/// # Errors
/// One that names the file or argument; files already complete stay.
pub fn run(args: &Generate) -> Result<(), Box<dyn Error>> {
    let pipe = args.out == Path::new("-");
    let format = match pipe {
        true => ImageFormat::Png,
        false => output::format(&args.out)?,
    };
    if let Some(path) = &args.save_latent {
        output::folder(path)?;
    }
    let chosen = choose(args.device)?;
    let mut bytes = Bytes::load(args.model.as_deref())?;
    let source = {
        let model = bytes.model()?;
        let label = label(args, &model)?;
        // With a label the classes' values may be left away.
        let lengths = [
            model.latent(),
            match label {
                Label::One(..) => model.latent() - model.classes(),
                Label::None | Label::Rows(..) | Label::Turns(_) => model.latent(),
            },
        ];
        let values = match &args.latent {
            Some(path) => Values::Rows(npy::read(path, lengths)?),
            None => Values::Seeds(args.seed),
        };
        Source { values, label }
    };
    let count = count(args, &source)?;
    let on_cpu = matches!(chosen, Chosen::Cpu);
    if on_cpu && args.half {
        return Err("--half is for a GPU: the CPU computes in the record's own precision".into());
    }
    if on_cpu && count > MANY {
        bytes = bytes.packed();
    }
    let model = bytes.model()?;
    if pipe && args.grid.is_none() && count > 1 {
        return Err("--out - takes one picture: use --grid, or a file name for many".into());
    }
    let grey = model.output().c == 1;
    let emit = |picture: RgbImage, path: &Path| -> Result<(), Box<dyn Error>> {
        let bytes = output::encode(picture, grey, format, path)?;
        match pipe {
            true => output::print(&bytes)?,
            false => output::write(path, &bytes)?,
        }
        Ok(())
    };
    let latent = |i: usize| source.latent(i).truncated(args.truncation);
    let face = |cpu: &mut Cpu<'_>, i: usize| -> Result<RgbImage, Box<dyn Error>> {
        Ok(enlarge(picture(&cpu.generate(&latent(i))?), args))
    };
    #[cfg(feature = "gpu")]
    let mut spare = vec![0.0; model.arena_len()];
    // Faces in order, from wherever they are made.
    let mut own: Option<Box<OneByOne<'_>>> = match chosen {
        Chosen::Cpu => None,
        #[cfg(feature = "gpu")]
        Chosen::Gpu(adapter, asked) => match runtime::gpu::Gpu::new(&model, &adapter, args.half) {
            Ok(gpu) => {
                let cpu = Cpu::new(&model, &mut spare)?;
                let mut maker = super::gpu::Maker::new(gpu, cpu, count);
                Some(Box::new(move |i| Ok(enlarge(maker.face(i, latent)?, args))))
            }
            Err(error) if asked => return Err(error.into()),
            Err(error) => {
                eprintln!("device: CPU ({error})");
                None
            }
        },
    };
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
    let threads = args.threads.unwrap_or_else(cores);
    if let Some((rows, columns)) = args.grid {
        let mut sheet = Sheet::new(rows, columns, [model.output().w, model.output().h], args)?;
        match &mut own {
            Some(own) => {
                for i in 0..count {
                    sheet.put(i, &own(i)?);
                }
            }
            None => {
                let one = |cpu: &mut Cpu<'_>, i: usize| {
                    face(cpu, i).map_err(|e| crate::chain(e.as_ref()))
                };
                many(&model, count, threads, &one, &mut |i, face| sheet.put(i, &face))?;
            }
        }
        emit(sheet.picture, &args.out)?;
        let last = source.name(count - 1);
        eprintln!("{}: {} to {last}", args.out.display(), source.name(0));
    } else {
        // A full row of digits: files sort as they are numbered.
        let digits = (count - 1).to_string().len().max(3);
        let path = |i: usize| match count {
            1 => args.out.clone(),
            _ => numbered(&args.out, i, digits),
        };
        // What is told of a file that was not written: an error is of one thread only.
        let one = |cpu: &mut Cpu<'_>, i: usize| -> Result<(), String> {
            let made = face(cpu, i).and_then(|face| emit(face, &path(i)));
            made.map_err(|e| crate::chain(e.as_ref()))
        };
        let told = |i: usize| {
            if !pipe {
                eprintln!("{}: {}", path(i).display(), source.name(i));
            }
        };
        if let Some(own) = &mut own {
            for i in 0..count {
                emit(own(i)?, &path(i))?;
                told(i);
            }
        } else if count == 1 {
            // One face by all threads. Errors keep their causes: a closed pipe is none.
            let mut arena = vec![0.0; model.arena_len_of(threads)];
            let face = Crew::with(&model, &mut arena, Isa::best(), threads, |crew| {
                crew.generate(&latent(0)).map(|image| picture(&image))
            });
            emit(enlarge(face??, args), &path(0))?;
            told(0);
        } else {
            many(&model, count, threads, &one, &mut |i, ()| told(i))?;
        }
    }
    if let Some(path) = &args.save_latent {
        npy::write(path, &latents(&source, count, &model, args.truncation)?)?;
    }
    Ok(())
}

/// Makes the faces from 0 to `count` on a few threads, each face by one; what `one` gives is told in order.
fn many<T: Send>(
    model: &Model<'_>,
    count: usize,
    threads: usize,
    one: &(impl Fn(&mut Cpu<'_>, usize) -> Result<T, String> + Sync),
    told: &mut impl FnMut(usize, T),
) -> Result<(), Box<dyn Error>> {
    let mut arenas = vec![vec![0.0; model.arena_len()]; threads.min(count)];
    let mut cpus = Vec::new();
    for arena in &mut arenas {
        cpus.push(Cpu::new(model, arena)?);
    }
    let next = AtomicUsize::new(0);
    let (done, dones) = mpsc::channel();
    std::thread::scope(|scope| {
        for mut cpu in cpus {
            let (next, done) = (&next, done.clone());
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens after an error.
                    if i >= count || done.send((i, one(&mut cpu, i))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        let (mut ahead, mut first) = (BTreeMap::new(), 0);
        for (i, result) in dones {
            ahead.insert(i, result?);
            while let Some(made) = ahead.remove(&first) {
                told(first, made);
                first += 1;
            }
        }
        Ok(())
    })
}

/// How many faces: as many as asked for, where there are as many.
fn count(args: &Generate, source: &Source) -> Result<usize, String> {
    let asked = match (args.grid, args.count) {
        (Some((rows, columns)), _) => Some(rows * columns),
        (None, count) => count.map(|n| n as usize),
    };
    match (&source.values, asked) {
        (Values::Seeds(_), asked) => Ok(asked.unwrap_or(1)),
        (Values::Rows(rows), None) => Ok(rows.len()),
        (Values::Rows(rows), Some(asked)) if asked <= rows.len() => Ok(asked),
        (Values::Rows(rows), Some(asked)) => {
            Err(format!("{asked} faces of {} latents", rows.len()))
        }
    }
}

/// An image as a picture.
pub fn picture(image: &Image<'_>) -> RgbImage {
    let mut picture = RgbImage::new(image.width() as u32, image.height() as u32);
    for (to, pixel) in picture.pixels_mut().zip(image.pixels()) {
        *to = Rgb(pixel);
    }
    picture
}

fn enlarge(picture: RgbImage, args: &Generate) -> RgbImage {
    if args.scale == 1 {
        return picture;
    }
    let filter = match args.filter {
        Filter::Nearest => FilterType::Nearest,
        Filter::Smooth => FilterType::CatmullRom,
    };
    let (w, h) = (picture.width() * args.scale, picture.height() * args.scale);
    imageops::resize(&picture, w, h, filter)
}

/// Faces side by side, row by row.
struct Sheet {
    picture: RgbImage,
    columns: usize,
    /// Of a face.
    size: [u32; 2],
}

impl Sheet {
    /// An empty one, for faces of `w` x `h` before they are enlarged.
    fn new(
        rows: usize,
        columns: usize,
        [w, h]: [usize; 2],
        args: &Generate,
    ) -> Result<Sheet, String> {
        let scale = args.scale as usize;
        let side = |n: usize, of: usize| n.checked_mul(of)?.checked_mul(scale);
        let sides = side(columns, w).zip(side(rows, h)).filter(|(w, h)| {
            // What no picture format takes is better refused before it is allocated.
            w.checked_mul(*h).is_some_and(|pixels| pixels <= 1 << 29)
        });
        let (wide, high) = sides.ok_or("the picture would have more than 536,870,912 pixels")?;
        Ok(Sheet {
            picture: RgbImage::new(wide as u32, high as u32),
            columns,
            size: [(w * scale) as u32, (h * scale) as u32],
        })
    }

    /// Puts face `i` where it belongs.
    fn put(&mut self, i: usize, face: &RgbImage) {
        let [w, h] = self.size.map(i64::from);
        let (x, y) = ((i % self.columns) as i64, (i / self.columns) as i64);
        imageops::replace(&mut self.picture, face, x * w, y * h);
    }
}

/// `face.png` as `face-007.png`.
fn numbered(path: &Path, i: usize, digits: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{i:0digits$}.{ending}"))
}

fn latents(
    source: &Source,
    count: usize,
    model: &Model<'_>,
    truncation: f32,
) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let mut rows = Vec::with_capacity(count);
    for i in 0..count {
        let mut row = vec![0.0; model.latent()];
        let latent = source.latent(i).truncated(truncation);
        latent.fill_for(&mut row, model.classes())?;
        rows.push(row);
    }
    Ok(rows)
}
