//! Edges of images (Canny 1986), and how far apart the edges of two images lie.

use std::collections::VecDeque;

/// Standard deviation of the blur before the derivative, in pixels.
const SIGMA: f32 = 1.0;
/// Strength of the gradient above which an edge begins, and above which it goes on: Sobel sums, 4
/// times the difference of two neighbors of an unblurred ramp.
const STRONG: f32 = 90.0;
const WEAK: f32 = 40.0;

/// The edges of a gray image of `side` x `side` pixels: whether each pixel lies on one.
///
/// Canny's detector: Gaussian blur, Sobel derivatives, maxima across the edge, and hysteresis with
/// two thresholds. Borders are extended by their outermost pixels.
pub fn canny(gray: &[u8], side: usize) -> Vec<bool> {
    let plane: Vec<f32> = gray.iter().map(|&v| f32::from(v)).collect();
    let smooth = blurred(&plane, side, SIGMA);
    let at = |x: isize, y: isize| {
        let inside = |v: isize| v.clamp(0, side as isize - 1) as usize;
        smooth[inside(y) * side + inside(x)]
    };
    let gradients: Vec<(f32, f32)> = places(side)
        .map(|(x, y)| {
            let column = |x| at(x, y - 1) + 2.0 * at(x, y) + at(x, y + 1);
            let row = |y| at(x - 1, y) + 2.0 * at(x, y) + at(x + 1, y);
            (column(x + 1) - column(x - 1), row(y + 1) - row(y - 1))
        })
        .collect();
    let strengths: Vec<f32> = gradients.iter().map(|(dx, dy)| dx.hypot(*dy)).collect();
    let index = |x: isize, y: isize| {
        let inside = |v: isize| (0..side as isize).contains(&v);
        (inside(x) && inside(y)).then(|| y as usize * side + x as usize)
    };
    let maxima: Vec<f32> = places(side)
        .zip(&gradients)
        .zip(&strengths)
        .map(|(((x, y), &(dx, dy)), &own)| {
            // The direction of the gradient, to the nearest of four: tan(22.5 degrees) is 0.414.
            let (sx, sy) = match (dx.abs(), dy.abs()) {
                (h, v) if v < 0.414_213_56 * h => (1, 0),
                (h, v) if h < 0.414_213_56 * v => (0, 1),
                _ if (dx > 0.0) == (dy > 0.0) => (1, 1),
                _ => (1, -1),
            };
            let other = |x, y| index(x, y).map_or(0.0, |i| strengths[i]);
            // Of two equal neighbors one is kept.
            match own > other(x - sx, y - sy) && own >= other(x + sx, y + sy) {
                true => own,
                false => 0.0,
            }
        })
        .collect();
    let mut edges = vec![false; side * side];
    let mut queue: VecDeque<(isize, isize)> = VecDeque::new();
    for (x, y) in places(side) {
        let i = y as usize * side + x as usize;
        if maxima[i] >= STRONG && !edges[i] {
            edges[i] = true;
            queue.push_back((x, y));
        }
        while let Some((x, y)) = queue.pop_front() {
            for (dx, dy) in places(3) {
                let (x, y) = (x + dx - 1, y + dy - 1);
                if let Some(i) = index(x, y).filter(|&i| maxima[i] >= WEAK && !edges[i]) {
                    edges[i] = true;
                    queue.push_back((x, y));
                }
            }
        }
    }
    edges
}

/// Columns and rows of a square, in reading order.
fn places(side: usize) -> impl Iterator<Item = (isize, isize)> {
    (0..side as isize).flat_map(move |y| (0..side as isize).map(move |x| (x, y)))
}

/// A plane of `side` x `side` values, blurred by a Gaussian of `sigma` pixels. Borders are extended
/// by their outermost values.
pub fn blurred(plane: &[f32], side: usize, sigma: f32) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil() as isize;
    let weights: Vec<f32> =
        (-reach..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let total: f32 = weights.iter().sum();
    // Along rows, transposed, twice.
    let pass = |x: &[f32]| {
        let mut y = vec![0.0; side * side];
        for (r, row) in x.chunks_exact(side).enumerate() {
            for c in 0..side {
                let sum: f32 = weights
                    .iter()
                    .zip(c as isize - reach..)
                    .map(|(weight, at)| weight * row[at.clamp(0, side as isize - 1) as usize])
                    .sum();
                y[c * side + r] = sum / total;
            }
        }
        y
    };
    pass(&pass(plane))
}

/// How far two drawings of `side` x `side` pixels lie apart: the mean distance, in pixels, of a
/// pixel on one to the nearest on the other, averaged over both directions (the chamfer distance,
/// Barrow et al. 1977). `side` if exactly one of them is empty.
pub fn distance(a: &[bool], b: &[bool], side: usize) -> f64 {
    let mean = |from: &[bool], to: &[f64]| {
        let each = from.iter().zip(to).filter(|(on, _)| **on).map(|(_, d)| *d);
        let (count, sum) = each.fold((0, 0.0), |(count, sum), d| (count + 1, sum + d));
        (count > 0).then(|| sum / f64::from(count))
    };
    match (nearest(a, side), nearest(b, side)) {
        (Some(to_a), Some(to_b)) => {
            (mean(a, &to_b).unwrap_or(0.0) + mean(b, &to_a).unwrap_or(0.0)) / 2.0
        }
        (None, None) => 0.0,
        _ => side as f64,
    }
}

/// The distance of every pixel to the nearest that is on; none if none is.
fn nearest(on: &[bool], side: usize) -> Option<Vec<f64>> {
    on.contains(&true).then_some(())?;
    // Along columns first, then over the columns of a row.
    let mut vertical = vec![2 * side; side * side];
    for x in 0..side {
        let mut last = None;
        for y in 0..side {
            last = if on[y * side + x] { Some(y) } else { last };
            vertical[y * side + x] = last.map_or(2 * side, |last| y - last);
        }
        last = None;
        for y in (0..side).rev() {
            last = if on[y * side + x] { Some(y) } else { last };
            let below = last.map_or(2 * side, |last| last - y);
            let to = &mut vertical[y * side + x];
            *to = below.min(*to);
        }
    }
    let rows = vertical.chunks_exact(side).flat_map(|row| {
        (0..side).map(move |x| {
            let squares = row.iter().enumerate().map(|(at, v)| x.abs_diff(at).pow(2) + v * v);
            (squares.min().unwrap_or(0) as f64).sqrt()
        })
    });
    Some(rows.collect())
}
