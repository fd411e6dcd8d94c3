//! JPEG files, with the decoder that `image` uses.
//!
//! It is compiled here because `image` itself is not optimized: most of it converts between kinds of
//! pixels that nothing here has, and takes longer to build than anything it is used for.

use image::error::{DecodingError, LimitError, LimitErrorKind};
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageResult};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// A reader of its own type, so that the compiler does not share the decoder in `image`.
struct Bytes<'a>(&'a [u8]);

impl AsRef<[u8]> for Bytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

/// A JPEG file whose headers have been read.
pub struct Jpeg<'a> {
    decoder: JpegDecoder<ZCursor<Bytes<'a>>>,
    size: (u32, u32),
    color: ColorType,
}

impl<'a> Jpeg<'a> {
    /// Reads the headers.
    ///
    /// # Errors
    /// If they are damaged.
    pub fn new(bytes: &'a [u8]) -> ImageResult<Jpeg<'a>> {
        let options = DecoderOptions::default()
            .set_strict_mode(false)
            .set_max_width(usize::MAX)
            .set_max_height(usize::MAX);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(Bytes(bytes)), options);
        decoder.decode_headers().map_err(failed)?;
        let info = decoder.info().ok_or_else(|| damaged("no header".into()))?;
        let (space, color) = match decoder.input_colorspace() {
            Some(ColorSpace::Luma) => (ColorSpace::Luma, ColorType::L8),
            // Also those for printing.
            _ => (ColorSpace::RGB, ColorType::Rgb8),
        };
        decoder.set_options(options.jpeg_set_out_colorspace(space));
        Ok(Jpeg { decoder, size: (info.width.into(), info.height.into()), color })
    }
}

fn damaged(error: Box<dyn std::error::Error + Send + Sync>) -> ImageError {
    ImageError::Decoding(DecodingError::new(ImageFormat::Jpeg.into(), error))
}

fn failed(error: DecodeErrors) -> ImageError {
    match error {
        DecodeErrors::LargeDimensions(_) => {
            ImageError::Limits(LimitError::from_kind(LimitErrorKind::DimensionError))
        }
        error => damaged(error.into()),
    }
}

impl ImageDecoder for Jpeg<'_> {
    fn dimensions(&self) -> (u32, u32) {
        self.size
    }

    fn color_type(&self) -> ColorType {
        self.color
    }

    fn exif_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.decoder.exif().cloned())
    }

    fn read_image(mut self, pixels: &mut [u8]) -> ImageResult<()> {
        self.decoder.decode_into(pixels).map_err(failed)
    }

    fn read_image_boxed(self: Box<Self>, pixels: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(pixels)
    }
}
