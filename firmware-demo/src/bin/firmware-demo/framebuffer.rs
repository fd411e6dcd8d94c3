//! A Linux framebuffer. Its layout is read from /sys and its pixels are written like a file.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::raw::ToBytes;
use embedded_graphics::pixelcolor::{Bgr565, Bgr888, Rgb565, Rgb888};
use firmware_demo::paint::darken;

use crate::device_file::unopened;
use crate::options::Options;
use crate::screen::{Fault, Scene, Screen};
use crate::values::Pixels;

/// An open framebuffer.
pub struct Framebuffer {
    file: File,
    name: String,
    layout: Layout,
    bytes: Vec<u8>,
}

/// The layout of the pixels in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    size: Size,
    /// Bytes per pixel: 2, 3 or 4.
    depth: usize,
    /// Bytes per row.
    stride: usize,
    bgr: bool,
}

/// Opens the framebuffer of `--path`.
///
/// # Errors
/// [`Fault::Lost`] if it cannot be opened, [`Fault::Never`] if its layout is unknown or not supported.
pub fn open(options: &Options) -> Result<Framebuffer, Fault> {
    let path = &options.path;
    let file = OpenOptions::new().write(true).open(path);
    let file = file.map_err(|e| unopened(path, &e, e.kind() == ErrorKind::PermissionDenied))?;
    let layout = layout(options)?;
    Ok(Framebuffer {
        file,
        name: path.display().to_string(),
        layout,
        bytes: vec![0; layout.stride * layout.size.height as usize],
    })
}

/// The layout: from the options, or else from /sys.
fn layout(options: &Options) -> Result<Layout, Fault> {
    let device = options.path.file_name().unwrap_or_default();
    let facts = Path::new("/sys/class/graphics").join(device);
    let fact = |name: &str| {
        let text = std::fs::read_to_string(facts.join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    let missing = |what: &str, flag: &str| {
        let device = options.path.display();
        Fault::Never(format!("the {what} of {device} is unknown: set it with {flag}"))
    };
    // A buffer that can be panned is higher than its visible part, the mode (`U:320x240p-0`). Without a
    // mode the whole (`320,240`) is visible.
    let seen = fact("modes").and_then(|modes| {
        let mode = modes.lines().next()?.split_once(':')?.1.to_owned();
        mode.split(['p', 'i', '-']).next()?.parse::<Pixels>().ok()
    });
    let whole = || fact("virtual_size")?.replace(',', "x").parse::<Pixels>().ok();
    let size = options.size.or(seen).or_else(whole);
    let size = size.ok_or_else(|| missing("size", "--size"))?.0;
    let depth = options.depth.clone().or_else(|| fact("bits_per_pixel"));
    let depth = match depth.as_deref() {
        Some("16") => 2,
        Some("24") => 3,
        Some("32") => 4,
        Some(other) => {
            let device = options.path.display();
            let text = format!("{device} has {other} bits per pixel; 16, 24 and 32 are supported");
            return Err(Fault::Never(text));
        }
        None => return Err(missing("depth", "--depth")),
    };
    let packed = size.width as usize * depth;
    let stride = options.stride.or_else(|| fact("stride")?.parse().ok());
    let stride = stride.unwrap_or(packed);
    if !(packed..=1 << 20).contains(&stride) {
        return Err(Fault::Never(format!(
            "a stride of {stride} bytes does not fit a row of {} pixels: expected {packed} to {}",
            size.width,
            1 << 20
        )));
    }
    let bgr = options.bgr;
    Ok(Layout { size, depth, stride, bgr })
}

impl Framebuffer {
    fn flush(&mut self) -> Result<(), Fault> {
        let start = self.file.seek(SeekFrom::Start(0));
        let wrote = start.and_then(|_| self.file.write_all(&self.bytes));
        wrote.map_err(|e| Fault::Lost(format!("{} failed: {e}", self.name)))
    }
}

/// The copy of the buffer as a draw target.
struct Memory<'f>(&'f mut Framebuffer);

impl OriginDimensions for Memory<'_> {
    fn size(&self) -> Size {
        self.0.layout.size
    }
}

impl DrawTarget for Memory<'_> {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        let bounds = self.bounding_box();
        let Layout { depth, stride, bgr, .. } = self.0.layout;
        for Pixel(at, color) in pixels {
            if !bounds.contains(at) {
                continue;
            }
            let start = at.y as usize * stride + at.x as usize * depth;
            let pixel = &mut self.0.bytes[start..start + depth];
            // Little-endian words with red in the high bits.
            match (depth, bgr) {
                (2, false) => pixel.copy_from_slice(&Rgb565::from(color).to_le_bytes()),
                (2, true) => pixel.copy_from_slice(&Bgr565::from(color).to_le_bytes()),
                (_, false) => pixel[..3].copy_from_slice(&color.to_le_bytes()),
                (_, true) => pixel[..3].copy_from_slice(&Bgr888::from(color).to_le_bytes()),
            }
        }
        Ok(())
    }
}

impl Screen for Framebuffer {
    fn show(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Fault> {
        match scene.draw(&mut Memory(self))? {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn leave(&mut self) -> Result<(), Fault> {
        let Ok(()) = darken(&mut Memory(self));
        self.flush()
    }
}
