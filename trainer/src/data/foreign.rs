//! Files that are no images that can be read: what they are, by their first bytes, and what to do.

use std::fmt;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// An image format that is not supported: its name, and a command that converts it.
    Image(&'static str, &'static str),
    /// A pack of files that is not supported: its name, and a command that unpacks it.
    Pack(&'static str, &'static str),
    /// A container of arrays or rows: its name, and how to convert it.
    Table(&'static str, &'static str),
    /// A pointer of Git LFS in place of the file.
    GitLfs,
    /// A page in place of the file.
    Html,
    /// A film.
    Film,
    /// A document.
    Pdf,
    /// A model in ONNX.
    Onnx,
    /// A generator as `trainer` exports it.
    Record,
    /// Weights by PyTorch.
    PyTorch,
    /// Weights as safetensors.
    Safetensors,
    /// Python objects.
    Pickle,
}

/// Bytes that are enough to tell.
pub(super) const HEAD: usize = 512;

const PARQUET: &str = "write its images to files, for example with: python3 -c \"import pathlib, \
    pandas; [pathlib.Path(f'{i}.png').write_bytes(x['bytes']) for i, x in \
    enumerate(pandas.read_parquet('FILE')['image'])]\"";
const TO_NPZ: &str = "save its arrays with numpy.savez(\"data.npz\", images=.., labels=..)";

impl Foreign {
    /// What the file is that begins with `head`; nothing if it may be text, or an image that can be
    /// read.
    pub fn of(head: &[u8], name: &str) -> Option<Foreign> {
        use Foreign::{Film, GitLfs, Html, Image, Onnx, Pack, Pdf, Pickle, Record, Table};
        let starts: [(&[u8], Foreign); 27] = [
            (b"version https://git-lfs", GitLfs),
            (b"%PDF", Pdf),
            (b"\0\0\0\x0cjP  \r\n", Image("JPEG 2000", "opj_decompress -i IN.jp2 -o OUT.png")),
            (b"\xff\x4f\xff\x51", Image("JPEG 2000", "opj_decompress -i IN.j2k -o OUT.png")),
            (b"\0\0\0\x0cJXL \r\n", Image("JPEG XL", "djxl IN.jxl OUT.png")),
            (b"\xff\x0a", Image("JPEG XL", "djxl IN.jxl OUT.png")),
            (b"8BPS", Image("PSD", "magick IN.psd[0] OUT.png")),
            (b"\0\0\x01\0", Image("ICO", "magick IN.ico OUT.png")),
            (b"\x76\x2f\x31\x01", Image("OpenEXR", "magick IN.exr OUT.png")),
            (b"DDS ", Image("DDS", "magick IN.dds OUT.png")),
            (b"qoif", Image("QOI", "magick IN.qoi OUT.png")),
            (b"#?RADIANCE", Image("Radiance HDR", "magick IN.hdr OUT.png")),
            (b"farbfeld", Image("farbfeld", "magick IN.ff OUT.png")),
            (b"7z\xbc\xaf\x27\x1c", Pack("7z", "7z x FILE")),
            (b"Rar!", Pack("RAR", "unrar x FILE")),
            (b"\xfd7zXZ\0", Pack("xz", "tar xf FILE")),
            (b"BZh", Pack("bzip2", "tar xf FILE")),
            (b"\x28\xb5\x2f\xfd", Pack("Zstandard", "tar --zstd -xf FILE")),
            (b"\x04\x22\x4d\x18", Pack("LZ4", "lz4 -d FILE")),
            (b"PAR1", Table("Apache Parquet", PARQUET)),
            (b"ARROW1", Table("Apache Arrow", "save it with: datasets.Dataset.to_parquet(..)")),
            (b"\x89HDF\r\n", Table("HDF5", TO_NPZ)),
            (b"MATLAB 5.0", Table("MATLAB", TO_NPZ)),
            (b"SQLite format 3", Table("SQLite", "write its images to files")),
            (b"\x1aE\xdf\xa3", Film),
            (b"FLV", Film),
            (b"\x4e\x52\x55\x42", Record),
        ];
        if let Some((_, what)) = starts.iter().find(|(mark, _)| head.starts_with(mark)) {
            return Some(*what);
        }
        if head.get(4..8) == Some(b"ftyp") {
            return Some(boxed(head));
        }
        if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ") {
            return Some(Film);
        }
        if matches!(head, [0x80, 2..=5, ..]) {
            return Some(Pickle);
        }
        if head.get(8..10) == Some(b"{\"") && head[4..8] == [0; 4] {
            return Some(Foreign::Safetensors);
        }
        let name = name.to_ascii_lowercase();
        let weights = [".pth", ".pt", ".ckpt"].iter().any(|end| name.ends_with(end));
        if weights && head.starts_with(b"PK\x03\x04") {
            return Some(Foreign::PyTorch);
        }
        // A message whose first field is the version of the format.
        if name.ends_with(".onnx") && matches!(head, [8, 1..=32, ..]) {
            return Some(Onnx);
        }
        let text = head.trim_ascii_start().to_ascii_lowercase();
        if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") {
            return Some(Html);
        }
        let svg = text.starts_with(b"<svg") || text.windows(5).any(|w| w == b"<svg ");
        (svg && text.starts_with(b"<")).then_some(Image("SVG", "magick IN.svg OUT.png"))
    }
}

