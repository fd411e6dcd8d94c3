//! Biases may be absent, which means zero.

/// The bias of output channel `o`.
pub(crate) fn bias_of(bias: &[f32], o: usize) -> f32 {
    bias.get(o).copied().unwrap_or(0.0)
}
