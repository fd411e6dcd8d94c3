//! Files instead of a display: a GIF, a PNG, PNG frames, or a panel's memory as raw pixels.

use std::cell::RefCell;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write, stdout};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::raw::ToBytes;
use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, ImageFormat, RgbImage, RgbaImage};
use runtime::whole_file::WholeFile;

use crate::canvas::Canvas;
use crate::options::Options;
use crate::output::{notice, print};
use crate::screen::{Fault, Scene, Screen};
use crate::values::Colors;

/// Frames if `--frames` is not given.
pub const FRAMES: u64 = 120;

/// Files that are being written.
pub struct Files {
    canvas: Canvas,
    out: PathBuf,
    form: Form,
    frames: u64,
}

enum Form {
    /// A folder of PNG files.
    Folder,
    /// A PNG file with the last frame.
    Picture,
    /// The last frame as raw pixels: little-endian 16-bit words, or red, green and blue bytes.
    Memory(Colors),
    /// A GIF that repeats.
    Gif(Box<Gif>),
    /// Everything is written.
    Done,
}

struct Gif {
    encoder: GifEncoder<Sink>,
    sink: Sink,
    /// The last frame and the number of frames it has been shown for.
    last: Option<(RgbaImage, u32)>,
    fps: f64,
}

/// What a GIF is written to. Shared with the encoder, which writes the end of the file when it is
/// dropped and cannot report an error then.
#[derive(Clone)]
struct Sink(Rc<RefCell<Target>>);

struct Target {
    output: BufWriter<Output>,
    error: Option<io::Error>,
}

enum Output {
    File(WholeFile),
    Stdout(Stdout),
}

/// Checks `--out` and creates what is written to.
///
/// # Errors
/// [`Fault::Never`] for a kind of file that is not supported or cannot be created.
pub fn open(options: &Options) -> Result<Files, Fault> {
    let out = options.out.clone().unwrap_or_else(|| "kiosk.gif".into());
    let form = form(&out, options.fps)?;
    let colors = match form {
        Form::Memory(colors) => colors,
        _ => options.colors,
    };
    Ok(Files { canvas: Canvas::new(default_size(options), colors), out, form, frames: 0 })
}

fn default_size(options: &Options) -> Size {
    match options.sketch {
        true => options.size_or(480, 320),
        false => options.size_or(240, 240),
    }
}

fn form(out: &Path, fps: f64) -> Result<Form, Fault> {
    if out.as_os_str() == "-" {
        if stdout().is_terminal() {
            let text =
                "--out - writes a GIF, which a terminal cannot show: redirect standard output";
            return Err(Fault::Never(text.into()));
        }
        if runtime::stdout::was_closed() {
            return Err(Fault::Never("--out -: standard output is closed".into()));
        }
        return gif(Output::Stdout(stdout()), out, fps);
    }
    let is_folder = out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/");
    let extension = out.extension().filter(|_| !is_folder).map(|e| e.to_ascii_lowercase());
    let Some(extension) = extension else {
        std::fs::create_dir_all(out).map_err(|e| cannot("create", out, &e))?;
        return Ok(Form::Folder);
    };
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(|e| cannot("create", folder, &e))?;
    }
    match extension.to_str() {
        Some("png") => Ok(Form::Picture),
        Some("rgb565") => Ok(Form::Memory(Colors::Rgb565)),
        Some("rgb888") => Ok(Form::Memory(Colors::Rgb888)),
        Some("gif") => {
            let file = WholeFile::create(out).map_err(|e| cannot("write", out, &e))?;
            gif(Output::File(file), out, fps)
        }
        _ => Err(Fault::Never(format!(
            "--out {}: .{} is not supported; .gif, .png, .rgb565 and .rgb888 are, and a path without \
             an extension or with a / at the end is a folder for PNG frames",
            out.display(),
            extension.display()
        ))),
    }
}

fn gif(output: Output, out: &Path, fps: f64) -> Result<Form, Fault> {
    let target = Target { output: BufWriter::new(output), error: None };
    let sink = Sink(Rc::new(RefCell::new(target)));
    // Speeds are 1 to 30; faster is coarser.
    let mut encoder = GifEncoder::new_with_speed(sink.clone(), 10);
    encoder.set_repeat(Repeat::Infinite).map_err(|e| cannot("write", out, &e))?;
    Ok(Form::Gif(Box::new(Gif { encoder, sink, last: None, fps })))
}

