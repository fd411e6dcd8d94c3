//! The shape of a convolution.

/// A convolution of `images` images of `height` x `width` x `channels` into `features` channels. A
/// transposed convolution has the shape of the convolution that it reverses: it maps `features`
/// channels to `channels`.
///
/// The kernels keep channels last: `x` is `[images, height, width, channels]` and `y` is
/// `[images, rows, columns, features]`. The weight is in burn's order,
/// `[features, channels, kernel, kernel]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images in the batch.
    pub images: usize,
    /// Rows of `x`.
    pub height: usize,
    /// Columns of `x`.
    pub width: usize,
    /// Channels of `x`.
    pub channels: usize,
    /// Channels of `y`.
    pub features: usize,
    /// Side of the kernel in pixels.
    pub kernel: usize,
    /// Pixels of `x` from one output to the next.
    pub stride: usize,
    /// Rows and columns of zeros on each side of `x`.
    pub padding: usize,
}

impl ConvShape {
    /// The convolution of `[n, c, h, w]` by a weight `[o, c, k, k]`.
    pub fn conv(
        [images, channels, height, width]: [usize; 4],
        [features, _, kernel, _]: [usize; 4],
        stride: usize,
        padding: usize,
    ) -> ConvShape {
        ConvShape { images, height, width, channels, features, kernel, stride, padding }
    }

    /// The transposed convolution of `[n, o, h, w]` by a weight `[o, c, k, k]`: `height` and
    /// `width` are those of its output.
    pub fn conv_transpose(
        [images, _, h, w]: [usize; 4],
        weight: [usize; 4],
        stride: usize,
        padding: usize,
    ) -> ConvShape {
        let [_, channels, kernel, _] = weight;
        let side = |size: usize| (size - 1) * stride + kernel - 2 * padding;
        ConvShape::conv([images, channels, side(h), side(w)], weight, stride, padding)
    }

    /// Rows of `y`.
    pub fn rows(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Columns of `y`.
    pub fn columns(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Values in one image of `x`.
    pub fn x_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values in one image of `y`.
    pub fn y_len(&self) -> usize {
        self.rows() * self.columns() * self.features
    }

    /// Taps of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Values in the weight.
    pub fn weight_len(&self) -> usize {
        self.features * self.channels * self.taps()
    }

    /// Multiply-adds of one pass by the direct algorithm, which multiplies by padding too.
    pub fn multiply_adds(&self) -> f64 {
        let outputs = self.images * self.rows() * self.columns() * self.features;
        (outputs * self.taps() * self.channels) as f64
    }

    /// Whether the kernel covers the whole image, so that `y` has one pixel and the convolution is
    /// a matrix product.
    pub fn covers_image(&self) -> bool {
        self.padding == 0 && self.kernel == self.height && self.kernel == self.width
    }

    /// The row or column of `x` that tap `tap` of output `at` reads, if that is within `0..size`.
    pub fn input_at(&self, at: usize, tap: usize, size: usize) -> Option<usize> {
        (at * self.stride + tap).checked_sub(self.padding).filter(|&i| i < size)
    }
}
