//! The shape of a convolution.

/// A convolution of `images` pictures of `height` x `width` x `channels` into `features` channels. The transposed
/// convolution has the same shape seen from its output: `features` in, `channels` out.
///
/// Everything here is channels last: `x` is `[images, height, width, channels]`, `y` is `[images, rows, columns,
/// features]`; the weight is as burn has it, `[features, channels, kernel, kernel]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Pictures.
    pub images: usize,
    /// Rows of `x`.
    pub height: usize,
    /// Columns of `x`.
    pub width: usize,
    /// Channels of `x`.
    pub channels: usize,
    /// Channels of `y`.
    pub features: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
}

impl Window {
    /// Rows of `y`.
    pub fn rows(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Columns of `y`.
    pub fn columns(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Numbers of a picture of `x`.
    pub fn x_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Numbers of a picture of `y`.
    pub fn y_len(&self) -> usize {
        self.rows() * self.columns() * self.features
    }

    /// Taps of a kernel.
    pub fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Numbers of the weight.
    pub fn weight_len(&self) -> usize {
        self.features * self.channels * self.taps()
    }

    /// The row or column of `x` under tap `tap` of output `at`, if it is inside `0..size`.
    pub fn under(&self, at: usize, tap: usize, size: usize) -> Option<usize> {
        (at * self.stride + tap).checked_sub(self.padding).filter(|&i| i < size)
    }
}