fn cannot(verb: &str, path: &Path, error: &dyn std::fmt::Display) -> Fault {
    let name = match path.as_os_str() == "-" {
        true => "standard output".into(),
        false => path.display().to_string(),
    };
    Fault::Never(format!("cannot {verb} {name}: {error}"))
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut target = self.0.borrow_mut();
        let wrote = target.output.write(bytes);
        if let Err(error) = &wrote {
            target.error = Some(error.kind().into());
        }
        wrote
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().output.flush()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::File(file) => file.write(bytes),
            Output::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::File(file) => file.flush(),
            Output::Stdout(stdout) => stdout.flush(),
        }
    }
}

impl Gif {
    /// Writes the frame shown until now and starts on the next.
    fn turn_over(&mut self, next: Option<RgbaImage>) -> image::ImageResult<()> {
        let Some((picture, frames)) = std::mem::replace(&mut self.last, next.map(|n| (n, 1)))
        else {
            return Ok(());
        };
        let millis = (frames as f64 * 1000.0 / self.fps).clamp(10.0, 600_000.0);
        let delay = Delay::from_numer_denom_ms(millis as u32, 1);
        self.encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay))
    }

    /// Writes the last frame and the end of the file.
    fn finish(mut self) -> Result<(), Box<dyn std::error::Error>> {
        self.turn_over(None)?;
        drop(self.encoder);
        let Some(target) = Rc::into_inner(self.sink.0) else {
            return Ok(());
        };
        let Target { output, error } = target.into_inner();
        if let Some(error) = error {
            return Err(error.into());
        }
        match output.into_inner().map_err(io::IntoInnerError::into_error)? {
            Output::File(file) => Ok(file.keep()?),
            Output::Stdout(mut stdout) => Ok(stdout.flush()?),
        }
    }
}

impl Files {
    fn picture(&self) -> RgbImage {
        let size = self.canvas.size();
        let pixels = self.canvas.pixels().as_flattened().to_vec();
        // The canvas has exactly this many bytes.
        RgbImage::from_raw(size.width, size.height, pixels).unwrap_or_default()
    }

    fn png(&self, path: &Path) -> Result<(), Fault> {
        let bytes = codecs::encode(&self.picture().into(), ImageFormat::Png);
        write(path, &bytes.map_err(|e| cannot("write", path, &e))?)
    }

    fn memory(&self, colors: Colors) -> Result<(), Fault> {
        let word = |&[r, g, b]: &[u8; 3]| Rgb565::from(Rgb888::new(r, g, b)).to_le_bytes();
        let pixels = self.canvas.pixels();
        let bytes: Vec<u8> = match colors {
            Colors::Rgb565 => pixels.iter().flat_map(word).collect(),
            _ => pixels.as_flattened().to_vec(),
        };
        write(&self.out, &bytes)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let file = WholeFile::create(path);
    let wrote = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.keep()));
    wrote.map_err(|e| cannot("write", path, &e))
}

impl Screen for Files {
    fn show(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Fault> {
        let drawn = self.canvas.draw(scene)?;
        match &self.form {
            Form::Folder => self.png(&self.out.join(format!("frame-{:06}.png", self.frames)))?,
            Form::Picture | Form::Memory(_) | Form::Done => {}
            Form::Gif(_) => {
                let picture = drawn.then(|| image::DynamicImage::from(self.picture()).to_rgba8());
                if let Form::Gif(gif) = &mut self.form {
                    let wrote = match (picture, &mut gif.last) {
                        (None, Some((_, frames))) => {
                            *frames += 1;
                            Ok(())
                        }
                        (picture, _) => gif.turn_over(picture),
                    };
                    wrote.map_err(|e| cannot("write", &self.out, &e))?;
                }
            }
        }
        self.frames += 1;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Fault> {
        let name = self.out.display().to_string();
        let (frames, only) = (format!("{} frames in {name}", self.frames), name == "-");
        let last = format!("frame {} in {name}", self.frames);
        let line = match std::mem::replace(&mut self.form, Form::Done) {
            Form::Folder => frames,
            Form::Picture => {
                self.png(&self.out)?;
                last
            }
            Form::Memory(colors) => {
                self.memory(colors)?;
                last
            }
            Form::Gif(gif) => {
                gif.finish().map_err(|e| cannot("write", &self.out, &e))?;
                frames
            }
            Form::Done => return Ok(()),
        };
        if only {
            notice(format_args!("{} frames on standard output", self.frames));
            return Ok(());
        }
        print(line).map_err(|e| cannot("write", Path::new("-"), &e))
    }

    fn paced(&self) -> bool {
        false
    }
}
