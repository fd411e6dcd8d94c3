//! What a file is, by its first bytes, for messages about files of another kind than expected.

/// A kind of file that people mistake for a generator, or a generator for another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A burn record, as this project writes.
    Record,
    /// Most likely an ONNX model: the format has no mark of its own.
    Onnx,
    /// A zip archive with a pickle in it: `torch.save`.
    PyTorch,
    /// A pickle: `torch.save` before PyTorch 1.6.
    Pickle,
    /// Tensors with a JSON header.
    Safetensors,
    /// Keras .h5.
    Hdf5,
    /// Keras .keras.
    Keras,
    /// TensorFlow Lite.
    TfLite,
    /// A NumPy array.
    Npy,
    /// A picture.
    Picture,
    /// Another zip archive.
    Zip,
    /// Compressed with gzip.
    Gzip,
    /// A file that git-lfs has not downloaded.
    LfsPointer,
    /// A web page, often an error page saved as a download.
    WebPage,
    /// Nothing.
    Empty,
}

impl FileKind {
    /// The kind of a file that begins with `bytes`; a few KB are enough.
    pub fn of(bytes: &[u8]) -> Option<FileKind> {
        let text = bytes.trim_ascii_start();
        let has = |part: &[u8]| bytes.windows(part.len()).any(|w| w == part);
        let is_page = |mark: &[u8]| {
            text.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark))
        };
        Some(match bytes {
            [] => FileKind::Empty,
            [b'N', b'R', b'U', b'B', ..] => FileKind::Record,
            [b'P', b'K', 3 | 5, 4 | 6, ..] if has(b"data.pkl") => FileKind::PyTorch,
            [b'P', b'K', 3, 4, ..] if has(b"metadata.json") && has(b"config.json") => {
                FileKind::Keras
            }
            [b'P', b'K', 3 | 5, 4 | 6, ..] => FileKind::Zip,
            [0x80, 2..=5, ..] => FileKind::Pickle,
            [0x1f, 0x8b, ..] => FileKind::Gzip,
            [0x89, b'H', b'D', b'F', ..] => FileKind::Hdf5,
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => FileKind::Npy,
            [_, _, _, _, b'T', b'F', b'L', b'3', ..] => FileKind::TfLite,
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => FileKind::Safetensors,
            [0x89, b'P', b'N', b'G', ..]
            | [0xff, 0xd8, 0xff, ..]
            | [b'G', b'I', b'F', b'8', ..] => FileKind::Picture,
            _ if bytes.starts_with(b"version https://git-lfs") => FileKind::LfsPointer,
            _ if is_page(b"<!doctype") || is_page(b"<html") || is_page(b"<?xml") => {
                FileKind::WebPage
            }
            // Field 1, the version of the format, then another field.
            [8, version, 0x12 | 0x1a | 0x22 | 0x2a | 0x32 | 0x3a | 0x42, ..] if *version < 32 => {
                FileKind::Onnx
            }
            _ => return None,
        })
    }

    /// What the file is, as the end of "this is".
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Record => "a burn record",
            FileKind::Onnx => "an ONNX model",
            FileKind::PyTorch => "a PyTorch checkpoint",
            FileKind::Pickle => "a pickle, perhaps a PyTorch checkpoint",
            FileKind::Safetensors => "a safetensors file",
            FileKind::Hdf5 => "an HDF5 file, perhaps a Keras model",
            FileKind::Keras => "a Keras model",
            FileKind::TfLite => "a TensorFlow Lite model",
            FileKind::Npy => "a NumPy array",
            FileKind::Picture => "a picture",
            FileKind::Zip => "a zip archive",
            FileKind::Gzip => "a gzip file",
            FileKind::LfsPointer => "a git-lfs pointer",
            FileKind::WebPage => "a web page",
            FileKind::Empty => "empty",
        }
    }

    /// What makes a generator of it for `runtime`, or for `trainer import`.
    pub fn advice(self, importing: bool) -> &'static str {
        match (self, importing) {
            (FileKind::Record | FileKind::Onnx, true) => {
                "`runtime generate` and `runtime convert` read it as it is"
            }
            (FileKind::PyTorch | FileKind::Pickle | FileKind::Safetensors, false) => {
                "`trainer import FILE --out DIR` makes a record of it"
            }
            (FileKind::Hdf5 | FileKind::Keras, _) => {
                "`python -m tf2onnx.convert --keras FILE --output g.onnx`, or in Keras 3 \
                 `model.export(\"g.onnx\", format=\"onnx\")`, makes ONNX of it"
            }
            (FileKind::TfLite, _) => {
                "`python -m tf2onnx.convert --tflite FILE --output g.onnx` makes ONNX of it"
            }
            (FileKind::Zip | FileKind::Gzip, _) => "unpack it and give the model in it",
            (FileKind::LfsPointer, _) => "`git lfs pull` downloads the file itself",
            (FileKind::WebPage, _) => "download the file itself (\"raw\" or \"download\")",
            (FileKind::Empty, _) => "download or export it again",
            (FileKind::Npy, false) => "give it as --latent if it holds latents",
            (FileKind::Npy | FileKind::Picture, _) => "give the model",
            (FileKind::Record | FileKind::Onnx, false)
            | (FileKind::PyTorch | FileKind::Pickle | FileKind::Safetensors, true) => {
                "it is damaged: copy or export it again"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_their_first_bytes() {
        let cases: [(&[u8], Option<FileKind>); 15] = [
            (b"", Some(FileKind::Empty)),
            (b"NRUB....", Some(FileKind::Record)),
            (b"\x08\x08\x12\x07pytorch", Some(FileKind::Onnx)),
            (b"PK\x03\x04....netG/data.pkl", Some(FileKind::PyTorch)),
            (b"PK\x03\x04....metadata.json....config.json", Some(FileKind::Keras)),
            (b"PK\x03\x04....photos/a.png", Some(FileKind::Zip)),
            (b"\x80\x02\x8a\nl\xfc", Some(FileKind::Pickle)),
            (b"\x40\0\0\0\0\0\0\0{\"g\":", Some(FileKind::Safetensors)),
            (b"\x89HDF\r\n", Some(FileKind::Hdf5)),
            (b"\x1c\0\0\0TFL3", Some(FileKind::TfLite)),
            (b"\x89PNG\r\n", Some(FileKind::Picture)),
            (b"version https://git-lfs.github.com/spec/v1", Some(FileKind::LfsPointer)),
            (b"\n<!DOCTYPE html>", Some(FileKind::WebPage)),
            (b"\x93NUMPY\x01\0", Some(FileKind::Npy)),
            (b"hello", None),
        ];
        for (bytes, want) in cases {
            assert_eq!(FileKind::of(bytes), want, "{bytes:?}");
        }
    }
}
