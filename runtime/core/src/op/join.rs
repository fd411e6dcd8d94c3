//! Two inputs as one: their sum, or the channels of one after those of the other.

use core::ops::Range;

/// `y = x + other`.
#[inline(always)]
pub(crate) fn add(x: &[f32], other: &[f32], y: &mut [f32]) {
    for ((y, x), other) in y.iter_mut().zip(x).zip(other) {
        *y = x + other;
    }
}

/// The places `range` of the concatenation, in which each `first` values of `x` are followed by
/// `second` values of `other`: the channels of a pixel, or with channels first all values.
#[inline(always)]
pub(crate) fn concat(
    [first, second]: [usize; 2],
    x: &[f32],
    other: &[f32],
    range: Range<usize>,
    y: &mut [f32],
) {
    let (mut at, mut rest) = (range.start, y);
    while at < range.end {
        let (pixel, channel) = (at / (first + second), at % (first + second));
        let from = match channel < first {
            true => &x[pixel * first + channel..(pixel + 1) * first],
            false => &other[pixel * second + channel - first..(pixel + 1) * second],
        };
        let n = from.len().min(range.end - at);
        let (to, after) = rest.split_at_mut(n);
        to.copy_from_slice(&from[..n]);
        (at, rest) = (at + n, after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_examples() {
        let mut y = [0.0; 3];
        add(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0], &mut y);
        assert_eq!(y, [11.0, 22.0, 33.0]);
        // Two pixels: two channels and one.
        let (x, other) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0]);
        let want = [1.0, 2.0, 5.0, 3.0, 4.0, 6.0];
        for range in [0..6, 0..0, 1..5, 2..3, 4..6] {
            let mut y = [0.0; 6];
            let y = &mut y[range.clone()];
            concat([2, 1], &x, &other, range.clone(), y);
            assert_eq!(y, &want[range]);
        }
    }
}
