//! Whether a JPEG is all there: decoders fill what is missing with gray and say nothing.

use codecs::Encoded;
use image::{DynamicImage, ImageFormat, ImageResult};

/// Zeros at the end that are no part of an image: files of interrupted downloads have their full
/// length.
const PADDING: usize = 16;

/// Whether a part of the pixels of `image`, which was decoded from `bytes`, is not in them.
///
/// Some cameras leave out the marker of the end, so its absence is not enough. Without it, two
/// different continuations are decoded: if they make different images, pixels were missing.
pub(super) fn is_cut(bytes: &[u8], image: &DynamicImage) -> bool {
    if has_end(bytes) {
        return false;
    }
    let mut end = bytes.len();
    let zeros = bytes.iter().rev().take_while(|&&b| b == 0).count();
    if zeros >= PADDING {
        end -= zeros;
    }
    // A first half of a marker.
    end -= usize::from(bytes[..end].ends_with(&[0xff]));
    let continued = |with: u8| {
        let bytes = [&bytes[..end], &[with; 64], b"\xff\xd9"].concat();
        decode(&bytes)
    };
    match (continued(0x00), continued(0x5a)) {
        (Ok(one), Ok(other)) => one != other || one.width() != image.width(),
        _ => true,
    }
}

fn decode(bytes: &[u8]) -> ImageResult<DynamicImage> {
    Encoded::new(bytes, ImageFormat::Jpeg)?.decode()
}

/// Whether the marker of the end follows the last scan (ITU-T T.81, annex B).
fn has_end(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let mut at = 2;
    loop {
        // Fill bytes may precede a marker.
        while bytes.get(at..at + 2) == Some(&[0xff, 0xff]) {
            at += 1;
        }
        let Some(&[0xff, marker]) = bytes.get(at..at + 2) else {
            return false;
        };
        if marker == END {
            return true;
        }
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
            return false;
        };
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == SCAN {
            // Inside a scan only 0xff00, a byte, and the restart markers are no end of it.
            let rest = bytes.get(at..).unwrap_or_default();
            let ends = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7);
            match rest.windows(2).position(ends) {
                Some(length) => at += length,
                None => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn jpeg(quality: u8) -> Vec<u8> {
        let image = RgbImage::from_fn(70, 50, |x, y| {
            Rgb([(x * 3) as u8, (y * 5) as u8, ((x * y) % 251) as u8])
        });
        codecs::jpeg(&image, quality).unwrap()
    }

    fn is_cut(bytes: &[u8]) -> bool {
        decode(bytes).is_ok_and(|image| super::is_cut(bytes, &image))
    }

    #[test]
    fn cut_anywhere_but_at_the_end() {
        for quality in [30, 75, 95] {
            let whole = jpeg(quality);
            assert!(!is_cut(&whole));
            // The marker alone is not missed.
            assert!(!is_cut(&whole[..whole.len() - 2]));
            let tail = [&whole[..], b"\xff\xfejust a comment"].concat();
            assert!(!is_cut(&tail), "bytes behind the end");
            for part in 5..20 {
                let cut = &whole[..whole.len() * part / 20];
                let decodes = decode(cut).is_ok();
                assert!(!decodes || is_cut(cut), "quality {quality}, {part} of 20");
                let padded = [cut, &vec![0; whole.len() - cut.len()][..]].concat();
                let decodes = decode(&padded).is_ok();
                assert!(!decodes || is_cut(&padded), "padded: quality {quality}, {part} of 20");
            }
        }
    }

    #[test]
    fn an_end_inside_a_segment_is_none() {
        // A thumbnail in EXIF data has an end of its own.
        let whole = jpeg(75);
        let segment = [b"\xff\xe1\x00\x0aExif\0\0\xff\xd9", &whole[2..]].concat();
        let bytes = [&whole[..2], &segment].concat();
        assert!(has_end(&bytes) && !has_end(&bytes[..bytes.len() - 2]));
        assert!(!has_end(b"\xff\xd8") && !has_end(b"\xff\xd8\xff\xe1\xff\xff"));
    }
}
