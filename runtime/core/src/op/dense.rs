//! `y = W x + b`.

use super::bias::bias_of;

/// The obvious loop. `weight` is `[out, in]`.
pub fn reference(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    for (o, (y, row)) in y.iter_mut().zip(weight.chunks_exact(x.len())).enumerate() {
        *y = bias_of(bias, o) + row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn worked_examples() {
        let mut y = [0.0; 2];
        super::reference(&[2.0, 3.0], &[1.0, 10.0, -1.0, 0.5], &[0.25, 0.0], &mut y);
        assert_eq!(y, [32.25, -0.5]);
    }
}
