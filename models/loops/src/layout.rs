//! The order of values in memory.

/// `[n, c, pixels]`, as a data set has its images, as `[n, pixels, c]`.
pub fn interleaved(values: &[f32], [n, c, pixels]: [usize; 3]) -> Vec<f32> {
    let mut last = Vec::with_capacity(values.len());
    for image in 0..n {
        let planes = &values[image * c * pixels..][..c * pixels];
        match c {
            3 => {
                let (r, rest) = planes.split_at(pixels);
                let (g, b) = rest.split_at(pixels);
                for ((r, g), b) in r.iter().zip(g).zip(b) {
                    last.extend([*r, *g, *b]);
                }
            }
            _ => last
                .extend((0..pixels).flat_map(|at| planes.iter().skip(at).step_by(pixels).copied())),
        }
    }
    last
}
