//! The kernels: which there are, which one suits a layer, and their source text.

mod coop;
mod image;
mod kind;
mod product;
mod slim;
mod source;
mod tile;

pub use kind::Kind;
pub use product::{Product, block};
pub use source::Kernel;

/// Most workgroups along the first side of a dispatch, none of which may be longer than 65,535.
const ROW: usize = 32_768;

/// The three sizes of a dispatch.
pub fn sides(workgroups: usize, groups: usize) -> [u32; 3] {
    [workgroups.min(ROW) as u32, workgroups.div_ceil(ROW) as u32, groups as u32]
}
