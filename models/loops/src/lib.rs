//! The loops of training on a CPU, without burn: slices in, slices out.
//!
//! A batch of feature maps is `[n, h, w, c]`: the channels of a pixel fill registers whatever the
//! size of the image. `models::flex` lends the memory of burn's tensors to these functions. Results
//! do not depend on the number of threads, and those of [`conv`] not on the instruction set.

mod function;
mod parallel;
mod shape;

pub mod activation;
pub mod branches;
pub mod conv;
pub mod layout;
pub mod norm;
pub mod peak;
pub mod pixels;
pub mod random;
pub mod resize;
pub mod update;

pub use function::Function;
pub use shape::ConvShape;
