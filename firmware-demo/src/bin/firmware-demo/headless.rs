//! No display: PNG frames, one PNG, a GIF that repeats, or the memory of a panel.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use embedded_graphics::pixelcolor::raw::ToBytes;
use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, ImageFormat, RgbImage, RgbaImage};

use crate::canvas::Canvas;
use crate::options::{Colors, Options};
use crate::screen::{Faces, Fault, Screen};

/// Frames where nobody says how many.
pub const FRAMES: u64 = 120;

/// Files instead of a display.
pub struct Files {
    canvas: Canvas,
    out: PathBuf,
    form: Form,
    frames: u64,
}

enum Form {
    /// A folder of PNG files.
    Folder,
    /// A PNG file: the last frame.
    Picture,
    /// The last frame as a panel has it in memory: words of 16 bits, little-endian, or red, green and blue.
    Memory(Colors),
    /// A GIF file.
    Gif(Box<Gif>),
}

struct Gif {
    part: PathBuf,
    encoder: GifEncoder<BufWriter<File>>,
    /// The last frame and for how many frames it has been there.
    last: Option<(RgbaImage, u32)>,
    fps: f64,
}

/// Prepares the files.
///
/// # Errors
/// [`Fault::Never`] where they cannot be made.
pub fn open(options: &Options) -> Result<Files, Fault> {
    let out = options.out.clone().unwrap_or_else(|| "kiosk.gif".into());
    let extension = out.extension().map(|e| e.to_ascii_lowercase());
    let form = match extension.as_ref().and_then(|e| e.to_str()) {
        Some("png") => Form::Picture,
        Some("rgb565") => Form::Memory(Colors::Rgb565),
        Some("rgb888") => Form::Memory(Colors::Rgb888),
        Some("gif") => Form::Gif(Box::new(Gif::new(&out, options.fps)?)),
        _ => {
            std::fs::create_dir_all(&out).map_err(|e| never("make", &out, &e))?;
            Form::Folder
        }
    };
    let colors = match form {
        Form::Memory(colors) => colors,
        _ => options.colors,
    };
    Ok(Files { canvas: Canvas::new(options.size_or(240, 240), colors), out, form, frames: 0 })
}

fn never(verb: &str, path: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::Never(format!("cannot {verb} {}: {error}", path.display()))
}

impl Gif {
    fn new(out: &Path, fps: f64) -> Result<Gif, Fault> {
        let part = out.with_extension("gif.part");
        let file = File::create(&part).map_err(|e| never("write", out, &e))?;
        // 1 to 30, the higher the quicker and the rougher.
        let mut encoder = GifEncoder::new_with_speed(BufWriter::new(file), 10);
        let repeat = encoder.set_repeat(Repeat::Infinite);
        repeat.map_err(|e| never("write", out, &e))?;
        Ok(Gif { part, encoder, last: None, fps })
    }

    /// Writes the frame that was there until now.
    fn turn_over(&mut self, next: Option<RgbaImage>) -> image::ImageResult<()> {
        let Some((picture, frames)) = std::mem::replace(&mut self.last, next.map(|n| (n, 1)))
        else {
            return Ok(());
        };
        let millis = (frames as f64 * 1000.0 / self.fps).clamp(10.0, 600_000.0);
        let delay = Delay::from_numer_denom_ms(millis as u32, 1);
        self.encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay))
    }
}

impl Files {
    fn picture(&self) -> RgbImage {
        let size = self.canvas.size();
        let pixels = self.canvas.pixels().as_flattened().to_vec();
        // There are as many bytes as the size says.
        RgbImage::from_raw(size.width, size.height, pixels).unwrap_or_default()
    }

    /// Writes a PNG under a temporary name and renames it.
    fn png(&self, path: &Path) -> Result<(), Fault> {
        let part = path.with_extension("png.part");
        let saved = self.picture().save_with_format(&part, ImageFormat::Png);
        saved.map_err(|e| never("write", path, &e))?;
        std::fs::rename(&part, path).map_err(|e| never("write", path, &e))
    }
}

impl Screen for Files {
    fn show(&mut self, kiosk: &mut Faces<'_>) -> Result<(), Fault> {
        let drawn = self.canvas.draw(kiosk)?;
        match &self.form {
            Form::Folder => self.png(&self.out.join(format!("frame-{:06}.png", self.frames)))?,
            Form::Picture | Form::Memory(_) => {}
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
                    wrote.map_err(|e| never("write", &self.out, &e))?;
                }
            }
        }
        self.frames += 1;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Fault> {
        let frames = self.frames;
        match std::mem::replace(&mut self.form, Form::Folder) {
            Form::Folder => println!("{frames} frames in {}", self.out.display()),
            Form::Picture => {
                self.png(&self.out)?;
                println!("frame {frames} in {}", self.out.display());
            }
            Form::Memory(colors) => {
                let word = |&[r, g, b]: &[u8; 3]| Rgb565::from(Rgb888::new(r, g, b)).to_le_bytes();
                let pixels = self.canvas.pixels();
                let bytes = match colors {
                    Colors::Rgb565 => pixels.iter().flat_map(word).collect(),
                    _ => pixels.as_flattened().to_vec(),
                };
                let part = self.out.with_extension("part");
                let wrote = std::fs::write(&part, bytes);
                let wrote = wrote.and_then(|()| std::fs::rename(&part, &self.out));
                wrote.map_err(|e| never("write", &self.out, &e))?;
                println!("frame {frames} in {}", self.out.display());
            }
            Form::Gif(mut gif) => {
                let wrote = gif.turn_over(None);
                wrote.map_err(|e| never("write", &self.out, &e))?;
                let part = gif.part.clone();
                // Dropping the encoder writes the end of the file.
                drop(gif);
                std::fs::rename(&part, &self.out).map_err(|e| never("write", &self.out, &e))?;
                println!("{frames} frames in {}", self.out.display());
            }
        }
        Ok(())
    }

    fn paced(&self) -> bool {
        false
    }
}
