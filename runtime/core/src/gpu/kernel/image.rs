//! The layer that makes the image, for many faces and for few.

use std::vec::Vec;

use crate::gpu::device::Limits;

/// The tiling of `image.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pairs of positions per row, and rows, of a workgroup.
    pub pairs: usize,
    pub lines: usize,
    /// Vectors of channels at a time.
    pub deep: usize,
}

const fn image(pairs: usize, lines: usize, deep: usize) -> Image {
    Image { pairs, lines, deep }
}

/// Tilings in order of preference.
pub const IMAGES: [Image; 5] =
    [image(8, 16, 2), image(8, 16, 1), image(16, 8, 2), image(8, 8, 2), image(16, 16, 1)];

impl Image {
    pub fn threads(self) -> usize {
        self.pairs * self.lines
    }

    pub fn plane(self) -> usize {
        (self.lines + 2) * 2 * (self.pairs + 1)
    }

    pub fn suits(self, channels: usize, limits: &Limits) -> bool {
        let vectors = self.deep * (self.plane() + 16 * channels) + 1;
        self.threads() <= limits.threads && 16 * vectors <= limits.memory
    }

    pub fn constants(self, channels: usize) -> Vec<(&'static str, usize)> {
        let threads = self.threads();
        [
            ("PAIRS", self.pairs),
            ("LINES", self.lines),
            ("DEEP", self.deep),
            ("CHANNELS", channels),
            ("THREADS", threads),
            ("LOADS", self.plane().div_ceil(threads / self.deep)),
        ]
        .into()
    }
}

/// Pairs of positions per workgroup of `image_few.wgsl`.
pub const FEW: usize = 8;

/// Threads per workgroup of `image_few.wgsl`, so that 16 KiB of shared memory suffice.
pub fn few_threads(channels: usize) -> usize {
    if channels < 4 { 128 } else { 64 }
}
