//! The kernel of 4 that, with stride 2, computes what doubling an image and a kernel of 3 do.

/// The taps of a kernel of 3 that each tap of the kernel of 4 sums, along one axis.
const FORWARD: [&[usize]; 4] = [&[2], &[1, 2], &[0, 1], &[0]];
/// The taps of the kernel of 4 that each tap of the kernel of 3 is a part of.
const BACKWARD: [&[usize]; 3] = [&[2, 3], &[1, 2], &[0, 1]];

/// A transposed convolution's weight `[from, out, 4, 4]` from a convolution's `[out, from, 3, 3]`.
pub fn forward(weight: &[f32], [out, from]: [usize; 2]) -> Vec<f32> {
    let mut resized = vec![0.0; from * out * 16];
    for (pair, to) in resized.chunks_exact_mut(16).enumerate() {
        let (i, o) = (pair / out, pair % out);
        let taps = &weight[(o * from + i) * 9..][..9];
        for (to, at) in to.iter_mut().zip(0..) {
            let [rows, columns] = [FORWARD[at / 4], FORWARD[at % 4]];
            let row = |y: &usize| columns.iter().map(|x| taps[y * 3 + x]).sum::<f32>();
            *to = rows.iter().map(row).sum();
        }
    }
    resized
}

/// The gradient by the weight `[out, from, 3, 3]` from that by the resized one.
pub fn backward(gradient: &[f32], [out, from]: [usize; 2]) -> Vec<f32> {
    let mut weight = vec![0.0; out * from * 9];
    for (pair, resized) in gradient.chunks_exact(16).enumerate() {
        let (i, o) = (pair / out, pair % out);
        let taps = &mut weight[(o * from + i) * 9..][..9];
        for (to, at) in taps.iter_mut().zip(0..) {
            let [rows, columns] = [BACKWARD[at / 3], BACKWARD[at % 3]];
            let column = |x: &usize| rows.iter().map(|y| resized[y * 4 + x]).sum::<f32>();
            *to = columns.iter().map(column).sum();
        }
    }
    weight
}
