//! Which files are images, by name and by their first bytes.

use std::path::Path;

use image::{ImageFormat, guess_format};

/// The supported formats.
pub const FORMATS: [&str; 8] = ["jpeg", "png", "webp", "bmp", "pgm/ppm/pbm", "gif", "tiff", "tga"];

/// Largest file that is read: no photograph is larger.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// What a file's name claims about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// An image in a supported format.
    Image,
    /// An image in an unsupported format.
    Foreign,
    /// Nothing.
    Other,
}

/// What the file name's extension claims.
pub(super) fn claim(name: &str) -> Claim {
    const IMAGE: [&str; 17] = [
        "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "bmp", "dib", "pgm", "ppm", "pbm",
        "pnm", "pam", "gif", "tif", "tiff",
    ];
    const FOREIGN: [&str; 14] = [
        "heic", "heif", "avif", "jxl", "jp2", "psd", "svg", "raw", "dng", "nef", "cr2", "arw",
        "exr", "ico",
    ];
    let extension = Path::new(name).extension().unwrap_or_default();
    let extension = extension.to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "tga" => Claim::Image,
        e if IMAGE.contains(&e) => Claim::Image,
        e if FOREIGN.contains(&e) => Claim::Foreign,
        _ => Claim::Other,
    }
}

/// Whether a file starts with the magic number of an image. Those of BMP and PGM do not count: a
/// text may start with the same two letters.
pub(super) fn begins_as_image(head: &[u8]) -> bool {
    use ImageFormat::{Gif, Jpeg, Png, Tiff, WebP};
    matches!(guess_format(head), Ok(Jpeg | Png | WebP | Gif | Tiff))
}
