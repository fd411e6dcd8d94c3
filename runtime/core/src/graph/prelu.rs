//! PReLU, whose slopes differ by channel.

use alloc::vec;
use alloc::vec::Vec;

/// The weights `[2 c, c]` and `[c, 2 c]` of the two convolutions of kernel 1 that, around a
/// rectifier, are PReLU with `c` slopes: `max(x, 0) - slope * max(-x, 0)`.
pub fn prelu(slopes: &[f32]) -> [Vec<f32>; 2] {
    let c = slopes.len();
    let (mut split, mut joined) = (vec![0.0; 2 * c * c], vec![0.0; 2 * c * c]);
    for (i, slope) in slopes.iter().enumerate() {
        split[i * c + i] = 1.0;
        split[(c + i) * c + i] = -1.0;
        joined[i * 2 * c + i] = 1.0;
        joined[i * 2 * c + c + i] = -slope;
    }
    [split, joined]
}
