//! Concatenation and reflected borders.

/// The channels of `a` `[n, h, w, c]`, then those of `b` `[n, h, w, d]`, of each pixel.
pub fn concat([a, b]: [&[f32]; 2], [c, d]: [usize; 2]) -> Vec<f32> {
    let mut y = Vec::with_capacity(a.len() + b.len());
    for (a, b) in a.chunks_exact(c).zip(b.chunks_exact(d)) {
        y.extend_from_slice(a);
        y.extend_from_slice(b);
    }
    y
}

/// The first `c` of each pixel's channels, and the other `d`.
pub fn split(y: &[f32], [c, d]: [usize; 2]) -> [Vec<f32>; 2] {
    let pixels = y.len() / (c + d);
    let mut parts = [Vec::with_capacity(pixels * c), Vec::with_capacity(pixels * d)];
    for pixel in y.chunks_exact(c + d) {
        let (first, second) = pixel.split_at(c);
        parts[0].extend_from_slice(first);
        parts[1].extend_from_slice(second);
    }
    parts
}

/// The row or column of an image of `size` that one of the padded image shows.
fn reflected(at: usize, padding: usize, size: usize) -> usize {
    let last = size - 1;
    last - last.abs_diff(at.abs_diff(padding))
}

/// Images of `h` x `w` x `c` with `padding` mirrored rows and columns on each side; less than `h` and
/// `w`.
pub fn reflect_pad(x: &[f32], [h, w, c]: [usize; 3], padding: usize) -> Vec<f32> {
    let (height, width) = (h + 2 * padding, w + 2 * padding);
    let images = x.len() / (h * w * c);
    let mut y = Vec::with_capacity(images * height * width * c);
    for x in x.chunks_exact(h * w * c) {
        for row in (0..height).map(|row| reflected(row, padding, h)) {
            let line = &x[row * w * c..][..w * c];
            let pixel = |column: usize| &line[reflected(column, padding, w) * c..][..c];
            (0..padding).for_each(|column| y.extend_from_slice(pixel(column)));
            y.extend_from_slice(line);
            (padding + w..width).for_each(|column| y.extend_from_slice(pixel(column)));
        }
    }
    y
}

/// The gradient by the images of `h` x `w` x `c`, from that by the padded ones.
pub fn reflect_pad_backward(dy: &[f32], [h, w, c]: [usize; 3], padding: usize) -> Vec<f32> {
    let (height, width) = (h + 2 * padding, w + 2 * padding);
    let images = dy.len() / (height * width * c);
    let mut dx = vec![0.0; images * h * w * c];
    for (dx, dy) in dx.chunks_exact_mut(h * w * c).zip(dy.chunks_exact(height * width * c)) {
        for (row, dy) in dy.chunks_exact(width * c).enumerate() {
            let to = &mut dx[reflected(row, padding, h) * w * c..][..w * c];
            let mut add = |at: usize, dy: &[f32]| {
                to[at..][..dy.len()].iter_mut().zip(dy).for_each(|(to, dy)| *to += dy);
            };
            for column in (0..padding).chain(padding + w..width) {
                add(reflected(column, padding, w) * c, &dy[column * c..][..c]);
            }
            add(0, &dy[padding * c..][..w * c]);
        }
    }
    dx
}
