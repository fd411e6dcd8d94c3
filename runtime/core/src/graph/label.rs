//! A latent that is scaled by a row of a table, chosen by a label.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::list::Layer;
use crate::op::{Activation, Op};

/// Latents beyond this are clamped where a label scales them; seeds give less than 10, and a
/// truncation of 10 times that.
const LARGEST: f32 = 128.0;

/// Layers from a latent of `n` values and a one-hot label to the latent times the label's row of
/// `table`, which has `n` columns: for each class the latent passes through two rectifiers that
/// are 0 unless the class is chosen, and their difference is scaled by the row.
pub fn scaled_by_label(n: usize, table: &[f32], name: &str) -> Vec<Layer> {
    let classes = table.len() / n.max(1);
    let (hidden, wide) = (2 * n * classes, n + classes);
    let mut gates = vec![0.0; hidden * wide];
    let mut scales = vec![0.0; n * hidden];
    for k in 0..classes {
        for i in 0..n {
            for (j, sign) in [1.0, -1.0].into_iter().enumerate() {
                let at = 2 * (k * n + i) + j;
                gates[at * wide + i] = sign;
                gates[at * wide + n + k] = LARGEST;
                scales[i * hidden + at] = sign * table[k * n + i];
            }
        }
    }
    // 0 for the chosen class, and below every latent for the others.
    let bias = vec![-LARGEST; hidden];
    let layer = |part: &str, out, activation, weight, bias| Layer {
        activation,
        weight,
        bias,
        ..Layer::new(format!("{name}.{part}"), Op::Dense { out })
    };
    vec![
        layer("gate", hidden, Activation::Relu, gates, bias),
        layer("scale", n, Activation::None, scales, vec![]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_the_class_scales() {
        let table = [2.0, -3.0, 0.5, 4.0]; // two classes of two values
        let layers = scaled_by_label(2, &table, "l");
        let dense = |layer: &Layer, x: &[f32]| -> Vec<f32> {
            let rows = layer.weight.chunks_exact(x.len()).enumerate();
            let row = |(o, row): (usize, &[f32])| {
                let sum: f32 = row.iter().zip(x).map(|(w, x)| w * x).sum();
                layer.activation.of(sum + layer.bias.get(o).unwrap_or(&0.0))
            };
            rows.map(row).collect()
        };
        for (class, want) in [([1.0, 0.0], [2.0, 6.0]), ([0.0, 1.0], [0.5, -8.0])] {
            let x = [1.0, -2.0, class[0], class[1]];
            let y = dense(&layers[1], &dense(&layers[0], &x));
            assert_eq!(y, want);
        }
    }
}
