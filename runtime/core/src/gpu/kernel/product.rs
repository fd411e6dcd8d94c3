//! A layer as a matrix product: what a kernel is chosen by.

/// Lanes of a block of weights on a software adapter.
pub const EIGHT: usize = 32;

/// The shape of a layer as a matrix product.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Number of groups, and columns of the largest one.
    pub groups: usize,
    pub columns: usize,
    /// Vectors of lanes, with the padding of the last block, and vectors of lanes per block.
    pub lanes: usize,
    pub block: usize,
    /// Vectors of rows of the largest group.
    pub quads: usize,
    /// A common divisor of the vectors of rows of all groups.
    pub divisor: usize,
}

/// Lanes per block of the weights of a layer of `lanes`; `eight`: on a software adapter.
pub fn block(lanes: usize, eight: bool) -> usize {
    match lanes {
        0..=4 => 4,
        _ if eight => EIGHT,
        5..=16 => 16,
        17..=32 => 32,
        _ => 64,
    }
}
