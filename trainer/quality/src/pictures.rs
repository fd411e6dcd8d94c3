//! Images as they are scored: bytes, as in a PNG.

use image::RgbImage;

/// Square images of one size, as planes of bytes.
#[derive(Clone, Debug)]
pub struct Pictures {
    size: u32,
    planes: usize,
    bytes: Vec<u8>,
}

impl Pictures {
    /// No images yet, of `size` x `size` pixels in `planes` planes: 1 for gray, 3 for color.
    pub fn new(size: u32, planes: usize) -> Pictures {
        let bytes = Vec::new();
        Pictures { size, planes, bytes }
    }

    /// Adds an image, plane after plane.
    pub fn push(&mut self, planes: &[u8]) {
        debug_assert_eq!(planes.len(), self.values());
        self.bytes.extend_from_slice(planes);
    }

    /// Adds images with values in [-1, 1], planes first, rounded as [`byte`] does.
    pub fn push_values(&mut self, values: &[f32]) {
        self.bytes.extend(values.iter().map(|&v| byte(v)));
    }

    /// Side of every image in pixels.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Planes of every image: 1 for gray, 3 for color.
    pub fn planes(&self) -> usize {
        self.planes
    }

    /// Bytes of an image.
    fn values(&self) -> usize {
        self.planes * self.size as usize * self.size as usize
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.values()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The planes of each image.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.bytes.chunks_exact(self.values())
    }

    /// The planes of image `i`.
    pub fn get(&self, i: usize) -> &[u8] {
        let values = self.values();
        &self.bytes[i * values..][..values]
    }

    /// The first `count`.
    pub fn first(&self, count: usize) -> Pictures {
        let bytes = &self.bytes[..count.min(self.len()) * self.values()];
        Pictures { bytes: bytes.to_vec(), ..*self }
    }

    /// Image `i` as a picture; a gray one has three equal channels.
    pub fn picture(&self, i: usize) -> RgbImage {
        let (planes, side) = (self.get(i), self.size);
        let (plane, last) = (side as usize * side as usize, self.planes - 1);
        RgbImage::from_fn(side, side, |x, y| {
            let at = (y * side + x) as usize;
            image::Rgb([0, 1, 2].map(|c: usize| planes[c.min(last) * plane + at]))
        })
    }

    /// The first half and the second.
    pub fn halves(&self) -> [Pictures; 2] {
        let at = self.len() / 2 * self.values();
        [&self.bytes[..at], &self.bytes[at..2 * at]]
            .map(|bytes| Pictures { bytes: bytes.to_vec(), ..*self })
    }
}

/// A value in [-1, 1] as a byte, clipped.
pub fn byte(v: f32) -> u8 {
    ((v + 1.0) * 127.5 + 0.5).clamp(0.0, 255.0) as u8
}
