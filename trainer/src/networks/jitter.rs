//! Random windows of enlarged images.

use rand::RngExt;
use rand::rngs::StdRng;

/// Enlarges each image of a batch by `margin` pixels and keeps a random window of the old size, in
/// place (pix2pix, section 6.2: 286 x 286 from 256 x 256). Images are planes of `side` x `side`
/// values, `planes` per image; the same `rng` takes the same windows of images with other planes.
pub fn jitter(batch: &mut [f32], planes: usize, side: usize, margin: usize, rng: &mut StdRng) {
    let area = side * side;
    for image in batch.chunks_exact_mut(planes * area) {
        let [left, top] = [0; 2].map(|_| rng.random_range(0..=margin));
        let (columns, rows) = (taps(left, side, margin), taps(top, side, margin));
        for plane in image.chunks_exact_mut(area) {
            let from = plane.to_vec();
            for (row, &(y, below, down)) in plane.chunks_exact_mut(side).zip(&rows) {
                for (value, &(x, beside, right)) in row.iter_mut().zip(&columns) {
                    let along = |y: usize| {
                        let line = &from[y * side..][..side];
                        line[x] + (line[beside] - line[x]) * right
                    };
                    *value = along(y) + (along(below) - along(y)) * down;
                }
            }
        }
    }
}

/// For each pixel of a window that starts at `first`: the two pixels that it lies between, and how
/// near it is to the second. Bilinear, with pixels as areas: corners do not match, centers do.
fn taps(first: usize, side: usize, margin: usize) -> Vec<(usize, usize, f32)> {
    let scale = side as f32 / (side + margin) as f32;
    (first..first + side)
        .map(|at| {
            let at = ((at as f32 + 0.5) * scale - 0.5).clamp(0.0, side as f32 - 1.0);
            let low = at as usize;
            (low, (low + 1).min(side - 1), at - low as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::noise::{self, Stream};

    fn rng(image: u64) -> StdRng {
        noise::rng(3, Stream::Jitter, image)
    }

    #[test]
    fn a_slope_stays_a_slope_in_a_window_of_its_own() {
        // Values that rise by 1 a column: enlarged, they rise by 8 / 12.
        let plane: Vec<f32> = (0..64).map(|at| (at % 8) as f32).collect();
        let mut windows = Vec::new();
        for image in 0..40 {
            let mut batch = plane.clone();
            jitter(&mut batch, 1, 8, 4, &mut rng(image));
            let row = &batch[..8];
            for (x, pair) in row.windows(2).enumerate() {
                // Flat beyond the centers of the outermost pixels.
                let step = pair[1] - pair[0];
                let inside = pair[0] > 0.0 && pair[1] < 7.0;
                assert!(!inside || (step - 8.0 / 12.0).abs() < 1e-5, "{x}: {row:?}");
            }
            assert!(batch.chunks(8).all(|other| other == row), "rows are alike");
            windows.push(row[3].to_bits());
        }
        windows.sort_unstable();
        windows.dedup();
        assert_eq!(windows.len(), 5, "a margin of 4 has 5 places");
    }

    #[test]
    fn pairs_are_cut_alike_and_no_margin_changes_nothing() {
        let color: Vec<f32> = (0..2 * 3 * 64).map(|at| (at * 37 % 101) as f32).collect();
        // The middle planes as gray images.
        let gray = |color: &[f32]| [&color[64..128], &color[256..320]].concat();
        let (mut a, mut b) = (color.clone(), gray(&color));
        jitter(&mut a, 3, 8, 3, &mut rng(1));
        jitter(&mut b, 1, 8, 3, &mut rng(1));
        assert_eq!(gray(&a), b);
        assert_ne!(a, color);
        let mut same = color.clone();
        jitter(&mut same, 3, 8, 0, &mut rng(1));
        assert_eq!(same, color);
    }
}