/// Tells formats made of boxes apart by their brands (ISO/IEC 14496-12 section 4.3).
fn boxed(head: &[u8]) -> Foreign {
    let length = head.first_chunk::<4>().map_or(0, |&length| u32::from_be_bytes(length) as usize);
    let brands = &head[8..length.clamp(8, head.len())];
    let has = |brand: &[u8; 4]| brands.chunks_exact(4).any(|b| b == brand);
    if has(b"avif") || has(b"avis") {
        return Foreign::Image("AVIF", "avifdec IN.avif OUT.png");
    }
    if [b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"].into_iter().any(has) {
        return Foreign::Image("HEIC", "heif-convert IN.heic OUT.jpg");
    }
    if has(b"crx ") {
        return Foreign::Image("CR3", "dcraw -c IN.cr3 > OUT.ppm");
    }
    Foreign::Film
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Foreign::Image(name, command) => {
                write!(f, "{name} is not supported: convert it, for example with: {command}")
            }
            Foreign::Pack(name, command) => {
                write!(f, "{name} is not supported: unpack it with: {command}, and give the folder")
            }
            Foreign::Table(name, how) => write!(f, "{name} is not supported: {how}"),
            Foreign::GitLfs => write!(
                f,
                "a pointer of Git LFS, not the file itself: fetch the files with: git lfs pull"
            ),
            Foreign::Html => write!(
                f,
                "a web page, not the file itself: download it again with a browser, the site may \
                 ask for a login or a confirmation"
            ),
            Foreign::Film => write!(
                f,
                "a film: write its frames to a folder, for example with: ffmpeg -i FILE \
                 frames/%06d.png"
            ),
            Foreign::Pdf => {
                write!(f, "a PDF document: extract its images with: pdfimages -png FILE images/")
            }
            Foreign::Onnx => {
                write!(f, "an ONNX model, not images: it makes images with: runtime generate FILE")
            }
            Foreign::Record => {
                write!(f, "a generator, not images: it makes images with: runtime generate FILE")
            }
            Foreign::PyTorch => write!(
                f,
                "a PyTorch file, not images: import a generator with: trainer import FILE --out DIR"
            ),
            Foreign::Safetensors => write!(
                f,
                "weights, not images: import a generator with: trainer import FILE --out DIR"
            ),
            Foreign::Pickle => write!(
                f,
                "a file of Python objects, which are not read: of CIFAR take the binary version \
                 (cifar-10-binary.tar.gz); otherwise save arrays with numpy.savez"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_and_what_to_do() {
        let cases: [(&[u8], &str, &str); 18] = [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.jpg", "HEIC is not supported: convert"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "a.jpg", "AVIF is not supported"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "a.jpg", "HEIC is not supported"),
            (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "a.mp4", "ffmpeg -i"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "a.jpg", "JPEG 2000 is not supported"),
            (b"\xff\x0a\x00", "a.jpg", "djxl"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "a.png", "git lfs pull"),
            (b"\n <!DOCTYPE html><html>", "a.zip", "a web page"),
            (b"<?xml version=\"1.0\"?>\n<svg width=\"3\"", "a.svg", "SVG"),
            (b"PAR1\x15\x04", "0000.parquet", "pandas.read_parquet"),
            (b"\x89HDF\r\n\x1a\n", "a.h5", "numpy.savez"),
            (b"7z\xbc\xaf\x27\x1c", "img.7z", "7z x FILE"),
            (b"BZh91AY", "a.tar.bz2", "tar xf FILE"),
            (b"\x08\x08\x12\x07pytorch", "g.onnx", "runtime generate"),
            (b"\x80\x02}q\0", "data_batch_1", "cifar-10-binary.tar.gz"),
            (b"NRUB\x01", "face.bpk", "a generator, not images"),
            (b"\x40\0\0\0\0\0\0\0{\"a\":", "g.safetensors", "weights, not images"),
            (b"\x1aE\xdf\xa3", "a.webm", "ffmpeg"),
        ];
        for (head, name, want) in cases {
            let text = Foreign::of(head, name).map(|f| f.to_string()).unwrap_or_default();
            assert!(text.contains(want), "{name}: {text}");
        }
        let none: [&[u8]; 7] = [
            b"",
            b"\x08\x08\x12",
            b"plain text",
            b"\xff\xd8\xff\xe0",
            b"\x89PNG\r\n\x1a\n",
            b"label,pixel0",
            b"\0\0\x08\x03\0\0\0\x01",
        ];
        for head in none {
            assert_eq!(Foreign::of(head, "a.png"), None, "{head:?}");
        }
    }
}
