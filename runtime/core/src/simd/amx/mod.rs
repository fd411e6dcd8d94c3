//! Matrix products of server CPUs: AMX multiplies 16 rows of 64 bytes with 64 bytes x 16 lanes at a time.
//!
//! A *tile* is a register of 16 rows of 64 bytes. Rows of the first operand are positions, and their 64 bytes the
//! channels under a tap; a tile of weights is 64 bytes of channels for a block of 16 lanes, which is how int8
//! records have them. Layers are summed tap by tap, without Winograd: products take less time than its
//! transforms would.
//!
//! `panels` copies the input so that the positions of a tile lie side by side whatever the tap. Bytes are
//! multiplied as they are (`bytes`). A float is the sum of two of 16 bits, which have the exponent of the float and 8
//! bits of its fraction: of the four products of two such sums, the three largest are added (`floats`), in 32 bits.
//! What is left out is at most 3 x 2^-16 of the product. (Henry, Tang and Heinecke 2019, "Leveraging the bfloat16
//! Artificial Intelligence Datatype For Higher-Precision Computations", section 3)

mod bytes;
mod floats;
mod panels;
#[cfg(feature = "std")]
mod permission;
mod tile;
mod walk;

pub(super) use bytes::Bytes;
pub(super) use floats::Floats;
#[cfg(feature = "std")]
pub(super) use permission::granted;
#[cfg(feature = "std")]
pub(super) use tile::products;

use crate::layer::{Layer, Weights};
use crate::layout::Layout;
use panels::Panels;

/// Lines of the panels that are kept on the stack.
const STACK: usize = 2048;
/// Fewest positions and channels for which it pays: below, most of a tile is empty, and copying the input takes
/// longer than what is saved. A line has 64 bytes: with 32 channels, AVX-512 takes as long.
const POSITIONS: usize = 12;
const CHANNELS: usize = 32;
const INT8_CHANNELS: usize = 48;

/// Whether a layer is computed like this.
pub(super) fn suits(layer: &Layer<'_>) -> bool {
    let Some(layout) = layer.layout().filter(Layout::has_border) else { return false };
    let (rows, columns) = layout.grid(0);
    let channels = match layer.weights {
        Weights::Int8(_) => INT8_CHANNELS,
        Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => CHANNELS,
    };
    (0..layout.groups()).all(|group| layout.taps(group) <= panels::TAPS)
        && rows * columns >= POSITIONS
        && layer.input.c >= channels
        && Panels::new(&layout, lines(layer)).is_some_and(|panels| panels.rows(STACK) > 0)
}

/// How far weights lie from those at `from` in a block that are used a while later: those of the blocks that are
/// computed now, or, from the end of a block on, of the next ones. All in the same unit.
#[inline(always)]
fn ahead(from: usize, by: usize, (of_block, blocks): (usize, usize)) -> usize {
    match from + by < of_block {
        true => by,
        false => by + (blocks - 1) * of_block,
    }
}

/// Lines of a pixel of a layer.
fn lines(layer: &Layer<'_>) -> usize {
    match layer.weights {
        Weights::Int8(_) => bytes::lines(layer.input.c),
        Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => {
            floats::lines(layer.input.c)
        }
    }
}
