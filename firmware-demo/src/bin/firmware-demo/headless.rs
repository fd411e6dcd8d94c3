//! A kiosk without a display: each frame a PNG file.

use std::convert::Infallible;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use firmware_demo::{Kiosk, Show};
use image::{ImageFormat, Rgb, RgbImage};
use runtime::cpu::Cpu;
use runtime::model::Model;
use runtime::record::Buffer;

/// Endless faces, written as PNG files frame by frame
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Folder for frame-000000.png and so on; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many frames
    #[arg(long, default_value_t = 120)]
    frames: u32,
    /// Width of the display in pixels
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u32).range(1..=8192))]
    width: u32,
    /// Height of the display in pixels
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u32).range(1..=8192))]
    height: u32,
    /// Seed of the first face
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Frames that a face stays
    #[arg(long, default_value_t = 20)]
    dwell: u32,
    /// Frames from one face to the next
    #[arg(long, default_value_t = 20)]
    morph: u32,
    /// Factor on the latents: below 1 faces are more ordinary and better formed
    #[arg(long, default_value_t = 0.8)]
    truncation: f32,
    /// Leave out the seed below the face
    #[arg(long)]
    no_caption: bool,
    /// Burn record [default: the model that comes with the program]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// A picture that can be drawn on.
struct Canvas(RgbImage);

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(at, color) in pixels {
            let inside = u32::try_from(at.x).ok().zip(u32::try_from(at.y).ok());
            let pixel = inside.and_then(|(x, y)| self.0.get_pixel_mut_checked(x, y));
            if let Some(pixel) = pixel {
                *pixel = Rgb([color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let file = match &cli.model {
        Some(path) => {
            let bytes = std::fs::read(path);
            let bytes = bytes.map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            Some(Buffer::from(bytes))
        }
        None => None,
    };
    let (bytes, name) = match (&file, &cli.model) {
        (Some(buffer), Some(path)) => (buffer.bytes(), path.as_path()),
        _ => (
            runtime::include_record!("../../../models/pretrained/faces64.bpk") as &[u8],
            Path::new("the model of the program"),
        ),
    };
    let model = Model::parse(bytes).map_err(|e| format!("{}: {e}", name.display()))?;
    let mut arena = vec![0.0; model.arena_len()];
    let show = Show {
        seed: cli.seed,
        dwell: cli.dwell,
        morph: cli.morph,
        truncation: cli.truncation,
        caption: !cli.no_caption,
    };
    let mut kiosk = Kiosk::new(Cpu::new(&model, &mut arena)?, show);
    let mut canvas = Canvas(RgbImage::new(cli.width, cli.height));
    let dir = &cli.out;
    let made = std::fs::create_dir_all(dir);
    made.map_err(|e| format!("cannot make {}: {e}", dir.display()))?;
    for frame in 0..cli.frames {
        kiosk.step(&mut canvas)?;
        let path = dir.join(format!("frame-{frame:06}.png"));
        write(&canvas.0, &path).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    println!("{} frames in {}", cli.frames, dir.display());
    Ok(())
}

/// Writes a PNG under a temporary name and renames it.
fn write(picture: &RgbImage, path: &Path) -> Result<(), Box<dyn Error>> {
    let part = path.with_extension("png.part");
    let wrote = picture
        .save_with_format(&part, ImageFormat::Png)
        .map_err(Box::from)
        .and_then(|()| Ok(std::fs::rename(&part, path)?));
    if wrote.is_err() {
        // Half a file helps nobody; that it may not even be there is no further error.
        let _ = std::fs::remove_file(&part);
    }
    wrote
}
