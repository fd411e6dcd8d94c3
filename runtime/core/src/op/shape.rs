//! Shapes of samples and windows, and how they can fail to fit.

use core::fmt;

/// Most values of one tensor. A larger number can only be damage or a typo.
pub const LARGEST: usize = 1 << 28;

/// The shape of one sample: channels, height, width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Channels (features of a flat vector).
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

/// The square window of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side of the kernel.
    pub kernel: usize,
    /// Step in input (convolution) or output (transposed convolution) pixels.
    pub stride: usize,
    /// Zeros added on each side (convolution) or rows cut from each side (transposed convolution).
    pub padding: usize,
}

/// What a window reads beyond the edges of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Zeros.
    Zero,
    /// The input mirrored at its outermost pixels, which are not repeated.
    Reflect,
}

impl Edge {
    /// The pixel that is read at coordinate `at` of a side of `n` pixels, if one is. Coordinates
    /// wrap: what lies before the first pixel is beyond the last one.
    #[inline(always)]
    pub fn pixel(self, at: usize, n: usize) -> Option<usize> {
        let inside = match self {
            Edge::Reflect if at > usize::MAX / 2 => at.wrapping_neg(),
            Edge::Reflect if at >= n => (2 * n - 2).wrapping_sub(at),
            Edge::Reflect | Edge::Zero => at,
        };
        (inside < n).then_some(inside)
    }
}

impl Shape {
    /// A shape of `c` channels of `h` rows and `w` columns.
    pub const fn new(c: usize, h: usize, w: usize) -> Shape {
        Shape { c, h, w }
    }

    /// Values of one channel.
    pub const fn plane(&self) -> usize {
        self.h * self.w
    }

    /// Values of one sample. Cannot overflow for the shapes of a parsed model.
    pub const fn values(&self) -> usize {
        self.c * self.h * self.w
    }

    /// Values of one sample; `None` above [`LARGEST`].
    pub fn checked_values(&self) -> Option<usize> {
        let values = self.c.checked_mul(self.h)?.checked_mul(self.w)?;
        (values <= LARGEST).then_some(values)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x {}", self.c, self.h, self.w)
    }
}

/// Why an operation cannot be applied to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// This number is 0; it must be at least 1.
    Zero(&'static str),
    /// The window does not fit the input, or its padding crops the whole output.
    Window(Shape, Window),
    /// The padding reflects more pixels than the input has.
    Reflection(Shape, usize),
    /// Input and new shape differ in their number of values.
    Reshape(Shape, Shape),
    /// More than [`LARGEST`] values.
    TooLarge,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::Zero(what) => write!(f, "{what} is 0"),
            ShapeError::Window(input, window) => write!(
                f,
                "kernel {}, stride {} and padding {} do not fit an input of {input}",
                window.kernel, window.stride, window.padding
            ),
            ShapeError::Reflection(input, padding) => {
                write!(f, "an input of {input} cannot be reflected by {padding} pixels")
            }
            ShapeError::Reshape(from, to) => write!(f, "{from} values cannot become {to}"),
            ShapeError::TooLarge => write!(f, "a tensor of more than {LARGEST} values"),
        }
    }
}

impl core::error::Error for ShapeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        let row = |edge: Edge| [-2isize, -1, 0, 2, 3, 4].map(|at| edge.pixel(at as usize, 3));
        assert_eq!(row(Edge::Zero), [None, None, Some(0), Some(2), None, None]);
        assert_eq!(row(Edge::Reflect), [2, 1, 0, 2, 1, 0].map(Some));
    }
}
